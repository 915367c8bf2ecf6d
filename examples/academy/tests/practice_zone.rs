//! Every function of the Practice Zone, called as a frontend does: by its path, with JSON.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::time::Duration;

use serde_json::{Value, json};

use common::{Called, fields, ids, with};

const MODULES: [&str; 13] = [
    "practiceTracks",
    "practiceProjects",
    "practiceActivities",
    "practiceScenarios",
    "practiceItemTemplates",
    "practiceItems",
    "practiceAttempts",
    "practiceUserSkills",
    "practiceReviewDeck",
    "practiceUserPreferences",
    "practiceCreations",
    "practiceCalibrationRuns",
    "practiceModerationFlags",
];

const DAY: f64 = 86_400_000.0;

/// The Practice Zone with a user and something to practise.
struct Zone {
    app: Called,
    user: Value,
    track: Value,
    template: Value,
    item: Value,
}

impl Zone {
    async fn new() -> Zone {
        let app = Called::new();
        let user = json!({"email": "ada@example.com", "username": "ada", "firstName": "Ada"});
        let user = app.mutation("users:createUser", user).await;
        let track = app.mutation("practiceTracks:create", track("content", 1)).await;
        let template =
            app.mutation("practiceItemTemplates:create", template(&user, &["planning", "prompting"])).await;
        let item = app.mutation("practiceItems:create", item(&user, &template, 1500)).await;
        Zone { app, user, track, template, item }
    }

    async fn attempt(&self, item: &Value, correct: bool) -> Value {
        self.app.mutation("practiceAttempts:record", attempt(&self.user, item, correct)).await
    }

    async fn next(&self, more: Value) -> Vec<Value> {
        let args = with(json!({"userId": self.user}), &more);
        ids(&self.app.query("practiceItems:selectNextItems", args).await)
    }

    async fn review(&self, quality: u8) -> Value {
        let args = json!({"userId": self.user, "itemId": self.item, "quality": quality});
        self.app.mutation("practiceReviewDeck:review", args).await
    }

    /// Makes a document twice: `get` and `list` give both, and so does every function that lists along an index where
    /// they are alike. The two ids.
    async fn table(&self, module: &str, document: Value, lists: &[(&str, &str)], other: Value) -> [Value; 2] {
        let app = &self.app;
        let path = |function: &str| format!("{module}:{function}");
        let before = ids(&app.query(&path("list"), json!({})).await);
        let first = app.mutation(&path("create"), document.clone()).await;
        let second = app.mutation(&path("create"), document.clone()).await;
        assert_eq!(fields(&app.query(&path("get"), json!({"id": first})).await), document);
        let newest = [second.clone(), first.clone()];
        assert_eq!(ids(&app.query(&path("list"), json!({})).await), [&newest[..], &before].concat());
        assert_eq!(ids(&app.query(&path("list"), json!({"limit": 1})).await), std::slice::from_ref(&second));
        for (function, field) in lists {
            let args = json!({*field: document[*field]});
            let found = ids(&app.query(&path(function), args.clone()).await);
            assert_eq!(found.get(..2), Some(&newest[..]), "{module}:{function} {args}");
            let limited = with(args, &json!({"limit": 1}));
            assert_eq!(ids(&app.query(&path(function), limited).await), std::slice::from_ref(&second));
            let nothing = json!({*field: other[*field]});
            assert_eq!(app.query(&path(function), nothing).await, json!([]), "{module}:{function}");
        }
        let unknown = with(document, &json!({"unknown": 1}));
        let error = app.try_mutation(&path("create"), unknown).await.unwrap_err();
        assert!(error.starts_with("ArgumentValidationError: ") && error.contains("unknown"), "{error}");
        [first, second]
    }
}

fn track(slug: &str, level: u32) -> Value {
    json!({"slug": slug, "title": "t", "description": "d", "level": level, "order": 1, "tags": [], "status": "live"})
}

