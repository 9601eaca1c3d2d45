//! The FORMAT file: the version of the file format and the key spaces of the directory, in the
//! order of their numbers on disk. It is written last when a directory is made, so that a directory
//! without it holds nothing.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::durable::replace_file;
use super::error::EngineError;

/// The format this program writes and reads.
pub(super) const FORMAT_VERSION: u32 = 1;

const FILE: &str = "FORMAT";
const TITLE: &str = "isthmus-engine ";

/// Reads the names of the directory's spaces; `None` where there is no FORMAT file.
pub(super) fn read(dir: &Path) -> Result<Option<Vec<String>>, EngineError> {
    let path = dir.join(FILE);
    let text = match fs::read(&path) {
        Ok(bytes) => {
            String::from_utf8(bytes).map_err(|_| EngineError::corrupt(&path, "not text"))?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EngineError::io("read", &path)(error)),
    };
    let title = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(TITLE));
    let Some(found) = title else {
        return Err(EngineError::corrupt(&path, "first line is not understood"));
    };
    // The version is looked at before the checksum: another format may have another one.
    if found != FORMAT_VERSION.to_string() {
        return Err(EngineError::Format {
            dir: dir.to_owned(),
            found: found.to_owned(),
            supported: FORMAT_VERSION,
        });
    }
    let parts = text.rsplit_once("checksum ");
    let sound = parts
        .is_some_and(|(body, sum)| sum.trim_end() == format!("{:016x}", xxh3_64(body.as_bytes())));
    if !sound {
        return Err(EngineError::corrupt(&path, "checksum mismatch"));
    }
    Ok(Some(
        text.lines()
            .filter_map(|line| line.strip_prefix("space "))
            .map(str::to_owned)
            .collect(),
    ))
}

/// Writes the file durably, in place of what was there.
pub(super) fn write(dir: &Path, spaces: &[String]) -> Result<(), EngineError> {
    let mut text = format!("{TITLE}{FORMAT_VERSION}\n");
    for name in spaces {
        text.push_str("space ");
        text.push_str(name);
        text.push('\n');
    }
    let sum = xxh3_64(text.as_bytes());
    replace_file(dir, FILE, format!("{text}checksum {sum:016x}\n").as_bytes())
}
