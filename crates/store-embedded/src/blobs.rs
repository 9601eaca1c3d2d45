//! Blobs as files named by their content: `blobs/aa/<sha256>`, where `aa` begins the name.
//!
//! A blob is written beside its place, synced, renamed and the folder synced, so that what has the
//! name has the content. Which versions name it is the engine's to know ([`crate::layout`]).

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use store::{BlobId, Instant, StoreError};

use crate::fault::io;

const FOLDER: &str = "blobs";
const UNFINISHED: &str = ".new-";
/// Pieces in which a blob is read through.
const PIECE_BYTES: usize = 1 << 20;

/// The blobs of a tenant.
pub(crate) struct Blobs {
    dir: PathBuf,
    next: AtomicU64,
}

/// A blob that is being written; without [`Incoming::finish`] nothing of it stays.
pub(crate) struct Incoming {
    file: File,
    path: PathBuf,
    hash: Sha256,
    length: u64,
}

impl Blobs {
    /// The blobs of the tenant in this folder.
    pub(crate) fn new(tenant: &Path) -> Self {
        Self {
            dir: tenant.join(FOLDER),
            next: AtomicU64::new(0),
        }
    }

    fn path(&self, blob: &BlobId) -> PathBuf {
        let name = hex(&blob.sha256);
        self.dir.join(&name[..2]).join(name)
    }

    pub(crate) fn is_there(&self, blob: &BlobId) -> Result<bool, StoreError> {
        match fs::metadata(self.path(blob)) {
            Ok(found) => Ok(found.len() == blob.length),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io("look at", &self.path(blob))(error)),
        }
    }

    /// Begins to write a blob.
    pub(crate) fn begin(&self) -> Result<Incoming, StoreError> {
        create_dir(&self.dir)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self
            .dir
            .join(format!("{UNFINISHED}{}-{number}", std::process::id()));
        let file = File::create(&path).map_err(io("create", &path))?;
        Ok(Incoming {
            file,
            path,
            hash: Sha256::new(),
            length: 0,
        })
    }

    /// Gives a written blob its name, durably. Its age counts from `now`.
    pub(crate) fn finish(
        &self,
        mut incoming: Incoming,
        now: Instant,
    ) -> Result<BlobId, StoreError> {
        let hash = std::mem::take(&mut incoming.hash);
        let blob = BlobId {
            sha256: hash.finalize().into(),
            length: incoming.length,
        };
        let path = self.path(&blob);
        let micros = u64::try_from(now.0).unwrap_or(0);
        let modified = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
        let synced = incoming
            .file
            .set_modified(modified)
            .and_then(|()| incoming.file.sync_all());
        synced.map_err(io("sync", &incoming.path))?;
        let folder = path.parent().expect("a blob lies in a folder");
        create_dir(folder)?;
        fs::rename(&incoming.path, &path).map_err(io("rename", &incoming.path))?;
        sync_dir(folder)?;
        Ok(blob)
    }

    /// A part of a blob; `None` if it is not there.
    pub(crate) fn read(
        &self,
        blob: &BlobId,
        offset: u64,
        length: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(blob);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("open", &path)(error)),
        };
        let held = file.metadata().map_err(io("look at", &path))?.len();
        if held != blob.length {
            return Ok(None);
        }
        let rest = usize::try_from(blob.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(rest)];
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut bytes));
        read.map_err(io("read", &path))?;
        Ok(Some(bytes.into()))
    }

    /// All blobs with the instants from which their ages count.
    pub(crate) fn all(&self) -> Result<Vec<(BlobId, Instant)>, StoreError> {
        let mut all = Vec::new();
        for folder in entries(&self.dir)?.into_iter().filter(|path| path.is_dir()) {
            for path in entries(&folder)? {
                let sha256 = path.file_name().and_then(|name| unhex(name.to_str()?));
                let Some(sha256) = sha256 else { continue };
                let found = fs::metadata(&path).map_err(io("look at", &path))?;
                let age = found.modified().map_err(io("look at", &path))?;
                let since = age
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or_default();
                let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
                all.push((
                    BlobId {
                        sha256,
                        length: found.len(),
                    },
                    Instant(micros),
                ));
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    /// Removes a blob.
    pub(crate) fn remove(&self, blob: &BlobId) -> Result<(), StoreError> {
        let path = self.path(blob);
        fs::remove_file(&path).map_err(io("remove", &path))
    }

    /// Removes what was being written when the process ended.
    pub(crate) fn remove_unfinished(&self) -> Result<(), StoreError> {
        for path in entries(&self.dir)? {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with(UNFINISHED) {
                fs::remove_file(&path).map_err(io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// What is wrong with a blob's file, if anything, and the file's name.
    pub(crate) fn fault(&self, blob: &BlobId) -> Option<(String, &'static str)> {
        let path = self.path(blob);
        let place = path.display().to_string();
        match hash_of(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Some((place, "missing")),
            Err(_) => Some((place, "unreadable")),
            Ok(hash) if hash != blob.sha256 => Some((place, "its content has another hash")),
            Ok(_) => None,
        }
    }
}

impl Incoming {
    /// Bytes written so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        self.file.write_all(bytes).map_err(io("write", &self.path))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After the rename there is nothing under this name.
        let _ = fs::remove_file(&self.path);
    }
}

fn hash_of(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&piece[..count]),
        }
    }
}

/// The paths in a folder, in order; none where there is no folder.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let found = match fs::read_dir(dir) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("read", dir)(error)),
    };
    let paths: std::io::Result<Vec<PathBuf>> = found.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(io("read", dir))?;
    paths.sort_unstable();
    Ok(paths)
}

/// Makes creations, renames and removals in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io("sync", dir))
}

/// Makes a folder, durably, with those it lies in.
pub(crate) fn create_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    };
    create_dir(parent)?;
    match fs::create_dir(dir) {
        // Someone else made it at the same time, and may not have synced it yet.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io("create", dir)(error)),
        _ => sync_dir(parent),
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
