//! Whole numbers of 256 bits, as far as products and quotients of 38 digits need them.

use super::power_of_ten;

/// How many digits any number has; two of that size can be added.
pub(super) const WIDE_DIGITS_MAX: u32 = 76;

/// `high × 2^128 + low`; all that is made here is below `10^77`, so nothing overflows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    high: u128,
    low: u128,
}

const HALF: u32 = 64;
const LOW_HALF: u128 = (1 << HALF) - 1;

impl Wide {
    /// The number itself.
    pub(super) const fn from(low: u128) -> Self {
        Self { high: 0, low }
    }

    /// The product, which always fits.
    pub(super) fn product(one: u128, other: u128) -> Self {
        let (a, b) = (one >> HALF, one & LOW_HALF);
        let (c, d) = (other >> HALF, other & LOW_HALF);
        let bottom = b * d;
        let (middle, carried) = (a * d).overflowing_add(b * c);
        let (low, carry) = bottom.overflowing_add(middle << HALF);
        let high = a * c + (middle >> HALF) + (u128::from(carried) << HALF) + u128::from(carry);
        Self { high, low }
    }

    /// `number × 10^zeros`, if below `10^77`.
    pub(super) fn scaled(number: u128, zeros: u32) -> Option<Self> {
        if super::digits(number) + zeros > WIDE_DIGITS_MAX {
            return None;
        }
        let first = zeros.min(38);
        let part = Self::product(number, power_of_ten(first)?);
        let factor = power_of_ten(zeros - first)?;
        let top = Self::product(part.low, factor);
        let high = top.high + part.high * factor;
        Some(Self { high, low: top.low })
    }

    /// The number with one more digit at its end.
    pub(super) fn followed_by(self, digit: u8) -> Self {
        let tenfold = Self::product(self.low, 10);
        let high = tenfold.high + self.high * 10;
        Self { high, ..tenfold }.plus(Self::from(digit.into()))
    }

    /// The sum.
    pub(super) fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self.high + other.high + u128::from(carry);
        Self { high, low }
    }

    /// The difference of the larger and the smaller.
    pub(super) fn minus(self, smaller: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(smaller.low);
        let high = self.high - smaller.high - u128::from(borrow);
        Self { high, low }
    }

    /// Quotient and remainder; the divisor is `10^38` at most and not zero.
    pub(super) fn divided(self, by: u128) -> (Self, u128) {
        if self.high == 0 {
            return (Self::from(self.low / by), self.low % by);
        }
        let high = self.high / by;
        let mut remainder = self.high % by;
        let mut low = 0;
        // The remainder stays below 10^38, so its double fits.
        for bit in (0..u128::BITS).rev() {
            remainder = (remainder << 1) | ((self.low >> bit) & 1);
            low <<= 1;
            if remainder >= by {
                remainder -= by;
                low |= 1;
            }
        }
        (Self { high, low }, remainder)
    }

    /// The number, if it fits 128 bits.
    pub(super) fn narrow(self) -> Option<u128> {
        (self.high == 0).then_some(self.low)
    }

    /// The decimal digits; one for 0.
    pub(super) fn digits(self) -> u32 {
        let (top, rest) = self.divided(10_u128.pow(38));
        match top.narrow() {
            Some(0) => super::digits(rest),
            Some(top) => 38 + super::digits(top),
            None => 77,
        }
    }
}
