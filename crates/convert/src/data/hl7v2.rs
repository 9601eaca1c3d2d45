//! HL7 v2 messages as data (HL7 v2.9 §2.5): segments, fields with repeats, components with
//! subcomponents, counted as the standard counts. Values are unescaped and then escaped for JSON,
//! as templates expect them. What a template reads is marked, so that the rest can be reported.

mod group;
mod strict;
pub(crate) mod structure;

use std::cell::Cell;

use super::separators::Separators;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::value::{Arena, Text, Value};
pub(crate) use group::Group;
use strict::leaf;

/// Segments that declare separators: their first field is the separator itself.
pub(super) const HEADERS: &[&str] = &["MSH", "BHS", "FHS"];

/// A message.
pub(crate) struct Message<'a> {
    pub(crate) text: &'a str,
    pub(crate) segments: &'a [&'a Segment<'a>],
}

/// A message as strict libraries see it: its groups as a tree, its values as they are.
pub(crate) struct StrictMessage<'a> {
    pub(crate) message: &'a Message<'a>,
    pub(crate) root: &'a Group<'a>,
    /// The name of its structure; empty if there is no table of it.
    pub(crate) structure: &'static str,
}

impl StrictMessage<'_> {
    /// The zone that MSH-7 names, in minutes east of UTC.
    pub(crate) fn offset(&self) -> Option<i64> {
        let time = leaf(self.message.segments[0], 7, 1);
        let zone = time.rfind(['+', '-', 'Z'])?;
        crate::filter::offset(&time[zone..])
    }
}

/// A segment; its first field is its name.
pub(crate) struct Segment<'a> {
    pub(crate) name: &'a str,
    text: &'a str,
    fields: &'a [Option<Field<'a>>],
    /// Its place in the message, from 1.
    position: usize,
    /// Whether the structure of the message has a place for it.
    is_expected: Cell<bool>,
}

/// A field with its repeats, or one of them.
pub(crate) struct Field<'a> {
    value: &'a str,
    components: &'a [Option<Component<'a>>],
    /// All repeats, of the field itself only.
    repeats: Value<'a>,
}

/// A component.
pub(crate) struct Component<'a> {
    value: &'a str,
    subcomponents: Value<'a>,
    /// Which subcomponents were read, the first as the lowest bit.
    read: Cell<u32>,
}

/// All subcomponents.
const ALL: u32 = u32::MAX;

