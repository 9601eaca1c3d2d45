//! The engine's and the file system's failures as the contract's. Texts name files and numbers.

use std::io::ErrorKind;
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
        EngineError::Failed { kind, .. } if is_full(kind) => StoreError::Full,
        EngineError::Failed { .. } => StoreError::Unavailable(text),
        EngineError::OutcomeUnknown { .. } => StoreError::OutcomeUnknown,
        EngineError::Io { source, .. } => of_io(&source, text),
    }
}

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
    if is_full(source.kind()) {
        StoreError::Full
    } else {
        StoreError::Backend(text)
    }
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