fn template(author: &Value, skills: &[&str]) -> Value {
    json!({
        "type": "multiple-choice", "title": "t", "description": "d", "schema": {"type": "object", "n": 1},
        "rubric": {"rubricId": "r", "weights": {"clarity": 2}, "maxScore": 10},
        "aiEvaluation": {"enabled": true, "modelHints": {"provider": "p", "model": "m"}},
        "recommendedTime": 5, "skills": skills, "authorId": author, "createdAt": 1, "updatedAt": 2,
        "status": "live",
    })
}

fn item(author: &Value, template: &Value, elo: u32) -> Value {
    json!({
        "templateId": template, "params": {"choices": ["a", "b"]}, "version": "1.0.0", "elo": elo,
        "eloDeviation": 350, "difficultyBand": "core", "tags": ["x"], "createdBy": author, "createdAt": 1,
        "status": "live",
    })
}

fn attempt(user: &Value, item: &Value, correct: bool) -> Value {
    json!({
        "userId": user, "itemId": item, "response": {"choice": "a"}, "score": 8, "correct": correct,
        "timeMs": 1200, "startedAt": 1, "completedAt": 2,
        "rubricScores": {"clarity": 1, "constraints": 2, "iteration": 3, "tool": 4},
        "metadata": {"mode": "solo", "difficultyBand": "core"},
    })
}

