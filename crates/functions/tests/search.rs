//! Searches in functions: what they find, what they refuse, their pages, and what runs them again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use hull_functions::{
    App, Error, Module, MutationCtx, Order, PaginationOptions, PaginationResult, QueryCtx, Result, TestApp,
    functions, highlight, mutation, query,
};
use hull_model::{Doc, Patch, Schema, Table, define_table, v};
use hull_value::{Id, ValueRef};

#[derive(Table, Clone, Debug, PartialEq)]
#[table("entries")]
#[search(search_content(content), filter(user, mood))]
struct Entry {
    user: String,
    content: String,
    mood: Option<String>,
    likes: f64,
}

fn entry(user: &str, content: &str) -> Entry {
    Entry { user: user.into(), content: content.into(), mood: None, likes: 0.0 }
}

#[mutation]
async fn add(ctx: &MutationCtx, user: String, content: String) -> Result<Id<Entry>> {
    ctx.db.insert(entry(&user, &content)).await
}

#[mutation]
async fn add_many(ctx: &MutationCtx, count: u32) -> Result<()> {
    for n in 0..count {
        ctx.db.insert(entry("eve", &format!("common {}", "filler ".repeat(n as usize % 7)))).await?;
    }
    Ok(())
}

#[mutation]
async fn like(ctx: &MutationCtx, id: Id<Entry>, likes: f64) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Entry::likes, likes)).await
}

#[mutation]
async fn rewrite(ctx: &MutationCtx, id: Id<Entry>, content: String) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Entry::content, content)).await
}

#[mutation]
async fn give(ctx: &MutationCtx, id: Id<Entry>, user: String) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Entry::user, user)).await
}

#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<Entry>) -> Result<()> {
    ctx.db.delete(id).await
}

macro_rules! search {
    ($ctx:ident, $text:expr, $user:expr) => {
        $ctx.db
            .query::<Entry>()
            .with_search_index(Entry::search_content, |q| q.search($text).eq(Entry::user, $user))
    };
}

fn contents(found: Vec<Doc<Entry>>) -> Vec<String> {
    found.into_iter().map(|row| Doc::into_value(row).content).collect()
}

#[query]
async fn found(ctx: &QueryCtx, text: String, user: String) -> Result<Vec<String>> {
    Ok(contents(search!(ctx, text, user).collect().await?))
}

#[query]
async fn best(ctx: &QueryCtx, text: String, user: String) -> Result<Option<String>> {
    Ok(search!(ctx, text, user).first().await?.map(|row| Doc::into_value(row).content))
}

#[query]
async fn selected(ctx: &QueryCtx, text: String, user: String) -> Result<Vec<String>> {
    let rows = search!(ctx, text, user).select(Entry::content).collect().await?;
    Ok(rows.iter().map(|row| row.0.clone()).collect())
}

#[query]
async fn counted(ctx: &QueryCtx, text: String, user: String) -> Result<u32> {
    search!(ctx, text, user).count().await
}

#[query]
async fn marked(ctx: &QueryCtx, text: String) -> Result<Vec<Vec<f64>>> {
    let best = ctx.db.query::<Entry>().with_search_index(Entry::search_content, |q| q.search(text.as_str()));
    let Some(best) = best.first().await? else { return Ok(Vec::new()) };
    let ranges = highlight(&best.content, &text);
    Ok(ranges.into_iter().map(|range| vec![range.start as f64, range.end as f64]).collect())
}

