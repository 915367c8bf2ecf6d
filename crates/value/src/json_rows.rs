//! [`JsonRows`]: a value with its wire JSON, which is written when somebody first asks for it, once.
//!
//! The text is exactly that of [`Packed::to_json`]. That of a list of objects is kept with the place of every row, and
//! the text of a later list copies the rows that have not changed: writing a list of which one row changed costs that
//! row, and a look at the others.

use std::sync::OnceLock;

use crate::raw;
use crate::{JsonForm, Packed, write_json};

/// So many rows may be put in or taken out at one place for those behind it to be found.
const REACH: usize = 8;
/// After so many rows that were looked for in vain only those at the same place are compared, so that a list that has
/// changed everywhere costs little more than to write it.
const PATIENCE: usize = 16;
/// The longest packed list whose rows are kept: offsets into the text, which is at most six times as long, have 32 bits.
const LONGEST: usize = 1 << 28;

/// A value, and its wire JSON once somebody has asked for it.
#[derive(Clone, Debug)]
pub struct JsonRows {
    value: Packed,
    text: OnceLock<Text>,
}

impl JsonRows {
    /// A value whose text nobody has asked for yet.
    pub fn new(value: Packed) -> JsonRows {
        JsonRows { value, text: OnceLock::new() }
    }

    /// The value.
    pub fn value(&self) -> &Packed {
        &self.value
    }

    /// Its wire JSON. If it is still to be written, the rows that `before` has too are copied, where its text is there.
    pub fn json(&self, before: Option<&JsonRows>) -> &str {
        &self.text.get_or_init(|| self.write(before)).json
    }

    /// How many bytes the text takes in memory, if it is written.
    pub fn text_memory(&self) -> usize {
        self.text.get().map_or(0, |text| text.json.len() + size_of_val(&*text.starts))
    }

    fn write(&self, before: Option<&JsonRows>) -> Text {
        let Some(body) = list(&self.value) else {
            return Text { json: self.value.to_json().into(), starts: Box::default() };
        };
        let old =
            before.and_then(|before| Some(Old { body: list(&before.value)?, text: before.text.get()? }));
        let expected = old.as_ref().map_or(0, |old| old.text.json.len()).max(body.len());
        let ends = ends(body);
        let starts = Vec::with_capacity(ends.len() + 1);
        let mut out = Writer { body, ends, json: String::with_capacity(expected + expected / 4), starts };
        out.json.push('[');
        match old {
            Some(old) => out.write_all(&old),
            None => (0..out.ends.len()).for_each(|_| out.write_next()),
        }
        out.starts.push(Start { packed: out.place(), json: out.json.len() as u32 + 1 });
        out.json.push(']');
        Text { json: out.json.into(), starts: out.starts.into() }
    }
}

#[derive(Clone, Debug)]
struct Text {
    json: Box<str>,
    /// The rows of a list of objects, and the place behind the last. Empty for other values.
    starts: Box<[Start]>,
}

/// Where a row begins. In the packed list the next one begins where it ends, in the text there is a comma between them,
/// or the bracket behind the last.
#[derive(Clone, Copy, Debug)]
struct Start {
    packed: u32,
    json: u32,
}

/// The packed elements of a list of objects, as far as the first one tells.
fn list(value: &Packed) -> Option<&[u8]> {
    let (&raw::ARRAY, mut rest) = value.bytes().split_first()? else { return None };
    let body = raw::read_body(&mut rest)?;
    (body.first() == Some(&raw::OBJECT) && body.len() <= LONGEST).then_some(body)
}

/// Where each element ends.
fn ends(body: &[u8]) -> Vec<usize> {
    let mut rest = body;
    std::iter::from_fn(|| raw::skip_value(&mut rest).map(|()| body.len() - rest.len())).collect()
}

/// A list whose text is written.
struct Old<'a> {
    body: &'a [u8],
    text: &'a Text,
}

impl Old<'_> {
    /// A row as it is packed.
    fn row(&self, index: usize) -> Option<&[u8]> {
        let [start, end] = self.text.starts.get(index..index + 2)? else { return None };
        self.body.get(start.packed as usize..end.packed as usize)
    }
}

/// Writes a list, row by row.
struct Writer<'a> {
    body: &'a [u8],
    ends: Vec<usize>,
    json: String,
    /// The rows that are written.
    starts: Vec<Start>,
}

impl<'a> Writer<'a> {
    fn row(&self, index: usize) -> Option<&'a [u8]> {
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.body.get(start..*self.ends.get(index)?)
    }

    /// Where the next row is packed.
    fn place(&self) -> u32 {
        let last = self.starts.len().checked_sub(1).and_then(|last| self.ends.get(last));
        last.map_or(0, |end| *end as u32)
    }

    /// Begins the text of a row that is not the first.
    fn separate(&mut self) {
        if !self.starts.is_empty() {
            self.json.push(',');
        }
    }

    fn write_next(&mut self) {
        self.separate();
        let value =
            self.row(self.starts.len()).and_then(|mut row| raw::read_value(&mut row)).unwrap_or_default();
        self.starts.push(Start { packed: self.place(), json: self.json.len() as u32 });
        write_json(value, JsonForm::Wire, &mut self.json);
    }

    /// Copies the text of the next `count` rows, which are those of `old` from `from` on.
    fn copy_next(&mut self, old: &Old<'_>, from: usize, count: usize) {
        let starts = old.text.starts.get(from..=from + count).unwrap_or_default();
        let Some((end, rows)) = starts.split_last() else { return };
        let first = rows.first().map_or(0, |first| first.json);
        self.separate();
        let begin = self.json.len() as u32;
        self.json.push_str(old.text.json.get(first as usize..end.json as usize - 1).unwrap_or_default());
        for row in rows {
            self.starts.push(Start { packed: self.place(), json: begin + (row.json - first) });
        }
    }

    /// Writes all rows, of which `old` may have many.
    fn write_all(&mut self, old: &Old<'_>) {
        let (mut at, mut in_vain) = (0, 0);
        while self.starts.len() < self.ends.len() {
            let same = |ahead: usize, gone: usize| {
                self.row(self.starts.len() + ahead).is_some_and(|row| old.row(at + gone) == Some(row))
            };
            let run = (0..).take_while(|n| same(*n, *n)).count();
            if run > 0 {
                self.copy_next(old, at, run);
                (at, in_vain) = (at + run, 0);
            } else if same(1, 1) || in_vain >= PATIENCE {
                self.write_next();
                at += 1;
            } else if let Some(gone) = (1..=REACH).find(|n| same(0, *n)) {
                at += gone;
            } else if let Some(new) = (1..=REACH).find(|n| same(*n, 0)) {
                (0..new).for_each(|_| self.write_next());
            } else {
                self.write_next();
                (at, in_vain) = (at + 1, in_vain + 1);
            }
        }
    }
}