/// An element of a message.
#[derive(Clone, Copy)]
pub(crate) enum Hl7<'a> {
    Message(&'a Message<'a>),
    Segment(&'a Segment<'a>),
    Field(&'a Field<'a>),
    Component(&'a Component<'a>),
    /// Segments of one name; strict libraries only, as what follows.
    Segments(&'a [&'a Segment<'a>]),
    Group(&'a Group<'a>),
    Groups(&'a [&'a Group<'a>]),
    /// A group with all that is in the groups in it.
    All(&'a Group<'a>),
    /// A subcomponent that is there, by its number.
    Subcomponent(&'a Component<'a>, usize),
}

impl<'a> Hl7<'a> {
    /// Whether both are the same element, not only equal ones.
    pub(crate) fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Message(one), Self::Message(other)) => std::ptr::eq(one, other),
            (Self::Segment(one), Self::Segment(other)) => std::ptr::eq(one, other),
            (Self::Field(one), Self::Field(other)) => std::ptr::eq(one, other),
            (Self::Component(one), Self::Component(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }

    /// The whole text of the element: of a message as it came, of its parts as data.
    pub(crate) fn text(self) -> Text<'a> {
        match self {
            Self::Message(message) => Text::Plain(message.text),
            Self::Segment(segment) => Text::Escaped(segment.text),
            Self::Field(field) => Text::Escaped(field.value),
            Self::Component(component) => Text::Escaped(component.value),
            _ => Text::Markup(""),
        }
    }

    /// The n-th field, component or subcomponent; null beyond the last one.
    pub(crate) fn index(self, at: usize) -> Value<'a> {
        let found = match self {
            Self::Message(message) => message.segments.get(at).copied().map(Hl7::Segment),
            Self::Segment(segment) => {
                let field = segment.fields.get(at).and_then(Option::as_ref);
                field.map(Hl7::Field)
            }
            Self::Field(field) => {
                let component = field.components.get(at).and_then(Option::as_ref);
                component.map(Hl7::Component)
            }
            Self::Component(component) => {
                component.read.set(ALL);
                return match component.subcomponents {
                    Value::List(items) => items.get(at).copied().unwrap_or(Value::Null),
                    _ => Value::Null,
                };
            }
            _ => None,
        };
        found.map_or(Value::Null, Value::Hl7)
    }

    /// A property; an unknown one is an error.
    pub(crate) fn property(self, name: &str, arena: &'a Arena) -> Result<Value<'a>> {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        match self {
            Self::Message(message) if is("value") => Ok(Value::plain(message.text)),
            Self::Message(message) if is("meta") => {
                let names = message.segments.iter().map(|it| Value::plain(it.name));
                Ok(Value::List(arena.alloc_slice_fill_iter(names)))
            }
            Self::Message(message) if is("data") => {
                let segments = message
                    .segments
                    .iter()
                    .map(|it| Value::Hl7(Hl7::Segment(it)));
                Ok(Value::List(arena.alloc_slice_fill_iter(segments)))
            }
            Self::Segment(segment) if is("value") => Ok(escaped(segment.text)),
            Self::Segment(segment) if is("fields") => {
                let fields = segment.fields.iter().map(|it| {
                    let field = it.as_ref().map(Hl7::Field);
                    field.map_or(Value::Null, Value::Hl7)
                });
                Ok(Value::List(arena.alloc_slice_fill_iter(fields)))
            }
            Self::Field(field) if is("value") => {
                field.mark();
                Ok(escaped(field.value))
            }
            Self::Field(field) if is("repeats") => Ok(field.repeats),
            Self::Field(field) if is("components") => {
                let components = field.components.iter().map(|it| {
                    let component = it.as_ref().map(Hl7::Component);
                    component.map_or(Value::Null, Value::Hl7)
                });
                Ok(Value::List(arena.alloc_slice_fill_iter(components)))
            }
            Self::Component(component) if is("value") => {
                component.read.set(ALL);
                Ok(escaped(component.value))
            }
            Self::Component(component) if is("subcomponents") => {
                component.read.set(ALL);
                Ok(component.subcomponents)
            }
            _ => Err(unknown_property(self, name)),
        }
    }
}

/// The properties of each element, for the hint in a message.
fn unknown_property(element: Hl7<'_>, name: &str) -> ConvertError {
    let (of, known): (_, &[&str]) = match element {
        Hl7::Message(_) => ("message", &["Value", "Meta", "Data"]),
        Hl7::Segment(_) => ("segment", &["Value", "Fields"]),
        Hl7::Field(_) => ("field", &["Value", "Repeats", "Components"]),
        _ => ("component", &["Value", "Subcomponents"]),
    };
    unknown(of, name, known)
}

fn unknown(of: &str, name: &str, known: &[&str]) -> ConvertError {
    let nearest = fhir::suggest::nearest(name, known.iter().copied());
    let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
    let what = format!("a {of} has no property `{name}`{hint}");
    ConvertError::new(ErrorKind::Property, what)
}

impl Field<'_> {
    /// Whoever reads a field as a whole reads all of its components.
    fn mark(&self) {
        let repeats = match self.repeats {
            Value::List(items) => items,
            _ => &[],
        };
        let of_repeats = repeats.iter().filter_map(|it| match it {
            Value::Hl7(Hl7::Field(field)) => Some(field.components),
            _ => None,
        });
        for components in std::iter::once(self.components).chain(of_repeats) {
            for component in components.iter().flatten() {
                component.read.set(ALL);
            }
        }
    }
}

