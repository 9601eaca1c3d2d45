//! What includes follow: the slots of references from and to a type.

use std::collections::BTreeSet;

use fhir::{Definitions, FhirVersion};

use super::build::Builder;
use crate::entry::EntryValue;
use crate::name::{ByName, ResourceName};
use crate::plan::{Filter, Part, Test};
use crate::query::Include;
use crate::registry::{Facets, Registry, Slot};

/// References that an include follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reach {
    /// The type that has them.
    pub source: &'static str,
    /// Their slot.
    pub slot: Slot,
    /// The slot of the names by which they may refer.
    pub names: Option<Slot>,
    /// Only those to these types; to any, if there is none.
    pub targets: &'static [&'static str],
    /// Of these only those to this type.
    pub target: Option<&'static str>,
}

impl Reach {
    /// Whether references to resources of that type are followed.
    pub fn leads_to(&self, kind: &str) -> bool {
        let may = self.targets.is_empty() || self.targets.contains(&kind);
        may && self.target.is_none_or(|it| it == kind)
    }

    /// The same references of contained resources of the type.
    pub fn inside(&self, version: FhirVersion) -> Option<Self> {
        let index = Registry::of(version).index(self.source)?;
        Some(Self {
            slot: index.within(self.slot)?,
            names: self.names.and_then(|it| index.within(it)),
            ..*self
        })
    }

    /// The types that canonical URLs may lead to.
    pub fn published(&self, version: FhirVersion) -> impl Iterator<Item = &'static str> + use<> {
        let (reach, registry) = (*self, Registry::of(version));
        let all = Definitions::of(version).resources().map(|it| it.name);
        all.filter(move |it| reach.leads_to(it) && registry.names(it).is_some())
    }
}

impl Include {
    /// What is followed from resources of a type: the targets of these references are included.
    pub fn from(&self, version: FhirVersion, source: &str) -> Vec<Reach> {
        let definitions = Definitions::of(version);
        let source = definitions.resource(source).map(|it| it.name);
        let source = source.filter(|it| self.source.is_none_or(|own| own == *it));
        source.map_or_else(Vec::new, |it| self.reaches(version, it, None))
    }

    /// What is followed to resources of these types: the sources of these references are included.
    pub fn to(&self, version: FhirVersion, targets: &BTreeSet<&str>) -> Vec<Reach> {
        let all = Definitions::of(version).resources().map(|it| it.name);
        let sources = all.filter(|it| self.source.is_none_or(|own| own == *it));
        sources
            .flat_map(|it| self.reaches(version, it, Some(targets)))
            .collect()
    }

    fn reaches(
        &self,
        version: FhirVersion,
        source: &'static str,
        to: Option<&BTreeSet<&str>>,
    ) -> Vec<Reach> {
        let mut reaches = BTreeSet::new();
        for parameter in Registry::of(version).parameters(source) {
            let definition = parameter.definition;
            let Facets::Reference { literal, names, .. } = parameter.facets else {
                continue;
            };
            let (targets, target) = (definition.targets, self.target);
            let reach = Reach {
                source,
                slot: literal,
                names,
                targets,
                target,
            };
            let is_meant = self.code.is_none_or(|it| it == definition.code);
            let leads_anywhere = target.is_none_or(|it| reach.leads_to(it));
            let leads_there = to.is_none_or(|it| it.iter().any(|it| reach.leads_to(it)));
            if is_meant && leads_anywhere && leads_there {
                reaches.insert(reach);
            }
        }
        reaches.into_iter().collect()
    }
}

/// A resource that is referred to, by its own name and by those that it is published under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// Its type and id.
    pub resource: ResourceName,
    /// Its canonical URL, without and with its version.
    pub urls: Vec<Box<str>>,
}

impl Builder<'_> {
    /// The resources that may be seen and refer to one of these: a part for each type.
    pub fn sources(&self, reaches: &[Reach], of: &[Referred]) -> Vec<Part<ByName>> {
        let kinds: BTreeSet<&'static str> = reaches.iter().map(|it| it.source).collect();
        let part = |kind| {
            let own = reaches.iter().filter(|it| it.source == kind);
            let any = own.flat_map(|reach| {
                let meant = of.iter().filter(|it| reach.leads_to(it.resource.kind));
                meant.flat_map(|it| refers_to(reach, it))
            });
            self.seen_part(kind, Filter::any(any.collect()))
        };
        kinds.into_iter().map(part).collect()
    }

    /// The resources of a type that have one of these canonical URLs and may be seen; `None` if
    /// none of the type are published.
    pub fn published(&self, kind: &'static str, urls: &BTreeSet<Box<str>>) -> Option<Part<ByName>> {
        let slot = Registry::of(self.version).names(kind)?;
        let any = urls
            .iter()
            .map(|url| is(slot, EntryValue::Uri(url.clone())));
        Some(self.seen_part(kind, Filter::any(any.collect())))
    }

    fn seen_part(&self, kind: &'static str, filter: Filter<ByName>) -> Part<ByName> {
        Part {
            kind,
            filter: self.visibility.around(kind, filter),
            sort: Vec::new(),
        }
    }
}

fn refers_to<'r>(
    reach: &'r Reach,
    to: &'r Referred,
) -> impl Iterator<Item = Filter<ByName>> + use<'r> {
    let by_reference = is(reach.slot, EntryValue::Reference(to.resource.clone()));
    let urls = reach.names.into_iter().flat_map(|slot| {
        let each = to.urls.iter();
        each.map(move |url| is(slot, EntryValue::Uri(url.clone())))
    });
    std::iter::once(by_reference).chain(urls)
}

fn is(parameter: Slot, value: EntryValue<ByName>) -> Filter<ByName> {
    let test = Test::Is(value);
    Filter::Entry { parameter, test }
}
