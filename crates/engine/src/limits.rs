//! What one transaction, with everything it calls, may read and write; Convex's numbers.

/// The limits of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Documents read.
    pub documents_read: u32,
    /// Bytes read.
    pub bytes_read: u64,
    /// Distinct intervals read, after merging.
    pub intervals_read: u32,
    /// Documents written; the same one twice counts twice.
    pub documents_written: u32,
    /// Bytes written.
    pub bytes_written: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            documents_read: 32_000,
            bytes_read: 16 << 20,
            intervals_read: 4_096,
            documents_written: 16_000,
            bytes_written: 16 << 20,
        }
    }
}

impl Limits {
    /// No limits: for the engine's own work.
    pub fn none() -> Self {
        Self {
            documents_read: u32::MAX,
            bytes_read: u64::MAX,
            intervals_read: u32::MAX,
            documents_written: u32::MAX,
            bytes_written: u64::MAX,
        }
    }
}

/// What a transaction has used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Documents read.
    pub documents_read: u32,
    /// Bytes read.
    pub bytes_read: u64,
    /// Reads made: gets and scans.
    pub reads: u32,
    /// Documents written.
    pub documents_written: u32,
    /// Bytes written.
    pub bytes_written: u64,
}

/// The largest document, measured with its system fields.
pub const MAX_DOCUMENT_SIZE: usize = 1 << 20;
/// The deepest document.
pub const MAX_DOCUMENT_NESTING: usize = 16;
/// The most tables a schema or a database has.
pub const MAX_TABLES: usize = 10_000;
/// The number of the first user table.
pub const FIRST_TABLE_NUMBER: u32 = 10_001;
