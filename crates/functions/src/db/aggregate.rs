//! Counts, sums, extremes, places and rankings of an index, typed by table: answered by the counters of an index that is
//! declared with `#[count(…)]` or `#[sum(…)]`, however many documents there are.
//!
//! What a function depends on is the range of the index that it asks about: which documents are in it, and, for sums and
//! extremes, the field that is added up. No document is read for it, and none counts as read.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

use hull_engine::{Document, Number, Order, RankedGroup};
use hull_model::{
    CountingIndex, Doc, IndexRange, IntoBounds, KeyRange, RankedIndex, Summed, SummingIndex, Table,
};
use hull_value::{Decode, DecodeError, Id, Packed, ValueRef};

use super::reader::{DatabaseReader, check_table};
use super::shape::{Shape, Whole};
use super::table_aggregate::{count_range, rank_of};
use super::union::invalid_range;
use super::writer::invalid_value;
use crate::error::{Error, Result};
use crate::run::transaction_error;

impl DatabaseReader {
    /// How many documents are in a range of an index that counts.
    ///
    /// ```text
    /// let entries = ctx.db.count(Entry::by_user, |q| q.eq(Entry::user, user)).await?;
    /// ```
    pub async fn count<T: Table, I: CountingIndex<T>, R: IntoBounds<T>>(
        &self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
    ) -> Result<u32> {
        let range = keys(&index, range)?;
        let count = |tx: &mut _| count_range(tx, T::NAME, index.name(), &range);
        self.call(count).await
    }

    /// The sum of the field that an index adds up, over the documents in a range of it: exact, and then rounded to the
    /// nearest float. Absent fields count as nothing; of no documents it is zero. Where a NaN or both infinities are among
    /// them it is NaN. A sum of int64 numbers that is none is the error `SumOverflow`.
    pub async fn sum<T: Table, I: SummingIndex<T>, R: IntoBounds<T>>(
        &self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
    ) -> Result<<I::Summed as Summed>::Total> {
        let range = keys(&index, range)?;
        let sum =
            self.call(|tx| tx.sum_range(T::NAME, index.name(), &range).map_err(transaction_error)).await?;
        sum.map_or_else(|| Ok(Default::default()), decode)
    }

    /// The least number of the field that an index adds up, over the documents in a range of it; `None` where none has the
    /// field. Numbers are ordered as an index orders them.
    pub async fn min<T: Table, I: SummingIndex<T>, R: IntoBounds<T>>(
        &self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
    ) -> Result<Option<<I::Summed as Summed>::Value>> {
        self.extreme::<T, I>(keys(&index, range)?, index, Order::Asc).await
    }

    /// The greatest number of the field that an index adds up, as [`DatabaseReader::min`] gives the least.
    pub async fn max<T: Table, I: SummingIndex<T>, R: IntoBounds<T>>(
        &self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
    ) -> Result<Option<<I::Summed as Summed>::Value>> {
        self.extreme::<T, I>(keys(&index, range)?, index, Order::Desc).await
    }

    async fn extreme<T: Table, I: SummingIndex<T>>(
        &self,
        range: KeyRange,
        index: I,
        order: Order,
    ) -> Result<Option<<I::Summed as Summed>::Value>> {
        let found =
            self.call(|tx| tx.extreme_range(T::NAME, index.name(), &range, order).map_err(transaction_error));
        found.await?.map(decode).transpose()
    }

    /// How many documents of a range of an index that counts come before this one, in ascending order unless said
    /// otherwise; `None` if it is not in the range. Depends on which documents are in the range up to it.
    ///
    /// ```text
    /// let before_me = ctx.db.rank_of(Player::by_score, |q| q, me).order(Order::Desc).await?;
    /// ```
    pub fn rank_of<'a, T: Table, I: CountingIndex<T>, R: IntoBounds<T>>(
        &'a self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
        id: Id<T>,
    ) -> InOrder<'a, Option<u32>> {
        let (range, index) = (keys(&index, range), index.name());
        InOrder::new(move |order| async move {
            let range = range?;
            self.call(|tx| {
                check_table(tx, id.document_id(), T::NAME)?;
                rank_of(tx, (T::NAME, index), (&range, order), id.document_id())
            })
            .await
        })
    }

    /// The document of a range of an index that counts which so many others come before, in ascending order unless said
    /// otherwise. Depends on which documents are in the range up to it, and on it.
    ///
    /// ```text
    /// let tenth = ctx.db.at(Player::by_score, |q| q, 9).order(Order::Desc).await?;
    /// ```
    pub fn at<'a, T: Table, I: CountingIndex<T>, R: IntoBounds<T>>(
        &'a self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
        offset: u32,
    ) -> InOrder<'a, Option<Doc<T>>> {
        let (range, index) = (keys(&index, range), index.name());
        InOrder::new(move |order| async move {
            let range = range?;
            let found: Option<Document> = self
                .call(|tx| {
                    let found = tx.document_at(T::NAME, index, (&range, order), u64::from(offset));
                    found.map_err(transaction_error)
                })
                .await?;
            found.map(|document| Whole::row(&document, self.run.registry.declares::<T>())).transpose()
        })
    }

    /// The groups of a ranked index, which are its documents with equal declared fields, in the order of their sums, or of
    /// their counts where nothing is added up. Depends on which documents are in the index, and on the field.
    ///
    /// ```text
    /// for best in ctx.db.ranking(Entry::points_by_user).order(Order::Desc).take(10).await? {
    ///     let (user, points) = (best.group, best.total);
    /// }
    /// ```
    pub fn ranking<T: Table, I: RankedIndex<T>>(&self, index: I) -> Ranking<'_, T, I> {
        Ranking { reader: self, index, order: Order::Asc, table: PhantomData }
    }

    /// How many documents a table has. Depends on which documents there are, and reads none.
    pub async fn table_count<T: Table>(&self) -> Result<u32> {
        self.table(T::NAME).table_count().await
    }
}

