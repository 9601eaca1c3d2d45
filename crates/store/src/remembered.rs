//! A commit with an idempotency key in the form that backups carry, the same for every provider.
//!
//! Numbers are big-endian, texts and lists have their length before them; the first byte is the
//! number of the form.

use bytes::Bytes;

use crate::{Committed, Effect, IdempotencyKey, Instant, Position, Row, VersionNumber, Written};

const FORM: u8 = 1;

/// What a store keeps of a commit with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its key.
    pub key: IdempotencyKey,
    /// The hash of its request.
    pub request_hash: [u8; 32],
    /// What it did.
    pub committed: Committed,
}

impl Committed {
    /// The form for backups. `repeated` is not part of it.
    pub fn encode(&self, key: &IdempotencyKey, request_hash: &[u8; 32]) -> Bytes {
        let mut out = vec![FORM];
        for text in [key.caller.as_bytes(), key.key.as_bytes()] {
            push_bytes(&mut out, text);
        }
        out.extend(request_hash);
        out.extend(self.transaction.to_be_bytes());
        out.extend(self.time.0.to_be_bytes());
        push_bytes(&mut out, &self.notes);
        out.extend((self.written.len() as u64).to_be_bytes());
        for written in &self.written {
            out.extend(written.row.0.to_be_bytes());
            out.extend(written.version.0.to_be_bytes());
            out.extend(
                written
                    .position
                    .map_or(0, |position| position.0)
                    .to_be_bytes(),
            );
            out.push(effect_byte(written.effect));
        }
        out.into()
    }

    /// Reads what [`Committed::encode`] wrote; `None` if the bytes are something else.
    pub fn decode(mut bytes: &[u8]) -> Option<Remembered> {
        let from = &mut bytes;
        if take(from, 1)? != [FORM] {
            return None;
        }
        let caller = text(from)?;
        let key = text(from)?;
        let request_hash = take(from, 32)?.try_into().ok()?;
        let transaction = number(from)?;
        let time = Instant(number(from)?.cast_signed());
        let length = usize::try_from(number(from)?).ok()?;
        let notes = Bytes::copy_from_slice(take(from, length)?);
        let count = number(from)?;
        let written: Option<Vec<Written>> = (0..count).map(|_| take_written(from)).collect();
        let written = written?;
        let committed = Committed {
            transaction,
            time,
            written,
            notes,
            repeated: false,
        };
        let key = IdempotencyKey { caller, key };
        from.is_empty().then_some(Remembered {
            key,
            request_hash,
            committed,
        })
    }
}

const EFFECTS: [Effect; 6] = [
    Effect::Created,
    Effect::Updated,
    Effect::Deleted,
    Effect::Purged,
    Effect::Nothing,
    Effect::Indexed,
];

fn effect_byte(effect: Effect) -> u8 {
    match effect {
        Effect::Created => 0,
        Effect::Updated => 1,
        Effect::Deleted => 2,
        Effect::Purged => 3,
        Effect::Nothing => 4,
        Effect::Indexed => 5,
    }
}

fn take_written(from: &mut &[u8]) -> Option<Written> {
    let row = Row(number(from)?);
    let version = VersionNumber(number(from)?);
    let position = number(from)?;
    let effect = *EFFECTS.get(usize::from(take(from, 1)?[0]))?;
    let position = (position > 0).then_some(Position(position));
    Some(Written {
        row,
        version,
        position,
        effect,
    })
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<'b>(from: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(taken)
}

fn number(from: &mut &[u8]) -> Option<u64> {
    take(from, 8)?.try_into().ok().map(u64::from_be_bytes)
}

fn text(from: &mut &[u8]) -> Option<Box<str>> {
    let length = usize::try_from(number(from)?).ok()?;
    std::str::from_utf8(take(from, length)?)
        .ok()
        .map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was() {
        let key = IdempotencyKey {
            caller: "a".into(),
            key: "".into(),
        };
        let written = EFFECTS.iter().zip(0..).map(|(effect, n)| Written {
            row: Row(n),
            version: VersionNumber(n + 1),
            position: (n > 0).then_some(Position(n)),
            effect: *effect,
        });
        let committed = Committed {
            transaction: 7,
            time: Instant(-3),
            written: written.collect(),
            notes: Bytes::from_static(b"notes"),
            repeated: false,
        };
        let bytes = committed.encode(&key, &[9; 32]);
        let remembered = Remembered {
            key,
            request_hash: [9; 32],
            committed,
        };
        assert_eq!(Committed::decode(&bytes), Some(remembered));
        assert!((0..bytes.len()).all(|end| Committed::decode(&bytes[..end]).is_none()));
    }
}
