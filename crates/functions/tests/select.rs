//! What a query looks at decides when it runs again: fields, whole documents, how many there are, whether there is one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use futures::FutureExt;
use hull_engine::ReadAt;
use hull_functions::{
    App, Identity, Module, MutationCtx, QueryCtx, QueryRequest, Result, TestApp, TestSession, field,
    functions, literal, mutation, query,
};
use hull_model::{Doc, Patch, Schema, Selected, Table};
use hull_value::{Id, Packed, Value, ValueRef};

#[derive(Table, Clone, Debug, PartialEq)]
#[table("messages")]
#[index(by_channel(channel, rank))]
struct Message {
    channel: String,
    rank: f64,
    author: String,
    title: String,
    body: Option<String>,
}

#[mutation]
async fn send(ctx: &MutationCtx, channel: String, rank: f64) -> Result<Id<Message>> {
    ctx.db.insert(Message { channel, rank, author: "ada".into(), title: "t".into(), body: None }).await
}

#[mutation]
async fn write(
    ctx: &MutationCtx,
    id: Id<Message>,
    title: Option<String>,
    body: Option<String>,
) -> Result<()> {
    ctx.db
        .patch(id, Patch::new().set_some(Message::title, title).set_some(Message::body, body.map(Some)))
        .await
}

#[mutation]
async fn rank(ctx: &MutationCtx, id: Id<Message>, rank: f64) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Message::rank, rank)).await
}

#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<Message>) -> Result<()> {
    ctx.db.delete(id).await
}

/// A deletion and an insertion at the same place of the index.
#[mutation]
async fn again(ctx: &MutationCtx, id: Id<Message>) -> Result<Id<Message>> {
    let message = ctx.db.get(id).await?.ok_or_else(|| hull_functions::Error::message("gone"))?;
    ctx.db.delete(id).await?;
    ctx.db.insert(Doc::into_value(message)).await
}

macro_rules! inbox {
    ($ctx:ident) => {
        $ctx.db.query::<Message>().with_index(Message::by_channel, |q| q.eq(Message::channel, "inbox"))
    };
}

#[query]
async fn whole(ctx: &QueryCtx) -> Result<Vec<String>> {
    Ok(inbox!(ctx).collect().await?.into_iter().map(|message| Doc::into_value(message).title).collect())
}

#[query]
async fn titles(ctx: &QueryCtx) -> Result<Vec<Selected<Message, (String,)>>> {
    inbox!(ctx).select(Message::title).collect().await
}

#[query]
async fn bodies(ctx: &QueryCtx) -> Result<Vec<Selected<Message, (Option<String>, f64)>>> {
    inbox!(ctx).select((Message::body, Message::rank)).collect().await
}

#[query]
async fn untyped(ctx: &QueryCtx) -> Result<Vec<Packed>> {
    let inbox = ctx.db.table("messages").query().with_index("by_channel", |q| q.eq("channel", "inbox"));
    Ok(inbox.select(["title", "author"]).collect().await?.into_iter().map(|found| found.value).collect())
}

#[query]
async fn count(ctx: &QueryCtx) -> Result<u32> {
    inbox!(ctx).count().await
}

#[query]
async fn exists(ctx: &QueryCtx) -> Result<bool> {
    inbox!(ctx).exists().await
}

#[query]
async fn first(ctx: &QueryCtx) -> Result<Option<String>> {
    Ok(inbox!(ctx).first().await?.map(|message| Doc::into_value(message).title))
}

#[query]
async fn first_title(ctx: &QueryCtx) -> Result<Option<String>> {
    Ok(inbox!(ctx).select(Message::title).first().await?.map(|row| row.0.clone()))
}

/// Those of a title, which is all that the filter sees.
#[query]
async fn titled(ctx: &QueryCtx) -> Result<u32> {
    inbox!(ctx).select(Message::title).filter(|row| row.0 == "t").count().await
}

/// The filter comes first and sees whole documents.
#[query]
async fn filtered(ctx: &QueryCtx) -> Result<Vec<Selected<Message, (String,)>>> {
    inbox!(ctx).filter(|message| message.body.is_none()).select(Message::title).collect().await
}

#[query]
async fn title_of(ctx: &QueryCtx, id: Id<Message>) -> Result<Option<Selected<Message, (String,)>>> {
    ctx.db.get_fields(id, Message::title).await
}

/// Whether a message is there, by an index of every table.
#[query]
async fn is_there(ctx: &QueryCtx, id: Id<Message>) -> Result<bool> {
    ctx.db.query::<Message>().with_index(Message::by_id, |q| q.eq(Message::_id, id)).exists().await
}

