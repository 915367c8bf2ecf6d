//! Bare sled's side: the same transfer as two gets by key and one batch of two puts, each durable after a real sync.
//!
//! hull-engine replaces the call that sled flushes with by `fdatasync` in this whole program, so a flush here is as
//! durable as Hull's.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use sled::{Batch, Db};

use crate::report::{Counter, Figures};
use crate::{Failure, Settings, fresh};

/// How writers reach the disk.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// One thread applies everybody's batches, one `apply_batch` each, and flushes once for a group.
    Group,
    /// One thread makes one batch of a whole group, applies and flushes it.
    OneBatch,
    /// Each writer applies and flushes its own batch.
    Alone,
}

/// All ways.
pub(crate) const WAYS: [Way; 3] = [Way::Group, Way::OneBatch, Way::Alone];

/// The most transfers of a group.
const GROUP: usize = 512;

type Pairs = Arc<Vec<(u32, u32)>>;
type Task = ((u32, u32), SyncSender<()>);

/// Transfers by as many writers as the settings say.
pub(crate) fn transfers(settings: &Settings, pairs: &Pairs, way: Way) -> Result<Figures, Failure> {
    let directory = fresh(settings)?;
    let db = open(directory.path(), settings)?;
    let counter = Arc::new(Counter::default());
    let mut threads: Vec<JoinHandle<Result<(), Failure>>> = Vec::new();
    let name = match way {
        Way::Group => "sled, group commit, a batch each",
        Way::OneBatch => "sled, group commit, one batch",
        Way::Alone => "sled, each writer flushes",
    };
    let stride = pairs.len() / settings.clients;
    let (sender, receiver) = sync_channel::<Task>(GROUP);
    let locks = Arc::new(Mutex::new(()));
    for number in 0..settings.clients {
        let (pairs, counter, db) = (pairs.clone(), counter.clone(), db.clone());
        let (sender, locks) = (sender.clone(), locks.clone());
        threads.push(std::thread::spawn(move || {
            let (done, finished) = sync_channel(1);
            for at in number * stride.. {
                if counter.stopping() {
                    break;
                }
                let pair = pairs[at % pairs.len()];
                if matches!(way, Way::Alone) {
                    {
                        let _alone = locks.lock();
                        let mut batch = Batch::default();
                        add(&db, &mut batch, pair)?;
                        db.apply_batch(batch)?;
                    }
                    db.flush()?;
                } else {
                    sender.send((pair, done.clone()))?;
                    finished.recv()?;
                }
                counter.add(1);
            }
            Ok(())
        }));
    }
    drop(sender);
    if !matches!(way, Way::Alone) {
        threads.push(std::thread::spawn(move || commit(&db, &receiver, way)));
    }
    let figures = counter.measure(&format!("{name}, {} writers", settings.clients), settings.window());
    for thread in threads {
        thread.join().map_err(|_| "a writer panicked")??;
    }
    Ok(figures)
}

/// The committer: takes what waits, applies it, flushes once, answers.
fn commit(db: &Db, receiver: &Receiver<Task>, way: Way) -> Result<(), Failure> {
    while let Ok(first) = receiver.recv() {
        let group: Vec<Task> = std::iter::once(first).chain(receiver.try_iter().take(GROUP - 1)).collect();
        if matches!(way, Way::OneBatch) {
            let mut latest = std::collections::HashMap::new();
            for (pair, _) in &group {
                let moved = transfer(*pair, |account| match latest.get(&account) {
                    Some(row) => Ok(Some(*row)),
                    None => read(db, account),
                })?;
                latest.extend(moved.into_iter().flatten());
            }
            let mut batch = Batch::default();
            for (account, row) in &latest {
                batch.insert(&key(*account), &row[..]);
            }
            db.apply_batch(batch)?;
        } else {
            for (pair, _) in &group {
                let mut batch = Batch::default();
                add(db, &mut batch, *pair)?;
                db.apply_batch(batch)?;
            }
        }
        db.flush()?;
        for (_, done) in group {
            done.send(())?;
        }
    }
    Ok(())
}

/// A row as large as the measured application's.
type Row = [u8; 100];

fn key(account: u32) -> [u8; 16] {
    // As spread as ids made by many writers.
    let spread = u64::from(account).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&spread.to_be_bytes());
    key[8..12].copy_from_slice(&account.to_be_bytes());
    key
}

fn read(db: &Db, account: u32) -> Result<Option<Row>, Failure> {
    Ok(db.get(key(account))?.and_then(|row| Row::try_from(&row[..]).ok()))
}

fn balance(row: &Row) -> f64 {
    row.first_chunk().map_or(0.0, |bits| f64::from_le_bytes(*bits))
}

fn with_balance(mut row: Row, balance: f64) -> Row {
    row[..8].copy_from_slice(&balance.to_le_bytes());
    row
}

/// Both rows after a transfer of one, if both are there.
fn transfer(
    (from, to): (u32, u32),
    mut read: impl FnMut(u32) -> Result<Option<Row>, Failure>,
) -> Result<Option<[(u32, Row); 2]>, Failure> {
    let (Some(source), Some(target)) = (read(from)?, read(to)?) else { return Ok(None) };
    Ok(Some([
        (from, with_balance(source, balance(&source) - 1.0)),
        (to, with_balance(target, balance(&target) + 1.0)),
    ]))
}

fn add(db: &Db, batch: &mut Batch, pair: (u32, u32)) -> Result<(), Failure> {
    for (account, row) in transfer(pair, |account| read(db, account))?.into_iter().flatten() {
        batch.insert(&key(account), &row[..]);
    }
    Ok(())
}

fn open(directory: &Path, settings: &Settings) -> Result<Db, Failure> {
    let db = sled::Config::new().path(directory).flush_every_ms(None).cache_capacity(256 << 20).open()?;
    for accounts in (0..settings.accounts).collect::<Vec<_>>().chunks(GROUP) {
        let mut batch = Batch::default();
        for account in accounts {
            batch.insert(&key(*account), &with_balance([0; 100], 1e9)[..]);
        }
        db.apply_batch(batch)?;
        db.flush()?;
    }
    Ok(db)
}
