//! The functions of an application, found by path.
//!
//! All spellings of a path find the same function; the canonical one without an allocation. A function that does not
//! exist and one that the caller may not call give the same message.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use hull_model::{FunctionKind, Schema, Table, TableMapping, Validator, Visibility, v};
use hull_value::{Packed, ValueRef};
use parking_lot::RwLock;
use thiserror::Error as ThisError;

use crate::app::App;
use crate::error::{Error, Result};
use crate::path::{canonical_path, display_path, is_function, is_module};
use crate::private::{Form, Handler};

/// The largest arguments of a call, and the largest result, in bytes.
pub(crate) const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// The functions of an application, and the tables it declares.
pub struct Registry {
    schema: Schema,
    /// Of each Rust type of a table that was asked for, whether the schema has it.
    declared: RwLock<HashMap<TypeId, bool>>,
    by_path: HashMap<Arc<str>, Arc<Function>>,
    by_type: HashMap<TypeId, Arc<Function>>,
}

/// A registered function.
pub struct Function {
    path: Arc<str>,
    pub(crate) visibility: Visibility,
    pub(crate) handler: Handler,
    args: Validator,
    returns: Option<Validator>,
    result: Option<Validator>,
    /// Whether the result can have the timestamp of a commit.
    stamped: bool,
    doc: &'static str,
}

/// Why an application can't be run.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum AppError {
    /// A module has a name that no path can spell.
    #[error("Module name {0:?} is not allowed: use letters, digits, `_`, `.` and `/`, at most 64 in a part")]
    ModuleName(String),
    /// The module's name belongs to the system.
    #[error("Module name {0:?} is reserved")]
    ReservedModule(String),
    /// A function has a name that no path can spell.
    #[error("Function name {0:?} is not an identifier")]
    FunctionName(String),
    /// Two functions have the same path.
    #[error("Function {0:?} is registered twice")]
    Duplicate(String),
    /// The same function is registered under two paths, so that a typed call would not know which is meant.
    #[error("The same function is registered as {0:?} and as {1:?}")]
    TwoPaths(String, String),
}

impl AppError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            AppError::ModuleName(_) => "InvalidModuleName",
            AppError::ReservedModule(_) => "ReservedModuleName",
            AppError::FunctionName(_) => "InvalidFunctionName",
            AppError::Duplicate(_) => "DuplicateFunction",
            AppError::TwoPaths(..) => "FunctionRegisteredTwice",
        }
    }
}

impl Registry {
    /// Checks and registers all functions of an application.
    pub fn new(app: App) -> std::result::Result<Registry, AppError> {
        let mut registry = Registry {
            schema: app.schema,
            declared: RwLock::default(),
            by_path: HashMap::new(),
            by_type: HashMap::new(),
        };
        for module in app.modules {
            let name = module.name.strip_suffix(".js").unwrap_or(&module.name);
            if !is_module(name) {
                return Err(AppError::ModuleName(module.name));
            }
            let root = name.split('/').next().unwrap_or(name);
            if matches!(root, "_system" | "_deps") || matches!(name, "http" | "crons") {
                return Err(AppError::ReservedModule(module.name));
            }
            for definition in module.functions {
                if !is_function(definition.name) {
                    return Err(AppError::FunctionName(definition.name.to_owned()));
                }
                let path: Arc<str> = format!("{name}:{}", definition.name).into();
                let result = definition.returns.or(definition.result).map(|validator| validator());
                let function = Arc::new(Function {
                    path: path.clone(),
                    visibility: definition.visibility,
                    handler: definition.handler,
                    args: (definition.args)(),
                    returns: definition.returns.map(|validator| validator()),
                    stamped: result.as_ref().is_some_and(Validator::has_commit_ts),
                    result,
                    doc: definition.doc,
                });
                if let Some(other) = registry.by_type.insert(definition.marker, function.clone())
                    && other.path != path
                {
                    return Err(AppError::TwoPaths(other.path.to_string(), path.to_string()));
                }
                if registry.by_path.insert(path, function.clone()).is_some() {
                    return Err(AppError::Duplicate(function.path.to_string()));
                }
            }
        }
        Ok(registry)
    }

    /// Adds a query of the system, such as `_system/cli/modules:apiSpec`, for holders of an admin key. Its answer, in
    /// wire JSON, stays the same while the process runs.
    pub fn answer(&mut self, path: &str, json: impl Into<Arc<str>>) {
        let path: Arc<str> = path.into();
        let function = Function {
            path: path.clone(),
            visibility: Visibility::Internal,
            handler: Handler::Fixed(json.into()),
            args: v::any(),
            returns: None,
            result: None,
            stamped: false,
            doc: "",
        };
        self.by_path.insert(path, Arc::new(function));
    }

    /// Whether the table is declared as this Rust type says, and its documents are checked: then a stored document has
    /// no field that the type has not.
    pub(crate) fn declares<T: Table>(&self) -> bool {
        let of = TypeId::of::<T>();
        if let Some(known) = self.declared.read().get(&of) {
            return *known;
        }
        let declared = self.schema.get(T::NAME).is_some_and(|table| table.document == T::table().document);
        self.declared.write().insert(of, declared && self.schema.validate);
        declared && self.schema.validate
    }

