//! Which tables a file or folder holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hull_value::RowForm;

use crate::error::Failure;
use crate::formats::rows::BadFile;
use crate::formats::zip_in::{Layout, Zip, is_uniform, read_tables};

/// Why a `generated_schema.jsonl` is not used.
const OLD_FORM: &str = "it is that of an older export; its table is read as plain JSON, so an int64 that stands as a string stays one";

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A snapshot.
    Zip,
    /// JSON Lines.
    Jsonl,
    /// An array of objects.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    /// What the ending of a file's name says.
    pub(crate) fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()? {
            "zip" => Some(Format::Zip),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            _ => None,
        }
    }
}

/// A table that will be imported.
#[derive(Debug, Clone)]
pub(crate) struct PlannedTable {
    /// Its name.
    pub(crate) name: String,
    /// Its number, from `_tables` or from the first row's `_id`.
    pub(crate) number: Option<u32>,
    /// How its rows are written.
    pub(crate) form: RowForm,
    /// Where they are.
    pub(crate) part: Part,
    /// What messages call it: the path in the archive, or the file.
    pub(crate) file: String,
    /// How many rows it has; known after a first reading.
    pub(crate) rows: u64,
    /// Fields that the table's schema lets be absent: an empty cell of a plain CSV file leaves them out.
    pub(crate) optional: BTreeSet<String>,
}

/// Where the rows of a table are.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// In a file of the ZIP.
    Entry(usize),
    /// In a file of its own.
    File(PathBuf, Format),
}

/// What was given to import.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file or folder.
    pub(crate) path: PathBuf,
    /// What is imported of it.
    pub(crate) tables: Vec<PlannedTable>,
    /// What is not, and why.
    pub(crate) ignored: Vec<(String, &'static str)>,
}

impl Source {
    /// Looks at what was given. `table` is the table that a file without names of tables is for.
    pub(crate) fn open(path: &Path, format: Option<Format>, table: Option<&str>) -> Result<Source, Failure> {
        let format = format.or_else(|| Format::of(path));
        let kind = std::fs::metadata(path).map_err(|error| Failure::io(path.display(), error))?;
        let mut source = if kind.is_dir() {
            Source::of_folder(path)?
        } else if !kind.is_file() {
            let path = path.display();
            return Err(Failure::Usage(format!(
                "{path} is a pipe or a device; what is imported is read twice, so save it in a file"
            )));
        } else {
            match (format, table) {
                (Some(Format::Zip), _) => Source::of_zip(path)?,
                (Some(format), Some(table)) => return Source::of_file(path, format, table),
                (Some(_), None) => {
                    return Err(Failure::Usage(format!(
                        "which table are the rows of {} for? Name it with --table",
                        path.display()
                    )));
                }
                (None, _) => {
                    return Err(Failure::Usage(format!(
                        "what is {}? Say it with --format zip, jsonl, json or csv",
                        path.display()
                    )));
                }
            }
        };
        if let Some(table) = table {
            source.tables.retain(|planned| planned.name == table);
        }
        if source.tables.is_empty() {
            let missing = table.map_or("are no tables".to_owned(), |table| format!("is no table `{table}`"));
            return Err(Failure::input("NoTables", format!("{}: there {missing} in it", path.display())));
        }
        Ok(source)
    }

    fn of_file(path: &Path, format: Format, table: &str) -> Result<Source, Failure> {
        let part = Part::File(path.to_owned(), format);
        let form = form_of(format);
        let planned = planned(table, None, form, part, path.display().to_string())?;
        Ok(Source { path: path.to_owned(), tables: vec![planned], ignored: Vec::new() })
    }

