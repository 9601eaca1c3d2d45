//! Libraries as archives: `.tar` and `.tar.gz`. What unpacks to far more than it was is refused
//! before it is in memory.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Gathered, SourceError, SourceLimits, Sources, tar};

/// Where the ratio of an archive begins to count.
const RATIO_FREE_BYTES: u64 = 1 << 20;

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
    let inner: Box<dyn Read + '_> = match bytes {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let what = "the archive is compressed with Zstandard; pack it with gzip";
            return Err(SourceError::format(what));
        }
        [b'P', b'K', ..] => {
            let what = "a ZIP archive; pack the library as `.tar.gz`";
            return Err(SourceError::format(what));
        }
        _ => Box::new(bytes),
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
