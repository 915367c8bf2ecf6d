//! `api.d.ts`: a reference to every function, with the types of its arguments and its result, at the property path
//! that its path stands for (`admin/users:get` is `api.admin.users.get`). Public functions are in `api`, all others in
//! `internal`.

use std::collections::BTreeMap;

use hull_functions::{Function, Registry};
use hull_model::Visibility;

use super::types::{Types, comment, property, quoted};

/// `api.js`, below its header: the property path is the name, so nothing in it depends on the application.
pub(super) const JAVASCRIPT: &str = r#"import { anyApi, componentsGeneric } from "convex/server";

/**
 * References to the public functions: `api.module.function`.
 */
export const api = anyApi;

/**
 * References to the internal functions, which only other functions and holders of an admin key may call.
 */
export const internal = anyApi;

/**
 * Components; a Hull server has none.
 */
export const components = componentsGeneric();
"#;

/// What the parts of a reference take on one line.
const LINE: usize = 100;

/// Functions and modules by property.
#[derive(Default)]
struct Node<'a> {
    function: Option<&'a Function>,
    inner: BTreeMap<&'a str, Node<'a>>,
}

/// The file below its header.
pub(super) fn text(registry: &Registry, types: &Types<'_>) -> String {
    let functions = registry.functions();
    let tree = |visibility: Visibility| {
        let mut root = Node::default();
        for function in functions.iter().filter(|function| function.visibility() == visibility) {
            let place = function.path().split(['/', ':']);
            let node = place.fold(&mut root, |node, part| node.inner.entry(part).or_default());
            node.function = Some(function);
        }
        root.object(types, 0)
    };
    let (api, internal) = (tree(Visibility::Public), tree(Visibility::Internal));
    let uses = |name: &str| api.contains(name) || internal.contains(name);
    let generic = if uses("GenericId<") { "import type { GenericId } from \"convex/values\";\n" } else { "" };
    format!(
        "import type {{ FunctionReference }} from \"convex/server\";\n\
         {generic}\
         import type {{ Doc, Id }} from \"./dataModel.js\";\n\n\
         /**\n * References to the public functions: `api.module.function`.\n */\n\
         export declare const api: {api};\n\n\
         /**\n * References to the internal functions, which only other functions and holders of an admin key may \
         call.\n */\n\
         export declare const internal: {internal};\n\n\
         /**\n * Components; a Hull server has none.\n */\n\
         export declare const components: {{}};\n"
    )
}

impl Node<'_> {
    fn object(&self, types: &Types<'_>, indent: usize) -> String {
        if self.inner.is_empty() {
            return "{}".to_owned();
        }
        let mut text = String::from("{\n");
        for (name, node) in &self.inner {
            if let Some(function) = node.function {
                text.push_str(&comment(function.doc(), indent + 2));
            }
            let value = match node.function.map(|function| reference(function, types, indent + 2)) {
                None => node.object(types, indent + 2),
                Some(reference) if node.inner.is_empty() => reference,
                // A function and a module of the same name.
                Some(reference) => format!("{reference} & {}", node.object(types, indent + 2)),
            };
            text.push_str(&format!("{:1$}{2}: {value};\n", "", indent + 2, property(name)));
        }
        text.push_str(&format!("{:indent$}}}", ""));
        text
    }
}

fn reference(function: &Function, types: &Types<'_>, indent: usize) -> String {
    let kind = function.kind().to_string().to_lowercase();
    let visibility = match function.visibility() {
        Visibility::Public => "public",
        Visibility::Internal => "internal",
    };
    // The members of a union on lines begin where the other parts do.
    let part = |validator| match types.of(validator, indent + 2) {
        lines if lines.starts_with('\n') => types.of(validator, indent).trim_start().to_owned(),
        text => text,
    };
    let args = part(function.args());
    let result = function.result().map_or_else(|| "any".to_owned(), part);
    let parts = [quoted(&kind), quoted(visibility), args, result];
    let width: usize = parts.iter().map(|part| part.len() + 2).sum();
    if indent + width <= LINE && !parts.iter().any(|part| part.contains('\n')) {
        return format!("FunctionReference<{}>", parts.join(", "));
    }
    let space = " ".repeat(indent + 2);
    format!("FunctionReference<\n{space}{}\n{:indent$}>", parts.join(&format!(",\n{space}")), "")
}
