//! A journal in the terminal: a live list, of which each change is shown as it comes. A line that is typed is a new entry.
//!
//! ```text
//! cargo run --release                                     # the server
//! cargo run --release -p academy --example journal        # in another terminal, or in two
//! cargo run --release -p academy --example journal NAME   # the journal of the user with this name
//! ```

use std::io::Write;

use academy::extrovertly::journal_entries::{create, get_user_journal_entries};
use academy::extrovertly::users;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hull::client::{Change, Client, ConnectionState, Update};
use hull::prelude::*;
use schema::extrovertly::JournalEntry;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

type Done<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
type Entries = Vec<Doc<JournalEntry>>;

#[tokio::main]
async fn main() -> Done {
    let url = std::env::var("HULL_URL").unwrap_or_else(|_| "http://127.0.0.1:3210".to_owned());
    journal(&url, std::env::args().nth(1), BufReader::new(tokio::io::stdin()), std::io::stdout()).await
}

/// Shows a user's journal and writes what comes in, line by line, until the input ends.
pub(crate) async fn journal(
    url: &str,
    username: Option<String>,
    input: impl AsyncBufRead + Unpin,
    mut out: impl Write,
) -> Done {
    let client = Client::connect(url)?.with_functions(academy::app().paths());
    let user = match username {
        Some(username) => client.query(users::get_by_username { username }).await?.into_option(),
        None => client.query(users::list { limit: Some(1) }).await?.pop(),
    };
    let user = user.ok_or("there is no such user")?;
    writeln!(out, "The journal of {}. Write a line to add to it.", user.username)?;

    let mut updates = client.subscribe(get_user_journal_entries { user_id: user._id }).changes();
    let mut connection = client.connection();
    let mut lines = input.lines();
    let mut entries = Entries::new();
    let mut writing = FuturesUnordered::new();
    loop {
        tokio::select! {
            update = updates.next() => show(&mut entries, &update.ok_or("the client has ended")??, &mut out)?,
            line = lines.next_line() => match line? {
                Some(content) if content.trim().is_empty() => {}
                Some(content) => writing.push(client.mutation(create {
                    entry: JournalEntry {
                        user_id: user._id,
                        content,
                        mood: "calm".to_owned(),
                        reflection_prompt: None,
                        tags: None,
                        is_private: false,
                        word_count: None,
                    },
                })),
                None => break,
            },
            // What is written shows in the list; only a failure needs words.
            Some(written) = writing.next() => {
                if let Err(error) = written {
                    writeln!(out, "not written: {error}")?;
                }
            }
            Ok(()) = connection.changed() => {
                if let ConnectionState::Waiting { error, pause } = &*connection.borrow_and_update() {
                    writeln!(out, "no connection ({error}), next try in {:.1} s", pause.as_secs_f32())?;
                }
            }
        }
    }
    while let Some(written) = writing.next().await {
        written?;
    }
    Ok(())
}

/// Does to the list what happened to it, and shows that alone.
fn show(entries: &mut Entries, update: &Update<Entries>, out: &mut impl Write) -> Done {
    let element = |index| update.element::<Doc<JournalEntry>>(index).ok_or("the element is not there");
    for change in &update.changes {
        match *change {
            Change::Removed { index } => line('-', &entries.remove(index), out)?,
            Change::Moved { from, to } => {
                let entry = entries.remove(from);
                line('>', &entry, out)?;
                entries.insert(to, entry);
            }
            Change::Inserted { index } => {
                entries.insert(index, element(index)??);
                line('+', &entries[index], out)?;
            }
            Change::Updated { index } => {
                entries[index] = element(index)??;
                line('~', &entries[index], out)?;
            }
            Change::Replaced => {
                *entries = update.value()?;
                for entry in entries.iter().rev() {
                    line(' ', entry, out)?;
                }
            }
        }
    }
    Ok(())
}

fn line(mark: char, entry: &JournalEntry, out: &mut impl Write) -> Done {
    Ok(writeln!(out, "{mark} [{}] {}", entry.mood, entry.content)?)
}
