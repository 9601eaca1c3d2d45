//! Functions whose results have no end, by way of binary floating point: about 15 digits.
//!
//! FHIRPath's mathematics (§5.7) promises no more. Where a result is whole or exact all the same
//! (`81.sqrt()`, `1000.log(10)`, `2.5.power(2)`), it is exact here.

use super::Decimal;

/// Whole exponents up to this are multiplied out.
const EXPONENT_EXACT_MAX: i64 = 10_000;

impl Decimal {
    /// The nearest binary floating-point number; infinite if it is too large for one.
    pub fn to_f64(self) -> f64 {
        let text = format!("{}e{}", self.mantissa, -self.scale);
        text.parse().unwrap_or(f64::NAN)
    }

    /// The shortest decimal number that a floating-point number stands for; `None` for those
    /// that are no numbers.
    pub fn from_f64(number: f64) -> Option<Self> {
        let shortest: Self = format!("{number:e}").parse().ok()?;
        shortest.expanded().or(Some(shortest))
    }

    /// The square root; none below zero.
    pub fn sqrt(self) -> Option<Self> {
        if self.is_negative() {
            return None;
        }
        Self::from_f64(self.to_f64().sqrt())
    }

    /// `e` to the power of the number.
    pub fn exp(self) -> Option<Self> {
        Self::from_f64(self.to_f64().exp())
    }

    /// The natural logarithm; none of zero and below.
    pub fn ln(self) -> Option<Self> {
        self.has_logarithm()
            .then(|| Self::from_f64(self.to_f64().ln()))?
    }

    /// The logarithm to a base; exact where it is whole.
    pub fn log(self, base: Self) -> Option<Self> {
        if !self.has_logarithm() || !base.has_logarithm() || base == Self::ONE {
            return None;
        }
        let quotient = Self::from_f64(self.to_f64().ln() / base.to_f64().ln())?;
        let whole = quotient.round(0, super::Rounding::HalfEven);
        let power = || base.checked_powi(whole.to_i64()?.try_into().ok()?);
        Some(if power() == Some(self) {
            whole
        } else {
            quotient
        })
    }

    /// The number to a power: exact for whole exponents; none if it is no real number.
    pub fn power(self, exponent: Self) -> Option<Self> {
        let small = |it: &i64| it.abs() <= EXPONENT_EXACT_MAX;
        if let Some(exponent) = exponent.to_i64().filter(small) {
            return self.checked_powi(exponent.try_into().ok()?);
        }
        Self::from_f64(self.to_f64().powf(exponent.to_f64()))
    }

    fn has_logarithm(self) -> bool {
        self.mantissa > 0
    }
}
