//! Filters: concepts chosen by what is said of them
//! (<https://hl7.org/fhir/R4/valueset-filter-operator.html>).
//!
//! A concept that does not have the property is chosen by no operator but `not-in` and
//! `exists=false`; a concept with several values is chosen if one of them fits.

use std::collections::HashSet;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::code_system::{CodeSystem, ConceptId};
use super::error::TerminologyError;
use crate::suggest::nearest;

/// A filter of a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Filter {
    property: Box<str>,
    operator: Operator,
    value: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    supplements: &'f [Arc<CodeSystem>],
    property: &'f str,
    what: What,
}

enum What {
    IsA(ConceptId),
    Below(ConceptId),
    IsNotA(ConceptId),
    /// The concept and all above it.
    Above(HashSet<ConceptId>),
    Values(Predicate),
}

/// What a filter asks, before anything is known of its system.
pub(super) enum Asks {
    /// Where a concept stands to the filter's.
    Order(Order),
    /// Something of the values of the property.
    Values(Predicate),
}

/// Where a concept stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    IsA,
    Below,
    IsNotA,
    Above,
}

/// What must be the case with a concept's values.
pub(super) struct Predicate {
    fits: Fits,
    /// Whether one value has to fit, or none may.
    chooses: Chooses,
}

enum Fits {
    Equal(Box<str>),
    Matches(Regex),
    In(HashSet<Box<str>>),
    Everything,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chooses {
    Any,
    None,
}

impl Predicate {
    /// Whether a concept with these values is chosen.
    pub(super) fn holds<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> bool {
        let has = values.into_iter().any(|it| self.fits(it));
        has == (self.chooses == Chooses::Any)
    }

    /// Whether a value is one that the filter looks for.
    pub(super) fn fits(&self, value: &str) -> bool {
        match &self.fits {
            Fits::Equal(wanted) => value == &**wanted,
            Fits::Matches(regex) => regex.is_match(value),
            Fits::In(wanted) => wanted.contains(value),
            Fits::Everything => true,
        }
    }

    /// Whether a concept is chosen that has a value for which the filter looks.
    pub(super) fn wants_some(&self) -> bool {
        self.chooses == Chooses::Any
    }
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
    pub(super) fn test<'f>(
        &'f self,
        system: &'f CodeSystem,
        supplements: &'f [Arc<CodeSystem>],
    ) -> Result<Test<'f>, TerminologyError> {
        self.check_property(system.url(), system.property_names(), supplements)?;
        let start = || self.start(system);
        let what = match self.asks()? {
            Asks::Order(Order::IsA) => What::IsA(start()?),
            Asks::Order(Order::Below) => What::Below(start()?),
            Asks::Order(Order::IsNotA) => What::IsNotA(start()?),
            Asks::Order(Order::Above) => {
                What::Above(HashSet::from_iter(system.ancestors(start()?)))
            }
            Asks::Values(predicate) => What::Values(predicate),
        };
        Ok(Test {
            system,
            supplements,
            property: &self.property,
            what,
        })
    }

    /// Refuses a property that neither the system nor its supplements have.
    pub(super) fn check_property<'n>(
        &self,
        system: &str,
        names: impl Iterator<Item = &'n str> + Clone,
        supplements: &'n [Arc<CodeSystem>],
    ) -> Result<(), TerminologyError> {
        let added = supplements.iter().flat_map(|it| it.own_property_names());
        let mut all = names.chain(added);
        if all.clone().any(|it| *it == *self.property) {
            return Ok(());
        }
        Err(TerminologyError::UnknownProperty {
            system: system.into(),
            property: self.property.clone(),
            nearest: nearest(&self.property, &mut all).map(str::to_owned),
        })
    }

    /// The property whose values it looks at.
    pub(super) fn property(&self) -> &str {
        &self.property
    }

    /// What it is compared with: of a filter on the order, the concept that this starts from.
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// What it asks. The property of a filter on the order is named `concept`, or `code` in older
    /// value sets; other properties have no order.
    pub(super) fn asks(&self) -> Result<Asks, TerminologyError> {
        let order = |order| match &*self.property {
            "concept" | "code" => Ok(Asks::Order(order)),
            _ => Err(TerminologyError::UnsupportedFilter {
                operator: self.operator.code().into(),
                property: self.property.clone(),
            }),
        };
        let list = || Fits::In(self.value.split(',').map(|it| it.trim().into()).collect());
        let values = |chooses, fits| Ok(Asks::Values(Predicate { fits, chooses }));
        match self.operator {
            Operator::IsA => order(Order::IsA),
            Operator::DescendentOf => order(Order::Below),
            Operator::IsNotA => order(Order::IsNotA),
            Operator::Generalizes => order(Order::Above),
            Operator::Equal => values(Chooses::Any, Fits::Equal(self.value.clone())),
            Operator::Regex => values(Chooses::Any, Fits::Matches(self.regex()?)),
            Operator::In => values(Chooses::Any, list()),
            Operator::NotIn => values(Chooses::None, list()),
            Operator::Exists => match &*self.value {
                "true" => values(Chooses::Any, Fits::Everything),
                "false" => values(Chooses::None, Fits::Everything),
                _ => Err(self.bad_value()),
            },
        }
    }

    /// The concept that a filter on the order starts from.
    fn start(&self, system: &CodeSystem) -> Result<ConceptId, TerminologyError> {
        if !system.has_subsumption() {
            return Err(TerminologyError::NoSubsumption {
                system: system.url().into(),
                hierarchy: system.hierarchy(),
            });
        }
        let found = system.find(&self.value);
        found.ok_or_else(|| self.unknown_concept(system.url()))
    }

    /// The system does not have the concept that the filter names.
    pub(super) fn unknown_concept(&self, system: &str) -> TerminologyError {
        TerminologyError::UnknownConcept {
            system: system.into(),
            code: self.value.clone(),
        }
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
        match &self.what {
            What::IsA(other) => self.system.is_a(concept, *other),
            What::Below(other) => concept != *other && self.system.is_a(concept, *other),
            What::IsNotA(other) => !self.system.is_a(concept, *other),
            What::Above(chosen) => chosen.contains(&concept),
            What::Values(predicate) => {
                let own = self.system.values(concept, self.property).into_iter();
                let code = self.system.code_of(concept);
                predicate.holds(own.chain(added(self.supplements, code, self.property)))
            }
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

/// The values that supplements give a concept for a property.
pub(super) fn added<'s>(
    supplements: &'s [Arc<CodeSystem>],
    code: &str,
    property: &str,
) -> impl Iterator<Item = &'s str> {
    let of = |it: &'s Arc<CodeSystem>| it.added_values(code, property);
    supplements
        .iter()
        .flat_map(of)
        .collect::<Vec<_>>()
        .into_iter()
}
