//! Special units (§21, §22): scales that do not begin at zero, or are no straight lines.
//!
//! Each is a pair of functions between its numbers and those of a ratio scale. The table of UCUM
//! names the functions; what they are stands in its text, and here.

use super::factor::Factor;
use crate::decimal::Decimal;

/// Digits of a result that binary floating point gave.
const INEXACT_DIGITS: u32 = 15;

/// The scale of a special unit.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    function: &'static Function,
    unit: &'static str,
    /// What the numbers of the scale are multiplied with: of prefixes and plain numbers.
    prefix: Factor,
}

/// A function of the table: how a number of the scale leads to one of the ratio scale.
#[derive(Debug)]
pub(super) struct Function {
    name: &'static str,
    curve: Curve,
}

#[derive(Debug)]
enum Curve {
    /// `x + shift`, the shift in hundredths.
    Shifted(i64),
    /// `base^(x ÷ divisor)`
    Power { base: i64, divisor: i64 },
    /// `e^x`
    Exponential,
    /// `arctan(x ÷ 100)`
    Slope,
    /// `x²`
    Square,
}

/// Sorted by name.
static FUNCTIONS: [Function; 15] = [
    Function {
        name: "100tan",
        curve: Curve::Slope,
    },
    Function {
        name: "Cel",
        curve: Curve::Shifted(27_315),
    },
    Function {
        name: "degF",
        curve: Curve::Shifted(45_967),
    },
    Function {
        name: "degRe",
        curve: Curve::Shifted(21_852),
    },
    Function {
        name: "hpC",
        curve: Curve::Power {
            base: 100,
            divisor: -1,
        },
    },
    Function {
        name: "hpM",
        curve: Curve::Power {
            base: 1_000,
            divisor: -1,
        },
    },
    Function {
        name: "hpQ",
        curve: Curve::Power {
            base: 50_000,
            divisor: -1,
        },
    },
    Function {
        name: "hpX",
        curve: Curve::Power {
            base: 10,
            divisor: -1,
        },
    },
    Function {
        name: "ld",
        curve: Curve::Power {
            base: 2,
            divisor: 1,
        },
    },
    Function {
        name: "lg",
        curve: Curve::Power {
            base: 10,
            divisor: 1,
        },
    },
    Function {
        name: "lgTimes2",
        curve: Curve::Power {
            base: 10,
            divisor: 2,
        },
    },
    Function {
        name: "ln",
        curve: Curve::Exponential,
    },
    Function {
        name: "pH",
        curve: Curve::Power {
            base: 10,
            divisor: -1,
        },
    },
    Function {
        name: "sqrt",
        curve: Curve::Square,
    },
    Function {
        name: "tanTimes100",
        curve: Curve::Slope,
    },
];

impl Function {
    /// The function of that name in the table of units.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|it| it.name == name)
    }
}

impl Scale {
    pub(super) fn new(function: &'static Function, unit: &'static str) -> Self {
        Self {
            function,
            unit,
            prefix: Factor::ONE,
        }
    }

    /// The special unit, without prefix.
    pub(super) fn unit(&self) -> &'static str {
        self.unit
    }

    /// What numbers are multiplied with before the function is applied.
    pub(super) fn prefix(&self) -> Factor {
        self.prefix
    }

    /// Whether equal steps on the scale are equal amounts.
    pub(super) fn is_linear(&self) -> bool {
        matches!(self.function.curve, Curve::Shifted(_))
    }

    /// The scale with a prefix or number before its unit.
    pub(super) fn stretched(&self, by: &Factor) -> Option<Self> {
        Some(Self {
            prefix: self.prefix.by(by)?,
            ..self.clone()
        })
    }

    /// The number on the ratio scale.
    pub(super) fn to_ratio(&self, value: Decimal) -> Option<Decimal> {
        let value = self.prefix.times(value)?;
        match &self.function.curve {
            Curve::Shifted(shift) => value.checked_add(hundredths(*shift)?),
            Curve::Power { base, divisor } => {
                let exponent = value.checked_div((*divisor).into())?;
                let power = Decimal::from(*base).power(exponent)?;
                Some(if exponent.is_integer() {
                    power
                } else {
                    inexact(power)
                })
            }
            Curve::Exponential => value.exp().map(inexact),
            Curve::Slope => Decimal::from_f64((value.to_f64() / 100.0).atan()).map(inexact),
            Curve::Square => value.checked_mul(value),
        }
    }

    /// The number on this scale of one on the ratio scale.
    pub(super) fn of_ratio(&self, value: Decimal) -> Option<Decimal> {
        let number = match &self.function.curve {
            Curve::Shifted(shift) => value.checked_sub(hundredths(*shift)?),
            Curve::Power { base, divisor } => {
                let logarithm = value.log((*base).into()).map(inexact)?;
                logarithm.checked_mul((*divisor).into())
            }
            Curve::Exponential => value.ln().map(inexact),
            Curve::Slope => Decimal::from_f64(value.to_f64().tan() * 100.0).map(inexact),
            Curve::Square => value.sqrt().map(inexact),
        }?;
        self.prefix.raised(-1)?.times(number)
    }
}

fn hundredths(number: i64) -> Option<Decimal> {
    Decimal::new(number.into(), 2)
}

fn inexact(value: Decimal) -> Decimal {
    value.significant(INEXACT_DIGITS)
}
