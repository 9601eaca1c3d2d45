//! Quantities: a number with a unit of UCUM or of the calendar.
//!
//! Calendar durations (`1 month`) and definite ones (`1 'mo'`) are different units. From weeks
//! down they are equal; years and months are equivalent only
//! (<https://hl7.org/fhirpath/N1/#time-valued-quantities>).

use std::fmt;

use crate::decimal::Decimal;

/// A number with a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// The number.
    pub value: Decimal,
    /// The unit.
    pub unit: Unit,
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A code of UCUM, which may not be one.
    Ucum(String),
    /// A calendar duration.
    Calendar(CalendarUnit),
}

/// A calendar duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as FHIRPath names it")]
pub enum CalendarUnit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A row for each: its name, the code of UCUM that it is like, seconds with conversion factors of
/// the standard (a year of 365 days, a month of 30).
const CALENDAR: [(CalendarUnit, &str, &str, i64); 8] = [
    (CalendarUnit::Year, "year", "a", 365 * 86_400),
    (CalendarUnit::Month, "month", "mo", 30 * 86_400),
    (CalendarUnit::Week, "week", "wk", 7 * 86_400),
    (CalendarUnit::Day, "day", "d", 86_400),
    (CalendarUnit::Hour, "hour", "h", 3600),
    (CalendarUnit::Minute, "minute", "min", 60),
    (CalendarUnit::Second, "second", "s", 1),
    (CalendarUnit::Millisecond, "millisecond", "ms", 0),
];

impl CalendarUnit {
    fn row(self) -> (&'static str, &'static str, i64) {
        let row = CALENDAR.iter().find(|it| it.0 == self);
        row.map_or(("", "", 0), |it| (it.1, it.2, it.3))
    }

    /// The unit of that name, singular or plural.
    pub fn named(name: &str) -> Option<Self> {
        let singular = name.strip_suffix('s').unwrap_or(name);
        CALENDAR.iter().find(|it| it.1 == singular).map(|it| it.0)
    }

    /// The unit that a code of UCUM is like.
    pub fn of_ucum(code: &str) -> Option<Self> {
        CALENDAR.iter().find(|it| it.2 == code).map(|it| it.0)
    }

    /// Its name in the singular.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The code of UCUM that it is like.
    pub fn ucum(self) -> &'static str {
        self.row().1
    }

    /// Whether it is as long as the unit of UCUM that it is like.
    pub fn is_definite(self) -> bool {
        !matches!(self, Self::Year | Self::Month)
    }

    /// Its length in seconds, by the standard's conversion factors.
    pub fn seconds(self) -> Decimal {
        match self {
            Self::Millisecond => Decimal::new(1, 3).unwrap_or(Decimal::ZERO),
            other => Decimal::from(other.row().2),
        }
    }
}

impl Unit {
    /// The unit that a text between quotes names.
    pub fn of(text: &str) -> Self {
        CalendarUnit::named(text).map_or_else(|| Self::Ucum(text.to_owned()), Self::Calendar)
    }

    /// The unit of numbers, `'1'`.
    pub fn one() -> Self {
        Self::Ucum("1".to_owned())
    }

    /// The code of UCUM that it is or is like.
    pub fn ucum(&self) -> &str {
        match self {
            Self::Ucum(code) => code,
            Self::Calendar(unit) => unit.ucum(),
        }
    }

    /// The calendar duration that it is or is like.
    pub fn calendar(&self) -> Option<CalendarUnit> {
        match self {
            Self::Ucum(code) => CalendarUnit::of_ucum(code),
            Self::Calendar(unit) => Some(*unit),
        }
    }

    /// Its name without quotes.
    pub fn text(&self) -> &str {
        match self {
            Self::Ucum(code) => code,
            Self::Calendar(unit) => unit.name(),
        }
    }
}

/// As a literal has it: `1 'mg'`, `4 days`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, unit } = self;
        match unit {
            Unit::Ucum(code) => write!(f, "{value} '{code}'"),
            Unit::Calendar(unit) if *value == Decimal::ONE => write!(f, "{value} {}", unit.name()),
            Unit::Calendar(unit) => write!(f, "{value} {}s", unit.name()),
        }
    }
}
