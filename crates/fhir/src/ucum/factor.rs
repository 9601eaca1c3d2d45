//! Factors of units as fractions, so that thirds and sixtieths stay exact.

use crate::decimal::Decimal;

/// `numerator ÷ denominator`; neither is zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factor {
    numerator: Decimal,
    denominator: Decimal,
}

impl Factor {
    /// The factor 1.
    pub(super) const ONE: Self = Self {
        numerator: Decimal::ONE,
        denominator: Decimal::ONE,
    };

    /// The product of two factors.
    pub(super) fn by(self, other: &Self) -> Option<Self> {
        let product = |one: Decimal, other: Decimal| Some(one.checked_mul(other)?.normalized());
        Self {
            numerator: product(self.numerator, other.numerator)?,
            denominator: product(self.denominator, other.denominator)?,
        }
        .reduced()
    }

    /// A power.
    pub(super) fn raised(self, exponent: i32) -> Option<Self> {
        let power = exponent.unsigned_abs().cast_signed();
        let numerator = self.numerator.checked_powi(power)?.normalized();
        let denominator = self.denominator.checked_powi(power)?.normalized();
        let upright = Self {
            numerator,
            denominator,
        };
        let turned = Self {
            numerator: denominator,
            denominator: numerator,
        };
        let raised = if exponent < 0 { turned } else { upright };
        (!numerator.is_zero() && !denominator.is_zero()).then_some(raised)
    }

    /// The factor times a number. Its digits stay as they are written if it is divided by 1.
    pub(super) fn times(self, value: Decimal) -> Option<Decimal> {
        let product = value.checked_mul(self.numerator)?;
        if self.denominator == Decimal::ONE {
            return Some(product);
        }
        product.checked_div(self.denominator)
    }

    /// The same factor with the denominator 1, if the division is exact: so tenths are no
    /// fractions, and numerators and denominators stay short.
    fn reduced(self) -> Option<Self> {
        let (numerator, denominator) = (self.numerator, self.denominator);
        if denominator.mantissa() == 1 {
            let scale = numerator.scale() - denominator.scale();
            return Decimal::new(numerator.mantissa(), scale).map(Self::from);
        }
        let mut odd = denominator.mantissa();
        for prime in [2, 5] {
            while odd % prime == 0 {
                odd /= prime;
            }
        }
        if numerator.mantissa() % odd != 0 {
            return Some(self);
        }
        let quotient = numerator.checked_div(denominator)?.normalized();
        // The quotient has an end, but it may have more digits than are kept.
        let exact = quotient.checked_mul(denominator) == Some(numerator);
        Some(if exact { Self::from(quotient) } else { self })
    }
}

impl From<Decimal> for Factor {
    fn from(numerator: Decimal) -> Self {
        Self {
            numerator: numerator.normalized(),
            denominator: Decimal::ONE,
        }
    }
}