fn card(user: &Value, item: &Value, due: u32) -> Value {
    json!({
        "userId": user, "itemId": item, "dueAt": due, "stability": 6, "difficulty": 0, "lapseCount": 0,
        "createdAt": 1, "updatedAt": 1,
    })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[tokio::test]
async fn every_function_does_what_its_name_says() {
    let zone = Zone::new().await;
    let Zone { app, user, track: content, template: by_default, item: question } = &zone;

    zone.table(
        "practiceTracks",
        with(track("analytics", 2), &json!({"status": "draft"})),
        &[("listByLevel", "level"), ("listByStatus", "status")],
        json!({"level": 3, "status": "archived"}),
    )
    .await;
    let by_slug = |slug: &'static str| async move {
        app.query("practiceTracks:getBySlug", json!({"slug": slug})).await["_id"].clone()
    };
    assert_eq!(by_slug("content").await, *content);
    assert_eq!(by_slug("nothing").await, Value::Null);

    let project = json!({
        "trackId": content, "slug": "launch", "version": "1.0.0", "title": "t", "summary": "s",
        "estTimeMinutes": 30, "defaultDifficulty": 3, "recommendedSkills": [], "status": "live",
        "createdBy": user, "updatedBy": user, "createdAt": 1, "updatedAt": 1, "visibility": "seasonal",
    });
    let other = app.mutation("practiceTracks:create", track("other", 1)).await;
    let [first, project] = zone
        .table(
            "practiceProjects",
            project,
            &[("listByTrack", "trackId"), ("listByStatus", "status")],
            json!({"trackId": other, "status": "deprecated"}),
        )
        .await;
    let found = app.query("practiceProjects:getBySlug", json!({"slug": "launch"})).await;
    assert_eq!(found["_id"], project, "the newest of one name");

    let scenario = json!({
        "trackId": content, "slug": "content-startup-launch", "title": "t", "narrative": "n",
        "variables": {"industry": "i", "audience": "a", "goal": "g"}, "tags": [], "createdBy": user,
        "createdAt": 1, "status": "draft",
    });
    let [_, scenario] = zone
        .table(
            "practiceScenarios",
            scenario,
            &[("listByTrack", "trackId"), ("listByStatus", "status")],
            json!({"trackId": other, "status": "retired"}),
        )
        .await;
    let found = app.query("practiceScenarios:getBySlug", json!({"slug": "content-startup-launch"})).await;
    assert_eq!(found["_id"], scenario);

    let [drafting, _] = zone
        .table(
            "practiceItemTemplates",
            with(template(user, &[]), &json!({"type": "prompt-draft", "status": "draft"})),
            &[("listByType", "type"), ("listByStatus", "status")],
            json!({"type": "none", "status": "deprecated"}),
        )
        .await;

    let step = json!({
        "projectId": project, "order": 2, "templateId": by_default, "scenarioId": scenario, "params": {"n": [1]},
        "required": true, "timeEstimate": 5, "skills": ["planning"], "version": "1.0.0",
    });
    let early = app.mutation("practiceActivities:create", with(step.clone(), &json!({"order": 3}))).await;
    let none = json!({"templateId": drafting});
    let [one, two] = zone.table("practiceActivities", step, &[("listByTemplate", "templateId")], none).await;
    let steps = app.query("practiceActivities:listByProject", json!({"projectId": project})).await;
    assert_eq!(ids(&steps), [one, two, early], "by their order");
    assert_eq!(app.query("practiceActivities:listByProject", json!({"projectId": first})).await, json!([]));

    let within = with(item(user, &drafting, 1500), &json!({"scenarioId": scenario, "status": "retired"}));
    let unused = app.mutation("practiceItemTemplates:create", template(user, &[])).await;
    let elsewhere = json!({
        "trackId": other, "slug": "s", "title": "t", "narrative": "n", "tags": [], "createdBy": user,
        "variables": {"industry": "i", "audience": "a", "goal": "g", "hooks": ["h"]}, "createdAt": 1,
        "status": "live",
    });
    let elsewhere = app.mutation("practiceScenarios:create", elsewhere).await;
    let [retired, _] = zone
        .table(
            "practiceItems",
            within,
            &[("listByTemplate", "templateId"), ("listByScenario", "scenarioId"), ("listByStatus", "status")],
            json!({"templateId": unused, "scenarioId": elsewhere, "status": "experimental"}),
        )
        .await;
    assert_eq!(zone.next(json!({})).await, std::slice::from_ref(question), "only what is live");

    let ben = json!({"email": "ben@example.com", "username": "ben", "firstName": "Ben"});
    let ben = app.mutation("users:createUser", ben).await;
    zone.table(
        "practiceAttempts",
        with(attempt(user, &retired, true), &json!({"projectId": project})),
        &[("listByUser", "userId"), ("listByItem", "itemId"), ("listByProject", "projectId")],
        json!({"userId": ben, "itemId": question, "projectId": first}),
    )
    .await;
    assert_eq!(number(&zone.attempt(question, true).await["elo"]).round(), 1338.0);

    let skill = json!({"userId": user, "skillId": "s", "rating": 1, "deviation": 2, "lastUpdated": 3});
    zone.table(
        "practiceUserSkills",
        skill,
        &[("listByUser", "userId"), ("listBySkill", "skillId")],
        json!({"userId": ben, "skillId": "none"}),
    )
    .await;

    let cards = card(user, question, 5);
    let [old, _] =
        zone.table("practiceReviewDeck", cards, &[("listByUser", "userId")], json!({"userId": ben})).await;
    let late = app.mutation("practiceReviewDeck:create", card(&ben, question, 4)).await;
    let found = app.query("practiceReviewDeck:listByDue", json!({"before": 5, "limit": 2})).await;
    assert_eq!(ids(&found), [late, old], "everybody's, the longest overdue first");
    assert_eq!(app.query("practiceReviewDeck:listByDue", json!({"before": 3})).await, json!([]));
    let due = app.query("practiceReviewDeck:due", json!({"userId": user, "before": 5})).await;
    assert_eq!(ids(&due).len(), 2, "the user's only");
    assert_eq!(zone.review(5).await["stability"], 16, "6 days times 2.6");

    let preferences = json!({
        "userId": user, "interests": ["i"], "goals": [], "timeBudget": "deep", "challengeMode": true,
        "updatedAt": 1,
    });
    let [_, newest] = zone.table("practiceUserPreferences", preferences, &[], json!({})).await;
    let found = app.query("practiceUserPreferences:getByUser", json!({"userId": user})).await;
    assert_eq!(found["_id"], newest);
    assert_eq!(app.query("practiceUserPreferences:getByUser", json!({"userId": ben})).await, Value::Null);

    zone.table(
        "practiceCreations",
        json!({"authorId": user, "type": "item", "baseId": project, "draftData": {"a": {"b": 1}}, "status": "draft"}),
        &[("listByAuthor", "authorId"), ("listByStatus", "status")],
        json!({"authorId": ben, "status": "rejected"}),
    )
    .await;
    zone.table(
        "practiceCalibrationRuns",
        json!({"itemId": question, "attempts": 5, "meanScore": 3.5, "standardError": 1, "lastRunAt": 1, "settled": false}),
        &[("listByItem", "itemId"), ("listBySettled", "settled")],
        json!({"itemId": retired, "settled": true}),
    )
    .await;
    zone.table(
        "practiceModerationFlags",
        json!({"contentType": "item", "contentId": question, "reporterId": user, "reason": "r", "status": "open", "createdAt": 1}),
        &[("listByContent", "contentId"), ("listByStatus", "status")],
        json!({"contentId": retired, "status": "dismissed"}),
    )
    .await;

    // The skills have a table of nearly the same name.
    let skills = ["start", "complete", "fail", "listByMilestoneProgress", "listByCompleted"];
    let skills = skills.map(|name| format!("practiceActivities:{name}"));
    app.called_each_of(&MODULES, &skills.each_ref().map(String::as_str));
}

