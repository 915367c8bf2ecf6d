//! Counting the documents of a table: no counter is kept, the table is read.

use crate::engine::Engine;
use crate::error::TxError;
use crate::key::{key, successor};
use crate::rows::Rows;

/// Documents looked at in one step, during which nobody writes to the table.
const CHUNK: usize = 256;

impl Engine {
    /// How many documents a table has now; a table that is not there has none. Reads the table.
    pub fn count(&self, table: &str) -> Result<u64, TxError> {
        let transaction = self.begin();
        let Some(table) = transaction.catalog.table(table).cloned() else { return Ok(0) };
        let (mut start, mut count) = (key(b""), 0);
        let mut rows = Rows::default();
        loop {
            let ts = transaction.snapshot();
            rows.clear();
            let covered =
                self.inner.scan(&table, table.by_id, (&start, None), false, CHUNK, ts, &mut rows)?;
            count += rows.reads.iter().flatten().count() as u64;
            match covered {
                Some(last) => start = successor(&last),
                None => return Ok(count),
            }
        }
    }
}
