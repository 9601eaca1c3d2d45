//! Writing a code system as a table.

use super::form::Writer;
use super::{CodeTable, MARK, PREFIX_BYTES, SECTIONS, Section};
use crate::terminology::code_system::{CodeSystem, ConceptId};

/// The pages of a section, and what the head says of each.
#[derive(Default)]
struct Pages {
    head: Writer,
    bytes: Vec<u8>,
}

impl CodeTable {
    /// The table of a system, in pages of about that size ([`CodeTable::PAGE_BYTES`]).
    pub fn write(system: &CodeSystem, page_bytes: usize) -> Vec<u8> {
        let sections = SECTIONS.map(|it| pages(system, it, page_bytes));
        let mut head = Writer::default();
        head.text(system.url())
            .text(system.version().unwrap_or_default())
            .text(system.content().code())
            .text(system.hierarchy().code())
            .number(system.concept_count() as u64)
            .number(system.has_order().into())
            .number(system.own_property_names().count() as u64);
        system.own_property_names().for_each(|it| {
            head.text(it);
        });
        for it in &sections {
            head.0.extend_from_slice(&it.head.0);
        }
        let pages = sections.iter().map(|it| it.bytes.len()).sum::<usize>();
        let mut table = Vec::with_capacity(PREFIX_BYTES + head.0.len() + pages);
        table.extend_from_slice(MARK);
        table.extend_from_slice(&(head.0.len() as u64).to_le_bytes());
        table.extend_from_slice(&head.0);
        for it in &sections {
            table.extend_from_slice(&it.bytes);
        }
        table
    }
}

fn pages(system: &CodeSystem, section: Section, page_bytes: usize) -> Pages {
    let mut pages = Pages::default();
    let mut page = Writer::default();
    let mut rows = 0;
    let mut first = "";
    let mut concepts = system.concepts().peekable();
    while let Some(concept) = concepts.next() {
        if rows == 0 {
            first = system.code_of(concept);
        }
        match section {
            Section::Concepts => concept_row(&mut page, system, concept),
            Section::Up => numbers(&mut page, system.parents(concept)),
            Section::Down => numbers(&mut page, system.children(concept)),
        }
        rows += 1;
        if page.0.len() >= page_bytes || concepts.peek().is_none() {
            pages.head.number(rows).number(page.0.len() as u64);
            if section == Section::Concepts {
                pages.head.text(first);
            }
            pages.bytes.append(&mut page.0);
            rows = 0;
        }
    }
    pages
}

fn concept_row(page: &mut Writer, system: &CodeSystem, concept: ConceptId) {
    let values = || system.all_values(concept);
    page.text(system.code_of(concept))
        .number(system.is_inactive(concept).into())
        .text(system.display_given(concept))
        .number(values().count() as u64);
    for (name, value) in values() {
        page.number(name.into()).text(value);
    }
}

/// Ascending numbers, each but the first as its distance from the one before.
fn numbers(page: &mut Writer, concepts: impl Iterator<Item = ConceptId>) {
    let numbers: Vec<u32> = concepts.map(ConceptId::number).collect();
    page.number(numbers.len() as u64);
    let mut before = 0;
    for number in numbers {
        page.number((number - before).into());
        before = number;
    }
}
