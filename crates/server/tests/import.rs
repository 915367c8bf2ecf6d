//! Imports over HTTP: what readers and subscribers see of them, and what each mistake is answered with.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Reply, Running};
use serde_json::{Value, json};

/// A server, and its admin key as a header.
struct Admin {
    server: Running,
    authorization: String,
}

impl Admin {
    async fn start() -> Admin {
        let mut server = Running::start().await;
        let authorization = format!("Convex {}", server.admin_key().await);
        Admin { server, authorization }
    }

    async fn begin(&self, body: Value) -> Reply {
        self.server.post_as(&self.authorization, "/api/hull/import", body).await
    }

    /// Begins an import of `notes`; its id.
    async fn open(&self, mode: &str, more: Value) -> String {
        let mut body = json!({"mode": mode, "tables": [{"name": "notes"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let begun = self.begin(body).await;
        assert_eq!(begun.status, 200, "{begun:?}");
        begun.json()["importId"].as_str().unwrap().to_owned()
    }

    async fn send(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let path = format!("/api/hull/import/{path}");
        self.server.request(method, &path, &[("authorization", &self.authorization)], body).await
    }

    async fn rows(&self, id: &str, query: &str, body: &str) -> Reply {
        self.send("POST", &format!("{id}/rows?{query}"), body.as_bytes()).await
    }

    async fn finish(&self, id: &str) -> Reply {
        self.send("POST", &format!("{id}/finish"), b"").await
    }

    async fn list(&self, topic: &str) -> Vec<String> {
        let query = json!({"path": "notes:list", "args": {"topic": topic}});
        texts(&self.server.post("/api/query", query).await.json()["value"])
    }

    async fn add(&self, topic: &str, text: &str) -> Value {
        let args = json!({"path": "notes:add", "args": {"topic": topic, "text": text}});
        self.server.post("/api/mutation", args).await.json()["value"].clone()
    }
}

fn texts(notes: &Value) -> Vec<String> {
    notes.as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap().to_owned()).collect()
}

fn lines(topic: &str, texts: std::ops::Range<u32>) -> String {
    texts.map(|n| format!("{}\n", json!({"topic": topic, "text": n.to_string()}))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_see_one_change_and_readers_never_a_mix() {
    let admin = Arc::new(Admin::start().await);
    for n in 0..20 {
        admin.add("a", &format!("old {n}")).await;
    }
    let mut socket = admin.server.socket().await;
    socket.connect().await;
    socket.subscribe(0, 1, "notes:list", json!({"topic": "a"})).await;
    let first = socket.next_of("Transition").await;
    assert_eq!(texts(&first["modifications"][0]["value"]).len(), 20);

    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (admin, done) = (Arc::clone(&admin), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen = (0, 0);
            while !done.load(Ordering::SeqCst) || seen.1 == 0 {
                let notes = admin.list("a").await;
                match notes.iter().filter(|text| text.starts_with("old")).count() {
                    20 => {
                        assert_eq!(notes.len(), 20);
                        seen.0 += 1;
                    }
                    old => {
                        assert_eq!((old, notes.len()), (0, 1500));
                        seen.1 += 1;
                    }
                }
            }
            seen
        })
    };
    let id = admin.open("replace", json!({})).await;
    for from in [0, 300, 600, 900, 1200] {
        let taken = admin.rows(&id, "table=notes", &lines("a", from..from + 300)).await;
        assert_eq!(taken.json(), json!({"applied": 300, "refused": []}));
    }
    assert_eq!(admin.list("a").await.len(), 20);
    let finished = admin.finish(&id).await.json();
    assert_eq!(finished["tables"][0]["rows"], 1500);
    assert_eq!(admin.list("a").await.len(), 1500);
    done.store(true, Ordering::SeqCst);
    let (before, after) = reader.await.unwrap();
    assert!(before > 0 && after > 0);

    // The next change is the whole import, and the one after it is the next mutation.
    let second = socket.next_of("Transition").await;
    assert_eq!(texts(&second["modifications"][0]["value"]).len(), 1500);
    admin.add("a", "later").await;
    let third = socket.next_of("Transition").await;
    let third = texts(&third["modifications"][0]["value"]);
    assert_eq!((third.len(), third[0].as_str()), (1501, "later"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_import() {
    let admin = Admin::start().await;
    let routes = [
        ("POST", "/api/hull/import"),
        ("POST", "/api/hull/import/x/rows?table=notes"),
        ("POST", "/api/hull/import/x/finish"),
        ("DELETE", "/api/hull/import/x"),
    ];
    for (method, route) in routes {
        let none = admin.server.request(method, route, &[], b"{}").await;
        assert_eq!((none.status, none.code().as_str()), (403, "AdminKeyRequired"), "{route}");
        let wrong = [("authorization", "Convex nobody|0123456789abcdef")];
        let wrong = admin.server.request(method, route, &wrong, b"{}").await;
        assert_eq!((wrong.status, wrong.code().as_str()), (401, "BadAdminKey"), "{route}");
    }
    for path in ["x/rows?table=notes", "x/finish"] {
        let unknown = admin.send("POST", path, b"{}").await;
        assert_eq!((unknown.status, unknown.code().as_str()), (404, "ImportNotFound"), "{path}");
    }
    assert_eq!(admin.send("DELETE", "x", b"").await.code(), "ImportNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_decides_what_a_number_is_and_ids_survive() {
    let admin = Admin::start().await;
    let id = admin.add("a", "x").await;
    let row = |count: Value| {
        json!({"_id": id, "_creationTime": 7.5, "topic": "b", "text": "y", "count": count}).to_string()
    };
    for (form, good, bad) in [
        ("export", json!(9), json!(9.0)),
        ("wire", json!({"$integer": "CQAAAAAAAAA="}), json!(9)),
        ("plain", json!({"$integer": "CQAAAAAAAAA="}), json!(9)),
    ] {
        let import = admin.open("replace", json!({})).await;
        let query = format!("table=notes&form={form}");
        assert_eq!(admin.rows(&import, &query, &row(good)).await.json()["applied"], 1);
        assert_eq!(admin.finish(&import).await.status, 200);
        let query_body = json!({"path": "notes:list", "args": {"topic": "b"}, "format": "export_json"});
        let listed = admin.server.post("/api/query", query_body).await.json()["value"].clone();
        assert_eq!(
            listed[0],
            json!({"_id": id, "_creationTime": 7.5, "topic": "b", "text": "y", "count": 9})
        );

        let import = admin.open("replace", json!({})).await;
        let refused = admin.rows(&import, &query, &row(bad)).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "SchemaEnforcementError"), "{form}");
        assert_eq!(refused.json()["path"], ".count");
        assert_eq!(admin.finish(&import).await.code(), "ImportNotFound");
    }
    let import = admin.open("replace", json!({})).await;
    assert_eq!(admin.rows(&import, "table=notes&form=xml", "{}").await.code(), "BadQueryString");
    assert_eq!(admin.rows(&import, "form=wire", "{}").await.code(), "BadQueryString");
    assert_eq!(admin.send("DELETE", &import, b"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_named_and_end_the_import_or_are_left_out() {
    let admin = Admin::start().await;
    admin.add("a", "old").await;
    let good = r#"{"topic":"a","text":"new"}"#;
    let body = format!(
        "{good}\r\n\n{{\"topic\":1.0,\"text\":\"x\"}}\n{good}\n{{oops\n[1]\n{{\"a\":{{\"$bytes\":\"?\"}}}}\n{{\"_id\":\"x\",\"topic\":\"a\",\"text\":\"x\"}}\n{good}"
    );
    let expected = [
        (3, "SchemaEnforcementError", ".topic"),
        (5, "JsonInvalidRow", ""),
        (6, "NotAnObject", ""),
        (7, "InvalidConvexValue", ""),
        (8, "InvalidId", "._id"),
    ];
    let import = admin.open("replace", json!({"skipInvalid": true})).await;
    for first in [1, 10, 101] {
        // The count goes on where it was, unless the request says where it is.
        let query = if first == 101 { "table=notes&first=101" } else { "table=notes" };
        let taken = admin.rows(&import, query, &body).await.json();
        assert_eq!(taken["applied"], 3);
        let refused = taken["refused"].as_array().unwrap();
        assert_eq!(refused.len(), expected.len());
        for (refused, (row, code, path)) in refused.iter().zip(expected) {
            assert_eq!(
                *refused,
                json!({"row": row + first - 1, "code": code, "path": path, "message": refused["message"]})
            );
            assert!(refused["message"].as_str().unwrap().len() > 5);
        }
    }
    admin.finish(&import).await;
    assert_eq!(admin.list("a").await, ["new"; 9]);

    for (mode, kept) in [("replace", 0), ("append", 2)] {
        let before = admin.list("a").await.len();
        let import = admin.open(mode, json!({})).await;
        assert_eq!(
            admin.rows(&import, "table=notes", &format!("{good}\n{good}\n")).await.json()["applied"],
            2
        );
        let bad = admin.rows(&import, "table=notes", &body).await;
        assert_eq!(bad.status, 400);
        let bad = bad.json();
        assert_eq!(
            (&bad["table"], &bad["row"], &bad["path"]),
            (&json!("notes"), &json!(5), &json!(".topic"))
        );
        assert_eq!(bad["applied"], kept);
        assert!(bad["message"].as_str().unwrap().starts_with("row 5 of table \"notes\": "), "{bad}");
        assert_eq!(admin.rows(&import, "table=notes", good).await.code(), "ImportNotFound");
        assert_eq!(admin.list("a").await.len(), before + kept);
    }
    let import = admin.open("append", json!({})).await;
    let bad = admin.rows(&import, "table=notes", &format!("{good}\noops\n")).await.json();
    assert_eq!(
        (&bad["code"], &bad["row"], &bad["applied"]),
        (&json!("JsonInvalidRow"), &json!(2), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_dry_runs_and_mistakes_are_answered() {
    let admin = Admin::start().await;
    admin.add("a", "old").await;
    let free = json!({"mode": "append", "tables": [{"name": "free", "number": 12_000}]});
    let id = admin.begin(free).await.json()["importId"].as_str().unwrap().to_owned();
    admin.rows(&id, "table=free", "{\"x\":1}\n{\"x\":\"y\"}").await;
    assert_eq!(admin.rows(&id, "table=notes", "{}").await.code(), "TableNotInImport");
    let finished = admin.finish(&id).await.json();
    assert_eq!(finished["tables"], json!([{"name": "free", "number": 12_000, "rows": 2}]));

    let tables = json!([{"name": "notes"}]);
    let cases = [
        (json!({"tables": tables}), "TableExists"),
        (json!({"mode": "requireEmpty", "tables": tables}), "TableExists"),
        (json!({"mode": "replace", "tables": [{"name": "a b"}]}), "InvalidName"),
        (json!({"mode": "replace", "tables": [{"name": "other", "number": 12_000}]}), "TableNumberConflict"),
        (json!({"mode": "replaces", "tables": []}), "BadJsonBody"),
        (json!({"mode": "replace", "table": "notes"}), "BadJsonBody"),
    ];
    for (body, code) in cases {
        let refused = admin.begin(body).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, code));
    }

    for dry in [true, false] {
        let begun = admin.begin(json!({"mode": "replaceAll", "tables": tables, "dryRun": dry})).await.json();
        assert_eq!(begun["tables"], json!([{"name": "notes", "existing": 1}]));
        assert_eq!(begun["others"], json!([{"name": "free", "existing": 2, "fate": "deleted"}]));
        let id = begun["importId"].as_str().unwrap();
        admin.rows(id, "table=notes", &lines("a", 0..3)).await;
        let finished = admin.finish(id).await.json();
        assert_eq!((&finished["deleted"], &finished["dryRun"]), (&json!(["free"]), &json!(dry)));
        assert_eq!(admin.list("a").await.len(), if dry { 1 } else { 3 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_lines_and_bodies_are_refused() {
    let admin = Admin::start().await;
    let import = admin.open("append", json!({})).await;
    let long = format!("{{\"topic\":\"a\",\"text\":\"{}\"}}", "x".repeat(9 << 20));
    let refused = admin.rows(&import, "table=notes", &long).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "RowTooLong"));
    let import = admin.open("append", json!({})).await;
    let large = admin.rows(&import, "table=notes", &"x".repeat(17 << 20)).await;
    assert_eq!((large.status, large.code().as_str()), (413, "RequestTooLarge"));
    // That was no part of the import.
    assert_eq!(admin.rows(&import, "table=notes", &lines("a", 0..2)).await.json()["applied"], 2);
    assert_eq!(admin.finish(&import).await.status, 200);
    assert_eq!(admin.list("a").await.len(), 2);
}
