//! Evaluating a value set: part by part, imports first
//! (<https://hl7.org/fhir/R4/valueset.html#expansion>).
//!
//! One walk answers both questions, which codes there are and whether one code is among them: for
//! the second every part yields at most that code, so nothing is listed and a filter is asked about
//! one concept. What is lacking is noted while the walk goes on as if it were not stored, so that
//! one round finds nearly everything.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::canonical::{Canonical, Source};
use super::code_set::{CodeSet, Codes};
use super::code_system::{CodeSystem, ConceptId, ContentMode, Hierarchy};
use super::code_table::CodeTable;
use super::content::{Content, Found, Stored};
use super::error::TerminologyError;
use super::filter::{Filter, Test};
use super::selection::{Among, Only, Selection};
use super::standard::{Standard, nearest};
use super::value_set::{Choice, Inactive, Part, ValueSet};
use super::{Answer, Coding, Lack, Limits, grammar, implicit};
use crate::FhirVersion;

/// What a walk looks for.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'w> {
    All,
    One(Coding<'w>),
}

/// Why a walk ended early.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// Something is lacking that nothing stands in for.
    Lacking,
    Fault(TerminologyError),
}

/// Making a filter ready takes as long as looking at so many codes.
const FILTER_WORK: usize = 1000;

/// A code system that is known, in memory or as a table.
#[derive(Clone)]
pub(super) enum System {
    Whole(Arc<CodeSystem>),
    Table(Arc<CodeTable>),
}

impl System {
    fn content(&self) -> ContentMode {
        match self {
            Self::Whole(it) => it.content(),
            Self::Table(it) => it.content(),
        }
    }

    fn concept_count(&self) -> usize {
        match self {
            Self::Whole(it) => it.concept_count(),
            Self::Table(it) => it.concept_count(),
        }
    }

    pub(super) fn hierarchy(&self) -> Hierarchy {
        match self {
            Self::Whole(it) => it.hierarchy(),
            Self::Table(it) => it.hierarchy(),
        }
    }

    pub(super) fn has_subsumption(&self) -> bool {
        match self {
            Self::Whole(it) => it.has_subsumption(),
            Self::Table(it) => it.has_subsumption(),
        }
    }
}

/// One walk.
pub(super) struct Evaluation<'e> {
    version: FhirVersion,
    content: &'e Content,
    limits: Limits,
    wanted: Wanted<'e>,
    /// What was asked first: limits are told of it.
    asked: Canonical,
    lacking: BTreeSet<Lack>,
    sources: BTreeSet<Source>,
    /// The value sets that are being evaluated, the outermost first.
    open: Vec<Canonical>,
    done: HashMap<Canonical, Result<Rc<CodeSet>, Stop>>,
    codes_touched: usize,
}

