//! XML as data (C-CDA): objects with attributes by name and text as `_`, repeated siblings as
//! lists in order of first appearance, `prefix:name` as `prefix_name`, line breaks removed.
//!
//! No document type and no entities but XML's own five: nothing is expanded.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::budget::Budgets;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::value::{Arena, MapBuilder, Value};

/// Reads a document; the outermost object has the root element, `_originalData` and, if it is
/// there, `?xml`.
pub(crate) fn read<'a>(text: &'a str, budgets: &Budgets, arena: &'a Arena) -> Result<Value<'a>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut tree = Tree {
        arena,
        depth_max: budgets.depth_max,
        open: vec![Element::default()],
        roots: 0,
    };
    loop {
        let at = reader.buffer_position();
        let event = reader
            .read_event()
            .map_err(|error| fault(text, at, &error.to_string()))?;
        if matches!(event, Event::Eof) {
            break;
        }
        tree.take(event).map_err(|what| fault(text, at, &what))?;
    }
    tree.finish(text)
        .map_err(|what| fault(text, text.len() as u64, &what))
}

fn fault(text: &str, at: u64, what: &str) -> ConvertError {
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    let before = &text.as_bytes()[..at];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    ConvertError::new(
        ErrorKind::Input,
        format!("not well-formed XML: {what} at line {line}"),
    )
}

struct Tree<'a> {
    arena: &'a Arena,
    depth_max: usize,
    open: Vec<Element<'a>>,
    roots: usize,
}

/// An element that is being read.
#[derive(Default)]
struct Element<'a> {
    name: &'a str,
    /// Members in order of first appearance, each with all values of that name.
    members: Vec<(&'a str, Vec<Value<'a>>)>,
    places: HashMap<&'a str, usize>,
    text: String,
    /// Comments among the children; Newtonsoft shows several as an empty list.
    comments: usize,
}

impl<'a> Element<'a> {
    fn add(&mut self, name: &'a str, value: Value<'a>) {
        let next = self.members.len();
        let place = *self.places.entry(name).or_insert(next);
        if place == next {
            self.members.push((name, Vec::new()));
        }
        self.members[place].1.push(value);
    }

    /// Text that is more than white space becomes a member of its own.
    fn end_text(&mut self, arena: &'a Arena) {
        if !self.text.trim().is_empty() {
            let text: &'a str = arena.alloc_str(&self.text);
            self.add("_", Value::plain(without_line_breaks(text, arena)));
        }
        self.text.clear();
    }

