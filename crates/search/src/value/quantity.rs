//! Quantities: in canonical units, and as written.
//!
//! | slot | unit |
//! |---|---|
//! | canonical | the canonical unit of UCUM; of another system, or where UCUM does not know the code, `system|code` ([`canonical_unit`]); nothing where there is no code |
//! | coded | the code, and the text of the unit |
//! | written | nothing |

use fhir::decimal::Decimal;
use fhir::json::Value;

use super::number::{decimal, span};
use super::{At, Datatype, Values};
use crate::measure::{canonical_unit, fit};

/// The system of currencies, which R4's Money does not write.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// The least and the greatest number, where there is one.
type Ends = [Option<Decimal>; 2];

impl Values<'_> {
    /// `slots`: canonical, coded, written.
    pub(super) fn quantity(&mut self, slots: [At; 3], datatype: Datatype, value: Value<'_>) {
        match datatype {
            Datatype::Range => self.range(slots, value),
            Datatype::SampledData => self.samples(slots, value),
            Datatype::Money => {
                let currency = value.get("currency").and_then(Value::as_str);
                let unit = Unit {
                    system: Some(CURRENCIES.into()),
                    code: currency,
                    text: None,
                };
                self.measured(slots, point(value), &unit);
            }
            _ => self.measured(slots, point(value), &Unit::of(value)),
        }
    }

    /// An end without unit has that of the other one.
    fn range(&mut self, slots: [At; 3], value: Value<'_>) {
        let [low, high] = ["low", "high"].map(|name| value.get(name).unwrap_or(value));
        let (ends, unit, other) = ([number(low), number(high)], Unit::of(low), Unit::of(high));
        if unit == other || other.is_unnamed() {
            self.measured(slots, ends, &unit);
        } else if unit.is_unnamed() {
            self.measured(slots, ends, &other);
        } else {
            self.mixed(slots, ends, [&unit, &other]);
        }
    }

    /// Ends with different units make a range in canonical units, if these are the same; as
    /// written, and otherwise, they are points.
    fn mixed(&mut self, slots: [At; 3], [low, high]: Ends, [unit, other]: [&Unit<'_>; 2]) {
        let [canonical, coded, written] = slots;
        let (name, [least, _]) = unit.canonical([low, None]);
        let (other_name, [_, greatest]) = other.canonical([None, high]);
        if name == other_name {
            self.push(canonical, span(least, greatest, name));
            self.as_written([coded, written], [low; 2], unit);
            self.as_written([coded, written], [high; 2], other);
        } else {
            self.measured(slots, [low; 2], unit);
            self.measured(slots, [high; 2], other);
        }
    }

    /// From the least sample to the greatest one.
    fn samples(&mut self, slots: [At; 3], value: Value<'_>) {
        let (Some(origin), Some(data)) = (
            value.get("origin"),
            value.get("data").and_then(Value::as_str),
        ) else {
            return self.measured(slots, [None, None], &Unit::default());
        };
        let factor = value.get("factor").and_then(decimal);
        let scaled = |sample: Decimal| {
            let sample = sample.checked_mul(factor.unwrap_or(Decimal::ONE))?;
            sample.checked_add(number(origin).unwrap_or(Decimal::ZERO))
        };
        let samples = data
            .split_ascii_whitespace()
            .filter_map(|it| it.parse().ok());
        let samples = samples.filter_map(scaled);
        let ends = samples.fold([None, None], |[low, high]: Ends, it| {
            [
                Some(low.map_or(it, |low| low.min(it))),
                Some(high.map_or(it, |high| high.max(it))),
            ]
        });
        self.measured(slots, ends, &Unit::of(origin));
    }

    fn measured(&mut self, [canonical, coded, written]: [At; 3], ends: Ends, unit: &Unit<'_>) {
        let (name, [low, high]) = unit.canonical(ends);
        self.push(canonical, span(low, high, name));
        self.as_written([coded, written], ends, unit);
    }

    fn as_written(&mut self, [coded, written]: [At; 2], [low, high]: Ends, unit: &Unit<'_>) {
        for name in unit.names() {
            self.push(coded, span(low, high, Some(fit(name).into())));
        }
        self.push(written, span(low, high, None));
    }
}

fn number(quantity: Value<'_>) -> Option<Decimal> {
    quantity.get("value").and_then(decimal)
}

fn point(quantity: Value<'_>) -> Ends {
    [number(quantity); 2]
}

/// The unit of a quantity.
#[derive(Default, PartialEq, Eq)]
struct Unit<'d> {
    system: Option<std::borrow::Cow<'d, str>>,
    code: Option<std::borrow::Cow<'d, str>>,
    text: Option<std::borrow::Cow<'d, str>>,
}

impl<'d> Unit<'d> {
    fn of(quantity: Value<'d>) -> Self {
        let text = |name| quantity.get(name).and_then(Value::as_str);
        Self {
            system: text("system"),
            code: text("code"),
            text: text("unit"),
        }
    }

    fn is_unnamed(&self) -> bool {
        self.code.is_none() && self.text.is_none()
    }

    /// The code and the text, unless they are the same.
    fn names(&self) -> impl Iterator<Item = &str> {
        let code = self.code.as_deref();
        let text = self.text.as_deref().filter(|it| Some(*it) != code);
        code.into_iter().chain(text)
    }

    fn canonical(&self, ends: Ends) -> (Option<Box<str>>, Ends) {
        let Some(code) = self.code.as_deref() else {
            return (None, ends);
        };
        let canonical = |end: Decimal| canonical_unit(self.system.as_deref(), code, end);
        let [low, high] = ends;
        if low == high {
            let (unit, number) = low.map(canonical).unzip();
            return (unit, [number; 2]);
        }
        match [low.map(canonical), high.map(canonical)] {
            [Some((unit, low)), Some((other, high))] if unit == other => {
                (Some(unit), [Some(low), Some(high)])
            }
            [Some((unit, low)), None] => (Some(unit), [Some(low), None]),
            [None, Some((unit, high))] => (Some(unit), [None, Some(high)]),
            _ => (None, ends),
        }
    }
}
