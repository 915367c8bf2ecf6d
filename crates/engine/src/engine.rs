//! The engine: what a process holds of one database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hull_value::Timestamp;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::catalog::{Catalog, TableInfo};
use crate::checkpoint::Checkpoints;
use crate::clock::{Clock, Entropy};
use crate::commit::CommitState;
use crate::directory::DirectoryLock;
use crate::error::{BeginError, OpenError, TxError};
use crate::hold::Holds;
use crate::key::Keyspace;
use crate::line::Lines;
use crate::log::{CommitLog, DurableEvent};
use crate::options::Options;
use crate::overlap::CommitKeys;
use crate::overlay::Residency;
use crate::search::Buffers;
use crate::snapshot::Snapshots;
use crate::storage::Storage;
use crate::transaction::Transaction;

/// A database: tables, snapshots, transactions. Cloning is cheap; all clones are the same database.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("ordered", &self.ordered()).finish_non_exhaustive()
    }
}

/// Which state a transaction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAt {
    /// The newest that is synced: what may be shown to anybody.
    Durable,
    /// The newest there is.
    Ordered,
    /// The one at this timestamp.
    Exactly(Timestamp),
}

/// What became durable together.
#[derive(Clone, Debug)]
pub enum Group {
    /// These commits, in order, and with them everything up to `durable_to`.
    Durable {
        /// The commits.
        commits: Vec<Arc<CommitKeys>>,
        /// Everything up to here is durable.
        durable_to: Timestamp,
    },
    /// The log has failed: nothing will become durable any more.
    Failed(String),
}

/// Called with every group, in order, from the log's thread.
pub type GroupCallback = Box<dyn Fn(&Group) + Send + Sync>;

/// What all clones of an engine and all its transactions share.
pub(crate) struct Inner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) log: Arc<dyn CommitLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Entropy,
    pub(crate) memory_budget: u64,
    pub(crate) background: bool,
    pub(crate) history_budget: u64,
    pub(crate) commit: Mutex<CommitState>,
    pub(crate) ordered: AtomicU64,
    pub(crate) durable: AtomicU64,
    /// Chains may be trimmed of what nothing at or above this can see.
    pub(crate) trim_floor: AtomicU64,
    pub(crate) failed: AtomicBool,
    pub(crate) snapshots: Arc<Snapshots>,
    catalogs: RwLock<Vec<(Timestamp, Arc<Catalog>)>>,
    pub(crate) system: Vec<Arc<TableInfo>>,
    pub(crate) checkpoints: Mutex<Checkpoints>,
    /// Held for reading while the blocks of a search index are walked, and for writing while they change.
    pub(crate) blocks: RwLock<()>,
    /// What searches read postings into.
    pub(crate) search_buffers: Buffers,
    pub(crate) holds: Arc<Holds>,
    /// The last backup that is recorded; 0 when there is none.
    pub(crate) backup_ts: AtomicU64,
    group_callbacks: RwLock<Vec<GroupCallback>>,
    pub(crate) lines: Lines,
    pub(crate) commits: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) checkpoints_done: AtomicU64,
    pub(crate) checkpoint_ts: AtomicU64,
    pub(crate) dirty_bytes: AtomicU64,
    pub(crate) storage_failures: AtomicU64,
    /// The store must be opened again before the next write.
    pub(crate) storage_failed: AtomicBool,
    pub(crate) schema_change: Mutex<()>,
    /// The keyspaces of the hidden tables that an import fills, and how many claim each: imports that begin at once may
    /// try the same one, and all but one try again. What is hidden and not here belongs to nobody.
    pub(crate) importing: Mutex<HashMap<Keyspace, u32>>,
    pub(crate) end: Arc<End>,
    /// Held while the data directory is open.
    pub(crate) directory: Mutex<Option<DirectoryLock>>,
    /// The last field, so that it is dropped after the storage and the lock.
    pub(crate) closed: Closed,
}

/// Tells the background thread to end.
#[derive(Debug, Default)]
pub(crate) struct End {
    state: Mutex<EndState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct EndState {
    told: bool,
    running: bool,
}

impl End {
    fn tell(&self) {
        self.state.lock().told = true;
        self.wake.notify_all();
    }

    /// The thread begins or has ended.
    pub(crate) fn set_running(&self, running: bool) {
        self.state.lock().running = running;
        self.wake.notify_all();
    }

    /// Waits until the thread has ended.
    fn join(&self) {
        let mut state = self.state.lock();
        while state.running {
            self.wake.wait(&mut state);
        }
    }

