//! Elements as strict libraries see them (HL7 v2.9 §2.5.3): `||` is not valued, `|""|` is null,
//! `|x|` is text. A path goes through the first segment, repeat, component and subcomponent; a loop
//! goes through all. A part is marked as read when its text is used, not when somebody asks whether
//! it is there.

use super::{ALL, Component, Field, Hl7, Segment, unknown};
use crate::error::Result;
use crate::value::{Arena, Value};

/// What was sent for a value that is to be deleted.
const NULL: &str = "\"\"";

/// The first subcomponent of a component of a field, without marking it; empty if there is none.
pub(crate) fn leaf<'a>(segment: &'a Segment<'a>, field: usize, component: usize) -> &'a str {
    let field = segment.fields.get(field).and_then(Option::as_ref);
    let component = field.and_then(|it| it.components.get(component)?.as_ref());
    component
        .and_then(|it| it.leaf(1).as_text())
        .unwrap_or_default()
}

impl<'a> Component<'a> {
    fn leaf(&self, at: usize) -> Value<'a> {
        match self.subcomponents {
            Value::List(items) => items.get(at).copied().unwrap_or(Value::Null),
            _ => Value::Null,
        }
    }

    fn mark(&self, at: usize) {
        let bit = 1_u32.checked_shl(u32::try_from(at).unwrap_or(31).saturating_sub(1));
        self.read.set(self.read.get() | bit.unwrap_or(ALL));
    }

    fn has_text(&self) -> bool {
        let Value::List(items) = self.subcomponents else {
            return false;
        };
        let mut texts = items.iter().filter_map(Value::as_text);
        texts.any(|it| !it.is_empty() && it != NULL)
    }
}

impl<'a> Field<'a> {
    /// The repeats with content; of a repeat itself only that.
    fn repeats(&'a self, arena: &'a Arena) -> &'a [Value<'a>] {
        match self.repeats {
            Value::List(repeats) if !repeats.is_empty() => {
                let there = repeats.iter().filter(|it| !it.is_null());
                arena.alloc_slice_fill_iter(there.copied().collect::<Vec<_>>())
            }
            _ => arena.alloc_slice_copy(&[Value::Hl7(Hl7::Field(self))]),
        }
    }

    fn has_text(&self) -> bool {
        let own = self.components.iter().flatten().any(Component::has_text);
        let Value::List(repeats) = self.repeats else {
            return own;
        };
        own || repeats.iter().any(|it| match it {
            Value::Hl7(Hl7::Field(repeat)) => {
                repeat.components.iter().flatten().any(Component::has_text)
            }
            _ => false,
        })
    }
}

impl<'a> Hl7<'a> {
    /// Whether there is something: text, or a segment or a group of that name.
    pub(crate) fn is_valued(self) -> bool {
        match self {
            Self::Field(field) => field.has_text(),
            Self::Component(component) => component.has_text(),
            Self::Subcomponent(..) => self.peek().is_some_and(|it| !it.is_empty()),
            _ => true,
        }
    }

    /// Whether it was sent as `""`.
    fn is_null(self) -> bool {
        match self {
            Self::Field(field) => field.value == NULL,
            Self::Component(component) => component.value == NULL,
            Self::Subcomponent(component, at) => component.leaf(at).as_text() == Some(NULL),
            _ => false,
        }
    }

