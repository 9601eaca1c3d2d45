//! From a plan, or an entry, in names to the same in numbers.

use std::collections::{BTreeSet, HashMap};

use crate::entry::{
    Entry, EntryValue, ParameterNumber, RecordId, RecordKey, Space, SystemNumber, TypeNumber,
    UnitNumber,
};
use crate::name::{ByName, ResourceName};
use crate::plan::{self, Filter, Member, Part, Plan, SortBy, Target, Test};
use crate::registry::Slot;

/// Names whose numbers are needed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Names<'n> {
    /// Of resource types.
    pub types: BTreeSet<&'n str>,
    /// Of slots.
    pub parameters: BTreeSet<&'n str>,
    /// Of systems.
    pub systems: BTreeSet<&'n str>,
    /// Of units.
    pub units: BTreeSet<&'n str>,
}

/// The numbers of names.
#[derive(Debug, Default, Clone)]
pub struct Numbers {
    /// Of resource types.
    pub types: HashMap<Box<str>, TypeNumber>,
    /// Of slots.
    pub parameters: HashMap<Box<str>, ParameterNumber>,
    /// Of systems.
    pub systems: HashMap<Box<str>, SystemNumber>,
    /// Of units.
    pub units: HashMap<Box<str>, UnitNumber>,
}

impl<'n> Names<'n> {
    /// Adds the names in a plan.
    pub fn of_plan(&mut self, plan: &'n Plan<ByName>) {
        for part in &plan.parts {
            self.of_part(part);
        }
    }

    /// Adds the names in a part of a plan.
    pub fn of_part(&mut self, part: &'n Part<ByName>) {
        self.types.insert(part.kind);
        self.of_filter(&part.filter);
        for key in &part.sort {
            if let SortBy::Entry(slot) = key {
                self.parameters.insert(slot.0);
            }
        }
    }

    /// Adds the names in a condition.
    pub fn of_filter(&mut self, filter: &'n Filter<ByName>) {
        match filter {
            Filter::All(filters) | Filter::Any(filters) => {
                for filter in filters {
                    self.of_filter(filter);
                }
            }
            Filter::Not(filter) | Filter::Inside(filter) => self.of_filter(filter),
            Filter::Beside { parameter, filter } => {
                self.parameters.insert(parameter.0);
                self.of_filter(filter);
            }
            Filter::Entry { parameter, test } => {
                self.parameters.insert(parameter.0);
                self.of_test(test);
            }
            Filter::Together(members) => {
                for member in members {
                    self.parameters.insert(member.parameter.0);
                    for test in &member.any_of {
                        self.of_test(test);
                    }
                }
            }
            Filter::RefersTo {
                parameter,
                names,
                targets,
            } => {
                self.parameters.insert(parameter.0);
                self.parameters.extend(names.map(|it| it.0));
                for target in targets {
                    self.types.insert(target.kind);
                    self.parameters.extend(target.names.map(|it| it.0));
                    self.of_filter(&target.filter);
                }
            }
            Filter::ReferredToBy {
                kind,
                parameter,
                names,
                filter,
            } => {
                self.types.insert(kind);
                self.parameters.insert(parameter.0);
                if let Some(names) = names {
                    self.parameters.extend([names.given.0, names.own.0]);
                }
                self.of_filter(filter);
            }
            Filter::Ids(_) | Filter::Rows(_) | Filter::Updated(_) | Filter::Partition { .. } => {}
        }
    }

    /// Adds the names in an entry.
    pub fn of_entry(&mut self, entry: &'n Entry<ByName>) {
        self.parameters.insert(entry.parameter.0);
        self.of_value(&entry.value);
    }

    fn of_test(&mut self, test: &'n Test<ByName>) {
        match test {
            Test::Is(value) => self.of_value(value),
            Test::System(system) => self.systems.extend(system.as_deref()),
            Test::Number { unit, .. } => self.units.extend(unit.as_deref()),
            _ => {}
        }
    }

    fn of_value(&mut self, value: &'n EntryValue<ByName>) {
        match value {
            EntryValue::Token { system, .. } => self.systems.extend(system.as_deref()),
            EntryValue::Reference(record) => {
                self.types.insert(record.kind);
            }
            EntryValue::Number { unit, .. } => self.units.extend(unit.as_deref()),
            _ => {}
        }
    }
}

