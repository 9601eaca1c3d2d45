//! Checking every file of a directory against what was recorded about it, and naming each that is
//! damaged or missing.

use std::path::{Path, PathBuf};

use super::durable::Watermark;
use super::error::EngineError;
use super::format;
use super::journal;
use super::lock::Lock;
use super::shared::Shared;
use super::space::SPACES;
use super::tables;

/// A file that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileFault {
    /// The file.
    pub(crate) file: PathBuf,
    /// What is wrong with it.
    pub(crate) what: String,
}

/// Reads every file of a closed directory, changing nothing. An error means that the check itself
/// was not possible.
pub(crate) fn verify(dir: &Path) -> Result<Vec<FileFault>, EngineError> {
    let _lock = Lock::take(dir)?;
    let mut faults = Vec::new();
    let names = match format::read(dir) {
        Ok(Some(names)) => names,
        Ok(None) => {
            return Ok(vec![FileFault {
                file: dir.join("FORMAT"),
                what: "missing".to_owned(),
            }]);
        }
        Err(error) => {
            note(&mut faults, Err(error))?;
            Vec::new()
        }
    };
    note(&mut faults, Watermark::read(dir).map(|_| ()))?;
    note(&mut faults, journal::check(dir))?;
    for name in names {
        let tree = dir.join(SPACES).join(name);
        match tables::recorded(&tree) {
            Ok(recorded) => check_tables(&mut faults, recorded)?,
            Err(error) => note(&mut faults, Err(error))?,
        }
    }
    faults.dedup();
    Ok(faults)
}

/// The same for an open directory. The writer waits while the journal is read.
pub(super) fn verify_open(shared: &Shared) -> Result<Vec<FileFault>, EngineError> {
    let mut faults = Vec::new();
    {
        let _log = shared.log();
        note(&mut faults, journal::check(&shared.dir))?;
    }
    for space in &shared.spaces {
        note(&mut faults, tables::recorded(&space.path).map(|_| ()))?;
        // The version in memory keeps its tables from being deleted while they are read.
        let held = tables::held(&space.tree);
        check_tables(&mut faults, held.tables())?;
    }
    Ok(faults)
}

fn check_tables(
    faults: &mut Vec<FileFault>,
    tables: Vec<(PathBuf, u128)>,
) -> Result<(), EngineError> {
    for (path, checksum) in tables {
        note(faults, tables::check_whole(&path, checksum))?;
    }
    Ok(())
}

fn note(faults: &mut Vec<FileFault>, checked: Result<(), EngineError>) -> Result<(), EngineError> {
    match checked {
        Err(EngineError::Corrupt { file, what }) => faults.push(FileFault { file, what }),
        Err(EngineError::Io {
            doing: "read",
            file,
            source,
        }) => {
            faults.push(FileFault {
                file,
                what: source.to_string(),
            });
        }
        other => return other,
    }
    Ok(())
}
