//! XML as data (C-CDA): objects with attributes by name and text as `_`, repeated siblings as
//! lists in order of first appearance. Compatible libraries see `prefix:name` as `prefix_name`, no line
//! breaks and empty elements as null; strict ones see names by their namespace, texts as they stand, and
//! elements that know how they are written.
//!
//! No document type and no entities but XML's own five: nothing is expanded.

mod namespaces;
mod text;
mod well_formed;

use std::collections::HashMap;
use std::ops::Range;

use quick_xml::errors::IllFormedError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader};

use crate::budget::Budgets;
use crate::error::{ConvertError, ErrorKind, Result, line_and_column};
use crate::template::Mode;
use crate::value::{Arena, MapBuilder, Value};
use namespaces::Namespaces;
pub(crate) use text::{Piece, peek, pieces, read_texts, text};
pub(crate) use well_formed::referenced;
use well_formed::{Checked, fault, place_in};

/// Reads a document; the outermost object has the root element and, in compatible mode,
/// `_originalData` and, if it is there, `?xml`.
pub(crate) fn read<'a>(
    text: &'a str,
    mode: Mode,
    budgets: &Budgets,
    arena: &'a Arena,
) -> Result<Value<'a>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_comments = true;
    let mut tree = Tree {
        text,
        mode,
        arena,
        namespaces: Namespaces::default(),
        depth_max: budgets.depth_max,
        open: vec![Element::default()],
        values: 0,
        roots: 0,
    };
    let placed = |it: well_formed::Fault| at_place(text, it.at, &it.what);
    well_formed::characters(text).map_err(placed)?;
    loop {
        let start = offset(reader.buffer_position());
        let event = reader
            .read_event()
            .map_err(|error| at_place(text, offset(reader.error_position()), &said(&error)))?;
        if matches!(event, Event::Eof) {
            break;
        }
        let place = start..offset(reader.buffer_position());
        tree.take(event, place).map_err(placed)?;
        tree.check_memory(budgets)?;
    }
    tree.finish().map_err(placed)
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// What the tokenizer says, without the heading that it gives it, and without what stands in a tag
/// beside its name: that may be anybody's data.
fn said(error: &Error) -> String {
    let shown = |tag: &str| match well_formed::name(tag, "", 0) {
        Ok(()) => format!("`</{}>`", shown(tag)),
        Err(_) => "an end tag that is no name".to_owned(),
    };
    match error {
        Error::Syntax(error) => error.to_string(),
        Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
            format!("{} is wanted, not {}", shown(expected), shown(found))
        }
        Error::IllFormed(IllFormedError::UnmatchedEndTag(found)) => {
            format!("{} closes nothing that is open", shown(found))
        }
        Error::IllFormed(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn at_place(text: &str, at: usize, what: &str) -> ConvertError {
    let (line, column) = line_and_column(text, at);
    ConvertError::new(
        ErrorKind::Input,
        format!("not well-formed XML: {what} at line {line}, column {column}"),
    )
}

struct Tree<'a> {
    text: &'a str,
    mode: Mode,
    arena: &'a Arena,
    namespaces: Namespaces<'a>,
    depth_max: usize,
    open: Vec<Element<'a>>,
    /// The values of all elements that are open.
    values: usize,
    roots: usize,
}

/// From so many names on, an index of them pays.
const INDEXED_FROM: usize = 24;

/// What a value of an open element takes in its lists, and in the object that they become, at most.
const VALUE_BYTES: usize = 256;

/// An element that is being read.
#[derive(Default)]
struct Element<'a> {
    name: &'a str,
    /// Where its start tag begins.
    at: usize,
    /// Members in order of first appearance, each with all values of that name.
    members: Vec<(&'a str, Vec<Value<'a>>)>,
    places: HashMap<&'a str, usize>,
    /// How many values that are.
    values: usize,
    text: String,
    /// Comments among the children; Newtonsoft shows several as an empty list.
    comments: usize,
    /// The prefixes that it declares.
    declares: Vec<&'a str>,
}

