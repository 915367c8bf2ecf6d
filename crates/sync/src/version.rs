//! Which client speaks: read from the header `Convex-Client` or from the path of the socket.
//!
//! The header reads `<client>-<semver>`, and the longest suffix that is a semver is the version; it wins
//! over the path, where only JavaScript clients put their bare version. The version decides two
//! things: whether the client is too old to be served, and whether it knows `TransitionChunk`.

use std::fmt;

/// The client's kind and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientVersion {
    client: Box<str>,
    version: Option<Semver>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Semver {
    release: (u64, u64, u64),
    prerelease: bool,
}

/// A client's version that this server does not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text is no version.
    #[error("'{0}' is not a client version")]
    Invalid(String),
    /// The client is too old.
    #[error("the client {0} is too old and no longer supported: please upgrade it")]
    Unsupported(ClientVersion),
}

impl VersionError {
    /// The stable code of this error, as the answer to the upgrade names it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidClientVersion",
            Self::Unsupported(_) => "ClientVersionUnsupported",
        }
    }
}

/// How outdated a client is; goes into the headers `x-convex-deprecation-state` and `-message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deprecation {
    /// It is no longer served.
    Unsupported,
    /// It is served, but should be upgraded soon.
    UpgradeRequired,
}

impl Deprecation {
    /// The text of the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsupported => "Unsupported",
            Self::UpgradeRequired => "UpgradeRequired",
        }
    }
}

impl ClientVersion {
    /// A client that says nothing about itself; it is served, without chunks.
    pub fn unknown() -> Self {
        Self { client: "unknown".into(), version: None }
    }

    /// Reads the version from the header's value and from the path's segment, and refuses what is too old.
    pub fn read(header: Option<&str>, path: Option<&str>) -> Result<Self, VersionError> {
        let client = match (header, path) {
            (Some(header), _) => Self::from_header(header)?,
            (None, Some(path)) => Self::from_path(path)?,
            (None, None) => Self::unknown(),
        };
        match client.deprecation() {
            Some(Deprecation::Unsupported) => Err(VersionError::Unsupported(client)),
            _ => Ok(client),
        }
    }

    /// Reads `<client>-<semver>`.
    pub fn from_header(text: &str) -> Result<Self, VersionError> {
        text.match_indices('-')
            .filter(|(at, _)| *at > 0)
            .find_map(|(at, _)| {
                let version = Semver::parse(&text[at + 1..])?;
                Some(Self { client: text[..at].into(), version: Some(version) })
            })
            .ok_or_else(|| VersionError::Invalid(text.chars().take(100).collect()))
    }

    /// Reads the version in the path of the socket: that of a JavaScript client.
    pub fn from_path(text: &str) -> Result<Self, VersionError> {
        match Semver::parse(text) {
            Some(version) => Ok(Self { client: "npm".into(), version: Some(version) }),
            None => Err(VersionError::Invalid(text.chars().take(100).collect())),
        }
    }

    /// The client's kind: `npm`, `rust`, `python`, … or `unknown`.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Whether the client puts a Transition together from chunks.
    pub fn takes_chunks(&self) -> bool {
        &*self.client == "npm" && self.is_at_least((1, 28, 0))
    }

    /// The longest message that the client takes, in bytes: those that take no chunks are built on tungstenite.
    pub fn longest_message(&self) -> usize {
        if self.takes_chunks() { usize::MAX } else { 64 << 20 }
    }

    /// Whether the client should be upgraded, or is too old to be served.
    pub fn deprecation(&self) -> Option<Deprecation> {
        let (unsupported, outdated) = match &*self.client {
            "npm" => ((0, 19, 1), (0, 19, 1)),
            "python" => ((0, 0, 2), (0, 2, 0)),
            "rust" => ((0, 0, 1), (0, 0, 1)),
            _ => return None,
        };
        let release = self.version?.release;
        if release <= unsupported {
            Some(Deprecation::Unsupported)
        } else if release <= outdated {
            Some(Deprecation::UpgradeRequired)
        } else {
            None
        }
    }

    fn is_at_least(&self, release: (u64, u64, u64)) -> bool {
        self.version.is_some_and(|v| v.release > release || (v.release == release && !v.prerelease))
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(Semver { release: (major, minor, patch), prerelease }) => {
                let mark = if prerelease { "-pre" } else { "" };
                write!(f, "{}-{major}.{minor}.{patch}{mark}", self.client)
            }
            None => f.write_str(&self.client),
        }
    }
}

impl Semver {
    fn parse(text: &str) -> Option<Self> {
        let (text, build) = text.split_once('+').map_or((text, None), |(t, b)| (t, Some(b)));
        let (release, prerelease) = text.split_once('-').map_or((text, None), |(r, p)| (r, Some(p)));
        let mut numbers = release.split('.').map(number);
        let release = (numbers.next()??, numbers.next()??, numbers.next()??);
        let named = |tail: Option<&str>| tail.is_none_or(|tail| tail.split('.').all(is_label));
        (numbers.next().is_none() && named(prerelease) && named(build))
            .then_some(Self { release, prerelease: prerelease.is_some() })
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_wins_over_the_path() {
        let client = ClientVersion::read(Some("rust-0.10.4"), Some("1.48.0")).unwrap();
        assert_eq!((client.client(), client.takes_chunks()), ("rust", false));
        assert_eq!(ClientVersion::read(None, Some("1.48.0")).unwrap().to_string(), "npm-1.48.0");
        assert_eq!(ClientVersion::read(None, None).unwrap(), ClientVersion::unknown());
    }

    #[test]
    fn the_longest_semver_suffix_is_the_version() {
        let client = ClientVersion::from_header("npm-cli-1.2.3-alpha.4").unwrap();
        assert_eq!((client.client(), client.to_string().as_str()), ("npm-cli", "npm-cli-1.2.3-pre"));
        for bad in ["", "npm", "npm-", "1.2.3", "-1.2.3", "npm-1.2", "npm-01.2.3", "npm-1.2.3."] {
            assert!(matches!(ClientVersion::from_header(bad), Err(VersionError::Invalid(_))), "{bad}");
        }
        for bad in ["", "x", "1.2", "v1.2.3", "1.2.3-", "1.2.3.4"] {
            assert_eq!(ClientVersion::read(None, Some(bad)).unwrap_err().code(), "InvalidClientVersion");
        }
    }

    #[test]
    fn chunks_only_for_javascript_from_1_28() {
        for (header, takes) in [
            ("npm-1.28.0", true),
            ("npm-1.48.0", true),
            ("npm-1.27.9", false),
            ("npm-1.28.0-alpha.1", false),
            ("npm-cli-1.48.0", false),
            ("python-2.0.0", false),
        ] {
            assert_eq!(ClientVersion::from_header(header).unwrap().takes_chunks(), takes, "{header}");
        }
    }

    #[test]
    fn ancient_clients_are_refused_by_name() {
        for old in ["npm-0.19.1", "python-0.0.2", "rust-0.0.1"] {
            assert_eq!(ClientVersion::read(Some(old), None).unwrap_err().code(), "ClientVersionUnsupported");
        }
        for new in ["npm-0.19.2", "rust-0.0.2", "swift-0.0.1", "python-0.2.1"] {
            assert_eq!(ClientVersion::read(Some(new), None).unwrap().deprecation(), None);
        }
        let python = ClientVersion::read(Some("python-0.2.0"), None).unwrap();
        assert_eq!(python.deprecation(), Some(Deprecation::UpgradeRequired));
    }
}
