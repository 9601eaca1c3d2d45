//! What the comparators mean, word by word.
//! <https://hl7.org/fhir/R4/search.html#prefix>

use fhir::Instant;
use fhir::decimal::Decimal;
use fhir::ucum;

use super::element::Measured;
use crate::query::{DateTest, Prefix, Unit};

/// Where an end of a stored range lies, seen from the searched one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lies {
    Below,
    Within,
    Above,
}

/// Whether a stored range with its ends there passes.
fn passes(prefix: Prefix, low: Lies, high: Lies) -> bool {
    let is_within = low == Lies::Within && high == Lies::Within;
    match prefix {
        Prefix::Equal => is_within,
        Prefix::NotEqual => !is_within,
        Prefix::Greater => high == Lies::Above,
        Prefix::Less => low == Lies::Below,
        Prefix::GreaterOrEqual => high == Lies::Above || is_within,
        Prefix::LessOrEqual => low == Lies::Below || is_within,
        Prefix::StartsAfter => low == Lies::Above,
        Prefix::EndsBefore => high == Lies::Below,
        Prefix::Approximately => low != Lies::Above && high != Lies::Below,
    }
}

/// Whether a stored period passes a test. `ap` widens by a tenth of the distance from now.
pub(super) fn dates(test: &DateTest, (low, high): (i64, i64), now: Instant) -> bool {
    let (mut from, mut to) = (test.low, test.high);
    if test.prefix == Prefix::Approximately {
        let tenth = (now.micros() - test.low).abs() / 10;
        (from, to) = (from - tenth, to + tenth);
    }
    let lies = |it: i64| match it {
        it if it < from => Lies::Below,
        it if it > to => Lies::Above,
        _ => Lies::Within,
    };
    passes(test.prefix, lies(low), lies(high))
}

/// Whether stored amounts in the searched unit pass. `eq`, `ne` and `ap` search the range that the
/// written number stands for, whose upper end is not part of it; the others the number itself.
pub(super) fn amounts(
    prefix: Prefix,
    number: Decimal,
    (low, high): (Option<Decimal>, Option<Decimal>),
) -> bool {
    let (mut from, mut to) = number.implicit_range();
    let is_ranged = match prefix {
        Prefix::Equal | Prefix::NotEqual => true,
        Prefix::Approximately => {
            let tenth = Decimal::new(1, 1).and_then(|it| number.abs().checked_mul(it));
            let tenth = tenth.unwrap_or(Decimal::ZERO);
            from = from.checked_sub(tenth).unwrap_or(from);
            to = to.checked_add(tenth).unwrap_or(to);
            true
        }
        _ => {
            (from, to) = (number, number);
            false
        }
    };
    let lies = |it: Decimal| match it {
        it if it < from => Lies::Below,
        it if it > to || (is_ranged && it == to) => Lies::Above,
        _ => Lies::Within,
    };
    let (low, high) = (
        low.map_or(Lies::Below, lies),
        high.map_or(Lies::Above, lies),
    );
    passes(prefix, low, high)
}

/// A stored quantity in the searched unit; `None` if it cannot be.
pub(super) fn in_unit(
    stored: &Measured,
    unit: &Unit,
) -> Option<(Option<Decimal>, Option<Decimal>)> {
    let ends = (stored.low, stored.high);
    match unit {
        Unit::Any => Some(ends),
        Unit::Named(name) => {
            let named = [&stored.code, &stored.unit];
            let is_named = named.iter().any(|it| it.as_deref() == Some(&**name));
            is_named.then_some(ends)
        }
        Unit::Coded { system, code } => {
            let stored_code = stored.code.as_deref()?;
            let is_of_system = stored.system.as_deref().unwrap_or_default() == &**system;
            let units = (ucum::Unit::read(stored_code), ucum::Unit::read(code));
            match units {
                (Some(from), Some(to)) if is_of_system && **system == *ucum::SYSTEM => {
                    let converted = |it: Decimal| from.convert(it, &to).ok();
                    from.comparable(&to)
                        .then(|| (ends.0.and_then(converted), ends.1.and_then(converted)))
                }
                _ => (is_of_system && stored_code == &**code).then_some(ends),
            }
        }
    }
}
