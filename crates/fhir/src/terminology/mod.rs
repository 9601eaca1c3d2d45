//! Terminology: which codes a value set has, and which concepts a concept subsumes.
//!
//! Nothing is read here. The standard's code systems and value sets are tables of the program; those
//! of a tenant are given as [`Content`]. An answer that needs more says which definitions it
//! lacks ([`Answer::Lacking`]); the caller looks them up, gives them or says that they are not
//! stored, and asks again. Two or three rounds are the rule, and [`Cache`] keeps what they found.
//! Of a large code system only the head of its table is given ([`CodeTable`]); an answer then lacks
//! codes chosen from it ([`Selection`]), and the caller reads the pages for that ([`Walk`]).
//!
//! What the standard leaves open is decided so: a tenant's definition takes precedence over the
//! standard's; codes are compared exactly; abstract concepts and those out of use are members like
//! others unless the value set says otherwise; all codes of a system whose content nobody has are a
//! symbol ([`Codes::AllExcept`]), while a filter on such a system is an error that names it
//! (<https://hl7.org/fhir/R4/valueset.html>, <https://hl7.org/fhir/R4/codesystem.html>).

mod cache;
mod canonical;
mod code_set;
mod code_system;
mod code_table;
mod content;
mod error;
mod evaluate;
mod filter;
mod grammar;
mod implicit;
mod selection;
mod standard;
mod value_set;

use std::rc::Rc;

use crate::FhirVersion;

pub use cache::{Cache, Cached, Key, Stamp};
pub use canonical::{Canonical, Source, SourceKind};
pub use code_set::{CodeSet, Codes};
pub use code_system::{CodeSystem, ContentMode, Hierarchy};
pub use code_table::{CodeTable, Walk};
pub use content::{Content, Stored};
pub use error::TerminologyError;
pub use selection::Selection;
pub use value_set::ValueSet;

use evaluate::{Evaluation, Stop, System, Wanted};
use filter::Filter;
use selection::Among;
use standard::Standard;

/// What an evaluation may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Greatest number of codes that a result lists.
    pub expansion_codes_max: usize,
    /// Greatest number of codes that are looked at on the way there.
    pub expansion_work_max: usize,
    /// Greatest number of codes that the parts of an answer may choose of large systems together,
    /// before other parts and imports leave some of them out.
    pub selection_codes_max: usize,
    /// Greatest number of value sets that import each other in a row.
    pub import_depth_max: usize,
}

impl Limits {
    /// Ten thousand codes (the largest value set of the standard has 6,401), two million looked at,
    /// a hundred thousand chosen of a large system, sixteen imports deep.
    pub const DEFAULT: Self = Self {
        expansion_codes_max: 10_000,
        expansion_work_max: 2_000_000,
        selection_codes_max: 100_000,
        import_depth_max: 16,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// The answer, and every definition that was looked for to give it, whether stored or not: it
    /// holds as long as none of these changes.
    Known {
        /// The answer.
        value: T,
        /// Each once, in order.
        sources: Vec<Source>,
    },
    /// What must be known first; never empty.
    Lacking(Vec<Lack>),
}

/// Something that must be known before there is an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lack {
    /// Whether the tenant has that definition: [`Content::give`] it, or [`Content::note_absent`].
    Definition(Source),
    /// Codes of a large system: take a [`Content::walk`] and [`Content::select`] what it finds.
    Selection(Selection),
}

/// A code that somebody asks about. It may be a patient's, so it has no `Debug`.
#[derive(Clone, Copy)]
pub struct Coding<'c> {
    /// Its system; `None` for a plain `code`, whose system is the value set's to know.
    pub system: Option<&'c str>,
    /// The code.
    pub code: &'c str,
}

/// Answers questions about codes, from the standard's definitions and a tenant's.
#[derive(Debug, Clone, Copy)]
pub struct Terminology<'c> {
    version: FhirVersion,
    content: &'c Content,
    limits: Limits,
}

impl<'c> Terminology<'c> {
    /// Over the definitions of a version and those of a tenant.
    pub fn new(version: FhirVersion, content: &'c Content, limits: Limits) -> Self {
        Self {
            version,
            content,
            limits,
        }
    }

