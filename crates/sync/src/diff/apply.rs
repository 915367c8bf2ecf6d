//! Applying a patch: exact for every value type, strict, and bounded.
//!
//! Each old element is looked at most once and comes in at most once, so the work and the result are bounded by the
//! old value and the patch together; the result keeps the limits of values.

use std::iter::Peekable;

use hull_value::{ArrayRef, Encoder, JsonError, ObjectIter, ObjectRef, Packed, PackedEncoder};
use hull_value::{ValueError, ValueRef};

use super::steps::{Step, read_steps};

/// Why a patch gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The text is not the JSON of a value.
    #[error("malformed patch: {0}")]
    Json(#[from] JsonError),
    /// The patch has none of the forms of DIFF.md.
    #[error("malformed patch: {0}")]
    Malformed(&'static str),
    /// It is made for another value.
    #[error("the patch does not fit the value: {0}")]
    Misfit(&'static str),
    /// The new value would break the rules of values.
    #[error("the patched value is no value: {0}")]
    Value(#[from] ValueError),
}

impl PatchError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            PatchError::Json(_) | PatchError::Malformed(_) => "MalformedPatch",
            PatchError::Misfit(_) => "PatchMisfit",
            PatchError::Value(error) => error.code(),
        }
    }
}

/// The new value: `old`, changed by a patch that was read from its JSON text with [`Packed::from_json`].
pub fn apply(old: &Packed, patch: &Packed) -> Result<Packed, PatchError> {
    let form = Form::read(patch.as_ref())?;
    if matches!(form, Form::Same) {
        return Ok(old.clone());
    }
    let mut encoder = PackedEncoder::new();
    put(old.as_ref(), form, &mut encoder)?;
    Ok(encoder.finish()?)
}

