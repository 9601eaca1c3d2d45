//! Code systems, made ready for questions about single codes
//! (<https://hl7.org/fhir/R4/codesystem.html>).
//!
//! A system is its texts in one piece plus rows of numbers: some 20 bytes for a concept besides its
//! texts, and nothing that would have to be read as a whole to answer for one code. Whether a
//! concept is another's descendant is found by walking up from it.

mod build;
mod read;

use std::collections::HashSet;
use std::ops::Range;

pub(super) use build::Builder;

use super::canonical::Canonical;

/// How much of a code system its definition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentMode {
    /// No concept.
    NotPresent,
    /// Some concepts as examples. The official packages treat them as all there are, and so do we.
    Example,
    /// Some concepts; others exist.
    Fragment,
    /// All concepts.
    Complete,
    /// Only additions to another system.
    Supplement,
}

/// What it means that a concept is above another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hierarchy {
    /// Nothing is said; taken for `is-a`, which nearly all systems without a word on it mean.
    Unsaid,
    /// The lower is a kind of the upper.
    IsA,
    /// Nothing can be concluded.
    GroupedBy,
    /// The lower is a part of the upper.
    PartOf,
    /// The lower is classified with the upper, and nowhere else; a kind of it for that purpose.
    ClassifiedWith,
}

/// The codes of `CodeSystem.content`.
const CONTENT_MODES: [(&str, ContentMode); 5] = [
    ("not-present", ContentMode::NotPresent),
    ("example", ContentMode::Example),
    ("fragment", ContentMode::Fragment),
    ("complete", ContentMode::Complete),
    ("supplement", ContentMode::Supplement),
];

/// The codes of `CodeSystem.hierarchyMeaning`.
const HIERARCHIES: [(&str, Hierarchy); 5] = [
    ("", Hierarchy::Unsaid),
    ("is-a", Hierarchy::IsA),
    ("grouped-by", Hierarchy::GroupedBy),
    ("part-of", Hierarchy::PartOf),
    ("classified-with", Hierarchy::ClassifiedWith),
];

/// The properties that every system has, whether it declares them or not.
const ALWAYS: [&str; 9] = [
    "concept",
    "code",
    "display",
    "parent",
    "child",
    "inactive",
    "deprecated",
    "notSelectable",
    "status",
];

/// A code system with its concepts.
pub struct CodeSystem {
    url: Box<str>,
    version: Option<Box<str>>,
    content: ContentMode,
    hierarchy: Hierarchy,
    /// The system that a supplement adds to.
    supplements: Option<Canonical>,
    /// Codes, displays and values of properties.
    text: Box<str>,
    /// By code.
    concepts: Box<[Concept]>,
    /// Lower and upper concept, ascending.
    up: Box<[(ConceptId, ConceptId)]>,
    /// Upper and lower concept, ascending.
    down: Box<[(ConceptId, ConceptId)]>,
    /// The names of the properties that are declared or used.
    names: Box<[Box<str>]>,
    /// By concept.
    values: Box<[PropertyValue]>,
}

/// A concept of a certain system: its place in the order of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConceptId(u32);

/// A piece of a system's text.
type Span = Range<u32>;

struct Concept {
    code: Span,
    display: Span,
}

struct PropertyValue {
    concept: ConceptId,
    name: u32,
    value: Span,
}

impl ContentMode {
    /// The code of the standard.
    pub fn code(self) -> &'static str {
        let named = CONTENT_MODES.iter().find(|(_, mode)| *mode == self);
        named.map_or("", |(code, _)| code)
    }

    /// The mode of that code.
    pub fn named(code: &str) -> Option<Self> {
        let named = CONTENT_MODES.iter().find(|(it, _)| *it == code);
        named.map(|(_, mode)| *mode)
    }

    /// Whether what is not there does not exist.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Complete | Self::Example)
    }
}

impl Hierarchy {
    /// The code of the standard; empty where nothing is said.
    pub fn code(self) -> &'static str {
        let named = HIERARCHIES.iter().find(|(_, it)| *it == self);
        named.map_or("", |(code, _)| code)
    }

    /// The meaning of that code.
    pub fn named(code: &str) -> Option<Self> {
        let named = HIERARCHIES.iter().find(|(it, _)| *it == code);
        named.map(|(_, it)| *it)
    }

    pub(super) fn subsumes(self) -> bool {
        matches!(self, Self::Unsaid | Self::IsA | Self::ClassifiedWith)
    }
}

impl ConceptId {
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

impl CodeSystem {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its business version.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How much of it is here.
    pub fn content(&self) -> ContentMode {
        self.content
    }

    /// What its order means.
    pub fn hierarchy(&self) -> Hierarchy {
        self.hierarchy
    }

    /// The system that a supplement adds to.
    pub fn supplements(&self) -> Option<&Canonical> {
        self.supplements.as_ref()
    }

    /// How many concepts are here.
    pub fn concept_count(&self) -> usize {
        self.concepts.len()
    }

    /// How many bytes it holds in memory.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.text.len()
            + size_of_val::<[Concept]>(&self.concepts)
            + size_of_val::<[(ConceptId, ConceptId)]>(&self.up) * 2
            + size_of_val::<[PropertyValue]>(&self.values)
    }

    /// Whether it has concepts of that code.
    pub fn has_code(&self, code: &str) -> bool {
        self.find(code).is_some()
    }

    /// The display of the concept of that code.
    pub fn display(&self, code: &str) -> Option<&str> {
        self.find(code).map(|it| self.display_of(it))
    }

    /// Whether its order says what is a kind of what; true as well where there is no order.
    pub(super) fn has_subsumption(&self) -> bool {
        self.hierarchy.subsumes() || !self.has_order()
    }

