//! Packing of bodies: zstd, with a trained dictionary per type once there are samples enough.
//!
//! A packed body is: dictionary's number + 2 (0 = not compressed, 1 = without dictionary), length
//! of the body, bytes. Training happens off the path of commits; a dictionary is used only after it
//! is durable. Frames carry no checksums: the engine's blocks do.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use store::{Space, StoreError, TypeNumber};
use zstd::zstd_safe::{CCtx, CDict, DCtx, DDict};

use crate::codec::{Cursor, push_varint};

const LEVEL: i32 = 3;
/// Shorter bodies are stored as they are.
const PACKED_FROM_BYTES: usize = 64;
const DICTIONARY_BYTES_MAX: usize = 32 << 10;
/// A dictionary is trained from so many samples, or from fewer once they have so many bytes.
const SAMPLES_MAX: usize = 256;
const SAMPLE_BYTES_MAX: usize = 512 << 10;
const SAMPLES_MIN: usize = 32;
/// Of a longer body the beginning is the sample.
const SAMPLE_LENGTH_MAX: usize = 32 << 10;

const PLAIN: u64 = 0;
const ZSTD: u64 = 1;
const WITH_DICTIONARY: u64 = 2;

thread_local! {
    static PACKER: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static UNPACKER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

type Kind = (Space, TypeNumber);

/// The dictionaries of a tenant, and the samples for those to come.
#[derive(Default)]
pub(crate) struct Dictionaries {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    by_number: HashMap<u32, Arc<Dictionary>>,
    newest: HashMap<Kind, Arc<Dictionary>>,
    samples: HashMap<Kind, Samples>,
}

#[derive(Default)]
struct Samples {
    lengths: Vec<usize>,
    bytes: Vec<u8>,
    /// There is a dictionary, or one is being trained.
    taken: bool,
}

struct Dictionary {
    number: u32,
    bytes: Vec<u8>,
    packing: OnceLock<CDict<'static>>,
    unpacking: OnceLock<DDict<'static>>,
}

/// Samples enough for a dictionary.
pub(crate) struct Training {
    pub(crate) space: Space,
    pub(crate) kind: TypeNumber,
    lengths: Vec<usize>,
    bytes: Vec<u8>,
}

impl Training {
    /// Trains; `None` if the samples have too little in common. Takes a second or so.
    pub(crate) fn train(&self) -> Option<Vec<u8>> {
        zstd::dict::from_continuous(&self.bytes, &self.lengths, DICTIONARY_BYTES_MAX).ok()
    }
}

impl Dictionaries {
    /// Takes a dictionary that is durable.
    pub(crate) fn add(&self, number: u32, space: Space, kind: TypeNumber, bytes: &[u8]) {
        let dictionary = Arc::new(Dictionary {
            number,
            bytes: bytes.to_vec(),
            packing: OnceLock::new(),
            unpacking: OnceLock::new(),
        });
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.by_number.insert(number, Arc::clone(&dictionary));
        let newest = inner
            .newest
            .entry((space, kind))
            .or_insert_with(|| Arc::clone(&dictionary));
        if newest.number < number {
            *newest = dictionary;
        }
        inner.samples.entry((space, kind)).or_default().taken = true;
    }

    /// Collects a sample of a type that has no dictionary; gives all of them once there are enough.
    pub(crate) fn sample(&self, space: Space, kind: TypeNumber, body: &[u8]) -> Option<Training> {
        {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            if inner
                .samples
                .get(&(space, kind))
                .is_some_and(|samples| samples.taken)
            {
                return None;
            }
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let samples = inner.samples.entry((space, kind)).or_default();
        if samples.taken || body.is_empty() {
            return None;
        }
        let sample = &body[..body.len().min(SAMPLE_LENGTH_MAX)];
        samples.lengths.push(sample.len());
        samples.bytes.extend_from_slice(sample);
        let many = samples.lengths.len() >= SAMPLES_MAX
            || samples.bytes.len() >= SAMPLE_BYTES_MAX && samples.lengths.len() >= SAMPLES_MIN;
        if !many {
            return None;
        }
        samples.taken = true;
        let lengths = std::mem::take(&mut samples.lengths);
        let bytes = std::mem::take(&mut samples.bytes);
        Some(Training {
            space,
            kind,
            lengths,
            bytes,
        })
    }

    /// Packs a body.
    pub(crate) fn pack(&self, space: Space, kind: TypeNumber, body: &[u8]) -> Vec<u8> {
        if body.len() < PACKED_FROM_BYTES {
            return plain(body);
        }
        let dictionary = {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            inner.newest.get(&(space, kind)).map(Arc::clone)
        };
        let mut packed = vec![0; zstd::zstd_safe::compress_bound(body.len())];
        let written = PACKER.with_borrow_mut(|packer| match &dictionary {
            Some(dictionary) => {
                packer.compress_using_cdict(&mut packed[..], body, dictionary.packing())
            }
            None => packer.compress(&mut packed[..], body, LEVEL),
        });
        let Some(length) = written.ok().filter(|length| *length < body.len()) else {
            return plain(body);
        };
        let form = dictionary.map_or(ZSTD, |with| u64::from(with.number) + WITH_DICTIONARY);
        let mut out = header(form, body.len(), length);
        out.extend_from_slice(&packed[..length]);
        out
    }

    /// The body that was packed.
    pub(crate) fn unpack(&self, packed: &Bytes) -> Result<Bytes, StoreError> {
        let mut at = Cursor::new(packed, "packed body");
        let form = at.varint()?;
        let length: usize = at.small()?;
        let content = at.rest();
        if form == PLAIN {
            return if content.len() == length {
                Ok(packed.slice_ref(content))
            } else {
                at.refuse()
            };
        }
        let dictionary = match form.checked_sub(WITH_DICTIONARY) {
            None => None,
            Some(number) => Some(self.numbered(number)?),
        };
        // A frame says its own length; a damaged one must not ask for all memory.
        let framed = zstd::zstd_safe::get_frame_content_size(content)
            .ok()
            .flatten();
        if framed != Some(length as u64) {
            return at.refuse();
        }
        let mut body = Vec::with_capacity(length);
        let read = UNPACKER.with_borrow_mut(|unpacker| match &dictionary {
            Some(dictionary) => {
                unpacker.decompress_using_ddict(&mut body, content, dictionary.unpacking())
            }
            None => unpacker.decompress(&mut body, content),
        });
        if read == Ok(length) {
            Ok(body.into())
        } else {
            at.refuse()
        }
    }

    fn numbered(&self, number: u64) -> Result<Arc<Dictionary>, StoreError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let known = u32::try_from(number)
            .ok()
            .and_then(|number| inner.by_number.get(&number));
        known.map(Arc::clone).ok_or_else(|| {
            StoreError::Corrupt("a body names a compression dictionary that is missing".to_owned())
        })
    }
}

impl Dictionary {
    fn packing(&self) -> &CDict<'static> {
        self.packing
            .get_or_init(|| CDict::create(&self.bytes, LEVEL))
    }

    fn unpacking(&self) -> &DDict<'static> {
        self.unpacking.get_or_init(|| DDict::create(&self.bytes))
    }
}

