//! Both halves against each other over a wire that is cut at every event: each mutation is applied once, each
//! request ends once, every snapshot is whole, and every subscription is right again.

// A test says that something is wrong by failing.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, LazyLock};

use hull_sync::{
    ClientEvent, ClientSession, ClientVersion, Credential, Effect, Failure, Instant, Outgoing,
    OutgoingFrames, QueryResult, QueryState, RequestOutcome, Session, SessionId, SubscriptionId,
};
use hull_value::{Packed, Timestamp};

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The database: what was applied, when, and the records that make it happen once.
#[derive(Default)]
struct Backend {
    ordered: u64,
    durable: u64,
    applied: Vec<(u64, u32)>,
    records: HashMap<(SessionId, u32), (u32, u64, String)>,
}

impl Backend {
    fn run(&mut self, session: SessionId, request: u32) -> (u64, String) {
        let slot = (session, request % 1_024);
        if let Some((recorded, ts, result)) = self.records.get(&slot)
            && *recorded >= request
        {
            assert_eq!(*recorded, request, "a record that a replay needs is gone");
            return (*ts, result.clone());
        }
        self.ordered += 10;
        self.applied.push((self.ordered, request));
        let result = (request * 2).to_string();
        self.records.insert(slot, (request, self.ordered, result.clone()));
        (self.ordered, result)
    }

    fn count(&self, ts: u64) -> usize {
        self.applied.iter().filter(|(at, _)| *at <= ts).count()
    }
}

