//! Reading wire and export JSON, straight into packed form: one pass, no tree. All limits and rules are held; of
//! equal keys in one object the last wins, as in `JSON.parse`, but each counts toward the 1024 fields.

use std::fmt;

use data_encoding::BASE64;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::{Encoder, FieldNameError, Packed, PackedEncoder, ValueError};

/// Why a text is not the JSON of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("invalid JSON: {0}")]
    Syntax(String),
    /// A limit or a name rule is broken.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// `$integer`, `$float` or `$bytes` with something that is not base64.
    #[error("{{\"{0}\"}} must hold a string in padded standard base64")]
    Base64(&'static str),
    /// `$integer` or `$float` with a wrong number of bytes.
    #[error("{{\"{0}\"}} must hold 8 bytes")]
    Length(&'static str),
    /// `$float` with a number that JSON has a literal for.
    #[error("{{\"$float\"}} holds the ordinary number {0}, which must be written as a JSON number")]
    OrdinaryFloat(String),
    /// `$undefined` or `$commitTs`.
    #[error("{{\"{0}\"}} is not a value")]
    NotAValue(&'static str),
    /// An integer of export JSON does not fit 64 bits.
    #[error("{0} does not fit an int64")]
    IntegerRange(u64),
}

impl JsonError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            JsonError::Syntax(_) => "InvalidJson",
            JsonError::Value(error) => error.code(),
            JsonError::Base64(_)
            | JsonError::Length(_)
            | JsonError::OrdinaryFloat(_)
            | JsonError::NotAValue(_)
            | JsonError::IntegerRange(_) => "InvalidConvexValue",
        }
    }
}

/// What a plain number is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Wire form: always a float64.
    Float64,
    /// Export form: an int64 without a point or exponent.
    ByLiteral,
}

pub(crate) fn read(text: &str, numbers: Numbers) -> Result<Packed, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut reader = Reader::new(numbers);
    let read = reader.seed().deserialize(&mut deserializer).and_then(|()| deserializer.end());
    reader.finish(read)
}

/// Reads wire JSON out of any deserializer.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Packed, D::Error> {
    let mut reader = Reader::new(Numbers::Float64);
    let read = reader.seed().deserialize(deserializer);
    match read {
        Ok(()) => reader.finish(Ok::<(), D::Error>(())).map_err(D::Error::custom),
        Err(error) => Err(error),
    }
}

struct Reader {
    encoder: PackedEncoder,
    numbers: Numbers,
    error: Option<JsonError>,
}

impl Reader {
    fn new(numbers: Numbers) -> Self {
        Reader { encoder: PackedEncoder::last_wins(), numbers, error: None }
    }

    fn seed(&mut self) -> Seed<'_> {
        Seed(self)
    }

    fn finish<E: fmt::Display>(mut self, read: Result<(), E>) -> Result<Packed, JsonError> {
        match read {
            Ok(()) => Ok(self.encoder.finish()?),
            Err(error) => Err(match (self.error.take(), self.encoder.error()) {
                (Some(error), _) => error,
                (None, Some(error)) => error.clone().into(),
                (None, None) => JsonError::Syntax(error.to_string()),
            }),
        }
    }

    /// Stops reading; the error is the reader's own, serde carries only its text.
    fn fail<T, E: Error>(&mut self, error: JsonError) -> Result<T, E> {
        let text = error.to_string();
        self.error.get_or_insert(error);
        Err(E::custom(text))
    }

    fn check<E: Error>(&self) -> Result<(), E> {
        self.encoder.error().map_or(Ok(()), |error| Err(E::custom(error)))
    }
}

