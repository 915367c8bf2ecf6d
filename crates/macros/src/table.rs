//! `#[derive(Table)]`: the table as data, and tokens for its fields and indexes.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Ident, LitStr, Token, Type, Visibility, parenthesized};

use crate::aggregate::DeclaredIndex;
use crate::case::{self, Case};
use crate::object::{self, Field};
use crate::{aggregate, attributes, choice, krate};

const SYSTEM_INDEXES: [&str; 2] = ["by_id", "by_creation_time"];

/// `#[table("name", rename_all = "snake_case")]`.
struct TableName {
    name: LitStr,
    rename_all: Option<Case>,
}

impl Parse for TableName {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        let mut rename_all = None;
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let option: Ident = input.parse()?;
            if option != "rename_all" {
                return Err(syn::Error::new(option.span(), "the only option here is `rename_all`"));
            }
            input.parse::<Token![=]>()?;
            rename_all = Some(Case::parse(&input.parse()?)?);
        }
        Ok(TableName { name, rename_all })
    }
}

/// A field of an index: `user_id`, or `address.city: String` inside another.
pub(crate) struct Path {
    pub(crate) parts: Vec<Ident>,
    ty: Option<Type>,
}

impl Parse for Path {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let parts = Punctuated::<Ident, Token![.]>::parse_separated_nonempty(input)?;
        let ty = if input.parse::<Option<Token![:]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok(Path { parts: parts.into_iter().collect(), ty })
    }
}

/// `name(field, …)`.
pub(crate) struct NamedFields {
    pub(crate) name: Ident,
    pub(crate) fields: Vec<Path>,
}

impl Parse for NamedFields {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        if !input.peek(syn::token::Paren) {
            let message = format!("name the fields: `{name}(field, …)`");
            return Err(syn::Error::new(name.span(), message));
        }
        let inside;
        parenthesized!(inside in input);
        let fields = Punctuated::<Path, Token![,]>::parse_terminated(&inside)?;
        Ok(NamedFields { name, fields: fields.into_iter().collect() })
    }
}

/// `search_content(content), filter(user_id)`.
struct Search {
    index: NamedFields,
    filter: Vec<Path>,
}

impl Parse for Search {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let index: NamedFields = input.parse()?;
        if index.fields.len() != 1 {
            return Err(syn::Error::new(index.name.span(), "a search index searches exactly one field"));
        }
        let mut filter = Vec::new();
        if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let fields: NamedFields = input.parse()?;
            if fields.name != "filter" {
                return Err(syn::Error::new(fields.name.span(), "write `filter(field, …)` here"));
            }
            filter = fields.fields;
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(Search { index, filter })
    }
}

