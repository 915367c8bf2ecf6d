//! Several ranges of an index read as one, in the order of what follows the equalities.

use hull_engine::{BY_ID, Stretch};
use hull_model::{IndexBounds, IndexOf, IndexRange, IntoBounds, Table};
use hull_value::ValueError;

use super::conditions::Conditions;
use super::extent::Extent;
use super::query::Query;
use super::shape::Shape;
use super::table_query::TableQuery;
use crate::error::{Error, Result};

impl<'a, T: Table, S: Shape<T>> Query<'a, T, S> {
    /// Reads another range, too, of the index that [`Query::with_index`] has named. All ranges are read as one, in the order
    /// of the fields behind those with `eq`, of which every range has as many; a document in several of them is there
    /// once.
    ///
    /// ```text
    /// let inbox = ctx.db.query::<Message>().with_index(Message::by_channel, |q| q.eq(Message::channel, "a"));
    /// inbox.union(Message::by_channel, |q| q.eq(Message::channel, "b")).order(Order::Desc).paginate(opts).await?
    /// ```
    pub fn union<I: IndexOf<T>, R: IntoBounds<T>>(
        mut self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
    ) -> Self {
        let more = range(index.range()).into_bounds().map_err(|error| invalid_range(&error));
        let extent = self.plan.take_extent();
        self.plan.extent = if self.plan.index == index.name() {
            extent.and_then(|extent| extent.and(more?))
        } else {
            Err(no_index(index.name()))
        };
        self
    }

    /// Goes through an index and reads a range for each of the items, as [`Query::union`] does: none for no items.
    ///
    /// ```text
    /// ctx.db.query::<Message>().with_index_each(Message::by_channel, mine, |q, channel| q.eq(Message::channel, channel))
    /// ```
    pub fn with_index_each<I: IndexOf<T>, V, R: IntoBounds<T>>(
        mut self,
        index: I,
        items: impl IntoIterator<Item = V>,
        mut range: impl FnMut(IndexRange<T, I::Fields>, V) -> R,
    ) -> Self {
        self.plan.index = index.name();
        let ranges = items.into_iter().map(|item| range(index.range(), item).into_bounds());
        let ranges: std::result::Result<_, ValueError> = ranges.collect();
        self.plan.extent = ranges.map(Extent::Union).map_err(|error| invalid_range(&error));
        self
    }
}

impl<'a> TableQuery<'a> {
    /// Reads another range, too, of the index that [`TableQuery::with_index`] has named. All ranges are read as one, in the
    /// order of the fields behind those with an equality, of which every range has as many; a document in several of them
    /// is there once.
    pub fn union(mut self, index: &'a str, range: impl FnOnce(Conditions) -> Conditions) -> TableQuery<'a> {
        match &mut self.ranges {
            Some(ranges) if self.plan.index == index => {
                ranges.push(range(Conditions::default()));
                self.merged = true;
            }
            _ => self.plan.extent = Err(no_index(index)),
        }
        self
    }

    /// Goes through an index and reads a range for each of the items, as [`TableQuery::union`] does: none for no items.
    pub fn with_index_each<V>(
        mut self,
        index: &'a str,
        items: impl IntoIterator<Item = V>,
        mut range: impl FnMut(Conditions, V) -> Conditions,
    ) -> TableQuery<'a> {
        self.plan.index = index;
        self.ranges = Some(items.into_iter().map(|item| range(Conditions::default(), item)).collect());
        self.merged = true;
        self
    }
}

/// A value in a condition that is none.
pub(super) fn invalid_range(error: &ValueError) -> Error {
    Error::system("InvalidIndexRange", error.to_string())
}

fn no_index(index: &str) -> Error {
    let message =
        format!("A union with a range of the index {index} follows with_index() with the same index.");
    Error::system("InvalidIndexRange", message)
}

/// The key ranges of several conditions on an index, sorted, none empty, no two with a key in common.
pub(super) fn stretches(table: &str, index: &str, ranges: &[IndexBounds]) -> Result<Vec<Stretch>> {
    let equal = ranges.first().map_or(0, IndexBounds::equalities);
    if let Some(other) = ranges.iter().map(IndexBounds::equalities).find(|other| *other != equal) {
        let message = format!(
            "The ranges of a union must have equalities on the same fields of the index {table}.{index}: one has {equal}, \
             another {other}."
        );
        return Err(Error::system("InvalidIndexRange", message));
    }
    let stretch = |bounds: &IndexBounds| {
        // A key by id is the id, whatever the condition.
        let prefix = if index == BY_ID { Vec::new() } else { bounds.prefix().to_vec() };
        Stretch { prefix, range: bounds.to_key_range() }
    };
    let mut sorted: Vec<Stretch> = ranges.iter().map(stretch).filter(|s| !s.range.is_empty()).collect();
    sorted.sort();
    sorted.dedup_by(|next, kept| {
        let meets =
            next.prefix == kept.prefix && kept.range.end.as_ref().is_none_or(|end| next.range.start <= *end);
        if meets && next.range.end.as_ref().is_none_or(|end| kept.range.end.as_ref().is_some_and(|e| e < end))
        {
            kept.range.end = next.range.end.take();
        }
        meets
    });
    Ok(sorted)
}
