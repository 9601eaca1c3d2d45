//! From text to a message: segments, fields, repeats, components and subcomponents, each divided by
//! the separator that the header declares (HL7 v2.9 §2.5). A fault in a value is told with the place
//! that the standard gives its part.

use std::cell::Cell;

use super::group;
use super::strict::leaf;
use super::{ALL, Component, Field, HEADERS, Header, Hl7, Message, Segment, StrictMessage};
use super::{escaped, structure};
use crate::budget::Budgets;
use crate::data::separators::{self, Separators, count_of};
use crate::error::{ConvertError, ErrorKind, Result};
use crate::value::{Arena, Value};

/// Reads a message as templates would, and says how many segments it has.
pub fn segment_count(text: &str) -> Result<usize> {
    let arena = Arena::new();
    Ok(read_as(Values::Plain, text, &Budgets::default(), &arena)?
        .segments
        .len())
}

/// Reads the header of a message only.
pub(crate) fn header(text: &str) -> Result<Header> {
    let arena = Arena::new();
    let budgets = Budgets::default();
    let text = text.trim_start_matches('\u{feff}').trim();
    let first = text.split(['\r', '\n']).next().unwrap_or_default();
    let message = read_as(Values::Plain, first, &budgets, &arena)?;
    let part = |at: usize| leaf(message.segments[0], 9, at);
    let (code, event) = (part(1), part(2));
    let structure = structure::find(code, event, part(3)).map_or(part(3), |it| it.0);
    Ok(Header {
        code: code.to_owned(),
        event: event.to_owned(),
        structure: structure.to_owned(),
    })
}

/// Reads a message; segments end in CR, LF or both.
pub(crate) fn read<'a>(
    text: &'a str,
    budgets: &Budgets,
    arena: &'a Arena,
) -> Result<&'a Message<'a>> {
    read_as(Values::Escaped, text, budgets, arena)
}

/// Reads a message for a strict library: values as they are, groups as a tree.
pub(crate) fn read_strict<'a>(
    text: &'a str,
    budgets: &Budgets,
    arena: &'a Arena,
) -> Result<&'a StrictMessage<'a>> {
    let message = read_as(Values::Plain, text, budgets, arena)?;
    // Two messages in one would be one patient's.
    let mut others = message.segments.iter().skip(1);
    if let Some(second) = others.find(|it| it.name == "MSH") {
        let what = format!(
            "segment {} begins another message; a conversion takes one",
            second.position
        );
        return Err(ConvertError::new(ErrorKind::Message, what));
    }
    let (structure, root) = group::tree(message.segments, arena);
    Ok(arena.alloc(StrictMessage {
        message,
        root,
        structure,
    }))
}

fn read_as<'a>(
    values: Values,
    text: &'a str,
    budgets: &Budgets,
    arena: &'a Arena,
) -> Result<&'a Message<'a>> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // In a compatible library white space at the end belongs to the last field.
    let text = match values {
        Values::Escaped => text,
        Values::Plain => text.trim_end(),
    };
    let lines = text
        .split(['\r', '\n'])
        .filter(|line| !line.trim().is_empty());
    let lines: Vec<&str> = lines.collect();
    let Some(first) = lines.first().filter(|it| it.starts_with("MSH")) else {
        return Err(ConvertError::new(ErrorKind::Message, no_message(&lines)));
    };
    let parser = Parser {
        separators: Separators::read(first)?,
        values,
        is_verbatim: false,
        memory_bytes_max: budgets.memory_bytes_max,
        arena,
    };
    parser.check_room(lines.len(), size_of::<&Segment<'_>>())?;
    let segment = |at: usize| -> Result<&'a Segment<'a>> {
        Ok(arena.alloc(parser.segment(lines[at], at + 1)?))
    };
    let segments = arena.alloc_slice_try_fill_with(lines.len(), segment)?;
    Ok(arena.alloc(Message { text, segments }))
}

/// What to say of a text that does not begin as a message does.
fn no_message(lines: &[&str]) -> String {
    let what = "an HL7 v2 message begins with the segment MSH";
    let later = lines.iter().position(|it| it.starts_with("MSH"));
    match (lines.first(), later) {
        (Some(first), _) if first.starts_with("FHS") || first.starts_with("BHS") => {
            "a batch is no message: convert each of its messages by itself".to_owned()
        }
        (_, Some(later)) => format!("{what}, which is segment {} here", later + 1),
        (_, None) => what.to_owned(),
    }
}

