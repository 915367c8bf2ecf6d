//! The steps of a list patch, read one after the other with every rule of theirs held.

use hull_value::{ArrayRef, ValueRef};

use super::align::Origin;
use super::apply::{PatchError, whole};

/// A step that puts something into the new list; what is left out needs none.
#[derive(Clone, Copy)]
pub(super) enum Step<'p> {
    /// These old elements as they are.
    Keep { first: usize, count: usize },
    /// These values.
    Insert(ArrayRef<'p>),
    /// One old element, changed unless `patch` is absent; `moved` when the walk leaves it out.
    Patch { index: usize, patch: Option<ValueRef<'p>>, moved: bool },
}

/// What became of an old element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Kept,
    LeftOut,
}

/// Calls `each` with the steps that build the new list out of one of `old` elements. Old elements are within bounds
/// and come in at most once, though a step that breaks this rule may be found only after `each` has seen it.
pub(super) fn read_steps<'p>(
    old: usize,
    steps: ArrayRef<'p>,
    mut each: impl FnMut(Step<'p>) -> Result<(), PatchError>,
) -> Result<(), PatchError> {
    use PatchError::{Malformed, Misfit};
    const TOO_FAR: PatchError = Misfit("its steps go behind the end of the list");
    let mut fates = vec![Fate::Unknown; old];
    let mut moved = vec![false; old];
    let mut next = 0;
    let mut walk = |count: usize, fate: Fate| {
        let first = next;
        let walked = fates.get_mut(first..).and_then(|rest| rest.get_mut(..count));
        walked.ok_or(TOO_FAR)?.fill(fate);
        next += count;
        Ok::<_, PatchError>(first)
    };
    for step in steps.iter() {
        match step {
            ValueRef::Float64(number) if number > 0.0 => {
                let count = whole(step).ok_or(Malformed("a step is a whole number"))?;
                each(Step::Keep { first: walk(count, Fate::Kept)?, count })?;
            }
            ValueRef::Float64(number) => {
                let count = whole(ValueRef::Float64(-number)).filter(|count| *count > 0);
                walk(count.ok_or(Malformed("a step is a whole number, and not 0"))?, Fate::LeftOut)?;
            }
            ValueRef::Array(values) => each(Step::Insert(values))?,
            ValueRef::Object(fields) => match fields.get("from") {
                Some(from) => {
                    let patch = fields.get("patch");
                    if fields.len() != 1 + usize::from(patch.is_some()) {
                        return Err(Malformed("a step that moves has from and maybe patch"));
                    }
                    let index = whole(from).ok_or(Malformed("from is an index"))?;
                    let moved = moved.get_mut(index).ok_or(Misfit("from is behind the end of the list"))?;
                    if std::mem::replace(moved, true) {
                        return Err(Malformed("an element is moved twice"));
                    }
                    each(Step::Patch { index, patch, moved: true })?;
                }
                None => {
                    let index = walk(1, Fate::Kept)?;
                    each(Step::Patch { index, patch: Some(step), moved: false })?;
                }
            },
            _ => return Err(Malformed("a step is a number, an array or an object")),
        }
    }
    if next != old {
        return Err(Misfit("its steps end before the list does"));
    }
    if fates.iter().zip(&moved).any(|(fate, moved)| *moved && *fate != Fate::LeftOut) {
        return Err(Malformed("an element is moved and kept"));
    }
    Ok(())
}

/// Where each element of the new list comes from.
pub(super) fn origins_of_steps(old: usize, steps: ArrayRef<'_>) -> Result<Vec<Origin>, PatchError> {
    let mut origins = Vec::new();
    read_steps(old, steps, |step| {
        match step {
            Step::Keep { first, count } => {
                let kept = first..first + count;
                origins.extend(kept.map(|index| Origin::Old { index, same: true, moved: false }));
            }
            Step::Insert(values) => origins.resize(origins.len() + values.len(), Origin::Inserted),
            Step::Patch { index, patch, moved } => {
                let same = patch.is_none_or(|patch| patch.as_object().is_some_and(|patch| patch.is_empty()));
                origins.push(Origin::Old { index, same, moved });
            }
        }
        Ok(())
    })?;
    Ok(origins)
}
