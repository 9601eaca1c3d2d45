//! Numbers as bytes that sort as the numbers do, for indexes.
//!
//! Equal numbers have equal bytes, whatever their scale; nothing is rounded; no encoding is the
//! beginning of another, so other bytes may follow. Numbers in daily use take two to four bytes.
//!
//! | first byte | then |
//! |---|---|
//! | `80` | zero |
//! | `82`-`FD` | above zero: the power of ten of the first digit, from -40 to 83, then the digits |
//! | `81`, `FE` | above zero: a smaller or larger power in two bytes, then the digits |
//! | `01`-`7E` | below zero: every byte of the absolute value complemented |
//!
//! Two digits make a byte `2 × pair + more`, where `more` is 1 if further bytes follow. No zeros
//! end the digits, so of two numbers with the same beginning the longer one is the larger one.

use super::{DIGITS_MAX, Decimal, SCALE_MAX, digits, power_of_ten};

const ZERO: u8 = 0x80;
const SMALLER: u8 = 0x81;
const NEAREST: u8 = 0x82;
const LARGER: u8 = 0xFE;
/// The power of ten that [`NEAREST`] stands for.
const POWER_MIN: i32 = -40;
const POWER_MAX: i32 = POWER_MIN + (LARGER - NEAREST) as i32 - 1;
/// Makes powers positive for two bytes.
const BIAS: i32 = 0x8000;

impl Decimal {
    /// Appends the number; see the module for what the bytes promise.
    pub fn write_sortable(&self, to: &mut Vec<u8>) {
        let start = to.len();
        if self.is_zero() {
            return to.push(ZERO);
        }
        write_power(self.exponent(), to);
        write_digits(self.mantissa.unsigned_abs(), to);
        if self.is_negative() {
            to[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }

    /// Reads a number that was written with [`Self::write_sortable`], and how many bytes it took.
    /// What cannot have been written is `None`.
    pub fn read_sortable(bytes: &[u8]) -> Option<(Self, usize)> {
        let first = *bytes.first()?;
        if first == ZERO {
            return Some((Self::ZERO, 1));
        }
        let mut reader = Reader {
            bytes,
            at: 0,
            mask: if first < ZERO { 0xFF } else { 0 },
        };
        let power = reader.power()?;
        let (magnitude, count) = reader.digits()?;
        let scale = count - 1 - power;
        let zeros = u32::try_from(-SCALE_MAX - scale).unwrap_or(0);
        let magnitude = magnitude.checked_mul(power_of_ten(zeros)?)?.cast_signed();
        let mantissa = if reader.mask == 0 {
            magnitude
        } else {
            -magnitude
        };
        Some((Self::new(mantissa, scale + zeros.cast_signed())?, reader.at))
    }
}

fn write_power(power: i32, to: &mut Vec<u8>) {
    let near = u8::try_from(power - POWER_MIN)
        .ok()
        .filter(|_| power <= POWER_MAX);
    if let Some(near) = near {
        return to.push(NEAREST + near);
    }
    to.push(if power < POWER_MIN { SMALLER } else { LARGER });
    let biased = u16::try_from(power + BIAS).expect("powers are within ±10,038");
    to.extend(biased.to_be_bytes());
}

fn write_digits(magnitude: u128, to: &mut Vec<u8>) {
    let zeros = DIGITS_MAX - digits(magnitude);
    let mut left = magnitude * power_of_ten(zeros).expect("38 zeros at most");
    let mut unit = 10_u128.pow(DIGITS_MAX);
    while left > 0 {
        unit /= 100;
        let pair = u8::try_from(left / unit).expect("two digits");
        left %= unit;
        to.push(2 * pair + u8::from(left > 0));
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    /// What the bytes of a number below zero are complemented with.
    mask: u8,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte ^ self.mask)
    }

    fn power(&mut self) -> Option<i32> {
        match self.next()? {
            byte @ NEAREST..LARGER => Some(POWER_MIN + i32::from(byte - NEAREST)),
            SMALLER | LARGER => {
                let biased = [self.next()?, self.next()?];
                Some(i32::from(u16::from_be_bytes(biased)) - BIAS)
            }
            _ => None,
        }
    }

    /// The digits without zeros at their end, and how many they are.
    fn digits(&mut self) -> Option<(u128, i32)> {
        let (mut magnitude, mut count) = (0_u128, 0);
        loop {
            let byte = self.next()?;
            let (pair, more) = (byte / 2, byte % 2 == 1);
            if pair > 99 || count >= DIGITS_MAX.cast_signed() {
                return None;
            }
            magnitude = magnitude * 100 + u128::from(pair);
            count += 2;
            if !more {
                break;
            }
        }
        let odd = magnitude % 10 == 0;
        Some(if odd {
            (magnitude / 10, count - 1)
        } else {
            (magnitude, count)
        })
    }
}
