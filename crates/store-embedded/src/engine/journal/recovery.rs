//! Reading the journal: on opening, after a failure, and for `verify`. Decides between a torn tail,
//! which is cut off, and damage to what was acknowledged, which is refused with its file and
//! offset.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::frame::{self, Frame, HEADER_BYTES, Kind, SegmentHeader};
use super::{JOURNAL, Journal, Mark};
use crate::engine::durable::{Watermark, sync_dir};
use crate::engine::error::EngineError;

/// A journal that was read, ready to be written on.
#[derive(Debug)]
pub(in crate::engine) struct Recovered {
    pub(in crate::engine) journal: Journal,
    /// Above every sequence number of the journal, and of what was in its deleted segments.
    pub(in crate::engine) next_sequence: u64,
}

/// Reads all segments in order, gives each batch to `apply`, cuts off a torn tail and makes the
/// rest durable.
pub(in crate::engine) fn recover(
    dir: &Path,
    mut apply: impl FnMut(&Path, u64, &Bytes) -> Result<(), EngineError>,
) -> Result<Recovered, EngineError> {
    let found = read_all(dir, |path, frame| match frame.kind {
        Kind::Batch => apply(path, frame.sequence, &frame.payload),
        Kind::Seal => Ok(()),
    })?;
    if let Some(torn) = &found.torn_creation {
        fs::remove_file(torn).map_err(EngineError::io("delete", torn))?;
        sync_dir(&dir.join(JOURNAL))?;
    }
    let open = || -> std::io::Result<File> {
        let file = OpenOptions::new().append(true).open(&found.path)?;
        if file.metadata()?.len() > found.mark.end {
            file.set_len(found.mark.end)?;
        }
        // Whole frames that a killed process left in the page cache are served from now on, so they
        // must stay.
        file.sync_data()?;
        Ok(file)
    };
    let file = open().map_err(EngineError::io("truncate", &found.path))?;
    let journal = Journal::at(dir, &found.header, file, found.mark);
    Ok(Recovered {
        journal,
        next_sequence: found.next_sequence,
    })
}

/// Reads all segments and changes nothing.
pub(in crate::engine) fn check(dir: &Path) -> Result<(), EngineError> {
    read_all(dir, |_, _| Ok(())).map(|_| ())
}

/// Proves that a segment holds sound frames up to `end`, the last of them `number`, and nothing
/// else.
pub(super) fn read_back(path: &Path, nonce: u64, end: u64, number: u64) -> Result<(), EngineError> {
    let bytes = read(path)?;
    let header = SegmentHeader::decode(&bytes).filter(|header| header.nonce == nonce);
    let header =
        header.ok_or_else(|| EngineError::corrupt(path, "the header cannot be read back"))?;
    let run = Run::read(&bytes, &header, |_| Ok(()))?;
    if run.end as u64 != end || bytes.len() as u64 != end || run.number != number {
        return Err(EngineError::corrupt(
            path,
            format!("what was durable cannot be read back after {}", run.end),
        ));
    }
    Ok(())
}

