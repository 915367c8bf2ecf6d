//! The client's half with a server that tells diffs: right ones, wrong ones, and what is held back meanwhile.

use data_encoding::BASE64;
use hull_sync::diff::{ValueHash, make};
use hull_sync::{ClientEvent, ClientSession, QueryState, RequestOutcome, SessionId};
use hull_value::Packed;
use serde_json::{Value, json};

/// A client with two queries, and the server's side of the wire.
struct Wire {
    client: ClientSession,
    queries: [u32; 2],
    /// The query set and the timestamp of the last Transition.
    at: (u32, u64),
    results: u64,
}

fn value(text: &str) -> Value {
    json!({ "filler": "f".repeat(200), "text": text })
}

fn packed(value: &Value) -> Packed {
    Packed::from_json(&value.to_string()).unwrap()
}

impl Wire {
    /// Both queries were told the text `a`, as the results 1 and 2.
    fn new() -> Wire {
        let mut client = ClientSession::new(SessionId([7; 16]));
        let queries = [client.subscribe("m:q", "{}"), client.subscribe("m:q", "{}")];
        client.connected(1);
        let mut wire = Wire { client, queries, at: (0, 0), results: 0 };
        wire.open();
        wire
    }

    /// The first Transition of a socket.
    fn open(&mut self) {
        self.at = (0, 0);
        let full = [self.full(0, "a"), self.full(1, "a")];
        self.transition(&full);
        assert_eq!(self.sent().pop(), None);
        assert_eq!(self.updated(), Some(vec![0, 1]));
    }

    fn full(&mut self, query: usize, text: &str) -> Value {
        self.results += 1;
        json!({ "type": "QueryUpdated", "queryId": self.queries[query], "value": value(text), "result": self.results,
            "logLines": [], "journal": null })
    }

    fn diff(&mut self, query: usize, base: u64, old: &str, new: &str) -> Value {
        self.results += 1;
        let (old, new) = (packed(&value(old)), packed(&value(new)));
        let patch: Value = serde_json::from_str(&make(&old, &new).unwrap().patch).unwrap();
        json!({ "type": "QueryDiff", "queryId": self.queries[query], "base": base, "result": self.results,
            "hash": ValueHash::of(new.as_ref()).to_string(), "diff": patch, "logLines": [], "journal": "j" })
    }

    fn transition(&mut self, modifications: &[Value]) {
        let version = |(set, ts): (u32, u64)| json!({ "querySet": set, "identity": 0, "ts": BASE64.encode(&ts.to_le_bytes()) });
        let start = self.at;
        self.at = (1, start.1 + 10);
        let message = json!({ "type": "Transition", "startVersion": version(start), "endVersion": version(self.at),
            "modifications": modifications });
        self.client.receive(&message.to_string()).unwrap();
    }

    /// What the client says, but for its first messages.
    fn sent(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.client.next_message())
            .map(|text| serde_json::from_str::<Value>(&text).unwrap())
            .filter(|message| message["type"] != "Connect" && message["type"] != "ModifyQuerySet")
            .collect()
    }

    fn asks_for(&mut self, query: usize) {
        assert_eq!(self.sent(), [json!({ "type": "QueryResync", "queryId": self.queries[query] })]);
    }

    /// The queries of the one update that there is.
    fn updated(&mut self) -> Option<Vec<u32>> {
        let mut events: Vec<ClientEvent> = std::iter::from_fn(|| self.client.next_event()).collect();
        assert!(events.len() <= 1, "{events:?}");
        events.pop().map(|event| match event {
            ClientEvent::Updated { ts, queries } => {
                assert_eq!((ts.0, self.client.version().ts), (self.at.1, ts));
                queries
            }
            other => panic!("{other:?}"),
        })
    }

    fn shows(&self, texts: [&str; 2]) {
        for (query, text) in self.queries.iter().zip(texts) {
            if let Some(state) = self.client.result(*query) {
                assert_eq!(state, &QueryState::Value(packed(&value(text))));
            }
        }
    }
}

