//! The text of an element: what it says, in the order of the document, whatever is around its parts.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::well_formed::referenced;
use crate::value::{Arena, Map, Text, Value};

/// Elements of narratives that stand apart from what is before them (CDA R2 §4.3.5).
const APART: &[&str] = &[
    "br",
    "caption",
    "item",
    "list",
    "paragraph",
    "table",
    "td",
    "th",
    "tr",
];

/// The text of an element; null if it has none.
pub(crate) fn text<'a>(element: &'a Map<'a>, arena: &'a Arena) -> Value<'a> {
    if let Some(text) = single(element) {
        return Value::Text(text);
    }
    let text = all(element, arena);
    if text.is_empty() {
        return Value::Null;
    }
    read_texts(element);
    Value::plain(text)
}

/// The same without its counting as read.
pub(crate) fn peek<'a>(element: &'a Map<'a>, arena: &'a Arena) -> &'a str {
    single(element).map_or_else(|| all(element, arena), |it| it.peek())
}

/// Counts the texts of an element as read, and of those in it; attributes are another matter.
pub(crate) fn read_texts(element: &Map<'_>) {
    for (name, value, _) in element.peek() {
        read_text(name, value);
    }
}

fn read_text(name: &str, value: Value<'_>) {
    match value {
        Value::Text(text) if name == "_" => {
            text.as_str();
        }
        Value::List(items) => items.iter().for_each(|it| read_text(name, *it)),
        Value::Map(element) => read_texts(element),
        _ => {}
    }
}

/// The text of an element that has no other content.
fn single<'a>(element: &'a Map<'a>) -> Option<Text<'a>> {
    let mut found = None;
    for (name, value, _) in element.peek() {
        match value {
            Value::Text(text) if name == "_" => found = Some(text),
            Value::Text(_) => {}
            _ => return None,
        }
    }
    found
}

fn all<'a>(element: &Map<'_>, arena: &'a Arena) -> &'a str {
    if element
        .peek()
        .all(|it| it.0 != "_" && matches!(it.1, Value::Text(_)))
    {
        return "";
    }
    let mut text = String::new();
    pieces(element.source(), |event| match event {
        Piece::Text(piece) => text.push_str(piece),
        Piece::Start(name, _) if APART.contains(&name) => text.push(' '),
        Piece::Start(..) | Piece::End => {}
    });
    let words: Vec<&str> = text.split_whitespace().collect();
    arena.alloc_str(&words.join(" "))
}

/// A piece of an element.
pub(crate) enum Piece<'t> {
    /// The local name of an element that begins, and its tag.
    Start(&'t str, &'t quick_xml::events::BytesStart<'t>),
    End,
    Text(&'t str),
}

/// Goes through an element as it is written; it was read before, so that nothing is wrong with it.
pub(crate) fn pieces(source: &str, mut take: impl FnMut(Piece<'_>)) {
    let mut reader = Reader::from_str(source);
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = [0; 4];
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let name = start.local_name();
                take(Piece::Start(name.as_ref(), &start));
            }
            Ok(Event::End(_)) => take(Piece::End),
            Ok(Event::Text(text)) => take(Piece::Text(&text)),
            Ok(Event::CData(text)) => take(Piece::Text(&text)),
            Ok(Event::GeneralRef(reference)) => {
                if let Ok(character) = referenced(&reference) {
                    take(Piece::Text(character.encode_utf8(&mut buffer)));
                }
            }
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// A text whose line breaks are layout: each becomes a space, with the white space around it.
pub(super) fn on_one_line<'a>(text: &'a str, arena: &'a Arena) -> &'a str {
    if !text.contains(['\r', '\n']) {
        return text;
    }
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    let lines: Vec<Cow<'_, str>> = lines.map(Cow::from).collect();
    arena.alloc_str(&lines.join(" "))
}
