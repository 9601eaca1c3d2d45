//! Filters: concepts chosen by what is said of them
//! (<https://hl7.org/fhir/R4/valueset-filter-operator.html>).
//!
//! A concept that does not have the property is chosen by no operator but `not-in` and
//! `exists=false`; a concept with several values is chosen if one of them fits.

use std::collections::{BTreeSet, HashSet};

use regex::{Regex, RegexBuilder};

use super::code_system::{CodeSystem, ConceptId};
use super::error::TerminologyError;
use crate::suggest::nearest;

/// A filter of a part.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    property: Box<str>,
    operator: Operator,
    value: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    IsA,
    DescendentOf,
    IsNotA,
    Generalizes,
    Regex,
    In,
    NotIn,
    Exists,
}

/// The codes of both versions' `FilterOperator`.
const OPERATORS: [(&str, Operator); 9] = [
    ("=", Operator::Equal),
    ("is-a", Operator::IsA),
    ("descendent-of", Operator::DescendentOf),
    ("is-not-a", Operator::IsNotA),
    ("generalizes", Operator::Generalizes),
    ("regex", Operator::Regex),
    ("in", Operator::In),
    ("not-in", Operator::NotIn),
    ("exists", Operator::Exists),
];

/// How large the compiled form of an expression may be.
const REGEX_BYTES_MAX: usize = 1 << 18;

/// A filter made ready for one system.
pub(super) struct Test<'f> {
    system: &'f CodeSystem,
    property: &'f str,
    what: What<'f>,
}

enum What<'f> {
    IsA(ConceptId),
    Below(ConceptId),
    IsNotA(ConceptId),
    /// The concept and all above it.
    Above(HashSet<ConceptId>),
    Equal(&'f str),
    Matches(Regex),
    In(BTreeSet<&'f str>),
    NotIn(BTreeSet<&'f str>),
    Exists,
    Lacks,
}

impl Filter {
    /// A filter as it is written.
    pub(super) fn new(
        property: &str,
        operator: &str,
        value: &str,
    ) -> Result<Self, TerminologyError> {
        let named = OPERATORS.iter().find(|(code, _)| *code == operator);
        let (_, operator) = named.ok_or_else(|| TerminologyError::UnsupportedFilter {
            operator: operator.into(),
            property: property.into(),
        })?;
        Ok(Self {
            property: property.into(),
            operator: *operator,
            value: value.into(),
        })
    }

    /// Its value, if it asks for that property with that operator.
    pub(super) fn value_of(&self, property: &str, operator: &str) -> Option<&str> {
        let is_meant = *self.property == *property && self.operator.code() == operator;
        is_meant.then_some(&*self.value)
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.property.len() + self.value.len()
    }

    /// Makes it ready for a system whose content is here.
    pub(super) fn test<'f>(&'f self, system: &'f CodeSystem) -> Result<Test<'f>, TerminologyError> {
        if !system.has_property(&self.property) {
            return Err(TerminologyError::UnknownProperty {
                system: system.url().into(),
                property: self.property.clone(),
                nearest: nearest(&self.property, system.property_names()).map(str::to_owned),
            });
        }
        Ok(Test {
            system,
            property: &self.property,
            what: self.what(system)?,
        })
    }

    fn what<'f>(&'f self, system: &CodeSystem) -> Result<What<'f>, TerminologyError> {
        let list = || self.value.split(',').map(str::trim).collect();
        Ok(match self.operator {
            Operator::Equal => What::Equal(&self.value),
            Operator::IsA => What::IsA(self.start(system)?),
            Operator::DescendentOf => What::Below(self.start(system)?),
            Operator::IsNotA => What::IsNotA(self.start(system)?),
            Operator::Generalizes => {
                What::Above(HashSet::from_iter(system.ancestors(self.start(system)?)))
            }
            Operator::Regex => What::Matches(self.regex()?),
            Operator::In => What::In(list()),
            Operator::NotIn => What::NotIn(list()),
            Operator::Exists => match &*self.value {
                "true" => What::Exists,
                "false" => What::Lacks,
                _ => return Err(self.bad_value()),
            },
        })
    }

    /// The concept that subsumption starts from. The property is named `concept`, or `code` in
    /// older value sets; other properties have no subsumption.
    fn start(&self, system: &CodeSystem) -> Result<ConceptId, TerminologyError> {
        if !matches!(&*self.property, "concept" | "code") {
            return Err(TerminologyError::UnsupportedFilter {
                operator: self.operator.code().into(),
                property: self.property.clone(),
            });
        }
        if !system.has_subsumption() {
            return Err(TerminologyError::NoSubsumption {
                system: system.url().into(),
                hierarchy: system.hierarchy(),
            });
        }
        let found = system.find(&self.value);
        found.ok_or_else(|| TerminologyError::UnknownConcept {
            system: system.url().into(),
            code: self.value.clone(),
        })
    }

    /// The whole value has to match, as with all regular expressions of the standard's definitions.
    fn regex(&self) -> Result<Regex, TerminologyError> {
        let whole = format!("^(?:{})$", self.value);
        let built = RegexBuilder::new(&whole)
            .size_limit(REGEX_BYTES_MAX)
            .build();
        built.map_err(|_| self.bad_value())
    }

    fn bad_value(&self) -> TerminologyError {
        TerminologyError::BadFilterValue {
            operator: self.operator.code(),
            value: self.value.clone(),
        }
    }
}

impl Operator {
    fn code(self) -> &'static str {
        let named = OPERATORS.iter().find(|(_, it)| *it == self);
        named.map_or("", |(code, _)| code)
    }
}

impl Test<'_> {
    /// Whether a concept is chosen.
    pub(super) fn holds(&self, concept: ConceptId) -> bool {
        let any = |fits: &dyn Fn(&str) -> bool| {
            let values = self.system.values(concept, self.property);
            values.into_iter().any(fits)
        };
        match &self.what {
            What::IsA(other) => self.system.is_a(concept, *other),
            What::Below(other) => concept != *other && self.system.is_a(concept, *other),
            What::IsNotA(other) => !self.system.is_a(concept, *other),
            What::Above(chosen) => chosen.contains(&concept),
            What::Equal(value) => any(&|it| it == *value),
            What::Matches(regex) => any(&|it| regex.is_match(it)),
            What::In(values) => any(&|it| values.contains(it)),
            What::NotIn(values) => !any(&|it| values.contains(it)),
            What::Exists => any(&|_| true),
            What::Lacks => !any(&|_| true),
        }
    }

    /// Concepts among which all are that it chooses; fewer than all where that is cheap to find.
    pub(super) fn candidates(&self) -> Vec<ConceptId> {
        match &self.what {
            What::IsA(other) | What::Below(other) => self.system.descendants(*other),
            What::Above(chosen) => chosen.iter().copied().collect(),
            _ => self.system.concepts().collect(),
        }
    }

    /// The candidates that it chooses. For many concepts one walk down is less work than a walk up
    /// from each.
    pub(super) fn keep(&self, mut candidates: Vec<ConceptId>) -> Vec<ConceptId> {
        let (What::IsA(start) | What::Below(start) | What::IsNotA(start)) = self.what else {
            candidates.retain(|it| self.holds(*it));
            return candidates;
        };
        let below: HashSet<ConceptId> = self.system.descendants(start).into_iter().collect();
        candidates.retain(|it| match self.what {
            What::IsNotA(_) => !below.contains(it),
            What::Below(_) => *it != start && below.contains(it),
            _ => below.contains(it),
        });
        candidates
    }
}
