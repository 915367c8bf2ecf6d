//! Reads of storage on threads of an asynchronous runtime.
//!
//! Functions read what is resident inline. A read that goes down to storage may wait for a disk; on a runtime with
//! several threads its thread is given up for that long, so that other tasks go on. Elsewhere it simply blocks.

use std::sync::Arc;

use hull_engine::storage::{Batch, Chunk, Storage, StorageError, StorageStats};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Wraps a storage so that a runtime is told of reads that may wait: for `DirOptions::wrap_storage`.
pub fn blocking_storage(storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
    Arc::new(Blocking(storage))
}

struct Blocking(Arc<dyn Storage>);

fn blocking<R>(read: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(read),
        _ => read(),
    }
}

impl Storage for Blocking {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        blocking(|| self.0.get(key))
    }

    fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<Chunk, StorageError> {
        blocking(|| self.0.range(start, end, reverse, limit_keys, limit_bytes))
    }

    fn apply(&self, batch: Batch) -> Result<(), StorageError> {
        self.0.apply(batch)
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.0.sync()
    }

    fn reopen(&self) -> Result<(), StorageError> {
        self.0.reopen()
    }

    fn stats(&self) -> StorageStats {
        self.0.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull_engine::storage::MemoryStorage;

    fn reads() {
        let storage = blocking_storage(Arc::new(MemoryStorage::new()));
        let mut batch = Batch::new();
        batch.put(vec![1], vec![2]);
        storage.apply(batch).unwrap();
        assert_eq!(storage.get(&[1]).unwrap(), Some(vec![2]));
        assert_eq!(storage.range(&[], None, false, 10, 10).unwrap().entries.len(), 1);
    }

    #[test]
    fn reads_block_where_there_is_no_runtime() {
        reads();
    }

    #[tokio::test]
    async fn reads_block_where_the_runtime_has_one_thread() {
        reads();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn reads_give_up_their_thread_where_it_has_several() {
        reads();
        tokio::spawn(async { reads() }).await.unwrap();
    }
}