/// A patch by its form.
#[derive(Clone, Copy)]
pub(super) enum Form<'p> {
    Same,
    Value(ValueRef<'p>),
    Fields { set: Option<ObjectRef<'p>>, unset: Option<ArrayRef<'p>>, patch: Option<ObjectRef<'p>> },
    List(ArrayRef<'p>),
    Text { at: usize, removed: usize, inserted: &'p str },
}

impl<'p> Form<'p> {
    pub(super) fn read(patch: ValueRef<'p>) -> Result<Self, PatchError> {
        use PatchError::Malformed;
        let ValueRef::Object(object) = patch else { return Err(Malformed("a patch is an object")) };
        let mut fields = object.iter();
        let only = match (fields.next(), fields.next()) {
            (None, _) => return Ok(Form::Same),
            (Some(field), None) => Some(field),
            _ => None,
        };
        match only {
            Some(("value", value)) => return Ok(Form::Value(value)),
            Some(("list", ValueRef::Array(steps))) => return Ok(Form::List(steps)),
            Some(("text", ValueRef::Array(parts))) => return Self::read_text(parts),
            _ => {}
        }
        let (mut set, mut unset, mut patch) = (None, None, None);
        for field in object.iter() {
            match field {
                ("set", ValueRef::Object(fields)) => set = Some(fields),
                ("unset", ValueRef::Array(keys)) => unset = Some(keys),
                ("patch", ValueRef::Object(fields)) => patch = Some(fields),
                _ => {
                    return Err(Malformed(
                        "a patch has one of the forms value, list, text, or set, unset, patch",
                    ));
                }
            }
        }
        Ok(Form::Fields { set, unset, patch })
    }

    fn read_text(parts: ArrayRef<'p>) -> Result<Self, PatchError> {
        let mut parts = parts.iter();
        let (at, removed) = (parts.next().and_then(whole), parts.next().and_then(whole));
        let (inserted, end) = (parts.next().and_then(|part| part.as_str()), parts.next());
        match (at, removed, inserted, end) {
            (Some(at), Some(removed), Some(inserted), None) => Ok(Form::Text { at, removed, inserted }),
            _ => Err(PatchError::Malformed("text has a place, a number of code units and a string")),
        }
    }
}

/// A whole number that is not negative.
pub(super) fn whole(value: ValueRef<'_>) -> Option<usize> {
    let number = value.as_float64().filter(|number| *number >= 0.0)?;
    let whole = number as u32;
    (f64::from(whole) == number).then_some(whole as usize)
}

fn put(old: ValueRef<'_>, form: Form<'_>, out: &mut PackedEncoder) -> Result<(), PatchError> {
    match (form, old) {
        (Form::Same, _) => out.value(old),
        (Form::Value(value), _) => out.value(value),
        (Form::Fields { set, unset, patch }, ValueRef::Object(old)) => {
            put_object(old, set, unset, patch, out)?;
        }
        (Form::Fields { .. }, _) => return Err(PatchError::Misfit("it changes fields of what is no object")),
        (Form::List(steps), ValueRef::Array(old)) => put_list(old, steps, out)?,
        (Form::List(_), _) => return Err(PatchError::Misfit("it changes elements of what is no array")),
        (Form::Text { at, removed, inserted }, ValueRef::String(old)) => {
            out.string(&put_text(old, at, removed, inserted)?);
        }
        (Form::Text { .. }, _) => return Err(PatchError::Misfit("it changes the text of what is no string")),
    }
    out.error().map_or(Ok(()), |error| Err(error.clone().into()))
}

fn put_object(
    old: ObjectRef<'_>,
    set: Option<ObjectRef<'_>>,
    unset: Option<ArrayRef<'_>>,
    patch: Option<ObjectRef<'_>>,
    out: &mut PackedEncoder,
) -> Result<(), PatchError> {
    let mut gone = Vec::new();
    for key in unset.iter().flat_map(ArrayRef::iter) {
        gone.push(key.as_str().ok_or(PatchError::Malformed("unset has keys"))?);
    }
    gone.sort_unstable();
    let (mut set, mut patch) = (fields(set), fields(patch));
    let mut gone = gone.into_iter().peekable();
    const TWICE: PatchError = PatchError::Malformed("the keys of set, unset and patch are distinct");
    const ABSENT: PatchError = PatchError::Misfit("it changes or removes a field that is not there");
    out.begin_object();
    for (key, value) in old.iter() {
        put_new(&mut set, Some(key), out)?;
        let set = set.next_if(|(name, _)| *name == key);
        let patch = patch.next_if(|(name, _)| *name == key);
        let unset = gone.next_if(|name| *name == key);
        match (set, patch, unset) {
            (None, None, Some(_)) => continue,
            (None, None, None) => {
                out.key(key);
                out.value(value);
            }
            (Some((_, value)), None, None) => {
                out.key(key);
                out.value(value);
            }
            (None, Some((_, patch)), None) => {
                out.key(key);
                put(value, Form::read(patch)?, out)?;
            }
            _ => return Err(TWICE),
        }
    }
    put_new(&mut set, None, out)?;
    // What is left over names keys that are not there, or one key twice.
    if patch.peek().is_some() || gone.peek().is_some() {
        return Err(ABSENT);
    }
    out.end_object();
    Ok(())
}

fn fields(
    object: Option<ObjectRef<'_>>,
) -> Peekable<std::iter::Flatten<std::option::IntoIter<ObjectIter<'_>>>> {
    object.map(|object| object.iter()).into_iter().flatten().peekable()
}

/// Puts in the fields that the old object has not, up to a key.
fn put_new<'a>(
    set: &mut Peekable<impl Iterator<Item = (&'a str, ValueRef<'a>)>>,
    before: Option<&str>,
    out: &mut PackedEncoder,
) -> Result<(), PatchError> {
    while let Some((key, value)) = set.next_if(|(key, _)| before.is_none_or(|before| *key < before)) {
        out.key(key);
        out.value(value);
    }
    out.error().map_or(Ok(()), |error| Err(error.clone().into()))
}

fn put_list(old: ArrayRef<'_>, steps: ArrayRef<'_>, out: &mut PackedEncoder) -> Result<(), PatchError> {
    let old: Vec<ValueRef<'_>> = old.iter().collect();
    out.begin_array();
    read_steps(old.len(), steps, |step| {
        match step {
            Step::Keep { first, count } => {
                old.iter().skip(first).take(count).for_each(|element| out.value(*element));
            }
            Step::Insert(values) => values.iter().for_each(|value| out.value(value)),
            Step::Patch { index, patch, .. } => {
                let element = old.get(index).copied().unwrap_or_default();
                match patch {
                    Some(patch) => put(element, Form::read(patch)?, out)?,
                    None => out.value(element),
                }
            }
        }
        out.error().map_or(Ok(()), |error| Err(error.clone().into()))
    })?;
    out.end_array();
    Ok(())
}

fn put_text(old: &str, at: usize, removed: usize, inserted: &str) -> Result<String, PatchError> {
    const OUTSIDE: PatchError = PatchError::Misfit("it changes text that is not there");
    let (head, rest) = split_utf16(old, at).ok_or(OUTSIDE)?;
    let (_, tail) = split_utf16(rest, removed).ok_or(OUTSIDE)?;
    Ok([head, inserted, tail].concat())
}

/// Splits after so many UTF-16 code units; not within a surrogate pair, nor behind the end.
fn split_utf16(text: &str, units: usize) -> Option<(&str, &str)> {
    // Most text is ASCII for long stretches.
    let ascii = text.bytes().take(units).take_while(u8::is_ascii).count();
    let mut left = units - ascii;
    let mut end = ascii;
    let mut chars = text.get(ascii..)?.chars();
    while left > 0 {
        let c = chars.next()?;
        left = left.checked_sub(c.len_utf16())?;
        end += c.len_utf8();
    }
    text.split_at_checked(end)
}
