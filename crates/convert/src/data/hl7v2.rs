//! HL7 v2 messages as data (HL7 v2.9 §2.5): segments, fields with repeats, components with
//! subcomponents, counted as the standard counts. Values are unescaped and then escaped for JSON,
//! as templates expect them. What a template reads is marked, so that the rest can be reported.

mod group;
mod read;
mod strict;
pub(crate) mod structure;

use std::cell::Cell;

use crate::error::{ConvertError, ErrorKind, Result};
use crate::unread::Unread;
use crate::value::{Arena, Text, Value};
pub(crate) use group::Group;
pub use read::segment_count;
pub(crate) use read::{header, read, read_strict};
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
                    found.extend(
                        it.unread()
                            .into_iter()
                            .map(|subcomponent| Unread::Component {
                                segment: (segment.name.to_owned(), segment.position),
                                field: number,
                                repeat: repeat + 1,
                                component,
                                subcomponent,
                            }),
                    );
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

/// What MSH-9 says of a message.
pub(crate) struct Header {
    /// `ADT`
    pub(crate) code: String,
    /// `A08`
    pub(crate) event: String,
    /// The structure, by MSH-9.3 or the table of events.
    pub(crate) structure: String,
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
