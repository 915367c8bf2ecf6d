//! Where the data is: a server somewhere, the server that runs on a data directory, or the directory itself.
//!
//! A flag goes before an environment variable, `HULL_…` before Convex's own names; without any, `./hull-data` is used
//! where it holds a database, since that is where a server keeps its data by default.

use std::path::{Path, PathBuf};

use hull_server::{AdminClient, Local};
use serde_json::Value;

use crate::args::Place;
use crate::error::Failure;
use crate::tls;

/// The directory that a server uses unless told otherwise.
const DEFAULT_DIRECTORY: &str = "./hull-data";

/// An open way to the data.
pub(crate) struct Target {
    client: AdminClient,
    local: Option<Local>,
}

/// What was chosen.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Url(String),
    Directory(PathBuf),
}

impl Target {
    /// Opens what was chosen.
    pub(crate) async fn open(place: &Place) -> Result<Target, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match choose(place, variable, is_database)? {
            Choice::Url(url) => {
                let key = place
                    .admin_key
                    .clone()
                    .or_else(|| variable("HULL_ADMIN_KEY"))
                    .or_else(|| variable("CONVEX_SELF_HOSTED_ADMIN_KEY"));
                let secure = url.starts_with("https:");
                let client = if secure { tls::client(&url, key)? } else { AdminClient::tcp(&url, key)? };
                Ok(Target { client, local: None })
            }
            Choice::Directory(directory) => {
                let local = Local::open(&directory).await?;
                Ok(Target { client: local.client().clone(), local: Some(local) })
            }
        }
    }

    /// What it is spoken to through.
    pub(crate) fn client(&self) -> &AdminClient {
        &self.client
    }

    /// Where functions run and websockets are served.
    pub(crate) async fn with_functions(&self) -> Result<AdminClient, Failure> {
        if self.local.is_none() {
            return Ok(self.client.clone());
        }
        let server: Value = self.client.get("/api/hull/server").await?;
        let key = server["key"].as_str().map(str::to_owned);
        match server["url"].as_str() {
            Some(url) => Ok(AdminClient::tcp(url, key)?),
            None => Err(Failure::Usage(
                "no server runs on this data directory, and functions run in a server only: start it, or give its \
                 address with --url"
                    .to_owned(),
            )),
        }
    }

    /// Lets go of it.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self.local {
            Some(local) => Ok(local.close().await?),
            None => Ok(()),
        }
    }
}

/// The data directory that is meant, for what works on directories alone.
pub(crate) fn directory(place: &Place) -> Result<PathBuf, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match place.data_dir.clone().or_else(|| variable("HULL_DATA_DIR").map(PathBuf::from)) {
        Some(directory) => Ok(directory),
        None => Err(Failure::Usage("this works on a data directory: name it with --data-dir".to_owned())),
    }
}

fn is_database(directory: &Path) -> bool {
    directory.join("format").is_file()
}

fn choose(
    place: &Place,
    variable: impl Fn(&str) -> Option<String>,
    is_database: impl Fn(&Path) -> bool,
) -> Result<Choice, Failure> {
    if let Some(url) = &place.url {
        return Ok(Choice::Url(url.clone()));
    }
    if let Some(directory) = &place.data_dir {
        return Ok(Choice::Directory(directory.clone()));
    }
    if let Some(url) = variable("HULL_URL") {
        return Ok(Choice::Url(url));
    }
    if let Some(directory) = variable("HULL_DATA_DIR") {
        return Ok(Choice::Directory(directory.into()));
    }
    if let Some(url) = variable("CONVEX_SELF_HOSTED_URL") {
        return Ok(Choice::Url(url));
    }
    if is_database(Path::new(DEFAULT_DIRECTORY)) {
        return Ok(Choice::Directory(DEFAULT_DIRECTORY.into()));
    }
    Err(Failure::Usage(
        "where is the data? Give --url and --admin-key (or HULL_URL and HULL_ADMIN_KEY) for a server, or --data-dir \
         for a data directory"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_variables_and_ours_before_those_of_convex() {
        let place = |url: Option<&str>, directory: Option<&str>| Place {
            url: url.map(str::to_owned),
            admin_key: None,
            data_dir: directory.map(PathBuf::from),
        };
        let variables = |set: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            }
        };
        let url = |url: &str| Choice::Url(url.to_owned());
        let directory = |path: &str| Choice::Directory(path.into());
        let none = place(None, None);
        let all = variables(&[("HULL_URL", "h"), ("HULL_DATA_DIR", "d"), ("CONVEX_SELF_HOSTED_URL", "c")]);
        assert_eq!(choose(&place(Some("u"), None), all, |_| true).unwrap(), url("u"));
        assert_eq!(choose(&place(None, Some("x")), all, |_| true).unwrap(), directory("x"));
        assert_eq!(choose(&none, all, |_| true).unwrap(), url("h"));
        let two = variables(&[("HULL_DATA_DIR", "d"), ("CONVEX_SELF_HOSTED_URL", "c")]);
        assert_eq!(choose(&none, two, |_| true).unwrap(), directory("d"));
        assert_eq!(choose(&none, variables(&[("CONVEX_SELF_HOSTED_URL", "c")]), |_| true).unwrap(), url("c"));
        assert_eq!(choose(&none, variables(&[]), |_| true).unwrap(), directory(DEFAULT_DIRECTORY));
        assert!(matches!(choose(&none, variables(&[]), |_| false), Err(Failure::Usage(_))));
    }
}
