//! What the measuring programs share: the CPU clock of another process, a latency histogram, the file limit.
//!
//! The programs are `relay` (the unit U), `load` (the load generator) and `bench-server` (the measured application).

pub mod histogram;
pub mod process;
