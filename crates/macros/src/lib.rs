//! The derives and attributes that declare tables and functions. They parse, report mistakes at the place where they
//! were made, and expand to plain calls of `hull-model` and `hull-functions`.
//!
//! Attributes of the derives:
//!
//! | where | attribute | meaning |
//! |---|---|---|
//! | table | `#[table("name")]` | the wire name; with `rename_all = "snake_case"` for its fields |
//! | table | `#[index(by_a_b(a, b))]` | an index; a field inside another is `outer.inner: Type` |
//! | table | `#[count(by_a(a))]` | an index that counts its documents; with `, ranked` it ranks its groups |
//! | table | `#[sum(points_by_a(a), points)]` | an index that counts its documents and adds up a field; `ranked` as above |
//! | table | `#[search(search_a(a), filter(b, c))]` | a search index |
//! | struct | `#[hull(rename_all = "snake_case")]` | wire names of the fields; camelCase unless given |
//! | enum | `#[hull(rename_all = "…")]` | wire names of the variants; snake_case unless given |
//! | enum | `#[hull(tag = "kind")]` | variants are objects that this field tells apart |
//! | enum | `#[hull(rename_all_fields = "…")]` | wire names of the variants' fields; camelCase unless given |
//! | field, variant, argument | `#[hull(rename = "name")]` | its wire name |
//! | the only argument | `#[hull(flatten)]` | its struct is the whole arguments object: `create` takes a table's own fields |
//!
//! Options of `#[query]`, `#[mutation]` and their `internal_` twins: `name = "wireName"`, `rename_all = "snake_case"`
//! (for the function's name and its arguments), `returns = validator`. They expand to the function as written, an
//! argument struct of its name, and a private function that [`functions!`] calls:
//!
//! ```text
//! FunctionDef::query::<Args>(fn(&QueryCtx, Call) -> CallFuture)     // and `mutation`
//!     .result(Says::<Output>::VALIDATOR)                             // what the returned type says
//!     .returns(fn() -> Validator)                                    // what is checked, where it is asked for
//! ```
//!
//! Both come from `hull_functions::__private`, which also re-exports `hull_model`; the crate `hull` has the same
//! `__private`, so an application needs to name only one of them.

mod aggregate;
mod attributes;
mod case;
mod choice;
mod function;
mod krate;
mod object;
mod table;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Declares a table: its documents, its indexes, and tokens for both.
#[proc_macro_derive(Table, attributes(table, index, count, sum, search, hull))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct an object, or an enum a union of literals or of tagged objects.
#[proc_macro_derive(Object, attributes(hull))]
pub fn derive_object(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    object::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

macro_rules! function_attribute {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[proc_macro_attribute]
        pub fn $name(options: TokenStream, item: TokenStream) -> TokenStream {
            function::expand(stringify!($name), options.into(), item.into()).into()
        }
    };
}

function_attribute! {
    /// Makes an `async fn` a query that every client may call and subscribe to.
    query
}

function_attribute! {
    /// Makes an `async fn` a mutation that every client may call.
    mutation
}

function_attribute! {
    /// Makes an `async fn` a query for other functions and holders of an admin key.
    internal_query
}

function_attribute! {
    /// Makes an `async fn` a mutation for other functions and holders of an admin key.
    internal_mutation
}

/// The definitions of functions of this module, to be registered: `functions![list, create]`.
#[proc_macro]
pub fn functions(input: TokenStream) -> TokenStream {
    function::register(input.into()).into()
}
