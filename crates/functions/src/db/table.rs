//! Tables by name, for code that does not know them when it is compiled: values in, values out.

use std::borrow::Cow;
use std::ops::{Bound, Deref};

use hull_engine::{Document, Order};
use hull_model::{Amount, IndexBounds};
use hull_value::{DocumentId, Encode, FieldPath, Packed, ValueError, ValueRef, check_identifier};

use super::expression::Expression;
use super::reader::{DatabaseReader, check_table};
use super::scan::{Cursor, Plan, only};
use super::shape::object;
use super::writer::invalid_value;
use crate::error::{Error, Result};
use crate::pages::{PaginationOptions, PaginationResult};
use crate::run::transaction_error;

/// The most operators of one query.
const MAX_OPERATORS: usize = 256;

/// Reads a table by name.
pub struct TableReader<'a> {
    pub(super) reader: &'a DatabaseReader,
    pub(super) name: &'a str,
}

impl<'a> TableReader<'a> {
    /// The document with this id, if it exists.
    pub async fn get(&self, id: DocumentId) -> Result<Option<Document>> {
        self.reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.get(id).map_err(transaction_error)
            })
            .await
    }

    /// Some top-level fields of the document with this id, and the system's, if it exists. What the function does depends
    /// on no other field.
    pub async fn get_fields(&self, id: DocumentId, fields: &[&str]) -> Result<Option<Document>> {
        check_fields(fields)?;
        let found = self
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.get_fields(id, fields).map_err(transaction_error)
            })
            .await?;
        found.map(|document| document.only(fields).map_err(transaction_error)).transpose()
    }

    /// The id that a text stands for, if it is one of this table.
    pub async fn normalize_id(&self, text: &str) -> Result<Option<DocumentId>> {
        let Ok(id) = text.parse::<DocumentId>() else { return Ok(None) };
        self.reader
            .call(|tx| {
                tx.depend_on_tables();
                Ok((tx.table_mapping().table_of(id.table) == Some(self.name)).then_some(id))
            })
            .await
    }

    /// A query on the table.
    pub fn query(&self) -> TableQuery<'a> {
        let rows = Rows { whole: Vec::new(), fields: None, filters: Vec::new() };
        TableQuery { plan: Plan::full(self.reader, self.name), conditions: None, rows }
    }
}

/// Reads and writes a table by name.
pub struct TableWriter<'a> {
    reader: TableReader<'a>,
}

impl<'a> Deref for TableWriter<'a> {
    type Target = TableReader<'a>;

    fn deref(&self) -> &TableReader<'a> {
        &self.reader
    }
}

impl<'a> TableWriter<'a> {
    pub(super) fn new(reader: &'a DatabaseReader, name: &'a str) -> TableWriter<'a> {
        TableWriter { reader: TableReader { reader, name } }
    }

    /// Adds a document and returns its id.
    pub async fn insert(&self, document: impl Encode) -> Result<DocumentId> {
        let object = Packed::encode(&document).map_err(invalid_value)?;
        self.reader.reader.call(|tx| tx.insert(self.name, &object).map_err(transaction_error)).await
    }

    /// Sets some fields of a document; `None` removes one.
    pub async fn patch(&self, id: DocumentId, changes: &[(&str, Option<ValueRef<'_>>)]) -> Result<()> {
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.patch(id, changes).map_err(transaction_error)
            })
            .await
    }

    /// Adds to a top-level field, which must hold a number of the amount's kind: a float for an `f64`, an int64 for an
    /// `i64`. One that is absent counts as zero. Nothing is read by it, so it conflicts with no other increment.
    pub async fn increment(&self, id: DocumentId, field: &str, amount: impl Into<Amount>) -> Result<()> {
        let amount = amount.into();
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.increment(id, field, amount).map_err(transaction_error)
            })
            .await
    }

    /// Replaces all fields of a document.
    pub async fn replace(&self, id: DocumentId, document: impl Encode) -> Result<()> {
        let object = Packed::encode(&document).map_err(invalid_value)?;
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.replace(id, &object).map_err(transaction_error)
            })
            .await
    }

    /// Deletes a document.
    pub async fn delete(&self, id: DocumentId) -> Result<()> {
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.delete(id).map_err(transaction_error)
            })
            .await
    }
}

/// Conditions on the fields of an index, by name: `eq` on the first ones, then at most one lower and one upper bound.
#[derive(Default)]
pub struct Conditions {
    list: Vec<(String, Kind, std::result::Result<Option<Packed>, ValueError>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Eq,
    Gt,
    Gte,
    Lt,
    Lte,
}

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, field: &str, value: impl Encode) -> Conditions {
            self.list.push((field.to_owned(), Kind::$kind, Packed::encode(&value).map(Some)));
            self
        })*
    };
}

impl Conditions {
    conditions! {
        /// The field equals the value.
        eq => Eq;
        /// The field is greater.
        gt => Gt;
        /// The field is greater or equal.
        gte => Gte;
        /// The field is less, which absence is, too.
        lt => Lt;
        /// The field is less or equal.
        lte => Lte;
    }

