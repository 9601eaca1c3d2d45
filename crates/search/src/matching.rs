//! Whether one resource matches a condition, decided in memory on what it is found by.
//!
//! For what no store searches: a deleted resource, a contained one, one that is just being written.
//! What the resource alone says is decided here. A condition on other records is a question for the
//! store: whoever asks gets these questions as parts of plans, searches, and comes back with the
//! answers. As in a store, a reference leads to live records only.

use std::collections::BTreeSet;

use crate::entry::{Entry, EntryValue, RecordId, Row, named_part, part_of};
use crate::name::{ByName, ResourceName};
use crate::plan::{Filter, Member, Names, Part, Target, Test};
use crate::registry::Slot;

/// A resource and what it is found by.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    /// Its type.
    pub kind: &'static str,
    /// Its id, if other resources can refer to it by that.
    pub id: Option<&'s str>,
    /// Its row, if it is or was stored.
    pub row: Option<Row>,
    /// The instant of its version (microseconds since 1970), if it is or was stored.
    pub updated: Option<i64>,
    /// Its entries.
    pub entries: &'s [Entry<ByName>],
}

/// What can be said of a resource and a condition.
#[derive(Clone, PartialEq, Eq)]
pub enum Matching {
    /// Whether it matches.
    Decided(bool),
    /// It depends on other records.
    Open(Open),
}

/// What is left of a condition: it depends on the answers to questions.
#[derive(Clone, PartialEq, Eq)]
pub struct Open {
    rest: Rest,
    questions: Vec<Question>,
}

/// A question for the store: does any of these parts find a record? Each names a type of its own,
/// and they have no sort keys.
pub type Question = Vec<Part<ByName>>;

/// A condition in which all that could be decided is decided.
#[derive(Clone, PartialEq, Eq)]
enum Rest {
    Decided(bool),
    All(Vec<Rest>),
    Any(Vec<Rest>),
    Not(Box<Rest>),
    /// As the question of that number is answered.
    Asked(usize),
}

impl Open {
    /// What has to be asked; never empty. None of the answers can be spared beforehand, and each
    /// question has at least one part.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Whether the resource matches, given an answer for each question, in order.
    pub fn decide(&self, answers: &[bool]) -> bool {
        self.rest.decide(answers)
    }
}

impl Rest {
    fn decide(&self, answers: &[bool]) -> bool {
        match self {
            Self::Decided(verdict) => *verdict,
            Self::All(all) => all.iter().all(|it| it.decide(answers)),
            Self::Any(any) => any.iter().any(|it| it.decide(answers)),
            Self::Not(rest) => !rest.decide(answers),
            Self::Asked(number) => answers.get(*number).copied().unwrap_or(false),
        }
    }
}

/// A resource, or one of its parts.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// With its own entries; those of a part have no others.
    own: Subject<'a>,
    /// The part; zero for the resource itself.
    part: u32,
    whole: &'a [Entry<ByName>],
}

impl Subject<'_> {
    /// Whether the resource matches.
    pub fn matches(&self, filter: &Filter<ByName>) -> Matching {
        let itself = Asked {
            own: *self,
            part: 0,
            whole: self.entries,
        };
        let rest = itself.rest(filter);
        if let Partly::Decided(verdict) = rest {
            return Matching::Decided(verdict);
        }
        let mut questions = Vec::new();
        let rest = rest.numbered(&mut questions);
        Matching::Open(Open { rest, questions })
    }
}

