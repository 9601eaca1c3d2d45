//! Exact arithmetic, rounded half to even where a result has more than 38 digits.

use std::cmp::Ordering;

use super::round::{fit, signed};
use super::wide::{WIDE_DIGITS_MAX, Wide};
use super::{DIGITS_MAX, Decimal, SCALE_MAX, digits, power_of_ten};

/// Steps of ten that a remainder can take at once: `10^37` times a remainder fits.
const REMAINDER_ZEROS: u32 = 37;

impl Decimal {
    /// The number without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self::of(self.mantissa.abs(), self.scale)
    }

    /// The number with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self::of(-self.mantissa, self.scale)
    }

    /// The sum, with as many digits after the decimal point as the finer one has.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (coarse, fine) = if self.scale <= other.scale {
            (self, other)
        } else {
            (other, self)
        };
        if coarse.is_zero() {
            return Some(fine);
        }
        let Aligned {
            large,
            small,
            scale,
        } = align(coarse, fine)?;
        if coarse.is_negative() == fine.is_negative() {
            return fit(coarse.is_negative(), large.plus(small), scale);
        }
        if large >= small {
            return fit(coarse.is_negative(), large.minus(small), scale);
        }
        fit(fine.is_negative(), small.minus(large), scale)
    }

    /// The difference, with as many digits after the decimal point as the finer one has.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.negated())
    }

    /// The product, with the digits after the decimal point of both.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let short = self.mantissa.checked_mul(other.mantissa);
        let exact = short.and_then(|mantissa| Self::new(mantissa, self.scale + other.scale));
        exact.or_else(|| self.rounded_product(other))
    }

    fn rounded_product(self, other: Self) -> Option<Self> {
        let scale = i64::from(self.scale) + i64::from(other.scale);
        let magnitude = Wide::product(self.mantissa.unsigned_abs(), other.mantissa.unsigned_abs());
        fit(self.is_negative() != other.is_negative(), magnitude, scale)
    }

    /// The quotient: exact if it ends within 38 digits, otherwise rounded half to even; with no
    /// more zeros at its end than the operands' digits after the decimal point account for.
    /// `None` for a divisor of zero.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        let ideal = (self.scale - other.scale).clamp(0, SCALE_MAX);
        let (dividend, divisor) = (self.mantissa.unsigned_abs(), other.mantissa.unsigned_abs());
        if divisor == 0 {
            return None;
        }
        if dividend == 0 {
            return Some(Self::of(0, ideal));
        }
        if dividend.is_multiple_of(divisor) && self.scale - other.scale == ideal {
            return Some(Self::of(self.mantissa / other.mantissa, ideal));
        }
        // So the quotient has 38 digits at least, and one more tells what followed.
        let zeros = DIGITS_MAX + digits(divisor) - digits(dividend);
        let (quotient, rest) = Wide::scaled(dividend, zeros)?.divided(divisor);
        let quotient = quotient.followed_by(following_digit(rest, divisor));
        let scale = i64::from(self.scale) - i64::from(other.scale) + i64::from(zeros) + 1;
        let negative = self.is_negative() != other.is_negative();
        Some(fit(negative, quotient, scale)?.trimmed_to(ideal))
    }

    /// The whole part of the quotient (FHIRPath's `div`), if it has 38 digits at most.
    pub fn checked_div_integer(self, other: Self) -> Option<Self> {
        let (dividend, divisor) = (self.mantissa.unsigned_abs(), other.mantissa.unsigned_abs());
        if divisor == 0 {
            return None;
        }
        let zeros = other.scale - self.scale;
        let shift = power_of_ten(zeros.unsigned_abs());
        let quotient = if dividend == 0 {
            0
        } else if zeros >= 0 {
            let (quotient, _) = Wide::scaled(dividend, zeros.unsigned_abs())?.divided(divisor);
            quotient.narrow()?
        } else {
            // A divisor that does not fit is larger than every dividend.
            shift
                .and_then(|it| divisor.checked_mul(it))
                .map_or(0, |divisor| dividend / divisor)
        };
        let negative = self.is_negative() != other.is_negative();
        (digits(quotient) <= DIGITS_MAX).then(|| signed(negative, quotient, 0))
    }

    /// What [`Self::checked_div_integer`] leaves, with the sign of the dividend (FHIRPath's
    /// `mod`); exact.
    pub fn checked_rem(self, other: Self) -> Option<Self> {
        let (dividend, divisor) = (self.mantissa.unsigned_abs(), other.mantissa.unsigned_abs());
        if divisor == 0 {
            return None;
        }
        let zeros = other.scale - self.scale;
        if zeros >= 0 {
            let rest = remainder(dividend, zeros.unsigned_abs(), divisor);
            return Some(signed(self.is_negative(), rest, other.scale));
        }
        let shift = power_of_ten(zeros.unsigned_abs());
        let rest = match shift.and_then(|it| divisor.checked_mul(it)) {
            Some(divisor) => dividend % divisor,
            None => dividend,
        };
        Some(signed(self.is_negative(), rest, self.scale))
    }

    /// The number times itself `exponent` times; its reciprocal for exponents below zero.
    pub fn checked_powi(self, exponent: i32) -> Option<Self> {
        let mut result = Self::ONE;
        let (mut base, mut left) = (self, exponent.unsigned_abs());
        while left > 0 {
            if left % 2 == 1 {
                result = result.checked_mul(base)?;
            }
            left /= 2;
            if left > 0 {
                base = base.checked_mul(base)?;
            }
        }
        if exponent < 0 {
            Self::ONE.checked_div(result)
        } else {
            Some(result)
        }
    }

    /// The same number without zeros at its end, down to a scale.
    fn trimmed_to(self, scale: i32) -> Self {
        let mut trimmed = self;
        while trimmed.scale > scale && trimmed.mantissa % 10 == 0 {
            trimmed = Self::of(trimmed.mantissa / 10, trimmed.scale - 1);
        }
        trimmed
    }
}