/// The segments by number.
pub(super) fn segments(journal: &Path) -> Result<Vec<(u64, PathBuf)>, EngineError> {
    let entries = match fs::read_dir(journal) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(EngineError::corrupt(journal, "missing"));
        }
        Err(error) => return Err(EngineError::io("list", journal)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(EngineError::io("list", journal))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".log"));
        if let Some(number) = name.and_then(|name| name.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

struct Found {
    path: PathBuf,
    header: SegmentHeader,
    mark: Mark,
    next_sequence: u64,
    /// A newest segment whose creation a crash interrupted, before anything could be written to it.
    torn_creation: Option<PathBuf>,
}

fn read_all(
    dir: &Path,
    mut each: impl FnMut(&Path, &Frame) -> Result<(), EngineError>,
) -> Result<Found, EngineError> {
    let mut segments = segments(&dir.join(JOURNAL))?;
    let watermark = Watermark::read(dir)?
        .ok_or_else(|| EngineError::corrupt(&dir.join("DURABLE"), "missing"))?;
    let torn_creation = torn_creation(&mut segments, watermark)?;
    let mut found: Option<Found> = None;
    let count = segments.len();
    for (at, (number, path)) in segments.into_iter().enumerate() {
        let bytes = read(&path)?;
        let header = header(&path, number, &bytes, found.as_ref())?;
        let run = Run::read(&bytes, &header, |frame| each(&path, frame))?;
        let last = at + 1 == count;
        run.judge(
            &path,
            &bytes,
            &header,
            if last { Place::Newest } else { Place::Before },
        )?;
        let mark = Mark {
            end: run.end as u64,
            number: run.number,
            checksum: run.checksum,
        };
        let next_sequence = run
            .sequence
            .map_or(0, |sequence| sequence + 1)
            .max(header.base);
        let next_sequence =
            next_sequence.max(found.as_ref().map_or(0, |found| found.next_sequence));
        found = Some(Found {
            path,
            header,
            mark,
            next_sequence,
            torn_creation: None,
        });
    }
    let newest = found.filter(|found| found.header.segment >= watermark.segment);
    let mut found = newest.ok_or_else(|| {
        let missing = super::segment_path(&dir.join(JOURNAL), watermark.segment);
        EngineError::corrupt(&missing, "missing")
    })?;
    if found.mark.number < watermark.frame {
        let what = format!(
            "acknowledged frames are missing after offset {}",
            found.mark.end
        );
        return Err(EngineError::corrupt(&found.path, what));
    }
    found.torn_creation = torn_creation;
    Ok(found)
}

/// Takes the newest segment off the list if it has no sound header and never held a frame.
fn torn_creation(
    segments: &mut Vec<(u64, PathBuf)>,
    known: Watermark,
) -> Result<Option<PathBuf>, EngineError> {
    let Some((number, path)) = segments.last() else {
        return Ok(None);
    };
    let bytes = read(path)?;
    let unused = bytes
        .get(HEADER_BYTES..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == 0);
    if *number > known.segment && unused && SegmentHeader::decode(&bytes).is_none() {
        return Ok(segments.pop().map(|(_, path)| path));
    }
    Ok(None)
}

fn header(
    path: &Path,
    number: u64,
    bytes: &Bytes,
    before: Option<&Found>,
) -> Result<SegmentHeader, EngineError> {
    let header = SegmentHeader::decode(bytes).filter(|header| header.segment == number);
    let header = header.ok_or_else(|| EngineError::corrupt(path, "the header is not sound"))?;
    let Some(before) = before else {
        return Ok(header);
    };
    if before.header.segment + 1 != number {
        let missing = super::segment_path(path.parent().unwrap_or(path), before.header.segment + 1);
        return Err(EngineError::corrupt(&missing, "missing"));
    }
    if before.mark.number + 1 != header.first || before.mark.checksum != header.previous {
        let what = format!(
            "acknowledged frames are missing after offset {}",
            before.mark.end
        );
        return Err(EngineError::corrupt(&before.path, what));
    }
    Ok(header)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Newest,
    Before,
}

/// The sound frames from the beginning of a segment on.
struct Run {
    end: usize,
    number: u64,
    checksum: u64,
    sequence: Option<u64>,
}

impl Run {
    fn read(
        bytes: &Bytes,
        header: &SegmentHeader,
        mut each: impl FnMut(&Frame) -> Result<(), EngineError>,
    ) -> Result<Self, EngineError> {
        let mut run = Self {
            end: HEADER_BYTES,
            number: header.first - 1,
            checksum: header.previous,
            sequence: None,
        };
        while let Some(frame) = frame::decode(bytes, run.end, header.nonce) {
            if frame.number != run.number + 1 {
                break;
            }
            each(&frame)?;
            run.end += frame.bytes;
            run.number = frame.number;
            run.checksum = frame.checksum;
            if frame.kind == Kind::Batch {
                run.sequence = Some(frame.sequence);
            }
        }
        Ok(run)
    }

    /// Whether what follows the run may be cut off.
    fn judge(
        &self,
        path: &Path,
        bytes: &Bytes,
        header: &SegmentHeader,
        place: Place,
    ) -> Result<(), EngineError> {
        if self.end == bytes.len() {
            return Ok(());
        }
        // Later frames prove the bad one durable, or they were lost together with it by the same
        // missing sync.
        let acknowledged =
            frame::scan(bytes, self.end, header.nonce).any(|frame| frame.durable > self.number);
        if acknowledged || place == Place::Before {
            return Err(EngineError::corrupt(
                path,
                format!("an acknowledged frame is damaged at offset {}", self.end),
            ));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Bytes, EngineError> {
    fs::read(path)
        .map(Bytes::from)
        .map_err(EngineError::io("read", path))
}
