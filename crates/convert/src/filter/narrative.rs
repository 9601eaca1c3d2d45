//! Narratives of CDA (CDA R2 §4.3.5, `StrucDoc.Text`) as XHTML of FHIR, and what entries refer to in
//! them. Layout goes, no text does.

use quick_xml::events::BytesStart;

use crate::data::xml::{Piece, pieces};
use crate::error::Result;
use crate::render::Renderer;
use crate::unread::read_all;
use crate::value::{Map, Value, print};

/// What becomes of an element of a narrative. What is not here becomes a `span`.
#[rustfmt::skip]
const ELEMENTS: &[(&str, &str)] = &[
    ("br", "br"), ("caption", "b"), ("col", ""), ("colgroup", ""), ("content", "span"),
    ("footnote", "span"), ("item", "li"), ("linkHtml", "a"), ("list", "ul"),
    ("paragraph", "p"), ("renderMultiMedia", "span"), ("sub", "sub"), ("sup", "sup"),
    ("table", "table"), ("tbody", "tbody"), ("td", "td"), ("text", "div"), ("tfoot", "tfoot"),
    ("th", "th"), ("thead", "thead"), ("tr", "tr"),
];

/// Attributes that a narrative may keep: numbers.
const ATTRIBUTES: &[&str] = &["colspan", "rowspan"];

/// Where links may lead.
const SCHEMES: &[&str] = &["http://", "https://", "mailto:"];

/// The narrative as XHTML; null if there is no text in it.
pub(super) fn narrative<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let Some(element) = first_of(renderer, value)? else {
        return Ok(Value::Null);
    };
    let mut writer = Writer::default();
    pieces(element.source(), |piece| writer.take(&piece));
    read_all(Value::Map(element));
    if !writer.has_text {
        return Ok(Value::Null);
    }
    renderer.meter.text(writer.written.len())?;
    Ok(Value::plain(renderer.arena.alloc_str(&writer.written)))
}

/// The element as it is written.
pub(super) fn written<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let Some(element) = first_of(renderer, value)? else {
        return Ok(Value::Null);
    };
    read_all(Value::Map(element));
    Ok(Value::plain(element.source()))
}

/// The element, or the first of several; going through it costs as much as it has text.
fn first_of<'a>(renderer: &Renderer<'a>, value: Value<'a>) -> Result<Option<&'a Map<'a>>> {
    let first = renderer.elements(value).and_then(<[_]>::first);
    let element = first.and_then(Value::as_element);
    if let Some(element) = element {
        renderer.meter.text(element.source().len())?;
    }
    Ok(element)
}

/// The element that has that `ID`.
pub(super) fn referenced<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let id = print::text(value, renderer.arena).as_str().trim();
    let found = renderer.element_with(id.strip_prefix('#').unwrap_or(id));
    Ok(found.map_or(Value::Null, Value::Map))
}

#[derive(Default)]
struct Writer {
    /// The names of the open elements, and what each became.
    open: Vec<(String, &'static str)>,
    written: String,
    has_text: bool,
}

impl Writer {
    fn take(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Start(name, tag) => self.start(name, tag),
            Piece::End => self.end(),
            Piece::Text(text) => self.text(text),
        }
    }

    fn start(&mut self, name: &str, tag: &BytesStart<'_>) {
        let shown = match self.shown(name) {
            "ul" if attribute(tag, "listType").as_deref() == Some("ordered") => "ol",
            shown => shown,
        };
        if !shown.is_empty() {
            self.written.extend(["<", shown]);
            if self.open.is_empty() {
                self.written
                    .push_str(" xmlns=\"http://www.w3.org/1999/xhtml\"");
            }
            self.attributes(tag);
            let link = attribute(tag, "href").filter(|_| shown == "a");
            let is_known = |it: &String| SCHEMES.iter().any(|scheme| it.starts_with(scheme));
            if let Some(link) = link.filter(is_known) {
                self.written.push_str(" href=\"");
                self.escaped(&link);
                self.written.push('"');
            }
            self.written.push('>');
        }
        self.open.push((name.to_owned(), shown));
    }

    /// What an element becomes where it stands: a caption of a table may not be among its rows, and
    /// rows need their table.
    fn shown(&self, name: &str) -> &'static str {
        let Some((parent, _)) = self.open.last() else {
            return "div";
        };
        let row = ELEMENTS.iter().find(|it| it.0 == name);
        match (name, parent.as_str()) {
            ("caption", "table") => "caption",
            ("caption", "list") => "li",
            _ => row.map_or("span", |it| it.1),
        }
    }

    fn attributes(&mut self, tag: &BytesStart<'_>) {
        for attribute in tag.attributes().flatten() {
            let name: &str = attribute.key.as_ref();
            let is_number = attribute.value.bytes().all(|it| it.is_ascii_digit());
            if ATTRIBUTES.contains(&name) && is_number && !attribute.value.is_empty() {
                let value: &str = &attribute.value;
                self.written.extend([" ", name, "=\"", value, "\""]);
            }
        }
    }

    fn end(&mut self) {
        if let Some((_, shown)) = self.open.pop()
            && !shown.is_empty()
        {
            self.written.extend(["</", shown, ">"]);
        }
    }

    fn text(&mut self, text: &str) {
        self.has_text |= !text.trim().is_empty();
        self.escaped(text);
    }

    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.written.push_str("&amp;"),
                '<' => self.written.push_str("&lt;"),
                '>' => self.written.push_str("&gt;"),
                '"' => self.written.push_str("&quot;"),
                other => self.written.push(other),
            }
        }
    }
}

/// The value of an attribute.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok()??;
    let value = quick_xml::escape::unescape(&found.value).ok()?;
    Some(value.trim().to_owned())
}
