//! A snapshot ZIP, or a folder with the same layout, as it is read: which of its files hold which table.
//!
//! Files are known by the end of their path, so a folder around everything does not matter: `<table>/documents.jsonl`,
//! `<table>/generated_schema.jsonl`, `_tables/documents.jsonl`. Nothing is ever written under a name from an archive;
//! names that lead elsewhere are refused all the same, as are archives whose parts overlap.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use hull_value::{RowForm, ValueRef, parse_row};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::bounded::{Budget, Inflated, read_line};
use super::rows::{BadFile, is_blank};

/// What a ZIP's directory may take: about 80,000 files.
const MAX_DIRECTORY: u64 = 8 << 20;
/// Rows of `_tables`.
const MAX_TABLES: usize = 10_000;

/// An open ZIP file.
pub(crate) struct Zip {
    archive: ZipArchive<Budget<BufReader<File>>>,
}

/// What an entry of a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// The documents of a table.
    Documents(String),
    /// How they are written.
    Form(String),
    /// The tables' numbers.
    Tables,
    /// Something that is not imported, and why.
    Ignored(&'static str),
}

/// What the files of a snapshot say together.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// By table: which file holds its documents.
    pub(crate) documents: BTreeMap<String, usize>,
    /// By table: which file says how they are written.
    pub(crate) forms: BTreeMap<String, usize>,
    /// The file with the tables' numbers.
    pub(crate) tables: Option<usize>,
    /// Files that are not imported, and why.
    pub(crate) ignored: Vec<(String, &'static str)>,
}

impl Layout {
    /// Takes in a file of this path.
    pub(crate) fn add(&mut self, at: usize, path: &str) -> Result<(), BadFile> {
        let before = match role(path)? {
            None => None,
            Some(Role::Documents(table)) => self.documents.insert(table, at),
            Some(Role::Form(table)) => self.forms.insert(table, at),
            Some(Role::Tables) => self.tables.replace(at),
            Some(Role::Ignored(why)) => {
                self.ignored.push((path.to_owned(), why));
                None
            }
        };
        match before {
            None => Ok(()),
            Some(_) => {
                let why = format!("{path}: another file of the archive is for the same table");
                Err(BadFile::new("InvalidName", why))
            }
        }
    }
}

