//! Eight bytes at a time: where a run of plain characters or of blanks ends.
//!
//! Plain integer arithmetic instead of vector instructions, which would need `unsafe`.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const BLANKS: u64 = ONES * b' ' as u64;

/// The first place from `at` on that holds a quote, a backslash or a control character.
pub(super) fn plain_until(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < text.len() && !matches!(text[at], b'"' | b'\\' | 0..0x20) {
        at += 1;
    }
    at
}

/// The first place from `at` on that is not white space (RFC 8259, §2).
pub(super) fn blank_until(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(at) {
        at += 1;
        while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk)
            && u64::from_le_bytes(*chunk) == BLANKS
        {
            at += 8;
        }
    }
    at
}

/// The high bit of the lowest byte that ends a plain run; bytes above it may be marked wrongly,
/// because a borrow travels upwards.
fn special(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let backslash = zero(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(BLANKS) & !word;
    (quote | backslash | control) & HIGHS
}
