//! Transfers between accounts, in a closed loop: every client keeps a fixed number of requests in flight.

use crate::connection::Connection;
use crate::measure::{Meter, window};
use crate::messages::{self, Answer};
use crate::{Common, Failure};
use benches::pairs::{self, PAIRS};
use clap::Args;
use serde_json::json;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

#[derive(Args)]
pub(crate) struct Transfer {
    #[command(flatten)]
    common: Common,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Requests each connection keeps in flight.
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// Draws accounts by a Zipf distribution with this exponent; uniformly when absent.
    #[arg(long)]
    zipf: Option<f64>,
    /// How many accounts there are.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// What each account starts with.
    #[arg(long, default_value_t = 1_000_000_000)]
    initial: u64,
    /// The accounts are there already.
    #[arg(long)]
    no_seed: bool,
}

impl Transfer {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = self.common.path_or("/echo");
        if !self.common.relay && !self.no_seed {
            self.fill(&path).await?;
        }
        let pairs = Rc::new(pairs::draw(self.accounts, self.zipf, self.common.seed));
        let meter = Rc::new(Meter::default());
        let mut clients = Vec::new();
        for number in 0..self.clients {
            let mut connection = Connection::open(self.common.address(), &path).await?;
            if !self.common.relay {
                connection.queue(messages::connect(number).as_bytes());
            }
            let (pairs, meter) = (pairs.clone(), meter.clone());
            let (relay, in_flight, start) =
                (self.common.relay, self.in_flight, number * (PAIRS / self.clients));
            clients.push(tokio::task::spawn_local(async move {
                if let Err(error) = client(connection, &pairs, start, in_flight, relay, &meter).await {
                    meter.give_up(error);
                }
            }));
        }
        let settings = json!({
            "clients": self.clients, "in_flight": self.in_flight, "zipf": self.zipf, "accounts": self.accounts
        });
        let figures = window(&self.common, &meter, "transfer", settings).await?;
        for client in clients {
            client.await?;
        }
        figures.finish(&self.common)
    }

    /// Deletes what is there and creates the accounts.
    async fn fill(&self, path: &str) -> Result<(), Failure> {
        let mut caller = Caller::open(&self.common, path).await?;
        while caller
            .call("seed:clear_accounts", format_args!("{{}}"))
            .await?
            .is_some_and(|deleted| deleted > 0.0)
        {}
        let mut start = 0;
        while start < self.accounts {
            let count = (self.accounts - start).min(10_000);
            let initial = self.initial;
            let args = format_args!(r#"{{"start":{start},"count":{count},"initial":{initial}}}"#);
            caller.call("seed:seed_range", args).await?;
            start += count;
            eprintln!("  {start} accounts");
        }
        Ok(())
    }
}

async fn client(
    mut connection: Connection,
    pairs: &[(u32, u32)],
    mut at: usize,
    in_flight: usize,
    relay: bool,
    meter: &Meter,
) -> Result<(), Failure> {
    let mut sent = VecDeque::with_capacity(in_flight);
    let (mut text, mut request, mut fatal) = (Vec::new(), 0u32, None);
    while !(meter.stopping() && sent.is_empty()) {
        if sent.len() < in_flight && !meter.stopping() {
            let now = Instant::now();
            while sent.len() < in_flight {
                let (from, to) = pairs[at % PAIRS];
                messages::transfer(&mut text, request, from, to);
                connection.queue(&text);
                sent.push_back(now);
                request += 1;
                at += 1;
            }
        }
        connection.flush().await?;
        connection
            .receive(|answer| {
                let kind = if relay { Answer::Committed } else { messages::classify(answer) };
                match kind {
                    Answer::Committed => {
                        if let Some(start) = sent.pop_front() {
                            meter.operation(start.elapsed());
                        }
                    }
                    Answer::Failed => {
                        sent.pop_front();
                        meter.failure(answer);
                    }
                    Answer::Fatal => fatal = Some(String::from_utf8_lossy(answer).into_owned()),
                    _ => {}
                }
            })
            .await?;
        if let Some(fatal) = fatal {
            return Err(fatal.into());
        }
    }
    Ok(())
}

/// Calls one mutation after the other.
pub(crate) struct Caller {
    connection: Connection,
    request: u32,
    text: Vec<u8>,
}

impl Caller {
    pub(crate) async fn open(common: &Common, path: &str) -> Result<Self, Failure> {
        let mut connection = Connection::open(common.address(), path).await?;
        connection.queue(messages::connect(usize::MAX >> 24).as_bytes());
        Ok(Self { connection, request: 0, text: Vec::new() })
    }

    /// Calls a mutation, waits for its answer, and returns its result when that is a number.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        args: std::fmt::Arguments<'_>,
    ) -> Result<Option<f64>, Failure> {
        messages::mutation(&mut self.text, self.request, path, args);
        self.request += 1;
        self.connection.queue(&self.text);
        let mut answered = None;
        while answered.is_none() {
            self.connection.flush().await?;
            self.connection
                .receive(|answer| match messages::classify(answer) {
                    Answer::Committed => answered = Some(Ok(messages::result_number(answer))),
                    Answer::Failed | Answer::Fatal => {
                        answered = Some(Err(Failure::from(String::from_utf8_lossy(answer).into_owned())));
                    }
                    _ => {}
                })
                .await?;
        }
        answered.unwrap_or(Ok(None))
    }
}
