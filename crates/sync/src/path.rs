//! Paths of functions: every spelling of a path leads to one canonical form, `dir/module:function`.
//!
//! A path is split at its last `:`; without one the function is `default`. A trailing `.js` of the module is
//! dropped. The parts of a module are `[A-Za-z0-9_.]`, at most 64 characters, with a letter or a digit among
//! them; a function is an identifier of at most 64 characters. A path has at most 1,024 bytes.

use std::fmt;

/// A function's path in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionPath(Box<str>);

/// A path that names no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The module's part is empty, too long, or has a character that modules don't have.
    #[error("'{0}' is not a valid path to a function: its module is not valid")]
    Module(String),
    /// The function's part is not an identifier.
    #[error("'{0}' is not a valid path to a function: its function name is not an identifier")]
    Function(String),
    /// The path names a component.
    #[error("'{0}': components are not supported")]
    Component(String),
}

impl PathError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Module(_) | Self::Function(_) => "BadConvexFunctionIdentifier",
            Self::Component(_) => "ComponentsNotSupported",
        }
    }
}

const PART_CHARS: usize = 64;
const PATH_BYTES: usize = 1_024;

fn is_module_part(part: &str) -> bool {
    part.len() <= PART_CHARS
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
        && part.bytes().any(|b| b.is_ascii_alphanumeric())
}

fn is_identifier(name: &str) -> bool {
    name.len() <= PART_CHARS
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().any(|b| b != b'_')
}

impl FunctionPath {
    /// Reads any spelling of a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let (module, function) = text.rsplit_once(':').unwrap_or((text, "default"));
        let module = module.strip_suffix(".js").unwrap_or(module);
        if text.len() > PATH_BYTES || !module.split('/').all(is_module_part) {
            return Err(PathError::Module(excerpt(text)));
        }
        if !is_identifier(function) {
            return Err(PathError::Function(excerpt(text)));
        }
        let mut path = String::with_capacity(module.len() + 1 + function.len());
        path.push_str(module);
        path.push(':');
        path.push_str(function);
        Ok(Self(path.into_boxed_str()))
    }

    /// The canonical text, `dir/module:function`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The module's part, `dir/module`.
    pub fn module(&self) -> &str {
        self.0.rsplit_once(':').map_or("", |(module, _)| module)
    }

    /// The function's part.
    pub fn function(&self) -> &str {
        self.0.rsplit_once(':').map_or("", |(_, function)| function)
    }
}

/// As people write it: `dir/module:function`, and `dir/module` for its default function.
impl fmt::Display for FunctionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.strip_suffix(":default").unwrap_or(&self.0))
    }
}

fn excerpt(text: &str) -> String {
    let mut end = text.len().min(200);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_meet_in_one_form() {
        for text in ["a/b:f", "a/b.js:f"] {
            assert_eq!(FunctionPath::parse(text).unwrap().as_str(), "a/b:f");
        }
        for text in ["m", "m.js", "m:default", "m.js:default"] {
            let path = FunctionPath::parse(text).unwrap();
            assert_eq!((path.as_str(), path.to_string().as_str()), ("m:default", "m"));
        }
        let path = FunctionPath::parse("dir/mod:fn").unwrap();
        assert_eq!((path.module(), path.function()), ("dir/mod", "fn"));
    }

    #[test]
    fn bad_paths_are_told_apart() {
        assert!(FunctionPath::parse(&"a/".repeat(600)).is_err());
        for text in ["", ":f", "a//b:f", "../a:f", "my-mod:f", "/a:f", "a b:f", "é:f", ".js:f"] {
            assert!(matches!(FunctionPath::parse(text), Err(PathError::Module(_))), "{text}");
        }
        for text in ["a:", "a:1f", "a:f-g", "a:__", "a:é"] {
            assert!(matches!(FunctionPath::parse(text), Err(PathError::Function(_))), "{text}");
        }
    }
}
