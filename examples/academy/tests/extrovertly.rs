//! Every function of the Extrovertly application, called as a frontend does: by its path, with JSON.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use serde_json::{Value, json};

use common::{Called, fields, ids, with};

fn user(name: &str) -> Value {
    json!({"email": format!("{name}@example.com"), "username": name, "firstName": name})
}

fn entry(user: &Value, content: &str) -> Value {
    json!({"content": content, "userId": user, "mood": "calm", "isPrivate": true})
}

fn mission(title: &str, difficulty: &str, category: &str) -> Value {
    json!({"title": title, "description": "d", "difficulty": difficulty, "category": category, "points": 10, "isActive": true})
}

#[tokio::test]
async fn the_functions_that_the_document_writes_out_do_what_it_says() {
    let app = Called::new();
    let ada = app.mutation("users:createUser", user("ada")).await;
    assert!(ada.is_string(), "it returns the id: {ada}");
    let starting = json!({"isActive": true, "confidenceLevel": 3, "totalPoints": 0, "streakDays": 0, "longestStreak": 0});
    assert_eq!(fields(&app.query("users:get", json!({"id": ada})).await), with(user("ada"), &starting));
    let ben = app.mutation("users:createUser", with(user("ben"), &json!({"lastName": "C"}))).await;
    assert_eq!(app.query("users:get", json!({"id": ben})).await["lastName"], "C");
    let error =
        app.try_mutation("users:createUser", json!({"email": "x", "username": "x"})).await.unwrap_err();
    assert!(error.starts_with("ArgumentValidationError: ") && error.contains("firstName"), "{error}");

    let mut entries = Vec::new();
    for content in ["first", "second", "third"] {
        entries.push(app.mutation("journalEntries:create", entry(&ada, content)).await);
    }
    app.mutation("journalEntries:create", entry(&ben, "other")).await;
    let found = app.query("journalEntries:getUserJournalEntries", json!({"userId": ada})).await;
    entries.reverse();
    assert_eq!(ids(&found), entries, "newest first");
    assert_eq!(fields(&found[0]), entry(&ada, "third"));

    let mission = app.mutation("missions:create", mission("Say hello", "beginner", "c")).await;
    let pair = json!({"userId": ada, "missionId": mission});
    let assigned = app.mutation("userMissions:assignMission", pair.clone()).await;
    let found = app.query("userMissions:get", json!({"id": assigned})).await;
    let at = found["assignedAt"].as_f64().unwrap();
    assert_eq!(found["_creationTime"].as_f64().unwrap().floor(), at, "the time of the call");
    assert_eq!(fields(&found), with(pair, &json!({"status": "assigned", "assignedAt": at as u64})));
    let wrong = json!({"userId": mission, "missionId": mission});
    let error = app.try_mutation("userMissions:assignMission", wrong).await.unwrap_err();
    assert!(error.starts_with("ArgumentValidationError: ") && error.contains(".userId"), "{error}");
}

