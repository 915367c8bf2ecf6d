//! [`Change`]: what happened to a list, for a user interface that animates it instead of drawing it again.

use hull_value::ValueRef;

use super::align::{Origin, align};

/// One change of a list. Changes apply one after the other: an index counts the elements as they stand just before.
///
/// They come in this order: removals from the last to the first, moves, insertions from the first to the last, updates.
/// So the indexes of insertions and updates are those of the new list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The element is gone.
    Removed {
        /// Its index.
        index: usize,
    },
    /// The element is taken out and put in somewhere else.
    Moved {
        /// Its index.
        from: usize,
        /// Its index afterwards.
        to: usize,
    },
    /// There is a new element.
    Inserted {
        /// Its index, also in the new list.
        index: usize,
    },
    /// The element has another value, though it is the same row.
    Updated {
        /// Its index, also in the new list.
        index: usize,
    },
    /// Everything may be other than before: one of the values is not a list. It comes alone.
    Replaced,
}

/// What takes `old` to `new`, found by comparing both: of a reader who took several results as one there is no
/// patch. The values may be parts of results, such as the page of a paginated query.
pub fn changes(old: ValueRef<'_>, new: ValueRef<'_>) -> Vec<Change> {
    match (old, new) {
        _ if old == new => Vec::new(),
        (ValueRef::Array(old), ValueRef::Array(new)) => {
            let (old, new): (Vec<_>, Vec<_>) = (old.iter().collect(), new.iter().collect());
            changes_of(old.len(), &align(&old, &new))
        }
        _ => vec![Change::Replaced],
    }
}

fn changes_of(old: usize, origins: &[Origin]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut stays = vec![false; old];
    for origin in origins {
        if let Origin::Old { index, .. } = origin
            && let Some(stays) = stays.get_mut(*index)
        {
            *stays = true;
        }
    }
    let removed = stays.iter().enumerate().rev().filter(|(_, stays)| !**stays);
    changes.extend(removed.map(|(index, _)| Change::Removed { index }));
    moves(&stays, origins, &mut changes);
    let places = || origins.iter().enumerate();
    changes.extend(places().filter_map(|(index, origin)| {
        matches!(origin, Origin::Inserted).then_some(Change::Inserted { index })
    }));
    changes.extend(places().filter_map(|(index, origin)| {
        matches!(origin, Origin::Old { same: false, .. }).then_some(Change::Updated { index })
    }));
    changes
}

/// Puts each moved element behind the one that it follows in the new list; those that wait for their turn do not count.
fn moves(stays: &[bool], origins: &[Origin], changes: &mut Vec<Change>) {
    let stayed = origins.iter().filter_map(|origin| match origin {
        Origin::Old { index, moved, .. } => Some((*index, *moved)),
        Origin::Inserted => None,
    });
    let mut now: Vec<usize> = Vec::new();
    let mut before = None;
    for (element, is_moved) in stayed {
        if is_moved {
            if now.is_empty() {
                now.extend(stays.iter().enumerate().filter(|(_, stays)| **stays).map(|(index, _)| index));
            }
            let place = |now: &[usize], element| now.iter().position(|at| *at == element);
            let Some(from) = place(&now, element) else { continue };
            now.remove(from);
            let to = before.and_then(|before| place(&now, before)).map_or(0, |before| before + 1);
            now.insert(to, element);
            if from != to {
                changes.push(Change::Moved { from, to });
            }
        }
        before = Some(element);
    }
}