    /// The tables that the application declares.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The function with this path, whoever may call it.
    pub fn get(&self, path: &str) -> Option<&Arc<Function>> {
        match self.by_path.get(path) {
            Some(function) => Some(function),
            None => self.by_path.get(&*canonical_path(path)?),
        }
    }

    /// The function with this path, of this kind, that may be called: internal ones only if `internal`.
    pub fn resolve(&self, path: &str, kind: FunctionKind, internal: bool) -> Result<&Arc<Function>> {
        match self.get(path) {
            Some(function) if internal || function.visibility == Visibility::Public => {
                function.expect_kind(kind)?;
                Ok(function)
            }
            _ => Err(not_found(path)),
        }
    }

    pub(crate) fn by_type(&self, marker: TypeId, name: &str) -> Result<&Arc<Function>> {
        self.by_type.get(&marker).ok_or_else(|| {
            Error::system(
                "FunctionNotRegistered",
                format!("The function `{name}` is not registered in any module"),
            )
        })
    }

    /// All functions of the application, by path.
    pub fn functions(&self) -> Vec<&Arc<Function>> {
        let of_application = |function: &&Arc<Function>| !matches!(function.handler, Handler::Fixed(_));
        let mut functions: Vec<_> = self.by_path.values().filter(of_application).collect();
        functions.sort_by(|a, b| a.path.cmp(&b.path));
        functions
    }
}

/// The error for a path that names no function, or none that the caller may call.
pub(crate) fn not_found(path: &str) -> Error {
    Error::system("FunctionNotFound", format!("Could not find public function for '{}'.", display_path(path)))
}

impl Function {
    /// The canonical path, `module:function`.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Query or mutation.
    pub fn kind(&self) -> FunctionKind {
        self.handler.kind()
    }

    /// Who may call it.
    pub fn visibility(&self) -> Visibility {
        self.visibility
    }

    /// What it takes.
    pub fn args(&self) -> &Validator {
        &self.args
    }

    /// What its results are checked against, where that is asked for.
    pub fn returns(&self) -> Option<&Validator> {
        self.returns.as_ref()
    }

    /// What it returns: what its results are checked against, or else what the type of its result says, where that
    /// stands for a validator.
    pub fn result(&self) -> Option<&Validator> {
        self.result.as_ref()
    }

    /// What it returns, where that can have the timestamp of a commit.
    pub(crate) fn stamped(&self) -> Option<&Validator> {
        self.result.as_ref().filter(|_| self.stamped)
    }

    /// Its documentation.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    pub(crate) fn expect_kind(&self, kind: FunctionKind) -> Result<()> {
        if self.kind() == kind {
            return Ok(());
        }
        let message = format!(
            "Trying to execute {} as {kind}, but it is defined as {}.",
            display_path(&self.path),
            self.kind()
        );
        Err(Error::system("FunctionPathWrongType", message))
    }

    pub(crate) fn check_args(&self, args: &Packed, tables: &dyn TableMapping) -> Result<()> {
        let size = args.bytes().len();
        if size > MAX_VALUE_BYTES / 2 && args.size() > MAX_VALUE_BYTES {
            let message = format!(
                "Arguments for {} are too large (actual: {} bytes, limit: {MAX_VALUE_BYTES} bytes)",
                display_path(&self.path),
                args.size()
            );
            return Err(Error::system("TooLargeFunctionArguments", message));
        }
        if !matches!(args.as_ref(), ValueRef::Object(_)) {
            let message = "ArgumentValidationError: the arguments of a function must be one object";
            return Err(Error::system("InvalidArguments", message));
        }
        self.args
            .check(args.as_ref(), tables)
            .map_err(|error| Error::system("InvalidArguments", format!("ArgumentValidationError: {error}")))
    }

    /// In which form a top-level call must hand over its result.
    pub(crate) fn form(&self) -> Form {
        match self.kind() {
            FunctionKind::Mutation if self.returns.is_none() && !self.stamped => Form::Json,
            _ => Form::Packed,
        }
    }

    pub(crate) fn check_result(&self, result: &Packed, tables: &dyn TableMapping) -> Result<()> {
        if let Some(validator) = &self.returns {
            validator.check(result.as_ref(), tables).map_err(|error| {
                Error::system("InvalidReturnValue", format!("ReturnsValidationError: {error}"))
            })?;
        }
        // A packed value has at least as many bytes as its size by the formula.
        match result.bytes().len() {
            ..=MAX_VALUE_BYTES => Ok(()),
            _ => self.check_result_size(result.size()),
        }
    }

    pub(crate) fn check_result_size(&self, size: usize) -> Result<()> {
        if size <= MAX_VALUE_BYTES {
            return Ok(());
        }
        let message = format!(
            "The return value of {} is too large (actual: {size} bytes, limit: {MAX_VALUE_BYTES} bytes)",
            display_path(&self.path)
        );
        Err(Error::system("FunctionResultTooLarge", message))
    }
}
