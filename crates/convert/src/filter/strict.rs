//! The filters of the strict dialect: those of the big table that do what their name says, and its
//! own for types, codes and ids. The reference page is made of this table.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{
    Filter, Run, Takes, argument, codes, collections, encoding, list, narrative, number, resources,
    text, text_parts, types,
};
use crate::data::xml;
use crate::error::Result;
use crate::process::IdStrategy;
use crate::render::Renderer;
use crate::unread::read_all;
use crate::value::{Value, print};

/// A filter, how it is written, and what it does.
pub(crate) struct StrictFilter {
    filter: Filter,
    usage: &'static str,
    about: &'static str,
}

/// The filter of that name.
pub(crate) fn find(name: &str) -> Option<&'static Filter> {
    let at = FILTERS
        .binary_search_by(|it| it.filter.name.cmp(name))
        .ok()?;
    Some(&FILTERS[at].filter)
}

/// The names of all filters.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|it| it.filter.name)
}

/// How each filter of the strict dialect is written and what it does, for the reference page.
pub fn reference() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILTERS.iter().map(|it| (it.usage, it.about))
}

const fn row(
    name: &'static str,
    arguments: (usize, usize),
    run: Run,
    usage: &'static str,
    about: &'static str,
) -> StrictFilter {
    StrictFilter {
        filter: Filter {
            name,
            arguments,
            run,
            takes: Takes::Texts,
        },
        usage,
        about,
    }
}

/// A filter that wants an element itself, not its text.
const fn of_elements(row: StrictFilter) -> StrictFilter {
    taking(Takes::Elements, row)
}

/// A filter that wants elements of a document themselves, each as a list of one.
const fn of_lists(row: StrictFilter) -> StrictFilter {
    taking(Takes::Lists, row)
}

const fn taking(takes: Takes, row: StrictFilter) -> StrictFilter {
    let StrictFilter {
        filter,
        usage,
        about,
    } = row;
    StrictFilter {
        filter: Filter { takes, ..filter },
        usage,
        about,
    }
}

