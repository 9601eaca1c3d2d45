//! From criteria to a plan in names.

use std::collections::BTreeSet;

use fhir::{Definitions, Fault, FhirVersion, Instant, Issue};

use super::needs::{Answers, Need};
use super::scope::{self, Itself};
use super::sort;
use super::visibility::Visibility;
use crate::entry::{RecordId, Space};
use crate::name::{ByName, ResourceName};
use crate::plan::{Filter, Names, Part, Plan, Target, Total};
use crate::query::{Condition, Contained, Presence, Query, QueryLimits, Referrer, Sense, SortKey};
use crate::reference::Bases;
use crate::registry::{Facets, Parameter, Registry, Slot};

mod values;

/// What plans are built with.
#[derive(Clone, Copy)]
pub struct Builder<'b> {
    /// The FHIR version.
    pub version: FhirVersion,
    /// Where its resources lie.
    pub space: Space,
    /// The bases of this server.
    pub bases: &'b Bases,
    /// What may be seen.
    pub visibility: &'b Visibility,
    /// What was looked up so far.
    pub answers: &'b Answers,
    /// The time of the request, for `ap`.
    pub now: Instant,
    /// The limits.
    pub limits: QueryLimits,
}

/// What came of building.
#[derive(Debug)]
pub enum Built {
    /// The plan: without a limit, a total and a place to go on from, which are the caller's.
    Plan(Plan<ByName>),
    /// What has to be looked up first; never empty.
    Needs(Vec<Need>),
}

impl Builder<'_> {
    /// The plan of a query over these types, perhaps within the compartment of a resource. All
    /// faults are reported.
    pub fn plan(
        &self,
        types: &[&'static str],
        compartment: Option<&ResourceName>,
        query: &Query,
    ) -> Result<Built, Vec<Issue>> {
        let mut work = Work::new(self);
        let wanted = query.result.types.as_ref();
        let types = types
            .iter()
            .filter(|it| wanted.is_none_or(|wanted| wanted.contains(it)));
        let types: Vec<&'static str> = types.copied().collect();
        let keys = &query.result.sort;
        let mut each = |itself| work.each(&types, compartment.map(|it| (it, itself)), query);
        let parts = match query.result.contained {
            Contained::False => {
                let part = |(kind, filter)| Part {
                    kind,
                    filter: self.visibility.around(kind, filter),
                    sort: sort::keys(self.version, kind, keys),
                };
                each(Itself::Counts).into_iter().map(part).collect()
            }
            Contained::True => {
                let inner = each(Itself::Aside);
                work.containers(&inner, &[], keys)
            }
            Contained::Both => {
                let (own, inner) = (each(Itself::Counts), each(Itself::Aside));
                work.containers(&inner, &own, keys)
            }
        };
        let plan = Plan {
            space: self.space,
            parts,
            order: query.result.sort.iter().map(|it| it.direction).collect(),
            after: None,
            not_later_than: None,
            limit: 0,
            total: Total::None,
        };
        work.finish(plan)
    }

    /// What of these resources may be seen.
    pub fn visible(&self, kind: &'static str, ids: Vec<RecordId>) -> Part<ByName> {
        let filter = self.visibility.around(kind, Filter::Ids(ids));
        Part {
            kind,
            filter,
            sort: Vec::new(),
        }
    }
}

/// A plan in the making.
pub(super) struct Work<'w> {
    pub(super) builder: &'w Builder<'w>,
    needs: BTreeSet<Need>,
    faults: Vec<Issue>,
    /// The single tests so far.
    tests: usize,
    /// The criterion that is being built.
    name: &'w str,
}

impl<'w> Work<'w> {
    fn new(builder: &'w Builder<'w>) -> Self {
        Self {
            builder,
            needs: BTreeSet::new(),
            faults: Vec::new(),
            tests: 0,
            name: "",
        }
    }

    fn finish(mut self, plan: Plan<ByName>) -> Result<Built, Vec<Issue>> {
        if self.is_over() {
            let max = self.builder.limits.tests_max;
            let what = format!("the query needs more than `tests_max` ({max}) tests");
            let issue = Issue::error(Fault::TooLarge, what);
            self.faults.push(issue.mend(
                "give fewer values, or name types: `Patient/1` for `1`, `subject:Patient.name` for `subject.name`",
            ));
        }
        match (self.faults.is_empty(), self.needs.is_empty()) {
            (false, _) => Err(self.faults),
            (true, false) => Ok(Built::Needs(self.needs.into_iter().collect())),
            (true, true) => Ok(Built::Plan(plan)),
        }
    }

