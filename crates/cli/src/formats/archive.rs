//! Where an export goes: a ZIP file, a folder, or one file.
//!
//! Guarantee: everything is written under a hidden name beside the final one, synced, and renamed in one step; whoever
//! finds the final name finds all of it. An existing export is never overwritten. Times in a ZIP are fixed, so equal
//! content gives equal files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::error::Failure;

const HIDDEN: &str = ".hull-export-";
const BUFFER: usize = 256 << 10;

/// An export that is being written.
pub(crate) struct Archive {
    path: PathBuf,
    parts: Parts,
}

enum Parts {
    Zip(Box<ZipWriter<BufWriter<NamedTempFile>>>),
    Folder { root: TempDir, file: Option<BufWriter<File>> },
    Single(BufWriter<NamedTempFile>),
}

impl Archive {
    /// A ZIP file.
    pub(crate) fn zip(path: &Path) -> Result<Archive, Failure> {
        let zip = ZipWriter::new(BufWriter::with_capacity(BUFFER, hidden_file(path)?));
        Ok(Archive { path: path.to_owned(), parts: Parts::Zip(Box::new(zip)) })
    }

    /// A folder that is not there yet, or empty.
    pub(crate) fn folder(path: &Path) -> Result<Archive, Failure> {
        let taken = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if taken || path.is_file() {
            return Err(occupied(path));
        }
        let root = Builder::new().prefix(HIDDEN).tempdir_in(parent(path)?);
        let root = root.map_err(|error| Failure::io(path.display(), error))?;
        Ok(Archive { path: path.to_owned(), parts: Parts::Folder { root, file: None } })
    }

    /// One file.
    pub(crate) fn single(path: &Path) -> Result<Archive, Failure> {
        let file = BufWriter::with_capacity(BUFFER, hidden_file(path)?);
        Ok(Archive { path: path.to_owned(), parts: Parts::Single(file) })
    }

    /// What is written from now on is in the file of this name; a single file takes it all.
    pub(crate) fn begin(&mut self, name: &str) -> Result<(), Failure> {
        match &mut self.parts {
            Parts::Zip(zip) => {
                let options = SimpleFileOptions::default()
                    .compression_method(CompressionMethod::Deflated)
                    .last_modified_time(DateTime::default())
                    .unix_permissions(0o644)
                    // Sizes are known only afterwards.
                    .large_file(name.ends_with("documents.jsonl"));
                zip.start_file(name, options)
                    .map_err(|error| failed(&self.path, std::io::Error::other(error)))
            }
            Parts::Folder { root, file } => {
                if let Some(file) = file.take() {
                    synced(file).map_err(|error| failed(&self.path, error))?;
                }
                let path = root.path().join(name);
                let made =
                    path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| File::create(&path));
                let made = made.map_err(|error| failed(&self.path, error))?;
                *file = Some(BufWriter::with_capacity(BUFFER, made));
                Ok(())
            }
            Parts::Single(_) => Ok(()),
        }
    }

    /// Appends to the file that was begun last.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = match &mut self.parts {
            Parts::Zip(zip) => zip.write_all(bytes),
            Parts::Folder { file: Some(file), .. } => file.write_all(bytes),
            Parts::Folder { file: None, .. } => Ok(()),
            Parts::Single(file) => file.write_all(bytes),
        };
        written.map_err(|error| failed(&self.path, error))
    }

    /// Gives it its name.
    pub(crate) fn finish(self) -> Result<PathBuf, Failure> {
        let path = self.path;
        let finish = || -> std::io::Result<()> {
            let file = match self.parts {
                Parts::Zip(zip) => zip.finish().map_err(std::io::Error::other)?,
                Parts::Single(file) => file,
                Parts::Folder { root, file } => {
                    file.map_or(Ok(()), synced)?;
                    std::fs::rename(root.path(), &path)?;
                    // There is nothing left to remove under the old name.
                    let _ = root.keep();
                    return sync_parent(&path);
                }
            };
            let file = file.into_inner().map_err(|error| error.into_error())?;
            file.as_file().sync_all()?;
            file.persist_noclobber(&path).map_err(|error| error.error)?;
            sync_parent(&path)
        };
        finish().map_err(|error| failed(&path, error))?;
        Ok(path)
    }
}

fn synced(file: BufWriter<File>) -> std::io::Result<()> {
    file.into_inner().map_err(|error| error.into_error())?.sync_all()
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(path: &Path, error: std::io::Error) -> Failure {
    Failure::io(path.display(), error)
}

fn occupied(path: &Path) -> Failure {
    Failure::input(
        "PathOccupied",
        format!(
            "{} is there already; an export does not overwrite, so choose another --path",
            path.display()
        ),
    )
}

/// The folder that the path is in; made where it is missing.
fn parent(path: &Path) -> Result<PathBuf, Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).to_owned();
    std::fs::create_dir_all(&parent).map_err(|error| Failure::io(parent.display(), error))?;
    Ok(parent)
}

fn hidden_file(path: &Path) -> Result<NamedTempFile, Failure> {
    if path.exists() {
        return Err(occupied(path));
    }
    let made = Builder::new().prefix(HIDDEN).tempfile_in(parent(path)?);
    made.map_err(|error| Failure::io(path.display(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn nothing_has_the_final_name_before_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/x");
        type Open = fn(&Path) -> Result<Archive, Failure>;
        for open in [Archive::zip as Open, Archive::folder, Archive::single] {
            let mut archive = open(&path).unwrap();
            archive.begin("a/documents.jsonl").unwrap();
            archive.write(b"{}\n").unwrap();
            assert!(!path.exists());
            drop(archive);
            assert!(names(path.parent().unwrap()).is_empty());
            let mut archive = open(&path).unwrap();
            archive.begin("a/documents.jsonl").unwrap();
            archive.write(b"{}\n").unwrap();
            archive.finish().unwrap();
            assert_eq!(names(path.parent().unwrap()), ["x"]);
            assert!(matches!(open(&path), Err(Failure::Input { .. })));
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }.unwrap();
        }
    }
}