/// Every filter, in the order of names.
#[rustfmt::skip]
static FILTERS: &[StrictFilter] = &[
    row("abs", (0, 0), number::abs, "n | abs", "the number without its sign"),
    row("append", (1, 1), text::append, "a | append: b", "both texts, one after the other"),
    of_elements(row("as", (1, 1), types::as_type, "x | as: 'dateTime'", "the value as a FHIR primitive of that type, HL7 v2's way of writing it turned into FHIR's; null if it is none, and then reported as not read")),
    row("as_hl7v2", (1, 1), types::as_hl7v2, "x | as_hl7v2: 'DTM'", "FHIR's date, time or number as HL7 v2 writes it: `DT`, `TM`, `DTM` or `NM`; null if it is none"),
    row("base64_decode", (0, 0), encoding::base64_decode, "x | base64_decode", "the text in Base64"),
    row("base64_encode", (0, 0), encoding::base64_encode, "x | base64_encode", "the text as Base64"),
    row("capitalize", (0, 0), text::capitalize, "x | capitalize", "the text with capital initials"),
    of_elements(row("code_map", (1, 2), code_map, "x | code_map: 'Gender', 'display'", "what the library's map of that name has for the code: its `code`, or the property that is named; null if the code is not in it, and then reported as not read")),
    of_lists(row("compact", (0, 0), list::compact, "items | compact", "the list without nulls")),
    of_lists(row("concat", (1, 1), list::concat, "items | concat: others", "both lists, one after the other")),
    row("contains", (1, 1), text_parts::contains, "x | contains: 'a'", "whether the text has that part"),
    of_lists(row("default", (1, 1), collections::default, "x | default: y", "the value, or the other one if it is null, false or empty")),
    row("divided_by", (1, 1), number::divided_by, "n | divided_by: 2", "the quotient; of whole numbers a whole number"),
    row("downcase", (0, 0), text::downcase, "x | downcase", "the text in small letters"),
    row("escape", (0, 0), text::escape, "x | escape", "the text as content of HTML, for narratives"),
    of_lists(row("except", (1, 1), resources::except, "items | except: others", "the elements that are not in the other list")),
    of_elements(row("first", (0, 0), first, "items | first", "the first element")),
    row("hex_to_base64", (0, 0), encoding::hex_to_base64, "x | hex_to_base64", "bytes in hexadecimal digits in Base64; null if they are none"),
    of_elements(row("id", (1, 8), id, "'Patient' | id: a, b", "an id of a resource of that type that is always the same for the same keys; null if all keys are missing")),
    of_lists(row("join", (0, 1), list::join, "items | join: ', '", "the elements as one text")),
    of_elements(row("last", (0, 0), last, "items | last", "the last element")),
    row("lines", (0, 0), lines, "x | lines", "the lines of a text, empty ones left out"),
    of_lists(row("map", (1, 1), list::map, "items | map: 'name'", "that member of every element")),
    row("match", (1, 1), text_parts::matched, "x | match: '[0-9]+'", "the first part that the regular expression (.NET's) matches"),
    row("minus", (1, 1), number::minus, "n | minus: 1", "the difference"),
    of_elements(row("narrative", (0, 0), narrative::narrative, "section.text | narrative", "the narrative of a section of a document, as XHTML; null if it says nothing")),
    row("now", (0, 0), now, "null | now", "the time of the conversion, as an instant"),
    row("plus", (1, 1), number::plus, "n | plus: 1", "the sum"),
    row("prepend", (1, 1), text::prepend, "a | prepend: b", "both texts, the argument first"),
    row("reference", (1, 1), reference_to, "id | reference: 'Patient'", "a reference to the resource of that type and id, as the strategy of ids writes it"),
    row("referenced", (0, 0), narrative::referenced, "x.reference.value | referenced", "the element of a document that has that `ID`, with or without the `#` before it; null if there is none"),
    row("referring", (2, 2), resources::referring, "items | referring: 'subject', patient", "the resources whose member of that name refers to that resource; with null, to none that is there"),
    row("remove", (1, 1), text_parts::remove, "x | remove: '-'", "the text without that part"),
    row("replace", (1, 2), text_parts::replace, "x | replace: 'a+', 'b'", "the text with what the regular expression (.NET's) matches replaced"),
    row("resolve", (0, 1), resources::resolve, "x.subject | resolve: x", "the resource that a reference leads to in the input: an entry, or one that the resource given contains; of a list of references all that are there"),
    row("resources", (0, 0), resources::resources, "'Patient' | resources", "the resources of that type in the input, a bundle or one resource"),
    of_lists(row("reverse", (0, 0), list::reverse, "items | reverse", "the list, the last element first")),
    row("round", (0, 1), number::round, "n | round: 2", "the number with so many digits after the point"),
    of_elements(row("seen", (0, 0), seen, "x | seen", "nothing; all of an element or object counts as read, where what it says is said otherwise")),
    of_elements(row("size", (0, 0), size, "items | size", "how many elements, or characters of a text")),
    row("slice", (1, 2), text_parts::slice, "x | slice: 0, 3", "a part of the text: from where, how many characters"),
    of_lists(row("sort", (0, 1), list::sort, "items | sort: 'name'", "the list in order")),
    row("split", (1, 1), text_parts::split, "x | split: ','", "the parts between the separators, empty ones left out"),
    row("strip", (0, 0), text::strip, "x | strip", "the text without white space at its ends"),
    row("times", (1, 1), number::times, "n | times: 2", "the product"),
    of_lists(row("to_json_string", (0, 0), collections::to_json_string, "x | to_json_string", "the value as JSON")),
    row("truncate", (0, 2), text::truncate, "x | truncate: 20", "the text, cut at that length"),
    of_lists(row("uniq", (0, 0), list::uniq, "items | uniq", "the list with each element once")),
    row("upcase", (0, 0), text::upcase, "x | upcase", "the text in capitals"),
    row("url_decode", (0, 0), encoding::url_decode, "x | url_decode", "what a part of a URL stands for"),
    row("url_encode", (0, 0), encoding::url_encode, "x | url_encode", "the text as part of a URL"),
    of_lists(row("where", (1, 2), list::where_, "items | where: 'name', 'x'", "the elements whose member has that value")),
    of_elements(row("written", (0, 0), narrative::written, "x | written", "an element of a document as it is written there")),
];

/// The first text, without marking it as read: that is done once it was of use.
pub(super) fn peeked<'a>(renderer: &Renderer<'a>, value: Value<'a>) -> Option<&'a str> {
    let text = match value {
        Value::Hl7(element) => element.peek()?,
        Value::Null => return None,
        Value::Text(text) => text.peek(),
        Value::List([first, ..]) if first.as_element().is_some() => {
            return peeked(renderer, *first);
        }
        Value::Map(map) => xml::peek(map, renderer.arena),
        other => print::exact(other, renderer.arena).as_str(),
    };
    Some(text).filter(|it| !it.trim().is_empty())
}

pub(super) fn mark(value: Value<'_>) {
    match value {
        Value::Hl7(element) => {
            element.first_text();
        }
        Value::Text(text) => {
            text.as_str();
        }
        Value::List([first, ..]) => mark(*first),
        Value::Map(element) => xml::read_texts(element),
        _ => {}
    }
}

