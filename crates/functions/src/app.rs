//! What a developer registers: a schema and modules of functions.

use hull_model::{FunctionPaths, Schema, Table};

use crate::private::FunctionDef;

/// An application: its schema and its functions.
///
/// ```text
/// App::new().schema(schema()).module(journal_entries::module()).module(users::module())
/// ```
#[derive(Default)]
pub struct App {
    pub(crate) schema: Schema,
    pub(crate) modules: Vec<Module>,
}

impl App {
    /// An application without tables and functions.
    pub fn new() -> App {
        App::default()
    }

    /// Declares the tables.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> App {
        self.schema = schema;
        self
    }

    /// Declares one more table.
    #[must_use]
    pub fn table<T: Table>(mut self) -> App {
        self.schema = self.schema.of::<T>();
        self
    }

    /// Adds the functions of a module.
    #[must_use]
    pub fn module(mut self, module: Module) -> App {
        self.modules.push(module);
        self
    }

    /// Where the functions are, for a client that calls them by their argument structs.
    pub fn paths(&self) -> FunctionPaths {
        let mut paths = FunctionPaths::default();
        for module in &self.modules {
            for function in &module.functions {
                paths.insert(function.marker, format!("{}:{}", module.name, function.name));
            }
        }
        paths
    }

    /// The declared tables.
    pub fn tables(&self) -> &Schema {
        &self.schema
    }
}

/// Functions that share the part of their path before the colon.
pub struct Module {
    pub(crate) name: String,
    pub(crate) functions: Vec<FunctionDef>,
}

impl Module {
    /// An empty module, such as `users` or `admin/users`.
    pub fn new(name: impl Into<String>) -> Module {
        Module { name: name.into(), functions: Vec::new() }
    }

    /// Adds functions: `.with(functions![list, create])`.
    #[must_use]
    pub fn with(mut self, functions: impl IntoIterator<Item = FunctionDef>) -> Module {
        self.functions.extend(functions);
        self
    }
}
