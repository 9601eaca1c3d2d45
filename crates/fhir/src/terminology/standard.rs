//! The code systems and value sets of a FHIR version, as its packages publish them.
//!
//! The tables are compiled in. At the first question a version's rows are found, by URL; a
//! definition is read when it is first used, and kept.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use super::canonical::Canonical;
use super::code_set::CodeSet;
use super::code_system::{Builder, CodeSystem, ConceptId, ContentMode, Hierarchy};
use super::filter::Filter;
use super::value_set::{Choice, Inactive, Part, ValueSet};
use crate::FhirVersion;
use crate::definitions::table::{
    self, CODE_SYSTEMS, CODES, CONCEPTS, EXPANSIONS, Table, VALUE_SETS,
};
use crate::suggest;

/// The text of a version's tables.
struct Texts {
    code_systems: &'static str,
    concepts: &'static str,
    value_sets: &'static str,
    expansions: &'static str,
    codes: &'static str,
}

/// `include_str!` takes a literal only, hence a macro for the files of a folder.
macro_rules! texts {
    ($folder:literal) => {
        Texts {
            code_systems: include_str!(concat!("../../data/", $folder, "/code-systems.tsv")),
            concepts: include_str!(concat!("../../data/", $folder, "/concepts.tsv")),
            value_sets: include_str!(concat!("../../data/", $folder, "/value-sets.tsv")),
            expansions: include_str!(concat!("../../data/", $folder, "/expansions.tsv")),
            codes: include_str!(concat!("../../data/", $folder, "/codes.tsv")),
        }
    };
}

static STU3: LazyLock<Standard> = LazyLock::new(|| Standard::read(&texts!("stu3")));
static R4: LazyLock<Standard> = LazyLock::new(|| Standard::read(&texts!("r4")));

/// The definitions of one version.
pub(super) struct Standard {
    /// By URL.
    code_systems: Vec<SystemEntry>,
    /// By URL.
    value_sets: Vec<ValueSetEntry>,
    /// By the URL of the value set: systems and lists of codes.
    expansions: HashMap<&'static str, Vec<[&'static str; 2]>>,
}

struct SystemEntry {
    row: [&'static str; 7],
    concepts: &'static str,
    built: OnceLock<Arc<CodeSystem>>,
}

struct ValueSetEntry {
    url: &'static str,
    version: &'static str,
    parts: &'static str,
    built: OnceLock<Arc<ValueSet>>,
}

impl Standard {
    /// The definitions of a version; the rows are found at the first call.
    pub(super) fn of(version: FhirVersion) -> &'static Self {
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
        }
    }

    fn read(texts: &Texts) -> Self {
        Self {
            code_systems: system_entries(texts),
            value_sets: value_set_entries(texts.value_sets),
            expansions: expansions([(EXPANSIONS, texts.expansions), (CODES, texts.codes)]),
        }
    }

    /// The code system of that URL, if the version is left open or the one of the packages.
    pub(super) fn code_system(&self, canonical: &Canonical) -> Option<&Arc<CodeSystem>> {
        let order = |it: &SystemEntry| it.row[0].cmp(&canonical.url);
        let place = self.code_systems.binary_search_by(order).ok()?;
        let entry = &self.code_systems[place];
        is_version(canonical, entry.row[1]).then(|| entry.code_system())
    }

    /// The value set of that URL, if the version is left open or the one of the packages.
    pub(super) fn value_set(&self, canonical: &Canonical) -> Option<Arc<ValueSet>> {
        let order = |it: &ValueSetEntry| it.url.cmp(&canonical.url);
        let Ok(place) = self.value_sets.binary_search_by(order) else {
            return self.expansion_alone(canonical);
        };
        let entry = &self.value_sets[place];
        let built = || entry.built.get_or_init(|| Arc::new(self.compose(entry)));
        is_version(canonical, entry.version).then(|| built().clone())
    }

    /// The value set of all codes of a system, where the system names one and nothing defines it.
    pub(super) fn whole_system(&self, value_set: &str) -> Option<&'static str> {
        let named = |it: &&SystemEntry| it.row[4] == value_set && !value_set.is_empty();
        self.code_systems.iter().find(named).map(|it| it.row[0])
    }

    /// The URLs of all value sets.
    pub(super) fn value_set_urls(&self) -> impl Iterator<Item = &'static str> {
        self.value_sets.iter().map(|it| it.url)
    }

    /// The URLs of all code systems.
    pub(super) fn code_system_urls(&self) -> impl Iterator<Item = &'static str> {
        self.code_systems.iter().map(|it| it.row[0])
    }

    fn compose(&self, entry: &ValueSetEntry) -> ValueSet {
        let parts = |part_use| {
            let rows = VALUE_SETS.rows(entry.parts);
            rows.filter(move |row| row[2] == part_use)
                .map(part)
                .collect()
        };
        ValueSet {
            canonical: Canonical::new(entry.url, Some(entry.version)),
            includes: parts("include"),
            excludes: parts("exclude"),
            inactive: Inactive::Kept,
            expansion: self.expansion(entry.url),
            supplements: Vec::new(),
        }
    }

    /// A value set that the packages have as an expansion only.
    fn expansion_alone(&self, canonical: &Canonical) -> Option<Arc<ValueSet>> {
        let expansion = self.expansion(&canonical.url)?;
        Some(Arc::new(ValueSet {
            canonical: canonical.clone(),
            includes: Vec::new(),
            excludes: Vec::new(),
            inactive: Inactive::Kept,
            expansion: Some(expansion),
            supplements: Vec::new(),
        }))
    }

    fn expansion(&self, url: &str) -> Option<CodeSet> {
        let mut set = CodeSet::default();
        for [system, codes] in self.expansions.get(url)? {
            set.union(&CodeSet::listed(system, table::list(codes)));
        }
        Some(set)
    }
}