/// Reads one value.
struct Seed<'r>(&'r mut Reader);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Convex value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.encoder.null();
        self.0.check()
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.encoder.boolean(value);
        self.0.check()
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.0.numbers {
            Numbers::Float64 => self.0.encoder.float64(value as f64),
            Numbers::ByLiteral => self.0.encoder.int64(value),
        }
        self.0.check()
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match (self.0.numbers, i64::try_from(value)) {
            (Numbers::Float64, _) => self.0.encoder.float64(value as f64),
            (Numbers::ByLiteral, Ok(value)) => self.0.encoder.int64(value),
            (Numbers::ByLiteral, Err(_)) => return self.0.fail(JsonError::IntegerRange(value)),
        }
        self.0.check()
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.encoder.float64(value);
        self.0.check()
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.encoder.string(value);
        self.0.check()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let reader = self.0;
        reader.encoder.begin_array();
        reader.check()?;
        while seq.next_element_seed(reader.seed())?.is_some() {}
        reader.encoder.end_array();
        reader.check()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        match map.next_key_seed(Key { reader, first: true })? {
            Some(Some(special)) => return read_special(reader, special, map),
            Some(None) => {
                map.next_value_seed(reader.seed())?;
                while map.next_key_seed(Key { reader, first: false })?.is_some() {
                    map.next_value_seed(reader.seed())?;
                }
            }
            None => reader.encoder.begin_object(),
        }
        reader.encoder.end_object();
        reader.check()
    }
}

/// The keys of one-key objects that stand for a value without a JSON literal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Integer,
    Float,
    Bytes,
}

impl Special {
    fn key(self) -> &'static str {
        match self {
            Special::Integer => "$integer",
            Special::Float => "$float",
            Special::Bytes => "$bytes",
        }
    }
}

/// Reads a key. The first decides whether an object begins or a special value.
struct Key<'r> {
    reader: &'r mut Reader,
    first: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<Special>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Special>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<Special>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<Special>, E> {
        if self.first {
            match key {
                "$integer" => return Ok(Some(Special::Integer)),
                "$float" => return Ok(Some(Special::Float)),
                "$bytes" => return Ok(Some(Special::Bytes)),
                "$undefined" => return self.reader.fail(JsonError::NotAValue("$undefined")),
                "$commitTs" => return self.reader.fail(JsonError::NotAValue("$commitTs")),
                _ => self.reader.encoder.begin_object(),
            }
        }
        self.reader.encoder.key(key);
        self.reader.check()?;
        Ok(None)
    }
}

fn read_special<'de, A: MapAccess<'de>>(
    reader: &mut Reader,
    special: Special,
    mut map: A,
) -> Result<(), A::Error> {
    let mut bytes = map.next_value_seed(Base64 { reader, special })?;
    while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
        if key != special.key() {
            let error = FieldNameError::Dollar(special.key().to_owned());
            return reader.fail(ValueError::from(error).into());
        }
        bytes = map.next_value_seed(Base64 { reader, special })?;
    }
    if special == Special::Bytes {
        reader.encoder.bytes(&bytes);
        return reader.check();
    }
    let Ok(word) = <[u8; 8]>::try_from(bytes.as_slice()) else {
        return reader.fail(JsonError::Length(special.key()));
    };
    if special == Special::Integer {
        reader.encoder.int64(i64::from_le_bytes(word));
    } else {
        let number = f64::from_le_bytes(word);
        if number.is_finite() && !(number == 0.0 && number.is_sign_negative()) {
            return reader.fail(JsonError::OrdinaryFloat(number.to_string()));
        }
        reader.encoder.float64(number);
    }
    reader.check()
}

/// Reads what a special key holds.
struct Base64<'r> {
    reader: &'r mut Reader,
    special: Special,
}

impl<'de> DeserializeSeed<'de> for Base64<'_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Base64<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a base64 string in {{\"{}\"}}", self.special.key())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Ok(bytes),
            Err(_) => self.reader.fail(JsonError::Base64(self.special.key())),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
        self.reader.fail(JsonError::Base64(self.special.key()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Vec<u8>, E> {
        self.visit_unit()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Vec<u8>, E> {
        self.visit_unit()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Vec<u8>, E> {
        self.visit_unit()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Vec<u8>, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Vec<u8>, A::Error> {
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Vec<u8>, A::Error> {
        self.visit_unit()
    }
}
