//! A counted B+tree over an index, as of the newest commit: each leaf stands for a range of keys and knows of its rows only
//! their total; each inner node knows the total of what is below.
//!
//! Leaves touch each other and cover all keys. A leaf is *unknown* until its range has been read once; then each change
//! of a row changes the totals along one path. A leaf that has grown too large, or whose extremes are no longer known
//! (it is *stale*), waits in `due` to be read again and replaced by new ones.

use std::collections::VecDeque;

use hull_model::NumberKind;

use super::total::{Row, Total, ordered};
use crate::key::{Key, key};

/// A leaf with more rows than this is to be split.
pub(crate) const MOST_ROWS: i64 = 128;
/// The rows of leaves that are made from rows at hand.
pub(crate) const NEW_ROWS: usize = 96;
/// A leaf with fewer rows looks for a neighbour to be one with.
const FEW_ROWS: i64 = 24;
/// The most children of an inner node.
const MOST_CHILDREN: usize = 32;
/// An inner node with fewer looks for a neighbour to be one with.
const FEW_CHILDREN: usize = 8;

/// A change of one row: what was there under the key, and what is.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) before: Option<Row>,
    pub(crate) after: Option<Row>,
}

/// A node with the first key of its range; the range ends where the next one begins.
#[derive(Debug)]
pub(crate) struct Node {
    start: Key,
    total: Total,
    /// How many leaves below are unknown, and how many are stale.
    unknown: u32,
    stale: u32,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Inner(Vec<Node>),
    Leaf {
        /// No row of the leaf is behind this key.
        last: Key,
        /// It is in `due`.
        is_due: bool,
    },
}

/// A part of a range that the tree knows nothing of.
pub(crate) type Hole = (Key, Option<Key>);

/// By how many rows a range of keys differs from what the tree knows.
pub(crate) type Shift<'a> = &'a dyn Fn(&[u8], Option<&[u8]>) -> i64;

/// A leaf as it is seen from outside.
#[derive(Debug)]
pub(crate) struct LeafAt {
    pub(crate) start: Key,
    pub(crate) end: Option<Key>,
    pub(crate) unknown: bool,
    /// Whether it is to be read again.
    pub(crate) is_due: bool,
}

/// The tree. `kind` is that of the numbers, whether there are any or not.
#[derive(Debug)]
pub(crate) struct Tree {
    roots: Vec<Node>,
    kind: NumberKind,
    /// The start of the leaf that is being read and keeps its bounds meanwhile.
    pub(crate) pinned: Option<Key>,
    due: VecDeque<Key>,
}

impl Node {
    /// A leaf of which nothing is known.
    pub(crate) fn unknown(start: Key) -> Self {
        let below = Below::Leaf { last: Key::new(), is_due: false };
        Node { start, total: Total::default(), unknown: 1, stale: 0, below }
    }

    /// A leaf of these rows, in ascending order.
    pub(crate) fn leaf(start: Key, rows: &[(Key, Row)], kind: NumberKind) -> Self {
        let mut total = Total::default();
        rows.iter().for_each(|(_, row)| total.add(*row, kind));
        let last = rows.last().map_or_else(Key::new, |(k, _)| k.clone());
        Node { start, total, unknown: 0, stale: 0, below: Below::Leaf { last, is_due: false } }
    }

    fn inner(children: Vec<Node>) -> Self {
        let start = children.first().map_or_else(Key::new, |child| child.start.clone());
        let mut node =
            Node { start, total: Total::default(), unknown: 0, stale: 0, below: Below::Inner(children) };
        node.recount();
        node
    }

    /// Finds the total of an inner node anew.
    fn recount(&mut self) {
        let Below::Inner(children) = &self.below else { return };
        self.total = Total::default();
        children.iter().for_each(|child| self.total.merge(&child.total));
        self.recount_leaves();
    }

    fn recount_leaves(&mut self) {
        let Below::Inner(children) = &self.below else { return };
        self.unknown = children.iter().map(|child| child.unknown).sum();
        self.stale = children.iter().map(|child| child.stale).sum();
    }

    fn is_known_leaf(&self) -> bool {
        matches!(self.below, Below::Leaf { .. }) && self.unknown == 0
    }
}

fn position(nodes: &[Node], k: &[u8]) -> usize {
    nodes.partition_point(|node| node.start[..] <= *k).saturating_sub(1)
}

/// Splits what has too many children into nodes of half as many.
fn split(children: &mut Vec<Node>) -> Vec<Vec<Node>> {
    let mut parts = Vec::new();
    while children.len() > MOST_CHILDREN {
        let at = children.len() - MOST_CHILDREN / 2;
        parts.push(children.split_off(at));
    }
    parts.reverse();
    parts
}