/// The URL whose last part is nearest to that of the given one. Most slips are made there, and what
/// is before it makes URLs too long to compare.
pub(super) fn nearest(url: &str, among: impl Iterator<Item = &'static str>) -> Option<String> {
    let last = |url: &'static str| (url.rsplit('/').next().unwrap_or(url), url);
    let names: Vec<(&str, &str)> = among.map(last).collect();
    let name = url.rsplit('/').next().unwrap_or(url);
    let found = suggest::nearest(name, names.iter().map(|(name, _)| *name))?;
    let (_, url) = names.iter().find(|(name, _)| *name == found)?;
    Some((*url).to_owned())
}

fn is_version(asked: &Canonical, published: &str) -> bool {
    asked.version.as_deref().is_none_or(|it| it == published)
}

/// A row of a value set.
fn part(row: [&'static str; 10]) -> Part {
    let [
        _,
        _,
        _,
        system,
        version,
        value_sets,
        concepts,
        property,
        operator,
        value,
    ] = row;
    let choice = match (concepts, operator) {
        ("", "") => Choice::Whole,
        ("", _) => {
            let filter = Filter::new(property, operator, value);
            Choice::Filtered(vec![filter.expect("tests evaluate every value set")])
        }
        _ => Choice::Listed(table::list(concepts).map(Into::into).collect()),
    };
    Part {
        system: (!system.is_empty()).then(|| Canonical::new(system, Some(version))),
        choice,
        value_sets: table::list(value_sets).map(Canonical::parse).collect(),
    }
}

/// The expansions of the tables that have some.
fn expansions(
    tables: [(Table<3>, &'static str); 2],
) -> HashMap<&'static str, Vec<[&'static str; 2]>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for (table, text) in tables {
        for [url, system, codes] in table.rows(text) {
            found.entry(url).or_default().push([system, codes]);
        }
    }
    found
}

/// The systems with the rows of their concepts, which follow each other in the same order.
fn system_entries(texts: &Texts) -> Vec<SystemEntry> {
    let mut ends = memchr::memchr_iter(b'\n', texts.concepts.as_bytes());
    let mut start = ends.next().expect("a table has a header");
    let rows = CODE_SYSTEMS.rows(texts.code_systems);
    let entries = rows.map(|row| {
        let count: usize = row[6].parse().expect("a number of concepts");
        let from = start;
        if count > 0 {
            start = ends.nth(count - 1).expect("every concept has a row");
        }
        SystemEntry {
            row,
            // From the end of the row before: the first line of a table is no row.
            concepts: &texts.concepts[from..start],
            built: OnceLock::new(),
        }
    });
    entries.collect()
}

/// The value sets with their rows, which follow each other.
fn value_set_entries(text: &'static str) -> Vec<ValueSetEntry> {
    let mut entries: Vec<ValueSetEntry> = Vec::new();
    let mut ends = memchr::memchr_iter(b'\n', text.as_bytes());
    let mut start = ends.next().expect("a table has a header");
    let mut first = start;
    for ([url, version, ..], end) in VALUE_SETS.rows(text).zip(ends) {
        if entries.last().is_none_or(|it| it.url != url) {
            first = start;
            entries.push(ValueSetEntry {
                url,
                version,
                parts: "",
                built: OnceLock::new(),
            });
        }
        entries.last_mut().expect("one was pushed").parts = &text[first..end];
        start = end;
    }
    entries
}

impl SystemEntry {
    fn code_system(&self) -> &Arc<CodeSystem> {
        self.built.get_or_init(|| Arc::new(self.build()))
    }

    fn build(&self) -> CodeSystem {
        let [url, version, content, hierarchy, _, properties, _] = self.row;
        let content = ContentMode::named(content).expect("a code of CodeSystemContentMode");
        let mut builder = Builder::new(url, content);
        builder.version = (!version.is_empty()).then(|| version.into());
        builder.hierarchy = Hierarchy::named(hierarchy).expect("a code of the meanings");
        table::list(properties).for_each(|it| builder.declare(it));
        let mut above: Vec<ConceptId> = Vec::new();
        for [level, code, display, properties] in CONCEPTS.rows(self.concepts) {
            above.truncate(level.parse().expect("a depth"));
            let concept = builder.concept(above.last().copied(), code, display);
            above.push(concept);
            for (name, value) in table::list(properties).filter_map(|it| it.split_once('=')) {
                builder.property(concept, name, value);
            }
        }
        builder.finish()
    }
}