impl Numbers {
    /// The plan in numbers; types without one are left out.
    pub fn plan(&self, plan: &Plan<ByName>) -> Plan {
        Plan {
            space: plan.space,
            parts: plan
                .parts
                .iter()
                .filter_map(|it| self.part(plan.space, it))
                .collect(),
            order: plan.order.clone(),
            after: plan.after.clone(),
            not_later_than: plan.not_later_than,
            limit: plan.limit,
            total: plan.total,
        }
    }

    /// The part in numbers; `None` if its type has none: then there are no such records.
    pub fn part(&self, space: Space, part: &Part<ByName>) -> Option<Part> {
        let key = |it: &SortBy<ByName>| match it {
            SortBy::Entry(slot) => self.slot(*slot).map_or(SortBy::Nothing, SortBy::Entry),
            SortBy::Updated => SortBy::Updated,
            SortBy::Id => SortBy::Id,
            SortBy::Nothing => SortBy::Nothing,
        };
        Some(Part {
            kind: self.kind(part.kind)?,
            filter: self.filter(space, &part.filter),
            sort: part.sort.iter().map(key).collect(),
        })
    }

    /// The condition in numbers.
    pub fn filter(&self, space: Space, filter: &Filter<ByName>) -> Filter {
        let all =
            |filters: &[Filter<ByName>]| filters.iter().map(|it| self.filter(space, it)).collect();
        match filter {
            Filter::All(filters) => Filter::All(all(filters)),
            Filter::Any(filters) => {
                let mut any: Vec<Filter> = all(filters);
                any.retain(|it| *it != Filter::NOTHING);
                Filter::any(any)
            }
            Filter::Not(filter) => self.filter(space, filter).negated(),
            Filter::Inside(filter) => match self.filter(space, filter) {
                // Mostly nothing is contained, and the names of what would be have no numbers.
                Filter::All(all) if all.contains(&Filter::NOTHING) => Filter::NOTHING,
                filter => Filter::Inside(Box::new(filter)),
            },
            Filter::Beside { parameter, filter } => {
                let beside = |parameter| Filter::Beside {
                    parameter,
                    filter: Box::new(self.filter(space, filter)),
                };
                self.slot(*parameter).map_or(Filter::NOTHING, beside)
            }
            Filter::Ids(ids) => Filter::Ids(ids.clone()),
            Filter::Rows(rows) => Filter::Rows(rows.clone()),
            Filter::Updated(range) => Filter::Updated(*range),
            Filter::Partition { part, of } => Filter::Partition {
                part: *part,
                of: *of,
            },
            Filter::Entry { parameter, test } => self
                .entry_filter(space, *parameter, test)
                .unwrap_or(Filter::NOTHING),
            Filter::Together(members) => {
                let members = members.iter().map(|it| self.member(space, it));
                members
                    .collect::<Option<_>>()
                    .map_or(Filter::NOTHING, Filter::Together)
            }
            Filter::RefersTo {
                parameter,
                names,
                targets,
            } => {
                let targets = targets.iter().filter_map(|it| self.target(space, it));
                let targets = targets.collect();
                let refers = |parameter| Filter::RefersTo {
                    parameter,
                    names: names.and_then(|it| self.slot(it)),
                    targets,
                };
                self.slot(*parameter).map_or(Filter::NOTHING, refers)
            }
            Filter::ReferredToBy {
                kind,
                parameter,
                names,
                filter,
            } => {
                let numbers = self.kind(kind).zip(self.slot(*parameter));
                numbers.map_or(Filter::NOTHING, |(kind, parameter)| Filter::ReferredToBy {
                    kind,
                    parameter,
                    names: names.as_ref().and_then(|it| self.names(it)),
                    filter: Box::new(self.filter(space, filter)),
                })
            }
        }
    }

    /// The entry in numbers; `None` if one of its names has none.
    pub fn entry(&self, space: Space, entry: &Entry<ByName>) -> Option<Entry> {
        Some(Entry {
            parameter: self.slot(entry.parameter)?,
            group: entry.group,
            value: self.value(space, &entry.value)?,
        })
    }