    /// Waits; returns whether it is time to end.
    pub(crate) fn wait(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        if !state.told {
            self.wake.wait_for(&mut state, pause);
        }
        state.told
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end.tell();
    }
}

/// Tells whether a database is still open; it does not keep it open.
#[derive(Clone, Debug)]
pub struct EngineWatch(Arc<AtomicBool>);

impl EngineWatch {
    /// Whether all clones and transactions of the database are gone, so that its directory can be opened again.
    pub fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Says when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Closed(Arc<AtomicBool>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Engine {
    /// What tells later whether this database is still open.
    pub fn watch(&self) -> EngineWatch {
        EngineWatch(self.inner.closed.0.clone())
    }

    /// Opens a database over a storage and a log, replaying what storage lacks.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let background = options.background;
        let inner = Arc::new(Inner::new(options));
        inner.recover()?;
        let weak: Weak<Inner> = Arc::downgrade(&inner);
        inner.log.on_durable(Box::new(move |event| {
            if let Some(inner) = weak.upgrade() {
                inner.on_durable(event);
                // The last owner closes the log and waits for its threads, of which this is one.
                if let Some(last) = Arc::into_inner(inner) {
                    let _ = std::thread::Builder::new().name("hull-close".into()).spawn(move || drop(last));
                }
            }
        }));
        // What became durable before the callback was set.
        inner.on_durable(&DurableEvent::Durable(inner.log.durable()));
        if background {
            crate::maintenance::start(&inner)?;
        }
        Ok(Self { inner })
    }

    /// Begins a transaction at the newest commit.
    pub fn begin(&self) -> Transaction {
        self.inner.begin_ordered()
    }

    /// Begins a transaction that only reads.
    pub fn begin_read(&self, at: ReadAt) -> Result<Transaction, BeginError> {
        let inner = &self.inner;
        if inner.failed.load(Ordering::Acquire) {
            return Err(BeginError::LogFailed);
        }
        let newest = self.ordered();
        if let ReadAt::Exactly(at) = at
            && at > newest
        {
            return Err(BeginError::InTheFuture { at, newest });
        }
        let snapshot = inner.snapshots.register(|| match at {
            ReadAt::Durable => self.durable(),
            ReadAt::Ordered => self.ordered(),
            ReadAt::Exactly(at) => at,
        });
        let snapshot = snapshot.map_err(|(at, oldest)| BeginError::OutOfRetention { at, oldest })?;
        let catalog = inner.catalog_at(snapshot.ts());
        Ok(Transaction::new(inner.clone(), snapshot, catalog, true))
    }

    /// The timestamp of the newest commit.
    pub fn ordered(&self) -> Timestamp {
        self.inner.ordered()
    }

    /// The timestamp up to which every commit is durable.
    pub fn durable(&self) -> Timestamp {
        Timestamp(self.inner.durable.load(Ordering::Acquire))
    }

    /// Whether the log has failed: then nothing is answered any more.
    pub fn has_failed(&self) -> bool {
        self.inner.failed.load(Ordering::Acquire)
    }

    /// Calls `f` with every group of commits that becomes durable, in order, from the log's thread. It must be short.
    pub fn on_group(&self, f: GroupCallback) {
        self.inner.group_callbacks.write().push(f);
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The schema in Convex's JSON form, if one was applied.
    pub fn schema_json(&self) -> Option<String> {
        self.inner.newest_catalog().schema_json.clone()
    }

    /// The names of all tables, sorted.
    pub fn tables(&self) -> Vec<String> {
        let mut names: Vec<String> = self.inner.newest_catalog().tables().map(|t| t.name.clone()).collect();
        names.sort();
        names
    }

    /// Whether the schema declares this table.
    pub fn is_declared(&self, table: &str) -> bool {
        self.inner.newest_catalog().schema.as_ref().is_some_and(|schema| schema.get(table).is_some())
    }

    /// Stops: commits are refused from now on, what was committed becomes durable, and a checkpoint of bounded length
    /// leaves little to replay. The data directory is let go
    /// when the last clone and transaction are gone.
    pub fn shutdown(&self) {
        let inner = &self.inner;
        inner.end.tell();
        inner.commit.lock().closed = true;
        // A failure has been told through the group callback already.
        let _ = inner.log.sync();
        inner.end.join();
        inner.last_checkpoint();
    }
}

impl Inner {
    fn new(options: Options) -> Self {
        let names = [
            ("_catalog", Keyspace::CATALOG),
            ("_sessions", Keyspace::SESSIONS),
            ("_admin_keys", Keyspace::ADMIN_KEYS),
            ("_notes", Keyspace::NOTES),
        ];
        let system =
            names.into_iter().map(|(name, k)| TableInfo::system(name, k, Residency::Partial)).collect();
        Self {
            storage: options.storage,
            log: options.log,
            clock: options.clock,
            entropy: Entropy::new(options.seed),
            memory_budget: options.memory_budget,
            background: options.background,
            history_budget: options.memory_budget / 16,
            commit: Mutex::new(CommitState::default()),
            ordered: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            trim_floor: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            snapshots: Arc::new(Snapshots::default()),
            catalogs: RwLock::new(vec![(Timestamp(0), Arc::new(Catalog::default()))]),
            system,
            checkpoints: Mutex::new(Checkpoints::default()),
            blocks: RwLock::new(()),
            search_buffers: Buffers::default(),
            holds: Arc::default(),
            backup_ts: AtomicU64::new(0),
            group_callbacks: RwLock::new(Vec::new()),
            lines: Lines::default(),
            commits: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            checkpoints_done: AtomicU64::new(0),
            checkpoint_ts: AtomicU64::new(0),
            dirty_bytes: AtomicU64::new(0),
            storage_failures: AtomicU64::new(0),
            storage_failed: AtomicBool::new(false),
            schema_change: Mutex::new(()),
            importing: Mutex::default(),
            end: Arc::default(),
            directory: Mutex::new(None),
            closed: Closed::default(),
        }
    }

    pub(crate) fn ordered(&self) -> Timestamp {
        Timestamp(self.ordered.load(Ordering::Acquire))
    }

    pub(crate) fn begin_ordered(self: &Arc<Self>) -> Transaction {
        // The floor is never above what is ordered, so that the second try at the latest succeeds.
        let snapshot = loop {
            if let Ok(snapshot) = self.snapshots.register(|| self.ordered()) {
                break snapshot;
            }
        };
        let catalog = self.catalog_at(snapshot.ts());
        Transaction::new(self.clone(), snapshot, catalog, false)
    }

    /// One of the engine's own keyspaces.
    pub(crate) fn system(&self, keyspace: Keyspace) -> Result<Arc<TableInfo>, TxError> {
        let found = self.system.iter().find(|t| t.by_id == keyspace);
        found
            .cloned()
            .ok_or_else(|| TxError::InvalidDocument(format!("{keyspace:?} is no keyspace of the engine")))
    }

    pub(crate) fn newest_catalog(&self) -> Arc<Catalog> {
        self.catalogs.read().last().map(|(_, c)| c.clone()).unwrap_or_default()
    }

    pub(crate) fn catalog_at(&self, ts: Timestamp) -> Arc<Catalog> {
        let catalogs = self.catalogs.read();
        catalogs.iter().rev().find(|(since, _)| *since <= ts).map(|(_, c)| c.clone()).unwrap_or_default()
    }

    /// Makes a catalog the newest one. Dropped indexes stay readable for older snapshots.
    pub(crate) fn publish_catalog(&self, ts: Timestamp, catalog: Catalog) {
        for table in catalog.tables().chain(catalog.hidden()) {
            table.store.add_indexes(&table.specs());
            table.store.counters.declare(&table.aggregates, ts);
            table.store.add_searches(&table.search_specs());
        }
        self.catalogs.write().push((ts, Arc::new(catalog)));
    }

    /// Forgets catalogs that no snapshot at or above `floor` can see; returns whether only the newest is left.
    pub(crate) fn trim_catalogs(&self, floor: Timestamp) -> bool {
        let mut catalogs = self.catalogs.write();
        let drop = catalogs.partition_point(|(since, _)| *since <= floor).saturating_sub(1);
        catalogs.drain(..drop);
        catalogs.len() == 1
    }

    fn on_durable(&self, event: &DurableEvent) {
        let group = match event {
            DurableEvent::Durable(ts) => {
                // Under the commit lock, so that what became durable is ordered and in the overlay.
                let mut state = self.commit.lock();
                let count = state.undelivered.partition_point(|c| c.ts <= *ts);
                let commits: Vec<_> = state.undelivered.drain(..count).collect();
                if self.durable.fetch_max(ts.0, Ordering::AcqRel) >= ts.0 && commits.is_empty() {
                    return;
                }
                drop(state);
                Group::Durable { commits, durable_to: *ts }
            }
            DurableEvent::Failed(reason) => {
                self.failed.store(true, Ordering::Release);
                Group::Failed(reason.clone())
            }
        };
        for callback in self.group_callbacks.read().iter() {
            callback(&group);
        }
    }
}