impl<'e> Evaluation<'e> {
    pub(super) fn new(
        (version, content, limits): (FhirVersion, &'e Content, Limits),
        asked: Canonical,
        wanted: Wanted<'e>,
    ) -> Self {
        Self {
            version,
            content,
            limits,
            wanted,
            asked,
            lacking: BTreeSet::new(),
            sources: BTreeSet::new(),
            open: Vec::new(),
            done: HashMap::new(),
            codes_touched: 0,
        }
    }

    /// Asks again about another code.
    pub(super) fn want(&mut self, wanted: Wanted<'e>) {
        self.wanted = wanted;
        self.done.clear();
    }

    /// What is told at the end: whatever was found is void if something was lacking.
    pub(super) fn answer<T>(self, found: Result<T, Stop>) -> Result<Answer<T>, TerminologyError> {
        let lacking = Vec::from_iter(self.lacking);
        match found {
            _ if !lacking.is_empty() => Ok(Answer::Lacking(lacking)),
            Ok(value) => Ok(Answer::Known {
                value,
                sources: self.sources.into_iter().collect(),
            }),
            Err(Stop::Fault(error)) => Err(error),
            Err(Stop::Lacking) => Ok(Answer::Lacking(lacking)),
        }
    }

    /// The codes of a value set that are wanted.
    pub(super) fn members(&mut self, canonical: &Canonical) -> Result<Rc<CodeSet>, Stop> {
        if let Some(known) = self.done.get(canonical) {
            return known.clone();
        }
        self.enter(canonical)?;
        let value_set = self.value_set(canonical);
        let found = value_set.and_then(|it| self.evaluate(&it)).map(Rc::new);
        self.open.pop();
        self.done.insert(canonical.clone(), found.clone());
        found
    }

    /// The system of a question about concepts; its content must be there.
    pub(super) fn whole_system(&mut self, canonical: &Canonical) -> Result<System, Stop> {
        let found = self.code_system(canonical);
        if let Some(system) = &found
            && system.content().is_whole()
        {
            return Ok(system.clone());
        }
        if self.lacks(Source::code_system(canonical)) {
            return Err(Stop::Lacking);
        }
        let standard = Standard::of(self.version);
        let is_known =
            found.is_some() || standard.code_system_urls().any(|it| *it == *canonical.url);
        Err(Stop::Fault(TerminologyError::ContentMissing {
            system: canonical.clone(),
            content: found.map(|it| it.content()),
            nearest: (!is_known)
                .then(|| nearest(&canonical.url, standard.code_system_urls()))
                .flatten(),
        }))
    }

    /// Refuses a result with more codes than anybody wants to search for.
    pub(super) fn check_size(&self, set: &CodeSet) -> Result<(), Stop> {
        if set.codes_listed() > self.limits.expansion_codes_max {
            return Err(self.exceeded("expansion_codes_max", self.limits.expansion_codes_max));
        }
        Ok(())
    }

    /// The codes of a large system that a selection finds.
    pub(super) fn selected(&mut self, selection: Selection) -> Result<CodeSet, Stop> {
        match self.content.selected(&selection) {
            Some(Ok(codes)) => {
                let codes = codes.iter().map(|it| &**it);
                Ok(CodeSet::listed(&selection.system.url, codes))
            }
            Some(Err(error)) => Err(Stop::Fault(error.clone())),
            None => {
                self.lacking.insert(Lack::Selection(selection));
                Err(Stop::Lacking)
            }
        }
    }

    fn lacks(&self, source: Source) -> bool {
        self.lacking.contains(&Lack::Definition(source))
    }

    fn enter(&mut self, canonical: &Canonical) -> Result<(), Stop> {
        if let Some(at) = self.open.iter().position(|it| it == canonical) {
            let mut chain = self.open[at..].to_vec();
            chain.push(canonical.clone());
            return Err(Stop::Fault(TerminologyError::Cycle { chain }));
        }
        if self.open.len() > self.limits.import_depth_max {
            return Err(self.exceeded("import_depth_max", self.limits.import_depth_max));
        }
        self.open.push(canonical.clone());
        Ok(())
    }

    /// Counts codes that were looked at, so that no composition keeps the processor for long.
    fn touch(&mut self, codes: usize) -> Result<(), Stop> {
        self.codes_touched += codes + 1;
        if self.codes_touched > self.limits.expansion_work_max {
            return Err(self.exceeded("expansion_work_max", self.limits.expansion_work_max));
        }
        Ok(())
    }

    fn exceeded(&self, limit: &'static str, max: usize) -> Stop {
        Stop::Fault(TerminologyError::LimitExceeded {
            canonical: self.asked.clone(),
            limit,
            max,
        })
    }

    /// Composes a value set; its stored expansion stands in where that cannot be done, or where it
    /// would take a system for all of something whose codes the expansion lists.
    fn evaluate(&mut self, value_set: &ValueSet) -> Result<CodeSet, Stop> {
        let Some(expansion) = &value_set.expansion else {
            return self.compose(value_set);
        };
        let can_compose =
            !value_set.includes.is_empty() && value_set.parts().all(|it| self.knows_codes_of(it));
        let composed = can_compose.then(|| self.compose(value_set));
        match composed {
            Some(found @ (Ok(_) | Err(Stop::Fault(TerminologyError::LimitExceeded { .. })))) => {
                found
            }
            _ => Ok(self.wanted_of(expansion)),
        }
    }

    fn knows_codes_of(&mut self, part: &Part) -> bool {
        match (&part.system, &part.choice) {
            (None, _) | (_, Choice::Listed(_)) => true,
            (Some(system), _) => {
                let found = self.code_system(system);
                found.is_some_and(|it| it.content().is_whole())
            }
        }
    }

    fn compose(&mut self, value_set: &ValueSet) -> Result<CodeSet, Stop> {
        let (mut set, fault) = self.union(&value_set.includes, value_set)?;
        let (excluded, excludes_fault) = self.union(&value_set.excludes, value_set)?;
        set.subtract(&excluded);
        // A code that one part has is in, whatever the other parts would have had.
        let is_found = matches!(self.wanted, Wanted::One(_)) && !set.is_empty();
        match fault.filter(|_| !is_found).or(excludes_fault) {
            Some(stop) => Err(stop),
            None => Ok(set),
        }
    }

    /// The union of parts, and the first fault; only exceeded limits end the walk.
    fn union(&mut self, parts: &[Part], of: &ValueSet) -> Result<(CodeSet, Option<Stop>), Stop> {
        let mut united = CodeSet::default();
        let mut fault = None;
        for part in parts {
            match self.part(part, of) {
                Ok(set) => {
                    self.touch(set.codes_listed())?;
                    united.union(&set);
                }
                Err(Stop::Fault(it @ TerminologyError::LimitExceeded { .. })) => {
                    return Err(Stop::Fault(it));
                }
                Err(stop) => fault = fault.or(Some(stop)),
            }
        }
        Ok((united, fault))
    }

    /// The codes that are in everything that a part names.
    fn part(&mut self, part: &Part, of: &ValueSet) -> Result<CodeSet, Stop> {
        let mut sets = Vec::new();
        for value_set in &part.value_sets {
            sets.push(self.members(value_set));
        }
        let own = match &part.system {
            Some(system) => Some(self.chosen(system, &part.choice, of)?),
            None => None,
        };
        let mut sets = sets.into_iter();
        let mut set = match own {
            Some(own) => own,
            None => match sets.next() {
                Some(first) => (*first?).clone(),
                None => CodeSet::default(),
            },
        };
        for other in sets {
            let other = other?;
            self.touch(other.codes_listed())?;
            set.intersect(&other);
        }
        Ok(set)
    }

    /// The wanted codes of a system that are chosen.
    fn chosen(
        &mut self,
        system: &Canonical,
        choice: &Choice,
        of: &ValueSet,
    ) -> Result<CodeSet, Stop> {
        if let Wanted::One(Coding {
            system: Some(other),
            ..
        }) = self.wanted
            && *other != *system.url
        {
            return Ok(CodeSet::default());
        }
        let set = match choice {
            Choice::Listed(codes) => self.listed(system, codes),
            Choice::Whole => self.whole(system)?,
            Choice::Filtered(filters) => self.filtered(system, filters, &of.supplements)?,
        };
        Ok(match of.inactive {
            Inactive::Kept => set,
            Inactive::LeftOut => self.without_inactive(system, set)?,
        })
    }

    fn listed(&self, system: &Canonical, codes: &BTreeSet<Box<str>>) -> CodeSet {
        match self.wanted {
            Wanted::All => CodeSet::of(&system.url, Codes::Listed(codes.clone())),
            Wanted::One(it) => one_if(system, it.code, codes.contains(it.code)),
        }
    }

    /// All codes of a system: listed where they are known and not too many.
    fn whole(&mut self, system: &Canonical) -> Result<CodeSet, Stop> {
        let found = self.code_system(system);
        if let Some(found) = &found
            && found.content() == ContentMode::Supplement
        {
            return Err(Stop::Fault(missing(system, found.content())));
        }
        let known = found.filter(|it| it.content().is_whole());
        let listed_max = self.limits.expansion_codes_max;
        let all = || CodeSet::of(&system.url, Codes::AllExcept(BTreeSet::new()));
        Ok(match (self.wanted, known) {
            (Wanted::One(it), Some(System::Whole(known))) => {
                one_if(system, it.code, known.has_code(it.code))
            }
            (Wanted::One(it), Some(System::Table(_))) => {
                self.selected(Selection::of(system, Among::one(it.code)))?
            }
            (Wanted::One(it), None) => one_if(system, it.code, grammar::fits(&system.url, it.code)),
            (Wanted::All, Some(known)) if known.concept_count() > listed_max => all(),
            (Wanted::All, Some(System::Whole(known))) => {
                CodeSet::listed(&system.url, known.concepts().map(|it| known.code_of(it)))
            }
            (Wanted::All, Some(System::Table(_))) => {
                self.selected(Selection::of(system, Among::All))?
            }
            (Wanted::All, None) => all(),
        })
    }

    fn filtered(
        &mut self,
        system: &Canonical,
        filters: &[Filter],
        supplements: &[Canonical],
    ) -> Result<CodeSet, Stop> {
        let known = match self.whole_system(system) {
            Ok(known) => known,
            Err(stop) => {
                return self
                    .filtered_by_grammar(system, filters)
                    .unwrap_or(Err(stop));
            }
        };
        self.touch(filters.len() * FILTER_WORK)?;
        let supplements = self.supplements(system, supplements)?;
        let known = match known {
            System::Whole(known) => known,
            System::Table(_) => {
                let among = match self.wanted {
                    Wanted::One(it) => Among::one(it.code),
                    Wanted::All => Among::All,
                };
                return self.selected(Selection {
                    filters: filters.to_vec(),
                    supplements: supplements.into_iter().map(|it| it.0).collect(),
                    ..Selection::of(system, among)
                });
            }
        };
        let supplements: Vec<_> = supplements.into_iter().map(|it| it.1).collect();
        let tests = filters.iter().map(|it| it.test(&known, &supplements));
        let tests = tests.collect::<Result<Vec<_>, _>>().map_err(Stop::Fault)?;
        if let Wanted::One(it) = self.wanted {
            let concept = known.find(it.code);
            let is_chosen = concept.is_some_and(|it| tests.iter().all(|test| test.holds(it)));
            return Ok(one_if(system, it.code, is_chosen));
        }
        let mut chosen = tests.first().map(Test::candidates).unwrap_or_default();
        for test in &tests {
            self.touch(chosen.len())?;
            chosen = test.keep(chosen);
        }
        let codes = chosen.into_iter().map(|it| known.code_of(it));
        Ok(CodeSet::listed(&system.url, codes))
    }

    /// Those of the supplements that add to the system. One that is asked for must be there.
    fn supplements(
        &mut self,
        system: &Canonical,
        asked: &[Canonical],
    ) -> Result<Vec<(Canonical, Arc<CodeSystem>)>, Stop> {
        let mut found = Vec::new();
        for canonical in asked {
            let supplement = match self.code_system(canonical) {
                Some(known) if known.content() != ContentMode::Supplement => {
                    return Err(Stop::Fault(TerminologyError::Malformed {
                        canonical: canonical.clone(),
                        what: "a value set asks for it as a supplement, which it is not".to_owned(),
                    }));
                }
                Some(System::Whole(supplement)) => supplement,
                Some(System::Table(_)) | None => {
                    let is_lacking = self.lacks(Source::code_system(canonical));
                    let canonical = canonical.clone();
                    let fault = Stop::Fault(TerminologyError::UnknownSupplement { canonical });
                    return Err(if is_lacking { Stop::Lacking } else { fault });
                }
            };
            let adds_to = supplement.supplements();
            if adds_to.is_some_and(|it| it.url == system.url) {
                found.push((canonical.clone(), supplement));
            }
        }
        Ok(found)
    }

    /// The same for a system that is a grammar; `None` where the filters need its content.
    fn filtered_by_grammar(
        &self,
        system: &Canonical,
        filters: &[Filter],
    ) -> Option<Result<CodeSet, Stop>> {
        let code = match self.wanted {
            Wanted::All => "",
            Wanted::One(it) => it.code,
        };
        let chosen = filters
            .iter()
            .map(|it| grammar::chooses(&system.url, it, code));
        let is_chosen = chosen
            .collect::<Option<Vec<bool>>>()?
            .into_iter()
            .all(|it| it);
        Some(match self.wanted {
            Wanted::One(it) => Ok(one_if(system, it.code, is_chosen)),
            Wanted::All => Err(Stop::Fault(TerminologyError::NotListable {
                system: system.url.clone(),
            })),
        })
    }

    /// Where nothing is known of a code, nothing says that it is out of use.
    fn without_inactive(&mut self, system: &Canonical, mut set: CodeSet) -> Result<CodeSet, Stop> {
        let known = match self.code_system(system) {
            Some(System::Whole(known)) => known,
            Some(System::Table(_)) => {
                let among = match set.codes_of(&system.url) {
                    Some(Codes::Listed(codes)) => Among::These(codes.clone()),
                    Some(Codes::AllExcept(_)) => Among::All,
                    None => return Ok(set),
                };
                let out_of_use = Selection {
                    only: Only::OutOfUse,
                    ..Selection::of(system, among)
                };
                set.subtract(&self.selected(out_of_use)?);
                return Ok(set);
            }
            None => return Ok(set),
        };
        let inactive: Vec<ConceptId> = match self.wanted {
            Wanted::One(it) => known.find(it.code).into_iter().collect(),
            Wanted::All => known.concepts().collect(),
        };
        self.touch(inactive.len())?;
        let inactive = inactive.into_iter().filter(|it| known.is_inactive(*it));
        let codes = inactive.map(|it| known.code_of(it));
        set.subtract(&CodeSet::listed(&system.url, codes));
        Ok(set)
    }

    fn wanted_of(&self, expansion: &CodeSet) -> CodeSet {
        let Wanted::One(it) = self.wanted else {
            return expansion.clone();
        };
        let mut found = CodeSet::default();
        for (system, _) in expansion.systems() {
            let is_meant = it.system.is_none_or(|it| it == system);
            if is_meant && expansion.contains(system, it.code) {
                found.union(&CodeSet::listed(system, [it.code]));
            }
        }
        found
    }

    fn value_set(&mut self, canonical: &Canonical) -> Result<Arc<ValueSet>, Stop> {
        let source = Source::value_set(canonical);
        if let Some(Stored::ValueSet(stored)) = self.stored(&source) {
            return Ok(stored.clone());
        }
        let standard = Standard::of(self.version);
        if let Some(known) = standard.value_set(canonical) {
            return Ok(known);
        }
        if let Some(implicit) = implicit::value_set(self.version, &canonical.url) {
            return Ok(Arc::new(implicit));
        }
        if self.lacks(source) {
            return Err(Stop::Lacking);
        }
        Err(Stop::Fault(TerminologyError::UnknownValueSet {
            canonical: canonical.clone(),
            nearest: nearest_value_set(standard, canonical),
        }))
    }

    /// A code system: the tenant's, or the standard's if only that has all concepts.
    fn code_system(&mut self, canonical: &Canonical) -> Option<System> {
        let stored = match self.stored(&Source::code_system(canonical)) {
            Some(Stored::CodeSystem(stored)) => Some(System::Whole(stored.clone())),
            Some(Stored::CodeTable(stored)) => Some(System::Table(stored.clone())),
            Some(Stored::ValueSet(_)) | None => None,
        };
        let published = Standard::of(self.version).code_system(canonical);
        let published = || published.cloned().map(System::Whole);
        match stored {
            Some(stored) if stored.content().is_whole() => Some(stored),
            None => published(),
            Some(stored) => published()
                .filter(|it| it.content().is_whole())
                .or(Some(stored)),
        }
    }

    fn stored(&mut self, source: &Source) -> Option<&'e Stored> {
        self.sources.insert(source.clone());
        match self.content.find(source) {
            Found::Given(stored) => Some(stored),
            Found::Absent => None,
            Found::Unknown => {
                self.lacking.insert(Lack::Definition(source.clone()));
                None
            }
        }
    }
}

/// The version that is here, or the URL that may have been meant.
fn nearest_value_set(standard: &Standard, canonical: &Canonical) -> Option<String> {
    let published = standard.value_set(&Canonical::new(&canonical.url, None));
    match published {
        Some(published) => Some(published.canonical().to_string()),
        None => nearest(&canonical.url, standard.value_set_urls()),
    }
}

/// A system whose content is needed and not here.
fn missing(system: &Canonical, content: ContentMode) -> TerminologyError {
    TerminologyError::ContentMissing {
        system: system.clone(),
        content: Some(content),
        nearest: None,
    }
}

fn one_if(system: &Canonical, code: &str, is_chosen: bool) -> CodeSet {
    CodeSet::listed(&system.url, is_chosen.then_some(code))
}
