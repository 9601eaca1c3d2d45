//! What a plan means, by looking at every record.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::RangeBounds;

use search::entry::{named_part, part_of};

use super::model::{Held, Model};
use crate::{
    Direction, Entry, EntryValue, Filter, Found, Member, Operation, ParameterNumber, Place, Plan,
    RecordId, RecordKey, Row, SortBy, Space, Test, Total, TypeNumber,
};

type Keys = Vec<Option<Box<[u8]>>>;

impl Model {
    pub(super) fn search(&self, plan: &Plan) -> Found {
        let mut matches: Vec<(Keys, Row, TypeNumber)> = Vec::new();
        let mut total = 0;
        for part in &plan.parts {
            for (key, held) in &self.records {
                let of_part = key.space == plan.space && key.kind == part.kind && held.live();
                if !of_part || !self.passes(&part.filter, key, held) {
                    continue;
                }
                total += 1;
                let position = held.versions.last().map_or(0, |last| last.position.0);
                if plan.not_later_than.is_none_or(|max| position <= max) {
                    let keys = keys(&part.sort, &plan.order, key, held);
                    matches.push((keys, held.row, key.kind));
                }
            }
        }
        matches.sort_by(|one, other| compare(&plan.order, (&one.0, one.1), (&other.0, other.1)));
        if let Some(after) = &plan.after {
            matches.retain(|(keys, row, _)| {
                compare(&plan.order, (keys, *row), (&after.keys, after.row)) == Ordering::Greater
            });
        }
        let more = plan.limit > 0 && matches.len() > plan.limit;
        matches.truncate(plan.limit);
        let last = matches.last().map(|(keys, row, _)| crate::After {
            keys: keys.clone(),
            row: *row,
        });
        Found {
            rows: matches
                .into_iter()
                .map(|(_, row, kind)| (kind, row))
                .collect(),
            more,
            total: (plan.total == Total::Accurate).then_some(total),
            last,
        }
    }

    pub(super) fn passes(&self, filter: &Filter, key: &RecordKey, held: &Held) -> bool {
        self.holds(filter, key, held, None)
    }

    /// With its entries of one part, or with all.
    fn holds(&self, filter: &Filter, key: &RecordKey, held: &Held, part: Option<u32>) -> bool {
        let own = &own(held, part);
        match filter {
            Filter::All(all) => all.iter().all(|filter| self.holds(filter, key, held, part)),
            Filter::Any(any) => any.iter().any(|filter| self.holds(filter, key, held, part)),
            Filter::Not(not) => !self.holds(not, key, held, part),
            Filter::Ids(ids) => ids.contains(&key.id),
            Filter::Rows(rows) => rows.contains(&held.row),
            Filter::Updated(range) => {
                let last = held.versions.last();
                last.is_some_and(|last| {
                    last.operation != Operation::Delete && range.contains(&last.time.0)
                })
            }
            Filter::Partition { part, of } => RecordId::part(&key.id.0, *of) == *part,
            Filter::Entry { parameter, test } => {
                let entries = own.iter();
                let mut entries = entries.filter(|entry| entry.parameter == *parameter);
                entries.any(|entry| meets(test, &entry.value))
            }
            Filter::Together(members) => {
                let mut groups = own.iter().map(|entry| entry.group);
                groups.any(|group| {
                    let finds = |member: &Member| finds(own, group, member);
                    members.iter().all(finds)
                })
            }
            Filter::Inside(filter) => {
                let parts: BTreeSet<u32> = own.iter().map(|it| part_of(it.group)).collect();
                let mut inner = parts.into_iter().filter(|it| *it > 0 && part.is_none());
                inner.any(|it| self.holds(filter, key, held, Some(it)))
            }
            Filter::Beside { parameter, filter } => part.is_some_and(|part| {
                let named = named_part(part);
                let mut others = held.newest.entries.iter();
                others.any(|it| {
                    let other = part_of(it.group);
                    it.parameter == *parameter
                        && it.value == named
                        && other > 0
                        && self.holds(filter, key, held, Some(other))
                })
            }),
            Filter::RefersTo {
                parameter,
                names,
                targets,
            } => targets.iter().any(|target| {
                let names = names.zip(target.names);
                self.of_kind(key.space, target.kind).any(|(other, its)| {
                    (refers(own, *parameter, other) || shares(names, own, &whole(its)))
                        && self.live(&target.filter, other)
                })
            }),
            Filter::ReferredToBy {
                kind,
                parameter,
                names,
                filter,
            } => {
                let names = names.as_ref().map(|it| (it.given, it.own));
                self.of_kind(key.space, *kind).any(|(other, its)| {
                    (refers(&whole(its), *parameter, key) || shares(names, &whole(its), own))
                        && self.live(filter, other)
                })
            }
        }
    }

    fn of_kind(&self, space: Space, kind: TypeNumber) -> impl Iterator<Item = (&RecordKey, &Held)> {
        let is_meant = move |key: &RecordKey| key.space == space && key.kind == kind;
        self.records.iter().filter(move |(key, _)| is_meant(key))
    }

