//! Large official samples: where they lie, and how a test says whether it had them.

use std::env;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fhir::json::{Document, Limits};

/// A folder of the sample data, if it is there; otherwise the suite is told to be skipped.
pub(crate) fn folder(suite: &str, set: &str) -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let root = variable("ISTHMUS_DATA").or_else(|| Some(cache()?.join("isthmus-data")));
    let folder = root.map(|root| root.join(set)).filter(|it| it.is_dir());
    if folder.is_none() {
        println!("isthmus-skipped: {suite}: {set} is not there");
    }
    folder
}

/// The files with that ending below a folder, in the order of their paths.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn read(file: &Path) -> Bytes {
    std::fs::read(file).unwrap().into()
}

pub(crate) fn parse(text: impl Into<Bytes>) -> Document {
    Document::parse(text.into(), &Limits::DEFAULT).unwrap()
}
