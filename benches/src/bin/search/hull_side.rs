//! The corpus in Hull: a table with a search index, written in transactions that are durable one by one.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use hull::model::{Schema, define_table, v};
use hull_engine::{DirOptions, Engine, Limits, ReadAt, SearchRequest};
use hull_value::{Packed, Value, ValueRef};

use super::corpus::{Corpus, Note};
use super::{Filter, TOP};

pub(crate) struct Hull {
    pub(crate) engine: Engine,
}

impl Hull {
    pub(crate) fn open(path: &Path, memory_budget: u64) -> Result<Hull, Box<dyn Error>> {
        let engine = Engine::open_dir(path, DirOptions { memory_budget, ..DirOptions::default() })?;
        let notes = define_table("notes")
            .field("content", v::string())
            .field("userId", v::string())
            .field("isPrivate", v::boolean())
            .search_index("search_content", "content", ["userId", "isPrivate"]);
        engine.apply_schema(&Schema::new().table(notes), &mut |_| {})?;
        Ok(Hull { engine })
    }

    /// Writes the documents, each `batch` of them in a commit that is durable before the next begins.
    pub(crate) fn index(&self, corpus: &Corpus, count: u32, batch: usize) -> Result<(), Box<dyn Error>> {
        let mut notes = corpus.notes(count).peekable();
        while notes.peek().is_some() {
            let mut transaction = self.engine.begin();
            transaction.set_limits(Limits::none());
            for Note { content, user, private } in notes.by_ref().take(batch) {
                let fields: [(&str, Value); 3] =
                    [("content", content.into()), ("userId", user.into()), ("isPrivate", private.into())];
                let fields: BTreeMap<String, Value> =
                    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                transaction.insert("notes", &Packed::encode(&Value::Object(fields))?)?;
            }
            let committed = self.engine.commit(transaction)?;
            while self.engine.durable() < committed.ts {
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    /// How many of the best documents there are, up to [`TOP`].
    pub(crate) fn search(&self, (one, two): (&str, &str), filter: &Filter) -> Result<usize, Box<dyn Error>> {
        let mut transaction = self.engine.begin_read(ReadAt::Durable)?;
        let text = format!("{one} {two}");
        let filter = match filter {
            Filter::Public => ("isPrivate", Some(ValueRef::Boolean(false))),
            Filter::User(user) => ("userId", Some(ValueRef::String(user))),
        };
        let request = SearchRequest {
            table: "notes",
            index: "search_content",
            field: None,
            text: &text,
            filters: &[filter],
        };
        let mut search = transaction.search(&request)?;
        let mut found = 0;
        while found < TOP && transaction.next_found(&mut search)?.is_some() {
            found += 1;
        }
        Ok(found)
    }
}
