//! The admin keys of a database, kept in the engine's log.
//!
//! Guarantee: a key is printed after its hash is durable. Only a hash is stored, with the time it was made.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_engine::{Engine, Keyspace, Order, ReadAt};
use hull_model::KeyRange;
use hull_value::{Packed, Timestamp, Value, ValueRef};

use crate::keys::{AdminKey, KeyError, Presented, SecretHash};

/// Why an admin key could not be made, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The key itself.
    #[error("{0}")]
    Key(String),
    /// The name is taken.
    #[error("there is a key named `{0}` already; revoke it first, or choose another name")]
    Taken(String),
    /// There is no such key.
    #[error("there is no key named `{0}`")]
    Unknown(String),
    /// The engine refused.
    #[error("{0}")]
    Engine(String),
    /// The directory holds no database.
    #[error("{0} holds no database; start a server on it first, or name another directory with --data-dir")]
    NoDatabase(String),
}

impl AdminError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            AdminError::Key(_) => "InvalidKeyName",
            AdminError::Taken(_) => "KeyExists",
            AdminError::Unknown(_) => "KeyNotFound",
            AdminError::Engine(_) => "EngineError",
            AdminError::NoDatabase(_) => "NoDatabase",
        }
    }
}

impl From<KeyError> for AdminError {
    fn from(error: KeyError) -> AdminError {
        AdminError::Key(error.to_string())
    }
}

fn engine_error(error: impl std::fmt::Display) -> AdminError {
    AdminError::Engine(error.to_string())
}

/// The keys in an engine.
#[derive(Clone)]
pub(crate) struct KeyStore {
    engine: Engine,
    /// A key that ends with this process and is stored nowhere.
    own: Arc<AdminKey>,
}

impl KeyStore {
    pub(crate) fn new(engine: Engine) -> Result<KeyStore, AdminError> {
        Ok(KeyStore { engine, own: Arc::new(AdminKey::generate(None)?) })
    }

    /// A key for those whom this process trusts anyway, valid until it ends.
    pub(crate) fn of_this_process(&self) -> String {
        self.own.reveal()
    }

    /// Makes a key; what is returned can't be had again, and must not be shown before the timestamp is durable.
    pub(crate) fn create(&self, name: Option<&str>) -> Result<(String, Timestamp), AdminError> {
        let key = AdminKey::generate(name)?;
        let made = hull_engine::Clock::now(&hull_engine::SystemClock).0 as f64 / 1e6;
        let record = Value::Object(BTreeMap::from([
            ("hash".to_owned(), Value::Bytes(key.hash.to_vec())),
            ("made".to_owned(), Value::Float64(made.floor())),
        ]));
        let record = Packed::encode(&record).map_err(engine_error)?;
        let ts = self.change(&key.name, |kept| match kept {
            Some(_) => Err(AdminError::Taken(key.name.clone())),
            None => Ok(Some(record.clone())),
        })?;
        tracing::info!(key = key.name, "an admin key was made");
        Ok((key.reveal(), ts))
    }

    /// Makes a key invalid.
    pub(crate) fn revoke(&self, name: &str) -> Result<Timestamp, AdminError> {
        let ts = self.change(name, |kept| match kept {
            Some(_) => Ok(None),
            None => Err(AdminError::Unknown(name.to_owned())),
        })?;
        tracing::info!(key = name, "an admin key was revoked");
        Ok(ts)
    }

    /// Names and times in milliseconds, by name.
    pub(crate) fn list(&self) -> Result<Vec<(String, f64)>, AdminError> {
        let mut transaction = self.engine.begin_read(ReadAt::Durable).map_err(engine_error)?;
        let everything = KeyRange { start: Vec::new(), end: None };
        let mut scan =
            transaction.scan_system(Keyspace::ADMIN_KEYS, &everything, Order::Asc).map_err(engine_error)?;
        let mut keys = Vec::new();
        while let Some((name, record)) = transaction.next_system(&mut scan).map_err(engine_error)? {
            let made = match record.as_ref() {
                ValueRef::Object(record) => record.get("made").and_then(|made| match made {
                    ValueRef::Float64(made) => Some(made),
                    _ => None,
                }),
                _ => None,
            };
            keys.push((String::from_utf8_lossy(&name).into_owned(), made.unwrap_or_default()));
        }
        Ok(keys)
    }

    /// Whether this is a valid key.
    pub(crate) fn is_valid(&self, key: &str) -> Result<bool, AdminError> {
        let Some(presented) = Presented::parse(key) else { return Ok(false) };
        if presented.name == self.own.name && presented.matches(Some(self.own.hash)) {
            return Ok(true);
        }
        let mut transaction = self.engine.begin_read(ReadAt::Durable).map_err(engine_error)?;
        let record =
            transaction.get_system(Keyspace::ADMIN_KEYS, presented.name.as_bytes()).map_err(engine_error)?;
        Ok(presented.matches(record.as_ref().and_then(|(_, record)| hash_of(record))))
    }

    fn change(
        &self,
        name: &str,
        change: impl Fn(Option<&Packed>) -> Result<Option<Packed>, AdminError>,
    ) -> Result<Timestamp, AdminError> {
        loop {
            let mut transaction = self.engine.begin();
            let key = name.as_bytes();
            let kept = transaction.get_system(Keyspace::ADMIN_KEYS, key).map_err(engine_error)?;
            let changed = change(kept.as_ref().map(|(_, record)| record))?;
            transaction.put_system(Keyspace::ADMIN_KEYS, key, changed.as_ref()).map_err(engine_error)?;
            match self.engine.commit(transaction) {
                Ok(committed) => return Ok(committed.ts),
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(engine_error(error)),
            }
        }
    }
}

fn hash_of(record: &Packed) -> Option<SecretHash> {
    match record.as_ref() {
        ValueRef::Object(record) => match record.get("hash")? {
            ValueRef::Bytes(hash) => SecretHash::try_from(hash).ok(),
            _ => None,
        },
        _ => None,
    }
}
