//! Every mistake that a schema can contain, each with Convex's code.

use std::fmt;

/// One mistake in a schema.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are named in each message")]
pub enum SchemaError {
    /// More tables than a deployment may have.
    #[error("the schema has {count} tables; at most 10000 are allowed")]
    TooManyTables { count: usize },
    /// The same table is declared twice.
    #[error("table `{table}` is declared more than once")]
    TableNamesNotUnique { table: String },
    /// The name is no identifier, or is reserved for the system.
    #[error(
        "`{table}` is not a valid table name: a letter first, then letters, digits or `_`, at most 64 characters; \
         names beginning with `_` are reserved"
    )]
    InvalidTableName { table: String },
    /// The document is neither an object, nor a union of objects, nor any.
    #[error(
        "table `{table}`: the document type must be an object, a union of objects or `v.any()`, found `{found}`"
    )]
    InvalidTopLevelType { table: String, found: String },
    /// A field's name is no identifier, or is reserved for the system.
    #[error(
        "table `{table}`: `{field}` is not a valid field name: a letter or `_` first, then letters, digits or `_`, at \
         most 64 characters; top-level names beginning with `_` are reserved"
    )]
    InvalidFieldName { table: String, field: String },
    /// A literal that is no string, float, integer or boolean.
    #[error("table `{table}`, at `{path}`: a literal must be a string, a number, an int64 or a boolean")]
    InvalidLiteral { table: String, path: String },
    /// The keys of a record are not strings, or are literals.
    #[error(
        "table `{table}`, at `{path}`: the keys of a record must be `v.string()`, `v.id(…)` or a union of these, found \
         `{keys}`; for known keys use `v.object`"
    )]
    InvalidRecordType { table: String, path: String, keys: String },
    /// More indexes than a table may have.
    #[error("table `{table}` has {count} indexes; at most 64 are allowed")]
    TooManyIndexes { table: String, count: usize },
    /// More search indexes than a table may have.
    #[error("table `{table}` has {count} search indexes; at most 4 are allowed")]
    TooManySearchIndexes { table: String, count: usize },
    /// The index's name is no identifier.
    #[error(
        "table `{table}`: `{index}` is not a valid index name: a letter first, then letters, digits or `_`, at most 64 \
         characters"
    )]
    InvalidIndexName { table: String, index: String },
    /// The index's name belongs to the system.
    #[error(
        "table `{table}`: the index name `{index}` is reserved: `by_id`, `by_creation_time` and names beginning with `_` \
         belong to the system"
    )]
    IndexNameReserved { table: String, index: String },
    /// Two indexes have the same name.
    #[error("table `{table}` has more than one index named `{index}`")]
    IndexNamesNotUnique { table: String, index: String },
    /// The index has no fields.
    #[error("table `{table}`: the index `{index}` has no fields; `by_creation_time` is always there")]
    EmptyIndex { table: String, index: String },
    /// More fields than an index may have.
    #[error(
        "table `{table}`: the index `{index}` has {count} fields with the `_creationTime` that ends every index; at most \
         16 are allowed"
    )]
    IndexTooManyFields { table: String, index: String, count: usize },
    /// More filter fields than a search index may have.
    #[error("table `{table}`: the search index `{index}` has {count} filter fields; at most 16 are allowed")]
    SearchIndexTooManyFilterFields { table: String, index: String, count: usize },
    /// The same field twice in an index.
    #[error("table `{table}`: the index `{index}` names the field `{field}` more than once")]
    FieldsNotUniqueWithinIndex { table: String, index: String, field: String },
    /// `_creationTime` must not be declared.
    #[error(
        "table `{table}`: the index `{index}` names `_creationTime`, which ends every index by itself; leave it out"
    )]
    IndexFieldsContainCreationTime { table: String, index: String },
    /// `_id` must not be declared.
    #[error(
        "table `{table}`: the index `{index}` names `_id`, which ends every index by itself; leave it out"
    )]
    IndexFieldsContainId { table: String, index: String },
    /// Another field that belongs to the system.
    #[error("table `{table}`: the index `{index}` names `{field}`; fields beginning with `_` are reserved")]
    IndexFieldNameReserved { table: String, index: String, field: String },
    /// The field is not a dotted path of identifiers.
    #[error(
        "table `{table}`: the index `{index}` names `{field}`, which is not a dotted path of field names"
    )]
    InvalidIndexField { table: String, index: String, field: String },
    /// No document can have the field.
    #[error(
        "table `{table}`: the index `{index}` names the field `{field}`, which the table's documents do not have"
    )]
    SchemaDefinition { table: String, index: String, field: String },
    /// The field that an index adds up holds something else than numbers of one kind.
    #[error(
        "table `{table}`: the index `{index}` adds up the field `{field}`, which must be `v.number()` or `v.int64()` in every \
         document that has it; it may be optional"
    )]
    SummedFieldNotNumeric { table: String, index: String, field: String },
    /// Two search indexes with the same fields.
    #[error("table `{table}`: the search index `{index}` has the same fields as another")]
    SearchIndexFieldNotUnique { table: String, index: String },
}

impl SchemaError {
    /// The stable code of the mistake.
    pub fn code(&self) -> &'static str {
        match self {
            SchemaError::TooManyTables { .. } => "TooManyTables",
            SchemaError::TableNamesNotUnique { .. } => "TableNamesNotUnique",
            SchemaError::InvalidTableName { .. } => "InvalidTableName",
            SchemaError::InvalidTopLevelType { .. } => "InvalidTopLevelTypeInSchemaError",
            SchemaError::InvalidFieldName { .. } => "InvalidFieldName",
            SchemaError::InvalidLiteral { .. } => "InvalidLiteral",
            SchemaError::InvalidRecordType { .. } => "InvalidRecordType",
            SchemaError::TooManyIndexes { .. } => "TooManyIndexes",
            SchemaError::TooManySearchIndexes { .. } => "TooManySearchIndexes",
            SchemaError::InvalidIndexName { .. } => "InvalidIndexName",
            SchemaError::IndexNameReserved { .. } => "IndexNameReserved",
            SchemaError::IndexNamesNotUnique { .. } => "IndexNamesNotUnique",
            SchemaError::EmptyIndex { .. } => "EmptyIndex",
            SchemaError::IndexTooManyFields { .. } => "IndexTooManyFields",
            SchemaError::SearchIndexTooManyFilterFields { .. } => "IndexTooManyFilterFields",
            SchemaError::FieldsNotUniqueWithinIndex { .. } => "FieldsNotUniqueWithinIndex",
            SchemaError::IndexFieldsContainCreationTime { .. } => "IndexFieldsContainCreationTime",
            SchemaError::IndexFieldsContainId { .. } => "IndexFieldsContainId",
            SchemaError::IndexFieldNameReserved { .. } => "IndexFieldNameReserved",
            SchemaError::InvalidIndexField { .. } => "InvalidIndexField",
            SchemaError::SchemaDefinition { .. } => "SchemaDefinitionError",
            SchemaError::SummedFieldNotNumeric { .. } => "SummedFieldNotNumeric",
            SchemaError::SearchIndexFieldNotUnique { .. } => "SearchIndexFieldNotUnique",
        }
    }
}

/// Every mistake of a schema; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaErrors(pub Vec<SchemaError>);

impl fmt::Display for SchemaErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{}: {error}", if i == 0 { "" } else { "\n" }, error.code())?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaErrors {}
