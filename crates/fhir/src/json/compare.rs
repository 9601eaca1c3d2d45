//! Whether two values say the same as FHIR content.

use std::borrow::Cow;

use super::{Kind, Value};

/// Whether two values are equal as FHIR content: the order of members does not matter, that of
/// items does; numbers are equal when their digits are (`1.0` is not `1.00`); strings when their
/// characters are, however escaped.
pub fn same_content(left: Value<'_>, right: Value<'_>) -> bool {
    if left.kind() != right.kind() {
        return false;
    }
    match left.kind() {
        Kind::Object => same_members(left, right),
        Kind::Array => {
            left.items().count() == right.items().count()
                && (left.items().zip(right.items())).all(|(left, right)| same_content(left, right))
        }
        Kind::String => left.unescaped() == right.unescaped(),
        Kind::Null | Kind::Boolean | Kind::Number => left.raw() == right.raw(),
    }
}

/// Sorted by name on both sides, so that a large object costs no square of its size.
fn same_members(left: Value<'_>, right: Value<'_>) -> bool {
    let (left, right) = (by_name(left), by_name(right));
    left.len() == right.len()
        && (left.iter().zip(&right))
            .all(|(left, right)| left.0 == right.0 && same_content(left.1, right.1))
}

fn by_name(object: Value<'_>) -> Vec<(Cow<'_, str>, Value<'_>)> {
    let entries = object.entries();
    let mut members: Vec<_> = entries
        .map(|(name, value)| (name.unescaped(), value))
        .collect();
    members.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    members
}
