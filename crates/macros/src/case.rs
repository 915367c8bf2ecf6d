//! Wire names made from Rust names.

use syn::{Ident, LitStr};

/// How a wire name is made from the words of a Rust name.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Camel,
    Snake,
    Pascal,
    Kebab,
    Screaming,
    Lower,
}

impl Case {
    /// The case of this name, as serde calls it.
    pub(crate) fn parse(text: &LitStr) -> syn::Result<Case> {
        Ok(match text.value().as_str() {
            "camelCase" => Case::Camel,
            "snake_case" => Case::Snake,
            "PascalCase" => Case::Pascal,
            "kebab-case" => Case::Kebab,
            "SCREAMING_SNAKE_CASE" => Case::Screaming,
            "lowercase" => Case::Lower,
            other => {
                return Err(syn::Error::new(
                    text.span(),
                    format!(
                        "there is no case `{other}`; use camelCase, snake_case, PascalCase, kebab-case, \
                         SCREAMING_SNAKE_CASE or lowercase"
                    ),
                ));
            }
        })
    }

    /// The wire name of a Rust name.
    pub(crate) fn apply(self, name: &Ident) -> String {
        let name = name.to_string();
        let words = words(name.strip_prefix("r#").unwrap_or(&name));
        match self {
            Case::Camel => {
                let rest: String = words.iter().skip(1).map(|word| capital(word)).collect();
                words.first().map_or(String::new(), |first| first.clone() + &rest)
            }
            Case::Snake => words.join("_"),
            Case::Pascal => words.iter().map(|word| capital(word)).collect(),
            Case::Kebab => words.join("-"),
            Case::Screaming => words.join("_").to_uppercase(),
            Case::Lower => words.concat(),
        }
    }
}

/// The words of a name, in lowercase: `user_id` and `UserId` are `user` and `id`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in name.split('_').filter(|part| !part.is_empty()) {
        let mut start = true;
        for c in part.chars() {
            match words.last_mut() {
                Some(word) if !start && !c.is_uppercase() => word.push(c),
                _ => words.push(c.to_lowercase().collect()),
            }
            start = false;
        }
    }
    words
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// A likely name for the table of a type: `JournalEntry` gives `journalEntries`.
pub(crate) fn table_name(name: &Ident) -> String {
    let name = Case::Camel.apply(name);
    match name.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if name.ends_with('s') => name,
        _ => format!("{name}s"),
    }
}
