//! What the trees keep on disk, as far as we look at it ourselves: the manifest (`current`,
//! `v<id>`), which `lsm-tree` reads without checking it, and table files, whose name it does not
//! tell when one is damaged.
//!
//! `current` holds the manifest's number (u64), its XXH3-128 and a zero; `v<number>` the list of
//! tables with the XXH3-128 of each whole file.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use lsm_tree::{AbstractTree, AnyTree, Slice, Table};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::error::EngineError;
use super::snapshot::Bounds;

/// The folder of table files in a tree's folder.
pub(super) const TABLES: &str = "tables";

const CURRENT: &str = "current";

/// The number of the manifest that is in force.
pub(super) fn current_version(tree: &Path) -> Result<u64, EngineError> {
    read_current(tree).map(|(id, _)| id)
}

/// The table files of the manifest in force, with the checksum of each, after proving that the
/// manifest is what was written. The tree itself would read a damaged one, and would make an empty
/// tree where `current` is missing.
pub(super) fn recorded(tree: &Path) -> Result<Vec<(PathBuf, u128)>, EngineError> {
    let (id, checksum) = read_current(tree)?;
    let path = tree.join(format!("v{id}"));
    let bytes = fs::read(&path).map_err(|error| missing_or(&path, error))?;
    if xxh3_128(&bytes) != checksum {
        return Err(EngineError::corrupt(
            &path,
            "it and `current` beside it do not agree",
        ));
    }
    let tables = section(&bytes, b"tables").and_then(|section| table_list(&bytes[section]));
    let tables = tables.ok_or_else(|| EngineError::corrupt(&path, "malformed"))?;
    Ok(tables
        .into_iter()
        .map(|(id, sum)| (tree.join(TABLES).join(id.to_string()), sum))
        .collect())
}

/// Proves that the directory of sections at a table's end is sound. The tree would reserve memory
/// for whatever number of sections a damaged one names.
pub(super) fn check_end(path: &Path) -> Result<(), EngineError> {
    let mut file = File::open(path).map_err(|error| missing_or(path, error))?;
    let mut read = || -> std::io::Result<Option<Vec<u8>>> {
        let length = file.metadata()?.len();
        let start = length.saturating_sub(TRAILER_BYTES as u64);
        let mut trailer = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(&mut trailer)?;
        let Some(at) = trailer_toc(&trailer)
            .map(|(at, _)| at)
            .filter(|at| *at <= start)
        else {
            return Ok(None);
        };
        file.seek(SeekFrom::Start(at))?;
        let mut end = Vec::new();
        // A table of contents takes a few hundred bytes; a pointer far away is a damaged one.
        (&mut file).take(1 << 16).read_to_end(&mut end)?;
        Ok((length - at <= 1 << 16).then_some(end))
    };
    let end = read().map_err(EngineError::io("read", path))?;
    let sound = end.is_some_and(|end| {
        let toc = end
            .len()
            .checked_sub(TRAILER_BYTES)
            .map(|len| end.split_at(len));
        toc.is_some_and(|(toc, trailer)| {
            trailer_toc(trailer).is_some_and(|(_, sum)| xxh3_128(toc) == sum)
        })
    });
    if sound {
        Ok(())
    } else {
        Err(EngineError::corrupt(
            path,
            "the end is not what was written",
        ))
    }
}

/// Reads a whole file and compares it with its recorded checksum.
pub(super) fn check_whole(path: &Path, checksum: u128) -> Result<(), EngineError> {
    let mut file = File::open(path).map_err(|error| missing_or(path, error))?;
    let mut hasher = Xxh3Default::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file
            .read(&mut buffer)
            .map_err(EngineError::io("read", path))?
        {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    if hasher.digest128() == checksum {
        Ok(())
    } else {
        Err(EngineError::corrupt(path, "checksum mismatch"))
    }
}

/// The first recorded file of a tree that is not what was written.
pub(super) fn first_damaged(tree: &Path) -> Option<EngineError> {
    recorded(tree)
        .ok()?
        .into_iter()
        .find_map(|(path, sum)| check_whole(&path, sum).err())
}

/// A version of a tree, whose tables stay on disk as long as it is held.
pub(super) struct Held {
    tables: Vec<Table>,
}

impl Held {
    pub(super) fn tables(&self) -> Vec<(PathBuf, u128)> {
        let entry = |table: &Table| (table.path.as_ref().clone(), table.checksum().into_u128());
        self.tables.iter().map(entry).collect()
    }
}

pub(super) fn held(tree: &AnyTree) -> Held {
    Held {
        tables: tree.current_version().iter_tables().cloned().collect(),
    }
}

/// The file format of manifests and tables alike: sections, a table of contents, a trailer.
const TRAILER_BYTES: usize = 4 + 1 + 1 + 16 + 8 + 8;

/// Position and checksum of the table of contents.
fn trailer_toc(trailer: &[u8]) -> Option<(u64, u128)> {
    let mut at = Cursor { bytes: trailer };
    let known = at.take(6)? == b"SFA!\x01\x00" && trailer.len() == TRAILER_BYTES;
    let checksum = u128::from_le_bytes(at.take(16)?.try_into().ok()?);
    known.then_some((at.word()?, checksum))
}

fn section(bytes: &[u8], name: &[u8]) -> Option<std::ops::Range<usize>> {
    let end = bytes.len().checked_sub(TRAILER_BYTES)?;
    let (toc, _) = trailer_toc(&bytes[end..])?;
    let mut at = Cursor {
        bytes: bytes.get(usize::try_from(toc).ok()?..end)?,
    };
    at.take(4)?;
    for _ in 0..at.half()? {
        let (start, length) = (
            usize::try_from(at.word()?).ok()?,
            usize::try_from(at.word()?).ok()?,
        );
        let name_length = u16::from_le_bytes(at.take(2)?.try_into().ok()?);
        if at.take(usize::from(name_length))? == name {
            let section = start..start.checked_add(length)?;
            return (section.end <= bytes.len()).then_some(section);
        }
    }
    None
}

/// Levels of runs of tables: number, kind of checksum, checksum, and a sequence number that only
/// imports set.
fn table_list(section: &[u8]) -> Option<Vec<(u64, u128)>> {
    let mut at = Cursor { bytes: section };
    let mut tables = Vec::new();
    for _ in 0..at.byte()? {
        for _ in 0..at.byte()? {
            for _ in 0..at.half()? {
                let id = at.word()?;
                at.byte()?;
                tables.push((id, u128::from_le_bytes(at.take(16)?.try_into().ok()?)));
                at.word()?;
            }
        }
    }
    Some(tables)
}

struct Cursor<'b> {
    bytes: &'b [u8],
}

impl<'b> Cursor<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn half(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn word(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
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

/// The table that made reading within bounds fail: the first whose entries cannot be read, else the
/// first of which anything (a filter, an index) is not what was written.
pub(super) fn find_damaged(tree: &AnyTree, bounds: &Bounds) -> Option<PathBuf> {
    let own = |bound: &std::ops::Bound<bytes::Bytes>| bound.clone().map(Slice::from);
    let bounds = (own(&bounds.0), own(&bounds.1));
    let held = held(tree);
    let unreadable = |table: &&Table| table.range(bounds.clone()).any(|entry| entry.is_err());
    if let Some(table) = held.tables.iter().find(unreadable) {
        return Some(table.path.as_ref().clone());
    }
    let mut tables = held.tables().into_iter();
    tables
        .find(|(path, checksum)| check_whole(path, *checksum).is_err())
        .map(|(path, _)| path)
}
