//! Names: the rules for identifiers and for field names, and [`FieldPath`].

use std::fmt;
use std::str::FromStr;

/// The longest identifier, in bytes.
pub const MAX_IDENTIFIER_LEN: usize = 64;
/// The longest field name, in bytes.
pub const MAX_FIELD_NAME_LEN: usize = 1024;

/// Why a string is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Nothing there.
    #[error("an identifier cannot be empty")]
    Empty,
    /// More than 64 bytes.
    #[error("identifier is {0} bytes long, the maximum is {MAX_IDENTIFIER_LEN}")]
    TooLong(usize),
    /// The first character is neither a letter nor an underscore.
    #[error("identifier '{0}' must start with an ASCII letter or '_'")]
    BadStart(String),
    /// A character is neither a letter, a digit nor an underscore.
    #[error("identifier '{0}' may contain only ASCII letters, digits and '_'")]
    BadCharacter(String),
    /// Underscores and nothing else.
    #[error("identifier '{0}' cannot be underscores only")]
    OnlyUnderscores(String),
}

impl IdentifierError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "InvalidIdentifier"
    }
}

/// Checks the rule for tables, indexes, functions and top-level fields: an ASCII letter or `_` first, then
/// letters, digits or `_`; at most 64 bytes; not only underscores.
pub fn check_identifier(name: &str) -> Result<(), IdentifierError> {
    let bytes = name.as_bytes();
    let Some(&first) = bytes.first() else { return Err(IdentifierError::Empty) };
    if bytes.len() > MAX_IDENTIFIER_LEN {
        return Err(IdentifierError::TooLong(bytes.len()));
    }
    if !(first.is_ascii_alphabetic() || first == b'_') {
        return Err(IdentifierError::BadStart(name.to_owned()));
    }
    if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return Err(IdentifierError::BadCharacter(name.to_owned()));
    }
    if bytes.iter().all(|b| *b == b'_') {
        return Err(IdentifierError::OnlyUnderscores(name.to_owned()));
    }
    Ok(())
}

/// Why a string is no field name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldNameError {
    /// More than 1024 bytes.
    #[error("field name is {0} bytes long, the maximum is {MAX_FIELD_NAME_LEN}")]
    TooLong(usize),
    /// Starts with `$`, which is kept for special values.
    #[error("field name '{0}' starts with '$', which is reserved")]
    Dollar(String),
    /// Has a character that is not printable ASCII.
    #[error("field name {0:?} may contain only printable ASCII characters")]
    NotPrintableAscii(String),
}

impl FieldNameError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "InvalidFieldName"
    }
}

/// Whether all bytes pass. Within a chunk nothing ends the look early, so that it becomes a few vector instructions; the
/// last chunk overlaps the one before it.
#[inline]
pub(crate) fn all_of(bytes: &[u8], pass: impl Fn(u8) -> bool) -> bool {
    fn chunk<const N: usize>(bytes: &[u8; N], pass: &impl Fn(u8) -> bool) -> bool {
        bytes.iter().fold(true, |all, byte| all & pass(*byte))
    }
    if let Some(last) = bytes.last_chunk::<16>() {
        let (chunks, _) = bytes.as_chunks::<16>();
        chunks.iter().all(|bytes| chunk(bytes, &pass)) && chunk(last, &pass)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        chunk(first, &pass) & chunk(last, &pass)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        chunk(first, &pass) & chunk(last, &pass)
    } else {
        bytes.iter().all(|byte| pass(*byte))
    }
}

/// Checks the rule for keys of objects at any depth: printable ASCII, at most 1024 bytes, not starting with `$`.
/// The empty key is legal.
pub fn check_field_name(name: &str) -> Result<(), FieldNameError> {
    let bytes = name.as_bytes();
    if bytes.len() > MAX_FIELD_NAME_LEN {
        return Err(FieldNameError::TooLong(bytes.len()));
    }
    if bytes.first() == Some(&b'$') {
        return Err(FieldNameError::Dollar(name.to_owned()));
    }
    if !all_of(bytes, |byte| (0x20..=0x7e).contains(&byte)) {
        return Err(FieldNameError::NotPrintableAscii(name.to_owned()));
    }
    Ok(())
}

/// A field name that is known when the program is compiled, and checked then: `const { FieldKey::new("content") }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldKey(&'static str);

impl FieldKey {
    /// A name that obeys the rule of [`check_field_name`].
    ///
    /// # Panics
    ///
    /// When it does not: an error of the compiler, where this is called in a `const`.
    pub const fn new(name: &'static str) -> FieldKey {
        let bytes = name.as_bytes();
        assert!(bytes.len() <= MAX_FIELD_NAME_LEN, "a field name may have at most 1024 bytes");
        let mut at = 0;
        while at < bytes.len() {
            assert!(at > 0 || bytes[at] != b'$', "a field name may not start with '$', which is reserved");
            assert!(
                matches!(bytes[at], 0x20..=0x7e),
                "a field name may contain only printable ASCII characters"
            );
            at += 1;
        }
        FieldKey(name)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// A path to a field, through objects: `"address.city"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<String>);

/// Why a string is no field path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field path '{path}': {error}")]
pub struct FieldPathError {
    /// The whole path.
    pub path: String,
    /// What is wrong with one of its fields.
    pub error: IdentifierError,
}

impl FieldPathError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "InvalidFieldPath"
    }
}

impl FieldPath {
    /// A path of these fields, each an identifier; at least one.
    pub fn new<S: Into<String>>(fields: impl IntoIterator<Item = S>) -> Result<Self, FieldPathError> {
        let path = FieldPath(fields.into_iter().map(Into::into).collect());
        let checked = match path.0.as_slice() {
            [] => Err(IdentifierError::Empty),
            fields => fields.iter().try_for_each(|field| check_identifier(field)),
        };
        match checked {
            Ok(()) => Ok(path),
            Err(error) => Err(FieldPathError { path: path.to_string(), error }),
        }
    }

    /// The fields, outermost first; never empty.
    pub fn fields(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, field) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(field)?;
        }
        Ok(())
    }
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        FieldPath::new(text.split('.'))
    }
}
