//! `tests/diff-vectors.json`, which implementations in other languages run too.

use std::sync::LazyLock;

use hull_sync::diff::{ValueHash, apply};
use hull_value::Packed;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) old: String,
    pub(crate) new: String,
    patch: String,
    old_hash: String,
    new_hash: String,
}

#[derive(Deserialize)]
pub(crate) struct Refused {
    name: String,
    old: String,
    patch: String,
}

#[derive(Deserialize)]
pub(crate) struct Vectors {
    pub(crate) vectors: Vec<Vector>,
    refused: Vec<Refused>,
}

impl Vectors {
    /// All patches, right and wrong.
    pub(crate) fn patches(&self) -> impl Iterator<Item = &str> {
        let right = self.vectors.iter().map(|vector| vector.patch.as_str());
        right.chain(self.refused.iter().map(|refused| refused.patch.as_str()))
    }
}

pub(crate) fn read() -> &'static Vectors {
    static VECTORS: LazyLock<Vectors> =
        LazyLock::new(|| serde_json::from_str(include_str!("../diff-vectors.json")).unwrap());
    &VECTORS
}

fn packed(json: &str) -> Packed {
    Packed::from_json(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn every_patch_takes_old_to_new() {
    for vector in &read().vectors {
        let name = &vector.name;
        let (old, new) = (packed(&vector.old), packed(&vector.new));
        assert_eq!(apply(&old, &packed(&vector.patch)), Ok(new.clone()), "{name}");
        assert_eq!(ValueHash::of(old.as_ref()).to_string(), vector.old_hash, "{name}");
        assert_eq!(ValueHash::of(new.as_ref()).to_string(), vector.new_hash, "{name}");
        assert_eq!(vector.new_hash.parse(), Ok(ValueHash::of(new.as_ref())), "{name}");
        assert_eq!(old == new, vector.old_hash == vector.new_hash, "{name}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for refused in &read().refused {
        let applied = Packed::from_json(&refused.patch)
            .map_err(Into::into)
            .and_then(|patch| apply(&packed(&refused.old), &patch));
        let error = applied.expect_err(&refused.name);
        assert!(["MalformedPatch", "PatchMisfit"].contains(&error.code()), "{}: {error}", refused.name);
    }
}

#[test]
fn hashes_are_16_lower_case_digits() {
    for bad in [
        "",
        "0123456789abcde",
        "0123456789abcdef0",
        "0123456789ABCDEF",
        "+123456789abcdef",
        "0123456789abcdeg",
    ] {
        assert!(bad.parse::<ValueHash>().is_err(), "{bad}");
    }
    assert_eq!("00000000ffffffff".parse::<ValueHash>().unwrap().to_string(), "00000000ffffffff");
}
