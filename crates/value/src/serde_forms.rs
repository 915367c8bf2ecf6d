//! serde: [`Packed`], [`Value`], [`ValueRef`] and [`Bytes`] are their wire JSON, ids their text, [`Nullable`] its value.

use serde::de::Error;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use data_encoding::BASE64;

use crate::{Bytes, DocumentId, Id, Nullable, Packed, Value, ValueRef, json_in};

fn special<S: Serializer>(serializer: S, key: &str, bytes: &[u8]) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, &BASE64.encode(bytes))?;
    map.end()
}

fn float64<S: Serializer>(serializer: S, value: f64) -> Result<S::Ok, S::Error> {
    if !value.is_finite() || (value == 0.0 && value.is_sign_negative()) {
        special(serializer, "$float", &value.to_le_bytes())
    } else if value.abs() <= 9_007_199_254_740_992.0 && value as i64 as f64 == value {
        serializer.serialize_i64(value as i64)
    } else {
        serializer.serialize_f64(value)
    }
}

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ValueRef::Null => serializer.serialize_unit(),
            ValueRef::Int64(n) => special(serializer, "$integer", &n.to_le_bytes()),
            ValueRef::Float64(n) => float64(serializer, *n),
            ValueRef::Boolean(b) => serializer.serialize_bool(*b),
            ValueRef::String(s) => serializer.serialize_str(s),
            ValueRef::Bytes(b) => special(serializer, "$bytes", b),
            ValueRef::Array(array) => {
                let mut seq = serializer.serialize_seq(None)?;
                for element in array.iter() {
                    seq.serialize_element(&element)?;
                }
                seq.end()
            }
            ValueRef::Object(object) => {
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in object.iter() {
                    map.serialize_entry(key, &value)?;
                }
                map.end()
            }
        }
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().serialize(serializer)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Int64(n) => special(serializer, "$integer", &n.to_le_bytes()),
            Value::Float64(n) => float64(serializer, *n),
            Value::Boolean(b) => serializer.serialize_bool(*b),
            Value::String(s) => serializer.serialize_str(s),
            Value::Bytes(b) => special(serializer, "$bytes", b),
            Value::Array(items) => serializer.collect_seq(items),
            Value::Object(fields) => serializer.collect_map(fields),
        }
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json_in::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(json_in::deserialize(deserializer)?.as_ref().to_value())
    }
}

impl Serialize for DocumentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text().as_str())
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<T: ?Sized> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document_id().serialize(serializer)
    }
}

impl<'de, T: ?Sized> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DocumentId::deserialize(deserializer).map(Id::from)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        special(serializer, "$bytes", &self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json_in::deserialize(deserializer)?.decode().map_err(D::Error::custom)
    }
}

impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_option().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Nullable::from)
    }
}
