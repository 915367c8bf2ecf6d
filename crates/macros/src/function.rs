//! `#[query]`, `#[mutation]`, their `internal_` twins, and `functions!`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Expr, FnArg, GenericArgument, Ident, ItemFn, LitStr, Pat, PathArguments, ReturnType, Token, Type,
    TypePath,
};

use crate::case::Case;
use crate::object::{self, Field};
use crate::{attributes, krate};

/// What one of the four attributes makes.
struct Kind {
    /// The attribute's name.
    attribute: String,
    /// The constructor in `hull-functions`.
    constructor: Ident,
    /// The variant of `FunctionKind`.
    kind: Ident,
    visibility: Ident,
    /// The type behind the reference that comes first.
    context: &'static str,
}

impl Kind {
    fn of(attribute: &str) -> Kind {
        let base = attribute.strip_prefix("internal_").unwrap_or(attribute);
        let (kind, context) =
            if base == "query" { ("Query", "QueryCtx") } else { ("Mutation", "MutationCtx") };
        let visibility = if base == attribute { "Public" } else { "Internal" };
        Kind {
            attribute: attribute.to_owned(),
            constructor: format_ident!("{base}"),
            kind: format_ident!("{kind}"),
            visibility: format_ident!("{visibility}"),
            context,
        }
    }

    /// "a query", "an internal mutation".
    fn article(&self) -> String {
        let name = self.attribute.replace('_', " ");
        if name.starts_with('i') { format!("an {name}") } else { format!("a {name}") }
    }
}

/// How the one object of arguments reaches the function.
enum Arguments {
    /// Each field is a parameter.
    Named(Vec<Field>),
    /// The object is one struct: `#[hull(flatten)]`.
    Whole(Box<Field>),
}

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    case: Option<Case>,
    returns: Option<Expr>,
}

pub(crate) fn expand(attribute: &str, options: TokenStream, item: TokenStream) -> TokenStream {
    let kind = Kind::of(attribute);
    let original = item.clone();
    let result = syn::parse2::<ItemFn>(item)
        .map_err(|error| {
            let what = format!("`#[{attribute}]` stands on an `async fn`: {error}");
            syn::Error::new(error.span(), what)
        })
        .and_then(|function| {
            let options = parse_options(options)?;
            generate(&kind, &options, function)
        });
    // The function stays in place beside the error, so that its callers don't add errors of their own.
    result.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        let original = without_attributes(original);
        quote!(#error #[allow(dead_code)] #original)
    })
}

/// The item as rustc reads it without us, since `#[hull]` means nothing to it.
fn without_attributes(item: TokenStream) -> TokenStream {
    let Ok(mut function) = syn::parse2::<ItemFn>(item.clone()) else { return item };
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(input) = input {
            input.attrs.retain(|attr| !attr.path().is_ident("hull"));
        }
    }
    function.into_token_stream()
}

fn parse_options(tokens: TokenStream) -> syn::Result<Options> {
    let mut options = Options::default();
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            options.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("rename_all") {
            options.case = Some(Case::parse(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("returns") {
            options.returns = Some(meta.value()?.parse()?);
        } else {
            return Err(meta.error("the options are `name`, `rename_all` and `returns`"));
        }
        Ok(())
    });
    parser.parse2(tokens)?;
    Ok(options)
}

/// A function's definition is made by a private function of this name, which only `functions!` calls: the name is what
/// rustc's `dead_code` lint prints about a function that was never registered.
fn marker(name: &Ident) -> Ident {
    let text = name.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);
    Ident::new(&format!("{text}_is_missing_in_functions"), name.span())
}