    /// The field is absent: an equality.
    #[must_use]
    pub fn absent(mut self, field: &str) -> Conditions {
        self.list.push((field.to_owned(), Kind::Eq, Ok(None)));
        self
    }

    /// The field is there: a lower bound.
    #[must_use]
    pub fn present(mut self, field: &str) -> Conditions {
        self.list.push((field.to_owned(), Kind::Gt, Ok(None)));
        self
    }

    fn bounds(&self, index: &str, fields: &[FieldPath]) -> Result<IndexBounds> {
        let mut bounds = IndexBounds::all();
        let (mut lower, mut upper) = (false, false);
        let position = |field: &str| {
            fields.iter().position(|known| known.to_string() == field).ok_or_else(|| {
                Error::system("FieldNotInIndex", format!("The field {field} is not in the index {index}."))
            })
        };
        let mut equal: Vec<(usize, Option<ValueRef<'_>>)> = Vec::new();
        for (field, kind, value) in &self.list {
            let at = position(field)?;
            if *kind == Kind::Eq {
                if equal.iter().any(|(known, _)| *known == at) {
                    return Err(already_bound(field));
                }
                equal.push((at, packed(value)?));
            }
        }
        equal.sort_by_key(|(at, _)| *at);
        for (expected, (at, value)) in equal.iter().enumerate() {
            if *at != expected {
                return Err(out_of_order(index));
            }
            bounds = bounds.eq(*value);
        }
        let mut bounded = None;
        for (field, kind, value) in self.list.iter().filter(|(_, kind, _)| *kind != Kind::Eq) {
            let at = position(field)?;
            if *bounded.get_or_insert(at) != at {
                let message = "An index range can't have bounds on more than one field.";
                return Err(Error::system("BoundsOnMultipleFields", message));
            }
            if at != equal.len() {
                return Err(out_of_order(index));
            }
            let side = if matches!(kind, Kind::Gt | Kind::Gte) { &mut lower } else { &mut upper };
            if std::mem::replace(side, true) {
                return Err(already_bound(field));
            }
            let value = packed(value)?;
            bounds = match kind {
                Kind::Gt => bounds.lower(Bound::Excluded(value)),
                Kind::Gte => bounds.lower(Bound::Included(value)),
                Kind::Lt => bounds.upper(Bound::Excluded(value)),
                _ => bounds.upper(Bound::Included(value)),
            };
        }
        Ok(bounds)
    }
}

fn packed(value: &std::result::Result<Option<Packed>, ValueError>) -> Result<Option<ValueRef<'_>>> {
    match value {
        Ok(value) => Ok(value.as_ref().map(Packed::as_ref)),
        Err(error) => Err(invalid_value(error.clone())),
    }
}

fn already_bound(field: &str) -> Error {
    Error::system("AlreadyDefinedBound", format!("The field {field} already has a bound of this kind."))
}

fn out_of_order(index: &str) -> Error {
    let message = format!("The fields of the index {index} must be used in its order, without a gap.");
    Error::system("InvalidIndexRange", message)
}

/// A query on a table by name that has not been run.
#[must_use = "a query does nothing until it is awaited"]
pub struct TableQuery<'a> {
    plan: Plan<'a>,
    conditions: Option<Conditions>,
    rows: Rows<'a>,
}

/// How documents become rows.
struct Rows<'a> {
    /// Filters on whole documents, from before fields were selected.
    whole: Vec<Expression>,
    /// The fields that were selected.
    fields: Option<Vec<&'a str>>,
    filters: Vec<Expression>,
}

impl Rows<'_> {
    /// The row of a document, if it passes.
    fn row(&self, document: &Document) -> Result<Option<Document>> {
        if !passes(&self.whole, document)? {
            return Ok(None);
        }
        let row = match &self.fields {
            Some(fields) => document.only(fields).map_err(transaction_error)?,
            None => document.clone(),
        };
        Ok(passes(&self.filters, &row)?.then_some(row))
    }

    fn filters(&self) -> usize {
        self.whole.len() + self.filters.len()
    }
}

