//! A document as it is read: its id, its creation time and the whole object.

use hull_model::{CREATION_TIME_FIELD, ID_FIELD};
use hull_value::{
    DocumentId, Encode, Encoder, InternalId, ObjectRef, Packed, TableNumber, Timestamp, ValueRef,
};

use crate::error::TxError;

/// A stored document. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The id; all zero for a row of the engine's own keyspaces.
    pub id: DocumentId,
    /// `_creationTime`, in milliseconds; 0 for a row of the engine's own keyspaces.
    pub creation_time: f64,
    /// The whole object, `_id` and `_creationTime` included.
    pub value: Packed,
    /// The size by Convex's formula, reckoned once.
    pub(crate) size: u32,
}

impl Document {
    /// The document stored under `key` in the `by_id` keyspace of the table numbered `table`.
    pub(crate) fn stored(table: TableNumber, key: &[u8], value: Packed) -> Result<Self, TxError> {
        if table.0 == 0 {
            return Ok(Self::row(value));
        }
        let internal: [u8; 16] = key
            .try_into()
            .map_err(|_| TxError::Damaged(format!("a document's key has {} bytes", key.len())))?;
        let creation_time = match value.as_ref() {
            ValueRef::Object(object) => match object.get("_creationTime") {
                Some(ValueRef::Float64(time)) => time,
                _ => return Err(TxError::Damaged("a document without `_creationTime`".into())),
            },
            _ => return Err(TxError::Damaged("a document that is no object".into())),
        };
        Ok(Self::new(DocumentId { table, internal: InternalId(internal) }, creation_time, value))
    }

    /// The document with no fields but these and the system's.
    pub fn only(&self, fields: &[&str]) -> Result<Self, TxError> {
        let Some(object) = self.value.as_object() else { return Ok(self.clone()) };
        let value = Packed::encode(&Only { object, fields });
        Ok(Self::new(self.id, self.creation_time, value.map_err(|e| TxError::Damaged(e.to_string()))?))
    }

    /// The size in bytes by Convex's formula, as limits count it.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// A document of these parts, which must be those inside `value`.
    pub(crate) fn new(id: DocumentId, creation_time: f64, value: Packed) -> Self {
        let size = u32::try_from(value.size()).unwrap_or(u32::MAX);
        Self { id, creation_time, value, size }
    }

    /// A row of one of the engine's own keyspaces.
    pub(crate) fn row(value: Packed) -> Self {
        Self {
            id: DocumentId { table: TableNumber(0), internal: InternalId([0; 16]) },
            creation_time: 0.0,
            value,
            size: 0,
        }
    }

    /// What storage holds for a document: timestamp (8 bytes, little endian), then the packed value.
    pub(crate) fn to_storage(&self, ts: Timestamp) -> Vec<u8> {
        let bytes = self.value.bytes();
        let mut out = Vec::with_capacity(8 + bytes.len());
        out.extend_from_slice(&ts.0.to_le_bytes());
        out.extend_from_slice(bytes);
        out
    }

    /// Reads what [`Document::to_storage`] wrote.
    pub(crate) fn from_storage(
        table: TableNumber,
        key: &[u8],
        stored: &[u8],
    ) -> Result<(Timestamp, Self), TxError> {
        let Some((ts, value)) = stored.split_first_chunk::<8>() else {
            return Err(TxError::Damaged("a stored document is cut short".into()));
        };
        // Storage has checked its checksum.
        let value = Packed::from_trusted(value);
        Ok((Timestamp(u64::from_le_bytes(*ts)), Self::stored(table, key, value)?))
    }
}

/// Some fields of an object, and the system's.
struct Only<'a> {
    object: ObjectRef<'a>,
    fields: &'a [&'a str],
}

impl Encode for Only<'_> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        for (name, value) in self.object.iter() {
            if self.fields.contains(&name) || name == ID_FIELD || name == CREATION_TIME_FIELD {
                e.key(name);
                e.value(value);
            }
        }
        e.end_object();
    }
}
