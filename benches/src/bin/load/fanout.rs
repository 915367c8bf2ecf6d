//! One insert at a time, seen by every subscriber of one query of 50 rows.

use crate::connection::Connection;
use crate::measure::{Meter, window};
use crate::messages::{self, Answer};
use crate::transfer::Caller;
use crate::{Common, Failure};
use clap::Args;
use memchr::memmem::find;
use serde_json::{Value, json};
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

/// The change that subscribers wait for.
struct Current {
    marker: RefCell<String>,
    started: Cell<Instant>,
    reached: Cell<usize>,
    wanted: usize,
    all: Notify,
}

/// The change that everybody has when they have the first result.
pub(crate) const FIRST: &str = "change-0000000000";

impl Fanout {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = self.common.path_or("/room");
        let publisher = if self.common.relay {
            Publisher::Relay(Connection::open(self.common.address(), &path).await?, self.bytes)
        } else {
            let length = self.body;
            let request = move |marker: &str| {
                let padding = "x".repeat(length.saturating_sub(marker.len() + 1));
                ("messages:send", format!(r#"{{"channel":"bench","body":"{marker} {padding}"}}"#))
            };
            let mut publisher =
                Publisher::Server(Caller::open(&self.common, &path).await?, Box::new(request));
            for _ in 0..50 {
                publisher.publish(FIRST).await?;
            }
            publisher
        };
        let audience = Audience {
            subscribers: self.subscribers,
            path,
            query: messages::subscribe("messages:latest", r#"{"channel":"bench"}"#),
        };
        let settings = json!({ "subscribers": self.subscribers });
        audience.measure(&self.common, publisher, "fanout", settings).await
    }
}

/// Who is told.
pub(crate) struct Audience {
    pub(crate) subscribers: usize,
    pub(crate) path: String,
    /// The message that subscribes.
    pub(crate) query: String,
}

impl Audience {
    /// Publishes one change after the other, each when everybody has the last.
    pub(crate) async fn measure(
        self,
        common: &Common,
        mut publisher: Publisher,
        scenario: &str,
        settings: Value,
    ) -> Result<(), Failure> {
        let meter = Rc::new(Meter::default());
        let current = Rc::new(Current {
            marker: RefCell::new(FIRST.to_owned()),
            started: Cell::new(Instant::now()),
            reached: Cell::new(0),
            wanted: self.subscribers,
            all: Notify::new(),
        });
        for number in 0..self.subscribers {
            let mut connection = Connection::open(common.address(), &self.path).await?;
            if common.relay {
                connection.queue(format!("J{number} ").as_bytes());
            } else {
                connection.queue(messages::connect(number).as_bytes());
                connection.queue(self.query.as_bytes());
            }
            connection.flush().await?;
            let (meter, current, relay) = (meter.clone(), current.clone(), common.relay);
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
                    let marker = format!("change-{number:010}");
                    shared.marker.replace(marker.clone());
                    shared.reached.set(0);
                    let start = Instant::now();
                    shared.started.set(start);
                    publisher.publish(&marker).await?;
                    shared.everyone().await?;
                    publishing.operation(start.elapsed());
                }
                Ok::<(), Failure>(())
            };
            if let Err(error) = outcome.await {
                publishing.give_up(error);
            }
        });
        let figures = window(common, &meter, scenario, settings).await?;
        publisher.await?;
        figures.finish(common)
    }
}

/// Makes a mutation's path and arguments of a change's marker.
pub(crate) type Request = Box<dyn Fn(&str) -> (&'static str, String)>;

pub(crate) enum Publisher {
    Server(Caller, Request),
    /// Broadcasts so many bytes.
    Relay(Connection, usize),
}

impl Publisher {
    async fn publish(&mut self, marker: &str) -> Result<(), Failure> {
        match self {
            Self::Server(caller, request) => {
                let (path, args) = request(marker);
                caller.call(path, format_args!("{args}")).await?;
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
    /// Waits until every subscriber has seen the current change.
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