    fn live(&self, filter: &Filter, key: &RecordKey) -> bool {
        let held = self.records.get(key).filter(|held| held.live());
        held.is_some_and(|held| self.passes(filter, key, held))
    }
}

fn own(held: &Held, part: Option<u32>) -> Vec<&Entry> {
    let entries = held.newest.entries.iter();
    let own = entries.filter(|it| part.is_none_or(|part| part == part_of(it.group)));
    own.collect()
}

fn whole(held: &Held) -> Vec<&Entry> {
    own(held, None)
}

fn refers(own: &[&Entry], by: ParameterNumber, to: &RecordKey) -> bool {
    let mut entries = own.iter();
    entries.any(|it| it.parameter == by && it.value == EntryValue::Reference(to.clone()))
}

/// Whether a URI of the one in the first slot is a URI of the other in the second.
fn shares(
    slots: Option<(ParameterNumber, ParameterNumber)>,
    one: &[&Entry],
    other: &[&Entry],
) -> bool {
    let Some((given, own)) = slots else {
        return false;
    };
    one.iter().any(|it| {
        let is_name = it.parameter == given && matches!(it.value, EntryValue::Uri(_));
        let mut others = other.iter();
        is_name && others.any(|its| its.parameter == own && its.value == it.value)
    })
}

fn finds(entries: &[&Entry], group: u32, member: &Member) -> bool {
    entries.iter().any(|entry| {
        let test = |test: &Test| meets(test, &entry.value);
        entry.group == group
            && entry.parameter == member.parameter
            && member.any_of.iter().any(test)
    })
}

fn keys(sort: &[SortBy], order: &[Direction], key: &RecordKey, held: &Held) -> Keys {
    let by = |(by, direction): (&SortBy, &Direction)| match by {
        SortBy::Nothing => None,
        SortBy::Id => Some(key.id.0.as_bytes().into()),
        SortBy::Updated => held
            .versions
            .last()
            .map(|last| search::entry::ordered(last.time.0).to_be_bytes().into()),
        SortBy::Entry(parameter) => {
            let entries = held.newest.entries.iter();
            let keys = entries
                .filter(|entry| entry.parameter == *parameter)
                .filter_map(|entry| entry.value.sort_key(*direction));
            match direction {
                Direction::Ascending => keys.min(),
                Direction::Descending => keys.max(),
            }
        }
    };
    sort.iter().zip(order).map(by).collect()
}

fn compare(order: &[Direction], one: (&Keys, Row), other: (&Keys, Row)) -> Ordering {
    for (at, direction) in order.iter().enumerate() {
        let ordering = match (&one.0[at], &other.0[at]) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => match direction {
                Direction::Ascending => one.cmp(other),
                Direction::Descending => other.cmp(one),
            },
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    one.1.cmp(&other.1)
}

fn meets(test: &Test, value: &EntryValue) -> bool {
    match (test, value) {
        (Test::Present, _) => true,
        (Test::Is(wanted), given) => wanted == given,
        (Test::Code(wanted), EntryValue::Token { code, .. }) => wanted == code,
        (Test::System(wanted), EntryValue::Token { system, .. }) => wanted == system,
        (Test::TextStarts(text), EntryValue::Text { folded, .. }) => folded.starts_with(&**text),
        (Test::TextContains(text), EntryValue::Text { folded, .. }) => folded.contains(&**text),
        (Test::TextIs(text), EntryValue::Text { exact, .. }) => text == exact,
        (Test::UriStarts(text), EntryValue::Uri(uri)) => uri.starts_with(&**text),
        (Test::Period { low, high }, EntryValue::Period { low: l, high: h }) => {
            low.contains(l) && high.contains(h)
        }
        (
            Test::Number { unit, low, high },
            EntryValue::Number {
                unit: given,
                low: l,
                high: h,
            },
        ) => unit == given && low.contains(l) && high.contains(h),
        (Test::Near { place, metres }, EntryValue::Place(given)) => {
            distance(*place, *given) <= f64::from(*metres)
        }
        _ => false,
    }
}

/// Along the surface, from the straight line through the sphere.
fn distance(one: Place, other: Place) -> f64 {
    let (one, other) = (direction_of(one), direction_of(other));
    let squares = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - other).powi(2));
    let straight: f64 = squares.sum::<f64>().sqrt();
    2.0 * (straight / 2.0).min(1.0).asin() * f64::from(search::plan::EARTH_RADIUS_METRES)
}

fn direction_of(place: Place) -> [f64; 3] {
    let radians = |units: i32| (f64::from(units) / 1e7).to_radians();
    let (latitude, longitude) = (radians(place.latitude), radians(place.longitude));
    [
        latitude.cos() * longitude.cos(),
        latitude.cos() * longitude.sin(),
        latitude.sin(),
    ]
}
