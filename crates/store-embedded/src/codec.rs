//! Bytes of keys and values: order-preserving big-endian numbers and texts in keys, varints in
//! values. Values read back were checked by the engine; what does not decode is reported, not guessed.

use store::StoreError;

/// Ends a text within a key. A zero byte in the text is written `00 FF`, so that the order of keys
/// is the order of texts and no text is a prefix of another.
const TEXT_END: [u8; 2] = [0x00, 0x01];

/// A key being written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(48))
    }

    pub(crate) fn tag(mut self, tag: u8) -> Self {
        self.0.push(tag);
        self
    }

    pub(crate) fn u16(mut self, number: u16) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(crate) fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// Bytes as they are: only at the end of a key, or where their number is fixed.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text that something follows.
    pub(crate) fn text(self, text: &str) -> Self {
        self.ended(text.as_bytes())
    }

    /// Bytes that something follows, in the order of the bytes.
    pub(crate) fn ended(self, bytes: &[u8]) -> Self {
        self.begun(bytes).raw(&TEXT_END)
    }

    /// What all keys begin with that have bytes here that begin so.
    pub(crate) fn begun(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xff);
            }
        }
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// The first key after all that begin with this prefix; `None` if there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// A value being written.
#[derive(Debug, Default)]
pub(crate) struct Value(pub(crate) Vec<u8>);

impl Value {
    pub(crate) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn varint(mut self, number: u64) -> Self {
        push_varint(&mut self.0, number);
        self
    }

    /// A number that may be negative.
    pub(crate) fn signed(self, number: i64) -> Self {
        // Zigzag: small magnitudes stay short on both sides of zero.
        self.varint(((number << 1) ^ (number >> 63)).cast_unsigned())
    }

    /// Bytes with their length before them.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        push_varint(&mut self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A list with its length before it.
    pub(crate) fn list<T>(mut self, items: &[T], write: impl Fn(Self, &T) -> Self) -> Self {
        push_varint(&mut self.0, items.len() as u64);
        items.iter().fold(self, write)
    }
}

pub(crate) fn push_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push((number & 0x7f) as u8);
}

/// Reads keys and values; each step says what is missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'b> {
    rest: &'b [u8],
    what: &'static str,
}

impl<'b> Cursor<'b> {
    /// Reads these bytes; `what` names them in a failure.
    pub(crate) fn new(bytes: &'b [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn damaged(&self) -> StoreError {
        StoreError::Corrupt(format!("malformed {}", self.what))
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'b [u8], StoreError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, StoreError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, StoreError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StoreError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StoreError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn hash(&mut self) -> Result<[u8; 32], StoreError> {
        self.array()
    }

    /// A text that something follows.
    pub(crate) fn text(&mut self) -> Result<Box<str>, StoreError> {
        let text = self.ended()?;
        self.utf8(&text)
    }

    /// Bytes that something follows.
    pub(crate) fn ended(&mut self) -> Result<Box<[u8]>, StoreError> {
        let mut bytes = Vec::new();
        loop {
            match (self.byte()?, self.rest.first()) {
                (0, Some(0xff)) => bytes.push(0),
                (0, Some(1)) => {
                    self.take(1)?;
                    return Ok(bytes.into());
                }
                (0, _) => return Err(self.damaged()),
                (byte, _) => {
                    bytes.push(byte);
                    continue;
                }
            }
            self.take(1)?;
        }
    }

    pub(crate) fn varint(&mut self) -> Result<u64, StoreError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged())
    }

    pub(crate) fn signed(&mut self) -> Result<i64, StoreError> {
        let coded = self.varint()?;
        Ok((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }

    /// A varint of a smaller type.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, StoreError> {
        T::try_from(self.varint()?).map_err(|_| self.damaged())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], StoreError> {
        let length = self.small()?;
        self.take(length)
    }

    pub(crate) fn string(&mut self) -> Result<Box<str>, StoreError> {
        let bytes = self.bytes()?;
        self.utf8(bytes)
    }

    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let length: usize = self.small()?;
        // Each item has a byte at least: a damaged length cannot ask for all memory.
        if length > self.rest.len() {
            return Err(self.damaged());
        }
        (0..length).map(|_| read(self)).collect()
    }

    /// What is left.
    pub(crate) fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn rest_text(&mut self) -> Result<Box<str>, StoreError> {
        let rest = self.rest();
        self.utf8(rest)
    }

    /// A fault of this value that only its reader can see.
    pub(crate) fn refuse<T>(&self) -> Result<T, StoreError> {
        Err(self.damaged())
    }

    fn utf8(&self, bytes: &[u8]) -> Result<Box<str>, StoreError> {
        std::str::from_utf8(bytes)
            .map(Into::into)
            .map_err(|_| self.damaged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_order_in_keys() {
        let texts = ["", "\0", "\0\0", "\0a", "a", "a\0", "a\0b", "ab", "b", "ü"];
        let keys: Vec<_> = texts
            .iter()
            .map(|text| Key::new().text(text).u64(9).done())
            .collect();
        assert!(keys.is_sorted());
        for (text, key) in texts.iter().zip(&keys) {
            let mut cursor = Cursor::new(key, "key");
            assert_eq!(*cursor.text().unwrap(), **text);
            assert_eq!(cursor.u64().unwrap(), 9);
        }
    }

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, u64::MAX] {
            let value = Value::default()
                .varint(number)
                .signed(number.cast_signed())
                .0;
            let mut cursor = Cursor::new(&value, "value");
            assert_eq!(cursor.varint().unwrap(), number);
            assert_eq!(cursor.signed().unwrap(), number.cast_signed());
            assert!(cursor.byte().is_err());
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_key() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 0xff]), Some(vec![2]));
        assert_eq!(after_prefix(&[0xff, 0xff]), None);
    }
}
