//! Other clients: they ask for something small all the time, and how long they wait is noted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use benches::histogram::Histogram;
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::Failure;

/// How often another client asks.
const EVERY: Duration = Duration::from_millis(10);
/// The accounts that they use.
pub(crate) const ACCOUNTS: u32 = 1_000;

/// A connection over HTTP.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn new(address: &str) -> Result<Client, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Client(BufReader::new(stream)))
    }

    pub(crate) fn call(&mut self, kind: &str, path: &str, args: &str) -> Result<(), Failure> {
        let body = format!(r#"{{"path":"{path}","args":{args},"format":"json"}}"#);
        let head = format!("POST /api/{kind} HTTP/1.1\r\nhost: hull\r\ncontent-type: application/json\r\n");
        write!(self.0.get_mut(), "{head}content-length: {}\r\n\r\n{body}", body.len())?;
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err("the server has closed a connection".into());
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        if answer.contains(r#""status":"success""#) { Ok(()) } else { Err(answer.into()) }
    }
}

/// Another client, and how long it waits for its answers.
pub(crate) struct Other {
    waits: Arc<Mutex<Histogram>>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Other {
    pub(crate) fn start(address: &str, kind: &'static str, stop: &Arc<AtomicBool>) -> Result<Other, Failure> {
        let waits = Arc::new(Mutex::new(Histogram::default()));
        let (mut client, all, stop) = (Client::new(address)?, waits.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut random = SmallRng::seed_from_u64(2);
            while !stop.load(Ordering::Relaxed) {
                let (from, to) = (random.random_range(0..ACCOUNTS), random.random_range(0..ACCOUNTS));
                let (path, args) = match kind {
                    "query" => ("accounts:get_account", format!(r#"{{"id":{from}}}"#)),
                    _ => ("transfer:transfer", format!(r#"{{"amount":1,"from_id":{from},"to_id":{to}}}"#)),
                };
                let started = Instant::now();
                client.call(kind, path, &args)?;
                let waited = started.elapsed();
                all.lock().record(waited);
                std::thread::sleep(EVERY.saturating_sub(waited));
            }
            Ok(())
        });
        Ok(Other { waits, thread })
    }

    /// Forgets what was noted.
    pub(crate) fn clear(&self) {
        self.waits.lock().clear();
    }

    /// Waits for its end.
    pub(crate) fn join(self) -> Result<(), Failure> {
        self.thread.join().map_err(|_| "a client has panicked")?
    }

    /// Half of the waits, 99 of 100 and all are no longer than these, in ms.
    pub(crate) fn summary(&self) -> String {
        let waits = self.waits.lock();
        let text =
            format!("{:.1} / {:.1} / {:.0}", waits.quantile_ms(0.5), waits.quantile_ms(0.99), waits.max_ms());
        format!("{text:>26}")
    }
}
