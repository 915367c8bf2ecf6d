//! One insert at a time, seen by every subscriber of one query of 50 rows.

use crate::connection::Connection;
use crate::measure::{Meter, window};
use crate::messages::{self, Answer};
use crate::transfer::Caller;
use crate::{Common, Failure};
use clap::Args;
use memchr::memmem::find;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

#[derive(Args)]
pub(crate) struct Fanout {
    #[command(flatten)]
    common: Common,
    /// Connections that subscribe.
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Characters of each row's body; 50 rows are then about 10 KB.
    #[arg(long, default_value_t = 85)]
    body: usize,
    /// Bytes of what the relay broadcasts.
    #[arg(long, default_value_t = 10_000)]
    bytes: usize,
}

/// The insert that subscribers wait for.
struct Current {
    marker: RefCell<String>,
    started: Cell<Instant>,
    reached: Cell<usize>,
    wanted: usize,
    all: Notify,
}

impl Fanout {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = self.common.path_or("/room");
        let meter = Rc::new(Meter::default());
        let current = Rc::new(Current {
            marker: RefCell::new("insert-0000000000".to_owned()),
            started: Cell::new(Instant::now()),
            reached: Cell::new(0),
            wanted: self.subscribers,
            all: Notify::new(),
        });
        let mut publisher = if self.common.relay {
            Publisher::Relay(Connection::open(self.common.address(), &path).await?, self.bytes)
        } else {
            Publisher::Server(Caller::open(&self.common, &path).await?, self.body)
        };
        if !self.common.relay {
            for _ in 0..50 {
                publisher.insert("insert-0000000000").await?;
            }
        }
        for number in 0..self.subscribers {
            let mut connection = Connection::open(self.common.address(), &path).await?;
            if self.common.relay {
                connection.queue(format!("J{number} ").as_bytes());
            } else {
                connection.queue(messages::connect(number).as_bytes());
                connection.queue(messages::subscribe("messages:latest", r#"{"channel":"bench"}"#).as_bytes());
            }
            connection.flush().await?;
            let (meter, current, relay) = (meter.clone(), current.clone(), self.common.relay);
            tokio::task::spawn_local(async move {
                if let Err(error) = subscriber(connection, relay, &meter, &current).await {
                    meter.give_up(error);
                }
            });
        }
        current.everyone().await?;
        let (publishing, shared) = (meter.clone(), current.clone());
        let publisher = tokio::task::spawn_local(async move {
            let outcome = async {
                for number in 1u64.. {
                    if publishing.stopping() {
                        break;
                    }
                    let marker = format!("insert-{number:010}");
                    shared.marker.replace(marker.clone());
                    shared.reached.set(0);
                    let start = Instant::now();
                    shared.started.set(start);
                    publisher.insert(&marker).await?;
                    shared.everyone().await?;
                    publishing.operation(start.elapsed());
                }
                Ok::<(), Failure>(())
            };
            if let Err(error) = outcome.await {
                publishing.give_up(error);
            }
        });
        let settings = json!({ "subscribers": self.subscribers });
        let figures = window(&self.common, &meter, "fanout", settings).await?;
        publisher.await?;
        figures.finish(&self.common)
    }
}

enum Publisher {
    Server(Caller, usize),
    Relay(Connection, usize),
}

impl Publisher {
    async fn insert(&mut self, marker: &str) -> Result<(), Failure> {
        match self {
            Self::Server(caller, length) => {
                let padding = "x".repeat(length.saturating_sub(marker.len() + 1));
                let args = format_args!(r#"{{"channel":"bench","body":"{marker} {padding}"}}"#);
                caller.call("messages:send", args).await?;
            }
            Self::Relay(connection, bytes) => {
                let padding = "x".repeat(bytes.saturating_sub(marker.len() + 3));
                connection.queue(format!("B {marker} {padding}").as_bytes());
                connection.flush().await?;
                connection.receive(|_| {}).await?;
            }
        }
        Ok(())
    }
}

impl Current {
    /// Waits until every subscriber has seen the current insert.
    async fn everyone(&self) -> Result<(), Failure> {
        while self.reached.get() < self.wanted {
            let waited = tokio::time::timeout(Duration::from_secs(30), self.all.notified()).await;
            if waited.is_err() {
                let (reached, wanted) = (self.reached.get(), self.wanted);
                return Err(format!("after 30 s {reached} of {wanted} subscribers have the new rows").into());
            }
        }
        Ok(())
    }
}

async fn subscriber(
    mut connection: Connection,
    relay: bool,
    meter: &Meter,
    current: &Current,
) -> Result<(), Failure> {
    let mut problem = None;
    loop {
        connection.flush().await?;
        connection
            .receive(|text| {
                let kind = if relay { Answer::Updated } else { messages::classify(text) };
                match kind {
                    Answer::Updated
                        if text == b"ok" || find(text, current.marker.borrow().as_bytes()).is_some() =>
                    {
                        meter.delivery(current.started.get().elapsed(), text.len());
                        current.reached.set(current.reached.get() + 1);
                        if current.reached.get() == current.wanted {
                            current.all.notify_one();
                        }
                    }
                    Answer::QueryFailed | Answer::Fatal => {
                        problem = Some(String::from_utf8_lossy(text).into_owned());
                    }
                    _ => {}
                }
            })
            .await?;
        if let Some(problem) = problem {
            return Err(problem.into());
        }
    }
}