/// Two summands as whole numbers of one scale.
struct Aligned {
    large: Wide,
    small: Wide,
    scale: i64,
}

/// Aligns two numbers of which the coarser is not zero. Of a number too fine to be aligned only
/// that much is kept that rounding the sum to 38 digits sees.
fn align(coarse: Decimal, fine: Decimal) -> Option<Aligned> {
    let coarse_magnitude = coarse.mantissa.unsigned_abs();
    let fine_magnitude = fine.mantissa.unsigned_abs();
    let apart = fine.scale.abs_diff(coarse.scale);
    let zeros = apart.min(WIDE_DIGITS_MAX - digits(coarse_magnitude));
    let large = Wide::scaled(coarse_magnitude, zeros)?;
    let small = match (apart - zeros, fine_magnitude) {
        (0, _) | (_, 0) => fine_magnitude,
        // An odd last digit stands for what was cut off: so the sum never looks like a tie.
        (cut, _) => power_of_ten(cut).map_or(0, |step| fine_magnitude / step) | 1,
    };
    let scale = i64::from(coarse.scale) + i64::from(zeros);
    Some(Aligned {
        large,
        small: Wide::from(small),
        scale,
    })
}

/// A digit that says of a remainder whether it is nothing, or how it compares with the half.
fn following_digit(rest: u128, divisor: u128) -> u8 {
    match (rest, rest.cmp(&(divisor - rest))) {
        (0, _) => 0,
        (_, Ordering::Less) => 1,
        (_, Ordering::Equal) => 5,
        (_, Ordering::Greater) => 9,
    }
}

/// `dividend × 10^zeros` modulo `divisor`.
fn remainder(dividend: u128, zeros: u32, divisor: u128) -> u128 {
    let mut rest = dividend % divisor;
    let mut left = zeros;
    while left > 0 && rest > 0 {
        let step = left.min(REMAINDER_ZEROS);
        rest = Wide::product(rest, 10_u128.pow(step)).divided(divisor).1;
        left -= step;
    }
    rest
}
