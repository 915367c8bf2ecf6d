//! The backups that clients are fetching: each holds its snapshot until the client says that the file is safe.
//!
//! Guarantee: a hold that nobody fetches or confirms for [`IDLE`] is let go.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use data_encoding::HEXLOWER;
use hull_engine::Hold;
use parking_lot::Mutex;
use rand::TryRng;
use rand::rngs::SysRng;

/// How long a hold waits for its client.
const IDLE: Duration = Duration::from_secs(300);
/// Backups at a time.
const MOST: usize = 4;

/// All backups under way.
#[derive(Default)]
pub(crate) struct Backups(Mutex<HashMap<String, Waiting>>);

/// A hold, and how many times something was asked of it.
struct Waiting {
    hold: Hold,
    asked: u64,
    streaming: bool,
}

impl Backups {
    /// Takes in a hold; `None` when there are too many, or there is no randomness.
    pub(crate) fn begin(self: &Arc<Backups>, hold: Hold) -> Option<String> {
        let mut bytes = [0; 16];
        SysRng.try_fill_bytes(&mut bytes).ok()?;
        let id = HEXLOWER.encode(&bytes);
        let mut backups = self.0.lock();
        if backups.len() >= MOST {
            return None;
        }
        backups.insert(id.clone(), Waiting { hold, asked: 0, streaming: false });
        drop(backups);
        self.expect(&id);
        Some(id)
    }

    /// The hold, to be streamed; [`Backups::streamed`] says when that is over.
    pub(crate) fn stream(&self, id: &str) -> Option<Hold> {
        let mut backups = self.0.lock();
        let waiting = backups.get_mut(id)?;
        (waiting.asked, waiting.streaming) = (waiting.asked + 1, true);
        Some(waiting.hold.clone())
    }

    /// The stream has ended; the client has some time to say that the file is safe.
    pub(crate) fn streamed(self: &Arc<Backups>, id: &str) {
        if let Some(waiting) = self.0.lock().get_mut(id) {
            waiting.streaming = false;
        }
        self.expect(id);
    }

    /// Ends a backup.
    pub(crate) fn end(&self, id: &str) -> Option<Hold> {
        self.0.lock().remove(id).map(|waiting| waiting.hold)
    }

    /// Ends all of them.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    /// Ends a backup when nothing is asked of it for a while.
    fn expect(self: &Arc<Backups>, id: &str) {
        let (backups, id) = (Arc::downgrade(self), id.to_owned());
        let asked = self.0.lock().get(&id).map_or(0, |waiting| waiting.asked);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            let Some(backups) = Weak::upgrade(&backups) else { return };
            let mut backups = backups.0.lock();
            if backups.get(&id).is_some_and(|waiting| waiting.asked == asked && !waiting.streaming) {
                backups.remove(&id);
            }
        });
    }
}
