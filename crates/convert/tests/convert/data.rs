//! Samples and template libraries: where they lie, and how a test says whether it had them.

use std::env;
use std::path::{Path, PathBuf};

use convert::{Budgets, ConvertError, Library, Output, Processor, Settings, Sources};
use fhir::Instant;

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

/// The templates of the Python package that the tests are run with, by kind.
pub(crate) fn pypi(suite: &str, kind: &str) -> Option<Library> {
    let package = folder(suite, "pypi/python-fhir-converter-0.3.0")?;
    let templates = package.join("fhir_converter/templates").join(kind);
    Some(Library::load(&sources(&templates)))
}

/// The files of a library below a folder.
pub(crate) fn sources(folder: &Path) -> Sources {
    let files = files(folder).into_iter().map(|path| {
        let name = path.strip_prefix(folder).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        (name.to_str().unwrap().to_owned(), text)
    });
    Sources {
        files: files.collect(),
    }
}

/// All files below a folder, in the order of their paths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A library of files given here.
pub(crate) fn library(files: &[(&str, &str)]) -> Library {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Library::load(&Sources {
        files: files.collect(),
    })
}

/// Converts at a fixed time, with the usual budgets.
pub(crate) fn convert(
    library: &Library,
    root: &str,
    processor: Processor,
    input: &str,
) -> Result<Output, ConvertError> {
    convert_within(library, root, processor, input, Budgets::default())
}

/// Converts within budgets.
pub(crate) fn convert_within(
    library: &Library,
    root: &str,
    processor: Processor,
    input: &str,
    budgets: Budgets,
) -> Result<Output, ConvertError> {
    let settings = Settings {
        now: Instant::parse("2026-11-25T10:11:12.345Z").unwrap(),
        seed: 1,
        zone_offset_minutes: None,
        ids: convert::IdStrategy::Hash,
        budgets,
        time_is_up: &|| false,
    };
    library.convert(root, processor, input, &settings)
}