#[query]
async fn page(
    ctx: &QueryCtx,
    text: String,
    user: String,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<String>> {
    Ok(search!(ctx, text, user).paginate(pagination_opts).await?.map(|row| Doc::into_value(row).content))
}

#[query]
async fn liked(ctx: &QueryCtx, pagination_opts: PaginationOptions) -> Result<PaginationResult<f64>> {
    Ok(search!(ctx, "common", "eve").paginate(pagination_opts).await?.map(|row| row.likes))
}

#[query]
async fn up_to(ctx: &QueryCtx, count: u32) -> Result<f64> {
    Ok(search!(ctx, "comm", "eve").take(count as usize).await?.len() as f64)
}

/// Everything that a search can be asked for, on four entries of ada and one of bob.
#[query]
async fn ways(ctx: &QueryCtx) -> Result<()> {
    let any = || ctx.db.query::<Entry>().with_search_index(Entry::search_content, |q| q.search("RAIN!"));
    let ada = || search!(ctx, "rain", "ada");
    assert_eq!(contents(any().collect().await?), ["rainy", "rain", "rain rain or sun", "rain and sun"]);
    assert_eq!(contents(ada().collect().await?), ["rainy", "rain rain or sun", "rain and sun"]);
    assert_eq!(contents(ada().take(2).await?), ["rainy", "rain rain or sun"]);
    assert_eq!(contents(ada().take(0).await?), [""; 0]);
    assert_eq!(contents(ada().filter(|row| row.likes > 0.0).collect().await?), ["rain and sun"]);
    assert_eq!(ada().filter(|row| row.likes > 0.0).count().await?, 1);
    assert_eq!(search!(ctx, "snow", "ada").unique().await?.unwrap().content, "snow");
    assert_eq!(ada().unique().await.unwrap_err().code(), Some("NotUnique"));
    let mut documents = ada().documents().await?;
    assert_eq!(documents.next().await?.unwrap().content, "rainy");
    let calm = ctx.db.query::<Entry>().with_search_index(Entry::search_content, |q| {
        q.search("rain").eq(Entry::mood, Some("calm".to_owned())).eq(Entry::user, "ada")
    });
    assert_eq!(contents(calm.collect().await?), ["rain and sun"]);
    let absent = ctx.db.query::<Entry>().with_search_index(Entry::search_content, |q| {
        q.search("rain").eq(Entry::mood, None).eq(Entry::user, "ada")
    });
    assert_eq!(contents(absent.collect().await?), ["rainy", "rain rain or sun"]);
    for nothing in ["", " … ", "fog"] {
        assert_eq!(contents(search!(ctx, nothing, "ada").collect().await?), [""; 0]);
    }

    let entries = ctx.db.table("entries");
    let by_name = || {
        entries.query().with_search_index("search_content", |q| q.search("content", "rain").eq("user", "ada"))
    };
    assert_eq!(by_name().collect().await?.len(), 3);
    assert_eq!(by_name().count().await?, 3);
    let row = by_name().select(["mood"]).take(3).await?.pop().unwrap();
    let ValueRef::Object(fields) = row.value.as_ref() else { panic!("no object") };
    assert_eq!((fields.get("mood"), fields.get("content")), (Some(ValueRef::String("calm")), None));
    let absent = entries.query().with_search_index("search_content", |q| {
        q.search("content", "rain").absent("mood").eq("user", "ada")
    });
    assert_eq!(absent.collect().await?.len(), 2);
    let nowhere = ctx.db.table("nowhere");
    let nothing = nowhere.query().with_search_index("any", |q| q.search("content", "rain"));
    assert_eq!(nothing.first().await?, None);
    Ok(())
}

#[query]
async fn refused(ctx: &QueryCtx) -> Result<()> {
    let entries = ctx.db.table("entries");
    macro_rules! code {
        ($index:literal, $search:expr) => {
            entries.query().with_search_index($index, $search).collect().await.unwrap_err().code()
        };
    }
    assert_eq!(code!("search_content", |q| q), Some("MissingSearchFilterError"));
    assert_eq!(code!("search_content", |q| q.eq("user", "ada")), Some("MissingSearchFilterError"));
    let twice = |q: hull_functions::SearchConditions| q.search("content", "a").search("content", "b");
    assert_eq!(code!("search_content", twice), Some("DuplicateSearchFiltersError"));
    assert_eq!(code!("search_content", |q| q.search("user", "a")), Some("IncorrectSearchField"));
    let wrong = |q: hull_functions::SearchConditions| q.search("content", "a").eq("likes", 1.0);
    assert_eq!(code!("search_content", wrong), Some("IncorrectFilterFieldError"));
    let nine = |q: hull_functions::SearchConditions| {
        (0..9).fold(q.search("content", "a"), |q, _| q.eq("user", "ada"))
    };
    assert_eq!(code!("search_content", nine), Some("TooManyFilterConditionsInSearchQueryError"));
    assert_eq!(code!("search_user", |q| q.search("content", "a")), Some("IndexNotFoundError"));
    let ordered = entries.query().order(Order::Desc);
    let ordered = ordered.with_search_index("search_content", |q| q.search("content", "a"));
    assert_eq!(ordered.collect().await.unwrap_err().code(), Some("InvalidSearchQuery"));
    let indexed = ctx.db.query::<Entry>().with_index(Entry::by_id, |q| q);
    let indexed = indexed.with_search_index(Entry::search_content, |q| q.search("a"));
    assert_eq!(indexed.first().await.unwrap_err().code(), Some("InvalidSearchQuery"));
    Ok(())
}

/// A mutation finds what it has written, and not what it has removed.
#[mutation]
async fn own(ctx: &MutationCtx) -> Result<()> {
    let find = async |text: &str| Ok::<_, Error>(contents(search!(ctx, text, "own").collect().await?));
    let first = ctx.db.insert(entry("own", "rain tomorrow")).await?;
    let second = ctx.db.insert(entry("own", "rain")).await?;
    ctx.db.insert(entry("other", "rain")).await?;
    assert_eq!(find("rain").await?, ["rain", "rain tomorrow"]);
    assert_eq!(find("tom").await?, ["rain tomorrow"]);
    ctx.db.patch(first, Patch::new().set(Entry::content, "sun today")).await?;
    assert_eq!((find("rain").await?, find("to").await?), (vec!["rain".into()], vec!["sun today".into()]));
    ctx.db.patch(second, Patch::new().set(Entry::user, "other")).await?;
    assert_eq!(find("rain").await?, [""; 0]);
    ctx.db.delete(first).await?;
    assert_eq!(find("sun").await?, [""; 0]);
    Ok(())
}

fn app() -> TestApp {
    let entries = Module::new("entries").with(functions![
        add, add_many, like, rewrite, give, remove, found, best, selected, counted, marked, page, liked,
        up_to, ways, refused, own
    ]);
    TestApp::new(App::new().schema(Schema::new().of::<Entry>()).module(entries)).unwrap()
}

async fn add_all(app: &TestApp, entries: &[(&str, &str)]) -> Vec<Id<Entry>> {
    let mut ids = Vec::new();
    for (user, content) in entries {
        let (user, content) = ((*user).to_owned(), (*content).to_owned());
        ids.push(app.mutation(add { user, content }).await.unwrap());
    }
    app.settled().await;
    ids
}

#[tokio::test]
async fn a_search_can_be_asked_for_in_every_way() {
    let app = app();
    let entries = [("ada", "rainy"), ("ada", "snow"), ("bob", "rain"), ("ada", "rain rain or sun")];
    add_all(&app, &entries).await;
    let mut calm = entry("ada", "rain and sun");
    (calm.mood, calm.likes) = (Some("calm".into()), 1.0);
    let mut tx = app.runner().engine().begin();
    tx.insert("entries", &hull_value::Packed::encode(&calm).unwrap()).unwrap();
    app.runner().engine().commit(tx).unwrap();
    app.query(ways {}).await.unwrap();
    app.query(refused {}).await.unwrap();
}

#[tokio::test]
async fn a_mutation_finds_what_it_has_written() {
    let app = app();
    add_all(&app, &[("own", "wind"), ("ada", "rain")]).await;
    app.mutation(own {}).await.unwrap();
    app.settled().await;
    let found = |text: &str, user: &str| app.query(found { text: text.into(), user: user.into() });
    assert_eq!(found("rain sun", "own").await.unwrap(), [""; 0]);
    assert_eq!(found("rain", "other").await.unwrap(), ["rain", "rain"]);
}

#[tokio::test]
async fn what_was_found_can_be_marked() {
    let app = app();
    add_all(&app, &[("ada", "😀 Rainy days and rain")]).await;
    assert_eq!(
        app.query(marked { text: "days rain".into() }).await.unwrap(),
        [[3.0, 8.0], [9.0, 13.0], [18.0, 22.0]]
    );
    assert_eq!(app.query(marked { text: "fog".into() }).await.unwrap(), [[0.0; 2]; 0]);
}

#[tokio::test]
async fn only_the_searches_that_a_write_touches_run_again() {
    let app = app();
    let ids = add_all(
        &app,
        &[("ada", "rain on the roof"), ("ada", "rain and a train"), ("ada", "sun"), ("bob", "rain")],
    )
    .await;
    let (ada, bob) = (|| "ada".to_owned(), || "bob".to_owned());
    let rain = || "rain".to_owned();
    let mut session = app.session();
    session.subscribe(found { text: rain(), user: ada() }).unwrap();
    session.subscribe(found { text: rain(), user: bob() }).unwrap();
    session.subscribe(found { text: "roof tra".into(), user: ada() }).unwrap();
    session.subscribe(best { text: rain(), user: ada() }).unwrap();
    session.subscribe(selected { text: rain(), user: ada() }).unwrap();
    session.subscribe(counted { text: rain(), user: ada() }).unwrap();
    assert_eq!(session.changed().await, [0, 1, 2, 3, 4, 5]);
    assert_eq!(session.json(0).as_deref(), Some(r#"["rain and a train","rain on the roof"]"#));
    assert_eq!(session.json(2).as_deref(), Some(r#"["rain on the roof","rain and a train"]"#));
    let of_ada = |name: &str| format!(r#"entries:{name} {{"text":"rain","user":"ada"}}"#);
    let of_bob = r#"entries:found {"text":"rain","user":"bob"}"#.to_owned();
    let typed = r#"entries:found {"text":"roof tra","user":"ada"}"#.to_owned();
    let rain_of_ada = ["best", "counted", "found", "selected"].map(of_ada);
    app.take_reruns();

    // Another user's.
    app.mutation(add { user: "eve".into(), content: "rain on the roof of a train".into() }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![], vec![]));
    app.mutation(add { user: bob(), content: "rain".into() }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![1], vec![of_bob.clone()]));

    // Without a term that anybody searches for: what the last token begins is one only of that search.
    let id = app.mutation(add { user: ada(), content: "rainbows, an attraction".into() }).await.unwrap();
    assert_eq!(session.changed().await, [0, 3, 4, 5]);
    assert_eq!(app.take_reruns(), rain_of_ada);
    app.mutation(rewrite { id, content: "sun: an attraction".into() }).await.unwrap();
    assert_eq!(session.changed().await, [0, 3, 4, 5]);
    assert_eq!(app.take_reruns(), rain_of_ada);
    app.mutation(rewrite { id, content: "moon: an attraction".into() }).await.unwrap();
    app.mutation(remove { id }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![], vec![]));

    // What is typed in part.
    let id = app.mutation(add { user: ada(), content: "tracks".into() }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![2], vec![typed.clone()]));
    app.mutation(remove { id }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![2], vec![typed.clone()]));

    // A field that is not searched: only who looked at it in this document.
    app.mutation(like { id: ids[0], likes: 1.0 }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![], vec![of_ada("found"), typed.clone()]));
    app.mutation(like { id: ids[1], likes: 1.0 }).await.unwrap();
    assert_eq!(session.changed().await, [0; 0]);
    assert_eq!(app.take_reruns(), [of_ada("best"), of_ada("found"), typed.clone()]);
    app.mutation(like { id: ids[2], likes: 1.0 }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![], vec![]));

    // From one to the other.
    app.mutation(give { id: ids[0], user: bob() }).await.unwrap();
    assert_eq!(session.changed().await, [0, 1, 2, 4, 5]);
    let mut all = [&rain_of_ada[..], &[of_bob.clone(), typed.clone()]].concat();
    all.sort();
    assert_eq!(app.take_reruns(), all);

    app.mutation(remove { id: ids[3] }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![1], vec![of_bob]));
}