impl Tree {
    /// A tree that knows nothing yet.
    pub(crate) fn new(kind: NumberKind) -> Self {
        Tree { roots: vec![Node::unknown(Key::new())], kind, pinned: None, due: VecDeque::new() }
    }

    /// Whether every row is counted.
    pub(crate) fn is_known(&self) -> bool {
        self.roots.iter().all(|root| root.unknown == 0)
    }

    /// Applies a change; returns whether it was in a range that is known.
    pub(crate) fn change(&mut self, change: &Change) -> bool {
        let context = Context { change, kind: self.kind, pinned: self.pinned.as_ref(), due: &mut self.due };
        let known = context.change(&mut self.roots);
        self.balance_root();
        known
    }

    fn balance_root(&mut self) {
        while self.roots.len() > MOST_CHILDREN {
            let mut first = std::mem::take(&mut self.roots);
            let parts = split(&mut first);
            self.roots = std::iter::once(first).chain(parts).map(Node::inner).collect();
        }
        while let [Node { below: Below::Inner(children), .. }] = &mut self.roots[..] {
            self.roots = std::mem::take(children);
        }
    }

    /// The leaf that holds the key.
    pub(crate) fn leaf_at(&self, k: &[u8]) -> LeafAt {
        let (mut nodes, mut end) = (&self.roots, None);
        loop {
            let at = position(nodes, k);
            end = nodes.get(at + 1).map(|next| next.start.clone()).or(end);
            match nodes.get(at) {
                Some(Node { below: Below::Inner(children), .. }) => nodes = children,
                Some(Node { start, unknown, below: Below::Leaf { is_due, .. }, .. }) => {
                    return LeafAt { start: start.clone(), end, unknown: *unknown > 0, is_due: *is_due };
                }
                // There is always a leaf.
                None => return LeafAt { start: Key::new(), end: None, unknown: false, is_due: false },
            }
        }
    }

    /// The leaf to read next: the first that is unknown, or one that is due.
    pub(crate) fn next_work(&mut self) -> Option<LeafAt> {
        let mut nodes = &self.roots;
        while let Some(node) = nodes.iter().find(|node| node.unknown > 0) {
            match &node.below {
                Below::Inner(children) => nodes = children,
                Below::Leaf { .. } => return Some(self.leaf_at(&node.start)),
            }
        }
        while let Some(start) = self.due.pop_front() {
            let leaf = self.leaf_at(&start);
            if leaf.is_due && leaf.start == start {
                return Some(leaf);
            }
        }
        None
    }

    /// Has a leaf that was not read after all wait again.
    pub(crate) fn put_off(&mut self, start: Key) {
        self.due.push_back(start);
    }

    /// Puts new leaves, which cover its range, in the place of a leaf.
    pub(crate) fn replace(&mut self, start: &Key, leaves: Vec<Node>) {
        replace(&mut self.roots, start, leaves);
        self.balance_root();
    }

    /// The total of a range; what is not known of it goes to `holes`, in ascending order.
    pub(crate) fn total(&self, start: &[u8], end: Option<&[u8]>, holes: &mut Vec<Hole>) -> Total {
        let mut total = Total::default();
        let mut take = |node: &Node, _: &[u8], _: Option<&[u8]>| {
            let known = node.unknown == 0;
            if known {
                total.merge(&node.total);
            }
            known
        };
        visit(&self.roots, (start, end), None, &mut take, holes);
        total
    }

    /// The least or the greatest number of a range as ordered bits, except those that `avoided` names, in ascending order
    /// of keys: what may be one of these, and what is not known, goes to `holes`.
    pub(crate) fn extreme(
        &self,
        (start, end): (&[u8], Option<&[u8]>),
        greatest: bool,
        avoided: &[(Key, u64)],
        holes: &mut Vec<Hole>,
    ) -> Option<u64> {
        let mut extreme: Option<u64> = None;
        let mut take = |node: &Node, low: &[u8], high: Option<&[u8]>| {
            if node.unknown > 0 || node.stale > 0 {
                return false;
            }
            let Some((low_number, high_number)) = node.total.extremes() else { return true };
            let number = if greatest { high_number } else { low_number };
            let from = avoided.partition_point(|(k, _)| k[..] < *low);
            let to = high.map_or(avoided.len(), |high| avoided.partition_point(|(k, _)| k[..] < *high));
            let behind = |other: u64| if greatest { other < number } else { other > number };
            if !avoided.get(from..to).unwrap_or_default().iter().all(|(_, other)| behind(*other)) {
                return false;
            }
            extreme = Some(extreme.map_or(number, |e| if greatest { e.max(number) } else { e.min(number) }));
            true
        };
        visit(&self.roots, (start, end), None, &mut take, holes);
        extreme
    }