impl Asked<'_> {
    fn rest(&self, filter: &Filter<ByName>) -> Partly {
        Partly::Decided(match filter {
            Filter::All(filters) => return self.all(filters),
            Filter::Any(filters) => return self.any(filters),
            Filter::Not(filter) => return self.rest(filter).negated(),
            Filter::Ids(ids) => self
                .own
                .id
                .is_some_and(|id| ids.iter().any(|it| *it.0 == *id)),
            Filter::Rows(rows) => self.own.row.is_some_and(|row| rows.contains(&row)),
            Filter::Updated(range) => self.own.updated.is_some_and(|it| within(range, it)),
            Filter::Partition { part, of } => self
                .own
                .id
                .is_some_and(|id| RecordId::part(id, *of) == *part),
            Filter::Entry { parameter, test } => self.passing(*parameter, test).next().is_some(),
            Filter::Together(members) => self.together(members),
            Filter::Inside(filter) => return self.inside(filter),
            Filter::Beside { parameter, filter } => return self.beside(*parameter, filter),
            Filter::RefersTo {
                parameter,
                names,
                targets,
            } => return self.refers(*parameter, *names, targets),
            Filter::ReferredToBy {
                kind,
                parameter,
                names,
                filter,
            } => {
                let by = self.referring(*parameter, names.as_ref());
                return is_referred_to(kind, by, filter);
            }
        })
    }

    fn all(&self, filters: &[Filter<ByName>]) -> Partly {
        let mut open = Vec::new();
        for filter in filters {
            match self.rest(filter) {
                Partly::Decided(true) => {}
                Partly::Decided(false) => return Partly::Decided(false),
                rest => open.push(rest),
            }
        }
        if open.is_empty() {
            return Partly::Decided(true);
        }
        Partly::All(open)
    }

    fn any(&self, filters: &[Filter<ByName>]) -> Partly {
        Partly::any(filters.iter().map(|it| self.rest(it)))
    }

    /// Whether one of its parts matches; a part has none.
    fn inside(&self, filter: &Filter<ByName>) -> Partly {
        let parts = self.whole.iter().map(|it| part_of(it.group));
        let parts: BTreeSet<u32> = parts.filter(|it| *it > 0 && self.part == 0).collect();
        Partly::any(parts.into_iter().map(|part| self.asked_of(part, filter)))
    }

    /// Whether a part matches that this one refers to.
    fn beside(&self, slot: Slot, filter: &Filter<ByName>) -> Partly {
        let named = named_part(self.part);
        let others = self.whole.iter();
        let others = others.filter(|it| it.parameter == slot && it.value == named);
        let others = others.map(|it| part_of(it.group)).filter(|it| *it > 0);
        let others: BTreeSet<u32> = others.collect();
        Partly::any(others.into_iter().map(|part| self.asked_of(part, filter)))
    }

    fn asked_of(&self, part: u32, filter: &Filter<ByName>) -> Partly {
        let entries = self.whole.iter().filter(|it| part_of(it.group) == part);
        let entries: Vec<_> = entries.cloned().collect();
        let own = Subject {
            entries: &entries,
            ..self.own
        };
        let whole = self.whole;
        Asked { own, part, whole }.rest(filter)
    }

    fn of(&self, parameter: Slot) -> impl Iterator<Item = &Entry<ByName>> {
        let entries = self.own.entries.iter();
        entries.filter(move |it| it.parameter == parameter)
    }

    fn passing(&self, slot: Slot, test: &Test<ByName>) -> impl Iterator<Item = &Entry<ByName>> {
        self.of(slot).filter(move |it| test.passes(&it.value))
    }

    /// Whether there is a group in which every member has an entry; without members any group does.
    fn together(&self, members: &[Member<ByName>]) -> bool {
        let groups = |member: &Member<ByName>| -> Vec<u32> {
            let tests = member.any_of.iter();
            let entries = tests.flat_map(|it| self.passing(member.parameter, it));
            entries.map(|it| it.group).collect()
        };
        let Some((first, rest)) = members.split_first() else {
            return !self.own.entries.is_empty();
        };
        let mut left = groups(first);
        for member in rest {
            let there = groups(member);
            left.retain(|it| there.contains(it));
        }
        !left.is_empty()
    }

    fn refers(&self, slot: Slot, names: Option<Slot>, targets: &[Target<ByName>]) -> Partly {
        let names = names.into_iter().flat_map(|it| self.of(it));
        let names: Vec<_> = names.filter_map(uri).collect();
        let part = |target: &Target<ByName>| {
            let ids: Vec<RecordId> = self.ids(slot, target.kind);
            let named = target.names.map_or(&[][..], |_| &names);
            if ids.is_empty() && named.is_empty() {
                return None;
            }
            let own = target.names.into_iter().flat_map(|own| {
                let each = names.iter();
                each.map(move |name| is(own, (*name).clone()))
            });
            let ids = (!ids.is_empty()).then_some(Filter::Ids(ids));
            let meant = Filter::any(ids.into_iter().chain(own).collect());
            Some(part(target.kind, meant.and(target.filter.clone())))
        };
        Partly::asked(targets.iter().filter_map(part).collect())
    }

    /// The ids of the records of a type that a slot refers to.
    fn ids(&self, slot: Slot, kind: &str) -> Vec<RecordId> {
        let ids = self.of(slot).filter_map(|it| match &it.value {
            EntryValue::Reference(to) if to.kind == kind => Some(RecordId(to.id.clone())),
            _ => None,
        });
        ids.collect()
    }

    /// What entries refer to the resource: by its id, and by the names that it has.
    fn referring(&self, slot: Slot, names: Option<&Names<ByName>>) -> Vec<Filter<ByName>> {
        let itself = self.own.id.map(|id| ResourceName {
            kind: self.own.kind,
            id: id.into(),
        });
        let by_id = itself.map(|it| is(slot, EntryValue::Reference(it)));
        let by_name = names.into_iter().flat_map(|names| {
            let own = self.of(names.own).filter_map(uri);
            own.map(|name| is(names.given, name.clone()))
        });
        by_id.into_iter().chain(by_name).collect()
    }
}