fn header(form: u64, length: usize, content: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(content + 12);
    push_varint(&mut out, form);
    push_varint(&mut out, length as u64);
    out
}

fn plain(body: &[u8]) -> Vec<u8> {
    let mut out = header(PLAIN, body.len(), body.len());
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Kind = (Space(1), TypeNumber(2));

    fn body(n: usize) -> Vec<u8> {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"weight {n}"}},"valueQuantity":{{"value":{}.5,"unit":"kg"}},"issued":"2020-01-0{}"}}"#,
            n % 97,
            n % 9
        )
        .into_bytes()
    }

    #[test]
    fn bodies_come_back_with_and_without_a_dictionary() {
        let dictionaries = Dictionaries::default();
        let mut before = Vec::new();
        let mut training = None;
        for n in 0..SAMPLES_MAX {
            before.push(dictionaries.pack(PLACE.0, PLACE.1, &body(n)));
            training = dictionaries.sample(PLACE.0, PLACE.1, &body(n)).or(training);
        }
        let trained = training
            .expect("samples enough")
            .train()
            .expect("alike enough");
        dictionaries.add(0, PLACE.0, PLACE.1, &trained);
        let after = dictionaries.pack(PLACE.0, PLACE.1, &body(7));
        assert!(
            after.len() * 2 < before[7].len(),
            "{} {}",
            after.len(),
            before[7].len()
        );
        assert_eq!(dictionaries.unpack(&after.into()).unwrap(), body(7));
        assert_eq!(
            dictionaries.unpack(&before[9].clone().into()).unwrap(),
            body(9)
        );
        let short = dictionaries.pack(PLACE.0, PLACE.1, b"{}");
        assert_eq!(dictionaries.unpack(&short.into()).unwrap(), &b"{}"[..]);
    }

    #[test]
    fn damaged_bodies_are_refused() {
        let dictionaries = Dictionaries::default();
        let packed = dictionaries.pack(PLACE.0, PLACE.1, &body(1).repeat(3));
        for at in 0..packed.len().min(12) {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            if let Ok(read) = dictionaries.unpack(&damaged.into()) {
                assert_eq!(read.len(), body(1).len() * 3, "never another length");
            }
        }
        assert!(
            dictionaries
                .unpack(&packed[..packed.len() - 1].to_vec().into())
                .is_err()
        );
    }
}