/// A page after the other, from the first to the last.
async fn pages(app: &TestApp, items: u32) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut options = PaginationOptions::first(items);
    loop {
        options.maximum_rows_read = Some(1.0);
        let page = page { text: "common fill".into(), user: "eve".into(), pagination_opts: options };
        let page = app.query(page).await.unwrap();
        assert_eq!((&page.split_cursor, page.page_status), (&None, None));
        pages.push(page.page);
        if page.is_done {
            return pages;
        }
        options = PaginationOptions::first(items).after(page.continue_cursor);
    }
}

#[tokio::test]
async fn pages_are_the_search_in_parts() {
    let app = app();
    app.mutation(add_many { count: 30 }).await.unwrap();
    app.settled().await;
    let all = app.query(found { text: "common fill".into(), user: "eve".into() }).await.unwrap();
    assert_eq!(all.len(), 30);
    let sevens = pages(&app, 7).await;
    assert_eq!(sevens.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 7, 2]);
    assert_eq!(sevens.concat(), all);
    assert_eq!(pages(&app, 50).await, [all]);

    let first = |text: &str, user: &str| page {
        text: text.into(),
        user: user.into(),
        pagination_opts: PaginationOptions::first(4),
    };
    let cursor = app.query(first("common", "eve")).await.unwrap().continue_cursor;
    for (text, user) in [("common", "ada"), ("commo", "eve")] {
        let other =
            page { pagination_opts: PaginationOptions::first(4).after(&*cursor), ..first(text, user) };
        assert!(app.query(other).await.unwrap_err().message.contains("InvalidCursor"));
    }
    let until = PaginationOptions::first(1).until(&*cursor);
    let options = PaginationOptions::first(4).after(&*cursor);
    let behind = || page { pagination_opts: options.clone(), ..first("common", "eve") };
    let fixed = app.query(page { pagination_opts: until, ..first("common", "eve") }).await.unwrap();
    assert_eq!(fixed.page.len(), 4);

    // The same name for an index of another field.
    assert_eq!(app.query(behind()).await.unwrap().page.len(), 4);
    let other = define_table("entries").document(v::any());
    let other = other.search_index("search_content", "mood", ["user", "content"]);
    app.runner().engine().apply_schema(&Schema::new().table(other), &mut |_| {}).unwrap();
    assert!(app.query(behind()).await.unwrap_err().message.contains("InvalidCursor"));
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_one_ended_though_other_entries_change_the_ranks() {
    let app = app();
    app.mutation(add_many { count: 12 }).await.unwrap();
    app.settled().await;
    let all = app.query(found { text: "common".into(), user: "eve".into() }).await.unwrap();
    let page = |options| page { text: "common".into(), user: "eve".into(), pagination_opts: options };
    let mut rows = Vec::new();
    let mut options = PaginationOptions::first(5);
    loop {
        let part = app.query(page(options)).await.unwrap();
        rows.extend(part.page);
        if part.is_done {
            break;
        }
        options = PaginationOptions::first(5).after(part.continue_cursor);
        for content in ["of something else", "else"] {
            app.mutation(add { user: "eve".into(), content: content.into() }).await.unwrap();
        }
        app.settled().await;
    }
    assert_eq!(rows, all);
}

