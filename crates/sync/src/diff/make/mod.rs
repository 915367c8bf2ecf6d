//! Making a patch: as text, in one pass over what differs, and given up as soon as it does not pay.
//!
//! What two values have in common is found by comparing packed bytes. Where a part told as a patch would be longer
//! than told in full it is told in full, and where the whole would be, there is no patch. Both are found out by
//! writing within a limit, and what is written in vain is limited too, so that the work stays in proportion to the values.

mod steps;

use hull_value::{ArrayRef, ObjectRef};
use hull_value::{JsonForm, MAX_NESTING, Packed, ValueRef, write_json};

use super::align::{Origin, align, pair};
use super::rows::RowOrigins;
use super::size::json_len_at_least;
use super::text;
use steps::Steps;

/// What a QueryDiff has more than a QueryUpdated around its patch, at most.
const OVERHEAD: usize = 80;
/// The longest patch. Its size by Convex's formula is at most 4.5 times its text, so that it keeps the limit of values.
const LONGEST: usize = 4 << 20;
/// How many rows of a list that has changed all over are tried first.
const SAMPLE: usize = 8;

/// A patch as JSON text.
#[derive(Clone, Debug)]
pub struct Made {
    /// The text.
    pub patch: String,
    /// Which rows stayed.
    pub origins: RowOrigins,
}

/// The patch that takes `old` to `new`, if telling it takes fewer bytes than telling `new`.
pub fn make(old: &Packed, new: &Packed) -> Option<Made> {
    if old == new {
        return Some(Made { patch: "{}".to_owned(), origins: RowOrigins::all_same(new.as_ref()) });
    }
    let whole = new.as_ref();
    if whole.packed_len() <= OVERHEAD {
        return None;
    }
    let mut maker = Maker {
        whole,
        out: String::new(),
        limit: sure(whole),
        is_exact: false,
        in_vain: 0,
        given_up: false,
        lists: Vec::new(),
    };
    maker.patch(old.as_ref(), whole, 0, LONGEST, Some(Row::Whole)).ok()?;
    let origins = RowOrigins::of_values(old.as_ref(), whole, &maker.lists);
    Some(Made { patch: maker.out, origins })
}

/// A length that no JSON text of the value falls below, known without looking inside: numbers of one digit are what
/// takes the most room packed, 9 bytes for 2.
fn sure(value: ValueRef<'_>) -> usize {
    value.packed_len() * 2 / 9
}

/// The text would be longer than allowed.
struct TooLong;

struct Maker<'a> {
    whole: ValueRef<'a>,
    out: String,
    /// The whole text may not be longer than this.
    limit: usize,
    /// Whether the limit is what the value's own text takes at least.
    is_exact: bool,
    /// How many bytes were written and taken back.
    in_vain: usize,
    given_up: bool,
    /// Where the elements come from of each list that has rows and has changed, in the order of their fields.
    lists: Vec<Vec<Origin>>,
}

/// What holds rows (see `rows.rs`).
#[derive(Clone, Copy)]
enum Row {
    Whole,
    Field,
}

impl<'a> Maker<'a> {
    /// Whether the text may be `len` bytes long, within a limit of a part of it.
    fn allow(&mut self, len: usize, limit: usize) -> Result<(), TooLong> {
        if self.given_up || len > limit {
            return Err(TooLong);
        }
        if len > self.limit && !self.is_exact {
            self.is_exact = true;
            self.limit = json_len_at_least(self.whole).saturating_sub(OVERHEAD).min(LONGEST);
        }
        if len > self.limit {
            self.given_up = true;
            return Err(TooLong);
        }
        Ok(())
    }

    /// Writes a value in full, inside of so many arrays and objects of the patch.
    fn value(&mut self, value: ValueRef<'a>, depth: usize, limit: usize) -> Result<(), TooLong> {
        self.allow(self.out.len() + sure(value), limit)?;
        if depth + value.nesting() > MAX_NESTING {
            self.given_up = true;
            return Err(TooLong);
        }
        write_json(value, JsonForm::Wire, &mut self.out);
        self.allow(self.out.len(), limit)
    }

    fn key(&mut self, key: &'a str) {
        write_json(ValueRef::String(key), JsonForm::Wire, &mut self.out);
        self.out.push(':');
    }

    fn number(&mut self, number: usize) {
        self.out.push_str(itoa::Buffer::new().format(number));
    }

