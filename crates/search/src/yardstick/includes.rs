//! What is given besides the matches. <https://hl7.org/fhir/R4/search.html#revinclude>

use std::collections::BTreeSet;

use super::{Match, Stored, Yardstick};
use crate::query::{Include, Rounds, Towards};

impl Yardstick<'_> {
    /// The places of what these matches include, without themselves. A contained resource that is
    /// given by itself refers to others; nothing refers to it.
    pub fn included(&self, matches: &[Match], includes: &[Include]) -> BTreeSet<usize> {
        let (inner, whole): (Vec<&Match>, Vec<&Match>) =
            matches.iter().partition(|it| it.contained.is_some());
        let matches: BTreeSet<usize> = whole.iter().map(|it| it.at).collect();
        let mut inner: Vec<&Stored> = inner.into_iter().filter_map(|it| self.inner(it)).collect();
        let mut known = matches.clone();
        let mut wanted: Vec<&Include> = includes.iter().collect();
        let mut open = matches.clone();
        while !(wanted.is_empty() || open.is_empty() && inner.is_empty()) {
            let mut new = BTreeSet::new();
            for include in &wanted {
                match include.towards {
                    Towards::Targets => {
                        let open = open.iter().map(|at| &self.world[*at]);
                        for stored in open.chain(inner.iter().copied()) {
                            new.extend(self.followed(include, stored));
                        }
                    }
                    Towards::Sources => {
                        let sources = 0..self.world.len();
                        new.extend(sources.filter(|at| {
                            let mut targets = self.followed(include, &self.world[*at]).into_iter();
                            targets.any(|it| open.contains(&it))
                        }));
                    }
                }
            }
            open = new.difference(&known).copied().collect();
            known.extend(&open);
            inner.clear();
            wanted.retain(|it| it.rounds == Rounds::Iterated);
        }
        known.difference(&matches).copied().collect()
    }

    /// The places of what a resource refers to by what an include names.
    fn followed(&self, include: &Include, stored: &Stored) -> BTreeSet<usize> {
        if include.source.is_some_and(|it| it != stored.kind) {
            return BTreeSet::new();
        }
        let codes = self.reference_codes(stored.kind);
        let codes = codes.filter(|it| include.code.is_none_or(|code| code == *it));
        let targets = codes.flat_map(|it| self.targets(stored, it));
        let targets = targets.filter(|it| include.target.is_none_or(|kind| kind == it.kind));
        let places = targets.filter_map(|it| self.place(it.kind, &it.id));
        places.collect()
    }

    fn inner(&self, of: &Match) -> Option<&Stored> {
        let mut all = self.contained[of.at].iter();
        all.find(|it| Some(&it.id) == of.contained.as_ref())
    }
}
