//! The `#[hull(…)]` attribute and doc comments.

use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

use crate::case::Case;

/// What `#[hull(…)]` on a type, field or variant says.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) rename: Option<LitStr>,
    pub(crate) rename_all: Option<Case>,
    pub(crate) rename_all_fields: Option<Case>,
    pub(crate) tag: Option<LitStr>,
    pub(crate) flatten: bool,
}

/// Reads every `#[hull(…)]`; `allowed` names the options that make sense here.
pub(crate) fn options(attrs: &[Attribute], allowed: &[&str]) -> syn::Result<Options> {
    let mut options = Options::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("hull")) {
        attr.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if !allowed.contains(&name.as_str()) {
                return Err(meta.error(format!("there is no option `{name}` here; use {}", list(allowed))));
            }
            if name == "flatten" {
                options.flatten = true;
                return Ok(());
            }
            let text: LitStr = meta.value()?.parse()?;
            match name.as_str() {
                "rename" => options.rename = Some(text),
                "rename_all" => options.rename_all = Some(Case::parse(&text)?),
                "rename_all_fields" => options.rename_all_fields = Some(Case::parse(&text)?),
                _ => options.tag = Some(text),
            }
            Ok(())
        })?;
    }
    Ok(options)
}

/// `a`, `b` or `c`.
pub(crate) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

/// The text of the doc comments, with lines joined and trimmed.
pub(crate) fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
