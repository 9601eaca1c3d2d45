//! Narratives of CDA (CDA R2 §4.3.5, `StrucDoc.Text`) as XHTML of FHIR: for each section of a
//! document's body one `div`, what nested sections say behind what their section says. Layout goes,
//! no text does.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::rendering;
use crate::error::Result;
use crate::render::Renderer;
use crate::value::Value;

/// What becomes of an element of a narrative. What is not here becomes a `span`.
#[rustfmt::skip]
const ELEMENTS: &[(&str, &str)] = &[
    ("br", "br"), ("caption", "b"), ("col", ""), ("colgroup", ""), ("content", "span"),
    ("footnote", "span"), ("item", "li"), ("linkHtml", "span"), ("list", "ul"),
    ("paragraph", "p"), ("renderMultiMedia", "span"), ("sub", "sub"), ("sup", "sup"),
    ("table", "table"), ("tbody", "tbody"), ("td", "td"), ("text", "div"), ("tfoot", "tfoot"),
    ("th", "th"), ("thead", "thead"), ("tr", "tr"),
];

/// Attributes that a narrative may keep.
const ATTRIBUTES: &[&str] = &["colspan", "rowspan"];

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// The narratives of the sections of a document's body, in their order; null for a section without.
pub(super) fn section_narratives<'a>(
    renderer: &mut Renderer<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let text = input.as_text().unwrap_or_default();
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut writer = Writer::default();
    loop {
        renderer.meter.steps(1)?;
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => writer.take(&event),
            Err(_) => return Err(rendering("the document is not well-formed XML")),
        }
        renderer.meter.room(writer.current.len())?;
    }
    let divs = writer.done.iter().map(|div| match div {
        Some(div) => Value::plain(renderer.arena.alloc_str(div)),
        None => Value::Null,
    });
    let divs: Vec<Value<'a>> = divs.collect();
    Ok(Value::List(renderer.arena.alloc_slice_copy(&divs)))
}

#[derive(Default)]
struct Writer {
    /// The names of the open elements, and what each became.
    open: Vec<(String, &'static str)>,
    /// How many sections are open.
    sections: usize,
    /// Where in `open` the narrative at hand begins.
    narrative: Option<usize>,
    /// The narrative of the outermost section at hand.
    current: String,
    has_text: bool,
    done: Vec<Option<String>>,
}

impl Writer {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(start) => self.start(start),
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(text),
            Event::CData(text) => self.text(text),
            Event::GeneralRef(reference) => {
                let shown = crate::data::xml::referenced(reference).ok();
                let mut buffer = [0; 4];
                if let Some(character) = shown {
                    self.text(character.encode_utf8(&mut buffer));
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) {
        let name = start.local_name().as_ref().to_owned();
        let is_in_section = self.open.last().is_some_and(|it| it.0 == "section");
        if self.narrative.is_some() {
            let shown = self.shown(&name);
            if !shown.is_empty() {
                self.open_element(shown, start);
            }
            self.open.push((name, shown));
            return;
        }
        if name == "section" {
            self.sections += 1;
            if self.sections == 1 {
                self.current.clear();
                self.has_text = false;
            }
        } else if is_in_section && name == "text" {
            self.narrative = Some(self.open.len());
            self.current.push_str("<div>");
        } else if is_in_section && name == "title" && self.sections > 1 {
            self.narrative = Some(self.open.len());
            self.current.push_str("<p>");
            self.open.push((name, "p"));
            return;
        }
        self.open.push((name, "div"));
    }

    /// What an element becomes where it stands: a caption of a table may not be among its rows, and
    /// rows need their table.
    fn shown(&self, name: &str) -> &'static str {
        let row = ELEMENTS.iter().find(|it| it.0 == name);
        let shown = row.map_or("span", |it| it.1);
        let parent = self.open.last().map_or("", |it| it.0.as_str());
        match (name, parent) {
            ("caption", "table") => "caption",
            ("caption", "list") => "li",
            _ => shown,
        }
    }

    fn open_element(&mut self, shown: &str, start: &BytesStart<'_>) {
        self.current.extend(["<", shown]);
        for attribute in start.attributes().flatten() {
            let name: &str = attribute.key.as_ref();
            let is_number = attribute.value.bytes().all(|it| it.is_ascii_digit());
            if ATTRIBUTES.contains(&name) && is_number && !attribute.value.is_empty() {
                let value: &str = &attribute.value;
                self.current.extend([" ", name, "=\"", value, "\""]);
            }
        }
        self.current.push('>');
    }

    fn end(&mut self) {
        let Some((name, shown)) = self.open.pop() else {
            return;
        };
        match self.narrative {
            Some(depth) if depth == self.open.len() => {
                self.current.extend(["</", shown, ">"]);
                self.narrative = None;
            }
            Some(_) if !shown.is_empty() => self.current.extend(["</", shown, ">"]),
            None if name == "section" => self.end_section(),
            _ => {}
        }
    }

    fn end_section(&mut self) {
        self.sections -= 1;
        if self.sections > 0 {
            return;
        }
        let content = std::mem::take(&mut self.current);
        let div = format!("<div xmlns=\"{XHTML}\">{content}</div>");
        self.done.push(self.has_text.then_some(div));
    }

    fn text(&mut self, text: &str) {
        if self.narrative.is_none() {
            return;
        }
        self.has_text |= !text.trim().is_empty();
        for character in text.chars() {
            match character {
                '&' => self.current.push_str("&amp;"),
                '<' => self.current.push_str("&lt;"),
                '>' => self.current.push_str("&gt;"),
                other => self.current.push(other),
            }
        }
    }
}
