//! Reading decimal numbers from text.

use std::str::FromStr;

use super::round::{Cut, Rounding, signed};
use super::{DIGITS_MAX, Decimal, DecimalError, SCALE_MAX};

/// Exponents of more digits are beyond the limit; zeros before them do not count.
const EXPONENT_DIGITS_MAX: usize = 6;

/// A number as written: sign, digits before and after the point, exponent.
struct Written<'t> {
    negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    exponent: i64,
}

impl Decimal {
    /// Reads a number as [`str::parse`] does, but rounds one with too many digits half to even.
    pub fn parse_rounded(text: &str) -> Result<Self, DecimalError> {
        Ok(read(text)?.0)
    }
}

/// `-1.50`, `5.4e-3`, also `+1` and `007`, which FHIRPath has and JSON forbids: whoever cares
/// checks that before. Digits beyond those that are kept may only be zeros.
impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        match read(text)? {
            (number, Cut::Nothing) => Ok(number),
            _ => Err(DecimalError::TooManyDigits),
        }
    }
}

/// The number, and what was cut off to have it.
fn read(text: &str) -> Result<(Decimal, Cut), DecimalError> {
    let written = Written::read(text.as_bytes())?;
    let digits = written.whole.iter().chain(written.fraction);
    let significant = digits.skip_while(|digit| **digit == b'0');
    let count = significant.clone().count();
    let kept = count.min(DIGITS_MAX as usize);
    let value = |magnitude, digit: &u8| magnitude * 10 + u128::from(digit - b'0');
    let magnitude = significant.clone().take(kept).fold(0, value);
    let cut = Cut::of_digits(significant.skip(kept));
    let scale = length(written.fraction.len()) - length(count - kept) - written.exponent;
    let scale = i32::try_from(scale).map_err(|_| DecimalError::ExponentTooLarge)?;
    let number = rounded(written.negative, magnitude, scale, cut);
    let fits = (-SCALE_MAX..=SCALE_MAX).contains(&number.scale);
    fits.then_some((number, cut))
        .ok_or(DecimalError::ExponentTooLarge)
}

fn rounded(negative: bool, magnitude: u128, scale: i32, cut: Cut) -> Decimal {
    if !Rounding::HalfEven.grows(negative, magnitude % 2 == 1, cut) {
        return signed(negative, magnitude, scale);
    }
    match magnitude + 1 {
        grown if super::digits(grown) > DIGITS_MAX => signed(negative, grown / 10, scale - 1),
        grown => signed(negative, grown, scale),
    }
}

/// A length of text, as a number that can be subtracted.
fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 4)
}

impl<'t> Written<'t> {
    fn read(text: &'t [u8]) -> Result<Self, DecimalError> {
        let (negative, text) = sign(text);
        let (whole, rest) = split_digits(text);
        let (fraction, rest) = match rest.strip_prefix(b".") {
            Some(rest) => split_digits(rest),
            None => (&b"0"[..0], rest),
        };
        let dangling = fraction.is_empty() && text.get(whole.len()) == Some(&b'.');
        if whole.is_empty() || dangling {
            return Err(DecimalError::Syntax);
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', exponent @ ..] => read_exponent(exponent)?,
            _ => return Err(DecimalError::Syntax),
        };
        Ok(Self {
            negative,
            whole,
            fraction,
            exponent,
        })
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn read_exponent(text: &[u8]) -> Result<i64, DecimalError> {
    let (negative, text) = sign(text);
    let (digits, rest) = split_digits(text);
    if digits.is_empty() || !rest.is_empty() {
        return Err(DecimalError::Syntax);
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[zeros..];
    if digits.len() > EXPONENT_DIGITS_MAX {
        return Err(DecimalError::ExponentTooLarge);
    }
    let value = digits
        .iter()
        .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Ok(if negative { -value } else { value })
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    text.split_at(digits.count())
}
