//! The promise: crates depend on each other only along the arrows of ARCHITECTURE.md, one file names sled, and only
//! the crates at the edge open sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may use whom, in library code. `hull` is the one crate an application names.
const ARROWS: &[(&str, &[&str])] = &[
    ("hull-value", &[]),
    ("hull-macros", &[]),
    ("hull-model", &["hull-value", "hull-macros"]),
    ("hull-engine", &["hull-value", "hull-model"]),
    ("hull-functions", &["hull-value", "hull-model", "hull-macros", "hull-engine"]),
    ("hull-sync", &["hull-value"]),
    ("hull-client", &["hull-value", "hull-model", "hull-sync"]),
    ("hull-server", &["hull-value", "hull-model", "hull-engine", "hull-functions", "hull-sync"]),
    ("hull", &["hull-value", "hull-model", "hull-functions", "hull-server", "hull-client"]),
    // One path for every way in: the command line speaks to a server's admin routes, and starts them for a directory
    // that no server holds; so it uses the server, and not the engine behind its back.
    ("hull-cli", &["hull-value", "hull-model", "hull-server"]),
    ("schema", &["hull-value", "hull-model"]),
    ("academy", &["hull", "schema"]),
    ("chat", &["hull"]),
    ("embedded", &["hull"]),
    ("tests", &["hull", "hull-cli"]),
    ("benches", &["hull", "hull-engine", "hull-value"]),
];

/// Crates that may open sockets.
const SOCKETS: &[&str] = &["hull-server", "hull-client", "hull-cli", "tests", "benches"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn crates_use_each_other_along_the_arrows_alone() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let Some(allowed) = allowed.get(name) else { panic!("{name} has no arrows in this test") };
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let of_the_house = ARROWS.iter().any(|(known, _)| *known == to);
            let used = dependency["kind"] != "dev";
            assert!(!(of_the_house && used) || allowed.contains(to), "{name} must not use {to}");
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn one_file_names_sled() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    let naming: Vec<_> = files
        .iter()
        .filter(|path| {
            let code = std::fs::read_to_string(path).unwrap();
            // The parent of the one file has a module of that name.
            !code.contains("mod sled;")
                && code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("sled::"))
        })
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
        .collect();
    assert!(naming.len() <= 1, "sled is named in {naming:?}");
    for package in packages() {
        let uses = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "sled" && one["kind"] != "dev");
        // The benches measure it beside the engine.
        let may = ["hull-engine", "benches"].contains(&package["name"].as_str().unwrap());
        assert!(!uses || may, "{} must not use sled", package["name"]);
    }
}

#[test]
fn only_the_edge_opens_sockets() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        if SOCKETS.contains(&name) {
            continue;
        }
        let network = ["axum", "hyper", "hyper-util", "tokio-tungstenite", "tower-http", "reqwest", "convex"];
        for dependency in
            package["dependencies"].as_array().unwrap().iter().filter(|one| one["kind"] != "dev")
        {
            let to = dependency["name"].as_str().unwrap();
            assert!(!network.contains(&to), "{name} must not use {to}");
        }
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let mut files = Vec::new();
        let folder = manifest.parent().unwrap().join("src");
        if folder.is_dir() {
            sources(&folder, &mut files);
        }
        for file in files {
            let code = std::fs::read_to_string(&file).unwrap();
            for banned in ["std::net::Tcp", "tokio::net", "UdpSocket", "UnixListener", "UnixStream"] {
                assert!(!code.contains(banned), "{} names {banned}", file.display());
            }
        }
    }
}
