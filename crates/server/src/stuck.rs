//! A mutation that keeps its thread, and with it the task of its connection.
//!
//! Guarantee: the client is answered all the same. The watchdog's thread writes the failure and a close frame to the
//! socket past the task, and shuts the socket down, so the task ends when it wakes. What it had still to write is
//! lost to this connection; a client asks for it again on the next one.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hull_functions::{FunctionError, OnStuck};
use hull_sync::{Close, MessageSink};
use hull_value::Timestamp;
use parking_lot::Mutex;

use crate::backend::failure;
use crate::outgoing::Outgoing;

/// Sees to it that the mutations of one connection are answered for.
pub(crate) struct Watch {
    stuck: Arc<Stuck>,
    /// The same for every mutation.
    tell: Arc<dyn Fn(u64, FunctionError) + Send + Sync>,
}

/// The socket of one connection, as the watchdog reaches it.
struct Stuck {
    stream: Mutex<Option<TcpStream>>,
    /// Whether the task stopped between two frames.
    between_frames: AtomicBool,
}

impl Watch {
    /// Takes a second handle of a connection's socket.
    pub(crate) fn new(stream: &impl AsFd) -> Watch {
        let stream = match stream.as_fd().try_clone_to_owned() {
            Ok(stream) => Some(TcpStream::from(stream)),
            Err(error) => {
                tracing::warn!(%error, "a mutation that keeps its thread could not be answered");
                None
            }
        };
        let stuck = Arc::new(Stuck { stream: Mutex::new(stream), between_frames: AtomicBool::new(true) });
        let told = Arc::clone(&stuck);
        Watch { stuck, tell: Arc::new(move |request, error| told.answer(request, &error)) }
    }

    /// What a mutation is given: whom to tell that it keeps its thread.
    pub(crate) fn watch(&self, request: u32, between_frames: bool) -> OnStuck {
        self.stuck.between_frames.store(between_frames, Ordering::Release);
        OnStuck { token: u64::from(request), tell: Arc::clone(&self.tell) }
    }
}

impl Stuck {
    fn answer(&self, request: u64, error: &FunctionError) {
        let Some(mut stream) = self.stream.lock().take() else { return };
        if self.between_frames.load(Ordering::Acquire)
            && let Ok(request) = u32::try_from(request)
        {
            let mut frames = Outgoing::default();
            hull_sync::mutation_response(frames.begin(256), request, Timestamp(0), Err(&failure(error)), &[]);
            frames.end();
            frames.close(Close::internal("a function kept its thread for too long"));
            // Non-blocking like its twin: a client that does not read now learns it by the lost connection.
            if let Err(error) = stream.write_all(frames.waiting()) {
                tracing::debug!(%error, "a client could not be told that its mutation keeps its thread");
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
}
