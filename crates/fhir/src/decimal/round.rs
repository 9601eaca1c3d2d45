//! Rounding: to a number of digits after the decimal point, and to the digits that are kept.

use super::wide::Wide;
use super::{DIGITS_MAX, Decimal, SCALE_MAX, digits, power_of_ten};

/// Which neighbour a number between two becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// The nearer one; from the middle the even one.
    HalfEven,
    /// The nearer one; from the middle the one further from zero (FHIRPath's `round`).
    HalfAwayFromZero,
    /// The one nearer to zero.
    Truncate,
    /// The smaller one.
    Floor,
    /// The larger one.
    Ceiling,
}

/// What was cut off, compared with half a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cut {
    Nothing,
    BelowHalf,
    Half,
    AboveHalf,
}

impl Cut {
    fn of(remainder: u128, step: u128) -> Self {
        match (remainder, step - remainder) {
            (0, _) => Self::Nothing,
            (cut, rest) if cut < rest => Self::BelowHalf,
            (cut, rest) if cut == rest => Self::Half,
            _ => Self::AboveHalf,
        }
    }

    /// What digits that follow the kept ones amount to.
    pub(super) fn of_digits<'d>(mut digits: impl Iterator<Item = &'d u8>) -> Self {
        let first = digits.next().map_or(0, |digit| digit - b'0');
        let more = digits.any(|digit| *digit != b'0');
        match (first, more) {
            (0, false) => Self::Nothing,
            (0..5, _) => Self::BelowHalf,
            (5, false) => Self::Half,
            _ => Self::AboveHalf,
        }
    }
}

impl Rounding {
    /// Whether a magnitude that lost something grows by one.
    pub(super) fn grows(self, negative: bool, odd: bool, cut: Cut) -> bool {
        match self {
            Self::HalfEven => cut == Cut::AboveHalf || (cut == Cut::Half && odd),
            Self::HalfAwayFromZero => cut >= Cut::Half,
            Self::Truncate => false,
            Self::Floor => negative && cut > Cut::Nothing,
            Self::Ceiling => !negative && cut > Cut::Nothing,
        }
    }
}

impl Decimal {
    /// The number with that many digits after the decimal point at most (below zero: rounded to
    /// tens, hundreds …); nothing is appended to a number that has fewer.
    #[must_use]
    pub fn round(self, places: i32, rounding: Rounding) -> Self {
        let places = places.clamp(-SCALE_MAX, SCALE_MAX);
        let Ok(cut @ 1..) = u32::try_from(self.scale.saturating_sub(places)) else {
            return self;
        };
        let magnitude = self.mantissa.unsigned_abs();
        let (kept, cut) = match power_of_ten(cut) {
            Some(step) => (magnitude / step, Cut::of(magnitude % step, step)),
            None if magnitude == 0 => (0, Cut::Nothing),
            None => (0, Cut::BelowHalf),
        };
        let more = rounding.grows(self.is_negative(), kept % 2 == 1, cut);
        signed(self.is_negative(), kept + u128::from(more), places)
    }

    /// The whole number between this one and zero that is nearest to this one.
    #[must_use]
    pub fn trunc(self) -> Self {
        self.round(0, Rounding::Truncate)
    }

    /// The largest whole number that is not above this one.
    #[must_use]
    pub fn floor(self) -> Self {
        self.round(0, Rounding::Floor)
    }

    /// The smallest whole number that is not below this one.
    #[must_use]
    pub fn ceil(self) -> Self {
        self.round(0, Rounding::Ceiling)
    }

    /// The number with that many significant digits at most, rounded half to even.
    #[must_use]
    pub fn significant(self, digits: u32) -> Self {
        let digits = digits.max(1);
        let surplus = self.precision().saturating_sub(digits);
        if surplus == 0 {
            return self;
        }
        let places = self.scale - surplus.cast_signed();
        let rounded = self.round(places, Rounding::HalfEven);
        if rounded.precision() > digits {
            return Self::of(rounded.mantissa / 10, rounded.scale - 1); // 9.99 became 10.0.
        }
        rounded
    }
}

/// The number of a magnitude that is known to fit.
pub(super) fn signed(negative: bool, magnitude: u128, scale: i32) -> Decimal {
    let mantissa = magnitude.cast_signed();
    Decimal::of(if negative { -mantissa } else { mantissa }, scale)
}

/// The exact result of an operation, brought within the limits: rounded half to even if it has
/// too many digits or is too near to zero, `None` if it is too large.
pub(super) fn fit(negative: bool, magnitude: Wide, scale: i64) -> Option<Decimal> {
    let mut surplus = magnitude.digits().saturating_sub(DIGITS_MAX);
    let step = power_of_ten(surplus)?;
    let (kept, rest) = magnitude.divided(step);
    let kept = kept.narrow()?;
    let grows = Rounding::HalfEven.grows(negative, kept % 2 == 1, Cut::of(rest, step));
    let mut kept = kept + u128::from(grows);
    if digits(kept) > DIGITS_MAX {
        kept /= 10; // 99…9 grew to 100…0.
        surplus += 1;
    }
    let scale = i32::try_from(scale - i64::from(surplus)).ok()?;
    let fitted = signed(negative, kept, scale).round(SCALE_MAX, Rounding::HalfEven);
    if fitted.scale < -SCALE_MAX {
        return fitted.padded_to(-SCALE_MAX);
    }
    Some(fitted)
}
