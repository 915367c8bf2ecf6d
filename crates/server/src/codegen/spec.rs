//! Convex's function-spec, and the queries of the system by which the official command line asks for it.
//!
//! `{"url": …, "functions": [{"identifier": "messages.js:list", "functionType": "Query", "visibility": {"kind":
//! "public"}, "args": Validator, "returns": Validator}]}`, by identifier. Where nothing is said about a result it is
//! `{"type": "any"}`.

use hull_functions::Registry;
use hull_model::{Validator, Visibility};
use serde_json::{Value, json};

/// What `function-spec` prints for a server at this URL.
pub(crate) fn function_spec(registry: &Registry, url: &str) -> Value {
    json!({ "url": url, "functions": functions(registry) })
}

/// Makes the registry answer what `npx convex function-spec` asks.
pub(crate) fn answer_spec(registry: &mut Registry, url: &str) {
    let functions = Value::from(functions(registry)).to_string();
    registry.answer("_system/cli/modules:apiSpec", functions);
    registry.answer("_system/cli/convexUrl:cloudUrl", Value::from(url).to_string());
}

fn functions(registry: &Registry) -> Vec<Value> {
    let functions = registry.functions();
    let functions = functions.iter().map(|function| {
        let (module, name) = function.path().split_once(':').unwrap_or((function.path(), "default"));
        let visibility = match function.visibility() {
            Visibility::Public => "public",
            Visibility::Internal => "internal",
        };
        json!({
            "identifier": format!("{module}.js:{name}"),
            "functionType": function.kind().to_string(),
            "visibility": { "kind": visibility },
            "args": function.args().to_json(),
            "returns": function.result().unwrap_or(&Validator::Any).to_json(),
        })
    });
    functions.collect()
}
