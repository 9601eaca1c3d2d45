//! The order of matches. <https://hl7.org/fhir/R4/search.html#_sort>

use std::cmp::Ordering;

use fhir::decimal::Decimal;
use fhir::definitions::SearchType;
use fhir::ucum;

use super::contained::Asked;
use super::element::{Element, Measured};
use super::{Stored, Yardstick};
use crate::entry::Direction;
use crate::query::{Query, SortKey, SortedBy};
use crate::text::fold;

/// What is sorted by; a key has values of one kind, and open ends of ranges.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Least,
    Text(String),
    Time(i64),
    Number(Decimal),
    Greatest,
}

impl Yardstick<'_> {
    /// Sorts by the keys one after the other, then by row. What is not of the types that are searched
    /// but contains what is stands by the values of all it contains of these.
    pub(super) fn sort(&self, found: &mut Vec<(usize, Asked<'_>)>, types: &[&str], query: &Query) {
        let keys = &query.result.sort;
        let keyed = |at: usize| -> Vec<Option<Key>> {
            let stored = &self.world[at];
            let asked = self.asked(at, types, query);
            if asked.itself {
                return keys.iter().map(|it| self.key(stored, *it)).collect();
            }
            let best = |it: &SortKey| {
                let of_each = asked.inner.iter().filter_map(|inner| self.key(inner, *it));
                of_each.reduce(|one, other| best(it.direction, one, other))
            };
            keys.iter().map(best).collect()
        };
        let mut pairs: Vec<_> = found.drain(..).map(|it| (keyed(it.0), it)).collect();
        pairs.sort_by(|one, other| {
            let by_keys = keys.iter().zip(one.0.iter().zip(&other.0));
            let row = |it: &(usize, Asked<'_>)| self.world[it.0].row;
            by_keys
                .map(|(key, (one, other))| compare(key.direction, one.as_ref(), other.as_ref()))
                .find(|it| it.is_ne())
                .unwrap_or_else(|| row(&one.1).cmp(&row(&other.1)))
        });
        found.extend(pairs.into_iter().map(|it| it.1));
    }

    /// The least value by its lower end, or the greatest one by its upper end.
    fn key(&self, stored: &Stored, sorted: SortKey) -> Option<Key> {
        let code = match sorted.by {
            SortedBy::Id => return Some(Key::Text(stored.id.to_string())),
            SortedBy::Updated => return Some(Key::Time(stored.updated)),
            SortedBy::Score => return None,
            SortedBy::Parameter(code) => code,
        };
        let definition = self.definition(stored.kind, code)?;
        let keys = std::cell::RefCell::new(Vec::new());
        self.any(stored, definition, &|element| {
            let own = self.keys(element, definition.search_type, sorted.direction);
            keys.borrow_mut().extend(own);
            false
        });
        let keys = keys.into_inner().into_iter();
        keys.reduce(|one, other| best(sorted.direction, one, other))
    }

    fn keys(&self, element: &Element<'_>, of: SearchType, direction: Direction) -> Vec<Key> {
        let texts = |it: Vec<String>| it.into_iter().map(Key::Text).collect();
        match of {
            SearchType::String => texts(element.texts().iter().map(|it| fold(it)).collect()),
            SearchType::Token => texts(element.tokens().into_iter().map(|it| it.1).collect()),
            SearchType::Uri => texts(element.uris()),
            SearchType::Reference => {
                let target = element.local_target(self.bases, self.definitions);
                let is_contained = |it: &String| it.starts_with('#');
                let mut uris = element.named_uris();
                uris.retain(|it| target.is_none() && !is_contained(it));
                texts(target.map(|it| it.1).into_iter().chain(uris).collect())
            }
            SearchType::Date => {
                let ends = element.dates(self.definitions);
                let end = |(low, high)| match direction {
                    Direction::Ascending => Key::Time(low),
                    Direction::Descending => Key::Time(high),
                };
                ends.into_iter().map(end).collect()
            }
            SearchType::Number => amount(element.numbers(), direction).into_iter().collect(),
            SearchType::Quantity => amount(element.amounts(), direction).into_iter().collect(),
            SearchType::Composite | SearchType::Special => Vec::new(),
        }
    }
}

fn best(direction: Direction, one: Key, other: Key) -> Key {
    match direction {
        Direction::Ascending => one.min(other),
        Direction::Descending => one.max(other),
    }
}

/// Values come before what has none, whatever the direction.
fn compare(direction: Direction, one: Option<&Key>, other: Option<&Key>) -> Ordering {
    match (one, other, direction) {
        (Some(one), Some(other), Direction::Ascending) => one.cmp(other),
        (Some(one), Some(other), Direction::Descending) => other.cmp(one),
        _ => one.is_none().cmp(&other.is_none()),
    }
}

/// In base units, where the unit is one of UCUM.
fn amount(measured: Option<Measured>, direction: Direction) -> Option<Key> {
    let measured = measured?;
    let (end, open) = match direction {
        Direction::Ascending => (measured.low, Key::Least),
        Direction::Descending => (measured.high, Key::Greatest),
    };
    let Some(number) = end else {
        return Some(open);
    };
    let code = measured.code.as_deref();
    let code = code.filter(|_| measured.system.as_deref() == Some(ucum::SYSTEM));
    let unit = code.and_then(ucum::Unit::read);
    let number = unit
        .and_then(|it| it.to_canonical(number))
        .unwrap_or(number);
    Some(Key::Number(number))
}