fn escaped(text: &str) -> Value<'_> {
    Value::Text(Text::Escaped(text))
}

/// A part of a message that no template read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The segment's name and its place in the message, from 1.
    pub segment: (String, usize),
    /// The field's number.
    pub field: usize,
    /// Which repeat, from 1.
    pub repeat: usize,
    /// The component's number.
    pub component: usize,
    /// The subcomponent's number; 0 if nothing of the component was read.
    pub subcomponent: usize,
}

impl std::fmt::Display for Unread {
    /// As the standard names parts: `PID-3.2`, `PID-3.4.2`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}.{}", self.segment.0, self.field, self.component)?;
        match self.subcomponent {
            0 => Ok(()),
            number => write!(f, ".{number}"),
        }
    }
}

/// Everything with content that nobody read, headers' separators left out.
pub(crate) fn unread(message: &Message<'_>) -> Vec<Unread> {
    let mut found = Vec::new();
    for segment in message.segments {
        for (number, field) in segment.fields.iter().enumerate().skip(1) {
            let Some(Field {
                repeats: Value::List(repeats),
                ..
            }) = field
            else {
                continue;
            };
            for (repeat, value) in repeats.iter().enumerate() {
                let Value::Hl7(Hl7::Field(field)) = value else {
                    continue;
                };
                for (component, it) in field.components.iter().enumerate() {
                    let Some(it) = it else { continue };
                    found.extend(it.unread().into_iter().map(|subcomponent| Unread {
                        segment: (segment.name.to_owned(), segment.position),
                        field: number,
                        repeat: repeat + 1,
                        component,
                        subcomponent,
                    }));
                }
            }
        }
    }
    found
}

impl Component<'_> {
    /// The subcomponents with content that nobody read; 0 for all of them.
    fn unread(&self) -> Vec<usize> {
        let read = self.read.get();
        let Value::List(items) = self.subcomponents else {
            return Vec::new();
        };
        if read == 0 {
            return vec![0];
        }
        let parts = items.iter().enumerate().skip(1).take(31);
        let unread = parts.filter(|(at, it)| !it.is_null() && read & (1 << (at - 1)) == 0);
        unread.map(|(at, _)| at).collect()
    }
}

/// Reads a message as templates would, and says how many segments it has.
pub fn segment_count(text: &str) -> Result<usize> {
    let arena = Arena::new();
    Ok(read_as(Values::Plain, text, &arena)?.segments.len())
}

/// What MSH-9 says of a message.
pub(crate) struct Header {
    /// Code and event: `ADT_A08`.
    pub(crate) event: String,
    /// The structure, by MSH-9.3 or the table of events.
    pub(crate) structure: String,
}

/// Reads the header of a message only.
pub(crate) fn header(text: &str) -> Result<Header> {
    let arena = Arena::new();
    let text = text.trim_start_matches('\u{feff}').trim();
    let first = text.split(['\r', '\n']).next().unwrap_or_default();
    let message = read_as(Values::Plain, first, &arena)?;
    let part = |at: usize| leaf(message.segments[0], 9, at);
    let (code, event) = (part(1), part(2));
    let structure = structure::find(code, event, part(3)).map_or(part(3), |it| it.0);
    Ok(Header {
        event: format!("{code}_{event}"),
        structure: structure.to_owned(),
    })
}

/// Reads a message; segments end in CR, LF or both.
pub(crate) fn read<'a>(text: &'a str, arena: &'a Arena) -> Result<&'a Message<'a>> {
    read_as(Values::Escaped, text, arena)
}

/// Reads a message for a strict library: values as they are, groups as a tree.
pub(crate) fn read_strict<'a>(text: &'a str, arena: &'a Arena) -> Result<&'a StrictMessage<'a>> {
    let message = read_as(Values::Plain, text, arena)?;
    let (structure, root) = group::tree(message.segments, arena);
    Ok(arena.alloc(StrictMessage {
        message,
        root,
        structure,
    }))
}

