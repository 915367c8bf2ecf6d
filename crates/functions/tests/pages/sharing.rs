//! Who shares the runs of a page, and with which end: subscribers of different times and identities.

use std::sync::Arc;
use std::time::Duration;

use hull_functions::{Identity, PaginationResult, TestApp, TestSession, UserIdentity};
use hull_value::Packed;

use crate::app::{add, cut, page, page_now, page_own};
use crate::{app, first, run};

async fn put(app: &TestApp, rank: f64) {
    app.mutation(add { list: "l".into(), rank, n: rank }).await.unwrap();
}

async fn page_of(session: &mut TestSession, query: u32) -> Vec<f64> {
    session.step().await;
    session.value::<PaginationResult<f64>>(query).unwrap().page
}

fn user(name: &str) -> Identity {
    Identity::User(Arc::new(UserIdentity {
        token_identifier: format!("test|{name}"),
        issuer: "test".into(),
        subject: name.into(),
        attributes: Packed::empty_object(),
    }))
}

#[test]
fn subscribers_of_the_same_page_share_its_runs_and_a_newcomer_begins_afresh() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        let put = async |rank: f64| app.mutation(add { list: "l".into(), rank, n: rank }).await.unwrap();
        for n in 0..6 {
            put(f64::from(n)).await;
        }
        let ask = || page { list: "l".into(), pagination_opts: first(3) };
        app.settled().await;
        app.take_reruns();
        let mut sessions = Vec::new();
        for _ in 0..3 {
            let mut session = app.session();
            session.subscribe(ask()).unwrap();
            session.step().await;
            sessions.push(session);
        }
        app.query(ask()).await.unwrap();
        let reruns = app.take_reruns();
        assert_eq!(reruns.len(), 1, "one run for all while its result holds: {reruns:?}");

        put(0.5).await;
        for session in &mut sessions {
            session.step().await;
            assert_eq!(session.value::<PaginationResult<f64>>(0).unwrap().page, [0.0, 0.5, 1.0, 2.0]);
        }
        assert_eq!(app.take_reruns().len(), 1);
        let mut newcomer = app.session();
        newcomer.subscribe(ask()).unwrap();
        newcomer.step().await;
        assert_eq!(newcomer.value::<PaginationResult<f64>>(0).unwrap().page, [0.0, 0.5, 1.0]);
        assert_eq!(app.take_reruns().len(), 1);
        sessions.push(newcomer);

        // Two that began at different times and end at the same place are one from the next change on.
        let mut latest = app.session();
        app.mutation(cut { list: "l".into(), rank: 0.5 }).await.unwrap();
        app.settled().await;
        latest.subscribe(ask()).unwrap();
        latest.step().await;
        sessions.push(latest);
        app.settled().await;
        app.take_reruns();
        put(0.25).await;
        app.settled().await;
        // Of those that end behind 2 there are four; one ends behind 1.
        assert_eq!(app.take_reruns().len(), 2);
        for session in &mut sessions {
            session.step().await;
        }
        let pages: Vec<Vec<f64>> =
            sessions.iter().map(|s| s.value::<PaginationResult<f64>>(0).unwrap().page).collect();
        let long = vec![0.0, 0.25, 1.0, 2.0];
        assert_eq!(pages, [long.clone(), long.clone(), long.clone(), vec![0.0, 0.25, 1.0], long]);
    });
}

#[test]
fn pages_keep_their_ends_when_somebody_else_signs_in() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        for n in 0..6 {
            put(&app, f64::from(n)).await;
        }
        app.settled().await;
        let ask = |pagination_opts| page_own { list: "l".into(), pagination_opts };
        let mut session = app.with_identity(user("ada")).session();
        let one = session.subscribe(ask(first(3))).unwrap();
        session.step().await;
        let cursor = session.value::<PaginationResult<f64>>(one).unwrap().continue_cursor;
        let two = session.subscribe(ask(first(3).after(cursor))).unwrap();
        assert_eq!(page_of(&mut session, one).await, [0.0, 1.0, 2.0]);
        assert_eq!(page_of(&mut session, two).await, [3.0, 4.0, 5.0]);
        // Bob sees fewer rows; his own first page would reach further.
        session.live().set_identity(user("bob"));
        assert_eq!(page_of(&mut session, one).await, [0.0, 2.0]);
        assert_eq!(page_of(&mut session, two).await, [4.0]);
        let mut newcomer = app.with_identity(user("bob")).session();
        newcomer.subscribe(ask(first(3))).unwrap();
        assert_eq!(page_of(&mut newcomer, 0).await, [0.0, 2.0, 4.0]);
        // Each goes on with its own end.
        put(&app, 0.5).await;
        put(&app, -2.0).await;
        assert_eq!(page_of(&mut session, one).await, [-2.0, 0.0, 2.0]);
        assert_eq!(page_of(&mut newcomer, 0).await, [-2.0, 0.0, 2.0, 4.0]);

        // Of those for whom it is the same, one run is for all.
        let mut others = Vec::new();
        for name in ["ada", "ada", "eve"] {
            let mut other = app.with_identity(user(name)).session();
            other.subscribe(ask(first(2))).unwrap();
            other.step().await;
            others.push(other);
        }
        session.unsubscribe(one);
        drop(newcomer);
        app.settled().await;
        app.take_reruns();
        put(&app, -4.0).await;
        for other in &mut others {
            assert_eq!(page_of(other, 0).await, [-4.0, -2.0, 0.0]);
        }
        assert_eq!(app.take_reruns().len(), 2);
    });
}

#[test]
fn a_page_that_looks_at_the_time_keeps_its_end_when_a_newcomer_finds_it_old() {
    run(async {
        let app = TestApp::new(app::app()).unwrap();
        for n in 0..6 {
            put(&app, f64::from(n)).await;
        }
        app.settled().await;
        let ask = || page_now { list: "l".into(), pagination_opts: first(3) };
        app.take_reruns();
        let mut first = app.session();
        first.subscribe(ask()).unwrap();
        assert_eq!(page_of(&mut first, 0).await, [0.0, 1.0, 2.0]);
        app.advance(Duration::from_secs(20));
        let mut second = app.session();
        second.subscribe(ask()).unwrap();
        assert_eq!(page_of(&mut second, 0).await, [0.0, 1.0, 2.0]);
        // One run for the newcomer, and one for whom the old result was for, now with its journal.
        assert_eq!(app.take_reruns().len(), 3);
        put(&app, 0.5).await;
        for session in [&mut first, &mut second] {
            assert_eq!(page_of(session, 0).await, [0.0, 0.5, 1.0, 2.0]);
        }
        assert_eq!(app.take_reruns().len(), 1);
    });
}
