//! The directory of a store: its lock, its format, its tenants.
//!
//! `LOCK` · `FORMAT` · `tenants/<name>/{data/, blobs/}`. A tenant is there once its folder is; it is
//! gone once the folder has another name. Names that begin with a dot are being removed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use store::{StoreError, TenantId};

use crate::blobs::{create_dir, entries, sync_dir};
use crate::fault::io;

const FORMAT_VERSION: u32 = 1;
const FORMAT: &str = "FORMAT";
const TITLE: &str = "isthmus-store ";
const LOCK: &str = "LOCK";
const TENANTS: &str = "tenants";
/// Lies in a tenant's folder while it is being restored.
const RESTORING: &str = "RESTORING";

/// A store's directory, held by this process until dropped.
pub(crate) struct Directory {
    tenants: PathBuf,
    _lock: File,
}

impl Directory {
    /// Takes the directory, making it where there is none, and removes what was begun and not
    /// finished.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        create_dir(dir)?;
        let lock = lock(dir)?;
        check_format(dir)?;
        let tenants = dir.join(TENANTS);
        create_dir(&tenants)?;
        let directory = Self {
            tenants,
            _lock: lock,
        };
        directory.tidy()?;
        Ok(directory)
    }

    pub(crate) fn path(&self, tenant: &TenantId) -> PathBuf {
        self.tenants.join(tenant.as_str())
    }

    /// All tenants.
    pub(crate) fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let folders = entries(&self.tenants)?;
        Ok(folders.iter().filter_map(|path| tenant_of(path)).collect())
    }

    /// Makes the folder of a tenant, durably.
    pub(crate) fn create(&self, tenant: &TenantId) -> Result<(), StoreError> {
        create_dir(&self.path(tenant))
    }

    /// Takes a tenant's name away, durably, then its files.
    pub(crate) fn delete(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let path = self.path(tenant);
        let gone = (0_u32..).map(|n| self.tenants.join(format!(".gone-{n}-{tenant}")));
        let gone = gone
            .into_iter()
            .find(|path| !path.exists())
            .expect("numbers do not run out");
        fs::rename(&path, &gone).map_err(io("rename", &path))?;
        sync_dir(&self.tenants)?;
        // Whatever stays is removed when the store is opened next.
        if let Err(error) = remove(&gone) {
            tracing::warn!(%error, "files of a deleted tenant stay for now");
        }
        Ok(())
    }

    /// Says durably that a tenant is being restored: until [`Directory::restored`] it holds nothing.
    pub(crate) fn restoring(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let dir = self.path(tenant);
        let path = dir.join(RESTORING);
        File::create(&path)
            .and_then(|file| file.sync_all())
            .map_err(io("create", &path))?;
        sync_dir(&dir)
    }

    /// Says durably that a restore has ended.
    pub(crate) fn restored(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let dir = self.path(tenant);
        let path = dir.join(RESTORING);
        fs::remove_file(&path).map_err(io("remove", &path))?;
        sync_dir(&dir)
    }

    fn tidy(&self) -> Result<(), StoreError> {
        for path in entries(&self.tenants)? {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if hidden {
                remove(&path)?;
            } else if let Some(tenant) = tenant_of(&path).filter(|_| path.join(RESTORING).exists())
            {
                self.delete(&tenant)?;
                self.create(&tenant)?;
            }
        }
        Ok(())
    }
}

/// The folders of all tenants of a store that is not open.
pub(crate) fn tenant_folders(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let folders = entries(&dir.join(TENANTS))?;
    Ok(folders
        .into_iter()
        .filter(|path| tenant_of(path).is_some())
        .collect())
}

fn tenant_of(path: &Path) -> Option<TenantId> {
    let name = path.file_name()?.to_str()?;
    TenantId::parse(name).ok().filter(|_| path.is_dir())
}

fn remove(dir: &Path) -> Result<(), StoreError> {
    fs::remove_dir_all(dir).map_err(io("remove", dir))
}

/// Takes the lock, which the operating system releases when the process ends, however it ends. The
/// file says who holds it and is never removed: two processes could then lock two files.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = opened.map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked {
                pid: holder(&mut file),
            });
        }
        Err(TryLockError::Error(error)) => return Err(io("lock", &path)(error)),
    }
    let line = format!("{}\n", std::process::id());
    // Only told to a second process, so a failure to write it is no reason to refuse the first.
    let _ = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(line.as_bytes()));
    Ok(file)
}

fn holder(file: &mut File) -> u32 {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    read.ok()
        .and_then(|_| text.trim().parse().ok())
        .unwrap_or(0)
}

fn check_format(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(FORMAT);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let found = text.strip_prefix(TITLE).map(str::trim_end);
            if found.and_then(|found| found.parse().ok()) == Some(FORMAT_VERSION) {
                return Ok(());
            }
            let found = found.unwrap_or("not a store's").to_owned();
            Err(StoreError::Format {
                found,
                known: FORMAT_VERSION,
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => write_format(dir, &path),
        Err(error) => Err(io("read", &path)(error)),
    }
}

fn write_format(dir: &Path, path: &Path) -> Result<(), StoreError> {
    if dir.join(TENANTS).exists() {
        return Err(StoreError::Corrupt(format!(
            "`{}` is missing",
            path.display()
        )));
    }
    let new = dir.join("FORMAT.new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&new)?;
        writeln!(file, "{TITLE}{FORMAT_VERSION}")?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(io("write", path))?;
    sync_dir(dir)
}
