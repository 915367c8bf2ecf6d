//! What the measuring programs share: the measured application, the accounts of transfers, the CPU clock of another
//! process, a latency histogram, the file limit.
//!
//! The programs are `relay` (the unit U), `load` (the load generator), `bench-server` (the measured application) and
//! `inprocess` (the same functions without sockets, beside bare sled).

pub mod application;
pub mod histogram;
pub mod pairs;
pub mod process;
