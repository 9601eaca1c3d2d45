//! The order of matches. <https://hl7.org/fhir/R4/search.html#_sort>

use std::cmp::Ordering;

use fhir::decimal::Decimal;
use fhir::definitions::SearchType;
use fhir::ucum;

use super::element::{Element, Measured};
use super::{Stored, Yardstick};
use crate::entry::Direction;
use crate::query::{SortKey, SortedBy};
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
    /// Sorts by the keys one after the other, then by row.
    pub(super) fn sort(&self, found: &mut [usize], keys: &[SortKey]) {
        let keyed = |at: usize| -> Vec<Option<Key>> {
            let stored = &self.world[at];
            keys.iter().map(|it| self.key(stored, *it)).collect()
        };
        let mut pairs: Vec<_> = found.iter().map(|&at| (keyed(at), at)).collect();
        pairs.sort_by(|one, other| {
            let by_keys = keys.iter().zip(one.0.iter().zip(&other.0));
            by_keys
                .map(|(key, (one, other))| compare(key.direction, one.as_ref(), other.as_ref()))
                .find(|it| it.is_ne())
                .unwrap_or_else(|| self.world[one.1].row.cmp(&self.world[other.1].row))
        });
        for (place, (_, at)) in found.iter_mut().zip(pairs) {
            *place = at;
        }
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
        let best = std::cell::RefCell::new(None);
        self.any(stored, definition, &|element| {
            for key in self.keys(element, definition.search_type, sorted.direction) {
                let mut best = best.borrow_mut();
                let is_better = best.as_ref().is_none_or(|it| match sorted.direction {
                    Direction::Ascending => key < *it,
                    Direction::Descending => key > *it,
                });
                if is_better {
                    *best = Some(key);
                }
            }
            false
        });
        best.into_inner()
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
                let mut uris = element.uris();
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
