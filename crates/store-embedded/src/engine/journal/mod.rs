//! The journal: what makes a batch durable. Segment files `journal/NNNNNNNN.log` in the form of
//! `frame`, written by one thread, read on opening (`recovery`).
//!
//! - A segment is created, synced and its folder synced before a frame goes into it; it is never
//!   reused. It is deleted once every tree holds on disk what is in it.
//! - After each sync a *seal* is written without syncing it: a frame which says that all before it
//!   is durable. It costs one small write, and is on disk with the next group, or when the
//!   operating system writes it out by itself.
//! - After any failure nothing is written until the file has been cut back to its last durable
//!   frame, synced and read again, and a new segment begun. What failed can therefore not come back
//!   behind something acknowledged later.
//!
//! What stays open: after a power loss, damage to the last acknowledged group alone is taken for a
//! torn tail if the seal behind it was not on disk yet (no later sync, no clean close, and the
//! operating system had not written it out, which takes it up to half a minute). Loss of power and
//! damage to that very group have to come together.

mod frame;
mod recovery;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::durable::{Watermark, sync_dir};
use super::error::EngineError;
use frame::{FrameHead, HEADER_BYTES, Kind, SegmentHeader};

pub(super) use recovery::{check, recover};

/// The folder of segments in an engine's directory.
pub(super) const JOURNAL: &str = "journal";

/// The writing end of the journal.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    segment: u64,
    nonce: u64,
    file: File,
    /// Where the next frame goes.
    end: u64,
    /// The number of the last frame written.
    number: u64,
    /// Low half of its checksum.
    checksum: u64,
    /// What is known durable: place, number and checksum of the last frame.
    durable: Mark,
    buffer: Vec<u8>,
    #[cfg(test)]
    pub(super) faults: Faults,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    end: u64,
    number: u64,
    checksum: u64,
}

/// Failures that tests ask for: the operation counted down to zero fails.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) write: Option<u32>,
    pub(super) sync: Option<u32>,
    pub(super) cut: Option<u32>,
}

#[cfg(test)]
fn strike(countdown: &mut Option<u32>) -> io::Result<()> {
    match countdown {
        Some(0) => Err(io::Error::other("injected")),
        Some(left) => {
            *left -= 1;
            Ok(())
        }
        None => Ok(()),
    }
}

impl Journal {
    /// Begins the journal of a new directory: segment 1, frame 1.
    pub(super) fn create(dir: &Path) -> Result<Self, EngineError> {
        let journal = dir.join(JOURNAL);
        fs::create_dir_all(&journal).map_err(EngineError::io("create", &journal))?;
        sync_dir(dir)?;
        let header = SegmentHeader {
            segment: 1,
            nonce: frame::nonce(),
            first: 1,
            base: 1,
            previous: 0,
        };
        let file = create_segment(&journal, &header)?;
        let mark = Mark {
            end: HEADER_BYTES as u64,
            number: 0,
            checksum: 0,
        };
        Watermark {
            segment: 1,
            frame: 0,
        }
        .write(dir)?;
        Ok(Self::at(dir, &header, file, mark))
    }

    fn at(dir: &Path, header: &SegmentHeader, file: File, mark: Mark) -> Self {
        Self {
            dir: dir.to_owned(),
            segment: header.segment,
            nonce: header.nonce,
            file,
            end: mark.end,
            number: mark.number,
            checksum: mark.checksum,
            durable: mark,
            buffer: Vec::new(),
            #[cfg(test)]
            faults: Faults::default(),
        }
    }

    /// The number of the segment that is written to.
    pub(super) fn segment(&self) -> u64 {
        self.segment
    }

    /// Bytes of frames in the segment that is written to.
    pub(super) fn segment_bytes(&self) -> u64 {
        self.end - HEADER_BYTES as u64
    }

    /// Where the durable part of the current segment ends.
    pub(super) fn durable_end(&self) -> u64 {
        self.durable.end
    }

    /// Writes one frame, not durable yet. After an error only `cut_back` may follow.
    pub(super) fn append(
        &mut self,
        sequence: u64,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), EngineError> {
        self.write(Kind::Batch, sequence, payload)
    }

    /// Makes all frames durable. After an error only `cut_back` may follow.
    pub(super) fn sync(&mut self) -> Result<(), EngineError> {
        #[cfg(test)]
        strike(&mut self.faults.sync).map_err(EngineError::io("sync", &self.path()))?;
        self.file
            .sync_data()
            .map_err(EngineError::io("sync", &self.path()))?;
        self.durable = Mark {
            end: self.end,
            number: self.number,
            checksum: self.checksum,
        };
        Ok(())
    }