    fn of_zip(path: &Path) -> Result<Source, Failure> {
        let bad = |error: BadFile| named(path, error);
        let mut zip = Zip::open(path).map_err(bad)?;
        let layout = zip.layout().map_err(bad)?;
        let numbers = match layout.tables {
            Some(at) => read_tables(zip.read(at).map_err(bad)?).map_err(bad)?,
            None => BTreeMap::new(),
        };
        let (mut tables, mut ignored) = (Vec::new(), layout.ignored.clone());
        for (name, at) in &layout.documents {
            let form = match layout.forms.get(name) {
                Some(form) if is_uniform(zip.read(*form).map_err(bad)?) => RowForm::Export,
                Some(form) => {
                    ignored.push((zip.name(*form).map_err(bad)?, OLD_FORM));
                    RowForm::Wire
                }
                None => RowForm::Wire,
            };
            let file = format!("{}:{}", path.display(), zip.name(*at).map_err(bad)?);
            tables.push(planned(name, numbers.get(name).copied(), form, Part::Entry(*at), file)?);
        }
        Ok(Source { path: path.to_owned(), tables, ignored })
    }

    /// A snapshot's files in a folder, or files named after tables.
    fn of_folder(path: &Path) -> Result<Source, Failure> {
        let files = files_below(path)?;
        let bad = |error: BadFile| named(path, error);
        let mut layout = Layout::default();
        for (at, (name, _)) in files.iter().enumerate() {
            layout.add(at, name).map_err(bad)?;
        }
        let open = |at: usize| -> Result<BufReader<File>, Failure> {
            let (_, path) = files.get(at).ok_or_else(|| Failure::input("FileError", "a file is gone"))?;
            let file = File::open(path).map_err(|error| Failure::io(path.display(), error))?;
            Ok(BufReader::new(file))
        };
        let numbers = match layout.tables {
            Some(at) => read_tables(open(at)?).map_err(bad)?,
            None => BTreeMap::new(),
        };
        let (mut tables, mut ignored) = (Vec::new(), layout.ignored.clone());
        for (name, at) in &layout.documents {
            let form = match layout.forms.get(name) {
                Some(form) if is_uniform(open(*form)?) => RowForm::Export,
                Some(form) => {
                    ignored.extend(files.get(*form).map(|(name, _)| (name.clone(), OLD_FORM)));
                    RowForm::Wire
                }
                None => RowForm::Wire,
            };
            let Some((_, file)) = files.get(*at) else { continue };
            let part = Part::File(file.clone(), Format::Jsonl);
            tables.push(planned(name, numbers.get(name).copied(), form, part, file.display().to_string())?);
        }
        if tables.is_empty() {
            for (name, file) in &files {
                let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str());
                let (Some(format), Some(stem)) = (Format::of(file), stem) else { continue };
                if format != Format::Zip && !name.contains('/') {
                    let part = Part::File(file.clone(), format);
                    tables.push(planned(stem, None, form_of(format), part, file.display().to_string())?);
                }
            }
        }
        Ok(Source { path: path.to_owned(), tables, ignored })
    }
}

/// An error in the file that was given.
pub(crate) fn named(path: &Path, error: BadFile) -> Failure {
    Failure::input(error.code, format!("{}: {}", path.display(), error.message))
}

/// Rows of CSV are turned into export form on the way.
fn form_of(format: Format) -> RowForm {
    match format {
        Format::Csv => RowForm::Export,
        Format::Zip | Format::Jsonl | Format::Json => RowForm::Wire,
    }
}

fn planned(
    name: &str,
    number: Option<u32>,
    form: RowForm,
    part: Part,
    file: String,
) -> Result<PlannedTable, Failure> {
    hull_value::check_identifier(name).map_err(|error| {
        Failure::input("InvalidName", format!("{file}: `{name}` can't be a table: {error}"))
    })?;
    let name = name.to_owned();
    Ok(PlannedTable { name, number, form, part, file, rows: 0, optional: BTreeSet::new() })
}

/// The files of a folder and of the folders in it, by their paths from there.
fn files_below(root: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    const MOST: usize = 50_000;
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| Failure::io(folder.display(), error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::io(folder.display(), error))?;
            let kind = entry.file_type().map_err(|error| Failure::io(folder.display(), error))?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                files.push((name, path));
            }
            if files.len() + folders.len() > MOST {
                let why = format!("{} holds more than {MOST} files", root.display());
                return Err(Failure::input("TooManyFiles", why));
            }
        }
    }
    files.sort();
    Ok(files)
}
