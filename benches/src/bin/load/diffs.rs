//! A long list that changes in one place, at the top or everywhere, told to its subscribers by diffs or in full.

use crate::connection::Connection;
use crate::fanout::{Audience, FIRST, Publisher};
use crate::messages;
use crate::transfer::Caller;
use crate::{Common, Failure};
use clap::{Args, ValueEnum};
use serde_json::json;

/// What a row's JSON has beside its body.
const AROUND: usize = 130;

#[derive(Args)]
pub(crate) struct Diffs {
    #[command(flatten)]
    common: Common,
    /// Connections that subscribe.
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// What changes.
    #[arg(long, value_enum, default_value = "one")]
    change: Change,
    /// Subscribers don't ask for diffs.
    #[arg(long)]
    full: bool,
    /// Rows of the list.
    #[arg(long, default_value_t = 500)]
    rows: usize,
    /// Bytes of a row as JSON.
    #[arg(long, default_value_t = 300)]
    row_bytes: usize,
    /// Bytes of what the relay broadcasts: bytes/delivery of the run that it is compared with.
    #[arg(long, default_value_t = 600)]
    bytes: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Change {
    /// One row is written anew.
    One,
    /// A row comes in at the top, and the last goes.
    Top,
    /// Every row is written anew.
    All,
}

impl Diffs {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = self.common.path_or("/room");
        let publisher = if self.common.relay {
            Publisher::Relay(Connection::open(self.common.address(), &path).await?, self.bytes)
        } else {
            let mut caller = Caller::open(&self.common, &path).await?;
            let length = self.row_bytes.saturating_sub(AROUND);
            let seed = format_args!(r#"{{"rows":{},"length":{length},"stamp":"{FIRST}"}}"#, self.rows);
            caller.call("board:seed", seed).await?;
            let mutation = match self.change {
                Change::One => "board:changeOne",
                Change::Top => "board:insertTop",
                Change::All => "board:changeAll",
            };
            let request = move |marker: &str| (mutation, format!(r#"{{"stamp":"{marker}"}}"#));
            Publisher::Server(caller, Box::new(request))
        };
        let (relay, full) = (self.common.relay, self.full);
        let settings = if relay {
            json!({ "subscribers": self.subscribers, "bytes": self.bytes })
        } else {
            json!({ "subscribers": self.subscribers, "change": format!("{:?}", self.change), "diffs": !full })
        };
        let path = if relay || full { path } else { format!("{path}?diffs=1") };
        let query = messages::subscribe("board:list", "{}");
        let audience = Audience { subscribers: self.subscribers, path, query };
        audience.measure(&self.common, publisher, "diffs", settings).await
    }
}