fn generate(kind: &Kind, options: &Options, mut function: ItemFn) -> syn::Result<TokenStream> {
    let (context, arguments) = signature(kind, options, &mut function)?;
    let output = output(kind, &function)?;
    let model = krate::model();
    let functions = krate::functions();
    let p = quote!(#functions::__private);

    let name = &function.sig.ident;
    let vis = &function.vis;
    let wire = match &options.name {
        Some(name) => name.value(),
        None => options.case.unwrap_or(Case::Camel).apply(name),
    };
    let doc = attributes::doc(&function.attrs);
    let cfgs: Vec<_> = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let Kind { constructor, kind: function_kind, visibility, .. } = kind;
    let struct_doc = format!("The arguments of `{wire}`, which stand for a call of it.");
    let (fields, implementation) = match &arguments {
        Arguments::Named(fields) => {
            let implementation = object::implement(&function.sig.ident, &syn::Generics::default(), fields);
            (fields.as_slice(), implementation)
        }
        Arguments::Whole(field) => {
            (std::slice::from_ref(&**field), object::delegate(&function.sig.ident, field))
        }
    };
    let idents: Vec<&Ident> = fields.iter().map(|field| &field.ident).collect();
    let declarations = fields.iter().map(|Field { ident, ty, wire, .. }| {
        let doc = format!("The argument `{wire}`.");
        quote!(#[doc = #doc] pub #ident: #ty)
    });
    let marker = marker(name);
    let result = quote!({
        #[allow(unused_imports)]
        use #p::SaysNothing as _;
        #p::Says::<#output>::VALIDATOR
    });
    let returns = options.returns.as_ref().map(|validator| quote!(.returns(|| #validator)));
    // Located at the output, for messages about it, but with the names of the registration around it: the two differ
    // where a `macro_rules!` writes the function and is handed one of them.
    let at_output = output.span().resolved_at(name.span());
    let call = quote_spanned!(at_output=> __call.finish(#name(__ctx, #(__args.#idents),*).await));
    // With the spans of the function itself: rustc keeps quiet about dead code that a macro wrote.
    let registration = quote_spanned! {name.span()=>
        fn #marker() -> #p::FunctionDef {
            fn __run<'a>(__ctx: &'a #context, __call: #p::Call<'a>) -> #p::CallFuture<'a> {
                ::std::boxed::Box::pin(async move {
                    let __args: #name = __call.args()?;
                    #call
                })
            }
            #p::FunctionDef::#constructor::<#name>(__run).result(#result)#returns
        }
    };
    Ok(quote! {
        // Its parameters are names on the wire, as many as a caller needs.
        #[allow(dead_code, clippy::too_many_arguments)]
        #function

        #(#cfgs)*
        #[doc = #struct_doc]
        #[allow(non_camel_case_types, dead_code)]
        #vis struct #name {
            #(#declarations,)*
        }

        #(#cfgs)*
        const _: () = {
            #implementation

            #[automatically_derived]
            impl #model::Function for #name {
                type Output = #output;

                const NAME: &'static str = #wire;
                const KIND: #model::FunctionKind = #model::FunctionKind::#function_kind;
                const VISIBILITY: #model::Visibility = #model::Visibility::#visibility;
                const DOC: &'static str = #doc;
            }
        };

        #(#cfgs)*
        #[doc(hidden)]
        #[deny(dead_code)]
        #registration
    })
}

/// Checks the signature, takes the `#[hull]` attributes out of it, and returns the context's type and the arguments.
fn signature(kind: &Kind, options: &Options, function: &mut ItemFn) -> syn::Result<(Type, Arguments)> {
    let a_kind = kind.article();
    let sig = &mut function.sig;
    let context = kind.context;
    if sig.asyncness.is_none() {
        return Err(syn::Error::new(
            sig.fn_token.span,
            format!("{a_kind} is asynchronous: write `async fn {}`", sig.ident),
        ));
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        return Err(syn::Error::new_spanned(
            &sig.generics,
            format!("{a_kind} can't be generic: clients call it by name"),
        ));
    }
    let want_context = format!("{a_kind} takes its context first: write `ctx: &{context}`");
    let mut inputs = sig.inputs.iter_mut();
    let first = match inputs.next() {
        None => return Err(syn::Error::new(sig.ident.span(), want_context)),
        Some(FnArg::Receiver(receiver)) => {
            let message = format!("{a_kind} is a free function without `self`; {want_context}");
            return Err(syn::Error::new(receiver.span(), message));
        }
        Some(FnArg::Typed(first)) => first,
    };
    let context_type = match &*first.ty {
        Type::Reference(reference) if reference.mutability.is_none() => match last_segment(&reference.elem) {
            Some("QueryCtx" | "MutationCtx" | "ActionCtx")
                if last_segment(&reference.elem) != Some(context) =>
            {
                let hint = if context == "QueryCtx" { "; to write, use `#[mutation]`" } else { "" };
                let message = format!("the context of {a_kind} is `&{context}`{hint}");
                return Err(syn::Error::new(first.ty.span(), message));
            }
            _ => (*reference.elem).clone(),
        },
        _ => return Err(syn::Error::new(first.ty.span(), want_context)),
    };
    let case = options.case.unwrap_or(Case::Camel);
    let mut fields: Vec<Field> = Vec::new();
    let mut flattened = None;
    for input in inputs {
        let FnArg::Typed(input) = input else { continue };
        let Pat::Ident(pattern) = &*input.pat else {
            let message = format!("an argument of {a_kind} needs a name: write `name: Type`");
            return Err(syn::Error::new(input.pat.span(), message));
        };
        if pattern.by_ref.is_some() || pattern.subpat.is_some() {
            let message = format!("an argument of {a_kind} needs a plain name: write `name: Type`");
            return Err(syn::Error::new(input.pat.span(), message));
        }
        if let Type::Reference(reference) = &*input.ty {
            let hint = match last_segment(&reference.elem) {
                Some("str") => "; use `String`",
                _ => "",
            };
            let message = format!("an argument of {a_kind} is owned, not borrowed{hint}");
            return Err(syn::Error::new(input.ty.span(), message));
        }
        let options = attributes::options(&input.attrs, &["rename", "flatten"])?;
        let renamed = options.rename;
        if options.flatten {
            flattened = Some(input.ty.span());
        }
        input.attrs.retain(|attr| !attr.path().is_ident("hull"));
        let wire = renamed.map_or_else(|| case.apply(&pattern.ident), |name| name.value());
        if let Some(other) = fields.iter().find(|other| other.wire == wire) {
            let message =
                format!("`{}` has the same wire name as `{}`: `{wire}`", pattern.ident, other.ident);
            return Err(syn::Error::new(pattern.ident.span(), message));
        }
        fields.push(Field {
            ident: pattern.ident.clone(),
            wire,
            ty: (*input.ty).clone(),
            doc: String::new(),
            vis: syn::Visibility::Inherited,
        });
    }
    match flattened {
        None => Ok((context_type, Arguments::Named(fields))),
        Some(_) if fields.len() == 1 => Ok((context_type, Arguments::Whole(Box::new(fields.remove(0))))),
        Some(span) => {
            let message =
                "`#[hull(flatten)]` makes one struct the whole of the arguments, so it stands alone";
            Err(syn::Error::new(span, message))
        }
    }
}

/// The `T` of the returned `Result<T>`.
fn output(kind: &Kind, function: &ItemFn) -> syn::Result<Type> {
    let want = format!("{} returns `Result<…>`; without an answer, `Result<()>`", kind.article());
    let ReturnType::Type(_, ty) = &function.sig.output else {
        return Err(syn::Error::new(function.sig.ident.span(), want));
    };
    if let Type::Path(TypePath { path, .. }) = &**ty
        && let Some(segment) = path.segments.last()
        && segment.ident.to_string().ends_with("Result")
    {
        return Ok(match &segment.arguments {
            PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
                Some(GenericArgument::Type(output)) => output.clone(),
                _ => return Err(syn::Error::new(ty.span(), want)),
            },
            _ => syn::parse_quote!(()),
        });
    }
    Err(syn::Error::new(ty.span(), want))
}

fn last_segment(ty: &Type) -> Option<&'static str> {
    let Type::Path(path) = ty else { return None };
    let name = path.path.segments.last()?.ident.to_string();
    ["QueryCtx", "MutationCtx", "ActionCtx", "str"].into_iter().find(|known| *known == name)
}

pub(crate) fn register(input: TokenStream) -> TokenStream {
    let parser = Punctuated::<syn::Path, Token![,]>::parse_terminated;
    let paths = match parser.parse2(input) {
        Ok(paths) => paths,
        Err(error) => return error.into_compile_error(),
    };
    let calls = paths.into_iter().map(|mut path| {
        if let Some(segment) = path.segments.last_mut() {
            segment.ident = marker(&segment.ident);
        }
        quote!(#path())
    });
    let functions = krate::functions();
    let calls = calls.map(ToTokens::into_token_stream);
    quote! {
        <::std::vec::Vec<#functions::__private::FunctionDef> as ::core::convert::From<_>>::from([#(#calls),*])
    }
}
