//! Small durable files: replaced whole, then the directory is synced, because a rename that is not
//! synced is a rename that did not happen.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::error::EngineError;

/// Makes creations, renames and removals in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), EngineError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(EngineError::io("sync", dir))
}

/// Replaces `dir/name` by `content`, so that after a crash one of the two is there, whole.
pub(super) fn replace_file(dir: &Path, name: &str, content: &[u8]) -> Result<(), EngineError> {
    let path = dir.join(name);
    let temporary = dir.join(format!("{name}.new"));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(EngineError::io("write", &path))?;
    sync_dir(dir)
}

/// A lower bound of what the journal has made durable, kept beside it. It is written when a segment
/// begins and on closing, and never has to be taken back: the journal may only be further. It is
/// what finds a journal that lost its last file, or the end of it at the border of two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watermark {
    /// The newest segment.
    pub(super) segment: u64,
    /// The number of the last durable frame.
    pub(super) frame: u64,
}

const WATERMARK: &str = "DURABLE";

impl Watermark {
    pub(super) fn write(self, dir: &Path) -> Result<(), EngineError> {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend(self.segment.to_le_bytes());
        bytes.extend(self.frame.to_le_bytes());
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        replace_file(dir, WATERMARK, &bytes)
    }

    /// `None` where there is no such file, as in a directory that is being made.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, EngineError> {
        let path = dir.join(WATERMARK);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineError::io("read", &path)(error)),
        };
        let word = |at: usize| {
            bytes
                .get(at..at + 8)
                .and_then(|word| word.try_into().ok())
                .map(u64::from_le_bytes)
        };
        let (Some(segment), Some(frame), Some(sum), 24) = (word(0), word(8), word(16), bytes.len())
        else {
            return Err(EngineError::corrupt(
                &path,
                "has not the length of a watermark",
            ));
        };
        if sum != xxh3_64(&bytes[..16]) {
            return Err(EngineError::corrupt(&path, "checksum mismatch"));
        }
        Ok(Some(Self { segment, frame }))
    }
}