impl<'a> TableQuery<'a> {
    /// Goes through an index, where only what `range` describes is read.
    pub fn with_index(
        mut self,
        index: &'a str,
        range: impl FnOnce(Conditions) -> Conditions,
    ) -> TableQuery<'a> {
        self.plan.index = index;
        self.conditions = Some(range(Conditions::default()));
        self
    }

    /// Goes through the index in this order; ascending unless said otherwise.
    pub fn order(mut self, order: Order) -> TableQuery<'a> {
        self.plan.order = order;
        self
    }

    /// Keeps the documents for which the expression is true. The others count as read all the same.
    pub fn filter(mut self, keep: Expression) -> TableQuery<'a> {
        self.rows.filters.push(keep);
        self
    }

    /// Reads these top-level fields alone: rows have them and the system's, and what the function does depends on no other
    /// field. Filters that follow see such rows; an earlier one has seen whole documents, and then all fields count as
    /// looked at.
    pub fn select(mut self, fields: impl IntoIterator<Item = &'a str>) -> TableQuery<'a> {
        let fields: Vec<&str> = fields.into_iter().collect();
        if self.rows.fields.is_some() {
            let message = "The fields of a query can be selected only once.";
            self.plan.range = Err(Error::system("AlreadySelected", message));
            return self;
        }
        self.rows.whole = std::mem::take(&mut self.rows.filters);
        if self.rows.whole.is_empty() {
            self.plan.fields = Some(Cow::Owned(fields.clone()));
        }
        self.rows.fields = Some(fields);
        self
    }

    /// All documents.
    pub async fn collect(self) -> Result<Vec<Document>> {
        self.take(usize::MAX).await
    }

    /// The first `count` documents.
    pub async fn take(self, count: usize) -> Result<Vec<Document>> {
        let mut found = Vec::new();
        self.for_each(count, |row| found.push(row)).await?;
        Ok(found)
    }

    /// The first document, if there is one.
    pub async fn first(self) -> Result<Option<Document>> {
        Ok(self.take(1).await?.pop())
    }

    /// The only document, if there is one; an error if there are more.
    pub async fn unique(self) -> Result<Option<Document>> {
        let table = self.plan.table;
        let found = self.take(2).await?;
        only(table, found.into_iter().map(|document| (document.id.to_string(), document)).collect())
    }

    /// How many documents there are. Without filters this depends on which documents are in the range, and on none of
    /// their fields; each counts as read.
    pub async fn count(self) -> Result<u32> {
        let mut count = 0;
        let unfiltered = self.rows.filters() == 0;
        let (mut plan, rows) = self.ready().await?;
        if unfiltered {
            plan = plan.presence();
        }
        plan.for_each(usize::MAX, |document| {
            count += u32::from(unfiltered || rows.row(document)?.is_some());
            Ok(true)
        })
        .await?;
        Ok(count)
    }

    /// Whether there is a document. Without filters this depends on the presence of the first one alone, or, where there
    /// is none, on there being none.
    pub async fn exists(self) -> Result<bool> {
        if self.rows.filters() == 0 {
            return self.ready().await?.0.presence().exists().await;
        }
        let mut exists = false;
        self.for_each(1, |_| exists = true).await?;
        Ok(exists)
    }

    /// A page of the documents. Its cursors are for this index, range and order alone; any other gives the error
    /// `InvalidCursor`.
    pub async fn paginate(self, options: PaginationOptions) -> Result<PaginationResult<Document>> {
        let (plan, rows) = self.ready().await?;
        plan.page(options, |document| rows.row(document)).await
    }

    /// The documents one after the other; what is not fetched is not read.
    pub async fn documents(self) -> Result<TableDocuments<'a>> {
        let (plan, rows) = self.ready().await?;
        Ok(TableDocuments { cursor: plan.begin().await?, rows })
    }

    /// Hands out the first `count` documents.
    async fn for_each(self, count: usize, mut each: impl FnMut(Document)) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let mut left = count;
        let (plan, rows) = self.ready().await?;
        plan.for_each(count, |document| {
            if let Some(row) = rows.row(document)? {
                each(row);
                left -= 1;
            }
            Ok(left > 0)
        })
        .await
    }

    async fn ready(mut self) -> Result<(Plan<'a>, Rows<'a>)> {
        self.plan.range = Ok(self.plan.take_range()?);
        check_fields(self.rows.fields.as_deref().unwrap_or_default())?;
        if self.rows.filters() > MAX_OPERATORS {
            let message = format!("A query can't have more than {MAX_OPERATORS} operators.");
            return Err(Error::system("TooManyOperators", message));
        }
        if let Some(conditions) = &self.conditions {
            let (table, index) = (self.plan.table, self.plan.index);
            let fields =
                self.plan.reader.call(|tx| tx.index_fields(table, index).map_err(transaction_error)).await?;
            // A table that isn't there has no index; it is empty whatever the range.
            if let Some(fields) = fields {
                self.plan.range = Ok(conditions.bounds(&format!("{table}.{index}"), &fields)?.to_key_range());
            }
        }
        Ok((self.plan, self.rows))
    }
}

/// Documents of an untyped query, fetched one after the other.
pub struct TableDocuments<'a> {
    cursor: Cursor<'a>,
    rows: Rows<'a>,
}

impl TableDocuments<'_> {
    /// The next document.
    pub async fn next(&mut self) -> Result<Option<Document>> {
        while let Some(document) = self.cursor.next().await? {
            if let Some(row) = self.rows.row(&document)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

fn passes(filters: &[Expression], document: &Document) -> Result<bool> {
    for filter in filters {
        if !filter.test(object(document)?).map_err(|error| Error::system(error.code(), error.to_string()))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Fields to select are top-level ones.
fn check_fields(fields: &[&str]) -> Result<()> {
    match fields.iter().find_map(|field| check_identifier(field).err().map(|error| (field, error))) {
        Some((field, error)) => {
            let message = format!("{field:?} can't be selected: {error}; name whole top-level fields");
            Err(Error::system("InvalidSelection", message))
        }
        None => Ok(()),
    }
}
