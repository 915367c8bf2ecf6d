//! Counting the documents of a table.

use crate::engine::Engine;
use crate::error::TxError;

impl Engine {
    /// How many documents a table has now; a table that is not there has none. The number is at hand, unless the table is
    /// still being counted after a start: then its keys are read.
    pub fn count(&self, table: &str) -> Result<u64, TxError> {
        self.begin().table_count(table)
    }
}
