//! Decimal numbers, exact as written: FHIR's `decimal`, FHIRPath's `Decimal`, factors of units.
//!
//! A number is a mantissa of up to [`DIGITS_MAX`] digits and a scale, so that `1.50` stays `1.50`;
//! equality, order and hash go by value (`1.5 = 1.50`). Sums, differences and products are exact
//! where they have up to 38 digits and otherwise rounded half to even, as IEEE 754 decimals are;
//! so are quotients. What lies outside the limits is `None`, never a panic. Minus zero is zero.
//!
//! <https://hl7.org/fhir/R4/datatypes.html#decimal>: implementations keep the precision as given.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

mod arithmetic;
mod inexact;
mod parse;
mod round;
mod sortable;
mod wide;

pub use round::Rounding;

/// The significant digits that a number may have.
pub const DIGITS_MAX: u32 = 38;

/// The digits after the decimal point that a number may have, and the zeros that may be left out
/// before it (`1e10000`).
pub const SCALE_MAX: i32 = 10_000;

/// Numbers with more digits after the decimal point print with an exponent.
const PLAIN_SCALE_MAX: i32 = 50;

/// Why a text is no decimal number that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// It is not written as a number.
    #[error("must be a decimal number such as `5.40` or `54e-1`")]
    Syntax,
    /// It has more significant digits than are kept.
    #[error("a number has {DIGITS_MAX} significant digits at most")]
    TooManyDigits,
    /// It is too large, or has too many digits after the decimal point.
    #[error("a number has an exponent of {SCALE_MAX} at most")]
    ExponentTooLarge,
}

/// A decimal number: `mantissa × 10^-scale`.
#[derive(Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    scale: i32,
}

impl Decimal {
    /// 0
    pub const ZERO: Self = Self::of(0, 0);
    /// 1
    pub const ONE: Self = Self::of(1, 0);

    const fn of(mantissa: i128, scale: i32) -> Self {
        Self { mantissa, scale }
    }

    /// `mantissa × 10^-scale`, if within [`DIGITS_MAX`] and [`SCALE_MAX`].
    pub fn new(mantissa: i128, scale: i32) -> Option<Self> {
        let digits = digits(mantissa.unsigned_abs());
        let fits = digits <= DIGITS_MAX && (-SCALE_MAX..=SCALE_MAX).contains(&scale);
        fits.then_some(Self { mantissa, scale })
    }

    /// The digits as one whole number, with the sign.
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many of the digits stand after the decimal point (FHIRPath's `precision()`); below zero
    /// where an exponent moved the last digit before it: `1e2` has the scale -2.
    pub const fn scale(self) -> i32 {
        self.scale
    }

    /// How many significant digits are written, leading zeros left out: 3 for `0.0150`, 1 for `0`.
    pub fn precision(self) -> u32 {
        digits(self.mantissa.unsigned_abs())
    }

    /// Whether the number is below zero.
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Whether the number is zero.
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether the number is whole, however it is written: `5`, `5.0`, `5e1`.
    pub fn is_integer(self) -> bool {
        self.normalized().scale <= 0
    }

    /// The whole number, if it is one of 64 bits.
    pub fn to_i64(self) -> Option<i64> {
        let whole = self.normalized().expanded()?;
        (whole.scale == 0).then(|| whole.mantissa.try_into().ok())?
    }

    /// The same number without zeros at its end: equal numbers become identical ones.
    #[must_use]
    pub fn normalized(self) -> Self {
        if self.mantissa == 0 {
            return Self::ZERO;
        }
        let (mut mantissa, mut scale) = (self.mantissa, self.scale);
        while mantissa % 10 == 0 && scale > -SCALE_MAX {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    /// The same number with a scale of zero at least (`1e2` as `100`), if it has digits enough.
    pub fn expanded(self) -> Option<Self> {
        if self.scale < 0 {
            self.padded_to(0)
        } else {
            Some(self)
        }
    }

    /// The numbers that a searched number stands for: from half a step of its last written digit
    /// below (included) to half a step above (excluded). `100` is 99.5 to 100.5, `5.4e-3` 0.00535
    /// to 0.00545 (<https://hl7.org/fhir/R4/search.html#number>). There `1e2` is 95 to 105: a lone
    /// digit before an exponent counts as two, `1.0e2`. With 38 digits it is a whole step.
    pub fn implicit_range(self) -> (Self, Self) {
        let lone = self.scale < 0 && self.precision() == 1 && !self.is_zero();
        let finer = if lone { 2 } else { 1 };
        let (number, step) = match self.padded_to(self.scale.saturating_add(finer)) {
            Some(number) => (number, 5),
            None => (self, 1),
        };
        let at = |mantissa| Self::of(mantissa, number.scale);
        (at(number.mantissa - step), at(number.mantissa + step))
    }

    /// The power of ten of the first digit; meaningless for zero.
    fn exponent(self) -> i32 {
        self.precision().cast_signed() - 1 - self.scale
    }

    /// The same number with a larger scale, if it has digits enough.
    fn padded_to(self, scale: i32) -> Option<Self> {
        let zeros = scale.checked_sub(self.scale)?.try_into().ok()?;
        let mantissa = match self.mantissa {
            0 => 0,
            mantissa => mantissa.checked_mul(power_of_ten(zeros)?.cast_signed())?,
        };
        Self::new(mantissa, scale)
    }
}

/// The decimal digits of a number; one for 0.
fn digits(number: u128) -> u32 {
    number.checked_ilog10().map_or(1, |it| it + 1)
}

/// Up to `10^38`.
fn power_of_ten(exponent: u32) -> Option<u128> {
    10_u128.checked_pow(exponent)
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::of(number.into(), 0)
    }
}

impl From<i32> for Decimal {
    fn from(number: i32) -> Self {
        Self::of(number.into(), 0)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        signs.then_with(|| {
            let magnitudes = magnitude_order(*self, *other);
            if self.is_negative() {
                magnitudes.reverse()
            } else {
                magnitudes
            }
        })
    }
}

/// Compares two numbers other than zero by their absolute values; or two zeros.
fn magnitude_order(one: Decimal, other: Decimal) -> Ordering {
    let full = |it: Decimal| {
        let zeros = DIGITS_MAX.saturating_sub(it.precision());
        it.mantissa.unsigned_abs() * power_of_ten(zeros).unwrap_or(1)
    };
    if one.is_zero() {
        return Ordering::Equal;
    }
    let exponents = one.exponent().cmp(&other.exponent());
    exponents.then_with(|| full(one).cmp(&full(other)))
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { mantissa, scale } = self.normalized();
        (mantissa, scale).hash(state);
    }
}

/// Digit for digit as written; with an exponent where plain digits would say more than was known
/// (`1e2`) or be mostly zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        if (1..=PLAIN_SCALE_MAX).contains(&self.scale) {
            let scale = self.scale.unsigned_abs() as usize;
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            return write!(f, "{sign}{whole}.{fraction}");
        }
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{sign}{first}{point}{rest}e{}", self.exponent())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
