//! Every HTTP route, its formats, its credentials and its errors, over a real socket.

#![allow(clippy::unwrap_used)]

mod common;

use common::Running;
use serde_json::{Value, json};

const ENCODED: &str = "convex_encoded_json";

#[tokio::test(flavor = "multi_thread")]
async fn functions_run_and_fail_with_status_200() {
    let server = Running::start().await;
    let added = server
        .post(
            "/api/mutation",
            json!({"path": "notes:add", "args": {"topic": "a", "text": "x"}, "format": "json"}),
        )
        .await;
    assert_eq!(added.status, 200, "{added:?}");
    assert_eq!(added.json()["status"], "success");
    assert_eq!(added.json()["logLines"].as_array().unwrap().len(), 1);
    let id = added.json()["value"].clone();

    for args in [json!({"topic": "a"}), json!([{"topic": "a"}])] {
        let listed = server.post("/api/query", json!({"path": "notes:list", "args": args})).await.json();
        assert_eq!(listed["value"][0]["_id"], id);
        assert_eq!(listed["value"][0]["text"], "x");
        assert!(listed.get("logLines").is_none(), "{listed}");
    }
    for spelling in ["notes:list", "notes.js:list"] {
        let listed = server.post("/api/query", json!({"path": spelling, "args": {"topic": "a"}})).await;
        assert_eq!(listed.json()["status"], "success", "{spelling}");
    }

    let refused = server.post("/api/mutation", json!({"path": "notes:refuse", "args": {"why": "no"}})).await;
    assert_eq!(refused.status, 200);
    let refused = refused.json();
    assert_eq!(refused["status"], "error");
    assert_eq!(refused["errorData"], "no");
    assert_eq!(refused["logLines"], json!([]));
    let tripped = server.post("/api/mutation", json!({"path": "notes:trip", "args": {}})).await.json();
    assert!(tripped["errorMessage"].as_str().unwrap().contains("tripped"));
    assert!(tripped.get("errorData").is_none());

    for (route, path) in
        [("query", "notes:nothing"), ("mutation", "no/such:thing"), ("query", "notes:hidden")]
    {
        let missing = server.post(&format!("/api/{route}"), json!({"path": path, "args": {}})).await;
        assert_eq!(missing.status, 200);
        let message = missing.json()["errorMessage"].as_str().unwrap().to_owned();
        assert!(message.contains(&format!("Could not find public function for '{path}'")), "{message}");
    }
    let action = server.post("/api/action", json!({"path": "notes:act", "args": {}})).await.json();
    assert!(
        action["errorMessage"].as_str().unwrap().contains("Could not find public function for 'notes:act'")
    );
    let wrong =
        server.post("/api/query", json!({"path": "notes:add", "args": {"topic": "a", "text": "b"}})).await;
    assert_eq!(wrong.json()["status"], "error");
    let invalid = server.post("/api/query", json!({"path": "notes:list", "args": {"topic": 1}})).await.json();
    assert!(invalid["errorMessage"].as_str().unwrap().starts_with("ArgumentValidationError: "), "{invalid}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_written_in_three_formats() {
    let server = Running::start().await;
    let cases = [
        (ENCODED, json!({"$integer": "BwAAAAAAAAA="})),
        ("convex_json", json!({"$integer": "BwAAAAAAAAA="})),
        ("json", json!("7")),
        ("convex_clean_json", json!("7")),
    ];
    for (format, expected) in cases {
        let reply = server
            .post("/api/query", json!({"path": "notes:int", "args": {}, "format": format}))
            .await
            .json();
        assert_eq!(reply["value"], expected, "{format}");
    }
    let reply = server.post("/api/query", json!({"path": "notes:int", "args": {}})).await.json();
    assert_eq!(reply["value"], "7");
    let reply = server.post("/api/query", json!({"path": "notes:int", "args": {}, "format": "xml"})).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "BadFormat"));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_come_by_url_and_by_path() {
    let server = Running::start().await;
    server.post("/api/mutation", json!({"path": "notes:add", "args": {"topic": "a b", "text": "x"}})).await;
    let reply = server
        .get("/api/query?path=notes%3Alist&args=%7B%22topic%22%3A%22a%20b%22%7D&format=json")
        .await
        .json();
    assert_eq!(reply["value"][0]["text"], "x");
    let reply = server.post("/api/run/notes/list", json!({"args": {"topic": "a b"}})).await.json();
    assert_eq!(reply["value"][0]["text"], "x");
    let reply = server.post("/api/run/notes/add", json!({"args": {"topic": "c", "text": "y"}})).await.json();
    assert_eq!(reply["status"], "success");
    let reply = server.post("/api/run/notes", json!({"args": {}})).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "MissingIdentifier"));
    let reply = server.post("/api/run/", json!({"args": {}})).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "MissingIdentifier"));
    let reply = server.get("/api/query").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "MissingPath"));
    let reply = server.get("/api/query?path=notes:int&path=notes:int").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "BadQueryString"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_can_be_asked_at_a_timestamp_and_in_a_batch() {
    let server = Running::start().await;
    let ts = server.request("POST", "/api/query_ts", &[], b"").await.json()["ts"].clone();
    server.post("/api/mutation", json!({"path": "notes:add", "args": {"topic": "a", "text": "x"}})).await;
    let query = json!({"path": "notes:list", "args": {"topic": "a"}, "ts": ts, "format": "json"});
    assert_eq!(server.post("/api/query_at_ts", query).await.json()["value"], json!([]));
    let one = json!({"path": "notes:list", "args": {"topic": "a"}});
    let two = json!({"path": "notes:refuse", "args": {}});
    let results =
        server.post("/api/query_batch", json!({"queries": [one, two]})).await.json()["results"].clone();
    assert_eq!(results[0]["value"][0]["text"], "x");
    assert_eq!(results[1]["status"], "error");
    for ts in [json!("x"), json!(1), Value::Null] {
        let reply = server.post("/api/query_at_ts", json!({"path": "notes:int", "args": {}, "ts": ts})).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        reply.code();
    }
    let future = json!({"path": "notes:int", "args": {}, "ts": "/////////38="});
    assert!(server.post("/api/query_at_ts", future.clone()).await.status >= 400);
    // Also when its result is at hand and still holds.
    assert_eq!(
        server.post("/api/query", json!({"path": "notes:int", "args": {}})).await.json()["value"],
        "7"
    );
    assert!(server.post("/api/query_at_ts", future).await.status >= 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_reach_internal_functions_and_others_do_not() {
    let mut server = Running::start().await;
    let key = server.admin_key().await;
    let hidden = json!({"path": "notes:hidden", "args": {}});
    for authorization in [format!("Convex {key}"), format!("convex prod:{key}"), format!("Convex {key}:e30=")]
    {
        let reply = server.post_as(&authorization, "/api/query", hidden.clone()).await;
        if authorization.ends_with("e30=") {
            assert_eq!(reply.status, 400, "an identity needs a tokenIdentifier: {reply:?}");
        } else {
            assert_eq!(reply.json()["value"], "for admins", "{authorization}");
        }
    }
    let reply =
        server.post(&format!("/api/query?adminKey={}", key.replace('|', "%7C")), hidden.clone()).await;
    assert_eq!(reply.json()["value"], "for admins");
    let reply = server.post_as(&format!("Convex {key}"), "/api/function", hidden.clone()).await;
    assert_eq!(reply.json()["value"], "for admins");
    let add = json!({"path": "notes:add", "args": {"topic": "a", "text": "b"}});
    let reply = server.post_as(&format!("Convex {key}"), "/api/function", add).await;
    assert_eq!(reply.json()["status"], "success");

    let reply = server.post("/api/function", hidden.clone()).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "AdminKeyRequired"));
    let wrong = format!("{}x", key);
    for (authorization, status, code) in [
        (format!("Convex {wrong}"), 401, "BadAdminKey"),
        ("Convex nonsense".to_owned(), 401, "BadAdminKey"),
        ("Bearer a.b.c".to_owned(), 401, "NoAuthProvider"),
        ("Bear".to_owned(), 400, "InvalidAuthHeader"),
        ("Basic dXNlcg==".to_owned(), 400, "InvalidAuthHeader"),
    ] {
        let reply = server.post_as(&authorization, "/api/query", hidden.clone()).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{authorization}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_by_name() {
    let server = Running::start().await;
    for (body, code) in [
        ("", "BadJsonBody"),
        ("{", "BadJsonBody"),
        ("[]", "BadJsonBody"),
        (r#"{"args":{}}"#, "BadJsonBody"),
        (r#"{"path":"a:b","args":[1]}"#, "BadArgs"),
        (r#"{"path":"a:b","args":7}"#, "BadArgs"),
        (r#"{"path":"a:b","args":{"x":{"$integer":"?"}}}"#, "BadArgs"),
        (r#"{"path":"a b","args":{}}"#, "BadConvexFunctionIdentifier"),
        (r#"{"path":"a:b","componentPath":"c","args":{}}"#, "ComponentNotFound"),
    ] {
        for route in ["/api/query", "/api/mutation", "/api/action"] {
            let reply = server.request("POST", route, &[], body.as_bytes()).await;
            assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
        }
    }
    let deep = format!(r#"{{"path":"a:b","args":{{"x":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(server.request("POST", "/api/query", &[], deep.as_bytes()).await.status, 400);
    let huge = vec![b' '; (16 << 20) + 2_001];
    let reply = server.request("POST", "/api/query", &[], &huge).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "RequestTooLarge"));
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("POST", "/api/storage/upload", 404),
        ("POST", "//api/query", 404),
        ("GET", "/api/mutation", 405),
        ("DELETE", "/version", 405),
    ] {
        let reply = server.request(method, path, &[], b"").await;
        assert_eq!(reply.status, status, "{path}");
        reply.code();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_origin_may_call_with_credentials() {
    let server = Running::start().await;
    let headers = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,convex-client"),
    ];
    let reply = server.request("OPTIONS", "/api/query", &headers, b"").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(reply.headers["access-control-allow-headers"], "content-type,convex-client");
    assert_eq!(reply.headers["access-control-allow-credentials"], "true");
    assert_eq!(reply.headers["access-control-max-age"], "86400");
    for method in ["GET", "POST", "OPTIONS", "PATCH", "DELETE", "PUT"] {
        assert!(reply.headers["access-control-allow-methods"].contains(method), "{method}");
    }
    let reply = server.request("POST", "/api/query", &[("origin", "null")], b"{").await;
    assert_eq!(reply.headers["access-control-allow-origin"], "null");
    assert_eq!(reply.code(), "BadJsonBody");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_browsers_find_their_pages() {
    let server = Running::start().await;
    assert_eq!(server.get("/health").await.body, "ok");
    assert_eq!(server.get("/version").await.body, env!("CARGO_PKG_VERSION"));
    assert_eq!(server.get("/instance_version").await.body, env!("CARGO_PKG_VERSION"));
    assert_eq!(server.get("/instance_name").await.body, "hull");
    server.post("/api/mutation", json!({"path": "notes:add", "args": {"topic": "a", "text": "b"}})).await;
    let metrics = server.get("/metrics").await.body;
    for name in [
        "hull_connections 0",
        "hull_function_requests_total{kind=\"mutation\",over=\"http\"} 1",
        "hull_storage_bytes",
        "hull_live_bytes",
        "hull_log_bytes",
        "hull_overlay_bytes",
        "hull_ordered_timestamp",
        "hull_durable_timestamp",
        "hull_conflicts_total",
        "hull_query_reruns_total",
        "hull_query_pushes_total",
        "hull_diffs_made_total",
        "hull_diff_pushes_total",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    for (path, kind) in [
        ("/", "text/html"),
        ("/page/app.js", "text/javascript"),
        ("/page/hull.js", "text/javascript"),
        ("/page/style.css", "text/css"),
        ("/page/settings.json", "application/json"),
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.headers["content-type"].starts_with(kind), "{path}");
        assert!(reply.headers["content-security-policy"].starts_with("default-src 'none'"), "{path}");
    }
}
