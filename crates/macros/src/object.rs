//! `#[derive(Object)]` on a struct, and what all structs with named fields share.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, GenericParam, Generics, Ident, Type};

use crate::case::Case;
use crate::{attributes, choice, krate};

/// A named field with its wire name.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    pub(crate) ty: Type,
    pub(crate) doc: String,
    pub(crate) vis: syn::Visibility,
}

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    match &input.data {
        Data::Struct(data) => {
            let options = attributes::options(&input.attrs, &["rename_all"])?;
            let fields = named(&data.fields, options.rename_all.unwrap_or(Case::Camel), &input.ident)?;
            Ok(implement(&input.ident, &input.generics, &fields))
        }
        Data::Enum(data) => choice::expand(input, data),
        Data::Union(data) => {
            Err(syn::Error::new(data.union_token.span, "an object is a struct or an enum, not a union"))
        }
    }
}

/// The named fields of a struct or variant.
pub(crate) fn named(fields: &Fields, case: Case, owner: &Ident) -> syn::Result<Vec<Field>> {
    let fields = match fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            return Err(syn::Error::new(
                fields.span(),
                format!("the fields of `{owner}` need names: write `{owner} {{ name: Type, … }}`"),
            ));
        }
    };
    let mut seen: Vec<Field> = Vec::new();
    for field in fields {
        let Some(ident) = field.ident.clone() else { continue };
        let options = attributes::options(&field.attrs, &["rename"])?;
        let wire = options.rename.map_or_else(|| case.apply(&ident), |name| name.value());
        if let Some(other) = seen.iter().find(|other| other.wire == wire) {
            return Err(syn::Error::new(
                ident.span(),
                format!("`{ident}` has the same wire name as `{}`: `{wire}`", other.ident),
            ));
        }
        let (ty, vis) = (field.ty.clone(), field.vis.clone());
        seen.push(Field { ident, wire, ty, doc: attributes::doc(&field.attrs), vis });
    }
    Ok(seen)
}

/// Encode, Decode and Validated of a struct with these fields.
pub(crate) fn implement(name: &Ident, generics: &Generics, fields: &[Field]) -> TokenStream {
    let model = krate::model();
    let p = quote!(#model::__private);
    let (_, types, _) = generics.split_for_impl();
    let encode_generics = bounded(generics, &quote!(#p::Encode));
    let decode_generics = bounded(generics, &quote!(#p::Decode));
    let valid_generics = bounded(generics, &quote!(#model::Validated));
    let (encode_impl, _, encode_where) = encode_generics.split_for_impl();
    let (decode_impl, _, decode_where) = decode_generics.split_for_impl();
    let (valid_impl, _, valid_where) = valid_generics.split_for_impl();

    let writes = writes(fields, None, |ident| quote!(self.#ident));
    let reads = reads(fields);
    let idents = fields.iter().map(|field| &field.ident);
    let object = validator(fields, None);
    quote! {
        #[automatically_derived]
        impl #encode_impl #p::Encode for #name #types #encode_where {
            fn encode<__E: #p::Encoder>(&self, __e: &mut __E) {
                __e.begin_object();
                #writes
                __e.end_object();
            }
        }

        #[automatically_derived]
        impl #decode_impl #p::Decode for #name #types #decode_where {
            fn decode(__value: #p::ValueRef<'_>) -> ::core::result::Result<Self, #p::DecodeError> {
                let __object = #p::object_of(__value)?;
                #reads
                ::core::result::Result::Ok(#name { #(#idents),* })
            }
        }

        #[automatically_derived]
        impl #valid_impl #model::Validated for #name #types #valid_where {
            fn validator() -> #model::Validator {
                #object
            }
        }
    }
}

/// The impls of a struct that is, to all others, nothing but its one field.
pub(crate) fn delegate(name: &Ident, field: &Field) -> TokenStream {
    let model = krate::model();
    let p = quote!(#model::__private);
    let Field { ident, ty, .. } = field;
    quote! {
        #[automatically_derived]
        impl #p::Encode for #name {
            fn encode<__E: #p::Encoder>(&self, __e: &mut __E) {
                #p::Encode::encode(&self.#ident, __e);
            }
        }

        #[automatically_derived]
        impl #p::Decode for #name {
            fn decode(__value: #p::ValueRef<'_>) -> ::core::result::Result<Self, #p::DecodeError> {
                ::core::result::Result::Ok(#name { #ident: <#ty as #p::Decode>::decode(__value)? })
            }
        }

        #[automatically_derived]
        impl #model::Validated for #name {
            fn validator() -> #model::Validator {
                <#ty as #model::Validated>::validator()
            }
        }
    }
}

/// Statements that write the fields, and the tag if there is one, in ascending order of their wire names.
pub(crate) fn writes(
    fields: &[Field],
    tag: Option<(&str, &str)>,
    place: impl Fn(&Ident) -> TokenStream,
) -> TokenStream {
    let p = private();
    let mut all: Vec<(&str, TokenStream)> = fields
        .iter()
        .map(|Field { ident, wire, ty, .. }| {
            let place = place(ident);
            let write = quote_spanned! {ty.span()=>
                if !<#ty as #p::Encode>::is_missing(&#place) {
                    __e.field(const { #p::FieldKey::new(#wire) });
                    <#ty as #p::Encode>::encode(&#place, __e);
                }
            };
            (wire.as_str(), write)
        })
        .collect();
    if let Some((tag, kind)) = tag {
        all.push((tag, quote!(__e.field(const { #p::FieldKey::new(#tag) }); __e.string(#kind);)));
    }
    all.sort_by_key(|(wire, _)| *wire);
    all.into_iter().map(|(_, write)| write).collect()
}

/// Statements that read the fields from `__object` into variables of their names, in ascending order of wire names.
pub(crate) fn reads(fields: &[Field]) -> TokenStream {
    let p = private();
    let mut sorted: Vec<&Field> = fields.iter().collect();
    sorted.sort_by_key(|field| &field.wire);
    let reads = sorted.iter().map(|Field { ident, wire, ty, .. }| {
        quote_spanned!(ty.span()=> let #ident = #p::decode_field::<#ty>(&mut __fields, #wire)?;)
    });
    if fields.is_empty() {
        return TokenStream::new();
    }
    quote!(let mut __fields = __object.fields(); #(#reads)*)
}

/// The object validator of the fields, with the tag as a literal if there is one.
pub(crate) fn validator(fields: &[Field], tag: Option<(&str, &str)>) -> TokenStream {
    let model = krate::model();
    let tag = tag.map(|(tag, kind)| quote!(.field(#tag, #model::v::literal(#kind))));
    let fields = fields.iter().map(|Field { wire, ty, doc, .. }| {
        let doc = (!doc.is_empty()).then(|| quote!(.doc(#doc)));
        quote_spanned!(ty.span()=> .field(#wire, #model::FieldValidator::of::<#ty>()#doc))
    });
    quote!(#model::v::object::<&str, #model::Validator>([]) #tag #(#fields)*)
}

fn private() -> TokenStream {
    let model = krate::model();
    quote!(#model::__private)
}

/// The generics with a bound on every type parameter.
fn bounded(generics: &Generics, bound: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    for param in &mut generics.params {
        if let GenericParam::Type(param) = param {
            param.bounds.push(syn::parse_quote!(#bound));
        }
    }
    generics
}
