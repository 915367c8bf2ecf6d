//! [`CommitTs`]: the time of the commit that wrote a value.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Decode, DecodeError, Encode, Encoder, Timestamp, Value, ValueRef};

/// When a value was committed, in nanoseconds since the epoch; or, inside a mutation, that it will be with it.
///
/// It is an int64 in documents and on the wire. Where a validator says `v.commitTs()` the greatest int64 stands for the
/// commit to come, and the commit puts its own timestamp there. So within the mutation it is greater than every other,
/// and afterwards an index on it is in the order of commits, which creation times are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitTs(i64);

impl CommitTs {
    /// The commit of the mutation that is running.
    pub const PENDING: CommitTs = CommitTs(i64::MAX);

    /// Whether the commit is still to come.
    pub fn is_pending(self) -> bool {
        self == CommitTs::PENDING
    }

    /// Nanoseconds since the epoch; the greatest int64 for a commit that is still to come.
    pub fn nanoseconds(self) -> i64 {
        self.0
    }
}

impl From<Timestamp> for CommitTs {
    fn from(ts: Timestamp) -> CommitTs {
        // The year 2262 comes before the greatest int64 does.
        CommitTs(i64::try_from(ts.0).unwrap_or(i64::MAX - 1).min(i64::MAX - 1))
    }
}

impl From<CommitTs> for Value {
    fn from(ts: CommitTs) -> Value {
        Value::Int64(ts.0)
    }
}

impl fmt::Display for CommitTs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_pending() { f.write_str("pending") } else { self.0.fmt(f) }
    }
}

impl Encode for CommitTs {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.int64(self.0);
    }
}

impl Decode for CommitTs {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        i64::decode(value).map(CommitTs)
    }
}

impl Serialize for CommitTs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ValueRef::Int64(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CommitTs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::Packed::deserialize(deserializer)?.decode().map_err(serde::de::Error::custom)
    }
}