/// What the path of a file says it is; `None` for folders and notes.
pub(crate) fn role(path: &str) -> Result<Option<Role>, BadFile> {
    let hostile = path.starts_with('/')
        || path.contains(['\\', '\0'])
        || path.split('/').any(|part| part == ".." || part == ".");
    if hostile {
        return Err(BadFile::new(
            "InvalidName",
            format!("{path:?}: a name in an archive must not lead out of it"),
        ));
    }
    if path.ends_with('/') {
        return Ok(None);
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.contains(&"_components") {
        return Ok(Some(Role::Ignored("this server has no components")));
    }
    Ok(match parts.as_slice() {
        [.., "_storage", _] => Some(Role::Ignored("this server does not store files yet")),
        [.., "_tables", "documents.jsonl"] => Some(Role::Tables),
        [.., "__MACOSX", _, _] => None,
        [.., table, "documents.jsonl"] if table.starts_with('_') => Some(Role::Ignored("a system table")),
        [.., table, "documents.jsonl"] => Some(Role::Documents((*table).to_owned())),
        [.., table, "generated_schema.jsonl"] if !table.starts_with('_') => {
            Some(Role::Form((*table).to_owned()))
        }
        _ => None,
    })
}

impl Zip {
    /// Opens a ZIP file and reads its directory.
    pub(crate) fn open(path: &Path) -> Result<Zip, BadFile> {
        let invalid = |error: &dyn std::fmt::Display| {
            BadFile::new("InvalidZip", format!("not a whole ZIP file: {error}"))
        };
        let file = File::open(path).map_err(|error| BadFile::new("FileError", error.to_string()))?;
        let length = file.metadata().map_err(|error| BadFile::new("FileError", error.to_string()))?.len();
        let budget = Budget::new(BufReader::new(file), MAX_DIRECTORY);
        let meter = budget.meter();
        let archive = ZipArchive::new(budget).map_err(|error| invalid(&error))?;
        meter.set(u64::MAX);
        if archive.has_duplicate_names() {
            return Err(invalid(&"two of its files have the same name"));
        }
        let mut compressed = 0u64;
        for at in 0..archive.len() {
            let entry = archive.by_index_data(at).map_err(|error| invalid(&error))?;
            compressed = compressed.saturating_add(entry.compressed_size());
        }
        if compressed > length {
            return Err(invalid(&"its parts are larger than the file, so they overlap"));
        }
        Ok(Zip { archive })
    }

    /// Which of its files are what.
    pub(crate) fn layout(&self) -> Result<Layout, BadFile> {
        let mut layout = Layout::default();
        for at in 0..self.archive.len() {
            layout.add(at, &self.name(at)?)?;
        }
        Ok(layout)
    }

    /// The name of a file.
    pub(crate) fn name(&self, at: usize) -> Result<String, BadFile> {
        match self.archive.name_for_index(at) {
            Some(Ok(name)) => Ok(name.into_owned()),
            _ => Err(BadFile::new("InvalidZip", "a file in the archive has no readable name")),
        }
    }

    /// The text of a file.
    pub(crate) fn read(&mut self, at: usize) -> Result<impl BufRead + use<'_>, BadFile> {
        let name = self.name(at)?;
        let file = self.archive.by_index(at);
        let file = file.map_err(|error| BadFile::new("InvalidZip", format!("{name}: {error}")))?;
        let (compressed, size) = (file.compressed_size(), file.size());
        Ok(BufReader::with_capacity(64 << 10, Inflated::<ZipFile<'_, _>>::new(file, compressed, size)))
    }
}

/// Whether a `generated_schema.jsonl` says that documents are in export form.
pub(crate) fn is_uniform(file: impl Read) -> bool {
    let mut text = String::new();
    let read = file.take(64).read_to_string(&mut text);
    read.is_ok() && text.trim() == "\"uniform\""
}

/// Reads `_tables/documents.jsonl`: names and numbers.
pub(crate) fn read_tables(mut file: impl BufRead) -> Result<BTreeMap<String, u32>, BadFile> {
    let mut numbers = BTreeMap::new();
    let (mut line, mut row) = (Vec::new(), 0u64);
    let bad = |row: u64, why: &str| {
        BadFile::new("JsonInvalidRow", format!("_tables/documents.jsonl, line {row}: {why}"))
    };
    while read_line(&mut file, &mut line).map_err(|error| bad(row + 1, &error.to_string()))? {
        row += 1;
        if is_blank(&line) {
            continue;
        }
        let value = parse_row(&line, RowForm::Export).map_err(|error| bad(row, &error.to_string()))?;
        let object = value.as_object();
        let name = object.and_then(|object| object.get("name")?.as_str());
        let number = object.and_then(|object| match object.get("id")? {
            ValueRef::Int64(number) => u32::try_from(number).ok(),
            ValueRef::Float64(number)
                if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) =>
            {
                Some(number as u32)
            }
            _ => None,
        });
        match (name, number) {
            (Some(name), Some(number)) => numbers.insert(name.to_owned(), number),
            _ => return Err(bad(row, "a row is {\"name\": \"…\", \"id\": number}")),
        };
        if numbers.len() > MAX_TABLES {
            return Err(bad(row, "there are more tables than a database can have"));
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_the_end_of_their_path() {
        let documents = |table: &str| Some(Role::Documents(table.to_owned()));
        for (path, expected) in [
            ("users/documents.jsonl", documents("users")),
            ("snapshot_1/deep/users/documents.jsonl", documents("users")),
            ("x/users/generated_schema.jsonl", Some(Role::Form("users".to_owned()))),
            ("x/_tables/documents.jsonl", Some(Role::Tables)),
            ("_storage/documents.jsonl", Some(Role::Ignored("this server does not store files yet"))),
            ("_components/a/users/documents.jsonl", Some(Role::Ignored("this server has no components"))),
            ("README.md", None),
            ("users/", None),
            ("documents.jsonl", None),
        ] {
            assert_eq!(role(path).unwrap(), expected, "{path}");
        }
        for path in ["../users/documents.jsonl", "/users/documents.jsonl", "a/../b", "a\\b", "./a"] {
            assert_eq!(role(path).unwrap_err().code, "InvalidName", "{path}");
        }
        let mut layout = Layout::default();
        layout.add(0, "a/users/documents.jsonl").unwrap();
        assert_eq!(layout.add(1, "b/users/documents.jsonl").unwrap_err().code, "InvalidName");
    }

    #[test]
    fn numbers_of_tables_are_read() {
        let tables =
            read_tables(&b"{\"name\":\"users\",\"id\":10001}\n\n{\"name\":\"a\",\"id\":10002.0}\n"[..]);
        assert_eq!(tables.unwrap(), BTreeMap::from([("users".to_owned(), 10001), ("a".to_owned(), 10002)]));
        for bad in ["{}", "[]", "{\"name\":\"a\",\"id\":-1}", "{\"name\":\"a\",\"id\":1.5}"] {
            assert_eq!(read_tables(bad.as_bytes()).unwrap_err().code, "JsonInvalidRow", "{bad}");
        }
        assert!(is_uniform(&b"\"uniform\"\n"[..]) && !is_uniform(&b"{}"[..]));
    }
}
