//! Sample data: what an application puts into a data directory that is new.
//!
//! Guarantee: it is asked once in a directory's life, at its first start. A loading that was interrupted is not begun
//! again, since it might repeat what is there; the next start says so.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hull_engine::Keyspace;
use hull_functions::{FunctionError, Identity};
use hull_value::{Encode, Packed};

use crate::backend::{At, Backend};
use crate::terminal::say;

/// Where the directory remembers it.
const NOTE: &[u8] = b"sample data";

type Loading = Pin<Box<dyn Future<Output = hull_functions::Result<()>> + Send>>;

/// An application's way to fill a new directory.
pub(crate) struct Loader(Box<dyn FnOnce(Caller) -> Loading + Send>);

/// Calls an application's functions, internal ones too, before the server serves.
#[derive(Clone)]
pub struct Caller {
    backend: Arc<Backend>,
}

impl Caller {
    /// Runs a mutation, `module:function`, and gives its result.
    pub async fn mutation<A: Encode + ?Sized>(&self, path: &str, args: &A) -> hull_functions::Result<Packed> {
        let args = Packed::encode(args)?;
        let outcome = self.backend.mutation(path, args, Identity::System).await?;
        result(path, outcome.result)
    }

    /// Runs a query, `module:function`, and gives its result.
    pub async fn query<A: Encode + ?Sized>(&self, path: &str, args: &A) -> hull_functions::Result<Packed> {
        let args = Packed::encode(args)?;
        let outcome = self.backend.query(path, args, Identity::System, At::Durable).await?;
        result(path, outcome.result)
    }
}

fn result(path: &str, result: Result<Arc<str>, FunctionError>) -> hull_functions::Result<Packed> {
    match result {
        Ok(json) => Ok(Packed::from_json(&json)?),
        Err(error) => Err(hull_functions::Error::message(format!("{path}: {error}"))),
    }
}

/// Why sample data could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("the sample data could not be loaded: {0} (start with --no-sample on a new directory to go without)")]
pub struct SampleError(String);

impl Loader {
    pub(crate) fn new<F, Fut>(load: F) -> Loader
    where
        F: FnOnce(Caller) -> Fut + Send + 'static,
        Fut: Future<Output = hull_functions::Result<()>> + Send + 'static,
    {
        Loader(Box::new(|caller| Box::pin(load(caller))))
    }

    /// Loads the data into a directory that never saw a start, unless the operator wants none.
    pub(crate) async fn fill(self, backend: &Arc<Backend>, unwanted: bool) -> Result<(), SampleError> {
        let failed = |error: String| SampleError(error);
        match backend.note(NOTE).map_err(failed)?.as_deref() {
            None => {}
            Some("begun") => {
                tracing::warn!("loading the sample data was interrupted once, so it may not be complete");
                return Ok(());
            }
            Some(_) => return Ok(()),
        }
        if unwanted {
            return backend.set_note(NOTE, "not wanted").map_err(failed);
        }
        backend.set_note(NOTE, "begun").map_err(failed)?;
        say("This data directory is new: loading sample data (--no-sample leaves it empty).");
        (self.0)(Caller { backend: Arc::clone(backend) }).await.map_err(|error| failed(error.to_string()))?;
        backend.set_note(NOTE, "loaded").map_err(failed)?;
        say("The sample data is loaded.");
        Ok(())
    }
}

impl Backend {
    fn note(&self, key: &[u8]) -> Result<Option<String>, String> {
        let mut transaction = self.engine().begin();
        let note = transaction.get_system(Keyspace::NOTES, key).map_err(|error| error.to_string())?;
        Ok(note.and_then(|(_, note)| match note.as_ref() {
            hull_value::ValueRef::String(note) => Some(note.to_owned()),
            _ => None,
        }))
    }

    fn set_note(&self, key: &[u8], note: &str) -> Result<(), String> {
        let mut transaction = self.engine().begin();
        let note = Packed::encode(note).map_err(|error| error.to_string())?;
        transaction.put_system(Keyspace::NOTES, key, Some(&note)).map_err(|error| error.to_string())?;
        self.engine().commit(transaction).map(|_| ()).map_err(|error| error.to_string())
    }
}
