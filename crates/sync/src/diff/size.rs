//! How long a value's wire JSON is at least: all that is needed to know that a patch is shorter.

use hull_value::ValueRef;

use super::hash::has_literal;

/// `{"$bytes":"…"}` without its text; `{"$integer":"…"}` and `{"$float":"…"}` with theirs.
const BYTES: usize = 13;
const INTEGER: usize = 27;
const FLOAT: usize = 25;

/// A number of bytes that the value's wire JSON is not shorter than, and equal to unless it has escapes or numbers
/// that are not whole.
pub(super) fn json_len_at_least(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Null | ValueRef::Boolean(true) => 4,
        ValueRef::Boolean(false) => 5,
        ValueRef::Int64(_) => INTEGER,
        ValueRef::Float64(number) if has_literal(number) => number_len_at_least(number),
        ValueRef::Float64(_) => FLOAT,
        ValueRef::String(text) => text.len() + 2,
        ValueRef::Bytes(bytes) => BYTES + bytes.len().div_ceil(3) * 4,
        // Brackets, and a comma behind all elements but the last.
        ValueRef::Array(items) => 1 + items.iter().map(|v| 1 + json_len_at_least(v)).sum::<usize>().max(1),
        ValueRef::Object(fields) => {
            1 + fields.iter().map(|(key, v)| key.len() + 4 + json_len_at_least(v)).sum::<usize>().max(1)
        }
    }
}

fn number_len_at_least(number: f64) -> usize {
    let whole = number as i64;
    if whole as f64 != number || whole.unsigned_abs() > 1 << 53 {
        return 3;
    }
    let digits = whole.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(whole < 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull_value::Packed;

    #[test]
    fn it_is_exact_without_escapes_and_fractions() {
        for json in [
            "null",
            "true",
            "false",
            "0",
            "-1",
            "9",
            "10",
            "-9007199254740992",
            "[]",
            "{}",
            "[[]]",
            "[1,2]",
            "[{}]",
            r#""""#,
            r#""é""#,
            r#"{"":1}"#,
            r#"{"a":[true,null],"b":"c"}"#,
            r#"{"$integer":"AQAAAAAAAAA="}"#,
            r#"{"$float":"AAAAAAAAAIA="}"#,
            r#"{"$bytes":""}"#,
            r#"{"$bytes":"AA=="}"#,
            r#"{"$bytes":"AAAA"}"#,
        ] {
            assert_eq!(json_len_at_least(Packed::from_json(json).unwrap().as_ref()), json.len(), "{json}");
        }
        for json in ["0.5", "1e300", "5e-324", "1e18", r#""\n""#, r#"{"\"":-0.1}"#] {
            let packed = Packed::from_json(json).unwrap();
            assert!(json_len_at_least(packed.as_ref()) <= packed.to_json().len(), "{json}");
        }
    }
}
