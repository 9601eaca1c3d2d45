//! Libraries as archives: `.tar` and `.tar.gz`. What unpacks to far more than it was is refused
//! before it is in memory.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Gathered, SourceError, SourceLimits, Sources, tar};

/// Where the ratio of an archive begins to count.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// What the bytes of a gzip file begin with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is no archive of a library, by its first bytes, and how to mend it.
const REFUSED: &[(&[u8], &str, &str)] = &[
    (b"PK", "a ZIP archive", PACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", PACK),
    (b"Rar!", "a RAR archive", PACK),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", COMPRESS),
    (b"BZh", "compressed with bzip2", COMPRESS),
    (b"\xfd7zXZ\0", "compressed with xz", COMPRESS),
    (b"\x04\x22\x4d\x18", "compressed with LZ4", COMPRESS),
    (b"\x1f\x9d", "compressed with `compress`", COMPRESS),
    (
        b"<",
        "a page or a document",
        "it may be an error of the server it came from",
    ),
];
const PACK: &str = "pack the library as `.tar.gz`";
const COMPRESS: &str = "compress the archive with gzip";

/// Reads the archive of a library.
pub fn read(bytes: &[u8], limits: &SourceLimits) -> Result<Sources, SourceError> {
    let mut gathered = Gathered::new(limits);
    layer(bytes, limits, &mut gathered)?;
    gathered.end_layer()?;
    Ok(gathered.finish())
}

/// Reads an archive into the layer at hand.
pub(super) fn layer(
    bytes: &[u8],
    limits: &SourceLimits,
    into: &mut Gathered<'_>,
) -> Result<(), SourceError> {
    let packed = bytes.len() as u64;
    if packed > limits.packed_bytes_max {
        let max = limits.packed_bytes_max;
        return Err(SourceError::limit("packed_bytes_max", max, ""));
    }
    // A file in an archive may be named like any of those.
    if !tar::begins(bytes)
        && let Some((_, what, remedy)) = REFUSED.iter().find(|it| bytes.starts_with(it.0))
    {
        let what = format!("not a tar archive, but {what} at byte 0; {remedy}");
        return Err(SourceError::format(what));
    }
    let inner: Box<dyn Read + '_> = if bytes.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    };
    let by_ratio = packed
        .saturating_mul(limits.ratio_max)
        .max(RATIO_FREE_BYTES);
    let (max, name) = if by_ratio < limits.bytes_max {
        (limits.ratio_max, "ratio_max")
    } else {
        (limits.bytes_max, "bytes_max")
    };
    let mut unpacked = Bounded {
        inner,
        // Headers and padding are no files, but no reason to go on for ever either.
        left: by_ratio.min(limits.bytes_max.saturating_mul(2)),
        limit: SourceError::limit(name, max, ""),
    };
    tar::read(&mut unpacked, into)
}

/// Gives so many bytes, then the limit as an error.
struct Bounded<'b> {
    inner: Box<dyn Read + 'b>,
    left: u64,
    limit: SourceError,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        let Some(left) = self.left.checked_sub(count as u64) else {
            return Err(std::io::Error::other(self.limit.clone()));
        };
        self.left = left;
        Ok(count)
    }
}

/// Packs a library as `.tar.gz`; the same files give the same bytes.
pub fn write(sources: &Sources) -> Vec<u8> {
    let mut files: Vec<_> = sources.files.iter().collect();
    files.sort();
    let files = files
        .into_iter()
        .map(|(path, text)| (path.as_str(), text.as_bytes()));
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    packed.write_all(&tar::write(files)).ok();
    packed.finish().unwrap_or_default()
}
