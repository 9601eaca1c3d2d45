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
            let Facets::Reference { literal, .. } = parameter.facets else {
                continue;
            };
            let (targets, target) = (definition.targets, self.target);
            let reach = Reach {
                source,
                slot: literal,
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

impl Builder<'_> {
    /// The resources that may be seen and refer to one of these: a part for each type.
    pub fn sources(&self, reaches: &[Reach], of: &[ResourceName]) -> Vec<Part<ByName>> {
        let kinds: BTreeSet<&'static str> = reaches.iter().map(|it| it.source).collect();
        let part = |kind| {
            let own = reaches.iter().filter(|it| it.source == kind);
            let any = own.flat_map(|reach| {
                let meant = of.iter().filter(|it| reach.leads_to(it.kind));
                meant.map(|it| Filter::Entry {
                    parameter: reach.slot,
                    test: Test::Is(EntryValue::Reference(it.clone())),
                })
            });
            let filter = self.visibility.around(kind, Filter::any(any.collect()));
            Part {
                kind,
                filter,
                sort: Vec::new(),
            }
        };
        kinds.into_iter().map(part).collect()
    }
}
