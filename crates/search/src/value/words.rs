//! Words: of the narrative (`_text`), and of all texts (`_content`).
//!
//! All texts are those of elements of type string, markdown and xhtml. What people never read
//! (dates, codes, URIs) has other types and is left out, and so are the few strings that are no
//! texts: references, ids of elements and samples.

use std::collections::HashSet;

use fhir::Definitions;
use fhir::definitions::{ElementDefinition, ElementType, Shape};
use fhir::json::{Kind, Value};

use super::{At, Values};
use crate::text::{fold, words};

/// Strings that are no texts.
const NO_TEXTS: &[&str] = &["Reference.reference", "SampledData.data"];

/// Calls `found` with every text below a value of that shape. Where any resource may be, its type says
/// which shape it has; `ExampleScenario.instance` has a `resourceType`, too, and is none.
fn texts(definitions: &Definitions, shape: Shape, value: Value<'_>, found: &mut dyn FnMut(&str)) {
    let any = definitions.type_named("Resource").map(|it| it.shape);
    let kind = value.get("resourceType").filter(|_| any == Some(shape));
    let kind = kind.and_then(Value::as_str);
    let shape = kind
        .and_then(|it| definitions.resource(&it))
        .map_or(shape, |it| it.shape);
    for member in value.members() {
        let name = member.name.strip_prefix('_').unwrap_or(&member.name);
        let child = definitions.child(shape, name);
        if let Some(child) = child.filter(|it| is_read(it.element)) {
            texts_of(definitions, child.chosen, member.value, found);
        }
    }
}

/// Whether people read the strings of an element.
fn is_read(element: &ElementDefinition) -> bool {
    element.name != "id" && !NO_TEXTS.contains(&element.path)
}

fn texts_of(
    definitions: &Definitions,
    of: &ElementType,
    value: Value<'_>,
    found: &mut dyn FnMut(&str),
) {
    match (value.kind(), of.name) {
        (Kind::Object, _) => texts(definitions, of.shape, value, found),
        (Kind::Array, _) => {
            for it in value.items() {
                texts_of(definitions, of, it, found);
            }
        }
        (Kind::String, "string" | "markdown") => {
            if let Some(text) = value.as_str() {
                found(&text);
            }
        }
        (Kind::String, "xhtml") => {
            if let Some(div) = value.as_str() {
                found(&without_markup(&div));
            }
        }
        _ => {}
    }
}

impl Values<'_> {
    /// The words of the narrative.
    pub(crate) fn narrative(&mut self, at: At, resource: Value<'_>) {
        let div = resource.get("text").and_then(|it| it.get("div"));
        if let Some(div) = div.and_then(Value::as_str) {
            let mut found = HashSet::new();
            add_words(&without_markup(&div), &mut found);
            self.words(at, found);
        }
    }

    /// The words of all texts.
    pub(crate) fn content(&mut self, at: At, resource: Value<'_>) {
        let mut found = HashSet::new();
        let definitions = self.surroundings.definitions;
        let Some(base) = definitions.type_named("Resource") else {
            return;
        };
        let add = &mut |text: &str| add_words(text, &mut found);
        texts(definitions, base.shape, resource, add);
        self.words(at, found);
    }

    fn words(&mut self, at: At, words: HashSet<Box<str>>) {
        for word in words {
            self.code(at, None, &word);
        }
    }
}

/// Adds each word once: a long text has few different ones.
fn add_words(text: &str, to: &mut HashSet<Box<str>>) {
    for word in words(&fold(text)) {
        if !to.contains(word) {
            to.insert(word.into());
        }
    }
}

/// The text between tags, a space for each; of XML's entities only those matter that are letters.
fn without_markup(div: &str) -> String {
    let mut text = String::with_capacity(div.len());
    for part in div.split('<') {
        let (_, plain) = part.split_once('>').unwrap_or(("", part));
        text.push(' ');
        references(plain, &mut text);
    }
    text
}

/// Appends the text with its numeric character references resolved; named ones are punctuation.
fn references(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        into.push_str(before);
        let Some((name, after)) = after.split_once(';').filter(|it| it.0.len() <= 8) else {
            rest = after;
            into.push(' ');
            continue;
        };
        into.push(character(name).unwrap_or(' '));
        rest = after;
    }
    into.push_str(rest);
}

fn character(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let number = match digits.strip_prefix('x') {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(number)
}