    fn finish(&mut self, arena: &'a Arena) -> Value<'a> {
        let mut map = MapBuilder::default();
        for (name, values) in &self.members {
            let value = match values[..] {
                [one] => one,
                _ => Value::List(arena.alloc_slice_copy(values)),
            };
            map.set(name, value);
        }
        if self.comments > 1 {
            map.set("#comment", Value::List(&[]));
        }
        if map.members().is_empty() {
            return Value::Null;
        }
        Value::Map(map.finish(arena))
    }
}

impl<'a> Tree<'a> {
    fn take(&mut self, event: Event<'_>) -> std::result::Result<(), String> {
        let depth = self.open.len();
        let element = self.open.last_mut().ok_or("an end tag without a start")?;
        match event {
            Event::Start(start) => {
                element.end_text(self.arena);
                if depth > self.depth_max {
                    return Err(format!("more than {} levels (`depth_max`)", self.depth_max));
                }
                self.roots += usize::from(depth == 1);
                let opened = self.start(&start)?;
                self.open.push(opened);
            }
            Event::End(_) => {
                element.end_text(self.arena);
                let name = element.name;
                let value = element.finish(self.arena);
                self.open.pop();
                let parent = self.open.last_mut().ok_or("an end tag without a start")?;
                parent.add(name, value);
            }
            Event::Text(text) => {
                if depth == 1 && !text.trim().is_empty() {
                    return Err("text outside of the root element".to_owned());
                }
                element.text.push_str(&text);
            }
            Event::GeneralRef(reference) => {
                element.text.push(referenced(&reference)?);
            }
            Event::CData(data) => {
                element.end_text(self.arena);
                element.add("#cdata-section", Value::plain(self.arena.alloc_str(&data)));
            }
            Event::Decl(declaration) => self.declaration(&declaration)?,
            Event::PI(instruction) => {
                let name = self.arena.alloc_str(&format!("?{}", instruction.target()));
                let content = self.arena.alloc_str(instruction.content().trim());
                element.add(name, Value::plain(content));
            }
            Event::Comment(_) => element.comments += 1,
            Event::DocType(_) => return Err("a document type is not accepted".to_owned()),
            Event::Empty(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn start(&self, start: &BytesStart<'_>) -> std::result::Result<Element<'a>, String> {
        let name = start.name();
        let mut element = Element {
            name: self.renamed(name.as_ref()),
            ..Element::default()
        };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let key: &str = attribute.key.as_ref();
            let value = self.attribute_value(&attribute.value)?;
            let key = if key.starts_with("xmlns") {
                self.arena.alloc_str(key)
            } else {
                self.renamed(key)
            };
            element.add(key, Value::plain(value));
        }
        Ok(element)
    }

    /// White space in attributes becomes spaces (XML §3.3.3), references what they stand for.
    fn attribute_value(&self, raw: &str) -> std::result::Result<&'a str, String> {
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = rest.find(['&', '\n', '\r', '\t']) {
            value.push_str(&rest[..at]);
            rest = &rest[at..];
            let Some(reference) = rest.strip_prefix('&') else {
                let taken = if rest.starts_with("\r\n") { 2 } else { 1 };
                value.push(' ');
                rest = &rest[taken..];
                continue;
            };
            let (name, after) = reference
                .split_once(';')
                .ok_or("a reference is not closed")?;
            value.push(referenced(name)?);
            rest = after;
        }
        value.push_str(rest);
        Ok(self.arena.alloc_str(&value))
    }

    fn renamed(&self, name: &str) -> &'a str {
        self.arena.alloc_str(&name.replace(':', "_"))
    }

    fn declaration(
        &mut self,
        declaration: &quick_xml::events::BytesDecl<'_>,
    ) -> std::result::Result<(), String> {
        let mut members = MapBuilder::default();
        let text = |text: &str| Value::plain(self.arena.alloc_str(text));
        let version = declaration.version().map_err(|error| error.to_string())?;
        members.set("version", text(&version));
        if let Some(encoding) = declaration.encoding() {
            members.set(
                "encoding",
                text(&encoding.map_err(|error| error.to_string())?),
            );
        }
        if let Some(standalone) = declaration.standalone() {
            members.set(
                "standalone",
                text(&standalone.map_err(|error| error.to_string())?),
            );
        }
        let value = Value::Map(members.finish(self.arena));
        self.open[0].add("?xml", value);
        Ok(())
    }

    fn finish(mut self, text: &'a str) -> std::result::Result<Value<'a>, String> {
        if self.open.len() > 1 {
            return Err("an element is not closed".to_owned());
        }
        if self.roots != 1 {
            return Err("a document has one root element".to_owned());
        }
        let root = &mut self.open[0];
        let original = without_line_breaks(text, self.arena);
        root.add("_originalData", Value::plain(original));
        Ok(root.finish(self.arena))
    }
}

/// The character of `&name;`.
pub(crate) fn referenced(name: &str) -> std::result::Result<char, String> {
    let number = name.strip_prefix('#').map(|it| match it.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => it.parse(),
    });
    let found = match (number, name) {
        (Some(number), _) => number
            .ok()
            .and_then(char::from_u32)
            .filter(|it| is_character(*it)),
        (None, "amp") => Some('&'),
        (None, "lt") => Some('<'),
        (None, "gt") => Some('>'),
        (None, "quot") => Some('"'),
        (None, "apos") => Some('\''),
        _ => None,
    };
    found.ok_or_else(|| "a reference to something that is not one of XML's own entities".to_owned())
}

/// What XML takes as a character (XML 1.0 §2.2).
fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || !(c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn without_line_breaks<'a>(text: &'a str, arena: &'a Arena) -> &'a str {
    if text.contains(['\r', '\n']) {
        arena.alloc_str(&text.replace(['\r', '\n'], ""))
    } else {
        text
    }
}
