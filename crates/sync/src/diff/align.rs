//! Which element of an old list each element of a new one comes from.
//!
//! Elements that are equal, or have the same string `_id`, are paired from both ends. What lies between is paired by
//! `_id` when each element there has one and none is met twice, else by position. Of the pairs a longest increasing
//! subsequence stays in place.

use std::collections::HashMap;

use hull_value::ValueRef;

/// Where an element of a new list comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was not there.
    Inserted,
    /// It is the old element at this index; each is named once.
    Old {
        index: usize,
        /// Whether it is unchanged.
        same: bool,
        /// Those that did not move have ascending indexes.
        moved: bool,
    },
}

/// The origin of each new element.
pub(super) fn align(old: &[ValueRef<'_>], new: &[ValueRef<'_>]) -> Vec<Origin> {
    let stays = |index, same| Origin::Old { index, same, moved: false };
    let mut origins = Vec::with_capacity(new.len());
    for (index, (before, after)) in old.iter().zip(new).enumerate() {
        let Some(same) = pair(*before, *after) else { break };
        origins.push(stays(index, same));
    }
    let head = origins.len();
    let (middle, rest) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let tail: Vec<bool> = middle
        .iter()
        .rev()
        .zip(rest.iter().rev())
        .map_while(|(before, after)| pair(*before, *after))
        .collect();
    let middle = middle.get(..middle.len() - tail.len()).unwrap_or_default();
    let rest = rest.get(..rest.len() - tail.len()).unwrap_or_default();
    match by_id(middle, rest) {
        Some(partners) => {
            let stay = longest_increasing(&partners);
            for ((partner, stays), after) in partners.iter().zip(stay).zip(rest) {
                origins.push(partner.map_or(Origin::Inserted, |index| Origin::Old {
                    index: head + index,
                    same: middle.get(index).is_some_and(|before| before == after),
                    moved: !stays,
                }));
            }
        }
        None => {
            for (index, after) in rest.iter().enumerate() {
                let before = middle.get(index);
                origins.push(before.map_or(Origin::Inserted, |before| stays(head + index, before == after)));
            }
        }
    }
    let first = old.len() - tail.len();
    origins.extend(tail.iter().rev().enumerate().map(|(index, same)| stays(first + index, *same)));
    origins
}

/// Whether two elements are surely the same row; and if so, whether it is unchanged.
pub(super) fn pair(before: ValueRef<'_>, after: ValueRef<'_>) -> Option<bool> {
    if before == after {
        return Some(true);
    }
    id(before).filter(|before| id(after) == Some(before)).map(|_| false)
}

fn id(value: ValueRef<'_>) -> Option<&str> {
    value.as_object()?.get("_id")?.as_str()
}

/// For each new element the old one with its `_id`; none when elements have no `_id` of their own.
fn by_id(old: &[ValueRef<'_>], new: &[ValueRef<'_>]) -> Option<Vec<Option<usize>>> {
    if old.is_empty() {
        return Some(vec![None; new.len()]);
    }
    let mut places = HashMap::with_capacity(old.len());
    for (index, value) in old.iter().enumerate() {
        if places.insert(id(*value)?, (index, false)).is_some() {
            return None;
        }
    }
    let mut partners = Vec::with_capacity(new.len());
    for value in new {
        let Some((index, is_taken)) = places.get_mut(id(*value)?) else {
            partners.push(None);
            continue;
        };
        if std::mem::replace(is_taken, true) {
            return None;
        }
        partners.push(Some(*index));
    }
    Some(partners)
}

/// Marks a longest increasing subsequence of the numbers that are there.
fn longest_increasing(numbers: &[Option<usize>]) -> Vec<bool> {
    // For each length the place of the smallest number that ends a subsequence of it; and before each place, the
    // place before it in its subsequence.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    let mut before = vec![None; numbers.len()];
    for (place, number) in numbers.iter().enumerate() {
        let Some(number) = *number else { continue };
        let length = ends.partition_point(|(smallest, _)| *smallest < number);
        let previous = length.checked_sub(1).and_then(|shorter| ends.get(shorter)).map(|(_, place)| *place);
        if let Some(slot) = before.get_mut(place) {
            *slot = previous;
        }
        match ends.get_mut(length) {
            Some(end) => *end = (number, place),
            None => ends.push((number, place)),
        }
    }
    let mut marks = vec![false; numbers.len()];
    let mut next = ends.last().map(|(_, place)| *place);
    while let Some(place) = next {
        if let Some(mark) = marks.get_mut(place) {
            *mark = true;
        }
        next = before.get(place).copied().flatten();
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull_value::Packed;

    fn origins(old: &str, new: &str) -> String {
        let (old, new) = (Packed::from_json(old).unwrap(), Packed::from_json(new).unwrap());
        let old: Vec<_> = old.as_ref().as_array().unwrap().iter().collect();
        let new: Vec<_> = new.as_ref().as_array().unwrap().iter().collect();
        let words = align(&old, &new).into_iter().map(|origin| match origin {
            Origin::Inserted => "+".to_owned(),
            Origin::Old { index, same, moved } => {
                format!("{index}{}{}", if same { "" } else { "~" }, if moved { "^" } else { "" })
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_longest_run_stays() {
        let marks = |numbers: &[usize]| {
            let numbers: Vec<_> = numbers.iter().map(|number| Some(*number)).collect();
            longest_increasing(&numbers).iter().filter(|mark| **mark).count()
        };
        assert_eq!(marks(&[]), 0);
        assert_eq!(marks(&[3, 2, 1, 0]), 1);
        assert_eq!(marks(&[1, 2, 3, 0]), 3);
        assert_eq!(marks(&[3, 0, 1, 2]), 3);
        assert_eq!(marks(&[0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15]), 6);
        assert_eq!(longest_increasing(&[Some(1), None, Some(0), Some(2)]).len(), 4);
    }

    #[test]
    fn rows_are_paired_by_id_and_else_by_position() {
        let row = |id: &str, n: u32| format!(r#"{{"_id":"{id}","n":{n}}}"#);
        let list = |rows: &[(&str, u32)]| {
            format!("[{}]", rows.iter().map(|(id, n)| row(id, *n)).collect::<Vec<_>>().join(","))
        };
        let old = list(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        assert_eq!(origins(&old, &old), "0 1 2 3");
        assert_eq!(origins(&old, &list(&[("x", 0), ("a", 1), ("b", 2), ("c", 3), ("d", 4)])), "+ 0 1 2 3");
        assert_eq!(origins(&old, &list(&[("a", 1), ("b", 5), ("d", 4)])), "0 1~ 3");
        assert_eq!(origins(&old, &list(&[("d", 4), ("a", 1), ("b", 2), ("c", 3)])), "3^ 0 1 2");
        assert_eq!(origins(&old, &list(&[("b", 2), ("c", 9), ("d", 4), ("a", 7)])), "1 2~ 3 0~^");
        // Ids that are there twice say nothing of which row is which.
        assert_eq!(origins(&old, &list(&[("b", 1), ("b", 7), ("a", 1)])), "0~ 1~ 2~");
        assert_eq!(origins("[1,2,3,4]", "[1,5,6,7,4]"), "0 1~ 2~ + 3");
        assert_eq!(origins("[1,2,3]", "[]"), "");
        assert_eq!(origins("[]", "[1,2]"), "+ +");
    }
}
