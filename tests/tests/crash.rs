//! The promise: whatever was acknowledged survives kill -9, whole, and timestamps never go back.
//!
//! Each round, clients write under load until the process is killed. A write adds a row and counts it in another table,
//! so a torn one would show. `HULL_CRASH_ROUNDS` sets the rounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tests::server::Server;
use tests::wire::{Received, Wire, timestamp};

const CLIENTS: u64 = 8;
const IN_FLIGHT: u64 = 8;

/// What one client knows when the server is gone.
struct Known {
    name: String,
    sent: u64,
    acknowledged: u64,
    newest: u64,
}

/// Writes row after row until the connection ends.
async fn write(mut wire: Wire, name: String, total: Arc<AtomicU64>) -> Known {
    let mut known = Known { name, sent: 0, acknowledged: 0, newest: 0 };
    loop {
        while known.sent < known.acknowledged + IN_FLIGHT {
            let args = json!({ "client": known.name, "seq": known.sent });
            if wire.mutate("ledger:append", args).await.is_err() {
                return known;
            }
            known.sent += 1;
        }
        match wire.receive().await {
            Received::Message(message) if message["type"] == "MutationResponse" => {
                assert_eq!(message["success"], true, "{message}");
                assert_eq!(message["requestId"], known.acknowledged, "answers come in order");
                let ts = timestamp(&message["ts"]);
                assert!(ts > known.newest, "timestamps grow");
                known.newest = ts;
                known.acknowledged += 1;
                total.fetch_add(1, Ordering::Relaxed);
            }
            Received::Message(_) => {}
            Received::Closed(_) => return known,
        }
    }
}

async fn verify(wire: &mut Wire, known: &Known) {
    let state = wire.ask("ledger:state", json!({ "client": known.name })).await;
    let (count, rows) = (state["count"].as_f64().unwrap() as u64, state["rows"].as_f64().unwrap() as u64);
    let name = &known.name;
    assert_eq!(count, rows, "{name}: a write is torn: {state}");
    assert!(
        count >= known.acknowledged,
        "{name}: {} were acknowledged, {count} are there",
        known.acknowledged
    );
    assert!(count <= known.sent, "{name}: {} were sent, {count} are there", known.sent);
    assert_eq!(state["inOrder"], true, "{name}: rows are missing in between");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    let rounds = std::env::var("HULL_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50u64);
    let mut server = Server::start();
    let mut all: Vec<Known> = Vec::new();
    let mut newest = 0;
    for round in 0..rounds {
        let total = Arc::new(AtomicU64::new(0));
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let wire = Wire::open(&server).await.unwrap();
            clients.push(tokio::spawn(write(wire, format!("{round}/{client}"), total.clone())));
        }
        // Some rounds end after the first few answers, some after many.
        let wanted = 5 + (round * 37) % 400;
        let start = std::time::Instant::now();
        while total.load(Ordering::Relaxed) < wanted {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "no progress in round {round}: {}",
                server.log()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill();
        let mut of_round = Vec::new();
        for client in clients {
            of_round.push(client.await.unwrap());
        }
        let newest_before = newest;
        newest = of_round.iter().map(|known| known.newest).max().unwrap();
        assert!(newest > newest_before, "timestamps went back over a restart");
        server.launch();
        let mut wire = Wire::open(&server).await.unwrap();
        for known in &of_round {
            verify(&mut wire, known).await;
        }
        all.extend(of_round);
    }
    let mut wire = Wire::open(&server).await.unwrap();
    for known in &all {
        verify(&mut wire, known).await;
    }
    let after = wire.call("counters:add", json!({ "name": "last", "by": 1 })).await;
    assert!(timestamp(&after["ts"]) > newest);
}