/// Something that depends on an order, which may be said before it is awaited.
#[must_use = "nothing is asked until it is awaited"]
pub struct InOrder<'a, R> {
    order: Order,
    ask: Box<dyn FnOnce(Order) -> Asked<'a, R> + Send + 'a>,
}

/// An answer under way.
type Asked<'a, R> = Pin<Box<dyn Future<Output = Result<R>> + Send + 'a>>;

impl<'a, R> InOrder<'a, R> {
    pub(super) fn new<F: Future<Output = Result<R>> + Send + 'a>(
        ask: impl FnOnce(Order) -> F + Send + 'a,
    ) -> InOrder<'a, R> {
        InOrder { order: Order::Asc, ask: Box::new(|order| Box::pin(ask(order))) }
    }

    /// Goes through the index in this order.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }
}

impl<'a, R> IntoFuture for InOrder<'a, R> {
    type Output = Result<R>;
    type IntoFuture = Asked<'a, R>;

    fn into_future(self) -> Asked<'a, R> {
        (self.ask)(self.order)
    }
}

/// The ranking of an index, of which nothing has been asked yet.
#[must_use = "a ranking says nothing until `take` is awaited"]
pub struct Ranking<'a, T, I> {
    reader: &'a DatabaseReader,
    index: I,
    order: Order,
    table: PhantomData<fn() -> T>,
}

/// A group of a ranked index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked<G, V> {
    /// The values of the declared fields: one value, or a tuple of several.
    pub group: G,
    /// What it is ranked by: its sum, or its count where nothing is added up.
    pub total: V,
    /// How many documents it has.
    pub count: u32,
}

impl<T: Table, I: RankedIndex<T>> Ranking<'_, T, I> {
    /// The order of the sums, or counts; ascending unless said otherwise. Groups that are equal in it are in the order of
    /// their fields.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The first `count` groups.
    pub async fn take(self, count: usize) -> Result<Vec<Ranked<I::Group, I::Total>>> {
        let (index, order) = (self.index.name(), self.order);
        let groups: Vec<RankedGroup> = self
            .reader
            .call(|tx| tx.ranking(T::NAME, index, order, count).map_err(transaction_error))
            .await?;
        let group = |group: &RankedGroup| {
            let packed = group.values.iter().map(|value| value.as_ref().map(Packed::encode).transpose());
            let packed: Vec<Option<Packed>> =
                packed.collect::<std::result::Result<_, _>>().map_err(invalid_value)?;
            let values: Vec<Option<ValueRef<'_>>> =
                packed.iter().map(|value| value.as_ref().map(Packed::as_ref)).collect();
            let count = u32::try_from(group.count).unwrap_or(u32::MAX);
            let sum = group.sum.map_or(ValueRef::Null, ValueRef::from);
            Ok(Ranked {
                group: I::group(&values).map_err(mismatch)?,
                total: I::total(count, sum).map_err(mismatch)?,
                count,
            })
        };
        groups.iter().map(group).collect()
    }
}

/// A range of an index as keys.
fn keys<T: Table, I: CountingIndex<T>, R: IntoBounds<T>>(
    index: &I,
    range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
) -> Result<KeyRange> {
    let bounds = range(index.range()).into_bounds().map_err(|error| invalid_range(&error))?;
    Ok(bounds.to_key_range())
}

fn decode<V: Decode>(number: Number) -> Result<V> {
    V::decode(number.into()).map_err(mismatch)
}

/// What is stored is not what the Rust type of the table says.
fn mismatch(error: DecodeError) -> Error {
    Error::system("DocumentMismatch", format!("An aggregate does not fit its Rust type: {error}"))
}
