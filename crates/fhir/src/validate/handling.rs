//! Strict or lenient: what a client may ask to be warned of only.
//!
//! `Prefer: handling` (<https://hl7.org/fhir/R4/http.html#prefer>). Leniency never reaches what the
//! server itself relies on: names, kinds of JSON, cardinality, what must be there, identity,
//! references, and that a narrative can be shown safely.

use crate::issue::Severity;

/// How a validation judges values that break their type's form or their binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    /// They are errors, as everything else.
    #[default]
    Strict,
    /// They are warnings where the structure is sound without them.
    Lenient,
}

/// The rules of validation, as far as leniency tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// All rules without a row of their own.
    Other,
    /// A primitive of the right kind of JSON has its type's form and range.
    PrimitiveForm,
    /// The same of a resource's `id`, contained or not: URLs and references are made of it.
    ResourceIdForm,
    /// The same of `Reference.reference`.
    ReferenceForm,
    /// A code is from the value set that is required.
    RequiredBinding,
}

/// Which rules soften.
const LENIENT: [(Rule, Severity); 5] = [
    (Rule::Other, Severity::Error),
    (Rule::PrimitiveForm, Severity::Warning),
    (Rule::ResourceIdForm, Severity::Error),
    (Rule::ReferenceForm, Severity::Error),
    (Rule::RequiredBinding, Severity::Warning),
];

impl Handling {
    /// How serious it is to break the rule.
    pub(super) fn severity(self, rule: Rule) -> Severity {
        match self {
            Self::Strict => Severity::Error,
            Self::Lenient => LENIENT[rule as usize].1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_row() {
        for (place, (rule, _)) in LENIENT.into_iter().enumerate() {
            assert_eq!(rule as usize, place, "{rule:?}");
        }
    }
}
