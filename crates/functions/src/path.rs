//! Function paths: `dir/module[.js][:function]`, where every spelling names the same function.
//!
//! The canonical spelling is `dir/module:function`, with `default` for a function that is not named. Messages leave
//! `:default` out.

use std::borrow::Cow;

/// The path in its canonical spelling; borrowed when it is spelled so already. `None`: this can't name a function.
pub fn canonical_path(path: &str) -> Option<Cow<'_, str>> {
    let (module, function) = match path.rsplit_once(':') {
        Some((module, function)) => (module, Some(function)),
        None => (path, None),
    };
    let stem = module.strip_suffix(".js").unwrap_or(module);
    if !is_module(stem) || !function.is_none_or(is_function) {
        return None;
    }
    Some(match function {
        Some(_) if stem.len() == module.len() => Cow::Borrowed(path),
        function => Cow::Owned(format!("{stem}:{}", function.unwrap_or("default"))),
    })
}

/// The path as messages print it: without `.js`, without `:default`.
pub fn display_path(path: &str) -> Cow<'_, str> {
    match canonical_path(path) {
        Some(canonical) => match canonical.strip_suffix(":default") {
            Some(module) => Cow::Owned(module.to_owned()),
            None => canonical,
        },
        None => Cow::Borrowed(path),
    }
}

/// Whether this can be a module's name, such as `users` or `admin/users`.
pub(crate) fn is_module(module: &str) -> bool {
    module.split('/').all(|part| {
        part.len() <= 64
            && part.bytes().any(|byte| byte.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
            && !part.contains("..")
    })
}

/// Whether this can be a function's name.
pub(crate) fn is_function(name: &str) -> bool {
    hull_value::check_identifier(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_names_the_same_function() {
        for (path, canonical) in [
            ("users:list", Some("users:list")),
            ("users.js:list", Some("users:list")),
            ("users", Some("users:default")),
            ("users.js", Some("users:default")),
            ("users:default", Some("users:default")),
            ("admin/users.js:list", Some("admin/users:list")),
            ("", None),
            (":list", None),
            ("users:", None),
            ("users:li-st", None),
            ("my-mod:f", None),
            ("../users:list", None),
            ("/users:list", None),
            ("users/:list", None),
            ("___:list", None),
            ("a:b:c", None),
        ] {
            assert_eq!(canonical_path(path).as_deref(), canonical, "{path}");
        }
        assert!(matches!(canonical_path("users:list"), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn messages_print_the_short_form() {
        assert_eq!(display_path("users.js:default"), "users");
        assert_eq!(display_path("users.js:list"), "users:list");
        assert_eq!(display_path("no such path"), "no such path");
    }
}
