//! Admin keys: `name|secret`, each side of `[A-Za-z0-9_-]+`.
//!
//! Guarantee: the secret, 256 random bits, leaves [`AdminKey::generate`] once. What is kept is its SHA-256; a secret of
//! that size needs no salt and no slow hash. Hashes are compared in constant time, for unknown names too.

use data_encoding::BASE64URL_NOPAD;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The hash of a secret.
pub(crate) type SecretHash = [u8; 32];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// A name that a key can't have.
    #[error("`{0}` can't be the name of a key: use 1 to 64 letters, digits, `_` and `-`")]
    Name(String),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] rand::rngs::SysError),
}

/// A key that was just made.
pub(crate) struct AdminKey {
    /// The part before `|`.
    pub(crate) name: String,
    /// What is kept.
    pub(crate) hash: SecretHash,
    secret: String,
}

impl AdminKey {
    /// A new key; its name is made up unless given.
    pub(crate) fn generate(name: Option<&str>) -> Result<AdminKey, KeyError> {
        let name = match name {
            Some(name) if is_name(name) => name.to_owned(),
            Some(name) => return Err(KeyError::Name(name.to_owned())),
            None => format!("admin-{}", data_encoding::HEXLOWER.encode(&random::<4>()?)),
        };
        let secret = BASE64URL_NOPAD.encode(&random::<32>()?);
        Ok(AdminKey { name, hash: hash(&secret), secret })
    }

    /// The key itself, to be shown once.
    pub(crate) fn reveal(&self) -> String {
        format!("{}|{}", self.name, self.secret)
    }
}

/// A key that somebody presents.
pub(crate) struct Presented<'a> {
    /// The part before `|`.
    pub(crate) name: &'a str,
    secret: &'a str,
}

impl<'a> Presented<'a> {
    /// Splits `name|secret`; `None` for what can't be a key.
    pub(crate) fn parse(key: &'a str) -> Option<Presented<'a>> {
        let (name, secret) = key.split_once('|')?;
        (is_name(name) && !secret.is_empty()).then_some(Presented { name, secret })
    }

    /// Whether it is the key whose hash is kept; takes as long for no hash as for a wrong one.
    pub(crate) fn matches(&self, kept: Option<SecretHash>) -> bool {
        let same: bool = hash(self.secret).ct_eq(&kept.unwrap_or_default()).into();
        same && kept.is_some()
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_matches_its_hash_and_no_other() {
        let key = AdminKey::generate(None).unwrap();
        let other = AdminKey::generate(Some("ops_1-a")).unwrap();
        let text = key.reveal();
        let presented = Presented::parse(&text).unwrap();
        assert_eq!(presented.name, key.name);
        assert!(presented.matches(Some(key.hash)));
        assert!(!presented.matches(Some(other.hash)));
        assert!(!presented.matches(None));
        assert!(text.split('|').all(|side| !side.is_empty()
            && side.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')));
        assert!(other.reveal().starts_with("ops_1-a|"));
    }

    #[test]
    fn what_is_no_key_is_not_looked_up() {
        for text in ["", "|", "name", "name|", "|secret", "na me|secret"] {
            assert!(Presented::parse(text).is_none(), "{text}");
        }
        for name in ["", "a b", "a|b", "é"] {
            assert!(AdminKey::generate(Some(name)).is_err(), "{name}");
        }
    }
}
