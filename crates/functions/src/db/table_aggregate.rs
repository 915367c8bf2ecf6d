//! Counts, sums, extremes, places and rankings of an index of a table by name.

use hull_engine::{Document, Number, Order, RankedGroup, Transaction};
use hull_model::KeyRange;
use hull_value::{DocumentId, Value};

use super::aggregate::InOrder;
use super::conditions::Conditions;
use super::extent::Extent;
use super::reader::check_table;
use super::scan::Plan;
use super::table::TableReader;
use crate::error::Result;
use crate::run::transaction_error;

impl<'a> TableReader<'a> {
    /// How many documents are in a range of an index that counts.
    pub async fn count(&self, index: &str, range: impl FnOnce(Conditions) -> Conditions) -> Result<u32> {
        let range = self.keys(index, range(Conditions::default())).await?;
        self.reader.call(|tx| count_range(tx, self.name, index, &range)).await
    }

    /// The sum of the field that an index adds up, over the documents in a range of it, as a float or an int64, as the field
    /// is; of no documents it is zero.
    pub async fn sum(&self, index: &str, range: impl FnOnce(Conditions) -> Conditions) -> Result<Value> {
        let range = self.keys(index, range(Conditions::default())).await?;
        let sum =
            self.reader.call(|tx| tx.sum_range(self.name, index, &range).map_err(transaction_error)).await?;
        Ok(sum.map_or(Value::Float64(0.0), value))
    }

    /// The least number of the field that an index adds up, over the documents in a range of it.
    pub async fn min(
        &self,
        index: &str,
        range: impl FnOnce(Conditions) -> Conditions,
    ) -> Result<Option<Value>> {
        self.extreme(index, range(Conditions::default()), Order::Asc).await
    }

    /// The greatest number of the field that an index adds up, over the documents in a range of it.
    pub async fn max(
        &self,
        index: &str,
        range: impl FnOnce(Conditions) -> Conditions,
    ) -> Result<Option<Value>> {
        self.extreme(index, range(Conditions::default()), Order::Desc).await
    }

    async fn extreme(&self, index: &str, range: Conditions, order: Order) -> Result<Option<Value>> {
        let range = self.keys(index, range).await?;
        let found = self
            .reader
            .call(|tx| tx.extreme_range(self.name, index, &range, order).map_err(transaction_error));
        Ok(found.await?.map(value))
    }

    /// How many documents of a range of an index that counts come before this one, in ascending order unless said otherwise;
    /// `None` if it is not in the range.
    pub fn rank_of(
        &self,
        index: &'a str,
        range: impl FnOnce(Conditions) -> Conditions,
        id: DocumentId,
    ) -> InOrder<'a, Option<u32>> {
        let (table, range) = (self.clone(), range(Conditions::default()));
        InOrder::new(move |order| async move {
            let range = table.keys(index, range).await?;
            table
                .reader
                .call(|tx| {
                    check_table(tx, id, table.name)?;
                    rank_of(tx, (table.name, index), (&range, order), id)
                })
                .await
        })
    }

    /// The document of a range of an index that counts which so many others come before, in ascending order unless said
    /// otherwise.
    pub fn at(
        &self,
        index: &'a str,
        range: impl FnOnce(Conditions) -> Conditions,
        offset: u32,
    ) -> InOrder<'a, Option<Document>> {
        let (table, range) = (self.clone(), range(Conditions::default()));
        InOrder::new(move |order| async move {
            let range = table.keys(index, range).await?;
            table
                .reader
                .call(|tx| {
                    let found = tx.document_at(table.name, index, (&range, order), u64::from(offset));
                    found.map_err(transaction_error)
                })
                .await
        })
    }

    /// The first groups of a ranked index, in the order of their sums, or of their counts where nothing is added up.
    pub async fn ranking(&self, index: &str, order: Order, count: usize) -> Result<Vec<RankedGroup>> {
        self.reader.call(|tx| tx.ranking(self.name, index, order, count).map_err(transaction_error)).await
    }

    /// How many documents the table has. Depends on which documents there are, and reads none.
    pub async fn table_count(&self) -> Result<u32> {
        let count = self.reader.call(|tx| tx.table_count(self.name).map_err(transaction_error)).await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The keys of a range; of a table that is not there no range has any.
    async fn keys(&self, index: &str, range: Conditions) -> Result<KeyRange> {
        let fields =
            self.reader.call(|tx| tx.index_fields(self.name, index).map_err(transaction_error)).await?;
        let Some(fields) = fields else { return Ok(KeyRange::all()) };
        Ok(range.bounds(&format!("{}.{index}", self.name), &fields)?.to_key_range())
    }
}

impl Plan<'_> {
    /// How many documents there are: by counters where an index over the same fields has some.
    pub(super) async fn count(mut self) -> Result<u32> {
        let extent = self.take_extent()?;
        if let Extent::Range(bounds) = &extent {
            let range = bounds.to_key_range();
            let (table, index) = (self.table, self.index);
            let counted = self
                .reader
                .call(|tx| tx.count_range_if_counted(table, index, &range).map_err(transaction_error))
                .await?;
            if let Some(count) = counted {
                return Ok(u32::try_from(count).unwrap_or(u32::MAX));
            }
        }
        self.extent = Ok(extent);
        let mut count = 0;
        let each = |_: &Document| {
            count += 1;
            Ok(true)
        };
        self.presence().for_each(usize::MAX, each).await?;
        Ok(count)
    }
}

pub(super) fn count_range(tx: &mut Transaction, table: &str, index: &str, range: &KeyRange) -> Result<u32> {
    let count = tx.count_range(table, index, range).map_err(transaction_error)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

pub(super) fn rank_of(
    tx: &mut Transaction,
    (table, index): (&str, &str),
    within: (&KeyRange, Order),
    id: DocumentId,
) -> Result<Option<u32>> {
    let rank = tx.rank_of(table, index, within, id).map_err(transaction_error)?;
    Ok(rank.map(|rank| u32::try_from(rank).unwrap_or(u32::MAX)))
}

fn value(number: Number) -> Value {
    match number {
        Number::Float64(n) => Value::Float64(n),
        Number::Int64(n) => Value::Int64(n),
    }
}
