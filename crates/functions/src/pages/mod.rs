//! Pages of a query: what is asked for and answered, where pages begin and end, and what seals that.

mod cursor;
mod journal;
mod options;
mod seal;

pub(crate) use cursor::{Fingerprint, Position};
pub(crate) use journal::{Journal, PageEnd};
pub(crate) use options::{MAX_PAGE, Wanted};
pub use options::{PageStatus, PaginationOptions, PaginationResult};
pub(crate) use seal::Cursors;