    /// The concept of that code.
    pub(super) fn find(&self, code: &str) -> Option<ConceptId> {
        let order = |it: &Concept| self.piece(&it.code).cmp(code);
        let place = self.concepts.binary_search_by(order).ok()?;
        u32::try_from(place).ok().map(ConceptId)
    }

    /// All concepts, by code.
    pub(super) fn concepts(&self) -> impl Iterator<Item = ConceptId> + use<> {
        let count = u32::try_from(self.concepts.len()).unwrap_or(u32::MAX);
        (0..count).map(ConceptId)
    }

    /// The code of a concept.
    pub(super) fn code_of(&self, concept: ConceptId) -> &str {
        self.piece(&self.concepts[concept.0 as usize].code)
    }

    /// Its display, or its code if it has none.
    pub(super) fn display_of(&self, concept: ConceptId) -> &str {
        match self.display_given(concept) {
            "" => self.code_of(concept),
            display => display,
        }
    }

    /// The display that it was given; empty for none.
    pub(super) fn display_given(&self, concept: ConceptId) -> &str {
        self.piece(&self.concepts[concept.0 as usize].display)
    }

    /// Whether any concept is above another.
    pub(super) fn has_order(&self) -> bool {
        !self.up.is_empty()
    }

    /// The concepts right above.
    pub(super) fn parents(&self, of: ConceptId) -> impl Iterator<Item = ConceptId> {
        neighbours(&self.up, of)
    }

    /// The concepts right below.
    pub(super) fn children(&self, of: ConceptId) -> impl Iterator<Item = ConceptId> {
        neighbours(&self.down, of)
    }

    /// Whether a concept is another or below it.
    pub(super) fn is_a(&self, concept: ConceptId, other: ConceptId) -> bool {
        self.ancestors(concept).contains(&other)
    }

    /// A concept and all below it.
    pub(super) fn descendants(&self, of: ConceptId) -> Vec<ConceptId> {
        closure(of, |it| self.children(it).collect())
    }

    /// A concept and all above it.
    pub(super) fn ancestors(&self, of: ConceptId) -> Vec<ConceptId> {
        closure(of, |it| self.parents(it).collect())
    }

    /// The names of all properties.
    pub(super) fn property_names(&self) -> impl Iterator<Item = &str> + Clone {
        always_and(&self.names)
    }

    /// The names of the properties that are declared or used.
    pub(super) fn own_property_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(|it| &**it)
    }

    /// The values that a supplement gives the concept of that code; what every system has is the
    /// supplemented system's own.
    pub(super) fn added_values(&self, code: &str, name: &str) -> Vec<&str> {
        match self.find(code) {
            Some(concept) => self.stored_values(concept, name),
            None => Vec::new(),
        }
    }

    /// The values that a concept has for a property.
    pub(super) fn values<'s>(&'s self, concept: ConceptId, name: &str) -> Vec<&'s str> {
        match name {
            "concept" | "code" => vec![self.code_of(concept)],
            "display" => vec![self.display_of(concept)],
            "parent" => self.parents(concept).map(|it| self.code_of(it)).collect(),
            "child" => self.children(concept).map(|it| self.code_of(it)).collect(),
            _ => self.stored_values(concept, name),
        }
    }

    /// The values that a concept was given, with the places of their properties' names.
    pub(super) fn all_values(&self, concept: ConceptId) -> impl Iterator<Item = (u32, &str)> {
        let first = self.values.partition_point(|it| it.concept < concept);
        let own = self.values[first..].iter();
        own.take_while(move |it| it.concept == concept)
            .map(|it| (it.name, self.piece(&it.value)))
    }

    fn stored_values(&self, concept: ConceptId, name: &str) -> Vec<&str> {
        self.all_values(concept)
            .filter(|(it, _)| *self.names[*it as usize] == *name)
            .map(|(_, value)| value)
            .collect()
    }

    /// Whether a concept is out of use: property `inactive`, or `status` as the standard's own
    /// systems have it (<https://hl7.org/fhir/R4/codesystem.html#status>).
    pub(super) fn is_inactive(&self, concept: ConceptId) -> bool {
        self.stored_values(concept, "inactive").contains(&"true")
            || self.stored_values(concept, "status").contains(&"retired")
    }

    fn piece(&self, span: &Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }
}

/// The names of the properties that every system has, and those of its own.
pub(super) fn always_and(own: &[Box<str>]) -> impl Iterator<Item = &str> + Clone {
    let own = own.iter().map(|it| &**it);
    ALWAYS.into_iter().chain(own)
}

/// Says how large it is: a tenant's system may be anything.
impl std::fmt::Debug for CodeSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "CodeSystem({}, {} concepts)",
            self.url,
            self.concepts.len()
        )
    }
}

fn neighbours(edges: &[(ConceptId, ConceptId)], of: ConceptId) -> impl Iterator<Item = ConceptId> {
    let first = edges.partition_point(|(from, _)| *from < of);
    let own = edges[first..]
        .iter()
        .take_while(move |(from, _)| *from == of);
    own.map(|(_, to)| *to)
}

/// What can be reached step by step, each once: orders of tenants may have rings.
fn closure(from: ConceptId, next: impl Fn(ConceptId) -> Vec<ConceptId>) -> Vec<ConceptId> {
    let mut found = vec![from];
    let mut known = HashSet::from([from]);
    let mut at = 0;
    while let Some(concept) = found.get(at).copied() {
        found.extend(next(concept).into_iter().filter(|it| known.insert(*it)));
        at += 1;
    }
    found
}