fn seen<'a>(_: &mut Renderer<'a>, value: Value<'a>, _: &[Value<'a>]) -> Result<Value<'a>> {
    mark(value);
    read_all(value);
    Ok(Value::Null)
}

/// The lines of a text; those without a character are left out.
fn lines<'a>(renderer: &mut Renderer<'a>, value: Value<'a>, _: &[Value<'a>]) -> Result<Value<'a>> {
    let text = print::text(value, renderer.arena).as_str();
    let lines = text.lines().filter(|it| !it.trim().is_empty());
    let lines: Vec<Value<'a>> = lines.map(Value::plain).collect();
    renderer.meter.steps(lines.len())?;
    Ok(Value::List(renderer.arena.alloc_slice_copy(&lines)))
}

fn code_map<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let map = argument(arguments, 0).as_text().unwrap_or_default();
    let property = argument(arguments, 1).as_text().unwrap_or("code");
    let Some(code) = peeked(renderer, value) else {
        return Ok(Value::Null);
    };
    let found = renderer.library.mapped(map, code.trim(), property);
    if found.is_some() {
        mark(value);
    }
    Ok(found.map_or(Value::Null, Value::plain))
}

/// The same hash as Microsoft's `generate_uuid` of `Type_a_b`, of salted ids with the salt before it.
fn id<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let text = |value| match value {
        Value::Hl7(element) => element.whole().trim(),
        other => print::text(other, renderer.arena).as_str().trim(),
    };
    if arguments.iter().all(|it| text(*it).is_empty()) {
        return Ok(Value::Null);
    }
    let pieces: Vec<&str> = arguments.iter().map(|it| text(*it)).collect();
    let length: usize = pieces.iter().map(|it| it.len()).sum();
    renderer.meter.steps(length / 64)?;
    let uuid = hashed_id(renderer.settings.ids, text(value), pieces);
    Ok(Value::plain(renderer.arena.alloc_str(&uuid)))
}

/// A UUID of a type and the keys of a resource, and of the salt where ids have one.
pub(crate) fn hashed_id<'t>(
    ids: IdStrategy<'_>,
    kind: &str,
    keys: impl IntoIterator<Item = &'t str>,
) -> String {
    let mut hash = Sha256::new();
    if let IdStrategy::Salted(salt) = ids {
        hash.update(salt.as_bytes());
        hash.update(b"\n");
    }
    hash.update(kind.as_bytes());
    for key in keys {
        hash.update(b"_");
        hash.update(key.as_bytes());
    }
    codes::guid(&hash.finalize())
}

fn reference_to<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let id = print::text(value, renderer.arena).as_str();
    if id.is_empty() {
        return Ok(Value::Null);
    }
    let mut reference = String::with_capacity(64);
    match renderer.settings.ids {
        IdStrategy::Conditional => reference.push_str("urn:uuid:"),
        IdStrategy::Hash | IdStrategy::Salted(_) => {
            let kind = print::text(argument(arguments, 0), renderer.arena).as_str();
            write!(reference, "{kind}/").expect("writing to a string cannot fail");
        }
    }
    reference.push_str(id);
    Ok(Value::plain(renderer.arena.alloc_str(&reference)))
}

fn now<'a>(renderer: &mut Renderer<'a>, _: Value<'a>, _: &[Value<'a>]) -> Result<Value<'a>> {
    let now = renderer.settings.now.to_string();
    Ok(Value::plain(renderer.arena.alloc_str(&now)))
}

fn elements<'a>(renderer: &Renderer<'a>, value: Value<'a>) -> Value<'a> {
    match value {
        Value::Hl7(_) => renderer.elements(value).map_or(Value::Null, Value::List),
        other => other,
    }
}

fn size<'a>(renderer: &mut Renderer<'a>, value: Value<'a>, _: &[Value<'a>]) -> Result<Value<'a>> {
    let value = elements(renderer, value);
    list::size(renderer, value, &[])
}

fn first<'a>(renderer: &mut Renderer<'a>, value: Value<'a>, _: &[Value<'a>]) -> Result<Value<'a>> {
    let value = elements(renderer, value);
    list::first(renderer, value, &[])
}

fn last<'a>(renderer: &mut Renderer<'a>, value: Value<'a>, _: &[Value<'a>]) -> Result<Value<'a>> {
    let value = elements(renderer, value);
    list::last(renderer, value, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(FILTERS.is_sorted_by(|one, other| one.filter.name < other.filter.name));
        for row in FILTERS {
            let name = row.filter.name;
            assert!(row.usage.contains(&format!("| {name}")), "{name}");
        }
    }
}