    /// The leaf that holds the row of this rank among all rows, and how many rows of it are before; all leaves must be
    /// known.
    pub(crate) fn select(&self, rank: i64, shift: Shift<'_>) -> Option<(Hole, i64)> {
        let (mut nodes, mut outer, mut left) = (&self.roots, None, rank);
        'down: loop {
            for (at, node) in nodes.iter().enumerate() {
                let end = nodes.get(at + 1).map(|next| &next.start).or(outer);
                let rows = node.total.count + shift(&node.start, end.map(|end| &end[..]));
                if left < rows {
                    match &node.below {
                        Below::Inner(children) => {
                            (nodes, outer) = (children, end);
                            continue 'down;
                        }
                        Below::Leaf { .. } => return Some(((node.start.clone(), end.cloned()), left)),
                    }
                }
                left -= rows;
            }
            return None;
        }
    }

    /// How many leaves there are.
    #[cfg(test)]
    pub(crate) fn leaves(&self) -> usize {
        fn leaves(nodes: &[Node]) -> usize {
            let each = nodes.iter().map(|node| match &node.below {
                Below::Inner(children) => leaves(children),
                Below::Leaf { .. } => 1,
            });
            each.sum()
        }
        leaves(&self.roots)
    }
}

/// Walks over the nodes of a range: those that lie in it as a whole are offered to `take`, and where it refuses a leaf, or a
/// leaf is only partly in the range, the leaf's part of the range is a hole.
fn visit(
    nodes: &[Node],
    (start, end): (&[u8], Option<&[u8]>),
    outer: Option<&Key>,
    take: &mut impl FnMut(&Node, &[u8], Option<&[u8]>) -> bool,
    holes: &mut Vec<Hole>,
) {
    for (at, node) in nodes.iter().enumerate().skip(position(nodes, start)) {
        let low = &node.start[..];
        if end.is_some_and(|end| end <= low) {
            return;
        }
        let high = nodes.get(at + 1).map(|next| &next.start).or(outer);
        let inside = start <= low
            && match (high, end) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(high), Some(end)) => high[..] <= *end,
            };
        if inside && take(node, low, high.map(|high| &high[..])) {
            continue;
        }
        match &node.below {
            Below::Inner(children) => visit(children, (start, end), high, take, holes),
            Below::Leaf { .. } => {
                let from = if start > low { key(start) } else { node.start.clone() };
                let to = match (high, end) {
                    (Some(high), Some(end)) if high[..] > *end => Some(key(end)),
                    (Some(high), _) => Some(high.clone()),
                    (None, end) => end.map(key),
                };
                match holes.last_mut() {
                    Some((_, last)) if last.as_ref() == Some(&from) => *last = to,
                    _ => holes.push((from, to)),
                }
            }
        }
    }
}

fn replace(nodes: &mut Vec<Node>, start: &Key, leaves: Vec<Node>) {
    let at = position(nodes, start);
    let Some(node) = nodes.get_mut(at) else { return };
    let Below::Inner(children) = &mut node.below else {
        if node.start == *start {
            nodes.splice(at..=at, leaves);
        }
        return;
    };
    replace(children, start, leaves);
    let parts = split(children);
    node.recount();
    nodes.splice(at + 1..at + 1, parts.into_iter().map(Node::inner));
}

/// A change on its way down.
struct Context<'a> {
    change: &'a Change,
    kind: NumberKind,
    pinned: Option<&'a Key>,
    due: &'a mut VecDeque<Key>,
}

