//! Narratives: kept as text, under the canonical declaration of their namespace.
//!
//! Whether a narrative's elements are allowed is [`crate::narrative`]'s question; here it only has
//! to be one well-formed element (<https://hl7.org/fhir/R4/narrative.html#xhtml>).

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_html5_entity, resolve_xml_entity};
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::names::{self, Namespace, Namespaces, declared_prefix};
use super::{XHTML_NAMESPACE, XmlFault, is_xml_text};

/// Which entities a narrative may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entities {
    /// XML's five.
    Xml,
    /// HTML's too, as narratives in JSON sometimes do; they become character references.
    Html,
}

/// The narrative in a JSON string, as it stands in XML.
pub(super) fn for_xml(text: &str) -> Result<String, XmlFault> {
    let outside = || XmlFault::new("a narrative is not exactly one `div`");
    if !is_xml_text(text) {
        return Err(XmlFault::new(
            "a narrative holds a character that XML does not allow",
        ));
    }
    let mut reader = Reader::from_str(text.trim());
    reader.config_mut().check_comments = true;
    let mut namespaces = Namespaces::default();
    let (start, is_empty) = match reader.read_event() {
        Ok(Event::Start(start)) => (start, false),
        Ok(Event::Empty(start)) => (start, true),
        _ => return Err(outside()),
    };
    namespaces.declare(&start, 0)?;
    let mut copy = Copy {
        reader: &mut reader,
        namespaces: &namespaces,
        entities: Entities::Html,
        text: String::new(),
    };
    copy.all(&start, is_empty, !namespaces.has_own_default(0))?;
    let copied = copy.text;
    match reader.read_event() {
        Ok(Event::Eof) => Ok(copied),
        _ => Err(outside()),
    }
}

/// The narrative that begins with a start tag just read, as it stands in JSON.
pub(super) fn for_json(
    reader: &mut Reader<&[u8]>,
    start: &BytesStart<'_>,
    is_empty: bool,
    namespaces: &Namespaces,
) -> Result<String, XmlFault> {
    let mut copy = Copy {
        reader,
        namespaces,
        entities: Entities::Xml,
        text: String::new(),
    };
    copy.all(start, is_empty, false)?;
    Ok(copy.text)
}

struct Copy<'r, 't> {
    reader: &'r mut Reader<&'t [u8]>,
    namespaces: &'r Namespaces,
    entities: Entities,
    text: String,
}

impl Copy<'_, '_> {
    /// Copies the element up to its end tag; `undeclared` allows a `div` without a namespace.
    fn all(
        &mut self,
        start: &BytesStart<'_>,
        is_empty: bool,
        undeclared: bool,
    ) -> Result<(), XmlFault> {
        let (prefix, local) = names::split(start.name().into_inner());
        let is_xhtml = self.namespaces.of(prefix) == Namespace::Xhtml;
        if local != "div" || !(is_xhtml || undeclared && prefix.is_empty()) {
            let remedy = "begin it with `<div xmlns=\"http://www.w3.org/1999/xhtml\">`";
            return Err(XmlFault::new("a narrative is not a `div` of XHTML").mend(remedy));
        }
        self.outer_tag(start, is_empty)?;
        let mut level = usize::from(!is_empty);
        while level > 0 {
            match self.reader.read_event() {
                Ok(Event::Start(start)) => {
                    level += 1;
                    self.tag(&start, ">")?;
                }
                Ok(Event::Empty(start)) => self.tag(&start, "/>")?,
                Ok(Event::End(end)) => {
                    level -= 1;
                    let (_, local) = names::split(end.name().into_inner());
                    self.put(&["</", local, ">"]);
                }
                Ok(event) => self.content(&event)?,
                Err(_) => return Err(malformed()),
            }
        }
        Ok(())
    }

    fn outer_tag(&mut self, start: &BytesStart<'_>, is_empty: bool) -> Result<(), XmlFault> {
        self.put(&["<div xmlns=\"", XHTML_NAMESPACE, "\""]);
        for attribute in names::attributes(start) {
            let attribute = attribute?;
            let name = attribute.key.into_inner();
            if declared_prefix(name).is_none() {
                let escaped = escape(names::value(&attribute)?);
                self.put(&[" ", name, "=\"", &escaped, "\""]);
            }
        }
        self.put(&[if is_empty { "/>" } else { ">" }]);
        Ok(())
    }

    fn tag(&mut self, start: &BytesStart<'_>, close: &str) -> Result<(), XmlFault> {
        let (prefix, local) = names::split(start.name().into_inner());
        if !prefix.is_empty() && self.namespaces.of(prefix) != Namespace::Xhtml {
            return Err(XmlFault::new(
                "a narrative holds an element that is not XHTML",
            ));
        }
        self.put(&["<", local]);
        self.attributes(start.attributes_raw())?;
        self.put(&[close]);
        Ok(())
    }

    /// Attributes stand as written, but for entities that XML does not know.
    fn attributes(&mut self, raw: &str) -> Result<(), XmlFault> {
        let mut rest = raw;
        while let Some(at) = rest.find('&') {
            self.put(&[&rest[..at]]);
            let end = rest[at..].find(';').ok_or_else(malformed)?;
            self.entity(&BytesRef::new(&rest[at + 1..at + end]))?;
            rest = &rest[at + end + 1..];
        }
        self.put(&[rest]);
        Ok(())
    }

    fn content(&mut self, event: &Event<'_>) -> Result<(), XmlFault> {
        match event {
            Event::Text(text) => self.put(&[text]),
            Event::Comment(text) => self.put(&["<!--", text, "-->"]),
            Event::CData(text) => self.put(&[&escape(&**text)]),
            Event::GeneralRef(entity) => self.entity(entity)?,
            Event::PI(_) => {}
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn entity(&mut self, entity: &BytesRef<'_>) -> Result<(), XmlFault> {
        let name: &str = entity;
        let is_known = match entity.resolve_char_ref() {
            Ok(Some(character)) => is_xml_text(character.encode_utf8(&mut [0; 4])),
            Ok(None) => resolve_xml_entity(name).is_some(),
            Err(_) => false,
        };
        if is_known {
            self.put(&["&", name, ";"]);
            return Ok(());
        }
        let html = resolve_html5_entity(name).filter(|_| self.entities == Entities::Html);
        let characters = html.ok_or_else(|| {
            XmlFault::new("a narrative uses an entity that XML does not know")
                .mend("write a character reference, `&#160;` for `&nbsp;`")
        })?;
        for character in characters.chars() {
            write!(self.text, "&#{};", u32::from(character))
                .expect("writing to a String does not fail");
        }
        Ok(())
    }

    fn put(&mut self, parts: &[&str]) {
        for part in parts {
            self.text.push_str(part);
        }
    }
}

fn malformed() -> XmlFault {
    XmlFault::new("a narrative is not well-formed XHTML")
}
