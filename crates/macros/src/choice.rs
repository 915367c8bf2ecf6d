//! `#[derive(Object)]` on an enum: a union of string literals, or of objects that a tag tells apart.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Fields, Ident};

use crate::case::Case;
use crate::object::{self, Field};
use crate::{attributes, krate};

/// A variant with its wire name and fields.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    pub(crate) fields: Vec<Field>,
}

/// An enum as the attributes describe it.
pub(crate) struct Choice {
    pub(crate) tag: Option<String>,
    pub(crate) variants: Vec<Variant>,
}

pub(crate) fn expand(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    Ok(implement(&input.ident, &parse(input, data, None)?))
}

/// Reads the enum; `fields_case` is the case of the variants' fields where the attributes give none.
pub(crate) fn parse(input: &DeriveInput, data: &DataEnum, fields_case: Option<Case>) -> syn::Result<Choice> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&input.generics, "an enum here can't be generic"));
    }
    let options = attributes::options(&input.attrs, &["rename_all", "rename_all_fields", "tag"])?;
    let case = options.rename_all.unwrap_or(Case::Snake);
    let fields_case = options.rename_all_fields.or(fields_case).unwrap_or(Case::Camel);
    let tag = options.tag.map(|tag| tag.value());
    let mut variants: Vec<Variant> = Vec::new();
    for variant in &data.variants {
        let options = attributes::options(&variant.attrs, &["rename"])?;
        let wire = options.rename.map_or_else(|| case.apply(&variant.ident), |name| name.value());
        if let Some(other) = variants.iter().find(|other| other.wire == wire) {
            let message =
                format!("`{}` has the same wire name as `{}`: `{wire}`", variant.ident, other.ident);
            return Err(syn::Error::new(variant.ident.span(), message));
        }
        if tag.is_none() && !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(
                &variant.ident,
                "a variant with fields needs a tag to be told apart: add `#[hull(tag = \"kind\")]` to the enum",
            ));
        }
        let fields = object::named(&variant.fields, fields_case, &variant.ident)?;
        if let Some(field) = fields.iter().find(|field| Some(&field.wire) == tag.as_ref()) {
            return Err(syn::Error::new(field.ident.span(), "this field has the name of the tag"));
        }
        variants.push(Variant { ident: variant.ident.clone(), wire, fields });
    }
    if variants.is_empty() {
        return Err(syn::Error::new_spanned(&input.ident, "an enum here needs at least one variant"));
    }
    Ok(Choice { tag, variants })
}

/// Encode, Decode and Validated of the enum.
pub(crate) fn implement(name: &Ident, choice: &Choice) -> TokenStream {
    let model = krate::model();
    let p = quote!(#model::__private);
    let wires: Vec<&str> = choice.variants.iter().map(|variant| variant.wire.as_str()).collect();
    let expected = format!("one of {}", attributes::list(&wires).replace('`', "\""));
    let (encode, decode, members) = match &choice.tag {
        None => literals(name, choice, &expected),
        Some(tag) => objects(name, choice, tag, &expected),
    };
    quote! {
        #[automatically_derived]
        impl #p::Encode for #name {
            fn encode<__E: #p::Encoder>(&self, __e: &mut __E) {
                match self { #encode }
            }
        }

        #[automatically_derived]
        impl #p::Decode for #name {
            fn decode(__value: #p::ValueRef<'_>) -> ::core::result::Result<Self, #p::DecodeError> {
                #decode
            }
        }

        #[automatically_derived]
        impl #model::Validated for #name {
            fn validator() -> #model::Validator {
                #model::v::union([#members])
            }
        }
    }
}

fn literals(name: &Ident, choice: &Choice, expected: &str) -> (TokenStream, TokenStream, TokenStream) {
    let model = krate::model();
    let p = quote!(#model::__private);
    let idents: Vec<&Ident> = choice.variants.iter().map(|variant| &variant.ident).collect();
    let wires: Vec<&str> = choice.variants.iter().map(|variant| variant.wire.as_str()).collect();
    let encode = quote!(#(#name::#idents => __e.string(#wires),)*);
    let decode = quote! {
        match __value {
            #(#p::ValueRef::String(#wires) => ::core::result::Result::Ok(#name::#idents),)*
            __other => ::core::result::Result::Err(#p::no_variant(#expected, __other)),
        }
    };
    (encode, decode, quote!(#(#model::v::literal(#wires)),*))
}

fn objects(
    name: &Ident,
    choice: &Choice,
    tag: &str,
    expected: &str,
) -> (TokenStream, TokenStream, TokenStream) {
    let model = krate::model();
    let p = quote!(#model::__private);
    let mut encode = TokenStream::new();
    let mut decode = TokenStream::new();
    let mut members = TokenStream::new();
    for Variant { ident, wire, fields } in &choice.variants {
        let names: Vec<&Ident> = fields.iter().map(|field| &field.ident).collect();
        let writes = object::writes(fields, Some((tag, wire)), |ident| quote!(*#ident));
        let reads = object::reads(fields);
        let validator = object::validator(fields, Some((tag, wire)));
        encode.extend(quote! {
            #name::#ident { #(#names),* } => {
                __e.begin_object();
                #writes
                __e.end_object();
            }
        });
        decode.extend(quote! {
            #wire => {
                #reads
                ::core::result::Result::Ok(#name::#ident { #(#names),* })
            }
        });
        members.extend(quote!(#validator,));
    }
    let decode = quote! {
        let __object = #p::object_of(__value)?;
        match #p::decode_tag(&__object, #tag)? {
            #decode
            __other => ::core::result::Result::Err(
                #p::no_variant(#expected, #p::ValueRef::String(__other)).in_field(#tag),
            ),
        }
    };
    (encode, decode, members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_need_wire_names_of_their_own() {
        let input: DeriveInput = syn::parse_quote! {
            enum Mood { VeryGood, #[hull(rename = "very_good")] Best }
        };
        let syn::Data::Enum(data) = &input.data else { return };
        let message = parse(&input, data, None).err().map(|error| error.to_string());
        assert_eq!(message.as_deref(), Some("`Best` has the same wire name as `VeryGood`: `very_good`"));
    }
}