fn read_as<'a>(values: Values, text: &'a str, arena: &'a Arena) -> Result<&'a Message<'a>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let lines = text
        .split(['\r', '\n'])
        .filter(|line| !line.trim().is_empty());
    let lines: Vec<&str> = lines.collect();
    let Some(first) = lines.first().filter(|it| it.starts_with("MSH")) else {
        let what = "an HL7 v2 message begins with the segment MSH";
        return Err(ConvertError::new(ErrorKind::Message, what));
    };
    let parser = Parser {
        separators: Separators::read(first)?,
        values,
        is_verbatim: false,
        arena,
    };
    let segment = |at: usize| -> Result<&'a Segment<'a>> {
        Ok(arena.alloc(parser.segment(lines[at], at + 1)?))
    };
    let segments = arena.alloc_slice_try_fill_with(lines.len(), segment)?;
    Ok(arena.alloc(Message { text, segments }))
}

/// How values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Escaped for JSON, as the templates of compatible libraries expect them.
    Escaped,
    /// As they are.
    Plain,
}

/// A message of some segments.
pub(crate) fn part<'a>(
    text: &'a str,
    segments: &[&'a Segment<'a>],
    arena: &'a Arena,
) -> &'a Message<'a> {
    arena.alloc(Message {
        text,
        segments: arena.alloc_slice_copy(segments),
    })
}

#[derive(Clone, Copy)]
struct Parser<'a> {
    separators: Separators,
    values: Values,
    /// Whether nothing is to be unescaped or escaped, as in most segments.
    is_verbatim: bool,
    arena: &'a Arena,
}