    /// Writes a patch of two values that differ. With `rows` the elements of a list are rows.
    fn patch(
        &mut self,
        old: ValueRef<'a>,
        new: ValueRef<'a>,
        depth: usize,
        limit: usize,
        rows: Option<Row>,
    ) -> Result<(), TooLong> {
        match (old, new) {
            (ValueRef::Object(old), ValueRef::Object(new)) => {
                self.object(old, new, depth, limit, matches!(rows, Some(Row::Whole)).then_some(Row::Field))
            }
            (ValueRef::Array(old), ValueRef::Array(new)) => self.list(old, new, depth, limit, rows),
            (ValueRef::String(old), ValueRef::String(new)) => self.text(old, new, limit),
            _ => Err(TooLong),
        }
    }

    /// Tries a patch where the new value would be the alternative; takes back what does not pay.
    fn attempt(
        &mut self,
        old: ValueRef<'a>,
        new: ValueRef<'a>,
        depth: usize,
        limit: usize,
        rows: Option<Row>,
    ) -> Result<(), TooLong> {
        let start = self.out.len();
        let tried = self.patch(old, new, depth, limit.min(start + new.packed_len()), rows);
        if tried.is_err() {
            self.in_vain += self.out.len() - start;
            self.out.truncate(start);
            self.given_up |= self.in_vain > 4 * self.whole.packed_len();
        }
        tried
    }

    fn object(
        &mut self,
        old: ObjectRef<'a>,
        new: ObjectRef<'a>,
        depth: usize,
        limit: usize,
        rows: Option<Row>,
    ) -> Result<(), TooLong> {
        let mut changed = Vec::new();
        old.differences(new, |key| changed.push(key));
        let (mut set, mut unset) = (Vec::new(), Vec::new());
        let (mut old, mut new) = (old.fields(), new.fields());
        let start = self.out.len();
        self.out.push('{');
        for key in changed {
            // Keys are text.
            let key = std::str::from_utf8(key).map_err(|_| TooLong)?;
            match (old.find(key), new.find(key)) {
                (Some(was), Some(field)) if may_pay(was, field) => {
                    let before = self.out.len();
                    self.out.push_str(if before == start + 1 { "\"patch\":{" } else { "," });
                    self.key(key);
                    if self.attempt(was, field, depth + 2, limit, rows).is_err() {
                        self.out.truncate(before);
                        set.push((key, field));
                    }
                }
                (_, Some(field)) => set.push((key, field)),
                (_, None) => unset.push(key),
            }
        }
        if self.out.len() > start + 1 {
            self.out.push('}');
        }
        if !set.is_empty() {
            self.section(start, "\"set\":{");
            for (key, value) in set {
                self.comma('{');
                self.key(key);
                self.value(value, depth + 2, limit)?;
            }
            self.out.push('}');
        }
        if !unset.is_empty() {
            self.section(start, "\"unset\":[");
            for key in unset {
                self.comma('[');
                write_json(ValueRef::String(key), JsonForm::Wire, &mut self.out);
            }
            self.out.push(']');
        }
        self.out.push('}');
        self.allow(self.out.len(), limit)
    }

    fn section(&mut self, start: usize, name: &str) {
        if self.out.len() > start + 1 {
            self.out.push(',');
        }
        self.out.push_str(name);
    }

    /// A comma, but not behind what opens.
    fn comma(&mut self, opening: char) {
        if !self.out.ends_with(opening) {
            self.out.push(',');
        }
    }

    fn text(&mut self, old: &str, new: &'a str, limit: usize) -> Result<(), TooLong> {
        let (at, removed, inserted) = text::changed_middle(old, new).ok_or(TooLong)?;
        self.out.push_str("{\"text\":[");
        self.number(at);
        self.out.push(',');
        self.number(removed);
        self.out.push(',');
        self.value(ValueRef::String(inserted), 0, limit)?;
        self.out.push_str("]}");
        self.allow(self.out.len(), limit)
    }

    fn list(
        &mut self,
        old: ArrayRef<'a>,
        new: ArrayRef<'a>,
        depth: usize,
        limit: usize,
        rows: Option<Row>,
    ) -> Result<(), TooLong> {
        let (old, new): (Vec<_>, Vec<_>) = (old.iter().collect(), new.iter().collect());
        self.given_up |= rows.is_some() && self.is_hopeless(&old, &new);
        self.allow(self.out.len(), limit)?;
        let origins = align(&old, &new);
        self.given_up |= rows.is_some() && !self.is_promising(&old, &new, &origins);
        self.allow(self.out.len(), limit)?;
        self.out.push_str("{\"list\":[");
        let mut steps = Steps::new(depth + 2, limit);
        let mut walked = 0;
        if rows.is_some() {
            self.lists.push(origins.clone());
        }
        for (element, origin) in new.iter().zip(&origins) {
            let element = *element;
            let Origin::Old { index, same, moved } = *origin else {
                steps.insert(self, element)?;
                continue;
            };
            let before = old.get(index).copied().unwrap_or_default();
            if moved {
                steps.begin(self)?;
                self.out.push_str("{\"from\":");
                self.number(index);
                if !same {
                    self.out.push_str(",\"patch\":");
                    self.patch_or_value(before, element, depth + 3, limit)?;
                }
                self.out.push('}');
                continue;
            }
            steps.leave_out(self, index - walked)?;
            walked = index + 1;
            if same {
                steps.keep(self)?;
            } else if may_pay(before, element) {
                steps.begin(self)?;
                self.patch_or_value(before, element, depth + 2, limit)?;
            } else {
                steps.leave_out(self, 1)?;
                steps.insert(self, element)?;
            }
        }
        steps.leave_out(self, old.len() - walked)?;
        steps.end(self)?;
        self.out.push_str("]}");
        self.allow(self.out.len(), limit)
    }