#[query]
async fn others(ctx: &QueryCtx) -> Result<bool> {
    ctx.db.table("messages").query().with_index("by_channel", |q| q.gt("channel", "inbox")).exists().await
}

fn app() -> TestApp {
    let module = Module::new("m").with(functions![
        send,
        write,
        rank,
        remove,
        again,
        whole,
        titles,
        bodies,
        untyped,
        count,
        exists,
        first,
        first_title,
        titled,
        filtered,
        title_of,
        is_there,
        others
    ]);
    TestApp::new(App::new().schema(Schema::new().of::<Message>()).module(module)).unwrap()
}

async fn seed(app: &TestApp) -> Vec<Id<Message>> {
    let mut ids = Vec::new();
    for rank in 1..4 {
        ids.push(app.mutation(send { channel: "inbox".into(), rank: f64::from(rank) }).await.unwrap());
    }
    app.settled().await;
    ids
}

const QUERIES: [&str; 11] = [
    "whole",
    "titles",
    "bodies",
    "untyped",
    "count",
    "exists",
    "first",
    "firstTitle",
    "titled",
    "filtered",
    "others",
];

/// An application with three messages and somebody who has subscribed to everything, twice with the first message.
struct World {
    app: TestApp,
    ids: Vec<Id<Message>>,
    session: TestSession,
    calls: Vec<(String, Packed)>,
}

impl World {
    async fn new() -> World {
        let app = app();
        let ids = seed(&app).await;
        let mut session = app.session();
        let mut calls = Vec::new();
        for name in QUERIES {
            calls.push((format!("m:{name}"), Packed::empty_object()));
        }
        for name in ["titleOf", "isThere"] {
            let id = Value::from(ids[0].to_string());
            calls.push((
                format!("m:{name}"),
                Packed::encode(&Value::Object([("id".into(), id)].into())).unwrap(),
            ));
        }
        for (path, args) in &calls {
            session.subscribe_at(path, args.as_ref()).unwrap();
        }
        session.step().await.unwrap();
        app.take_reruns();
        World { app, ids, session, calls }
    }

    /// The queries that ran since the last time. Whether they did or not, what they say is what is there.
    async fn reran(&mut self) -> Vec<String> {
        self.session.step().await;
        let reran = self.app.take_reruns();
        for (number, (path, args)) in self.calls.iter().enumerate() {
            let request = QueryRequest { path, args, journal: None, identity: &Identity::Anonymous };
            let fresh = self.app.runner().run_query(request, ReadAt::Ordered, None).await.unwrap();
            assert_eq!(
                self.session.json(number as u32),
                fresh.result.value.as_ref().ok().map(Packed::to_json),
                "{path}"
            );
        }
        let name = |rerun: &String| rerun[2..].split(' ').next().unwrap().to_owned();
        reran.iter().map(name).collect()
    }
}

const NOBODY: [&str; 0] = [];

