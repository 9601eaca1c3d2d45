//! Units of measure: the Unified Code for Units of Measure, in its case-sensitive variant.
//!
//! A code such as `mg/dL` is parsed once into a [`Unit`]: a factor, a product of base units and,
//! for temperatures, levels and the like, the function of its scale. Factors are fractions of
//! exact decimal numbers (1 min⁻¹ is 1/60 Hz, not 0.01666…); only a fraction's terms of more than
//! 38 digits are rounded (powers of π). Results are rounded to [`DIGITS_MAX`] significant digits
//! at last, so that equal amounts in different units become equal numbers.
//!
//! Units and prefixes are the rows of `data/ucum/`, made by `cargo xtask codegen`. Calendar
//! durations are FHIRPath's matter, and the meaning of annotations (`{score}`) is nobody's: they
//! count as 1.
//!
//! <https://ucum.org/ucum>, section numbers from there.

mod dimension;
mod error;
mod factor;
mod parse;
mod scale;
mod table;

use crate::decimal::Decimal;

pub use error::{ConversionError, UcumError, UcumFault};
pub use table::{PREFIXES, UNITS};

use dimension::Dimension;
use factor::Factor;
use scale::Scale;

/// How UCUM is named as a code system.
pub const SYSTEM: &str = "http://unitsofmeasure.org";

/// The significant digits of a converted amount.
pub const DIGITS_MAX: u32 = 32;

/// The longest code; those of daily use have less than 40 bytes.
pub const CODE_BYTES_MAX: usize = 1_000;

/// How deep parentheses may be nested.
pub const DEPTH_MAX: u32 = 16;

/// The largest exponent, of a unit and of a base unit in the product.
pub const EXPONENT_MAX: i32 = 999;

/// A unit of measure.
#[derive(Debug, Clone)]
pub struct Unit {
    code: Box<str>,
    meaning: Meaning,
    canonical: Box<str>,
}

/// What one of a unit is.
#[derive(Debug, Clone)]
struct Meaning {
    factor: Factor,
    dimension: Dimension,
    /// For special units (§21): how their scale leads to `factor × dimension`.
    scale: Option<Scale>,
}

impl Unit {
    /// Reads a code. An error points at the character that is at fault and has the nearest unit.
    pub fn parse(code: &str) -> Result<Self, UcumError> {
        let meaning = parse::parse(code, table::atoms()).map_err(|error| error.hinted(code))?;
        Ok(Self::new(code, meaning))
    }

    /// Reads a code as [`Self::parse`] does, for where many are no units and nobody asks why.
    pub fn read(code: &str) -> Option<Self> {
        Some(Self::new(code, parse::parse(code, table::atoms()).ok()?))
    }

    fn new(code: impl Into<Box<str>>, meaning: Meaning) -> Self {
        let canonical = match &meaning.scale {
            Some(scale) if !scale.is_linear() => scale.unit().into(),
            _ => meaning.dimension.to_string().into(),
        };
        Self {
            code: code.into(),
            meaning,
            canonical,
        }
    }

    /// The code as it was written.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The unit that amounts are compared in: a product of base units in the order of their codes
    /// (`g.m2.s-2`), `1` if there are none. Arbitrary units (§24) stand for themselves; so do
    /// units whose scale is no straight line (levels, pH), since their order is their own.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The amount in the [canonical unit](Self::canonical); `None` only for numbers beyond the
    /// limits of [`Decimal`]. A larger amount stays the larger one.
    pub fn to_canonical(&self, value: Decimal) -> Option<Decimal> {
        let amount = match &self.meaning.scale {
            Some(scale) if !scale.is_linear() => scale.prefix().times(value),
            Some(scale) => self.meaning.factor.times(scale.to_ratio(value)?),
            None => self.meaning.factor.times(value),
        };
        Some(amount?.significant(DIGITS_MAX))
    }

    /// Whether amounts in the two units can be compared: their canonical units are the same.
    pub fn comparable(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }

    /// The amount in another unit. Exact up to [`DIGITS_MAX`] digits, except for conversions from
    /// or to a scale that is no straight line (`B[SPL]` to `Pa`), which have 15.
    pub fn convert(&self, value: Decimal, to: &Self) -> Result<Decimal, ConversionError> {
        let (from, to) = (&self.meaning, &to.meaning);
        if from.dimension != to.dimension {
            return Err(ConversionError::NotComparable);
        }
        from.converted(value, to).ok_or(ConversionError::OutOfRange)
    }

    /// The product of two units, for products of amounts. Special units have none (§21) but with
    /// plain numbers.
    pub fn multiply(&self, other: &Self) -> Result<Self, ConversionError> {
        let meaning = self.meaning.times(&other.meaning, Power::Product)?;
        let code = match (&*self.code, &*other.code) {
            ("1", code) | (code, "1") => code.to_owned(),
            (one, other) => format!("{one}.{}", component(other)),
        };
        Ok(Self::new(code, meaning))
    }

