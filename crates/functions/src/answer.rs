//! A mutation's answer while its commit is still to come: wire JSON with places for the commit's timestamp.
//!
//! An int64 takes as much room in JSON whatever it is, so a place is an offset, and nothing is written again. The record
//! of a session's request keeps the places too: it is a part of the commit whose time it lacks.

use hull_model::TableMapping;
use hull_value::{CommitTs, Packed, Timestamp};

use crate::error::{Error, Result};
use crate::private::Encoded;
use crate::registry::Function;

/// The greatest int64, up to its base64 and behind it. Inside of a string the quotes would be escaped.
const BEFORE: &str = r#"{"$integer":""#;
const GREATEST: &str = r#"{"$integer":"/////////38="}"#;

/// A mutation's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) json: String,
    /// Where the base64 of a timestamp belongs, in bytes.
    pub(crate) places: Vec<usize>,
}

impl Answer {
    /// The answer that a function has given.
    pub(crate) fn new(function: &Function, encoded: Encoded, tables: &dyn TableMapping) -> Answer {
        let mut places = Vec::new();
        let found = match (&encoded, function.stamped()) {
            (Encoded::Packed(value), Some(validator)) => validator.placeholders(value.as_ref(), tables),
            _ => None,
        };
        let json = encoded.into_json();
        if let Some(found) = found {
            let all = json.match_indices(GREATEST).zip(found.marks());
            places.extend(all.filter(|(_, mark)| **mark).map(|((at, _), _)| at + BEFORE.len()));
        }
        Answer { json, places }
    }

    /// The JSON once the commit has its timestamp.
    pub(crate) fn fill(mut self, ts: Timestamp) -> String {
        if !self.places.is_empty() {
            let text = Timestamp(CommitTs::from(ts).nanoseconds().unsigned_abs()).to_wire();
            for at in self.places {
                if self.json.is_char_boundary(at) && self.json.is_char_boundary(at + text.len()) {
                    self.json.replace_range(at..at + text.len(), &text);
                }
            }
        }
        self.json
    }
}

/// A query gives its caller no timestamp of a commit that is still to come.
pub(crate) fn refuse_pending(function: &Function, result: &Packed, tables: &dyn TableMapping) -> Result<()> {
    let pending = function.stamped().and_then(|validator| validator.placeholders(result.as_ref(), tables));
    match pending {
        None => Ok(()),
        Some(_) => Err(Error::system(
            "CommitTsInQueryResult",
            format!(
                "The query {} returns the timestamp of the commit that is still to come: return other fields, or read the \
                 document in the mutation itself",
                function.path()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use hull_value::Value;

    #[test]
    fn a_timestamp_takes_the_place_of_the_greatest_int64() {
        let greatest = Packed::encode(&CommitTs::PENDING).unwrap().to_json();
        assert_eq!(greatest, GREATEST);
        let json = format!("[{greatest},\"{{\\\"$integer\\\":\\\"/////////38=\\\"}}\"]");
        let answer = Answer { places: vec![1 + BEFORE.len()], json };
        let filled = Packed::from_json(&answer.fill(Timestamp(1_700_000_000_000_000_001))).unwrap();
        let expected = [Value::Int64(1_700_000_000_000_000_001), Value::String(GREATEST.to_owned())];
        assert_eq!(filled, Packed::encode(&Value::Array(expected.to_vec())).unwrap());
    }
}