    /// Writes a patch for what stays the same row, even if it is new all over.
    fn patch_or_value(
        &mut self,
        old: ValueRef<'a>,
        new: ValueRef<'a>,
        depth: usize,
        limit: usize,
    ) -> Result<(), TooLong> {
        if self.attempt(old, new, depth, limit, None).is_ok() {
            return Ok(());
        }
        self.out.push_str("{\"value\":");
        self.value(new, depth + 1, limit)?;
        self.out.push('}');
        Ok(())
    }

    /// Whether a look at some rows foretells that a list is told best in full, before rows are compared: where the
    /// same rows stand at the same places, all of those that are looked at have changed, and telling how takes more than
    /// half of the full value. A smaller part would still save bytes, but cost more than writing and sending them.
    fn is_hopeless(&mut self, old: &[ValueRef<'a>], new: &[ValueRef<'a>]) -> bool {
        if old.len() != new.len() || new.len() < 4 * SAMPLE {
            return false;
        }
        // Places without a rhythm that rows could have too.
        let places = (0..2 * SAMPLE).map(|n| (n as u64 * 0x9E37_79B1 % 0x1_0001) as usize % new.len());
        let mut sample = Vec::with_capacity(2 * SAMPLE);
        for place in places {
            let (Some(before), Some(after)) = (old.get(place), new.get(place)) else { return false };
            if pair(*before, *after) != Some(false) {
                return false;
            }
            sample.push((Some(*before), *after));
        }
        let whole = self.whole.packed_len();
        self.foretold(whole, sample) > whole / 2
    }

    /// Whether it is worth the work to write patches for all rows of a list that changed.
    fn is_promising(&mut self, old: &[ValueRef<'a>], new: &[ValueRef<'a>], origins: &[Origin]) -> bool {
        let changed: Vec<_> = new
            .iter()
            .zip(origins)
            .filter_map(|(row, origin)| match origin {
                Origin::Old { same: true, .. } => None,
                Origin::Old { index, .. } => Some((old.get(*index).copied(), *row)),
                Origin::Inserted => Some((None, *row)),
            })
            .collect();
        let bytes: usize = changed.iter().map(|(_, row)| row.packed_len()).sum();
        let whole = self.whole.packed_len();
        if changed.len() < 2 * SAMPLE || bytes < whole / 2 {
            return true;
        }
        let every = changed.len() / SAMPLE;
        self.foretold(bytes, changed.into_iter().step_by(every)) <= whole / 4 * 3
    }

    /// How many bytes it takes to tell what changed in so many bytes of rows, when all do as these rows do; each comes
    /// with the row it was.
    fn foretold(
        &mut self,
        bytes: usize,
        sample: impl IntoIterator<Item = (Option<ValueRef<'a>>, ValueRef<'a>)>,
    ) -> usize {
        let (start, in_vain) = (self.out.len(), self.in_vain);
        let (mut told, mut sampled) = (0, 0);
        for (before, row) in sample {
            let full = row.packed_len();
            sampled += full;
            told += match before.map(|before| self.attempt(before, row, 0, usize::MAX, None)) {
                Some(Ok(())) => self.out.len() - start,
                _ => full,
            };
            self.out.truncate(start);
        }
        self.in_vain = in_vain;
        if self.given_up { usize::MAX } else { bytes.saturating_mul(told) / sampled.max(1) }
    }
}

/// Whether a patch can say less than the new value.
fn may_pay(old: ValueRef<'_>, new: ValueRef<'_>) -> bool {
    match (old, new) {
        (ValueRef::Object(_), ValueRef::Object(_)) | (ValueRef::Array(_), ValueRef::Array(_)) => true,
        (ValueRef::String(old), ValueRef::String(new)) => text::may_pay(old, new),
        _ => false,
    }
}
