//! The columns of a CSV file: how a document is flattened into them, and made of them again.
//!
//! A header is `path:kind`. The path leads through nested objects, `address.street`; a name that is not letters, digits
//! and `_` is written as a JSON string, `labels."first name"`. A field whose value has several types has a column for
//! each. `_id:string` and `_creationTime:float64` come first, the others by name. A table that would need more than
//! [`MAX_FLAT`] columns keeps nested objects whole, in `json` columns.

use std::collections::{BTreeMap, BTreeSet};

use hull_value::{ObjectRef, Packed, Value, ValueRef};

use super::cells::{self, Kind};

/// With more columns than this, nested objects stay whole.
const MAX_FLAT: usize = 1024;
/// With more columns than this, a table is refused.
const MAX_COLUMNS: usize = 16_384;

/// A column: whether it is one of the two first, its path as the header has it, its kind.
type Column = (u8, String, Kind);

/// What is known of the columns of a table while its documents go by.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    flat: BTreeSet<Column>,
    whole: BTreeSet<Column>,
}

impl Survey {
    /// Looks at a document. The error is a sentence.
    pub(crate) fn see(&mut self, document: &Packed) -> Result<(), String> {
        let Some(object) = document.as_object() else { return Ok(()) };
        if self.flat.len() <= MAX_FLAT {
            flatten(object, true, &mut |column, _| {
                self.flat.insert(column);
            });
        }
        flatten(object, false, &mut |column, _| {
            self.whole.insert(column);
        });
        if self.whole.len() > MAX_COLUMNS {
            return Err(format!("its documents have more than {MAX_COLUMNS} fields; use --format jsonl"));
        }
        Ok(())
    }

    /// The columns, in order.
    pub(crate) fn columns(self) -> Columns {
        let nested = self.flat.len() <= MAX_FLAT;
        let mut columns = if nested { self.flat } else { self.whole };
        // A table without documents has these all the same.
        columns.insert((0, "_id".to_owned(), Kind::String));
        columns.insert((1, "_creationTime".to_owned(), Kind::Float64));
        Columns { nested, at: columns.into_iter().enumerate().map(|(at, column)| (column, at)).collect() }
    }
}

/// The columns of a table.
#[derive(Debug)]
pub(crate) struct Columns {
    nested: bool,
    at: BTreeMap<Column, usize>,
}

impl Columns {
    /// The header.
    pub(crate) fn header(&self) -> Vec<String> {
        self.at.keys().map(|(_, path, kind)| format!("{path}:{}", kind.name())).collect()
    }

    /// The cells of a document.
    pub(crate) fn cells(&self, document: &Packed, cells: &mut Vec<String>) {
        cells.iter_mut().for_each(String::clear);
        cells.resize(self.at.len(), String::new());
        let Some(object) = document.as_object() else { return };
        flatten(object, self.nested, &mut |column, value| {
            if let Some(cell) = self.at.get(&column).and_then(|at| cells.get_mut(*at)) {
                cells::write(value, cell);
            }
        });
    }
}

/// Shows every value of an object with its column.
fn flatten(object: ObjectRef<'_>, nested: bool, show: &mut dyn FnMut(Column, ValueRef<'_>)) {
    fn walk(object: ObjectRef<'_>, prefix: &str, nested: bool, show: &mut dyn FnMut(Column, ValueRef<'_>)) {
        for (name, value) in object.iter() {
            let path = format!("{prefix}{}", component(name));
            match value {
                ValueRef::Object(inner) if nested && !inner.is_empty() => {
                    walk(inner, &format!("{path}."), nested, show);
                }
                value => {
                    let rank = match &*path {
                        "_id" => 0,
                        "_creationTime" => 1,
                        _ => 2,
                    };
                    show((rank, path, Kind::of(value)), value);
                }
            }
        }
    }
    walk(object, "", nested, show);
}

fn component(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if plain { name.to_owned() } else { Value::String(name.to_owned()).to_json_text() }
}

trait JsonText {
    fn to_json_text(&self) -> String;
}

impl JsonText for Value {
    fn to_json_text(&self) -> String {
        hull_value::to_json(self).unwrap_or_default()
    }
}

/// A column that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The names on the way to the value.
    pub(crate) path: Vec<String>,
    /// Its kind; without one, a cell is a number where it can be read as one, else a string.
    pub(crate) kind: Option<Kind>,
}

/// Reads a header: `path:kind` as it is written here, or the plain name of a field. `None` for what is neither.
pub(crate) fn parse_header(text: &str) -> Option<Header> {
    if let Some((path, kind)) = text.rsplit_once(':')
        && let Some(kind) = Kind::named(kind)
        && let Some(path) = parse_path(path)
    {
        return Some(Header { path, kind: Some(kind) });
    }
    let system = text == "_id" || text == "_creationTime";
    let name =
        system || (hull_value::check_field_name(text).is_ok() && !text.is_empty() && !text.starts_with('_'));
    name.then(|| Header { path: vec![text.to_owned()], kind: None })
}

fn parse_path(text: &str) -> Option<Vec<String>> {
    let mut path = Vec::new();
    let mut rest = text;
    loop {
        let end = if rest.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            path.push(strings.next()?.ok()?);
            strings.byte_offset()
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let name = rest.get(..end)?;
            if name.is_empty() || component(name) != name {
                return None;
            }
            path.push(name.to_owned());
            end
        };
        rest = rest.get(end..)?;
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Some(path),
            None => return None,
        }
    }
}

/// Puts a value at its place in a document. Returns false when something else is there.
pub(crate) fn insert(fields: &mut BTreeMap<String, Value>, path: &[String], value: Value) -> bool {
    match path {
        [] => false,
        [name] => fields.insert(name.clone(), value).is_none(),
        [name, rest @ ..] => {
            match fields.entry(name.clone()).or_insert_with(|| Value::Object(BTreeMap::new())) {
                Value::Object(inner) => insert(inner, rest, value),
                _ => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        let typed = |path: &[&str], kind| {
            Some(Header { path: path.iter().map(|name| (*name).to_owned()).collect(), kind: Some(kind) })
        };
        assert_eq!(parse_header("a:int64"), typed(&["a"], Kind::Int64));
        assert_eq!(parse_header("a.b_2:json"), typed(&["a", "b_2"], Kind::Json));
        assert_eq!(parse_header("a.\"b.c\\\"\".d:null"), typed(&["a", "b.c\"", "d"], Kind::Null));
        assert_eq!(parse_header("_id:string"), typed(&["_id"], Kind::String));
        let plain = |name: &str| Some(Header { path: vec![name.to_owned()], kind: None });
        for name in ["name", "_id", "two words", "a:b", "a.b"] {
            assert_eq!(parse_header(name), plain(name));
        }
        for bad in ["", "$a", "_other", "é", "a\nb"] {
            assert_eq!(parse_header(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_record_with_very_many_keys_stays_whole() {
        let mut survey = Survey::default();
        for n in 0..MAX_FLAT + 5 {
            let inner = Value::object([(format!("k{n}"), Value::Int64(1))]);
            survey.see(&Packed::encode(&Value::object([("record", inner)])).unwrap()).unwrap();
        }
        assert_eq!(survey.columns().header(), ["_id:string", "_creationTime:float64", "record:json"]);
    }
}
