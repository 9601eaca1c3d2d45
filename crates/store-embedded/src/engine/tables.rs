//! What the trees keep on disk, as far as we look at it ourselves: the manifest (`current`, `v<id>`), which `lsm-tree`
//! reads without checking it, and table files, whose name it does not tell when one is damaged.
//!
//! `current` holds the manifest's number (u64), its XXH3-128 and a zero; `v<number>` the list of tables with the
//! XXH3-128 of each whole file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lsm_tree::{AbstractTree, AnyTree, Slice, Table};
use xxhash_rust::xxh3::xxh3_128;

use super::error::EngineError;
use super::snapshot::Bounds;

/// The folder of table files in a tree's folder.
pub(super) const TABLES: &str = "tables";

const CURRENT: &str = "current";

/// The number of the manifest that is in force.
pub(super) fn current_version(tree: &Path) -> Result<u64, EngineError> {
    read_current(tree).map(|(id, _)| id)
}

/// Proves that the manifest is what was written. The tree would read a damaged one, and make an empty tree where
/// `current` is missing.
pub(super) fn check_manifest(tree: &Path) -> Result<(), EngineError> {
    let (id, checksum) = read_current(tree)?;
    let path = tree.join(format!("v{id}"));
    let bytes = fs::read(&path).map_err(|error| missing_or(&path, error))?;
    if xxh3_128(&bytes) != checksum {
        return Err(EngineError::corrupt(&path, "checksum mismatch"));
    }
    Ok(())
}

fn read_current(tree: &Path) -> Result<(u64, u128), EngineError> {
    let path = tree.join(CURRENT);
    let bytes = fs::read(&path).map_err(|error| missing_or(&path, error))?;
    let id = bytes
        .get(..8)
        .and_then(|id| id.try_into().ok())
        .map(u64::from_le_bytes);
    let checksum = bytes
        .get(8..24)
        .and_then(|sum| sum.try_into().ok())
        .map(u128::from_le_bytes);
    match (id, checksum, bytes.get(24..)) {
        (Some(id), Some(checksum), Some([0])) => Ok((id, checksum)),
        _ => Err(EngineError::corrupt(&path, "malformed")),
    }
}

fn missing_or(path: &Path, error: std::io::Error) -> EngineError {
    if error.kind() == ErrorKind::NotFound {
        return EngineError::corrupt(path, "missing");
    }
    EngineError::io("read", path)(error)
}

/// The first table in which reading entries within bounds fails.
pub(super) fn find_damaged(tree: &AnyTree, bounds: &Bounds) -> Option<PathBuf> {
    let own = |bound: &std::ops::Bound<bytes::Bytes>| bound.clone().map(Slice::from);
    let bounds = (own(&bounds.0), own(&bounds.1));
    let version = tree.current_version();
    let damaged = |table: &&Table| table.range(bounds.clone()).any(|entry| entry.is_err());
    version
        .iter_tables()
        .find(damaged)
        .map(|table| table.path.as_ref().clone())
}