impl<'a> Element<'a> {
    fn add(&mut self, name: &'a str, value: Value<'a>) {
        self.values += 1;
        if let Some(place) = self.place(name) {
            self.members[place].1.push(value);
            return;
        }
        self.members.push((name, vec![value]));
        let count = self.members.len();
        if count == INDEXED_FROM {
            let names = self.members.iter().enumerate();
            self.places = names.map(|(at, (name, _))| (*name, at)).collect();
        } else if count > INDEXED_FROM {
            self.places.insert(name, count - 1);
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        if self.members.len() >= INDEXED_FROM {
            return self.places.get(name).copied();
        }
        self.members.iter().position(|it| it.0 == name)
    }

    /// Text that is more than white space becomes a member of its own.
    fn end_text(&mut self, mode: Mode, arena: &'a Arena) {
        if !self.text.trim().is_empty() {
            let text: &'a str = arena.alloc_str(&self.text);
            let text = match mode {
                Mode::Compatible => without_line_breaks(text, arena),
                Mode::Strict => text::on_one_line(text, arena),
            };
            self.add("_", Value::given(text, arena));
        }
        self.text.clear();
    }

    /// The value; `source` is how it is written, for those who may ask.
    fn finish(&mut self, source: &'a str, arena: &'a Arena) -> Value<'a> {
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
        if map.members().is_empty() && source.is_empty() {
            return Value::Null;
        }
        Value::Map(map.finish_given(source, arena))
    }
}

impl<'a> Tree<'a> {
    /// Takes what stands at that place.
    fn take(&mut self, event: Event<'_>, place: Range<usize>) -> Checked {
        let at = place.start;
        match event {
            Event::Start(start) => self.start(&start, at),
            Event::End(_) => self.end(place),
            Event::Text(_) | Event::GeneralRef(_) | Event::CData(_) => self.content(event, at),
            Event::Decl(_) => {
                let mut members = MapBuilder::default();
                for (name, value) in well_formed::declaration(self.text, at, place.end)? {
                    members.set(name, Value::plain(value));
                }
                let members = Value::Map(members.finish(self.arena));
                self.aside("?xml", members);
                Ok(())
            }
            Event::PI(instruction) => {
                let (target, arena) = (instruction.target(), self.arena);
                well_formed::name(target, "a processing instruction", at + 2)?;
                if target.eq_ignore_ascii_case("xml") {
                    return fault(at, "the name `xml` is the declaration's, in lower case");
                }
                let name = arena.alloc_str(&format!("?{target}"));
                let content = arena.alloc_str(instruction.content().trim());
                self.aside(name, Value::plain(content));
                Ok(())
            }
            Event::Comment(_) => {
                self.innermost().comments += usize::from(self.mode == Mode::Compatible);
                Ok(())
            }
            Event::DocType(_) => {
                let what = "a document type is not accepted; send the document without it";
                fault(at, what)
            }
            Event::Empty(_) | Event::Eof => Ok(()),
        }
    }

