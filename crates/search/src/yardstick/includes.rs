//! What is given besides the matches. <https://hl7.org/fhir/R4/search.html#revinclude>

use std::collections::BTreeSet;

use super::{Stored, Yardstick, may_lead_to};
use crate::query::{Include, Rounds, Towards};

impl Yardstick<'_> {
    /// The places of what these matches include, without themselves.
    pub fn included(&self, matches: &[usize], includes: &[Include]) -> BTreeSet<usize> {
        let matches: BTreeSet<usize> = matches.iter().copied().collect();
        let mut known = matches.clone();
        let mut wanted: Vec<&Include> = includes.iter().collect();
        let mut open = matches.clone();
        while !open.is_empty() && !wanted.is_empty() {
            let mut new = BTreeSet::new();
            for at in 0..self.world.len() {
                let is_included = |include: &&Include| {
                    let mut from = open.iter().map(|it| &self.world[*it]);
                    from.any(|it| self.is_included(include, it, &self.world[at]))
                };
                if !known.contains(&at) && wanted.iter().any(is_included) {
                    new.insert(at);
                }
            }
            known.extend(&new);
            open = new;
            wanted.retain(|it| it.rounds == Rounds::Iterated);
        }
        known.difference(&matches).copied().collect()
    }

    fn is_included(&self, include: &Include, given: &Stored, other: &Stored) -> bool {
        let (source, target) = match include.towards {
            Towards::Targets => (given, other),
            Towards::Sources => (other, given),
        };
        include.source.is_none_or(|it| it == source.kind)
            && include.target.is_none_or(|it| it == target.kind)
            && self.reference_codes(source.kind).any(|code| {
                include.code.is_none_or(|it| it == code)
                    && self
                        .definition(source.kind, code)
                        .is_some_and(|it| may_lead_to(it, target.kind))
                    && self.refers(source, code, target)
            })
    }
}