#[tokio::test]
async fn queries_run_again_for_what_they_looked_at() {
    let mut world = World::new().await;
    let ids = world.ids.clone();
    let body = |id, body: &str| write { id, title: None, body: Some(body.into()) };
    let title = |id, title: &str| write { id, title: Some(title.into()), body: None };

    // A field that is looked at by those who read all of it, or it.
    world.app.mutation(body(ids[0], "x")).await.unwrap();
    assert_eq!(world.reran().await, ["bodies", "filtered", "first", "whole"]);

    // The same value once more.
    world.app.mutation(body(ids[0], "x")).await.unwrap();
    assert_eq!(world.reran().await, NOBODY);

    // Of a message that is not the first.
    world.app.mutation(body(ids[1], "x")).await.unwrap();
    assert_eq!(world.reran().await, ["bodies", "filtered", "whole"]);

    // A field that others look at.
    world.app.mutation(title(ids[0], "x")).await.unwrap();
    let of_a_title = ["filtered", "first", "firstTitle", "titleOf", "titled", "titles", "untyped", "whole"];
    assert_eq!(world.reran().await, of_a_title);
    world.app.mutation(title(ids[1], "x")).await.unwrap();
    assert_eq!(world.reran().await, ["filtered", "titled", "titles", "untyped", "whole"]);

    // There and back in one commit each, but two commits in one group.
    world.app.log().pause();
    world.app.mutation(title(ids[2], "x")).await.unwrap();
    world.app.mutation(title(ids[2], "t")).await.unwrap();
    world.app.log().resume();
    assert_eq!(world.reran().await, ["filtered", "titled", "titles", "untyped", "whole"]);

    // A message comes at the end of the range, and one outside.
    let last = world.app.mutation(send { channel: "inbox".into(), rank: 9.0 }).await.unwrap();
    let of_a_member = ["bodies", "count", "filtered", "titled", "titles", "untyped", "whole"];
    assert_eq!(world.reran().await, of_a_member);
    let other = world.app.mutation(send { channel: "other".into(), rank: 1.0 }).await.unwrap();
    assert_eq!(world.reran().await, ["others"]);

    // That there are others needs no second one, and nothing of the first.
    world.app.mutation(send { channel: "other".into(), rank: 2.0 }).await.unwrap();
    world.app.mutation(body(other, "x")).await.unwrap();
    assert_eq!(world.reran().await, NOBODY);

    // One moves within the range, and to its front.
    world.app.mutation(rank { id: ids[2], rank: 4.0 }).await.unwrap();
    assert_eq!(world.reran().await, of_a_member);
    world.app.mutation(rank { id: ids[2], rank: 0.5 }).await.unwrap();
    let of_the_front =
        ["bodies", "count", "filtered", "first", "firstTitle", "titled", "titles", "untyped", "whole"];
    assert_eq!(world.reran().await, of_the_front);

    // The first one has been overtaken: whoever asked for the first does not look at it any more.
    world.app.mutation(title(ids[0], "y")).await.unwrap();
    assert_eq!(world.reran().await, ["filtered", "titleOf", "titled", "titles", "untyped", "whole"]);

    // That there is one was known from the old first; it leaves, and the answer is another's.
    world.app.mutation(remove { id: ids[0] }).await.unwrap();
    assert_eq!(
        world.reran().await,
        [
            "bodies", "count", "exists", "filtered", "isThere", "titleOf", "titled", "titles", "untyped",
            "whole"
        ]
    );
    world.app.mutation(remove { id: last }).await.unwrap();
    assert_eq!(world.reran().await, of_a_member);

    // Deleted and inserted again, at the same place of the index but for its id.
    world.app.mutation(again { id: ids[1] }).await.unwrap();
    assert_eq!(world.reran().await, of_a_member);

    // The last one that is known to be there leaves while another is left.
    world.app.mutation(remove { id: ids[2] }).await.unwrap();
    assert_eq!(
        world.reran().await,
        [
            "bodies",
            "count",
            "exists",
            "filtered",
            "first",
            "firstTitle",
            "titled",
            "titles",
            "untyped",
            "whole"
        ]
    );
}

#[tokio::test]
async fn whether_there_is_one_in_an_empty_range_depends_on_the_first_to_come() {
    let app = app();
    let mut session = app.session();
    session.subscribe(exists {}).unwrap();
    session.subscribe(count {}).unwrap();
    session.step().await.unwrap();
    assert_eq!((session.value(0), session.value(1)), (Ok(false), Ok(0.0)));
    app.take_reruns();
    app.mutation(send { channel: "other".into(), rank: 1.0 }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![], vec![]));
    let ids = seed(&app).await;
    assert_eq!(session.changed().await, [0, 1]);
    assert_eq!((session.value(0), session.value(1)), (Ok(true), Ok(3.0)));
    app.take_reruns();
    // One of several goes that nobody was asked about.
    app.mutation(remove { id: ids[1] }).await.unwrap();
    assert_eq!((session.changed().await, app.take_reruns()), (vec![1], vec!["m:count {}".to_owned()]));
    app.mutation(remove { id: ids[2] }).await.unwrap();
    app.mutation(remove { id: ids[0] }).await.unwrap();
    assert_eq!(session.changed().await, [0, 1]);
    assert_eq!((session.value(0), session.value(1)), (Ok(false), Ok(0.0)));
}

