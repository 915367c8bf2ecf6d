//! What the tests of the applications share: each function is called as a frontend does, by its path, with JSON.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a test may panic, and need not use all of this"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use hull::TestApp;
use hull::prelude::Packed;
use serde_json::{Value, json};

/// The application, and which of its functions were called.
pub(crate) struct Called {
    pub(crate) app: TestApp,
    paths: RefCell<BTreeSet<String>>,
}

impl Called {
    pub(crate) fn new() -> Called {
        Called { app: TestApp::new(academy::app()).unwrap(), paths: RefCell::default() }
    }

    /// Checks that each function of these modules was called, except those that another application has there.
    pub(crate) fn called_each_of(&self, modules: &[&str], others: &[&str]) {
        let called = self.paths.borrow();
        let registry = self.app.runner().registry();
        let all = registry.functions().into_iter().map(|function| function.path().to_string());
        let of_modules =
            all.filter(|path| modules.iter().any(|module| path.split(':').next() == Some(module)));
        let forgotten: Vec<String> =
            of_modules.filter(|path| !called.contains(path) && !others.contains(&path.as_str())).collect();
        assert!(forgotten.is_empty(), "never called: {forgotten:?}");
    }

    fn args(&self, path: &str, args: &Value) -> Packed {
        self.paths.borrow_mut().insert(path.to_owned());
        Packed::from_json(&args.to_string()).unwrap()
    }

    pub(crate) async fn try_mutation(&self, path: &str, args: Value) -> Result<Value, String> {
        self.app.advance(Duration::from_millis(5));
        let outcome = self.app.mutation_outcome(path, &self.args(path, &args)).await.unwrap();
        let json = outcome.result.map_err(|error| match error.data {
            Some(data) => data.to_json(),
            None => error.message,
        })?;
        Ok(serde_json::from_str(&json).unwrap())
    }

    pub(crate) async fn mutation(&self, path: &str, args: Value) -> Value {
        self.try_mutation(path, args).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) async fn query(&self, path: &str, args: Value) -> Value {
        let outcome = self.app.query_outcome(path, &self.args(path, &args)).await.unwrap();
        let value = outcome.value.unwrap_or_else(|error| panic!("{path}: {}", error.message));
        serde_json::from_str(&value.to_json()).unwrap()
    }

    /// Creates a document, changes it, and asks for it before and after.
    pub(crate) async fn create_and_update(&self, module: &str, document: Value, changes: &Value) -> Value {
        let id = self.mutation(&format!("{module}:create"), document.clone()).await;
        let get = format!("{module}:get");
        assert_eq!(fields(&self.query(&get, json!({"id": id})).await), document);
        assert_eq!(
            self.mutation(&format!("{module}:update"), with(json!({"id": id}), changes)).await,
            Value::Null
        );
        assert_eq!(fields(&self.query(&get, json!({"id": id})).await), with(document.clone(), changes));
        let create = format!("{module}:create");
        let more = with(document.clone(), &json!({"unknown": 1}));
        let error = self.try_mutation(&create, more).await.unwrap_err();
        assert!(error.starts_with("ArgumentValidationError: ") && error.contains("unknown"), "{error}");
        let (dropped, _) = document.as_object().unwrap().iter().next().unwrap();
        let mut less = document.clone();
        less.as_object_mut().unwrap().remove(dropped);
        let error = self.try_mutation(&create, less).await.unwrap_err();
        assert!(error.starts_with("ArgumentValidationError: ") && error.contains(dropped), "{error}");
        id
    }

    /// Removes a document: it is gone, and neither removed nor changed again.
    pub(crate) async fn remove(&self, module: &str, id: &Value) {
        self.mutation(&format!("{module}:remove"), json!({"id": id})).await;
        assert_eq!(self.query(&format!("{module}:get"), json!({"id": id})).await, Value::Null);
        for function in ["remove", "update"] {
            let path = format!("{module}:{function}");
            let error = self.try_mutation(&path, json!({"id": id})).await.unwrap_err();
            assert!(error.contains("NotFound") && error.contains(id.as_str().unwrap()), "{path}: {error}");
        }
    }
}

/// An object with the fields of another added.
pub(crate) fn with(mut object: Value, more: &Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

/// A document without its system fields.
pub(crate) fn fields(document: &Value) -> Value {
    let mut document = document.clone();
    let object = document.as_object_mut().unwrap();
    assert!(object.remove("_id").is_some() && object.remove("_creationTime").is_some());
    document
}

pub(crate) fn ids(documents: &Value) -> Vec<Value> {
    documents.as_array().unwrap().iter().map(|document| document["_id"].clone()).collect()
}