#[tokio::test]
async fn an_attempt_moves_the_ratings_of_item_and_user() {
    let zone = Zone::new().await;
    let Zone { app, user, item: question, .. } = &zone;
    let skills = || async { app.query("practiceUserSkills:listByUser", json!({"userId": user})).await };

    // Two beginners of 1500 ± 350: Glicko moves each by 162.2 to a deviation of 290.3.
    let won = zone.attempt(question, true).await;
    for (found, expected) in [(&won["elo"], 1337.8), (&won["eloDeviation"], 290.3)] {
        assert!((number(found) - expected).abs() < 0.1, "{won}");
    }
    let found = skills().await;
    assert_eq!(found.as_array().unwrap().len(), 2, "the skills of the template");
    for (skill, recorded) in found.as_array().unwrap().iter().rev().zip(won["skills"].as_array().unwrap()) {
        assert_eq!(skill["skillId"], recorded["skillId"]);
        assert!((number(&skill["rating"]) - 1662.2).abs() < 0.1, "{skill}");
        assert!((number(&skill["deviation"]) - 290.3).abs() < 0.1, "{skill}");
        assert_eq!(skill["rating"], recorded["rating"]);
    }
    let kept = app.query("practiceAttempts:get", json!({"id": won["attemptId"]})).await;
    assert_eq!(fields(&kept), attempt(user, question, true));

    // Against the odds the item wins: it gains more than it lost, and everybody is known better.
    let lost = zone.attempt(question, false).await;
    let stored = app.query("practiceItems:get", json!({"id": question})).await;
    assert_eq!((&stored["elo"], &stored["eloDeviation"]), (&lost["elo"], &lost["eloDeviation"]));
    assert!(number(&lost["elo"]) > number(&won["elo"]) + 150.0, "{lost}");
    assert!(number(&lost["eloDeviation"]) < number(&won["eloDeviation"]), "{lost}");
    let found = skills().await;
    assert_eq!(found.as_array().unwrap().len(), 2, "the same skills");
    assert!(number(&found[0]["rating"]) < 1662.2 - 150.0, "{found}");

    // Without skills the item plays against a beginner, and nobody's rating moves.
    let bare = app.mutation("practiceItemTemplates:create", template(user, &[])).await;
    let bare = app.mutation("practiceItems:create", item(user, &bare, 1500)).await;
    let recorded = zone.attempt(&bare, false).await;
    assert_eq!(recorded["skills"], json!([]));
    assert!((number(&recorded["elo"]) - 1662.2).abs() < 0.1, "{recorded}");
    assert_eq!(skills().await, found);
}

