//! Where a value has the placeholder of a commit's timestamp, and putting the timestamp there.
//!
//! The placeholder is the greatest int64 at a place whose validator says `v.commitTs()`; at any other place it is a
//! number as all others. A union says it where a member does that accepts the value.

use std::cell::Cell;

use hull_value::{CommitTs, Encode, Encoder, Packed, ValueError, ValueRef};

use crate::{TableMapping, Validator};

/// Of each greatest int64 in a value, in the order of its bytes, whether it is a placeholder. At least one is.
#[derive(Clone, Debug, PartialEq)]
pub struct Placeholders {
    marks: Vec<bool>,
}

impl Validator {
    /// Whether a value can have a commit's timestamp somewhere.
    pub fn has_commit_ts(&self) -> bool {
        match self {
            Validator::CommitTs => true,
            Validator::Array(inner) | Validator::Record(_, inner) => inner.has_commit_ts(),
            Validator::Object(fields) => fields.values().any(|field| field.validator.has_commit_ts()),
            Validator::Union(members) => members.iter().any(Validator::has_commit_ts),
            _ => false,
        }
    }

    /// The placeholders in a value that matches; `None` when there are none. Extra fields are passed over.
    pub fn placeholders(&self, value: ValueRef<'_>, tables: &dyn TableMapping) -> Option<Placeholders> {
        if !self.has_commit_ts() {
            return None;
        }
        let mut marks = Vec::new();
        find(value, &self.accepting(value, tables), tables, &mut marks);
        marks.contains(&true).then_some(Placeholders { marks })
    }

    /// The validators that say what this value is: members of unions in place of these.
    fn accepting(&self, value: ValueRef<'_>, tables: &dyn TableMapping) -> Vec<&Validator> {
        match self {
            Validator::Union(members) => {
                let accepting = members.iter().filter(|member| member.check_document(value, tables).is_ok());
                accepting.flat_map(|member| member.accepting(value, tables)).collect()
            }
            other => vec![other],
        }
    }
}

fn find(value: ValueRef<'_>, validators: &[&Validator], tables: &dyn TableMapping, marks: &mut Vec<bool>) {
    match value {
        ValueRef::Int64(i64::MAX) => marks.push(validators.contains(&&Validator::CommitTs)),
        ValueRef::Array(items) => {
            for item in items.iter() {
                let inner = validators.iter().flat_map(|validator| match validator {
                    Validator::Array(element) => element.accepting(item, tables),
                    _ => Vec::new(),
                });
                find(item, &inner.collect::<Vec<_>>(), tables, marks);
            }
        }
        ValueRef::Object(fields) => {
            for (name, item) in fields.iter() {
                let inner = validators.iter().flat_map(|validator| match validator {
                    Validator::Object(fields) => fields
                        .get(name)
                        .map_or_else(Vec::new, |field| field.validator.accepting(item, tables)),
                    Validator::Record(_, values) => values.accepting(item, tables),
                    _ => Vec::new(),
                });
                find(item, &inner.collect::<Vec<_>>(), tables, marks);
            }
        }
        _ => {}
    }
}

impl Placeholders {
    /// The value, which is the one they were found in, with a timestamp in their places.
    pub fn fill(&self, value: ValueRef<'_>, ts: CommitTs) -> Result<Packed, ValueError> {
        Packed::encode(&Filled { value, marks: &self.marks, next: &Cell::new(0), ts })
    }

    /// Of each greatest int64, in the order of the value's bytes, whether it is a placeholder.
    pub fn marks(&self) -> &[bool] {
        &self.marks
    }
}

struct Filled<'a> {
    value: ValueRef<'a>,
    marks: &'a [bool],
    next: &'a Cell<usize>,
    ts: CommitTs,
}

impl Encode for Filled<'_> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        match self.value {
            ValueRef::Int64(i64::MAX) => {
                let at = self.next.replace(self.next.get() + 1);
                match self.marks.get(at) {
                    Some(true) => self.ts.encode(e),
                    _ => e.int64(i64::MAX),
                }
            }
            ValueRef::Array(items) => {
                e.begin_array();
                items.iter().for_each(|value| Filled { value, ..*self }.encode(e));
                e.end_array();
            }
            ValueRef::Object(fields) => {
                e.begin_object();
                for (name, value) in fields.iter() {
                    e.key(name);
                    Filled { value, ..*self }.encode(e);
                }
                e.end_object();
            }
            other => e.value(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::v;
    use hull_value::{Timestamp, Value};

    fn object(fields: &[(&str, Value)]) -> Value {
        Value::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn placeholders_are_where_the_validator_says_so() {
        let (max, seven) = (Value::Int64(i64::MAX), Value::Int64(7));
        let list = |items: &[&Value]| Value::Array(items.iter().map(|item| (*item).clone()).collect());
        let tagged = v::union([
            v::object([("kind", v::literal("a")), ("at", v::commit_ts())]),
            v::object([("kind", v::literal("b")), ("at", v::int64())]),
        ]);
        let cases = [
            (v::commit_ts(), max.clone(), Some(seven.clone())),
            (v::commit_ts(), Value::Int64(3), None),
            (v::int64(), max.clone(), None),
            (v::any(), max.clone(), None),
            (v::union([v::int64(), v::commit_ts()]), max.clone(), Some(seven.clone())),
            (v::nullable(v::commit_ts()), Value::Null, None),
            (v::array(v::commit_ts()), list(&[&max, &seven, &max]), Some(list(&[&seven, &seven, &seven]))),
            (
                v::record(v::string(), v::commit_ts()),
                object(&[("a", max.clone()), ("b", max.clone())]),
                Some(object(&[("a", seven.clone()), ("b", seven.clone())])),
            ),
            (
                v::object([("a", v::int64()), ("b", v::commit_ts())]).field("c", v::optional(v::any())),
                object(&[("_id", max.clone()), ("a", max.clone()), ("b", max.clone()), ("c", max.clone())]),
                Some(object(&[
                    ("_id", max.clone()),
                    ("a", max.clone()),
                    ("b", seven.clone()),
                    ("c", max.clone()),
                ])),
            ),
            (
                tagged.clone(),
                object(&[("kind", "a".into()), ("at", max.clone())]),
                Some(object(&[("kind", "a".into()), ("at", seven.clone())])),
            ),
            (tagged.clone(), object(&[("kind", "b".into()), ("at", max.clone())]), None),
            (
                v::object([("deep", v::array(tagged))]),
                object(&[("deep", list(&[&object(&[("kind", "a".into()), ("at", max.clone())])]))]),
                Some(object(&[("deep", list(&[&object(&[("kind", "a".into()), ("at", seven)])]))])),
            ),
        ];
        for (validator, value, expected) in cases {
            let packed = Packed::encode(&value).unwrap();
            let found = validator.placeholders(packed.as_ref(), &());
            let filled =
                found.map(|found| found.fill(packed.as_ref(), CommitTs::from(Timestamp(7))).unwrap());
            assert_eq!(
                filled,
                expected.map(|value| Packed::encode(&value).unwrap()),
                "{validator} {value:?}"
            );
        }
    }
}
