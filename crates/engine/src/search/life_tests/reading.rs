//! Snapshots, readers and writers.

use super::*;

#[test]
fn a_snapshot_sees_the_postings_of_its_state() {
    for seed in 0..3 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut disk = Disk::new();
        let mut engine = disk.open_with_schema(seed);
        let mut state = State::new();
        let mut snapshots: Vec<(Transaction, State)> = Vec::new();
        for step in 0..400 {
            disk.clock.advance(rng.random_range(0..2_000_000_000));
            match rng.random_range(0..20) {
                0..8 => drop(write(&engine, &mut state, &mut rng)),
                8..13 => {
                    wait_durable(&engine);
                    engine.checkpoint_step().unwrap();
                }
                13 => drop(engine.maintain().unwrap()),
                14..16 => snapshots.push((engine.begin(), state.clone())),
                16..18 if !snapshots.is_empty() => {
                    let (tx, then) = &snapshots[rng.random_range(0..snapshots.len())];
                    check(tx, then, &mut rng);
                }
                18 if !snapshots.is_empty() => {
                    let (tx, then) = snapshots.swap_remove(rng.random_range(0..snapshots.len()));
                    check(&tx, &then, &mut rng);
                }
                19 if step % 5 == 0 => {
                    wait_durable(&engine);
                    snapshots.clear();
                    drop(engine);
                    disk.lose_power(&mut rng);
                    engine = disk.open(1000 * (seed + 1) + step).unwrap();
                }
                _ => check(&engine.begin(), &state, &mut rng),
            }
        }
        snapshots.drain(..).for_each(|(tx, then)| check(&tx, &then, &mut rng));
        assert_eq!(documents(&mut engine.begin()), state);
        // With nothing left to be seen but the newest, storage has all of it and the overlay nothing.
        disk.clock.advance(40_000_000_000);
        write(&engine, &mut state, &mut rng);
        wait_durable(&engine);
        engine.maintain().unwrap();
        engine.checkpoint().unwrap();
        let tx = engine.begin();
        let stores = tx.catalog.table("t").unwrap().store.searches();
        engine.checkpoint().unwrap();
        check(&tx, &state, &mut rng);
        let bytes: Vec<_> = stores.iter().map(|store| store.bytes()).collect();
        assert_eq!(bytes, [0, 0], "seed {seed}");
    }
}

#[test]
fn readers_are_right_while_checkpoints_and_writers_go_on() {
    let disk = Disk::new();
    let engine = disk.open_with_schema(5);
    let mut state = State::new();
    let mut rng = SmallRng::seed_from_u64(3);
    for _ in 0..150 {
        write(&engine, &mut state, &mut rng);
    }
    let done = AtomicBool::new(false);
    let until_done = |mut step: Box<dyn FnMut() + Send>| {
        let done = &done;
        move || {
            while !done.load(Atomic::Acquire) {
                step();
            }
        }
    };
    std::thread::scope(|scope| {
        let engine = &engine;
        let read_on = || {
            let mut tx = engine.begin();
            let state = documents(&mut tx);
            for index in [Index::Text, Index::User] {
                let all = Terms::Prefix("");
                assert_eq!(read(&tx, index, all, None), expected(&state, index, all, None));
            }
        };
        let others = [
            scope.spawn(until_done(Box::new(read_on))),
            scope.spawn(until_done(Box::new(read_on))),
            scope.spawn(until_done(Box::new(|| {
                engine.maintain().unwrap();
                engine.checkpoint_step().unwrap();
            }))),
        ];
        for _ in 0..400 {
            disk.clock.advance(100_000_000);
            write(engine, &mut state, &mut rng);
        }
        done.store(true, Atomic::Release);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    check(&engine.begin(), &state, &mut rng);
}

#[test]
fn writers_of_the_same_words_do_not_meet() {
    let engine = Disk::new().open_with_schema(1);
    let row = |text: &str| {
        let row = Row { text: Some(text.into()), user: "ann".into(), other: 0.0, created: 0.0 };
        object(&row)
    };
    let (mut first, mut second) = (engine.begin(), engine.begin());
    first.insert("t", &row("the same words")).unwrap();
    second.insert("t", &row("the same words")).unwrap();
    engine.commit(first).unwrap();
    engine.commit(second).unwrap();
    let both = read(&engine.begin(), Index::Text, Terms::Exact("same"), None);
    assert_eq!(both["same"].0, 2);
}

#[test]
fn a_write_that_changes_neither_text_nor_filters_says_nothing_of_the_index() {
    let disk = Disk::new();
    let engine = disk.open_with_schema(1);
    let row = Row { text: Some("Some words".into()), user: "ann".into(), other: 0.0, created: 0.0 };
    let mut tx = engine.begin();
    let id = tx.insert("t", &object(&row)).unwrap();
    let keyspace = Index::Text.spec(&tx).keyspace;
    let searched = |committed: crate::Committed| {
        let keys = committed.keys.unwrap();
        keys.iter().filter(|(k, _, _)| *k == keyspace).count()
    };
    assert_eq!(searched(engine.commit(tx).unwrap()), 2);
    let patch = |field: &str, value: ValueRef<'_>| {
        let mut tx = engine.begin();
        tx.patch(id, &[(field, Some(value))]).unwrap();
        searched(engine.commit(tx).unwrap())
    };
    assert_eq!(patch("other", ValueRef::Float64(1.0)), 0);
    assert_eq!(patch("text", ValueRef::String("some WORDS!")), 0);
    assert_eq!(patch("text", ValueRef::String("other words")), 3);
    assert_eq!(patch("user", ValueRef::String("bob")), 4);
}

#[test]
fn an_index_that_is_filled_beside_writers_has_every_document_once() {
    for seed in 0..4 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let engine = disk.open(seed).unwrap();
        let mut plain = schema();
        plain.tables[0].search_indexes.clear();
        engine.apply_schema(&plain, &mut |_| {}).unwrap();
        let mut state = State::new();
        for _ in 0..300 {
            write(&engine, &mut state, &mut rng);
        }
        wait_durable(&engine);
        let early = engine.begin_read(ReadAt::Ordered).unwrap();
        // Between any two pages there are writers, and steps of checkpoints.
        let apply = engine.apply_schema(&schema(), &mut |_| {
            for _ in 0..5 {
                write(&engine, &mut state, &mut rng);
            }
            wait_durable(&engine);
            engine.checkpoint_step().unwrap();
        });
        apply.unwrap();
        drop(early);
        check(&engine.begin(), &state, &mut rng);
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        check(&engine.begin(), &state, &mut rng);
        drop(engine);
        check(&disk.open(seed).unwrap().begin(), &state, &mut rng);
    }
}
