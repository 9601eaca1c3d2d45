//! The lock of a directory: one opener at a time, among all processes. The operating system
//! releases it when the holder ends, however it ends. The file is never removed: removing it would
//! let two openers lock two files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::EngineError;

const FILE: &str = "LOCK";

/// Holds the directory until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    /// After the file: once this is gone, the directory is free.
    held: Arc<()>,
}

/// Tells whether an opener still holds its directory. Counting the holders of an opener would not:
/// the last one is gone before what it held is.
pub(crate) struct Hold(Weak<()>);

impl Hold {
    /// Whether the directory is free.
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, EngineError> {
        let path = dir.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options
            .open(&path)
            .map_err(EngineError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EngineError::Locked {
                    dir: dir.to_owned(),
                    pid: holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(EngineError::io("lock", &path)(error)),
        }
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let line = format!("{} {since}\n", std::process::id());
        // Only told to a second opener, so a failure to write it is no reason to refuse the first.
        let _ = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(line.as_bytes()));
        Ok(Self {
            _file: file,
            held: Arc::default(),
        })
    }

    pub(super) fn hold(&self) -> Hold {
        Hold(Arc::downgrade(&self.held))
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.split_whitespace().next()?.parse().ok()
}
