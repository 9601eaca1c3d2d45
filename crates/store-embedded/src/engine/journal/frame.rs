//! The bytes of a journal segment: one header, then frames. All numbers little-endian.
//!
//! ```text
//! header  "ISTHJRNL" format:u32 0:u32 segment:u64 nonce:u64 first:u64 base:u64 previous:u64 xxh3_64
//! frame   "IsFr" kind:u8 codec:u8 0:u16 length:u64 number:u64 sequence:u64 durable:u64 xxh3_64(nonce)
//!         payload xxh3_128(nonce) of all before it
//! ```
//! `first` is the number of the segment's first frame, `base` is above every sequence number used
//! before it, `previous` the checksum of the frame before it. Frames are numbered without gaps
//! through all segments. `durable` is the number of the last frame known durable when this one was
//! written: with it a reader tells a torn tail from damage. The checksums are seeded by a nonce
//! that no client knows, so that a stored document cannot contain what looks like a frame, and
//! bytes of a former file in reused disk blocks cannot either. `codec` is 0, plain; encryption at
//! rest will be another value, with the frame's number and the nonce as its own nonce.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

/// Length of a segment's header.
pub(super) const HEADER_BYTES: usize = 64;
const SEGMENT_MAGIC: &[u8; 8] = b"ISTHJRNL";
const SEGMENT_FORMAT: u32 = 1;

/// Length of a frame without its payload: header and checksum.
pub(super) const FRAME_BYTES: usize = FRAME_HEADER_BYTES + CHECKSUM_BYTES;
const FRAME_HEADER_BYTES: usize = FIELD_BYTES + 8;
const FIELD_BYTES: usize = 40;
const CHECKSUM_BYTES: usize = 16;
const FRAME_MAGIC: &[u8; 4] = b"IsFr";

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) segment: u64,
    pub(super) nonce: u64,
    pub(super) first: u64,
    pub(super) base: u64,
    pub(super) previous: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&SEGMENT_FORMAT.to_le_bytes());
        for (at, word) in [
            self.segment,
            self.nonce,
            self.first,
            self.base,
            self.previous,
        ]
        .into_iter()
        .enumerate()
        {
            bytes[16 + at * 8..24 + at * 8].copy_from_slice(&word.to_le_bytes());
        }
        let sum = xxh3_64(&bytes[..56]);
        bytes[56..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let sound = &bytes[..8] == SEGMENT_MAGIC
            && bytes[8..12] == SEGMENT_FORMAT.to_le_bytes()
            && word(bytes, 56) == xxh3_64(&bytes[..56]);
        sound.then(|| Self {
            segment: word(bytes, 16),
            nonce: word(bytes, 24),
            first: word(bytes, 32),
            base: word(bytes, 40),
            previous: word(bytes, 48),
        })
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A batch.
    Batch = 1,
    /// Nothing: it says that what came before is durable.
    Seal = 2,
}

/// A frame that was read.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) sequence: u64,
    pub(super) durable: u64,
    pub(super) payload: Bytes,
    pub(super) checksum: u64,
    /// Its length in the file.
    pub(super) bytes: usize,
}

/// The fields a writer chooses.
#[derive(Clone, Copy)]
pub(super) struct FrameHead {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) sequence: u64,
    pub(super) durable: u64,
}

/// Writes one frame into `to`, which is cleared first, and returns the low half of its checksum.
pub(super) fn encode(
    to: &mut Vec<u8>,
    nonce: u64,
    head: FrameHead,
    payload: impl FnOnce(&mut Vec<u8>),
) -> u64 {
    to.clear();
    to.extend_from_slice(FRAME_MAGIC);
    to.extend_from_slice(&[head.kind as u8, 0, 0, 0]);
    to.extend_from_slice(&[0; 8]);
    for word in [head.number, head.sequence, head.durable] {
        to.extend_from_slice(&word.to_le_bytes());
    }
    to.extend_from_slice(&[0; FRAME_HEADER_BYTES - FIELD_BYTES]);
    payload(to);
    let length = (to.len() - FRAME_HEADER_BYTES) as u64;
    to[8..16].copy_from_slice(&length.to_le_bytes());
    // A check of its own, so that scanning for frames never hashes to where a document's bytes say.
    let head_sum = xxh3_64_with_seed(&to[..FIELD_BYTES], nonce);
    to[FIELD_BYTES..FRAME_HEADER_BYTES].copy_from_slice(&head_sum.to_le_bytes());
    let sum = xxh3_128_with_seed(to, nonce);
    to.extend_from_slice(&sum.to_le_bytes());
    low(sum)
}

/// Reads the frame that begins at `at`; `None` where there is no whole and sound one.
pub(super) fn decode(bytes: &Bytes, at: usize, nonce: u64) -> Option<Frame> {
    let rest = bytes.get(at..)?;
    if rest.get(..4)? != FRAME_MAGIC || rest.len() < FRAME_BYTES {
        return None;
    }
    if word(rest, FIELD_BYTES) != xxh3_64_with_seed(&rest[..FIELD_BYTES], nonce) {
        return None;
    }
    let kind = match rest[4] {
        1 => Kind::Batch,
        2 => Kind::Seal,
        _ => return None,
    };
    let length = usize::try_from(word(rest, 8)).ok()?;
    let body = FRAME_HEADER_BYTES.checked_add(length)?;
    let stored = rest.get(body..body.checked_add(CHECKSUM_BYTES)?)?;
    let sum = xxh3_128_with_seed(&rest[..body], nonce);
    if stored != sum.to_le_bytes() || rest[5..8] != [0; 3] {
        return None;
    }
    Some(Frame {
        kind,
        number: word(rest, 16),
        sequence: word(rest, 24),
        durable: word(rest, 32),
        payload: bytes.slice(at + FRAME_HEADER_BYTES..at + body),
        checksum: low(sum),
        bytes: body + CHECKSUM_BYTES,
    })
}

/// The sound frames that begin anywhere at or after `from`.
pub(super) fn scan(bytes: &Bytes, from: usize, nonce: u64) -> impl Iterator<Item = Frame> + '_ {
    let starts = bytes
        .get(from..)
        .unwrap_or_default()
        .windows(FRAME_MAGIC.len())
        .enumerate();
    starts
        .filter(|(_, window)| window == FRAME_MAGIC)
        .filter_map(move |(at, _)| decode(bytes, from + at, nonce))
}

/// A number that cannot be known beforehand, from the seed of the standard library's hash tables.
pub(super) fn nonce() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(u64::from(std::process::id()));
    hasher.finish()
}

fn low(sum: u128) -> u64 {
    word(&sum.to_le_bytes(), 0)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