/// How values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Escaped for JSON, as the templates of compatible libraries expect them.
    Escaped,
    /// As they are.
    Plain,
}

#[derive(Clone, Copy)]
struct Parser<'a> {
    separators: Separators,
    values: Values,
    /// Whether nothing is to be unescaped or escaped, as in most segments.
    is_verbatim: bool,
    memory_bytes_max: usize,
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
        let mut parts = divided
            .into_iter()
            .flat_map(|it| separators::parts(it, field));
        let fields = count + divided.map_or(0, |it| count_of(it, field) + 1);
        self.check_room(fields, size_of::<Option<Field<'_>>>())?;
        let fields = self.arena.alloc_slice_try_fill_with(fields, |number| {
            let part = match whole.next() {
                Some(whole) => return Ok(whole),
                None => parts.next().unwrap_or_default(),
            };
            let read = parser.field(part);
            read.map_err(|error| self.placed(error, part, &format!("{name}-{number}"), position))
        })?;
        // The separators that a header declares are none of its escape sequences.
        let text = match count {
            1 => self.of_segment(line).normalized(line)?,
            _ => self.escaped(line),
        };
        Ok(Segment {
            name,
            text,
            fields,
            position,
            is_expected: Cell::new(true),
        })
    }

    /// Whether there is room for so many parts more.
    fn check_room(self, count: usize, size: usize) -> Result<()> {
        let wanted = count.saturating_mul(size);
        let max = self.memory_bytes_max;
        if self.arena.allocated_bytes().saturating_add(wanted) > max {
            return Err(ConvertError::limit("memory_bytes_max", max));
        }
        Ok(())
    }

    /// The fault of a field with its place: the first part that has it by itself.
    fn placed(self, error: ConvertError, text: &str, field: &str, position: usize) -> ConvertError {
        if error.kind == ErrorKind::Limit {
            return error;
        }
        let is_at_fault = |part: &str| self.separators.unescape(part, &mut String::new()).is_err();
        let mut place = field.to_owned();
        let mut of_segment = format!("segment {position}");
        let (mut rest, separators) = (text, self.separators);
        let levels = [
            separators.repetition,
            separators.component,
            separators.subcomponent,
        ];
        for (level, separator) in levels.into_iter().enumerate() {
            let mut parts = rest.split(separator).enumerate();
            let Some((at, part)) = parts.find(|it| is_at_fault(it.1)) else {
                break;
            };
            match level {
                0 if at == 0 => {}
                0 => of_segment = format!("{of_segment}, repeat {}", at + 1),
                2 if !rest.contains(separator) => {}
                _ => place = format!("{place}.{}", at + 1),
            }
            rest = part;
        }
        let what = error.what;
        ConvertError {
            what: format!("{what} at {place} ({of_segment})"),
            ..error
        }
    }

    /// For a segment with that text.
    fn of_segment(self, text: &str) -> Self {
        let is_kept = self.values == Values::Plain || !text.contains(['\\', '"']);
        Self {
            is_verbatim: is_kept && separators::find(text, self.separators.escape).is_none(),
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
        if separators::find(text, repetition).is_none() {
            let only = self.repeat(text)?;
            return Ok(Some(Field {
                value: only.value,
                components: only.components,
                repeats: self.list([Value::Hl7(Hl7::Field(only))]),
            }));
        }
        let mut parts = separators::parts(text, repetition);
        let count = count_of(text, repetition) + 1;
        self.check_room(count, size_of::<Value<'_>>())?;
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
        let mut parts = separators::parts(text, separator);
        let count = count_of(text, separator) + 2;
        self.check_room(count, size_of::<Option<Component<'_>>>())?;
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
        let subcomponents = if separators::find(text, separator).is_some() {
            let mut parts = separators::parts(text, separator);
            let count = count_of(text, separator) + 2;
            self.check_room(count, size_of::<Value<'_>>())?;
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
        if separators::find(text, self.separators.escape).is_none() {
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