/// What every query returns after so many mutations; long enough for diffs to pay.
fn result(count: usize) -> Packed {
    static RESULTS: LazyLock<Vec<Packed>> = LazyLock::new(|| {
        let row = |n: usize, count: usize| {
            format!(r#"{{"_id":"row {n}","body":"number {n}","last":{}}}"#, n == count + 3)
        };
        let rows = |count| (0..4 + count).map(|n| row(n, count)).collect::<Vec<_>>().join(",");
        (0..=16)
            .map(|count| {
                Packed::from_json(&format!(r#"{{"count":{count},"rows":[{}]}}"#, rows(count))).unwrap()
            })
            .collect()
    });
    RESULTS[count].clone()
}

/// Another digit somewhere in a diff, if the message has one.
fn damage(text: &str, random: &mut Random) -> Option<String> {
    let start = text.find(r#""QueryDiff""#)?;
    let end = start + text[start..].find(r#","logLines""#)?;
    let digits: Vec<usize> = (start..end).filter(|at| text.as_bytes()[*at].is_ascii_digit()).collect();
    // The query's own number is no part of the diff.
    let first = text[start..].find(r#""base""#)? + start;
    let at = *digits.iter().filter(|at| **at > first).nth(random.below(40) as usize)?;
    let digit = char::from(b'1' + random.below(9) as u8);
    Some(format!("{}{digit}{}", &text[..at], &text[at + 1..]))
}

/// One connection: the server's half, and what is on the wire.
struct Connection {
    server: Session<()>,
    session: Option<SessionId>,
    live: BTreeSet<SubscriptionId>,
    to_server: VecDeque<String>,
    to_client: VecDeque<Result<String, [u8; 8]>>,
    pongs: VecDeque<[u8; 8]>,
    finished: VecDeque<(u32, u64, Option<String>)>,
}

struct World {
    random: Random,
    backend: Backend,
    client: ClientSession,
    connection: Option<Connection>,
    ms: u64,
    ends: BTreeMap<u32, RequestOutcome>,
    queries: Vec<u32>,
    script: VecDeque<Act>,
    /// Whether the server tells diffs, some of which are damaged on their way.
    diffs: bool,
    damaged: usize,
}

enum Act {
    Subscribe,
    Unsubscribe,
    Mutate,
    Fail,
    Action,
    Authenticate,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut script = VecDeque::from([Act::Subscribe, Act::Subscribe]);
        for round in 0..8 {
            script.extend([Act::Mutate, Act::Mutate]);
            match round % 4 {
                0 => script.push_back(Act::Fail),
                1 => script.extend([Act::Action, Act::Authenticate]),
                2 => script.push_back(Act::Subscribe),
                _ => script.push_back(Act::Unsubscribe),
            }
        }
        Self {
            random: Random(seed * 2 + 1),
            backend: Backend { ordered: 10, durable: 10, ..Backend::default() },
            client: ClientSession::new(SessionId([3; 16])),
            connection: None,
            ms: 0,
            ends: BTreeMap::new(),
            queries: Vec::new(),
            script,
            diffs: seed % 2 == 1,
            damaged: 0,
        }
    }

    fn now(&self) -> Instant {
        Instant { monotonic_ms: self.ms, unix_ns: self.ms * 1_000_000 }
    }

    fn connect(&mut self) {
        let version = ClientVersion::from_header("npm-1.48.0").unwrap();
        let mut server = Session::new(version, (), Timestamp(self.backend.durable), self.now());
        if self.diffs {
            server.tell_diffs();
        }
        self.client.connected(1);
        self.connection = Some(Connection {
            server,
            session: None,
            live: BTreeSet::new(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            pongs: VecDeque::new(),
            finished: VecDeque::new(),
        });
    }

    fn cut(&mut self) {
        self.connection = None;
        self.client.disconnected("cut");
        self.events();
    }

    fn act(&mut self) {
        match self.script.pop_front() {
            Some(Act::Subscribe) => self.queries.push(self.client.subscribe("m:count", "{}")),
            Some(Act::Unsubscribe) => self.client.unsubscribe(self.queries.remove(0)),
            Some(Act::Mutate) => drop(self.client.mutate("m:add", "{}")),
            Some(Act::Fail) => drop(self.client.mutate("m:fail", "{}")),
            Some(Act::Action) => drop(self.client.act("m:act", "{}")),
            Some(Act::Authenticate) => {
                self.client.authenticate(Credential::Admin { key: "name|secret".into(), acting_as: None });
            }
            None => {}
        }
    }

    /// One event, chosen at random.
    fn turn(&mut self) {
        self.ms += 100;
        let now = self.now();
        let choice = self.random.below(8);
        if choice == 0 {
            self.act();
        }
        if choice == 1 {
            self.backend.durable = self.backend.ordered;
        }
        let Some(connection) = &mut self.connection else { return self.connect() };
        let server = &mut connection.server;
        server.durable(Timestamp(self.backend.durable));
        while let Some(message) = self.client.next_message() {
            connection.to_server.push_back(message);
        }
        match choice {
            2 => {
                if let Some(message) = connection.to_server.pop_front() {
                    server.receive(&message, now);
                }
            }
            3 => match connection.to_client.pop_front() {
                Some(Ok(text)) => {
                    let text = match self.random.below(4) {
                        0 => damage(&text, &mut self.random).inspect(|_| self.damaged += 1).unwrap_or(text),
                        _ => text,
                    };
                    self.client.receive(&text).unwrap();
                    self.events();
                }
                Some(Err(ping)) => connection.pongs.push_back(ping),
                None => {}
            },
            4 => {
                if let Some(pong) = connection.pongs.pop_front() {
                    server.receive_pong(&pong, now);
                }
            }
            5 => match server.next_effect() {
                Some(Effect::Connected { session, .. }) => connection.session = Some(session),
                Some(Effect::Subscribe { subscription, .. }) => drop(connection.live.insert(subscription)),
                Some(Effect::Unsubscribe { subscription }) => assert!(connection.live.remove(&subscription)),
                Some(Effect::RunMutation { request, path, .. }) if path.function() == "fail" => {
                    connection.finished.push_back((request, self.backend.ordered, None));
                }
                Some(Effect::RunMutation { request, .. }) => {
                    let (ts, result) = self.backend.run(connection.session.unwrap(), request);
                    connection.finished.push_back((request, ts, Some(result)));
                }
                Some(Effect::RunAction { request, .. }) => server.action_finished(request, Ok("7"), &[]),
                Some(Effect::Authenticate { .. }) => server.authenticated((), now),
                None => {
                    if let Some((request, ts, result)) = connection.finished.pop_front() {
                        let failure = Failure::new("no");
                        server.mutation_finished(
                            request,
                            Timestamp(ts),
                            result.as_deref().ok_or(&failure),
                            &[],
                        );
                    }
                }
            },
            6 => {
                let ts = self.backend.durable;
                let result = Arc::new(QueryResult::updated(result(self.backend.count(ts)), &[], None));
                server.step(Timestamp(ts), connection.live.iter().map(|id| (*id, Arc::clone(&result))));
            }
            7 => {
                let mut out = OutgoingFrames::new();
                server.flush(now, &mut out);
                for frame in out.iter() {
                    connection.to_client.push_back(match frame {
                        Outgoing::Text(text) => Ok(text.to_owned()),
                        Outgoing::Ping(payload) => Err(payload),
                        Outgoing::Close(close) => panic!("{close:?}"),
                    });
                }
            }
            _ => {}
        }
    }

    fn shown(&self) -> Vec<u64> {
        let value = |query: &u32| match self.client.result(*query)? {
            QueryState::Value(value) => {
                let count =
                    value.as_object().and_then(|fields| fields.get("count")?.as_float64()).unwrap() as u64;
                assert_eq!(value, &result(count as usize), "nothing is shown that was not a result");
                Some(count)
            }
            QueryState::Error { message, .. } => panic!("{message}"),
        };
        self.queries.iter().filter_map(value).collect()
    }

    fn events(&mut self) {
        while let Some(event) = self.client.next_event() {
            match event {
                ClientEvent::Updated { ts, .. } => {
                    // All queries ask the same, so a whole snapshot shows one number.
                    let shown = self.shown();
                    let fresh = self.client.version().query_set > 0;
                    assert!(!fresh || shown.iter().all(|count| *count == self.backend.count(ts.0) as u64));
                }
                ClientEvent::Finished { request, outcome, .. } => {
                    if let RequestOutcome::Value(value) = &outcome
                        && value != "7"
                    {
                        assert_eq!(*value, (request * 2).to_string());
                        let at =
                            self.backend.applied.iter().position(|(_, applied)| *applied == request).unwrap();
                        assert!(
                            self.shown().iter().all(|count| *count > at as u64),
                            "a client reads its own write"
                        );
                    }
                    assert_eq!(self.ends.insert(request, outcome), None, "a request ends once");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn is_done(&self) -> bool {
        let shown = self.shown();
        self.script.is_empty()
            && !self.client.has_unfinished()
            && shown.len() == self.queries.len()
            && shown.iter().all(|count| *count == self.backend.applied.len() as u64)
    }

    /// Runs to the end, cutting the wire at these events; how many events it took, and how many diffs were damaged.
    fn run(mut self, cuts: &[u64]) -> (u64, usize) {
        let mut turns = 0;
        while !self.is_done() {
            self.turn();
            turns += 1;
            if cuts.contains(&turns) {
                self.cut();
            }
            assert!(turns < 20_000, "it never ends");
        }
        let applied: Vec<u32> = self.backend.applied.iter().map(|(_, request)| *request).collect();
        assert!(applied.is_sorted_by(|a, b| a < b), "each once and in order: {applied:?}");
        assert_eq!(applied.len(), 16);
        assert_eq!(self.ends.len(), 16 + 2 + 2);
        for (request, outcome) in &self.ends {
            match outcome {
                RequestOutcome::Value(value) => assert!(value == "7" || applied.contains(request)),
                RequestOutcome::Error { message, data } => {
                    assert_eq!((message.as_str(), data), ("no", &None))
                }
                RequestOutcome::Lost => assert!(!applied.contains(request)),
            }
        }
        (turns, self.damaged)
    }
}

#[test]
fn without_cuts_everything_ends() {
    let damaged: usize = (0..50).map(|seed| World::new(seed).run(&[]).1).sum();
    assert!(damaged > 10, "clients get over it");
}

#[test]
fn a_cut_at_every_event_changes_nothing_that_a_client_may_see() {
    for seed in 0..4 {
        let (turns, _) = World::new(seed).run(&[]);
        for cut in 1..turns {
            World::new(seed).run(&[cut]);
        }
    }
}

#[test]
fn many_cuts_change_nothing_either() {
    for seed in 0..300 {
        let mut random = Random(seed + 77);
        let mut at = 0;
        let cuts: Vec<u64> = std::iter::from_fn(|| {
            at += 1 + random.below(200);
            Some(at)
        })
        .take(12)
        .collect();
        World::new(seed).run(&cuts);
    }
}
