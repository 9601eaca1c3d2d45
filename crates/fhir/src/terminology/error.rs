//! What can keep a value set or a code system from being used.
//!
//! The texts name definitions: URLs, properties, codes that a value set was written with. A code
//! that somebody asked about is never among them.

use super::canonical::Canonical;
use super::code_system::{ContentMode, Hierarchy};
use crate::issue::{Fault, Issue};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TerminologyError {
    /// No value set has that URL, or none of that version.
    #[error("the value set `{canonical}` is not known")]
    UnknownValueSet {
        /// What was looked for.
        canonical: Canonical,
        /// A URL or version that may have been meant.
        nearest: Option<String>,
    },
    /// The concepts of a code system are needed, and not here.
    #[error("the content of the code system `{system}` is missing{}", why_missing(*.content))]
    ContentMissing {
        /// Which.
        system: Canonical,
        /// How much of it there is, if the system itself is known.
        content: Option<ContentMode>,
        /// A URL that may have been meant.
        nearest: Option<String>,
    },
    /// A filter starts from a concept that its code system does not have.
    #[error("the code system `{system}` has no concept `{code}`, which a filter names")]
    UnknownConcept {
        /// Which system.
        system: Box<str>,
        /// What the filter names.
        code: Box<str>,
    },
    /// A filter asks for a property that its code system does not have.
    #[error("the code system `{system}` has no property `{property}`")]
    UnknownProperty {
        /// Which system.
        system: Box<str>,
        /// Which property.
        property: Box<str>,
        /// The one that may have been meant.
        nearest: Option<String>,
    },
    /// A filter's operator is none of this version, or does not go with its property.
    #[error("the filter operator `{operator}` does not apply to the property `{property}`")]
    UnsupportedFilter {
        /// The operator as written.
        operator: Box<str>,
        /// The property.
        property: Box<str>,
    },
    /// A filter's value is none that its operator can use.
    #[error("`{value}` is no value for the filter operator `{operator}`")]
    BadFilterValue {
        /// The operator.
        operator: &'static str,
        /// The value.
        value: Box<str>,
    },
    /// Subsumption is asked of a system whose concepts are ordered by something else.
    #[error("the hierarchy of the code system `{system}` is `{}`, not `is-a`", .hierarchy.code())]
    NoSubsumption {
        /// Which system.
        system: Box<str>,
        /// What its order means.
        hierarchy: Hierarchy,
    },
    /// A filter chooses among codes that nobody can list; single codes can be told.
    #[error("the codes of `{system}` that a filter chooses cannot be listed")]
    NotListable {
        /// Which system.
        system: Box<str>,
    },
    /// A stored definition lacks what it must have.
    #[error("`{canonical}` cannot be used: {what}")]
    Malformed {
        /// Which.
        canonical: Canonical,
        /// What is wrong.
        what: String,
    },
    /// A value set asks for a supplement that is not stored.
    #[error("the supplement `{canonical}` that a value set asks for is not known")]
    UnknownSupplement {
        /// Which.
        canonical: Canonical,
    },
    /// What was stored of a large code system cannot be read.
    #[error("the code table of the code system `{system}` is damaged")]
    DamagedTable {
        /// Which system.
        system: Box<str>,
    },
    /// Value sets import each other in a ring.
    #[error("value sets import each other: {}", ring(.chain))]
    Cycle {
        /// From the first to itself again.
        chain: Vec<Canonical>,
    },
    /// A named limit was exceeded.
    #[error("`{canonical}` exceeds the limit `{limit}` of {max}")]
    LimitExceeded {
        /// What was being evaluated.
        canonical: Canonical,
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        max: usize,
    },
}

fn why_missing(content: Option<ContentMode>) -> String {
    content.map_or_else(String::new, |it| format!(": it is `{}`", it.code()))
}

fn ring(chain: &[Canonical]) -> String {
    let named: Vec<String> = chain.iter().map(|it| format!("`{it}`")).collect();
    named.join(", ")
}

impl TerminologyError {
    fn fault(&self) -> Fault {
        match self {
            Self::UnknownValueSet { .. } | Self::UnknownSupplement { .. } => Fault::Invalid,
            Self::ContentMissing { .. }
            | Self::UnsupportedFilter { .. }
            | Self::NotListable { .. }
            | Self::NoSubsumption { .. } => Fault::NotSupported,
            Self::LimitExceeded { .. } => Fault::TooLarge,
            Self::DamagedTable { .. } => Fault::Internal,
            _ => Fault::Value,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::UnknownValueSet { nearest, .. } | Self::UnknownProperty { nearest, .. } => {
                let nearest = nearest.as_ref();
                nearest.map(|it| format!("did you mean `{it}`?"))
            }
            Self::ContentMissing {
                content: Some(ContentMode::Supplement),
                ..
            } => Some("name the system that it supplements".to_owned()),
            Self::ContentMissing { nearest, .. } => Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "store a CodeSystem of that URL whose content is `complete`".to_owned(),
            }),
            Self::UnknownSupplement { .. } => {
                Some("store a CodeSystem of that URL whose content is `supplement`".to_owned())
            }
            Self::Cycle { .. } => Some("remove one of these imports".to_owned()),
            Self::LimitExceeded { limit, .. } => Some(format!("raise `{limit}` or ask for less")),
            _ => None,
        }
    }
}

impl From<&TerminologyError> for Issue {
    fn from(error: &TerminologyError) -> Self {
        let issue = Self::error(error.fault(), error.to_string());
        match error.remedy() {
            Some(remedy) => issue.mend(remedy),
            None => issue,
        }
    }
}