    /// The text that stands for the element where one is wanted: its first subcomponent. Null if
    /// there is none.
    pub(crate) fn first_text(self) -> Value<'a> {
        match self {
            Self::Field(field) => {
                let first = field.components.get(1).and_then(Option::as_ref);
                first.map_or(Value::Null, |it| Self::Component(it).first_text())
            }
            Self::Component(component) => Self::Subcomponent(component, 1).first_text(),
            Self::Subcomponent(component, at) => {
                let leaf = component.leaf(at);
                if !leaf.as_text().is_none_or(is_printable) {
                    return Value::Null;
                }
                if !leaf.is_null() {
                    component.mark(at);
                }
                Self::valued(leaf)
            }
            _ => Value::Null,
        }
    }

    /// As [`Self::first_text`], without marking it as read.
    pub(crate) fn peek(self) -> Option<&'a str> {
        match self {
            Self::Field(field) => Self::Component(field.components.get(1)?.as_ref()?).peek(),
            Self::Component(component) => Self::Subcomponent(component, 1).peek(),
            Self::Subcomponent(component, at) => {
                let text = component.leaf(at).as_text();
                text.filter(|it| *it != NULL && is_printable(it))
            }
            _ => None,
        }
    }

    /// All of its text, without marking it as read; empty if it has none.
    pub(crate) fn whole(self) -> &'a str {
        let is_text = |it: &str| it != NULL && is_printable(it);
        match self {
            Self::Field(field) if is_text(field.value) => field.value,
            Self::Component(component) if is_text(component.value) => component.value,
            Self::Subcomponent(..) => self.peek().unwrap_or_default(),
            _ => "",
        }
    }

    fn valued(leaf: Value<'a>) -> Value<'a> {
        match leaf.as_text() {
            Some(text) if text == NULL || !is_printable(text) => Value::Null,
            _ => leaf,
        }
    }

    /// The n-th field, component or subcomponent of a strict message.
    pub(crate) fn strict_index(self, at: usize) -> Value<'a> {
        match self {
            Self::Segments(segments) => segments
                .first()
                .map_or(Value::Null, |it| Self::Segment(it).index(at)),
            Self::Component(component) if component.leaf(at).is_null() => Value::Null,
            Self::Component(component) => Value::Hl7(Self::Subcomponent(component, at)),
            // What is not divided is its first part.
            Self::Subcomponent(..) if at == 1 => Value::Hl7(self),
            Self::Subcomponent(..) => Value::Null,
            _ => self.index(at),
        }
    }

    /// A member of a strict message: a segment or group by name, or a property.
    pub(crate) fn strict_member(self, name: &str, arena: &'a Arena) -> Result<Value<'a>> {
        match self {
            Self::Group(group) => Ok(match name {
                "all" => Value::Hl7(Self::All(group)),
                "name" => Value::plain(group.name),
                _ if !group.segments(name).is_empty() => {
                    Value::Hl7(Self::Segments(group.segments(name)))
                }
                _ if !group.groups(name).is_empty() => Value::Hl7(Self::Groups(group.groups(name))),
                _ => Value::Null,
            }),
            Self::Groups(groups) => match groups.first() {
                Some(first) if name != "size" => Self::Group(first).strict_member(name, arena),
                _ => Ok(count(groups.len())),
            },
            Self::All(group) => {
                let named = group.all.iter().copied().filter(|it| it.name == name);
                let named: Vec<&'a Segment<'a>> = named.collect();
                Ok(if named.is_empty() {
                    Value::Null
                } else {
                    Value::Hl7(Self::Segments(arena.alloc_slice_copy(&named)))
                })
            }
            Self::Segments(segments) => match (segments.first(), name) {
                (_, "size") => Ok(count(segments.len())),
                (Some(first), _) => Self::Segment(first).strict_member(name, arena),
                (None, _) => Ok(Value::Null),
            },
            _ => self.strict_property(name, arena),
        }
    }

    fn strict_property(self, name: &str, arena: &'a Arena) -> Result<Value<'a>> {
        match (self, name) {
            (Self::Segment(segment), "name") => Ok(Value::plain(segment.name)),
            (Self::Segment(segment), "position") => Ok(count(segment.position)),
            (Self::Segment(segment), "text") => Ok(Value::plain(segment.text)),
            (Self::Segment(segment), "is_expected") => Ok(Value::Bool(segment.is_expected.get())),
            (Self::Field(field), "text") => {
                let text = Self::valued(Value::plain(field.value));
                if !text.is_null() {
                    field.mark();
                }
                Ok(text)
            }
            (Self::Component(component), "text") => {
                let text = Self::valued(Value::plain(component.value));
                if !text.is_null() {
                    component.read.set(ALL);
                }
                Ok(text)
            }
            (Self::Subcomponent(..), "text") => Ok(self.first_text()),
            (Self::Field(_) | Self::Component(_) | Self::Subcomponent(..), "length") => {
                Ok(count(self.peek().map_or(0, |it| it.chars().count())))
            }
            (Self::Field(field), "size") => Ok(count(field.repeats(arena).len())),
            (Self::Field(_) | Self::Component(_) | Self::Subcomponent(..), "is_null") => {
                Ok(Value::Bool(self.is_null()))
            }
            (Self::Segment(_), _) => Err(unknown(
                "segment",
                name,
                &["name", "position", "text", "is_expected"],
            )),
            _ => Err(unknown(
                "element",
                name,
                &["text", "size", "length", "is_null"],
            )),
        }
    }

    /// What a loop goes through.
    pub(crate) fn strict_elements(self, arena: &'a Arena) -> Option<&'a [Value<'a>]> {
        let values: Vec<Value<'a>> = match self {
            Self::Segments(segments) => {
                let segments = segments.iter().map(|it| Value::Hl7(Self::Segment(it)));
                segments.collect()
            }
            Self::Groups(groups) => {
                let groups = groups.iter().map(|it| Value::Hl7(Self::Group(it)));
                groups.collect()
            }
            Self::Field(field) => return Some(field.repeats(arena)),
            Self::Segment(_) | Self::Component(_) | Self::Subcomponent(..) | Self::Group(_) => {
                vec![Value::Hl7(self)]
            }
            Self::Message(_) | Self::All(_) => return None,
        };
        Some(arena.alloc_slice_copy(&values))
    }
}

fn count(count: usize) -> Value<'static> {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Whether FHIR has a place for a text (R4 §2.24.0.1, `string`): control characters are not of it, and
/// a value that holds one is not read, so that it is reported.
fn is_printable(text: &str) -> bool {
    let is_control = |it: u8| it < b' ' && !matches!(it, b'\t' | b'\n' | b'\r');
    !text.bytes().any(is_control)
}
