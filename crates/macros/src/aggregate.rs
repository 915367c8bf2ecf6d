//! `#[count(…)]` and `#[sum(…)]`: indexes that count and add up, and their tokens.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Token};

use crate::krate;
use crate::table::{Column, NamedFields, Path};

/// The most fields of an index whose groups are ranked: what a tuple of values is made for.
const MOST_RANKED: usize = 4;

/// What an index keeps beside its entries.
pub(crate) struct Aggregate {
    /// The field that is added up.
    pub(crate) sum: Option<Path>,
    ranked: bool,
}

/// An index of a table.
pub(crate) struct DeclaredIndex {
    pub(crate) index: NamedFields,
    pub(crate) aggregate: Option<Aggregate>,
}

/// `by_user(user_id), ranked`.
struct Count(DeclaredIndex);

/// `points_by_user(user_id), points_earned, ranked`.
struct Sum(DeclaredIndex);

impl Parse for Count {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let index = input.parse()?;
        let ranked = ranked(input, &index)?;
        Ok(Count(DeclaredIndex { index, aggregate: Some(Aggregate { sum: None, ranked }) }))
    }
}

impl Parse for Sum {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let index: NamedFields = input.parse()?;
        let comma = input.parse::<Option<Token![,]>>()?;
        if comma.is_none() || input.is_empty() {
            let name = &index.name;
            let message = format!("name the field that is added up: `{name}(field, …), number_field`");
            return Err(syn::Error::new(name.span(), message));
        }
        let sum = Some(input.parse()?);
        let ranked = ranked(input, &index)?;
        Ok(Sum(DeclaredIndex { index, aggregate: Some(Aggregate { sum, ranked }) }))
    }
}

/// Whether the option `ranked` follows; nothing else may.
fn ranked(input: ParseStream<'_>, index: &NamedFields) -> syn::Result<bool> {
    if input.parse::<Option<Token![,]>>()?.is_none() || input.is_empty() {
        return Ok(false);
    }
    let option: Ident = input.parse()?;
    if option != "ranked" {
        return Err(syn::Error::new(option.span(), "the only option here is `ranked`"));
    }
    if index.fields.len() > MOST_RANKED {
        let message = format!("the groups of an index of more than {MOST_RANKED} fields can't be ranked");
        return Err(syn::Error::new(option.span(), message));
    }
    input.parse::<Option<Token![,]>>()?;
    Ok(true)
}

/// All indexes but those for search, ordinary ones first.
pub(crate) fn parse_all(attrs: &[Attribute]) -> syn::Result<Vec<DeclaredIndex>> {
    let mut indexes = Vec::new();
    for index in crate::table::parse_all::<NamedFields>(attrs, "index")? {
        indexes.push(DeclaredIndex { index, aggregate: None });
    }
    indexes.extend(crate::table::parse_all::<Count>(attrs, "count")?.into_iter().map(|Count(index)| index));
    indexes.extend(crate::table::parse_all::<Sum>(attrs, "sum")?.into_iter().map(|Sum(index)| index));
    Ok(indexes)
}

impl Aggregate {
    /// The call of the table's builder, the type of the token, and what makes it.
    pub(crate) fn expand(
        &self,
        (table, name): (&Ident, &str),
        wires: &[String],
        (types, groups): (&TokenStream, &[TokenStream]),
        sum: Option<&Column>,
    ) -> (TokenStream, TokenStream, TokenStream) {
        let model = krate::model();
        let ranked = self.ranked;
        let group = if ranked { quote!(#model::Ranked<(#(#groups,)*)>) } else { quote!(#model::Unranked) };
        match sum {
            None => {
                let builder =
                    quote!(.aggregate_index(#name, [#(#wires),*], ::core::option::Option::None, #ranked));
                let token = quote!(#model::CountIndex<#table, #types, #group>);
                (builder, token, quote!(#model::CountIndex::new(#name)))
            }
            Some(Column { wire, ty, .. }) => {
                let builder = quote!(.aggregate_index(#name, [#(#wires),*], ::core::option::Option::Some(#wire), #ranked));
                let token = quote!(#model::SumIndex<#table, #types, #ty, #group>);
                // Its place is where a field that can't be added up is reported.
                let at = self.sum.as_ref().and_then(|path| path.parts.last()).map(Ident::span);
                let at = at.unwrap_or_else(proc_macro2::Span::call_site);
                let made = quote!(#model::SumIndex::<_, _, #ty, _>::new(#name));
                let made = made.into_iter().map(|mut part| {
                    part.set_span(part.span().located_at(at));
                    part
                });
                (builder, token, made.collect())
            }
        }
    }
}
