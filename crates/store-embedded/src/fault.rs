//! The engine's and the file system's failures as the contract's. Texts name files and numbers.

use std::path::Path;

use store::StoreError;

use crate::engine::EngineError;

/// The contract's word for an engine's failure.
pub(crate) fn engine(error: EngineError) -> StoreError {
    let text = error.to_string();
    match error {
        EngineError::Locked { pid, .. } => StoreError::Locked {
            pid: pid.unwrap_or_default(),
        },
        EngineError::Format {
            found, supported, ..
        } => StoreError::Format {
            found,
            known: supported,
        },
        EngineError::UnknownSpace { .. } => StoreError::Backend(text),
        EngineError::Corrupt { .. } => StoreError::Corrupt(text),
        EngineError::Failed { .. } if text.contains(NO_SPACE) => StoreError::Full,
        EngineError::Failed { .. } => StoreError::Unavailable(text),
        EngineError::OutcomeUnknown { .. } => StoreError::OutcomeUnknown,
        EngineError::Io { source, .. } => of_io(&source, text),
    }
}

/// How the standard library ends the text of ENOSPC; the engine keeps only the text of a cause.
const NO_SPACE: &str = "(os error 28)";

/// For failures of files outside the engine; names the file and what was being done.
pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| {
        of_io(
            &source,
            format!("cannot {doing} `{}`: {source}", path.display()),
        )
    }
}

fn of_io(source: &std::io::Error, text: String) -> StoreError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match source.kind() {
        StorageFull | QuotaExceeded => StoreError::Full,
        _ => StoreError::Backend(text),
    }
}