#[tokio::test]
async fn rows_have_the_selected_fields_and_those_of_the_system() {
    let app = app();
    let ids = seed(&app).await;
    app.mutation(write { id: ids[1], title: None, body: Some("b".into()) }).await.unwrap();
    let json = |value: Value| Packed::encode(&value).unwrap().to_json();
    let rows = app.query_at("m:bodies", Packed::empty_object().as_ref()).await.unwrap();
    let Value::Array(rows) = rows else { panic!("no array") };
    let text = |at: usize| json(rows[at].clone());
    let created = |at: usize| match &rows[at] {
        Value::Object(fields) => json(fields["_creationTime"].clone()),
        _ => panic!("no object"),
    };
    assert_eq!(text(0), format!(r#"{{"_creationTime":{},"_id":"{}","rank":1}}"#, created(0), ids[0]));
    assert_eq!(
        text(1),
        format!(r#"{{"_creationTime":{},"_id":"{}","body":"b","rank":2}}"#, created(1), ids[1])
    );
    let untyped = app.query_at("m:untyped", Packed::empty_object().as_ref()).await.unwrap();
    let Value::Array(rows) = untyped else { panic!("no array") };
    let Value::Object(row) = &rows[0] else { panic!("no object") };
    assert_eq!(row.keys().collect::<Vec<_>>(), ["_creationTime", "_id", "author", "title"]);
}

#[mutation]
async fn check(ctx: &MutationCtx, id: Id<Message>) -> Result<()> {
    let row = ctx.db.get_fields(id, (Message::author, Message::title)).await?.unwrap();
    assert_eq!((row._id, &row.0[..], &row.1[..]), (id, "ada", "t"));
    assert_eq!(row.clone(), row);
    let table = ctx.db.table("messages");
    let found = table.get_fields(id.document_id(), &["rank"]).await?.unwrap();
    assert_eq!(found.value.as_object().map(|fields| fields.len()), Some(3));
    // What a filter does not see is absent to it.
    let after = table.query().select(["rank"]).filter(field("title").eq(literal("t")));
    assert_eq!(after.count().await?, 0);
    let before = table.query().filter(field("title").eq(literal("t"))).select(["rank"]);
    assert_eq!(before.take(9).await?.len(), 3);
    assert!(table.query().filter(field("rank").gt(literal(2.0))).exists().await?);
    let all = inbox!(ctx).filter(|message| message.rank > 1.0).select(Message::rank);
    let mut documents = all.filter(|row| row.0 < 3.0).documents().await?;
    assert_eq!(documents.next().await?.unwrap().values, (2.0,));
    assert!(documents.next().await?.is_none());
    let several = inbox!(ctx).select(Message::rank).unique().await.unwrap_err();
    assert_eq!(several.code(), Some("NotUnique"));
    for wrong in [table.query().select(["a.b"]), table.query().select(["rank"]).select(["title"])] {
        assert!(matches!(
            wrong.exists().await.unwrap_err().code(),
            Some("InvalidSelection" | "AlreadySelected")
        ));
    }
    // The own writes count, too.
    ctx.db.delete(id).await?;
    assert_eq!(inbox!(ctx).count().await?, 2);
    table
        .patch(
            inbox!(ctx).first().await?.unwrap()._id.document_id(),
            &[("title", Some(ValueRef::String("own")))],
        )
        .await?;
    assert_eq!(inbox!(ctx).select(Message::title).first().await?.unwrap().0, "own");
    Ok(())
}

#[tokio::test]
async fn a_mutation_reads_projections_with_its_own_writes() {
    let module = Module::new("m").with(functions![send, check]);
    let app = TestApp::new(App::new().schema(Schema::new().of::<Message>()).module(module)).unwrap();
    let ids = seed(&app).await;
    app.mutation(check { id: ids[0] }).await.unwrap();
}

#[tokio::test]
async fn a_thousand_subscribers_of_titles_sleep_through_ten_thousand_bodies() {
    let app = app();
    let mut ids = Vec::new();
    for rank in 0..1000 {
        ids.push(app.mutation(send { channel: "inbox".into(), rank: f64::from(rank) }).await.unwrap());
    }
    app.settled().await;
    app.take_reruns();
    let mut sessions: Vec<TestSession> = (0..1000).map(|_| app.session()).collect();
    for (session, id) in sessions.iter_mut().zip(&ids) {
        session.subscribe(titles {}).unwrap();
        session.subscribe(title_of { id: *id }).unwrap();
        session.subscribe(count {}).unwrap();
        session.subscribe(exists {}).unwrap();
    }
    for session in &mut sessions {
        assert_eq!(session.changed().await, [0, 1, 2, 3]);
        assert!(session.live().ready().now_or_never().is_some());
    }
    assert_eq!(app.take_reruns().len(), 1003);
    for n in 0..10_000 {
        let id = ids[n * 7919 % ids.len()];
        app.mutation(write { id, title: None, body: Some(format!("{n}")) }).await.unwrap();
    }
    app.settled().await;
    assert_eq!(app.take_reruns().len(), 0);
    assert!(sessions.iter_mut().all(|session| session.live().ready().now_or_never().is_none()));
    app.mutation(write { id: ids[17], title: Some("x".into()), body: None }).await.unwrap();
    app.settled().await;
    assert_eq!(app.take_reruns().len(), 2);
    assert_eq!(sessions[17].changed().await, [0, 1]);
    assert_eq!(sessions[18].changed().await, [0]);
}
