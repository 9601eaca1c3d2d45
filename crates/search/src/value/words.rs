//! Words: of the narrative (`_text`), and of all texts (`_content`).
//!
//! All texts are those of elements of type string, markdown and xhtml. They are told by their
//! names: whether an element of that name has such a type in any type of the version. What people
//! never read (references, dates, codes, URIs) has other types and is left out.

use std::collections::HashSet;
use std::sync::LazyLock;

use fhir::definitions::Shape;
use fhir::json::{Kind, Value};
use fhir::{Definitions, FhirVersion};

use super::{At, Values};
use crate::program::spelled;
use crate::text::{fold, words};

/// The names of elements that hold texts.
pub(crate) struct Texts(HashSet<String>);

/// Names of elements that are texts somewhere, but mostly codes, ids or URIs.
const NO_TEXTS: &[&str] = &[
    "code",
    "color",
    "context",
    "data",
    "definition",
    "id",
    "language",
    "reference",
    "representation",
    "source",
    "sourceId",
    "status",
    "type",
    "url",
    "variable",
    "versionId",
];

impl Texts {
    /// Those of a version; made once, at first use.
    pub(crate) fn of(version: FhirVersion) -> &'static Self {
        static STU3: LazyLock<Texts> = LazyLock::new(|| Texts::new(FhirVersion::Stu3));
        static R4: LazyLock<Texts> = LazyLock::new(|| Texts::new(FhirVersion::R4));
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
        }
    }

    fn new(version: FhirVersion) -> Self {
        let definitions = Definitions::of(version);
        let mut texts = Self(HashSet::new());
        let mut seen = HashSet::new();
        for it in definitions.types() {
            texts.collect(definitions, it.shape, &mut seen);
        }
        texts
    }

    fn collect(&mut self, definitions: &Definitions, shape: Shape, seen: &mut HashSet<Shape>) {
        if !seen.insert(shape) {
            return;
        }
        for element in definitions.elements(shape) {
            for of in element.types {
                self.collect(definitions, of.shape, seen);
                if matches!(of.name, "string" | "markdown") && !NO_TEXTS.contains(&element.name) {
                    self.0.insert(spelled(element, of.name));
                }
            }
        }
    }

    /// Calls `found` with every text in the value.
    fn each(&self, value: Value<'_>, found: &mut dyn FnMut(&str)) {
        for member in value.members() {
            if member.name == "div" {
                if let Some(div) = member.value.as_str() {
                    found(&without_markup(&div));
                }
            } else {
                self.member(&member.name, member.value, found);
            }
        }
    }

    fn member(&self, name: &str, value: Value<'_>, found: &mut dyn FnMut(&str)) {
        match value.kind() {
            Kind::Object => self.each(value, found),
            Kind::Array => value.items().for_each(|it| self.member(name, it, found)),
            Kind::String if self.0.contains(name) => {
                if let Some(text) = value.as_str() {
                    found(&text);
                }
            }
            _ => {}
        }
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
        let texts = Texts::of(self.version());
        texts.each(resource, &mut |text| add_words(text, &mut found));
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
