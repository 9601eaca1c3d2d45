//! Why a code is no unit, and why units cannot be converted. No error repeats the code itself.

use super::parse::symbol_at;
use super::table;
use super::{CODE_BYTES_MAX, DEPTH_MAX, EXPONENT_MAX};

/// A code that is no unit, and where it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at character {}", at + 1)]
pub struct UcumError {
    /// The byte at which the fault begins; the characters before are ASCII.
    pub at: usize,
    /// What is wrong there.
    pub fault: UcumFault,
}

impl UcumError {
    /// Names the unit that is nearest to an unknown one.
    pub(super) fn hinted(self, code: &str) -> Self {
        let fault = match self.fault {
            UcumFault::UnknownUnit { .. } => UcumFault::UnknownUnit {
                nearest: table::nearest(symbol_at(code, self.at)).map(str::to_owned),
            },
            fault => fault,
        };
        Self { fault, ..self }
    }
}

/// What can be wrong with a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UcumFault {
    /// Nothing, or nothing after an operator.
    #[error("a unit is expected")]
    UnitExpected,
    /// A sign without digits.
    #[error("an exponent is expected")]
    ExponentExpected,
    /// Something that no code holds, or not in that place.
    #[error("a character that cannot stand here")]
    Unexpected,
    /// `(`, `[` or `{` without its counterpart.
    #[error("`{0}` is not closed")]
    Unclosed(char),
    /// No unit has that code.
    #[error("an unknown unit{}", hint(.nearest.as_deref()))]
    UnknownUnit {
        /// The unit that is written most alike.
        nearest: Option<String>,
    },
    /// A prefix before a unit that takes none.
    #[error("`{unit}` takes no prefix")]
    NotMetric {
        /// That unit.
        unit: &'static str,
    },
    /// A special unit in a product, quotient or power (§21).
    #[error("`{unit}` has a scale of its own and cannot be multiplied with units")]
    Special {
        /// That unit.
        unit: &'static str,
    },
    /// More than [`CODE_BYTES_MAX`].
    #[error("a code of more than {CODE_BYTES_MAX} characters")]
    TooLong,
    /// More than [`DEPTH_MAX`] parentheses.
    #[error("more than {DEPTH_MAX} nested parentheses")]
    TooDeep,
    /// More than [`EXPONENT_MAX`].
    #[error("an exponent above {EXPONENT_MAX}")]
    ExponentTooLarge,
    /// A factor beyond the limits of decimal numbers, or zero.
    #[error("a factor that is zero, too large or too small")]
    FactorOutOfRange,
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |it| format!(" (did you mean `{it}`?)"))
}

/// Why an amount cannot be converted, or units cannot be multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The units measure different things.
    #[error("the units measure different things")]
    NotComparable,
    /// A special unit in a product, quotient or power (§21).
    #[error("`{unit}` has a scale of its own and cannot be multiplied with units")]
    Special {
        /// That unit.
        unit: &'static str,
    },
    /// The result is beyond the limits of decimal numbers or exponents, or does not exist.
    #[error("the result is out of range")]
    OutOfRange,
}
