//! Sets of codes of many systems: the codes themselves, or all codes of a system but some.
//!
//! "All of a system" stays a symbol where nobody can, or need, list its codes. Sets of either form
//! are closed under union, intersection and difference, so no operation has to guess.
//! Codes are compared exactly: most systems do not say that case is of no account.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::grammar;

/// Codes with their systems. `Debug` shows none: a set may hold a code that somebody asked about.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CodeSet {
    systems: BTreeMap<Box<str>, Codes>,
}

/// Codes of one system.
#[derive(Clone, PartialEq, Eq)]
pub enum Codes {
    /// These.
    Listed(BTreeSet<Box<str>>),
    /// All but these.
    AllExcept(BTreeSet<Box<str>>),
}

/// What a `BTreeSet` needs for an entry besides its text, roughly.
const ENTRY_BYTES: usize = 32;

impl CodeSet {
    /// Codes of one system.
    pub fn of(system: &str, codes: Codes) -> Self {
        let mut set = Self::default();
        set.insert(system.into(), codes);
        set
    }

    pub(super) fn listed<'c>(system: &str, codes: impl IntoIterator<Item = &'c str>) -> Self {
        let codes = codes.into_iter().map(Into::into).collect();
        Self::of(system, Codes::Listed(codes))
    }

    /// Whether a code of that system is in the set. Of a system that is in it as a whole, a code
    /// must keep to the grammar of the system, if there is one.
    pub fn contains(&self, system: &str, code: &str) -> bool {
        match self.systems.get(system) {
            Some(Codes::Listed(codes)) => codes.contains(code),
            Some(Codes::AllExcept(codes)) => !codes.contains(code) && grammar::fits(system, code),
            None => false,
        }
    }

    /// Whether a code of some system is in the set.
    pub fn contains_code(&self, code: &str) -> bool {
        self.systems.keys().any(|it| self.contains(it, code))
    }

    /// The systems in the order of their URLs, each with its codes; none without a code.
    pub fn systems(&self) -> impl Iterator<Item = (&str, &Codes)> {
        self.systems
            .iter()
            .map(|(system, codes)| (&**system, codes))
    }

    /// The codes of a system, if it has any.
    pub fn codes_of(&self, system: &str) -> Option<&Codes> {
        self.systems.get(system)
    }

    /// How many codes are listed, those that are excepted included.
    pub fn codes_listed(&self) -> usize {
        self.systems.values().map(|it| it.texts().len()).sum()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.systems.is_empty()
    }

    /// About how many bytes it holds in memory.
    pub fn memory(&self) -> usize {
        let bytes = |text: &str| text.len() + ENTRY_BYTES;
        let of = |codes: &Codes| -> usize { codes.texts().iter().map(|it| bytes(it)).sum() };
        let systems = self.systems.iter();
        systems
            .map(|(system, codes)| bytes(system) + of(codes))
            .sum()
    }

    pub(super) fn union(&mut self, other: &Self) {
        for (system, codes) in &other.systems {
            let united = match self.systems.remove(system) {
                Some(own) => own.union(codes),
                None => codes.clone(),
            };
            self.insert(system.clone(), united);
        }
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        for (system, codes) in std::mem::take(&mut self.systems) {
            if let Some(others) = other.systems.get(&system) {
                self.insert(system, codes.intersect(others));
            }
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        for (system, codes) in &other.systems {
            if let Some(own) = self.systems.remove(system) {
                self.insert(system.clone(), own.intersect(&codes.complement()));
            }
        }
    }

    /// Keeps the rule that every system in the map has a code.
    fn insert(&mut self, system: Box<str>, codes: Codes) {
        if !matches!(&codes, Codes::Listed(codes) if codes.is_empty()) {
            self.systems.insert(system, codes);
        }
    }
}

impl Codes {
    fn texts(&self) -> &BTreeSet<Box<str>> {
        match self {
            Self::Listed(codes) | Self::AllExcept(codes) => codes,
        }
    }

    fn complement(&self) -> Self {
        match self {
            Self::Listed(codes) => Self::AllExcept(codes.clone()),
            Self::AllExcept(codes) => Self::Listed(codes.clone()),
        }
    }

