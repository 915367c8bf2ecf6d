//! The promise: the Rust client does each mutation once and shows what is true, whatever happens to the connection.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use futures::future::join_all;
use hull::client::{CallError, Change, Changes, Client, ConnectionState, Subscription};
use hull::prelude::Doc;
use hull::value::Value;
use tests::app::{Message, app, counters, errors, ledger, messages};
use tests::proxy::Proxy;
use tests::server::{Server, run};

fn connect(url: &str) -> Client {
    Client::connect(url).unwrap().with_functions(app().paths())
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), future).await.expect("nothing came within two minutes")
}

/// Reads results until one is as wanted.
async fn until<T: PartialEq + std::fmt::Debug>(live: &mut Subscription<T>, wanted: T) {
    let found = async {
        while let Some(result) = live.next().await {
            if result.unwrap() == wanted {
                return;
            }
        }
        panic!("the subscription has ended before {wanted:?}");
    };
    within(found).await;
}

fn all_of(rows: u32) -> ledger::State {
    ledger::State { count: rows.into(), rows: rows.into(), in_order: true }
}

fn append(client: &str, seq: u32) -> ledger::append {
    ledger::append { client: client.into(), seq: seq.into() }
}

/// Numbers that look random, the same in each run.
fn numbers(seed: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(seed), |last| {
        Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    })
    .map(|number| number >> 33)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_see_what_the_other_writes() {
    let server = Server::start();
    let (ada, bob) = (connect(&server.url()), connect(&server.url()));
    let tea = || messages::list { channel: "tea".into() };
    let (mut at_ada, mut at_bob) = (ada.subscribe(tea()), bob.subscribe(tea()));
    for live in [&mut at_ada, &mut at_bob] {
        assert_eq!(within(live.next()).await.unwrap().unwrap().len(), 0);
    }
    for round in 0..10 {
        let (writer, reader) = if round % 2 == 0 { (&ada, &mut at_bob) } else { (&bob, &mut at_ada) };
        let body = format!("round {round}");
        let id = within(writer.mutation(messages::send { channel: "tea".into(), body: body.clone() }))
            .await
            .unwrap();
        loop {
            let rows = within(reader.next()).await.unwrap().unwrap();
            if rows.first().is_some_and(|row| row._id == id && row.body == body) {
                assert_eq!(rows.len(), round + 1);
                break;
            }
        }
    }
    // Whoever wrote sees it as soon as the call has ended.
    let id =
        within(ada.mutation(messages::send { channel: "tea".into(), body: "mine".into() })).await.unwrap();
    let rows = at_ada.newest().unwrap().unwrap();
    assert_eq!(rows[0]._id, id);
    within(ada.mutation(messages::remove { id })).await.unwrap();
    assert_eq!(at_ada.newest().unwrap().unwrap().len(), 10);
    assert_eq!(within(bob.query(tea())).await.unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_mutations_over_a_cut_connection_are_a_thousand_rows() {
    let server = Server::start();
    // A burst of requests takes some 40 KB, so that each connection gets somewhere.
    let budgets = numbers(1).map(|number| 50_000 + number % 50_000).take(100);
    let proxy = Proxy::start(server.port(), budgets).await;
    let client = connect(&proxy.url());
    let mut live = client.subscribe(ledger::state { client: "a".into() });
    let calls: Vec<_> = (0..1_000).map(|seq| client.mutation(append("a", seq))).collect();
    for call in within(join_all(calls)).await {
        call.unwrap();
    }
    assert!(proxy.cuts() >= 3, "{} cuts", proxy.cuts());
    until(&mut live, all_of(1_000)).await;
    let direct = connect(&server.url());
    assert_eq!(within(direct.query(ledger::state { client: "a".into() })).await, Ok(all_of(1_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_anywhere_in_a_conversation_loses_nothing_and_repeats_nothing() {
    let server = Server::start();
    let converse = async |cut_after: Option<usize>| {
        let proxy = Proxy::start(server.port(), cut_after.into_iter()).await;
        let client = connect(&proxy.url());
        let name = format!("{cut_after:?}");
        let mut counter = client.subscribe(counters::get { name: name.clone() });
        let first = client.mutation(counters::add { name: name.clone(), by: 1.0 });
        let second = client.mutation(counters::add { name: name.clone(), by: 10.0 });
        let list = client.subscribe(messages::list { channel: name.clone() });
        let sent = client.mutation(messages::send { channel: name.clone(), body: "a".into() });
        let failed = client.mutation(errors::data { data: Value::from("closed") });
        assert_eq!(within(first).await, Ok(1.0), "cut after {cut_after:?}");
        assert_eq!(within(second).await, Ok(11.0), "cut after {cut_after:?}");
        let id = within(sent).await.unwrap();
        let failed = within(failed).await.unwrap_err();
        assert_eq!(failed.data().unwrap().decode::<String>().unwrap(), "closed");
        within(client.mutation(messages::remove { id })).await.unwrap();
        assert_eq!(list.newest().unwrap().unwrap().len(), 0, "cut after {cut_after:?}");
        until(&mut counter, 11.0).await;
        assert_eq!(within(client.query(counters::get { name })).await, Ok(11.0), "cut after {cut_after:?}");
        proxy.cuts()
    };
    assert_eq!(converse(None).await, 0);
    let cuts = join_all((0..60).map(|at| converse(Some(100 + at * 61)))).await;
    let cut = cuts.iter().sum::<usize>();
    assert!(cut >= 40, "{cut} of 60 conversations were cut: {cuts:?}");
}

/// A list as a user interface keeps it: told of changes alone.
#[derive(Default)]
struct Shown(Vec<(String, String)>);

impl Shown {
    /// Takes in the next changes, which must make of the list what it is now; what they were.
    async fn follow(&mut self, live: &mut Changes<Vec<Doc<Message>>>) -> Vec<Change> {
        let update = within(live.next()).await.unwrap().unwrap();
        let row = |row: Doc<Message>| (row._id.to_string(), Doc::into_value(row).body);
        let element = |index| row(update.element(index).unwrap().unwrap());
        for change in &update.changes {
            match *change {
                Change::Removed { index } => drop(self.0.remove(index)),
                Change::Moved { from, to } => {
                    let moved = self.0.remove(from);
                    self.0.insert(to, moved);
                }
                Change::Inserted { index } => self.0.insert(index, element(index)),
                Change::Updated { index } => self.0[index] = element(index),
                Change::Replaced => self.0 = update.value().unwrap().into_iter().map(row).collect(),
            }
        }
        let now: Vec<_> = update.value().unwrap().into_iter().map(row).collect();
        assert_eq!(self.0, now, "after {:?}", update.changes);
        update.changes
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_long_list_costs_what_changed() {
    let server = Server::start();
    let writer = connect(&server.url());
    let say = |body: String| writer.mutation(messages::send { channel: "long".into(), body });
    let ids = within(join_all((0..500).map(|at| say(format!("{at:0300}"))))).await;
    let proxy = Proxy::start(server.port(), std::iter::empty()).await;
    let reader = connect(&proxy.url());
    let mut live = reader.subscribe(messages::list { channel: "long".into() }).changes();
    let mut shown = Shown::default();
    assert_eq!(shown.follow(&mut live).await, [Change::Replaced]);
    let whole = proxy.passed();
    assert!(whole > 500 * 300);
    within(say("the newest".into())).await.unwrap();
    assert_eq!(shown.follow(&mut live).await, [Change::Inserted { index: 0 }]);
    let id = *ids[250].as_ref().unwrap();
    within(writer.mutation(messages::remove { id })).await.unwrap();
    assert_eq!(shown.follow(&mut live).await, [Change::Removed { index: 250 }]);
    let costs = proxy.passed() - whole;
    assert!(costs < whole / 50, "two changes took {costs} bytes, the whole list {whole}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_lead_from_list_to_list_also_over_a_cut_connection() {
    let server = Server::start();
    // The first ones are used up early, however few bytes the changes take; later ones hold the whole list.
    let budgets = [4_000, 12_000, 30_000].into_iter();
    let budgets = budgets.chain(numbers(7).map(|number| 60_000 + number % 20_000));
    let proxy = Proxy::start(server.port(), budgets).await;
    let (writer, reader) = (connect(&server.url()), connect(&proxy.url()));
    let mut live = reader.subscribe(messages::list { channel: "m".into() }).changes();
    let mut shown = Shown::default();
    let mut ids = Vec::new();
    for number in numbers(3).take(400) {
        if ids.len() < 30 || number % 3 > 0 {
            let body = "x".repeat(number % 200);
            ids.push(within(writer.mutation(messages::send { channel: "m".into(), body })).await.unwrap());
        } else {
            let id = ids.swap_remove(number / 3 % ids.len());
            within(writer.mutation(messages::remove { id })).await.unwrap();
        }
        if number % 5 == 0 && number % 7 > 0 {
            // Not told of every step: whatever came since the last look comes at once, or is on its way.
            if let Some(changes) = futures::FutureExt::now_or_never(shown.follow(&mut live)) {
                drop(changes);
            }
        }
    }
    // A state on the way may have as many rows as the last.
    let mut there: Vec<String> = ids.iter().map(ToString::to_string).collect();
    there.sort_unstable();
    let ids_of = |shown: &Shown| {
        let mut ids: Vec<_> = shown.0.iter().map(|(id, _)| id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    while ids_of(&shown) != there {
        shown.follow(&mut live).await;
    }
    let stored = within(writer.query(messages::list { channel: "m".into() })).await.unwrap();
    let stored: Vec<_> =
        stored.into_iter().map(|row| (row._id.to_string(), Doc::into_value(row).body)).collect();
    assert_eq!(shown.0, stored);
    assert!(proxy.cuts() >= 3, "{} cuts", proxy.cuts());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_comes_back_with_everything_done_once() {
    let mut server = Server::start();
    let client = connect(&server.url());
    let mut live = client.subscribe(ledger::state { client: "k".into() });
    let mut seq = 0;
    for _ in 0..3 {
        let calls: Vec<_> = (seq..seq + 200).map(|seq| client.mutation(append("k", seq))).collect();
        seq += 200;
        let mut calls = calls.into_iter();
        // The server has done some of them when it dies, and has not answered all.
        within(calls.next().unwrap()).await.unwrap();
        server.kill();
        let mut state = client.connection();
        let away = |state: &ConnectionState| matches!(state, ConnectionState::Waiting { .. });
        within(state.wait_for(away)).await.unwrap();
        server.launch();
        for call in within(join_all(calls)).await {
            call.unwrap();
        }
        until(&mut live, all_of(seq)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_right_key_opens_internal_functions() {
    let server = Server::start();
    let (status, key) = run(&["keys", "create"], &server.data());
    assert!(status.success(), "{key}");
    let client = connect(&server.url());
    within(client.mutation(counters::add { name: "c".into(), by: 1.0 })).await.unwrap();
    let hidden = within(client.mutation(counters::reset_all {})).await.unwrap_err();
    assert!(hidden.to_string().contains("Could not find public function"), "{hidden}");
    client.set_admin("admin|wrong");
    let refused = within(client.mutation(counters::reset_all {})).await.unwrap_err();
    assert_eq!(refused.code(), "Unauthenticated", "{refused}");
    let key = key.lines().find(|line| line.contains('|')).unwrap().trim();
    client.set_admin(key);
    within(client.mutation(counters::reset_all {})).await.unwrap();
    client.clear_auth();
    assert_eq!(within(client.query(counters::get { name: "c".into() })).await, Ok(0.0));
    // This server knows no identity provider, so a fresh token does not help.
    client.set_auth(|_| async { Some("a.b.c".to_owned()) });
    let refused = within(client.query(counters::get { name: "c".into() })).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused(_)), "{refused}");
}
