//! Memory for postings that one search leaves to the next: to get megabytes anew, page by page, takes as long as to fill
//! them. Eight MiB are kept at most.

use std::ops::{Deref, DerefMut};

use parking_lot::Mutex;

use super::posting::Columns;

const KEPT: usize = 4;
/// Each takes 32 bytes.
const KEPT_POSTINGS: usize = 1 << 16;

/// Columns that nobody uses.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Columns>>);

/// Columns that are left to others when they are dropped.
pub(super) struct Buffer<'a> {
    of: &'a Buffers,
    columns: Columns,
}

impl Buffers {
    /// Empty columns.
    pub(super) fn get(&self) -> Buffer<'_> {
        Buffer { of: self, columns: self.0.lock().pop().unwrap_or_default() }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let mut columns = std::mem::take(&mut self.columns);
        columns.clear();
        let mut kept = self.of.0.lock();
        if columns.ids.capacity() <= KEPT_POSTINGS && kept.len() < KEPT {
            kept.push(columns);
        }
    }
}

impl Deref for Buffer<'_> {
    type Target = Columns;

    fn deref(&self) -> &Columns {
        &self.columns
    }
}

impl DerefMut for Buffer<'_> {
    fn deref_mut(&mut self) -> &mut Columns {
        &mut self.columns
    }
}