impl<'a> Parser<'a> {
    fn segment(self, line: &'a str, position: usize) -> Result<Segment<'a>> {
        let field = self.separators.field;
        let (name, rest) = match line.split_once(field) {
            Some((name, rest)) => (name, Some(rest)),
            None => (line, None),
        };
        // What stands before the fields that are divided: the name, and in headers the separators.
        let mut whole = [self.whole(name), None, None];
        let (mut count, mut divided) = (1, rest);
        if HEADERS.contains(&name) && rest.is_some() {
            let separator = &line[name.len()..name.len() + field.len_utf8()];
            let (others, after) = match rest.and_then(|it| it.split_once(field)) {
                Some((others, after)) => (others, Some(after)),
                None => (rest.unwrap_or_default(), None),
            };
            whole = [self.whole(name), self.whole(separator), self.whole(others)];
            (count, divided) = (3, after);
        }
        let parser = self.of_segment(divided.unwrap_or_default());
        let mut whole = whole.into_iter().take(count);
        let mut parts = divided.into_iter().flat_map(|it| it.split(field));
        let fields = count + divided.map_or(0, |it| count_of(it, field) + 1);
        let fields = self.arena.alloc_slice_try_fill_with(fields, |_| {
            whole.next().map_or_else(
                || parser.field(parts.next().unwrap_or_default()),
                Result::Ok,
            )
        })?;
        Ok(Segment {
            name,
            text: self.of_segment(line).normalized(line).unwrap_or(line),
            fields,
            position,
            is_expected: Cell::new(true),
        })
    }

    /// For a segment with that text.
    fn of_segment(self, text: &str) -> Self {
        let is_kept = self.values == Values::Plain || !text.contains(['\\', '"']);
        Self {
            is_verbatim: is_kept && !text.contains(self.separators.escape),
            ..self
        }
    }

    /// A field that nothing divides.
    fn whole(self, text: &'a str) -> Option<Field<'a>> {
        let value = self.escaped(text);
        let component = (!text.is_empty()).then(|| Component {
            value,
            subcomponents: self.list([Value::Null, self.value(value)]),
            read: Cell::new(ALL),
        });
        (!text.is_empty()).then(|| Field {
            value,
            components: self.arena.alloc_slice_fill_iter([None, component]),
            repeats: Value::List(&[]),
        })
    }

    fn list<const N: usize>(self, values: [Value<'a>; N]) -> Value<'a> {
        Value::List(self.arena.alloc_slice_copy(&values))
    }

    fn field(self, text: &'a str) -> Result<Option<Field<'a>>> {
        if text.is_empty() {
            return Ok(None);
        }
        let repetition = self.separators.repetition;
        if !text.contains(repetition) {
            let only = self.repeat(text)?;
            return Ok(Some(Field {
                value: only.value,
                components: only.components,
                repeats: self.list([Value::Hl7(Hl7::Field(only))]),
            }));
        }
        let mut parts = text.split(repetition);
        let count = count_of(text, repetition) + 1;
        let repeats = self.arena.alloc_slice_try_fill_with(count, |_| {
            let part = parts.next().unwrap_or_default();
            Ok(match part {
                "" => Value::Null,
                part => Value::Hl7(Hl7::Field(self.repeat(part)?)),
            })
        })?;
        let components = match repeats.first() {
            Some(Value::Hl7(Hl7::Field(first))) => first.components,
            _ => &[],
        };
        Ok(Some(Field {
            value: self.normalized(text)?,
            components,
            repeats: Value::List(repeats),
        }))
    }

    fn repeat(self, text: &'a str) -> Result<&'a Field<'a>> {
        Ok(self.arena.alloc(Field {
            value: self.normalized(text)?,
            components: self.components(text)?,
            repeats: Value::List(&[]),
        }))
    }

    /// The components, from 1.
    fn components(self, text: &'a str) -> Result<&'a [Option<Component<'a>>]> {
        let separator = self.separators.component;
        let mut parts = text.split(separator);
        let count = count_of(text, separator) + 2;
        let components = self.arena.alloc_slice_try_fill_with(count, |at| match at {
            0 => Ok(None),
            _ => self.component(parts.next().unwrap_or_default()),
        })?;
        Ok(components)
    }

    fn component(self, text: &'a str) -> Result<Option<Component<'a>>> {
        if text.is_empty() {
            return Ok(None);
        }
        let separator = self.separators.subcomponent;
        let value = self.normalized(text)?;
        let subcomponents = if text.contains(separator) {
            let mut parts = text.split(separator);
            let count = count_of(text, separator) + 2;
            let list = self.arena.alloc_slice_try_fill_with(count, |at| {
                let part = if at == 0 { None } else { parts.next() };
                let part = part.filter(|it| !it.is_empty());
                part.map_or(Ok(Value::Null), |it| Ok(self.value(self.normalized(it)?)))
            })?;
            Value::List(list)
        } else {
            self.list([Value::Null, self.value(value)])
        };
        Ok(Some(Component {
            value,
            subcomponents,
            read: Cell::new(0),
        }))
    }

    /// A value with the mark of how it is kept.
    fn value(self, text: &'a str) -> Value<'a> {
        match self.values {
            Values::Escaped => escaped(text),
            Values::Plain => Value::plain(text),
        }
    }

    /// Unescaped as HL7 v2, then escaped as JSON if it is kept so.
    fn normalized(self, text: &'a str) -> Result<&'a str> {
        if self.is_verbatim {
            return Ok(text);
        }
        if !text.contains(self.separators.escape) {
            return Ok(self.escaped(text));
        }
        let mut unescaped = String::with_capacity(text.len());
        match self.values {
            Values::Escaped => self.separators.unescape(text, &mut unescaped)?,
            Values::Plain => self.separators.unescape_leniently(text, &mut unescaped),
        }
        Ok(self.escaped(self.arena.alloc_str(&unescaped)))
    }

    fn escaped(self, text: &'a str) -> &'a str {
        if self.values == Values::Escaped && text.contains(['\\', '"']) {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            self.arena.alloc_str(&escaped)
        } else {
            text
        }
    }
}

/// How often a character occurs.
fn count_of(text: &str, character: char) -> usize {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => text.bytes().filter(|it| *it == byte).count(),
        _ => text.matches(character).count(),
    }
}
