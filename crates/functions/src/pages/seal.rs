//! Seals cursors and journals, so that a client can neither read nor make one: AES-SIV (RFC 5297) with a 512-bit key,
//! deterministic, so that the same position always has the same cursor. Written as base64url without padding.
//!
//! The key is drawn when the first page is read, and kept in the engine's keyspace of notes under `cursor key`, with
//! the data: cursors outlive the process, and are worth nothing to another database. None leaves before the key is
//! durable.

use std::sync::OnceLock;

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use data_encoding::BASE64URL_NOPAD;
use hull_engine::{CommitError, Engine, Group, Keyspace};
use hull_value::{Bytes, Packed, Timestamp, ValueRef};
use parking_lot::Mutex;
use rand::Rng;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::run::transaction_error;

const KEY: &[u8] = b"cursor key";
const KEY_BYTES: usize = 64;

/// What is sealed: one can't be passed off as the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sealed {
    Cursor,
    Journal,
}

impl Sealed {
    fn header(self) -> &'static [u8] {
        match self {
            Sealed::Cursor => b"hull cursor 1",
            Sealed::Journal => b"hull journal 1",
        }
    }
}

/// Seals and opens with one key.
pub(crate) struct Seal {
    key: [u8; KEY_BYTES],
}

impl Seal {
    pub(crate) fn seal(&self, what: Sealed, bytes: &[u8]) -> Result<String> {
        let mut cipher = Aes256Siv::new(&self.key.into());
        let sealed = cipher.encrypt([what.header()], bytes);
        let sealed = sealed.map_err(|_| Error::abort("SealFailed", "A cursor could not be sealed"))?;
        Ok(BASE64URL_NOPAD.encode(&sealed))
    }

    /// What was sealed; nothing if it was not sealed with this key or is damaged.
    pub(crate) fn open(&self, what: Sealed, text: &str) -> Option<Vec<u8>> {
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        Aes256Siv::new(&self.key.into()).decrypt([what.header()], &sealed).ok()
    }
}

/// The seal of a database, fetched or made when it is needed first.
pub(crate) struct Cursors {
    engine: Engine,
    seal: OnceLock<Seal>,
}

impl Cursors {
    pub(crate) fn new(engine: Engine) -> Cursors {
        Cursors { engine, seal: OnceLock::new() }
    }

    /// The seal, if it has been needed.
    pub(crate) fn at_hand(&self) -> Option<&Seal> {
        self.seal.get()
    }

    /// The seal. Its key is durable.
    pub(crate) async fn seal(&self) -> Result<&Seal> {
        if let Some(seal) = self.seal.get() {
            return Ok(seal);
        }
        let (key, ts) = loop {
            if let Some(found) = self.fetch_or_make()? {
                break found;
            }
        };
        self.durable(ts).await?;
        Ok(self.seal.get_or_init(|| Seal { key }))
    }

    /// The key and when it was committed; nothing if another was faster.
    fn fetch_or_make(&self) -> Result<Option<([u8; KEY_BYTES], Timestamp)>> {
        let mut transaction = self.engine.begin();
        let found = transaction.get_system(Keyspace::NOTES, KEY).map_err(transaction_error)?;
        if let Some((ts, note)) = found {
            let key = match note.as_ref() {
                ValueRef::Bytes(bytes) => bytes.try_into().ok(),
                _ => None,
            };
            let key =
                key.ok_or_else(|| Error::abort("StorageDamaged", "The key of cursors can't be read"))?;
            return Ok(Some((key, ts)));
        }
        let mut key = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut key);
        let note = Packed::encode(&Bytes(key.to_vec()))
            .map_err(|error| Error::abort("InvalidValue", error.to_string()))?;
        transaction.put_system(Keyspace::NOTES, KEY, Some(&note)).map_err(transaction_error)?;
        match self.engine.commit(transaction) {
            Ok(committed) => Ok(Some((key, committed.ts))),
            Err(CommitError::Conflict(_) | CommitError::OutOfRetention) => Ok(None),
            Err(error) => Err(Error::abort(error.code(), error.to_string())),
        }
    }

    async fn durable(&self, ts: Timestamp) -> Result<()> {
        if self.engine.durable() >= ts {
            return Ok(());
        }
        let (sender, receiver) = oneshot::channel();
        let sender = Mutex::new(Some(sender));
        self.engine.on_group(Box::new(move |group| {
            if !matches!(group, Group::Durable { durable_to, .. } if *durable_to < ts)
                && let Some(sender) = sender.lock().take()
            {
                // Whoever waited may have gone away; that is no concern of ours.
                let _ = sender.send(());
            }
        }));
        if self.engine.durable() < ts {
            let _ = receiver.await;
        }
        if self.engine.durable() < ts {
            return Err(Error::abort(
                CommitError::LogFailed.code(),
                "The key of cursors could not be made durable",
            ));
        }
        Ok(())
    }
}