    /// The codes of a value set (`:in`, `:not-in`); `value_set` is its URL, or `url|version`.
    pub fn members(&self, value_set: &str) -> Result<Answer<CodeSet>, TerminologyError> {
        let canonical = Canonical::parse(value_set);
        let mut evaluation = self.evaluation(canonical.clone(), Wanted::All);
        let found = evaluation.members(&canonical);
        let found = found.and_then(|set| {
            evaluation.check_size(&set)?;
            Ok(Rc::unwrap_or_clone(set))
        });
        evaluation.answer(found)
    }

    /// Whether a value set has one of the codes (`memberOf`): of a code, of a Coding, or of the
    /// codings of a CodeableConcept. Needs no list of the members.
    pub fn has_any(
        &self,
        value_set: &str,
        codings: &[Coding<'_>],
    ) -> Result<Answer<bool>, TerminologyError> {
        let canonical = Canonical::parse(value_set);
        let mut evaluation = self.evaluation(canonical.clone(), Wanted::All);
        let mut found = Ok(false);
        for coding in codings {
            evaluation.want(Wanted::One(*coding));
            match evaluation.members(&canonical) {
                Ok(set) if set.is_empty() => {}
                Ok(_) => {
                    found = Ok(true);
                    break;
                }
                Err(stop) => found = Err(stop),
            }
        }
        evaluation.answer(found)
    }

    /// The codes that a concept subsumes, itself among them (`:below`). A code that its system does
    /// not have subsumes itself alone.
    pub fn below(&self, system: &str, code: &str) -> Result<Answer<CodeSet>, TerminologyError> {
        self.subsumption(system, code, "is-a", CodeSystem::descendants)
    }

    /// The codes that subsume a concept, itself among them (`:above`).
    pub fn above(&self, system: &str, code: &str) -> Result<Answer<CodeSet>, TerminologyError> {
        self.subsumption(system, code, "generalizes", CodeSystem::ancestors)
    }

    /// The URLs of the standard's value sets, in order.
    pub fn standard_value_sets(&self) -> impl Iterator<Item = &'static str> {
        Standard::of(self.version).value_set_urls()
    }

    /// The URLs of the standard's code systems, in order.
    pub fn standard_code_systems(&self) -> impl Iterator<Item = &'static str> {
        Standard::of(self.version).code_system_urls()
    }

    fn subsumption(
        &self,
        system: &str,
        code: &str,
        operator: &str,
        related: fn(&CodeSystem, code_system::ConceptId) -> Vec<code_system::ConceptId>,
    ) -> Result<Answer<CodeSet>, TerminologyError> {
        let canonical = Canonical::new(system, None);
        let mut evaluation = self.evaluation(canonical.clone(), Wanted::All);
        let known = evaluation.whole_system(&canonical);
        let found = known.and_then(|known| {
            if !known.has_subsumption() {
                return Err(Stop::Fault(TerminologyError::NoSubsumption {
                    system: system.into(),
                    hierarchy: known.hierarchy(),
                }));
            }
            let itself = || CodeSet::listed(system, [code]);
            let set = match &known {
                System::Whole(known) => match known.find(code) {
                    Some(concept) => {
                        let related = related(known, concept).into_iter();
                        CodeSet::listed(system, related.map(|it| known.code_of(it)))
                    }
                    None => itself(),
                },
                System::Table(_) => {
                    let filter = Filter::new("concept", operator, code).map_err(Stop::Fault)?;
                    let wanted = Selection {
                        filters: vec![filter],
                        ..Selection::of(&canonical, Among::All)
                    };
                    match evaluation.selected(wanted) {
                        Err(Stop::Fault(TerminologyError::UnknownConcept { .. })) => itself(),
                        found => found?,
                    }
                }
            };
            evaluation.check_size(&set)?;
            Ok(set)
        });
        evaluation.answer(found)
    }

    fn evaluation<'e>(&'e self, asked: Canonical, wanted: Wanted<'e>) -> Evaluation<'e> {
        Evaluation::new((self.version, self.content, self.limits), asked, wanted)
    }
}