#[test]
fn diffs_become_values() {
    let mut wire = Wire::new();
    let diff = wire.diff(0, 1, "a", "b");
    wire.transition(&[diff]);
    assert_eq!(wire.updated(), Some(vec![0]));
    wire.shows(["b", "a"]);
    let diffs = [wire.diff(0, 3, "b", "c"), wire.diff(1, 2, "a", "d")];
    wire.transition(&diffs);
    assert_eq!(wire.updated(), Some(vec![0, 1]));
    wire.shows(["c", "d"]);
    let full = wire.full(0, "e");
    wire.transition(&[full]);
    let diff = wire.diff(0, 6, "e", "f");
    wire.updated();
    wire.transition(&[diff]);
    wire.shows(["f", "d"]);
    assert_eq!(wire.sent(), [Value::Null; 0]);
    // The journal of a diff is handed in again.
    wire.client.disconnected("cut");
    wire.client.connected(2);
    let messages: Vec<String> = std::iter::from_fn(|| wire.client.next_message()).collect();
    assert_eq!(messages[1].matches(r#""journal":"j""#).count(), 2, "{messages:?}");
}

#[test]
fn what_does_not_fit_is_held_back_with_all_that_follows() {
    let spoil: [fn(&mut Value); 6] = [
        |diff| diff["base"] = json!(77),
        |diff| diff["hash"] = json!("0123456789abcdef"),
        |diff| diff["diff"] = json!({ "unset": ["nothing"] }),
        |diff| diff["diff"] = json!({ "set": { "text": "another" } }),
        |diff| diff["diff"] = json!(["no patch"]),
        |diff| diff["diff"] = json!({ "value": { "$integer": "?" } }),
    ];
    for spoil in spoil {
        let mut wire = Wire::new();
        wire.client.mutate("m:f", "{}");
        wire.sent();
        let mut bad = wire.diff(0, 1, "a", "b");
        spoil(&mut bad);
        let good = wire.diff(1, 2, "a", "b");
        wire.transition(&[bad, good]);
        wire.asks_for(0);
        assert_eq!(wire.updated(), None);
        wire.shows(["a", "a"]);

        // More comes: a diff of the lost query is passed over, one of the other is kept.
        let more = [wire.diff(0, 3, "b", "c"), wire.diff(1, 4, "b", "c")];
        wire.transition(&more);
        let respond = json!({ "type": "MutationResponse", "requestId": 0, "success": true, "result": 1,
            "ts": BASE64.encode(&30u64.to_le_bytes()), "logLines": [] });
        wire.client.receive(&respond.to_string()).unwrap();
        assert_eq!((wire.sent().len(), wire.updated()), (0, None), "it asks once, and 30 is not shown yet");
        wire.shows(["a", "a"]);
        assert_eq!(wire.client.version().ts.0, 10);

        // The whole value comes: everything is shown at once, and the mutation is done.
        let full = wire.full(0, "c");
        wire.transition(&[full]);
        wire.shows(["c", "c"]);
        let events: Vec<ClientEvent> = std::iter::from_fn(|| wire.client.next_event()).collect();
        assert!(
            matches!(&events[0], ClientEvent::Updated { ts, queries } if ts.0 == 40 && *queries == [0, 1])
        );
        assert!(matches!(&events[1], ClientEvent::Finished { outcome: RequestOutcome::Value(_), .. }));
        let diffs = [wire.diff(0, 7, "c", "d"), wire.diff(1, 6, "c", "d")];
        wire.transition(&diffs);
        wire.shows(["d", "d"]);
        assert_eq!(wire.sent(), [Value::Null; 0]);
    }
}

#[test]
fn an_error_gives_a_lost_query_back_and_leaves_no_base() {
    let mut wire = Wire::new();
    let bad = wire.diff(0, 9, "a", "b");
    wire.transition(&[bad]);
    wire.asks_for(0);
    let failed =
        json!({ "type": "QueryFailed", "queryId": 0, "errorMessage": "no", "logLines": [], "journal": null });
    wire.transition(&[failed]);
    assert_eq!(wire.updated(), Some(vec![0]));
    assert!(matches!(wire.client.result(0), Some(QueryState::Error { message, .. }) if message == "no"));
    let diff = wire.diff(0, 3, "b", "c");
    wire.transition(&[diff]);
    wire.asks_for(0);
}

#[test]
fn a_query_that_is_dropped_holds_nothing_back_for_long() {
    let mut wire = Wire::new();
    let modifications = [wire.diff(0, 9, "a", "b"), wire.full(1, "b")];
    wire.transition(&modifications);
    wire.asks_for(0);
    wire.client.unsubscribe(0);
    let more = [wire.diff(0, 3, "b", "c"), wire.diff(1, 4, "b", "c")];
    wire.transition(&more);
    assert_eq!(wire.updated(), None);
    wire.transition(&[json!({ "type": "QueryRemoved", "queryId": 0 })]);
    assert_eq!(wire.updated(), Some(vec![1]));
    wire.shows(["", "c"]);
    // What the server said of it before it heard is none of the client's business.
    let mut wire = Wire::new();
    wire.client.unsubscribe(0);
    let late = wire.diff(0, 9, "x", "y");
    wire.transition(&[late]);
    assert_eq!((wire.sent().len(), wire.updated()), (0, Some(vec![])));
}

#[test]
fn a_new_socket_begins_without_bases_and_without_what_was_held_back() {
    let mut wire = Wire::new();
    let modifications = [wire.diff(0, 9, "a", "b"), wire.full(1, "b")];
    wire.transition(&modifications);
    wire.asks_for(0);
    wire.client.disconnected("cut");
    wire.client.connected(2);
    wire.shows(["a", "a"]);
    wire.open();
    wire.shows(["a", "a"]);
    wire.client.disconnected("cut");
    wire.client.connected(3);
    wire.sent();
    // Its number was told on the last socket, which does not count.
    let (base, now) = (wire.results - 1, wire.at);
    wire.at = (0, 0);
    let early = wire.diff(0, base, "a", "b");
    wire.transition(&[early]);
    wire.asks_for(0);
    assert!(now.1 > 0);
}

#[test]
fn a_server_without_diffs_is_understood_as_ever() {
    let mut wire = Wire::new();
    let mut full = wire.full(0, "b");
    full.as_object_mut().unwrap().remove("result");
    wire.transition(&[full]);
    wire.shows(["b", "a"]);
    assert_eq!(wire.updated(), Some(vec![0]));
    let mut broken = wire.full(0, "c");
    broken["value"] = json!({ "$set": 1 });
    wire.transition(&[broken]);
    assert!(
        matches!(wire.client.result(0), Some(QueryState::Error { message, .. }) if message.contains("$set"))
    );
}
