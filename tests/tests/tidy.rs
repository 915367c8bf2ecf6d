//! The promise: source files stay readable in one sitting, say at their head what they guarantee, and name no machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines that a source file may have.
const LONGEST: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What git tracks and what it would add.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().map(PathBuf::from).filter(|path| root().join(path).is_file()).collect()
}

fn with_extension<'a>(
    files: &'a [PathBuf],
    extension: &'a str,
) -> impl Iterator<Item = (&'a Path, String)> + 'a {
    files
        .iter()
        .filter(move |path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.as_path(), std::fs::read_to_string(root().join(path)).unwrap()))
}

#[test]
fn every_rust_file_opens_with_what_it_is() {
    let files = files();
    for (path, text) in with_extension(&files, "rs") {
        let compile_fail =
            path.components().any(|part| part.as_os_str() == "ui" || part.as_os_str() == "compile-fail");
        if !compile_fail {
            assert!(text.starts_with("//! "), "{} does not open with a doc comment", path.display());
        }
    }
}

#[test]
fn every_script_opens_with_what_it_is() {
    let files = files();
    for (path, text) in with_extension(&files, "js") {
        let generated = path.components().any(|part| part.as_os_str() == "_generated");
        let opening = if generated { "/* eslint-disable */" } else { "// " };
        assert!(text.starts_with(opening), "{} does not open with a comment", path.display());
    }
}

#[test]
fn files_are_short() {
    let files = files();
    for (path, text) in with_extension(&files, "rs").chain(with_extension(&files, "js")) {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
    }
}

#[test]
fn nothing_names_a_machine_or_a_leftover() {
    let here = root().to_string_lossy().into_owned();
    let leftovers = ["FIXME", "XXX", "<<<<<<< "];
    for path in files() {
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        if path.ends_with("tidy.rs") || path.ends_with("package-lock.json") || path.ends_with("Cargo.lock") {
            continue;
        }
        assert!(!text.contains(&here), "{} names {here}", path.display());
        for banned in ["/home/", "/Users/", "/root/", "/work/"] {
            assert!(!text.contains(banned), "{} names a folder of a machine: {banned}", path.display());
        }
        for leftover in leftovers {
            assert!(!text.contains(leftover), "{} holds {leftover:?}", path.display());
        }
    }
}