impl Context<'_> {
    fn change(mut self, roots: &mut Vec<Node>) -> bool {
        self.descend(roots)
    }

    fn descend(&mut self, nodes: &mut Vec<Node>) -> bool {
        let at = position(nodes, &self.change.key);
        let Some(node) = nodes.get_mut(at) else { return false };
        let is_leaf = match &mut node.below {
            Below::Leaf { .. } => {
                if node.unknown > 0 {
                    return false;
                }
                if self.begins_new_leaf(node) {
                    let row = self.change.after.map(|row| (self.change.key.clone(), row));
                    let new = Node::leaf(self.change.key.clone(), row.as_slice(), self.kind);
                    nodes.insert(at + 1, new);
                    return true;
                }
                self.leaf(node);
                true
            }
            Below::Inner(children) => {
                if !self.descend(children) {
                    return false;
                }
                self.total(node);
                false
            }
        };
        if is_leaf {
            if nodes.get(at).is_some_and(|node| node.total.count < FEW_ROWS) && self.change.after.is_none() {
                self.join_leaf(nodes, at);
            }
        } else {
            self.balance(nodes, at);
        }
        true
    }

    /// Whether a row is inserted behind all others of a full leaf: then it begins a new one, so that keys that come in
    /// ascending order never make a leaf that has to be split.
    fn begins_new_leaf(&self, node: &Node) -> bool {
        let Below::Leaf { last, .. } = &node.below else { return false };
        self.change.before.is_none()
            && node.total.count >= NEW_ROWS as i64
            && self.change.key > *last
            && self.pinned != Some(&node.start)
    }

    fn leaf(&mut self, node: &mut Node) {
        let Change { key: k, before, after } = self.change;
        let Below::Leaf { last, is_due } = &mut node.below else { return };
        let [mut lost_least, mut lost_greatest] =
            before.map_or([false; 2], |row| node.total.remove(row, self.kind));
        if let Some(row) = after {
            node.total.add(*row, self.kind);
            if k > last {
                *last = k.clone();
            }
        }
        // What goes beyond the extreme that it replaces is the extreme.
        if let (Some(old), Some(new)) = (before.and_then(Row::number), after.and_then(Row::number)) {
            let (old, new) = (ordered(old, self.kind), ordered(new, self.kind));
            lost_least &= new > old;
            lost_greatest &= new < old;
        }
        if node.total.extremes().is_none() {
            node.stale = 0;
        } else if lost_least || lost_greatest {
            node.stale = 1;
        }
        if (node.stale > 0 || node.total.count > MOST_ROWS) && !std::mem::replace(is_due, true) {
            self.due.push_back(node.start.clone());
        }
    }

    /// Changes the total of an inner node whose child has changed.
    fn total(&self, node: &mut Node) {
        let Change { before, after, .. } = self.change;
        let removed = before.is_some_and(|row| {
            node.total.remove(row, self.kind);
            row.number().is_some()
        });
        if let Some(row) = after {
            node.total.add(*row, self.kind);
        }
        if removed && let Below::Inner(children) = &node.below {
            node.total.set_extremes(children.iter().map(|child| &child.total));
            node.recount_leaves();
        }
    }

    /// Makes a leaf with few rows one with a neighbour.
    fn join_leaf(&self, nodes: &mut Vec<Node>, at: usize) {
        for (left, right) in [(Some(at), at + 1), (at.checked_sub(1), at)] {
            let Some(left) = left else { continue };
            let (Some(a), Some(b)) = (nodes.get(left), nodes.get(right)) else { continue };
            let fits = a.total.count + b.total.count <= NEW_ROWS as i64;
            let free = [a, b]
                .iter()
                .all(|node| node.is_known_leaf() && node.stale == 0 && self.pinned != Some(&node.start));
            if fits && free {
                let joined = nodes.remove(right);
                let Some(node) = nodes.get_mut(left) else { return };
                node.total.merge(&joined.total);
                if let (Below::Leaf { last, .. }, Below::Leaf { last: behind, .. }) =
                    (&mut node.below, joined.below)
                    && behind > *last
                {
                    *last = behind;
                }
                return;
            }
        }
    }

    /// Splits an inner node with too many children, and makes one with few one with a neighbour.
    fn balance(&self, nodes: &mut Vec<Node>, at: usize) {
        let Some(Node { below: Below::Inner(children), .. }) = nodes.get_mut(at) else { return };
        if children.len() > MOST_CHILDREN {
            let parts = split(children);
            if let Some(node) = nodes.get_mut(at) {
                node.recount();
            }
            nodes.splice(at + 1..at + 1, parts.into_iter().map(Node::inner));
            return;
        }
        if children.len() >= FEW_CHILDREN {
            return;
        }
        for (left, right) in [(Some(at), at + 1), (at.checked_sub(1), at)] {
            let Some(left) = left else { continue };
            let count = |at: usize| match nodes.get(at) {
                Some(Node { below: Below::Inner(children), .. }) => Some(children.len()),
                _ => None,
            };
            let fits = count(left).zip(count(right)).is_some_and(|(a, b)| a + b <= MOST_CHILDREN / 2);
            if fits {
                let joined = nodes.remove(right);
                if let (Some(node), Below::Inner(more)) = (nodes.get_mut(left), joined.below) {
                    if let Below::Inner(children) = &mut node.below {
                        children.extend(more);
                    }
                    node.recount();
                }
                return;
            }
        }
    }
}