    fn innermost(&mut self) -> &mut Element<'a> {
        let innermost = self.open.last_mut();
        innermost.expect("the document stays open: the tokenizer refuses an end tag too many")
    }

    /// What is no content; strict libraries do not see it.
    fn aside(&mut self, name: &'a str, value: Value<'a>) {
        if self.mode == Mode::Compatible {
            self.innermost().add(name, value);
        }
    }

    fn content(&mut self, event: Event<'_>, at: usize) -> Checked {
        let (is_outside, mode, arena) = (self.open.len() == 1, self.mode, self.arena);
        let outside = |at: usize| fault(at, "text outside of the root element");
        let element = self.innermost();
        match event {
            Event::Text(text) => {
                let begins = text.find(|c: char| !c.is_whitespace());
                if let Some(begins) = begins.filter(|_| is_outside) {
                    return outside(at + begins);
                }
                if let Some(end) = text.find("]]>") {
                    return fault(at + end, "text holds `]]>`; write `]]&gt;`");
                }
                element.text.push_str(&text);
            }
            _ if is_outside => return outside(at),
            Event::GeneralRef(reference) => match referenced(&reference) {
                Ok(character) => element.text.push(character),
                Err(what) => return fault(at, what),
            },
            Event::CData(data) if mode == Mode::Strict => element.text.push_str(&data),
            Event::CData(data) => {
                element.end_text(mode, arena);
                element.add(
                    "#cdata-section",
                    Value::given(arena.alloc_str(&data), arena),
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, start: &BytesStart<'_>, at: usize) -> Checked {
        let (depth, mode, arena) = (self.open.len(), self.mode, self.arena);
        self.innermost().end_text(mode, arena);
        if depth > self.depth_max {
            let what = format!("more than {} levels (`depth_max`)", self.depth_max);
            return fault(at, what);
        }
        if depth == 1 && self.roots > 0 {
            return fault(at, "a second root element");
        }
        self.roots += usize::from(depth == 1);
        let element = self.element(start, at)?;
        self.values += element.values;
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self, place: Range<usize>) -> Checked {
        let (mode, arena) = (self.mode, self.arena);
        let Some(mut element) = self.open.pop().filter(|_| !self.open.is_empty()) else {
            return fault(place.start, "an end tag without a start");
        };
        element.end_text(mode, arena);
        let source = match mode {
            Mode::Compatible => "",
            Mode::Strict => &self.text[element.at..place.end],
        };
        let value = element.finish(source, arena);
        self.namespaces.leave(&element.declares);
        self.innermost().add(element.name, value);
        self.values = self.values.saturating_sub(element.values) + 1;
        Ok(())
    }

    fn element(&mut self, start: &BytesStart<'_>, at: usize) -> Checked<Element<'a>> {
        let (text, arena) = (self.text, self.arena);
        let name = start.name();
        well_formed::name(name.as_ref(), "an element", at + 1)?;
        let mut element = Element {
            at,
            ..Element::default()
        };
        let attributes = well_formed::attributes(text, start.attributes(), at)?;
        let mut values = Vec::with_capacity(attributes.len());
        for attribute in &attributes {
            let key: &str = attribute.key.as_ref();
            let value = self.attribute_value(&attribute.value)?;
            if let Some(prefix) = namespaces::declared(key) {
                let prefix: &'a str = arena.alloc_str(prefix);
                self.namespaces.enter(prefix, value);
                element.declares.push(prefix);
            }
            values.push((key, value));
        }
        element.name = self.named(name.as_ref(), true, at + 1)?;
        for (key, value) in values {
            let is_declaration = namespaces::declared(key).is_some();
            match (is_declaration, self.mode) {
                (true, Mode::Strict) => {}
                (true, Mode::Compatible) => {
                    element.add(arena.alloc_str(key), Value::plain(value));
                }
                (false, _) => {
                    let at = place_in(text, key);
                    element.add(self.named(key, false, at)?, Value::given(value, arena));
                }
            }
        }
        Ok(element)
    }

    /// The name that templates see; it begins at that place.
    fn named(&self, name: &str, is_element: bool, at: usize) -> Checked<&'a str> {
        let (before, local) = self.namespaces.name(name, is_element, self.mode, at)?;
        if before.is_empty() {
            let from = at + name.len() - local.len();
            return Ok(&self.text[from..at + name.len()]);
        }
        Ok(self.arena.alloc_str(&format!("{before}{local}")))
    }

    /// White space in attributes becomes spaces (XML §3.3.3), references what they stand for.
    fn attribute_value(&self, raw: &str) -> Checked<&'a str> {
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
            let at = place_in(self.text, rest);
            let Some((name, after)) = reference.split_once(';') else {
                return fault(at, "a reference is not closed with `;`");
            };
            match referenced(name) {
                Ok(character) => value.push(character),
                Err(what) => return fault(at, what),
            }
            rest = after;
        }
        value.push_str(rest);
        Ok(self.arena.alloc_str(&value))
    }

    /// What is read lives in the arena and in the lists of elements that are open.
    fn check_memory(&self, budgets: &Budgets) -> Result<()> {
        let listed = self.values.saturating_mul(VALUE_BYTES);
        if self.arena.allocated_bytes().saturating_add(listed) > budgets.memory_bytes_max {
            let max = budgets.memory_bytes_max;
            return Err(ConvertError::limit("memory_bytes_max", max));
        }
        Ok(())
    }

    fn finish(mut self) -> Checked<Value<'a>> {
        if let Some(open) = self.open[1..].last() {
            return fault(
                open.at,
                format!("the element `{}` is not closed", shown(open.name)),
            );
        }
        if self.roots == 0 {
            return fault(self.text.len(), "there is no root element");
        }
        let root = &mut self.open[0];
        if self.mode == Mode::Compatible {
            let original = without_line_breaks(self.text, self.arena);
            root.add("_originalData", Value::plain(original));
        }
        Ok(root.finish("", self.arena))
    }
}

/// A name may be as long as its sender likes.
fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

fn without_line_breaks<'a>(text: &'a str, arena: &'a Arena) -> &'a str {
    if text.contains(['\r', '\n']) {
        arena.alloc_str(&text.replace(['\r', '\n'], ""))
    } else {
        text
    }
}