#[tokio::test]
async fn a_review_schedules_by_sm2() {
    let zone = Zone::new().await;
    let Zone { app, user, item, .. } = &zone;
    let due = || async { ids(&app.query("practiceReviewDeck:due", json!({"userId": user})).await) };
    let mut cards = Vec::new();
    for (quality, days, lapses) in [(4, 1, 0), (4, 6, 0), (4, 15, 0), (2, 1, 1), (5, 6, 1)] {
        let card = zone.review(quality).await;
        assert_eq!((&card["stability"], &card["lapseCount"]), (&json!(days), &json!(lapses)), "{card}");
        assert_eq!(number(&card["dueAt"]) - number(&card["updatedAt"]), f64::from(days) * DAY);
        cards.push(card["_id"].clone());
        assert!(due().await.is_empty(), "not yet");
        app.app.advance(Duration::from_secs(86_400 * days as u64));
        assert_eq!(due().await, std::slice::from_ref(&card["_id"]), "{days} days later");
    }
    cards.dedup();
    assert_eq!(cards.len(), 1, "one card for an item");

    let args = json!({"userId": user, "itemId": item, "quality": 6});
    let error = app.try_mutation("practiceReviewDeck:review", args).await.unwrap_err();
    assert!(error.contains("InvalidQuality") && error.contains('6'), "{error}");
}

#[tokio::test]
async fn the_next_items_fit_the_user() {
    let zone = Zone::new().await;
    let Zone { app, user, template: by_default, item: question, .. } = &zone;
    let drawing = app.mutation("practiceItemTemplates:create", template(user, &["drawing"])).await;
    let mut items = Vec::new();
    for (elo, template) in [(1100, by_default), (1300, &drawing), (1700, by_default)] {
        items.push(app.mutation("practiceItems:create", item(user, template, elo)).await);
    }
    let [easy, fitting, hard] = &items[..] else { return };

    // A beginner of 1500 answers three of four right at 1309.
    assert_eq!(zone.next(json!({})).await, [fitting.clone(), question.clone(), easy.clone(), hard.clone()]);
    assert_eq!(zone.next(json!({"limit": 1})).await, std::slice::from_ref(fitting));
    assert_eq!(zone.next(json!({"skillId": "drawing"})).await, std::slice::from_ref(fitting));
    assert!(zone.next(json!({"skillId": "none"})).await.is_empty());

    // What was answered right doesn't come again, what was wrong does; the rating in a skill counts for its items.
    for (skill, rating) in [("planning", 1900), ("drawing", 1500)] {
        let skill =
            json!({"userId": user, "skillId": skill, "rating": rating, "deviation": 50, "lastUpdated": 1});
        app.mutation("practiceUserSkills:create", skill).await;
    }
    assert_eq!(zone.next(json!({"skillId": "planning", "limit": 1})).await, std::slice::from_ref(hard));
    app.mutation("practiceAttempts:create", attempt(user, hard, true)).await;
    app.mutation("practiceAttempts:create", attempt(user, easy, false)).await;
    assert_eq!(zone.next(json!({"skillId": "planning"})).await, [question.clone(), easy.clone()]);

    // In challenge mode the item is as strong as the user: 1700, the mean, instead of 1509.
    let brave = app.mutation("practiceItems:create", item(user, by_default, 1710)).await;
    assert_eq!(zone.next(json!({"limit": 1})).await, std::slice::from_ref(question));
    let preferences = json!({
        "userId": user, "interests": [], "goals": [], "timeBudget": "short", "challengeMode": true, "updatedAt": 1,
    });
    app.mutation("practiceUserPreferences:create", preferences).await;
    assert_eq!(zone.next(json!({"limit": 1})).await, [brave]);
}
