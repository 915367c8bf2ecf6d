//! Many subscribers, each on ten rows of its own, while a few writers change rows of random ones.

use crate::connection::Connection;
use crate::measure::{Meter, window};
use crate::messages::{self, Answer};
use crate::transfer::Caller;
use crate::{Common, Failure};
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct Distinct {
    #[command(flatten)]
    common: Common,
    /// Connections that subscribe, each to the rows of one user.
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Connections that write, one request in flight each.
    #[arg(long, default_value_t = 16)]
    writers: usize,
    /// Rows of a user.
    #[arg(long, default_value_t = 10)]
    each: usize,
    /// Bytes of what the relay hands to a subscriber.
    #[arg(long, default_value_t = 1_600)]
    bytes: usize,
    /// The rows are there already.
    #[arg(long)]
    no_seed: bool,
    /// Subscribers select a field that nobody writes: there is nothing to deliver, and no query to run again.
    #[arg(long)]
    unwritten: bool,
}

/// When each user's rows were last written, and how many subscribers have their first result.
struct Shared {
    written: Vec<Cell<Instant>>,
    ready: Cell<usize>,
}

impl Distinct {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = self.common.path_or("/room");
        if !self.common.relay && !self.no_seed {
            let mut caller = Caller::open(&self.common, &path).await?;
            for start in (0..self.subscribers).step_by(500) {
                let users = (self.subscribers - start).min(500);
                let args = format_args!(r#"{{"start":{start},"users":{users},"each":{}}}"#, self.each);
                caller.call("items:seed", args).await?;
            }
        }
        let meter = Rc::new(Meter::default());
        let written = vec![Cell::new(Instant::now()); self.subscribers];
        let shared = Rc::new(Shared { written, ready: Cell::new(0) });
        for user in 0..self.subscribers {
            let mut connection = Connection::open(self.common.address(), &path).await?;
            if self.common.relay {
                connection.queue(format!("J{user} ").as_bytes());
            } else {
                connection.queue(messages::connect(user).as_bytes());
                let args = format!(r#"{{"user":{user}}}"#);
                let query = if self.unwritten { "items:ids_of_user" } else { "items:of_user" };
                connection.queue(messages::subscribe(query, &args).as_bytes());
            }
            connection.flush().await?;
            let (meter, shared, relay) = (meter.clone(), shared.clone(), self.common.relay);
            tokio::task::spawn_local(async move {
                if let Err(error) = subscriber(connection, user, relay, &meter, &shared).await {
                    meter.give_up(error);
                }
            });
        }
        self.wait_for_first_results(&meter, &shared).await?;
        let mut writers = Vec::new();
        for number in 0..self.writers {
            let mut connection = Connection::open(self.common.address(), &path).await?;
            if !self.common.relay {
                connection.queue(messages::connect(self.subscribers + number).as_bytes());
            }
            let (meter, shared) = (meter.clone(), shared.clone());
            let writer = Writer {
                relay: self.common.relay,
                padding: "x".repeat(self.bytes),
                random: StdRng::seed_from_u64(self.common.seed + number as u64),
            };
            writers.push(tokio::task::spawn_local(async move {
                if let Err(error) = writer.run(connection, &meter, &shared).await {
                    meter.give_up(error);
                }
            }));
        }
        let settings = json!({ "subscribers": self.subscribers, "writers": self.writers, "each": self.each, "unwritten": self.unwritten });
        let figures = window(&self.common, &meter, "distinct", settings).await?;
        for writer in writers {
            writer.await?;
        }
        figures.finish(&self.common)
    }

    async fn wait_for_first_results(&self, meter: &Meter, shared: &Shared) -> Result<(), Failure> {
        let start = Instant::now();
        while shared.ready.get() < self.subscribers && !meter.stopping() {
            if start.elapsed() > Duration::from_secs(60) {
                let ready = shared.ready.get();
                return Err(
                    format!("after 60 s {ready} of {} subscribers have a result", self.subscribers).into()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        eprintln!("  {} subscribers after {:.1} s", self.subscribers, start.elapsed().as_secs_f64());
        Ok(())
    }
}

struct Writer {
    relay: bool,
    padding: String,
    random: StdRng,
}

impl Writer {
    async fn run(
        mut self,
        mut connection: Connection,
        meter: &Meter,
        shared: &Shared,
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        let mut request = 0;
        while !meter.stopping() {
            let user = self.random.random_range(0..shared.written.len());
            if self.relay {
                connection.queue(format!("T{user} {}", self.padding).as_bytes());
            } else {
                let body = format_args!(r#"{{"user":{user},"body":"written {request:010}"}}"#);
                messages::mutation(&mut text, request, "items:touch", body);
                connection.queue(&text);
                request += 1;
            }
            let start = Instant::now();
            shared.written[user].set(start);
            let mut answered = false;
            while !answered {
                connection.flush().await?;
                connection
                    .receive(|answer| {
                        match if self.relay { Answer::Committed } else { messages::classify(answer) } {
                            Answer::Committed => {
                                answered = true;
                                meter.operation(start.elapsed());
                            }
                            Answer::Failed | Answer::Fatal => {
                                answered = true;
                                meter.failure(answer);
                            }
                            _ => {}
                        }
                    })
                    .await?;
            }
        }
        Ok(())
    }
}

async fn subscriber(
    mut connection: Connection,
    user: usize,
    relay: bool,
    meter: &Meter,
    shared: &Shared,
) -> Result<(), Failure> {
    let mut first = true;
    let mut problem = None;
    loop {
        connection.flush().await?;
        connection
            .receive(|text| match if relay { Answer::Updated } else { messages::classify(text) } {
                Answer::Updated if first => {
                    first = false;
                    shared.ready.set(shared.ready.get() + 1);
                }
                Answer::Updated => meter.delivery(shared.written[user].get().elapsed(), text.len()),
                Answer::QueryFailed | Answer::Fatal => {
                    problem = Some(String::from_utf8_lossy(text).into_owned())
                }
                _ => {}
            })
            .await?;
        if let Some(problem) = problem {
            return Err(problem.into());
        }
    }
}