/// A field of the table's documents, with the marker type that stands for its name.
pub(crate) struct Column {
    marker: Ident,
    pub(crate) wire: String,
    pub(crate) ty: TokenStream,
    vis: Visibility,
    doc: String,
    /// Whether a patch may set it: not for fields inside others.
    own: bool,
}

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&input.generics, "a table's type can't be generic"));
    }
    let Some(attr) = input.attrs.iter().find(|attr| attr.path().is_ident("table")) else {
        let likely = case::table_name(name);
        return Err(syn::Error::new(
            name.span(),
            format!("this table has no wire name: add `#[table(\"{likely}\")]` below the derive"),
        ));
    };
    let table: TableName = attr.parse_args()?;

    let (implementation, mut columns) = match &input.data {
        Data::Struct(data) => {
            let options = attributes::options(&input.attrs, &["rename_all"])?;
            let case = options.rename_all.or(table.rename_all).unwrap_or(Case::Camel);
            let fields = object::named(&data.fields, case, name)?;
            not_reserved(&fields)?;
            (object::implement(name, &input.generics, &fields), columns(fields))
        }
        Data::Enum(data) => {
            let choice = choice::parse(input, data, table.rename_all)?;
            let Some(tag) = &choice.tag else {
                return Err(syn::Error::new(
                    name.span(),
                    "the documents of a table are objects: add `#[hull(tag = \"kind\")]` to tell them apart",
                ));
            };
            choice.variants.iter().try_for_each(|variant| not_reserved(&variant.fields))?;
            let columns = union_columns(tag, &choice, &input.vis);
            (choice::implement(name, &choice), columns)
        }
        Data::Union(data) => {
            return Err(syn::Error::new(
                data.union_token.span,
                "a table is a struct or an enum, not a union",
            ));
        }
    };
    let indexes = aggregate::parse_all(&input.attrs)?;
    let searches: Vec<Search> = parse_all(&input.attrs, "search")?;
    let case = table.rename_all.unwrap_or(Case::Camel);
    let tables = tokens_and_definition(input, &table.name, &mut columns, &indexes, &searches, case)?;
    Ok(quote!(#implementation #tables))
}

pub(crate) fn parse_all<T: Parse>(attrs: &[Attribute], name: &str) -> syn::Result<Vec<T>> {
    attrs.iter().filter(|attr| attr.path().is_ident(name)).map(Attribute::parse_args).collect()
}

/// The system's fields are put in by their documents.
fn not_reserved(fields: &[Field]) -> syn::Result<()> {
    match fields.iter().find(|field| field.wire.starts_with('_')) {
        None => Ok(()),
        Some(field) => {
            let message =
                format!("field `{}` starts with `_`, which is reserved for system fields", field.wire);
            Err(syn::Error::new(field.ident.span(), message))
        }
    }
}

fn columns(fields: Vec<Field>) -> Vec<Column> {
    fields
        .into_iter()
        .map(|field| Column {
            marker: field.ident,
            wire: field.wire,
            ty: field.ty.into_token_stream(),
            vis: field.vis,
            doc: field.doc,
            own: true,
        })
        .collect()
}

/// The fields of all variants: one that not every variant has may be absent, one whose types differ is any value.
fn union_columns(tag: &str, choice: &choice::Choice, vis: &Visibility) -> Vec<Column> {
    let model = krate::model();
    let mut columns = vec![Column {
        marker: Ident::new(tag, Span::call_site()),
        wire: tag.to_owned(),
        ty: quote!(::std::string::String),
        vis: vis.clone(),
        doc: "Tells the variants apart.".to_owned(),
        own: true,
    }];
    let fields: Vec<&Field> = choice.variants.iter().flat_map(|variant| &variant.fields).collect();
    for field in &fields {
        if columns.iter().any(|column| column.wire == field.wire) {
            continue;
        }
        let same: Vec<&&Field> = fields.iter().filter(|other| other.wire == field.wire).collect();
        let ty = field.ty.to_token_stream();
        let ty = if same.iter().any(|other| other.ty.to_token_stream().to_string() != ty.to_string()) {
            quote!(#model::__private::Value)
        } else if same.len() < choice.variants.len() && !ty.to_string().starts_with("Option <") {
            quote!(::core::option::Option<#ty>)
        } else {
            ty
        };
        let (marker, wire, doc) = (field.ident.clone(), field.wire.clone(), field.doc.clone());
        columns.push(Column { marker, wire, ty, vis: vis.clone(), doc, own: true });
    }
    columns
}

/// The column that a path of an index names; one inside another field is added.
fn resolve<'a>(
    columns: &'a mut Vec<Column>,
    path: &Path,
    name: &Ident,
    vis: &Visibility,
    case: Case,
) -> syn::Result<&'a Column> {
    let Some(head) = path.parts.first() else {
        return Err(syn::Error::new(name.span(), "an index needs a field"));
    };
    let Some(outer) = columns.iter().position(|column| column.own && column.marker == *head) else {
        let known: Vec<String> = columns.iter().filter(|c| c.own).map(|c| c.marker.to_string()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        return Err(syn::Error::new(
            head.span(),
            format!("`{name}` has no field `{head}`; an index may use {}", attributes::list(&known)),
        ));
    };
    let inner = path.parts.get(1..).unwrap_or_default();
    let Some(last) = inner.last() else { return Ok(&columns[outer]) };
    let Some(ty) = &path.ty else {
        return Err(syn::Error::new(
            last.span(),
            "say the type of a field inside another: `outer.inner: Type`",
        ));
    };
    let marker = path.parts.iter().map(ToString::to_string).collect::<Vec<_>>().join("_");
    let marker = Ident::new(&marker, last.span());
    if let Some(known) = columns.iter().position(|column| column.marker == marker) {
        return Ok(&columns[known]);
    }
    let mut wire = columns[outer].wire.clone();
    for part in inner {
        wire = format!("{wire}.{}", case.apply(part));
    }
    let ty = ty.to_token_stream();
    columns.push(Column { marker, wire, ty, vis: vis.clone(), doc: String::new(), own: false });
    Ok(&columns[columns.len() - 1])
}

fn tokens_and_definition(
    input: &DeriveInput,
    wire_name: &LitStr,
    columns: &mut Vec<Column>,
    indexes: &[DeclaredIndex],
    searches: &[Search],
    case: Case,
) -> syn::Result<TokenStream> {
    let model = krate::model();
    let (name, vis) = (&input.ident, &input.vis);
    let mut definition = quote!();
    let mut constants = quote!();
    let doc = attributes::doc(&input.attrs);
    if !doc.is_empty() {
        definition.extend(quote!(.doc(#doc)));
    }
    let mut names: Vec<&Ident> = Vec::new();
    for DeclaredIndex { index: NamedFields { name: index, fields }, aggregate } in indexes {
        if SYSTEM_INDEXES.iter().any(|system| index == system) {
            let message = format!("every table has the index `{index}`; leave this out");
            return Err(syn::Error::new(index.span(), message));
        }
        if fields.is_empty() {
            let message = format!("the index `{index}` has no fields; `by_creation_time` is always there");
            return Err(syn::Error::new(index.span(), message));
        }
        names.push(index);
        let mut wires = Vec::new();
        let mut types = quote!(#model::Then<#model::system::_creation_time, #model::End>);
        let mut markers = Vec::new();
        let mut groups = Vec::new();
        for field in fields {
            let column = resolve(columns, field, name, vis, case)?;
            wires.push(column.wire.clone());
            markers.push(column.marker.clone());
            groups.push(column.ty.clone());
        }
        for marker in markers.iter().rev() {
            types = quote!(#model::Then<#marker, #types>);
        }
        let text = index.to_string();
        let mut doc = format!("The index over `{}`.", wires.join("`, `"));
        let (builder, ty, token) = match aggregate {
            None => (
                quote!(.index(#text, [#(#wires),*])),
                quote!(#model::Index<#name, #types>),
                quote!(#model::Index::new(#text)),
            ),
            Some(aggregate) => {
                let sum = aggregate.sum.as_ref().map(|path| resolve(columns, path, name, vis, case));
                let sum = sum.transpose()?;
                doc = match sum {
                    None => format!("{doc} It counts."),
                    Some(sum) => format!("{doc} It counts, and adds up `{}`.", sum.wire),
                };
                aggregate.expand((name, &text), &wires, (&types, &groups), sum)
            }
        };
        definition.extend(builder);
        constants.extend(quote! {
            #[doc = #doc]
            #vis const #index: #ty = #token;
        });
    }
    let mut search_names = quote!();
    for Search { index, filter } in searches {
        names.push(&index.name);
        let Some(searched) = index.fields.first() else { continue };
        let searched = resolve(columns, searched, name, vis, case)?.wire.clone();
        let (mut filters, mut fields) = (Vec::new(), Vec::new());
        for field in filter {
            let column = resolve(columns, field, name, vis, case)?;
            filters.push(column.wire.clone());
            if !fields.contains(&column.marker) {
                fields.push(column.marker.clone());
            }
        }
        let (index, text) = (&index.name, index.name.to_string());
        search_names.extend(quote! {
            #[doc(hidden)]
            pub enum #index {}
            #(impl #model::FilterField<#index> for #fields {})*
        });
        let doc = format!("The search index over `{searched}`.");
        definition.extend(quote!(.search_index(#text, #searched, [#(#filters),*] as [&str; _])));
        constants.extend(quote! {
            #[doc = #doc]
            #vis const #index: #model::SearchIndex<#name, #index> = #model::SearchIndex::new(#text);
        });
    }
    for (i, index) in names.iter().enumerate() {
        if names.iter().take(i).any(|other| other == index) {
            return Err(syn::Error::new(index.span(), format!("there are two indexes named `{index}`")));
        }
        if let Some(column) = columns.iter().find(|column| column.marker == **index) {
            let message = format!("the index `{index}` has the name of the field `{}`", column.marker);
            return Err(syn::Error::new(index.span(), message));
        }
    }

    let mut markers = search_names;
    for Column { marker, wire, ty, vis, doc, own } in columns.iter() {
        let text = if doc.is_empty() { format!("The field `{wire}`.") } else { doc.clone() };
        let settable = own.then(|| quote!(impl #model::Settable for #marker {}));
        markers.extend(quote! {
            #[doc(hidden)]
            pub enum #marker {}
            impl #model::FieldName for #marker {
                const PATH: &'static str = #wire;
            }
            #settable
        });
        constants.extend(quote_spanned! {marker.span()=>
            #[doc = #text]
            #vis const #marker: #model::Field<#name, #marker, #ty> = #model::Field::new();
        });
        if !doc.is_empty() {
            definition.extend(quote!(.field_doc(#wire, #doc)));
        }
    }
    constants.extend(system_tokens(name, vis, columns, &names));
    Ok(quote! {
        #[automatically_derived]
        impl #model::Table for #name {
            const NAME: &'static str = #wire_name;

            fn table() -> #model::TableDef {
                #model::define_table(#wire_name)
                    .document(<Self as #model::Validated>::validator())
                    #definition
            }
        }

        #[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
        const _: () = {
            #markers

            impl #name {
                #constants
            }
        };
    })
}

/// Tokens of what every table has, where the table's own names leave room.
fn system_tokens(name: &Ident, vis: &Visibility, columns: &[Column], indexes: &[&Ident]) -> TokenStream {
    let model = krate::model();
    let creation_time = quote!(#model::system::_creation_time);
    let id = quote!(#model::system::_id);
    let all = [
        (
            "_id",
            "The document's id.",
            quote!(#model::Field<#name, #id, #model::__private::Id<#name>>),
            quote!(#model::Field::new()),
        ),
        (
            "_creation_time",
            "When the document was created, in milliseconds since the epoch.",
            quote!(#model::Field<#name, #creation_time, f64>),
            quote!(#model::Field::new()),
        ),
        (
            "creation_time",
            "When the document was created, in milliseconds since the epoch.",
            quote!(#model::Field<#name, #creation_time, f64>),
            quote!(#model::Field::new()),
        ),
        (
            "by_id",
            "The index over `_id`.",
            quote!(#model::Index<#name, #model::Then<#id, #model::End>>),
            quote!(#model::Index::new("by_id")),
        ),
        (
            "by_creation_time",
            "The index over `_creationTime`.",
            quote!(#model::Index<#name, #model::Then<#creation_time, #model::End>>),
            quote!(#model::Index::new("by_creation_time")),
        ),
    ];
    all.into_iter()
        .filter(|(token, ..)| {
            !columns.iter().any(|column| column.marker == token)
                && !indexes.iter().any(|index| index == token)
        })
        .map(|(token, doc, ty, value)| {
            let token = format_ident!("{token}");
            quote! {
                #[doc = #doc]
                #vis const #token: #ty = #value;
            }
        })
        .collect()
}