#[tokio::test]
async fn every_function_does_what_its_name_says() {
    let app = Called::new();
    let document = with(
        user("ada"),
        &json!({"isActive": true, "confidenceLevel": 4.5, "totalPoints": 150, "streakDays": 7, "longestStreak": 14}),
    );
    let changes =
        json!({"email": "new@example.com", "lastName": "L", "confidenceLevel": 5, "isActive": false});
    let ada = app.create_and_update("users", document, &changes).await;
    let ben = app.mutation("users:createUser", user("ben")).await;
    let found = app.query("users:getByEmail", json!({"email": "new@example.com"})).await;
    assert_eq!(found["_id"], ada);
    assert_eq!(app.query("users:getByUsername", json!({"username": "ben"})).await["_id"], ben);
    assert_eq!(app.query("users:getByUsername", json!({"username": "nobody"})).await, Value::Null);
    assert_eq!(ids(&app.query("users:list", json!({})).await), [ben.clone(), ada.clone()]);
    assert_eq!(ids(&app.query("users:list", json!({"limit": 1})).await), std::slice::from_ref(&ben));

    let document = json!({"userId": ada, "socialGoals": ["a", "b"], "comfortLevels": {"crowds": [1, null]}});
    let id = app.mutation("userProfiles:create", document.clone()).await;
    assert_eq!(fields(&app.query("userProfiles:get", json!({"id": id})).await), document);
    let changes = json!({"bio": "b", "interests": [], "comfortLevels": 7});
    app.mutation("userProfiles:update", with(json!({"id": id}), &changes)).await;
    let found = app.query("userProfiles:getByUser", json!({"userId": ada})).await;
    assert_eq!(fields(&found), with(document, &changes));
    assert_eq!(app.query("userProfiles:getByUser", json!({"userId": ben})).await, Value::Null);
    assert_eq!(ids(&app.query("userProfiles:list", json!({})).await), std::slice::from_ref(&id));
    app.remove("userProfiles", &id).await;

    let changes = json!({"mood": "glad", "tags": ["t"], "isPrivate": false, "wordCount": 2});
    let first = app.create_and_update("journalEntries", entry(&ada, "first"), &changes).await;
    let second = app.mutation("journalEntries:create", entry(&ben, "second")).await;
    assert_eq!(ids(&app.query("journalEntries:list", json!({})).await), [second.clone(), first.clone()]);
    assert_eq!(
        ids(&app.query("journalEntries:listByMood", json!({"mood": "glad"})).await),
        std::slice::from_ref(&first)
    );
    let of_ada = app.query("journalEntries:getUserJournalEntries", json!({"userId": ada})).await;
    assert_eq!(ids(&of_ada), std::slice::from_ref(&first));
    app.remove("journalEntries", &second).await;

    let changes = json!({"title": "u", "tips": [], "requirements": {"age": 3}, "timeEstimate": "1 h"});
    let easy = app.create_and_update("missions", mission("t", "beginner", "x"), &changes).await;
    let hard = app.mutation("missions:create", mission("h", "advanced", "x")).await;
    for (filter, expected) in [
        (json!({}), vec![&easy, &hard]),
        (json!({"difficulty": "advanced"}), vec![&hard]),
        (json!({"category": "x"}), vec![&easy, &hard]),
        (json!({"category": "x", "difficulty": "beginner"}), vec![&easy]),
        (json!({"category": "y", "difficulty": "beginner"}), vec![]),
    ] {
        let found = ids(&app.query("missions:list", filter.clone()).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
    let error = app.try_mutation("missions:create", mission("t", "impossible", "x")).await.unwrap_err();
    assert!(error.starts_with("ArgumentValidationError: ") && error.contains(".difficulty"), "{error}");

    let document = json!({"assignedAt": 5, "userId": ada, "missionId": easy, "status": "assigned"});
    let changes = json!({"notes": "n", "difficultyRating": 2, "satisfactionRating": 5});
    let taken = app.create_and_update("userMissions", document, &changes).await;
    let other = json!({"userId": ben, "missionId": easy});
    let other = app.mutation("userMissions:assignMission", other).await;
    for status in ["in_progress", "completed", "completed"] {
        app.mutation("userMissions:setStatus", json!({"id": taken, "status": status})).await;
    }
    let found = app.query("userMissions:get", json!({"id": taken})).await;
    assert_eq!(found["status"], "completed");
    assert!(found["startedAt"].as_f64() < found["completedAt"].as_f64(), "{found}");
    assert_eq!(app.query("users:get", json!({"id": ada})).await["totalPoints"], 160, "points come once");
    let list = |args| async { ids(&app.query("userMissions:list", args).await) };
    assert_eq!(list(json!({"userId": ada})).await, std::slice::from_ref(&taken));
    assert_eq!(list(json!({"userId": ada, "status": "completed"})).await, std::slice::from_ref(&taken));
    assert!(list(json!({"userId": ada, "status": "skipped"})).await.is_empty());
    let of_mission = app.query("userMissions:listByMission", json!({"missionId": easy})).await;
    assert_eq!(ids(&of_mission), [taken.clone(), other.clone()]);
    app.remove("userMissions", &other).await;

    let first_page = json!({"paginationOpts": {"numItems": 1, "cursor": null}});
    for (path, filter, expected) in [
        ("users:listPaginated", json!({}), &ben),
        ("journalEntries:listPaginated", json!({}), &first),
        ("journalEntries:listByMoodPaginated", json!({"mood": "glad"}), &first),
        ("journalEntries:getUserJournalEntriesPaginated", json!({"userId": ada}), &first),
        ("missions:listPaginated", json!({"difficulty": "advanced"}), &hard),
        ("userMissions:listPaginated", json!({"userId": ada, "status": "completed"}), &taken),
        ("userMissions:listByMissionPaginated", json!({"missionId": easy}), &taken),
    ] {
        let page = app.query(path, with(filter, &first_page)).await;
        assert_eq!(ids(&page["page"]), std::slice::from_ref(expected), "{path}");
        assert!(page["continueCursor"].is_string(), "{path}");
    }

    let search = |term: &str| json!({"searchTerm": term});
    let of_ada = json!({"userId": ada});
    for (path, args, expected) in [
        ("journalEntries:searchContent", with(search("fir"), &of_ada), vec![&first]),
        (
            "journalEntries:searchContent",
            with(search("first"), &with(of_ada.clone(), &json!({"isPrivate": true}))),
            vec![],
        ),
        ("journalEntries:searchContent", with(search("first"), &json!({"userId": ben})), vec![]),
        ("missions:searchMissions", search("h"), vec![&hard]),
        ("missions:searchMissions", with(search("u"), &json!({"category": "x"})), vec![&easy]),
        ("missions:searchMissions", with(search("u"), &json!({"difficulty": "advanced"})), vec![]),
    ] {
        let found = ids(&app.query(path, args.clone()).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{path} {args}");
        let page = app.query(&format!("{path}Paginated"), with(args.clone(), &first_page)).await;
        let page = page["page"].as_array().unwrap();
        let found: Vec<&Value> = page.iter().map(|found| &found["document"]["_id"]).collect();
        assert_eq!(found, expected, "{path} {args}");
        assert!(page.iter().all(|found| found["marks"][0]["start"] == 0), "{page:?}");
    }

    let best = app.query("users:leaderboard", json!({"limit": 1})).await;
    assert_eq!(best, json!([{"rank": 1, "userId": ada, "username": "ada", "totalPoints": 160}]));
    assert_eq!(app.query("users:rank", json!({"id": ben})).await, json!({"rank": 2, "of": 2}));

    app.remove("missions", &hard).await;
    app.remove("users", &ada).await;
    for (path, id) in [("journalEntries:get", &first), ("userMissions:get", &taken)] {
        assert_eq!(
            app.query(path, json!({"id": id})).await,
            Value::Null,
            "what belonged to the user is gone"
        );
    }

    app.called_each_of(&["users", "userProfiles", "journalEntries", "missions", "userMissions"], &[]);
}
