//! What every caller inside the process needs: a function by its type, its arguments packed, its answer decoded.

use std::any::TypeId;

use hull_model::Function;
use hull_value::{Decode, Encode, Packed};

use crate::error::FunctionError;
use crate::registry::Registry;

/// The path of a function that is named by its argument struct.
pub(crate) fn path_of<F: Function>(registry: &Registry) -> Result<String, FunctionError> {
    let function = registry.by_type(TypeId::of::<F>(), F::NAME);
    function.map(|function| function.path().to_string()).map_err(|error| FunctionError::from(&error))
}

/// Arguments in packed form.
pub(crate) fn packed(args: &impl Encode) -> Result<Packed, FunctionError> {
    Packed::encode(args).map_err(|error| FunctionError::message(error.to_string()))
}

/// A query's result as a typed value.
pub(crate) fn decode<T: Decode>(value: &Packed) -> Result<T, FunctionError> {
    value.decode().map_err(|error| FunctionError::message(error.to_string()))
}

/// A mutation's result, which is wire JSON, as a typed value.
pub(crate) fn decode_json<T: Decode>(json: &str) -> Result<T, FunctionError> {
    decode(&Packed::from_json(json).map_err(|error| FunctionError::message(error.to_string()))?)
}

/// An error of the system, which is no application's error.
pub(crate) fn system(code: &'static str, error: &dyn std::fmt::Display) -> FunctionError {
    FunctionError { message: error.to_string(), data: None, code: Some(code) }
}
