//! What can go wrong in the engine, named by what went wrong. Messages name files and offsets,
//! never keys or values: both hold patient data.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the engine. None of them ever stands for a value: a damaged block is an error, not
/// an absence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Another process, or another opener in this one, holds the directory.
    #[error("`{}` is in use by process {}", dir.display(), pid.unwrap_or_default())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The holder, as it wrote itself into the lock file.
        pid: Option<u32>,
    },
    /// The directory was written by a version with another file format.
    #[error("`{}` has file format {found}, this program reads {supported}", dir.display())]
    Format {
        /// The directory.
        dir: PathBuf,
        /// The format found, as written there.
        found: String,
        /// The format this program reads.
        supported: u32,
    },
    /// The directory holds a key space this program does not know: a newer program wrote it.
    #[error("`{}` holds the unknown key space `{name}`", dir.display())]
    UnknownSpace {
        /// The directory.
        dir: PathBuf,
        /// The name found.
        name: String,
    },
    /// Bytes that were once durable are not what was written.
    #[error("`{}` is damaged: {what}", file.display())]
    Corrupt {
        /// The damaged or missing file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The group was not made durable and will not come back: refused, or cut back from the
    /// journal.
    #[error("not written: {cause}")]
    Failed {
        /// The first failure, which made the engine read-only.
        cause: String,
        /// What the operating system called it; `StorageFull` is the one that room mends.
        kind: io::ErrorKind,
    },
    /// The group was not made durable, and the journal could not be cut back yet. It is not visible
    /// now. If the process ends before `Writer::try_recover` succeeds, a batch of it that is whole
    /// on disk comes back on opening.
    #[error("outcome unknown: {cause}")]
    OutcomeUnknown {
        /// The failure.
        cause: String,
    },
    /// The operating system refused an operation on a file.
    #[error("cannot {doing} `{}`: {source}", file.display())]
    Io {
        /// The operation.
        doing: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl EngineError {
    pub(super) fn io<'p>(
        doing: &'static str,
        file: &'p Path,
    ) -> impl FnOnce(io::Error) -> Self + 'p {
        move |source| Self::Io {
            doing,
            file: file.to_owned(),
            source,
        }
    }

    /// What the operating system called the failure, if it was its.
    pub(super) fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Failed { kind, .. } => *kind,
            Self::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        }
    }

    pub(super) fn corrupt(file: &Path, what: impl Into<String>) -> Self {
        Self::Corrupt {
            file: file.to_owned(),
            what: what.into(),
        }
    }
}
