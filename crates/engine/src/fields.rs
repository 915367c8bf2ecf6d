//! What of a key a read looks at and a write changes, as 64 bits: two that meet at a key overlap where they share one.
//!
//! ```text
//! bit 63                   presence: the key appears or disappears; a write that does this sets every bit
//! bit n, n < declared      the declared field that is n-th by name; the first 62 have a bit of their own
//! the bits between         all other fields, each by a hash of its name
//! ```
//! Fields that share a bit cost a needless conflict or a needless run, and nothing else. Which bit a field has follows
//! from its table's validator alone. Whoever reads or writes a table depends on the table's row of the catalog, which
//! every change of the validator writes anew: so two masks that decide over an overlap say the same, or the row has
//! decided already.
//!
//! To check what was read against the very fields that were written is precision locking (Jordan, Banerjee and Batman,
//! SIGMOD 1981), which Neumann, Mühlbauer and Kemper (SIGMOD 2015) use for serializable snapshots as well.

use hull_model::Validator;

/// Bits of fields, below that of presence.
const FIELDS: usize = 63;

/// Parts of what is under a key: its presence, and top-level fields of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldMask(pub u64);

impl FieldMask {
    /// Everything: what a read of whole documents depends on, and what an insert or a deletion changes.
    pub const ALL: FieldMask = FieldMask(u64::MAX);
    /// That there is something under the key, whatever it is.
    pub const PRESENCE: FieldMask = FieldMask(1 << FIELDS);

    /// Whether both have a part in common.
    #[inline]
    pub fn meets(self, other: FieldMask) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether this has every part of the other.
    #[inline]
    pub fn holds(self, other: FieldMask) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a read looks at in the documents that it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection<'a> {
    /// All of it.
    Whole,
    /// These top-level fields. The system fields never change and may be looked at in any case.
    Fields(&'a [&'a str]),
}

impl Projection<'static> {
    /// Nothing but that they are there.
    pub const PRESENCE: Self = Projection::Fields(&[]);
}

/// Which bits the fields of a table have.
#[derive(Debug, Default)]
pub(crate) struct FieldBits {
    /// The fields with a bit of their own, in the order of their names.
    declared: Box<[Box<str>]>,
}

impl FieldBits {
    /// The bits under a validator of the table's documents.
    pub(crate) fn new(validator: Option<&Validator>) -> Self {
        let mut names = Vec::new();
        if let Some(validator) = validator {
            declared(validator, &mut names);
        }
        names.sort_unstable();
        names.dedup();
        names.truncate(FIELDS - 1);
        Self { declared: names.into_iter().map(Box::from).collect() }
    }

    fn bit(&self, name: &[u8]) -> FieldMask {
        // Names mostly differ in length: one after the other is faster than halving.
        let at = self.declared.iter().position(|known| known.as_bytes() == name);
        let at = at.unwrap_or_else(|| self.declared.len() + hash(name) % (FIELDS - self.declared.len()));
        FieldMask(1 << at)
    }

    /// What a write changes that leaves the document under its key and changes these of its fields.
    pub(crate) fn changed(&self, names: &[&[u8]]) -> FieldMask {
        // No write changes a system field, or nothing; should one do so, it counts as changing everything.
        if names.is_empty() || names.iter().any(|name| name.first() == Some(&b'_')) {
            return FieldMask::ALL;
        }
        FieldMask(names.iter().fold(0, |mask, name| mask | self.bit(name).0))
    }

    /// What a read depends on that looks at so much of what it finds.
    pub(crate) fn read(&self, projection: Projection<'_>) -> FieldMask {
        let names = match projection {
            Projection::Whole => return FieldMask::ALL,
            Projection::Fields(names) => names,
        };
        let fields = names.iter().filter(|name| !name.starts_with('_'));
        FieldMask(fields.fold(FieldMask::PRESENCE.0, |mask, name| mask | self.bit(name.as_bytes()).0))
    }
}

/// The fields that a document may have by its validator.
fn declared<'a>(validator: &'a Validator, names: &mut Vec<&'a str>) {
    match validator {
        Validator::Object(fields) => names.extend(fields.keys().map(String::as_str)),
        Validator::Union(members) => members.iter().for_each(|member| declared(member, names)),
        _ => {}
    }
}

/// FNV-1a of Fowler, Noll and Vo, with 32 bits.
fn hash(name: &[u8]) -> usize {
    name.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
        as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull_model::v;

    fn bits(validator: &Validator, fields: &[&str]) -> Vec<u64> {
        let bits = FieldBits::new(Some(validator));
        fields.iter().map(|field| bits.changed(&[field.as_bytes()]).0).collect()
    }

    #[test]
    fn declared_fields_have_bits_of_their_own() {
        let names: Vec<String> = (0..62).map(|n| format!("f{n:02}")).collect();
        let table = |n: usize| v::object(names[..n].iter().map(|name| (name.as_str(), v::any())));
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(bits(&table(62), &all), (0..62).map(|n| 1 << n).collect::<Vec<u64>>());
        // What is not declared shares what is left, and has neither a declared field's bit nor that of presence.
        assert_eq!(bits(&table(62), &["zebra", "ant"]), [1 << 62, 1 << 62]);
        assert!(bits(&table(3), &["zebra", "ant"]).iter().all(|bit| *bit > 4 && *bit < 1 << 63));
        let more = table(62).field("f0", v::any()).field("zebra", v::any());
        assert_eq!(bits(&more, &["f0", "f00", "f60", "f61", "zebra"]), [1, 2, 1 << 61, 1 << 62, 1 << 62]);
        let both = FieldBits::new(Some(&table(3))).changed(&[b"f00", b"f02"]);
        assert_eq!(both, FieldMask(5));
        let union = v::union([table(2), table(3)]);
        assert_eq!(bits(&union, &["f00", "f01", "f02"]), [1, 2, 4]);
        assert_ne!(bits(&v::any(), &["title"]), bits(&v::any(), &["body"]));
    }

    #[test]
    fn what_no_write_does_counts_as_changing_everything() {
        let bits = FieldBits::default();
        assert_eq!(bits.changed(&[]), FieldMask::ALL);
        assert_eq!(bits.changed(&[b"_creationTime", b"a"]), FieldMask::ALL);
        assert_eq!(bits.read(Projection::Fields(&["_id", "_creationTime"])), FieldMask::PRESENCE);
        assert_eq!(bits.read(Projection::PRESENCE), FieldMask::PRESENCE);
        assert_eq!(bits.read(Projection::Whole), FieldMask::ALL);
        let title = bits.read(Projection::Fields(&["title"]));
        assert!(title.meets(bits.changed(&[b"title"])) && title.holds(FieldMask::PRESENCE));
        assert!(!title.meets(bits.changed(&[b"body"])) && !FieldMask::PRESENCE.holds(title));
    }
}