    /// Writes that everything before is durable. An error leaves what is durable as it is; only
    /// `cut_back` may follow.
    pub(super) fn seal(&mut self) -> Result<(), EngineError> {
        self.write(Kind::Seal, 0, |_| ())
    }

    /// Begins a new segment and says so in the watermark. Everything written must be durable.
    /// `base` is above every sequence number in use. After an error only `cut_back` may follow: the
    /// new segment may be there, so the old one must not grow.
    pub(super) fn rotate(&mut self, base: u64) -> Result<(), EngineError> {
        debug_assert!(
            self.durable.number + 1 >= self.number,
            "only a seal may be unsynced"
        );
        // The seal becomes durable too: frames are counted without gaps into the next segment.
        self.sync()?;
        let header = SegmentHeader {
            segment: self.segment + 1,
            nonce: frame::nonce(),
            first: self.number + 1,
            base,
            previous: self.checksum,
        };
        let file = create_segment(&self.dir.join(JOURNAL), &header)?;
        self.segment = header.segment;
        self.nonce = header.nonce;
        self.file = file;
        self.end = HEADER_BYTES as u64;
        self.durable = Mark {
            end: self.end,
            number: self.number,
            checksum: self.checksum,
        };
        Watermark {
            segment: self.segment,
            frame: self.number,
        }
        .write(&self.dir)
    }

    /// Removes everything behind the last durable frame and proves by reading that the rest is
    /// there. Works on a new descriptor: the one on which a sync failed says nothing reliable any
    /// more.
    pub(super) fn cut_back(&mut self) -> Result<(), EngineError> {
        let path = self.path();
        #[cfg(test)]
        strike(&mut self.faults.cut).map_err(EngineError::io("truncate", &path))?;
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().append(true).open(&path)?;
            file.set_len(self.durable.end)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(EngineError::io("truncate", &path))?;
        recovery::read_back(&path, self.nonce, self.durable.end, self.durable.number)?;
        self.file = file;
        self.end = self.durable.end;
        self.number = self.durable.number;
        self.checksum = self.durable.checksum;
        Ok(())
    }

    /// Seals and records the end, so that the next opening can tell whether the journal is whole.
    pub(super) fn close(&mut self) -> Result<(), EngineError> {
        self.sync()?;
        Watermark {
            segment: self.segment,
            frame: self.number,
        }
        .write(&self.dir)
    }

    fn write(
        &mut self,
        kind: Kind,
        sequence: u64,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), EngineError> {
        let number = self.number + 1;
        let head = FrameHead {
            kind,
            number,
            sequence,
            durable: self.durable.number,
        };
        let checksum = frame::encode(&mut self.buffer, self.nonce, head, payload);
        let path = self.path();
        #[cfg(test)]
        if let Err(error) = strike(&mut self.faults.write) {
            // What a full disk does: a part of the frame is there.
            let part = self.buffer.len() / 2;
            self.file
                .write_all(&self.buffer[..part])
                .map_err(EngineError::io("write", &path))?;
            return Err(EngineError::io("write", &path)(error));
        }
        self.file
            .write_all(&self.buffer)
            .map_err(EngineError::io("write", &path))?;
        self.end += self.buffer.len() as u64;
        self.number = number;
        self.checksum = checksum;
        // One giant batch must not keep its bytes for ever.
        self.buffer.shrink_to(1 << 20);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        segment_path(&self.dir.join(JOURNAL), self.segment)
    }
}

/// Deletes the segments before `segment`, of the engine in `dir`. Oldest first and one by one
/// durably: if only some of them came back after a power loss, the hole between them would be taken
/// for a lost segment.
pub(super) fn delete_before(dir: &Path, segment: u64) -> Result<(), EngineError> {
    let journal = dir.join(JOURNAL);
    for (number, path) in recovery::segments(&journal)? {
        if number < segment {
            fs::remove_file(&path).map_err(EngineError::io("delete", &path))?;
            sync_dir(&journal)?;
        }
    }
    Ok(())
}

fn segment_path(journal: &Path, segment: u64) -> PathBuf {
    journal.join(format!("{segment:08}.log"))
}

fn create_segment(journal: &Path, header: &SegmentHeader) -> Result<File, EngineError> {
    let path = segment_path(journal, header.segment);
    let create = || -> io::Result<File> {
        // A leftover of this name was never used: its creation failed or was torn.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)?;
        file.write_all(&header.encode())?;
        file.sync_all()?;
        Ok(file)
    };
    let file = create().map_err(EngineError::io("create", &path))?;
    sync_dir(journal)?;
    Ok(file)
}