    /// The key of a record; `None` if its type has no number.
    pub fn key(&self, space: Space, resource_type: &str, id: &str) -> Option<RecordKey> {
        Some(RecordKey {
            space,
            kind: self.kind(resource_type)?,
            id: RecordId::from(id),
        })
    }

    /// `None` if its type has no number: then there are no such records.
    fn target(&self, space: Space, target: &Target<ByName>) -> Option<Target> {
        Some(Target {
            kind: self.kind(target.kind)?,
            names: target.names.and_then(|it| self.slot(it)),
            filter: self.filter(space, &target.filter),
        })
    }

    fn names(&self, names: &plan::Names<ByName>) -> Option<plan::Names> {
        Some(plan::Names {
            given: self.slot(names.given)?,
            own: self.slot(names.own)?,
        })
    }

    fn kind(&self, name: &str) -> Option<TypeNumber> {
        self.types.get(name).copied()
    }

    fn slot(&self, slot: Slot) -> Option<ParameterNumber> {
        self.parameters.get(slot.0).copied()
    }

    fn entry_filter(&self, space: Space, slot: Slot, test: &Test<ByName>) -> Option<Filter> {
        let (parameter, test) = (self.slot(slot)?, self.test(space, test)?);
        Some(Filter::Entry { parameter, test })
    }

    /// `None` if it can pass nothing.
    fn member(&self, space: Space, member: &Member<ByName>) -> Option<Member> {
        let tests = member.any_of.iter().filter_map(|it| self.test(space, it));
        let any_of: Vec<Test> = tests.collect();
        let parameter = self.slot(member.parameter)?;
        (!any_of.is_empty()).then_some(Member { parameter, any_of })
    }

    fn test(&self, space: Space, test: &Test<ByName>) -> Option<Test> {
        Some(match test {
            Test::Present => Test::Present,
            Test::Is(value) => Test::Is(self.value(space, value)?),
            Test::Code(code) => Test::Code(code.clone()),
            Test::System(system) => Test::System(self.system(system.as_deref())?),
            Test::TextStarts(text) => Test::TextStarts(text.clone()),
            Test::TextContains(text) => Test::TextContains(text.clone()),
            Test::TextIs(text) => Test::TextIs(text.clone()),
            Test::UriStarts(text) => Test::UriStarts(text.clone()),
            Test::Period { low, high } => Test::Period {
                low: *low,
                high: *high,
            },
            Test::Number { unit, low, high } => Test::Number {
                unit: self.unit(unit.as_deref())?,
                low: low.clone(),
                high: high.clone(),
            },
            Test::Near { place, metres } => Test::Near {
                place: *place,
                metres: *metres,
            },
        })
    }

    fn value(&self, space: Space, value: &EntryValue<ByName>) -> Option<EntryValue> {
        Some(match value {
            EntryValue::Valueless => EntryValue::Valueless,
            EntryValue::Token { system, code } => EntryValue::Token {
                system: self.system(system.as_deref())?,
                code: code.clone(),
            },
            EntryValue::Text { folded, exact } => EntryValue::Text {
                folded: folded.clone(),
                exact: exact.clone(),
            },
            EntryValue::Reference(ResourceName { kind, id }) => {
                EntryValue::Reference(self.key(space, kind, id)?)
            }
            EntryValue::Uri(uri) => EntryValue::Uri(uri.clone()),
            EntryValue::Period { low, high } => EntryValue::Period {
                low: *low,
                high: *high,
            },
            EntryValue::Number { unit, low, high } => EntryValue::Number {
                unit: self.unit(unit.as_deref())?,
                low: low.clone(),
                high: high.clone(),
            },
            EntryValue::Place(place) => EntryValue::Place(*place),
        })
    }

    fn system(&self, name: Option<&str>) -> Option<SystemNumber> {
        name.map_or(Some(SystemNumber::NONE), |it| self.systems.get(it).copied())
    }

    fn unit(&self, name: Option<&str>) -> Option<UnitNumber> {
        name.map_or(Some(UnitNumber::ANY), |it| self.units.get(it).copied())
    }
}
