//! A list of puts and deletes over key spaces, and its bytes in a journal frame. The order of the
//! list is kept: of two operations on one key the later one holds.

use bytes::Bytes;

use super::space::Space;

/// Keys are limited by the trees.
pub(crate) const KEY_BYTES_MAX: usize = u16::MAX as usize;

/// Puts and deletes that become visible and durable together or not at all.
#[derive(Default)]
pub(crate) struct Batch {
    pub(super) operations: Vec<Operation>,
    bytes: usize,
}

/// One put (`value` is given) or delete.
pub(super) struct Operation {
    pub(super) space: Space,
    pub(super) key: Bytes,
    pub(super) value: Option<Bytes>,
}

impl Batch {
    /// An empty batch.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key. The key must be at most `KEY_BYTES_MAX` bytes and not empty.
    pub(crate) fn put(&mut self, space: Space, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.push(space, key.into(), Some(value.into()));
    }

    /// Removes a key, whether it is there or not.
    pub(crate) fn delete(&mut self, space: Space, key: impl Into<Bytes>) {
        self.push(space, key.into(), None);
    }

    /// The number of operations.
    pub(crate) fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// About how many bytes it takes in the journal, so that a committer can bound a group.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, space: Space, key: Bytes, value: Option<Bytes>) {
        assert!(
            !key.is_empty() && key.len() <= KEY_BYTES_MAX,
            "a key has 1 to {KEY_BYTES_MAX} bytes"
        );
        self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len) + 8;
        self.operations.push(Operation { space, key, value });
    }

    /// Appends the operations to `to`; `on_disk` gives a space's number in the directory's FORMAT
    /// file.
    pub(super) fn encode(&self, to: &mut Vec<u8>, on_disk: impl Fn(Space) -> u8) {
        for operation in &self.operations {
            let value_len = operation
                .value
                .as_ref()
                .map_or(0, |value| value.len() as u64 + 1);
            to.push(on_disk(operation.space));
            push_varint(to, operation.key.len() as u64);
            push_varint(to, value_len);
            to.extend_from_slice(&operation.key);
            to.extend_from_slice(operation.value.as_deref().unwrap_or_default());
        }
    }

    /// Reads what `encode` wrote; `None` where the bytes are not that, which a frame's checksum
    /// rules out.
    pub(super) fn decode(payload: &Bytes, in_memory: impl Fn(u8) -> Option<Space>) -> Option<Self> {
        let mut batch = Self::new();
        let mut at = 0;
        while at < payload.len() {
            let space = in_memory(payload[at])?;
            at += 1;
            let key_len = take_varint(payload, &mut at)?;
            let value_len = take_varint(payload, &mut at)?;
            let key = take(payload, &mut at, key_len)?;
            let value = match value_len.checked_sub(1) {
                Some(len) => Some(take(payload, &mut at, len)?),
                None => None,
            };
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return None;
            }
            batch.push(space, key, value);
        }
        Some(batch)
    }
}

fn take(payload: &Bytes, at: &mut usize, len: u64) -> Option<Bytes> {
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    if end > payload.len() {
        return None;
    }
    // A copy: a slice would keep the whole segment in memory for as long as one small key lives.
    let taken = Bytes::copy_from_slice(&payload[*at..end]);
    *at = end;
    Some(taken)
}

fn push_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push((number & 0x7f) as u8);
}

fn take_varint(from: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *from.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encodes() {
        let mut batch = Batch::new();
        batch.put(Space(0), "a", "");
        batch.put(Space(1), vec![7; 300], vec![9; 70_000]);
        batch.delete(Space(1), "b");
        assert!(batch.len() == 3 && !batch.is_empty());
        let mut bytes = Vec::new();
        batch.encode(&mut bytes, |space| space.0 + 3);
        assert!(bytes.len() <= batch.bytes());
        let read =
            Batch::decode(&bytes.into(), |on_disk| on_disk.checked_sub(3).map(Space)).unwrap();
        let rows = |batch: &Batch| -> Vec<_> {
            batch
                .operations
                .iter()
                .map(|op| (op.space.0, op.key.clone(), op.value.clone()))
                .collect()
        };
        assert_eq!(rows(&batch), rows(&read));
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        for bytes in [
            &[0_u8, 5, 1, 1][..],
            &[0, 0xff, 0xff],
            &[9, 1, 1, 1],
            &[0, 0, 1],
        ] {
            assert!(
                Batch::decode(&Bytes::copy_from_slice(bytes), |space| (space == 0)
                    .then_some(Space(0)))
                .is_none()
            );
        }
    }
}