    /// The quotient of two units, for quotients of amounts.
    pub fn divide(&self, other: &Self) -> Result<Self, ConversionError> {
        let meaning = self.meaning.times(&other.meaning, Power::Quotient)?;
        let code = match (&*self.code, &*other.code) {
            (code, "1") => code.to_owned(),
            ("1", other) => format!("/{}", component(other)),
            (one, other) => format!("{one}/{}", component(other)),
        };
        Ok(Self::new(code, meaning))
    }
}

/// Units are equal if amounts in them are the same amounts: `mL` and `cm3`.
impl PartialEq for Unit {
    fn eq(&self, other: &Self) -> bool {
        self.comparable(other)
            && [Decimal::ZERO, Decimal::ONE]
                .into_iter()
                .all(|it| self.to_canonical(it) == other.to_canonical(it))
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code)
    }
}

/// The amount in base units and the text of these; `None` for a code that is no unit, and for
/// numbers beyond the limits: then codes are compared as they are.
pub fn canonical(value: Decimal, code: &str) -> Option<(Decimal, Box<str>)> {
    let unit = Unit::read(code)?;
    Some((unit.to_canonical(value)?, unit.canonical))
}

/// A code as part of another one.
fn component(code: &str) -> std::borrow::Cow<'_, str> {
    if code.contains(['.', '/']) {
        format!("({code})").into()
    } else {
        code.into()
    }
}

/// How a unit enters a product.
#[derive(Debug, Clone, Copy)]
enum Power {
    Product,
    Quotient,
}

impl Meaning {
    fn number(value: Decimal) -> Self {
        Self {
            factor: Factor::from(value),
            dimension: Dimension::default(),
            scale: None,
        }
    }

    fn is_number(&self) -> bool {
        self.scale.is_none() && self.dimension == Dimension::default()
    }

    /// The product or quotient.
    fn times(&self, other: &Self, power: Power) -> Result<Self, ConversionError> {
        let sign = match power {
            Power::Product => 1,
            Power::Quotient => -1,
        };
        let factor = other
            .factor
            .raised(sign)
            .ok_or(ConversionError::OutOfRange)?;
        match (&self.scale, &other.scale, power) {
            (None, None, _) => {
                let factor = self.factor.by(&factor).ok_or(ConversionError::OutOfRange)?;
                let dimension = self.dimension.times(&other.dimension, sign);
                let dimension = dimension.ok_or(ConversionError::OutOfRange)?;
                Ok(Self {
                    factor,
                    dimension,
                    scale: None,
                })
            }
            (Some(scale), None, _) if other.is_number() => self.stretched(scale, &factor),
            (None, Some(scale), Power::Product) if self.is_number() => {
                other.stretched(scale, &self.factor)
            }
            (Some(scale), _, _) | (None, Some(scale), _) => {
                Err(ConversionError::Special { unit: scale.unit() })
            }
        }
    }

    /// A special unit times a number: its scale is stretched (§22).
    fn stretched(&self, scale: &Scale, by: &Factor) -> Result<Self, ConversionError> {
        let scale = scale.stretched(by).ok_or(ConversionError::OutOfRange)?;
        Ok(Self {
            scale: Some(scale),
            ..self.clone()
        })
    }

    /// The unit after a prefix.
    fn prefixed(&self, prefix: Factor) -> Result<Self, ConversionError> {
        if let Some(scale) = &self.scale {
            return self.stretched(scale, &prefix);
        }
        let factor = self.factor.by(&prefix).ok_or(ConversionError::OutOfRange)?;
        Ok(Self {
            factor,
            ..self.clone()
        })
    }

    /// The unit to a power.
    fn raised(&self, exponent: i32) -> Result<Self, ConversionError> {
        if let Some(scale) = self.scale.as_ref().filter(|_| exponent != 1) {
            return Err(ConversionError::Special { unit: scale.unit() });
        }
        let factor = self
            .factor
            .raised(exponent)
            .ok_or(ConversionError::OutOfRange)?;
        let dimension = Dimension::default().times(&self.dimension, exponent);
        let dimension = dimension.ok_or(ConversionError::OutOfRange)?;
        Ok(Self {
            factor,
            dimension,
            scale: self.scale.clone(),
        })
    }

    /// The amount in another unit of the same dimension.
    fn converted(&self, value: Decimal, to: &Self) -> Option<Decimal> {
        let value = match (&self.scale, &to.scale) {
            (Some(from), Some(to)) if from.unit() == to.unit() => {
                from.prefix().by(&to.prefix().raised(-1)?)?.times(value)?
            }
            (from, scale) => {
                let value = from.as_ref().map_or(Some(value), |it| it.to_ratio(value))?;
                let value = self.factor.by(&to.factor.raised(-1)?)?.times(value)?;
                scale
                    .as_ref()
                    .map_or(Some(value), |it| it.of_ratio(value))?
            }
        };
        Some(value.significant(DIGITS_MAX))
    }
}
