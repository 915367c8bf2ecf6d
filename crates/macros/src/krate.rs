//! How the crate at hand names `hull-model` and `hull-functions`: directly, or through a crate that re-exports them.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::Ident;

/// The path of `hull-model`.
pub(crate) fn model() -> TokenStream {
    let inside = quote!(::__private::hull_model);
    find(&[("hull-model", quote!()), ("hull-functions", inside.clone()), ("hull", inside)])
        .unwrap_or_else(|| quote!(::hull_model))
}

/// The path of `hull-functions`, or of a crate with the same `__private`.
pub(crate) fn functions() -> TokenStream {
    find(&[("hull-functions", quote!()), ("hull", quote!())]).unwrap_or_else(|| quote!(::hull_functions))
}

fn find(candidates: &[(&str, TokenStream)]) -> Option<TokenStream> {
    candidates.iter().find_map(|(name, inside)| {
        let krate = match crate_name(name).ok()? {
            // These crates name themselves by `extern crate self as …`.
            FoundCrate::Itself => format_ident!("{}", name.replace('-', "_")),
            FoundCrate::Name(name) => Ident::new(&name, Span::call_site()),
        };
        Some(quote!(::#krate #inside))
    })
}