    fn union(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Listed(mut own), Self::Listed(others)) => {
                own.extend(others.iter().cloned());
                Self::Listed(own)
            }
            (Self::Listed(own), Self::AllExcept(others)) => Self::AllExcept(without(others, &own)),
            (Self::AllExcept(own), Self::Listed(others)) => Self::AllExcept(without(&own, others)),
            (Self::AllExcept(own), Self::AllExcept(others)) => Self::AllExcept(common(own, others)),
        }
    }

    fn intersect(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Listed(own), Self::Listed(others)) => Self::Listed(common(own, others)),
            (Self::Listed(own), Self::AllExcept(others)) => Self::Listed(without(&own, others)),
            (Self::AllExcept(own), Self::Listed(others)) => Self::Listed(without(others, &own)),
            (Self::AllExcept(mut own), Self::AllExcept(others)) => {
                own.extend(others.iter().cloned());
                Self::AllExcept(own)
            }
        }
    }
}

impl fmt::Debug for CodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.systems).finish()
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Listed(_) => "codes",
            Self::AllExcept(_) => "codes left out",
        };
        write!(f, "[{} {word}]", self.texts().len())
    }
}

fn common(mut own: BTreeSet<Box<str>>, others: &BTreeSet<Box<str>>) -> BTreeSet<Box<str>> {
    own.retain(|it| others.contains(it));
    own
}

fn without(codes: &BTreeSet<Box<str>>, others: &BTreeSet<Box<str>>) -> BTreeSet<Box<str>> {
    codes.difference(others).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [&str; 4] = ["a", "b", "c", "d"];

    /// All sets over two of the codes in either form, and the empty one.
    fn sets() -> Vec<CodeSet> {
        let texts = |mask: usize| -> BTreeSet<Box<str>> {
            let chosen = (0..3).filter(|bit| mask >> bit & 1 == 1);
            chosen.map(|bit| CODES[bit].into()).collect()
        };
        let listed = (0..8).map(|mask| CodeSet::of("s", Codes::Listed(texts(mask))));
        let excepted = (0..8).map(|mask| CodeSet::of("s", Codes::AllExcept(texts(mask))));
        listed.chain(excepted).collect()
    }

    #[test]
    fn operations_do_with_every_code_what_they_say() {
        for one in sets() {
            for other in sets() {
                let mut united = one.clone();
                united.union(&other);
                let mut common = one.clone();
                common.intersect(&other);
                let mut rest = one.clone();
                rest.subtract(&other);
                for code in CODES {
                    let (left, right) = (one.contains("s", code), other.contains("s", code));
                    assert_eq!(united.contains("s", code), left || right);
                    assert_eq!(common.contains("s", code), left && right);
                    assert_eq!(rest.contains("s", code), left && !right);
                }
            }
        }
    }

    #[test]
    fn debug_shows_no_code() {
        let set = CodeSet::listed("s", ["secret"]);
        assert_eq!(format!("{set:?}"), r#"{"s": [1 codes]}"#);
    }

    #[test]
    fn systems_do_not_mix() {
        let mut set = CodeSet::listed("one", ["a"]);
        set.union(&CodeSet::of(
            "two",
            Codes::AllExcept(BTreeSet::from(["a".into()])),
        ));
        assert!(set.contains("one", "a") && !set.contains("one", "b"));
        assert!(set.contains("two", "b") && !set.contains("two", "a"));
        assert!(!set.contains("three", "a"));
        assert!(set.contains_code("a") && set.contains_code("b"));
        set.intersect(&CodeSet::listed("one", ["a", "b"]));
        assert_eq!(set, CodeSet::listed("one", ["a"]));
        set.subtract(&CodeSet::listed("one", ["a"]));
        assert!(set.is_empty() && set.systems().next().is_none());
    }

    #[test]
    fn whole_systems_keep_to_their_grammar() {
        let languages = CodeSet::of("urn:ietf:bcp:47", Codes::AllExcept(BTreeSet::new()));
        assert!(languages.contains("urn:ietf:bcp:47", "de-CH"));
        assert!(!languages.contains("urn:ietf:bcp:47", "de_CH"));
    }
}