    fn count(&mut self, tests: usize) {
        self.tests = self.tests.saturating_add(tests);
    }

    /// More tests than allowed: nothing is worth building any more.
    fn is_over(&self) -> bool {
        self.tests > self.builder.limits.tests_max
    }

    fn refuse(&mut self, issue: Issue) {
        let issue = issue.at(format!("http.{}", self.name));
        if !self.faults.contains(&issue) {
            self.faults.push(issue);
        }
    }

    /// The condition, and that the record may be seen.
    pub(super) fn seen(&self, kind: &str, filter: Filter<ByName>) -> Filter<ByName> {
        self.builder.visibility.around(kind, filter)
    }

    fn parameter(&self, kind: &str, code: &str) -> Option<&'static Parameter> {
        Registry::of(self.builder.version).named(kind, code)
    }

    /// What a resource of that type must match. A type without the parameter matches nothing;
    /// queries have been read against the types.
    pub(super) fn condition(
        &mut self,
        kind: &'static str,
        condition: &Condition,
    ) -> Filter<ByName> {
        self.count(1);
        if self.is_over() {
            return Filter::NOTHING;
        }
        match condition {
            Condition::Ids { sense, ids } => sensed(*sense, self.ids(ids.iter())),
            Condition::Updated(tests) => self.updated(tests),
            Condition::Partition { part, of } => Filter::Partition {
                part: *part,
                of: *of,
            },
            Condition::Lists(lists) => self.lists(kind, lists),
            Condition::NotReferenced(referrers) => self.not_referenced(kind, referrers),
            Condition::Missing { code, presence } => {
                let parameter = self.parameter(kind, code);
                let present = parameter.map_or(Filter::NOTHING, |it| values::present(&it.facets));
                match presence {
                    Presence::Present => present,
                    Presence::Absent => present.negated(),
                }
            }
            Condition::Matches {
                code,
                sense,
                any_of,
            } => {
                let Some(parameter) = self.parameter(kind, code) else {
                    return Filter::NOTHING;
                };
                let any = any_of
                    .iter()
                    .map(|it| self.value(parameter.definition, &parameter.facets, it));
                sensed(*sense, Filter::any(any.collect()))
            }
            Condition::Chain {
                code,
                targets,
                condition,
            } => self.chain(kind, code, targets, condition),
            Condition::Has {
                kind: source,
                code,
                condition,
            } => {
                let Some(Facets::Reference { literal, names, .. }) = self.facets(source, code)
                else {
                    return Filter::NOTHING;
                };
                let filter = self.condition(source, condition);
                Filter::ReferredToBy {
                    kind: source,
                    parameter: *literal,
                    names: self.names(*names, kind),
                    filter: Box::new(self.seen(source, filter)),
                }
            }
        }
    }

    /// What resources of each of these types must match, perhaps in a compartment.
    fn each(
        &mut self,
        types: &[&'static str],
        within: Option<(&ResourceName, Itself)>,
        query: &'w Query,
    ) -> Vec<(&'static str, Filter<ByName>)> {
        let each = types.iter().map(|&kind| {
            let within = within.map(|(of, itself)| scope::compartment(self, kind, of, itself));
            let all = query.criteria.iter().map(|it| {
                self.name = &it.name;
                self.condition(kind, &it.condition)
            });
            let filter = all.fold(Filter::EVERYTHING, Filter::and);
            (kind, within.into_iter().fold(filter, Filter::and))
        });
        each.collect()
    }

    /// What contains a resource that matches: a part for each type that may contain any; and of some
    /// types what matches itself.
    fn containers(
        &mut self,
        contained: &[(&'static str, Filter<ByName>)],
        itself: &[(&'static str, Filter<ByName>)],
        keys: &[SortKey],
    ) -> Vec<Part<ByName>> {
        let version = self.builder.version;
        let (definitions, registry) = (Definitions::of(version), Registry::of(version));
        let any = contained.iter();
        let any: Vec<_> = any
            .map(|(kind, filter)| registry.containing(kind, filter, None))
            .collect();
        let inner = contained.first().map_or("", |it| it.0);
        let own_tests = self.tests;
        let all = definitions.resources();
        let mut parts = Vec::new();
        for it in all {
            let may_contain = definitions.child(it.shape, "contained").is_some();
            let own = itself.iter().find(|(kind, _)| *kind == it.name);
            if !may_contain && own.is_none() {
                continue;
            }
            self.count(own_tests);
            if self.is_over() {
                break;
            }
            let own = own.map(|(_, filter)| filter.clone());
            let sort = match own {
                Some(_) => sort::keys(version, it.name, keys),
                None => sort::contained_keys(version, inner, keys),
            };
            let inside = any.iter().filter(|_| may_contain).cloned();
            let filter = Filter::any(own.into_iter().chain(inside).collect());
            parts.push(Part {
                kind: it.name,
                filter: self.seen(it.name, filter),
                sort,
            });
        }
        parts
    }

    /// How a resource of a type is referred to by name, where a reference has that slot of names.
    fn names(&self, given: Option<Slot>, of: &str) -> Option<Names<ByName>> {
        let own = Registry::of(self.builder.version).names(of)?;
        given.map(|given| Names { given, own })
    }

    fn facets(&self, kind: &str, code: &str) -> Option<&'static Facets> {
        self.parameter(kind, code).map(|it| &it.facets)
    }

    /// A reference leads to a resource of these types, or to one that is contained where it is:
    /// chains go into these. <https://hl7.org/fhir/R4/search.html#contained>
    fn chain(
        &mut self,
        kind: &str,
        code: &str,
        targets: &[&'static str],
        condition: &Condition,
    ) -> Filter<ByName> {
        let Some(Parameter {
            definition,
            facets:
                Facets::Reference {
                    literal,
                    names,
                    inside,
                    is_held,
                    ..
                },
        }) = self.parameter(kind, code)
        else {
            return Filter::NOTHING;
        };
        let own =
            |it: &&&'static str| definition.targets.is_empty() || definition.targets.contains(it);
        let registry = Registry::of(self.builder.version);
        let mut inside_any = Vec::new();
        let targets = targets.iter().filter(own).map(|&kind| {
            let before = self.tests;
            let filter = self.condition(kind, condition);
            self.count(self.tests - before);
            // What is contained has no place in a list.
            if !matches!(condition, Condition::Lists(_)) {
                inside_any.push(registry.containing(kind, &filter, Some(*inside)));
            }
            Target {
                kind,
                names: names.and_then(|_| registry.names(kind)),
                filter: self.seen(kind, filter),
            }
        });
        let targets: Vec<Target<ByName>> = targets.collect();
        let contained = Filter::any(inside_any);
        if *is_held {
            return contained;
        }
        let is_named = targets.iter().any(|it| it.names.is_some());
        let refers = Filter::RefersTo {
            parameter: *literal,
            names: names.filter(|_| is_named),
            targets,
        };
        Filter::any(vec![refers, contained])
    }

    fn ids<'i>(&mut self, ids: impl Iterator<Item = &'i Box<str>>) -> Filter<ByName> {
        let ids: Vec<RecordId> = ids.map(|it| RecordId(it.clone())).collect();
        self.count(ids.len());
        Filter::Ids(ids)
    }

    fn updated(&mut self, tests: &[crate::query::DateTest]) -> Filter<ByName> {
        let now = self.builder.now;
        let ranges = tests.iter().flat_map(|it| super::bounds::instants(it, now));
        Filter::any(ranges.map(Filter::Updated).collect())
    }

    fn lists(&mut self, kind: &str, lists: &[Box<str>]) -> Filter<ByName> {
        let mut ids = Vec::new();
        for list in lists {
            for record in self.resources(Need::List(list.clone())) {
                if record.kind == kind {
                    ids.push(record.id);
                }
            }
        }
        self.ids(ids.iter())
    }

    fn not_referenced(&mut self, kind: &'static str, by: &[Referrer]) -> Filter<ByName> {
        let registry = Registry::of(self.builder.version);
        let mut slots = BTreeSet::new();
        for referrer in by {
            let all = Definitions::of(self.builder.version)
                .resources()
                .map(|it| it.name);
            for source in all.filter(|it| referrer.kind.is_none_or(|kind| kind == *it)) {
                for parameter in registry.parameters(source) {
                    let definition = parameter.definition;
                    let is_meant = referrer.code.is_none_or(|it| it == definition.code);
                    let leads_here =
                        definition.targets.is_empty() || definition.targets.contains(&kind);
                    if let Facets::Reference { literal, names, .. } = parameter.facets
                        && is_meant
                        && leads_here
                    {
                        slots.insert((source, literal, names));
                    }
                }
            }
        }
        self.count(slots.len());
        let refers = slots
            .into_iter()
            .map(|(source, parameter, names)| Filter::ReferredToBy {
                kind: source,
                parameter,
                names: self.names(names, kind),
                filter: Box::new(self.seen(source, Filter::EVERYTHING)),
            });
        Filter::any(refers.collect()).negated()
    }
}

fn sensed(sense: Sense, filter: Filter<ByName>) -> Filter<ByName> {
    match sense {
        Sense::Plain => filter,
        Sense::Negated => filter.negated(),
    }
}
