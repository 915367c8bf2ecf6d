//! Makes sled's flush durable on Linux: the one module of the workspace with unsafe code.
//!
//! sled 0.34 flushes with `sync_file_range`, which neither empties the disk's volatile cache nor writes the file's
//! size: after a power loss acknowledged data is missing, or the file cannot be opened. sled reaches the call through
//! the C library's symbol, so a function of that name in this program takes its place and calls `fdatasync`. That
//! the linker really chose ours is checked at every open: a flush must move [`count`].
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

static SYNCS: AtomicU64 = AtomicU64::new(0);

/// How often a flush of sled has called `fdatasync` since the process started.
pub(super) fn count() -> u64 {
    SYNCS.load(Ordering::Acquire)
}

/// Stands in for the C library's `sync_file_range`: the whole file is synced, whatever range was asked for.
///
/// # Safety
/// As with the function it replaces there are no pointers; a `file` that is no open descriptor is an error.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
unsafe extern "C" fn sync_file_range(
    file: libc::c_int,
    _offset: libc::off64_t,
    _length: libc::off64_t,
    _flags: libc::c_uint,
) -> libc::c_int {
    // SAFETY: `fdatasync` takes a descriptor by value and reports a bad one as an error.
    let result = unsafe { libc::fdatasync(file) };
    if result == 0 {
        SYNCS.fetch_add(1, Ordering::Release);
    }
    result
}
