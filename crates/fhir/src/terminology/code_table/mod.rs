//! Large code systems as tables that are read in pieces.
//!
//! A system of hundreds of thousands of concepts is made a table once, when its resource is written
//! ([`CodeTable::write`]). The table is a head and pages. The head is kept in memory and tells where
//! the pages are; a question reads the pages that it needs ([`Walk`]), one at a time.
//!
//! | section | a row | sought by |
//! |---|---|---|
//! | concepts | code, whether it is out of use, display, values of properties | code, number |
//! | up | the numbers of the concepts right above | number |
//! | down | the numbers of the concepts right below | number |
//!
//! A concept's number is its place in the order of codes; the rows of every section are in that order.

mod bits;
mod form;
mod walk;
mod write;

use std::fmt;
use std::ops::Range;

use self::form::Reader;
use super::code_system::{ContentMode, Hierarchy, always_and};
use super::error::TerminologyError;

pub use walk::Walk;

/// What a table begins with; the digits are the number of its form.
const MARK: &[u8; 8] = b"codes/01";

/// The mark, and the length of the head.
const PREFIX_BYTES: usize = MARK.len() + size_of::<u64>();

/// The head of a table: what is known of the system, and where its pages are.
pub struct CodeTable {
    place: Box<str>,
    url: Box<str>,
    version: Option<Box<str>>,
    content: ContentMode,
    hierarchy: Hierarchy,
    concepts: u32,
    has_order: bool,
    /// The names of the properties that are declared or used.
    names: Box<[Box<str>]>,
    sections: [Box<[Page]>; 3],
    /// By page of the concepts: its first code.
    first_codes: Box<[Box<str>]>,
}

/// Rows that follow each other.
struct Page {
    /// The number of the first row's concept.
    first: u32,
    bytes: Range<u64>,
}

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Concepts,
    Up,
    Down,
}

const SECTIONS: [Section; 3] = [Section::Concepts, Section::Up, Section::Down];

impl CodeTable {
    /// Bytes of a page, about: a row is never divided.
    pub const PAGE_BYTES: usize = 32 << 10;

    /// How many bytes of a table [`CodeTable::open`] needs; `start` are its first bytes, at least
    /// sixteen. `None` if it is no table.
    pub fn head_bytes(start: &[u8]) -> Option<u64> {
        let (mark, rest) = start.split_first_chunk()?;
        let (length, _) = rest.split_first_chunk()?;
        let length = u64::from_le_bytes(*length);
        let all = length.checked_add(PREFIX_BYTES as u64)?;
        (mark == MARK).then_some(all)
    }

    /// Reads the head. `place` is what the caller finds the other bytes by.
    pub fn open(place: &str, head: &[u8]) -> Option<Self> {
        let length = usize::try_from(Self::head_bytes(head)?).ok()?;
        let mut from = Reader::new(head.get(PREFIX_BYTES..length)?);
        let (url, version) = (from.text()?, from.text()?);
        let content = ContentMode::named(from.text()?)?;
        let hierarchy = Hierarchy::named(from.text()?)?;
        let (concepts, has_order) = (from.small()?, from.number()? == 1);
        let names = (0..from.number()?).map(|_| from.text().map(Into::into));
        let names = names.collect::<Option<_>>()?;
        let mut at = length as u64;
        let mut first_codes = Vec::new();
        let mut sections = SECTIONS.map(|_| Box::default());
        for (section, pages) in SECTIONS.into_iter().zip(&mut sections) {
            *pages = read_pages(&mut from, section, concepts, &mut at, &mut first_codes)?;
        }
        from.is_empty().then(|| Self {
            place: place.into(),
            url: url.into(),
            version: (!version.is_empty()).then(|| version.into()),
            content,
            hierarchy,
            concepts,
            has_order,
            names,
            sections,
            first_codes: first_codes.into(),
        })
    }

    /// What the caller finds the table's bytes by.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The system's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The system's business version.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How much of the system is in it.
    pub fn content(&self) -> ContentMode {
        self.content
    }

    /// What the system's order means.
    pub fn hierarchy(&self) -> Hierarchy {
        self.hierarchy
    }

    /// How many concepts it has.
    pub fn concept_count(&self) -> usize {
        self.concepts as usize
    }

    /// About how many bytes the head holds in memory.
    pub fn memory(&self) -> usize {
        let texts = self.names.iter().chain(&self.first_codes);
        let pages: usize = self.sections.iter().map(|it| it.len()).sum();
        size_of::<Self>()
            + texts
                .map(|it| it.len() + size_of::<Box<str>>())
                .sum::<usize>()
            + pages * size_of::<Page>()
    }

    /// Whether its order says what is a kind of what; true as well where there is no order.
    pub(super) fn has_subsumption(&self) -> bool {
        self.hierarchy.subsumes() || !self.has_order
    }

    fn property_names(&self) -> impl Iterator<Item = &str> + Clone {
        always_and(&self.names)
    }

    fn pages(&self, section: Section) -> &[Page] {
        &self.sections[section as usize]
    }

    /// The page that has the row of a concept.
    fn page_of(&self, section: Section, concept: u32) -> usize {
        let after = self
            .pages(section)
            .partition_point(|it| it.first <= concept);
        after.saturating_sub(1)
    }

    /// The page that would have a code; `None` if it comes before all codes.
    fn page_of_code(&self, code: &str) -> Option<usize> {
        let after = self.first_codes.partition_point(|it| **it <= *code);
        after.checked_sub(1)
    }

    /// The concepts with rows in a page.
    fn rows(&self, section: Section, page: usize) -> Range<u32> {
        let pages = self.pages(section);
        let end = pages.get(page + 1).map_or(self.concepts, |it| it.first);
        pages.get(page).map_or(end..end, |it| it.first..end)
    }

    fn damaged(&self) -> TerminologyError {
        TerminologyError::DamagedTable {
            system: self.url.clone(),
        }
    }
}

/// The pages of a section, which lie one after the other from `at`.
fn read_pages(
    from: &mut Reader<'_>,
    section: Section,
    concepts: u32,
    at: &mut u64,
    first_codes: &mut Vec<Box<str>>,
) -> Option<Box<[Page]>> {
    let mut first = 0_u32;
    let mut pages = Vec::new();
    while first < concepts {
        let (rows, length) = (from.small()?, u64::from(from.small()?));
        if section == Section::Concepts {
            first_codes.push(from.text()?.into());
        }
        pages.push(Page {
            first,
            bytes: *at..*at + length,
        });
        *at += length;
        first = first.checked_add(rows).filter(|_| rows > 0)?;
    }
    (first == concepts).then(|| pages.into())
}

/// Says how large it is: a tenant's system may be anything.
impl fmt::Debug for CodeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeTable({}, {} concepts)", self.url, self.concepts)
    }
}