/// Whether a record of that type that matches has one of these entries.
fn is_referred_to(kind: &'static str, by: Vec<Filter<ByName>>, filter: &Filter<ByName>) -> Partly {
    if by.is_empty() {
        return Partly::Decided(false);
    }
    Partly::asked(vec![part(kind, Filter::any(by).and(filter.clone()))])
}

fn uri(entry: &Entry<ByName>) -> Option<&EntryValue<ByName>> {
    Some(&entry.value).filter(|it| matches!(it, EntryValue::Uri(_)))
}

fn is(parameter: Slot, value: EntryValue<ByName>) -> Filter<ByName> {
    let test = Test::Is(value);
    Filter::Entry { parameter, test }
}

/// A condition whose questions have no numbers yet.
enum Partly {
    Decided(bool),
    All(Vec<Partly>),
    Any(Vec<Partly>),
    Not(Box<Partly>),
    Asked(Question),
}

impl Partly {
    /// Nothing is found where nothing is looked for.
    fn asked(question: Question) -> Self {
        if question.is_empty() {
            Self::Decided(false)
        } else {
            Self::Asked(question)
        }
    }

    fn any(all: impl Iterator<Item = Self>) -> Self {
        let mut open = Vec::new();
        for rest in all {
            match rest {
                Self::Decided(false) => {}
                Self::Decided(true) => return Self::Decided(true),
                rest => open.push(rest),
            }
        }
        if open.is_empty() {
            return Self::Decided(false);
        }
        Self::Any(open)
    }

    fn negated(self) -> Self {
        match self {
            Self::Decided(verdict) => Self::Decided(!verdict),
            Self::Not(rest) => *rest,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Equal questions are asked once.
    fn numbered(self, questions: &mut Vec<Question>) -> Rest {
        match self {
            Self::Decided(verdict) => Rest::Decided(verdict),
            Self::All(all) => Rest::All(all.into_iter().map(|it| it.numbered(questions)).collect()),
            Self::Any(any) => Rest::Any(any.into_iter().map(|it| it.numbered(questions)).collect()),
            Self::Not(rest) => Rest::Not(Box::new(rest.numbered(questions))),
            Self::Asked(question) => {
                let known = questions.iter().position(|it| *it == question);
                Rest::Asked(known.unwrap_or_else(|| {
                    questions.push(question);
                    questions.len() - 1
                }))
            }
        }
    }
}

fn part(kind: &'static str, filter: Filter<ByName>) -> Part<ByName> {
    Part {
        kind,
        filter,
        sort: Vec::new(),
    }
}

fn within(range: &crate::plan::Range<i64>, instant: i64) -> bool {
    std::ops::RangeBounds::contains(range, &instant)
}