#[tokio::test]
async fn live_pages_have_neither_gaps_nor_rows_in_common() {
    let app = app();
    app.mutation(add_many { count: 12 }).await.unwrap();
    app.settled().await;
    let mut session = app.session();
    let subscribe = |options| page { text: "common".into(), user: "eve".into(), pagination_opts: options };
    session.subscribe(subscribe(PaginationOptions::first(5))).unwrap();
    session.changed().await;
    let first: PaginationResult<String> = session.value(0).unwrap();
    session.subscribe(subscribe(PaginationOptions::first(20).after(first.continue_cursor))).unwrap();
    session.changed().await;
    for content in ["common", "common filler", "uncommon", "common common", "common filler filler filler"] {
        app.mutation(add { user: "eve".into(), content: content.into() }).await.unwrap();
        session.changed().await;
        let (one, two): (PaginationResult<String>, PaginationResult<String>) =
            (session.value(0).unwrap(), session.value(1).unwrap());
        let all = app.query(found { text: "common".into(), user: "eve".into() }).await.unwrap();
        assert_eq!([one.page, two.page].concat(), all, "after {content}");
    }
}

#[tokio::test]
async fn a_live_page_that_runs_again_alone_keeps_its_rows() {
    let app = app();
    let last =
        app.mutation(add { user: "eve".into(), content: format!("common {}", "filler ".repeat(9)) }).await;
    app.mutation(add_many { count: 11 }).await.unwrap();
    app.settled().await;
    let mut session = app.session();
    session.subscribe(liked { pagination_opts: PaginationOptions::first(5) }).unwrap();
    session.changed().await;
    let first: PaginationResult<f64> = session.value(0).unwrap();
    let rest = PaginationOptions::first(20).after(first.continue_cursor);
    session.subscribe(liked { pagination_opts: rest }).unwrap();
    session.changed().await;
    // No page depends on these, and each changes what a rank is made of.
    for content in ["of something else", "else"] {
        app.mutation(add { user: "eve".into(), content: content.into() }).await.unwrap();
    }
    app.mutation(like { id: last.unwrap(), likes: 3.0 }).await.unwrap();
    session.changed().await;
    let (one, two): (PaginationResult<f64>, PaginationResult<f64>) =
        (session.value(0).unwrap(), session.value(1).unwrap());
    assert_eq!((one.page, two.page), (vec![0.0; 5], [&[0.0; 6][..], &[3.0]].concat()));
}

#[tokio::test]
async fn at_most_1024_rows_can_be_reached() {
    let app = app();
    app.mutation(add_many { count: 1024 }).await.unwrap();
    app.settled().await;
    let query = || found { text: "comm".into(), user: "eve".into() };
    assert_eq!(app.query(query()).await.unwrap().len(), 1024);
    app.mutation(add_many { count: 1 }).await.unwrap();
    app.settled().await;
    let refused = Some("SearchQueryScannedTooManyDocumentsError");
    assert_eq!(app.query(query()).await.unwrap_err().code, refused);
    assert_eq!(app.query(up_to { count: 1024 }).await, Ok(1024.0));
    assert_eq!(app.query(up_to { count: 1025 }).await.unwrap_err().code, refused);
    let mut options = PaginationOptions::first(500);
    for _ in 0..2 {
        let page = page { text: "comm".into(), user: "eve".into(), pagination_opts: options };
        let page = app.query(page).await.unwrap();
        assert_eq!((page.page.len(), page.is_done), (500, false));
        options = PaginationOptions::first(500).after(page.continue_cursor);
    }
    let page = page { text: "comm".into(), user: "eve".into(), pagination_opts: options };
    assert_eq!(app.query(page).await.unwrap_err().code, refused);
}
