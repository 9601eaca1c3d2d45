//! Narratives: the subset of XHTML that `Narrative.div` may hold.
//!
//! Rules txt-1 and txt-2 (<https://hl7.org/fhir/R4/narrative.html#rules>): one well-formed `div`,
//! basic formatting, links, images and style attributes, and something to read. Scripts, event
//! handlers, forms, frames and objects are refused by not being in the lists. There is no DTD, so
//! entities are XML's five. The text is judged, never repaired; nothing is rendered.

use memchr::{memchr, memchr2};

/// The deepest nesting of elements in a narrative.
pub const NARRATIVE_DEPTH_MAX: usize = 200;
/// The most attributes that one element of a narrative may have.
pub const NARRATIVE_ATTRIBUTES_MAX: usize = 50;
/// The most different faults that are told of one narrative.
pub const NARRATIVE_FAULTS_MAX: usize = 20;

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// What is wrong with a narrative; never quotes its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NarrativeFault {
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub remedy: &'static str,
}

/// All faults of the content of `Narrative.div`; of text that is not well-formed, those up to the
/// place where it ceases to be.
pub fn check(div: &str) -> Vec<NarrativeFault> {
    let mut scanner = Scanner::new(div);
    if let Err(Malformed(fault)) = scanner.document() {
        scanner.faults.push(fault);
    } else if !scanner.has_content {
        scanner.report(fault(
            "the narrative has neither text nor an image (txt-2)",
            "write what a person should read, or leave the narrative out",
        ));
    }
    scanner.faults
}

fn fault(what: impl Into<String>, remedy: &'static str) -> NarrativeFault {
    NarrativeFault {
        what: what.into(),
        remedy,
    }
}

/// Nothing after this place can be understood.
struct Malformed(NarrativeFault);

const NOT_XML: &str = "close every tag in order, quote attribute values, write `&lt;` and `&amp;`";
const ONE_DIV: &str = "wrap the narrative in one `<div xmlns=\"http://www.w3.org/1999/xhtml\">`";

fn malformed(what: impl Into<String>) -> Malformed {
    Malformed(fault(what, NOT_XML))
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    open: Vec<&'t str>,
    attributes: Vec<&'t str>,
    root_seen: bool,
    has_content: bool,
    faults: Vec<NarrativeFault>,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::new(),
            attributes: Vec::new(),
            root_seen: false,
            has_content: false,
            faults: Vec::new(),
        }
    }

    fn report(&mut self, fault: NarrativeFault) {
        if self.faults.len() < NARRATIVE_FAULTS_MAX && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn document(&mut self) -> Result<(), Malformed> {
        if self.text.bytes().any(is_control) {
            return Err(malformed("the narrative has a control character"));
        }
        while self.at < self.text.len() {
            self.characters()?;
            match self.rest().as_bytes() {
                [] => {}
                [b'&', ..] => self.entity()?,
                [_, b'!' | b'?', ..] => self.comment()?,
                [_, b'/', ..] => self.end_tag()?,
                _ => self.start_tag()?,
            }
        }
        if !self.root_seen {
            return Err(Malformed(fault("the narrative is not a `div`", ONE_DIV)));
        }
        match self.open.last() {
            Some(name) => Err(malformed(format!("`{name}` is not closed"))),
            None => Ok(()),
        }
    }

    /// Text up to the next mark-up.
    fn characters(&mut self) -> Result<(), Malformed> {
        let rest = self.rest();
        let length = memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        self.at += length;
        if !rest[..length].bytes().all(is_space) {
            self.content()?;
        }
        Ok(())
    }

    fn content(&mut self) -> Result<(), Malformed> {
        self.has_content = true;
        if self.open.is_empty() {
            return Err(Malformed(fault("text stands outside the `div`", ONE_DIV)));
        }
        Ok(())
    }

    fn entity(&mut self) -> Result<(), Malformed> {
        let (_, length) = reference(self.rest())?;
        self.at += length;
        self.content()
    }

    fn comment(&mut self) -> Result<(), Malformed> {
        let Some(body) = self.rest().strip_prefix("<!--") else {
            return Err(Malformed(fault(
                "the narrative has a declaration, a processing instruction or a CDATA section",
                "use elements and text only",
            )));
        };
        let length = body.find("--").unwrap_or(body.len());
        if !body[length..].starts_with("-->") {
            return Err(malformed("a comment is not closed, or has `--` inside"));
        }
        self.at += "<!--".len() + length + "-->".len();
        Ok(())
    }

    fn end_tag(&mut self) -> Result<(), Malformed> {
        self.at += "</".len();
        let name = self.name()?;
        self.spaces();
        self.expect(b'>')?;
        match self.open.pop() {
            Some(open) if open == name => Ok(()),
            Some(open) => Err(malformed(format!("`{open}` is closed by `{name}`"))),
            None => Err(malformed(format!("`{name}` is closed, but was not open"))),
        }
    }

    fn start_tag(&mut self) -> Result<(), Malformed> {
        self.at += "<".len();
        let name = self.name()?;
        let is_root = self.open.is_empty();
        if is_root && (self.root_seen || name != "div") {
            return Err(Malformed(fault("the narrative is not one `div`", ONE_DIV)));
        }
        self.root_seen = true;
        if ELEMENTS.binary_search(&name).is_err() {
            self.report(fault(
                format!("`{name}` is not allowed in a narrative (txt-1)"),
                "use basic formatting, tables, lists, links and images only",
            ));
        }
        self.attributes(name)?;
        if is_root && !self.attributes.contains(&"xmlns") {
            self.report(fault("the `div` is not in the namespace of XHTML", ONE_DIV));
        }
        self.finish_start_tag(name)
    }

    fn finish_start_tag(&mut self, name: &'t str) -> Result<(), Malformed> {
        if self.rest().starts_with('/') {
            self.at += 1;
            return self.expect(b'>');
        }
        self.open.push(name);
        if self.open.len() > NARRATIVE_DEPTH_MAX {
            return Err(Malformed(fault(
                format!("elements are nested more than {NARRATIVE_DEPTH_MAX} deep"),
                "nest less deeply",
            )));
        }
        self.expect(b'>')
    }

    fn attributes(&mut self, element: &str) -> Result<(), Malformed> {
        self.attributes.clear();
        loop {
            let before = self.at;
            self.spaces();
            if self.rest().starts_with(['/', '>']) {
                return Ok(());
            }
            if self.at == before {
                return Err(malformed(format!("the tag of `{element}` is malformed")));
            }
            let name = self.name()?;
            let value = self.attribute_value(name)?;
            if self.attributes.contains(&name) {
                return Err(malformed(format!("`{element}` has `{name}` twice")));
            }
            self.attributes.push(name);
            if self.attributes.len() > NARRATIVE_ATTRIBUTES_MAX {
                return Err(malformed(format!(
                    "an element has more than {NARRATIVE_ATTRIBUTES_MAX} attributes"
                )));
            }
            self.judge(element, name, value);
        }
    }

    fn attribute_value(&mut self, name: &str) -> Result<&'t str, Malformed> {
        self.spaces();
        self.expect(b'=')?;
        self.spaces();
        let rest = self.rest();
        let quote = rest.bytes().next().filter(|it| matches!(it, b'"' | b'\''));
        let value = quote
            .and_then(|quote| memchr(quote, &rest.as_bytes()[1..]))
            .map(|length| &rest[1..=length])
            .ok_or_else(|| malformed(format!("the value of `{name}` is not quoted")))?;
        self.at += value.len() + 2;
        let mut left = value;
        while let Some(at) = memchr2(b'<', b'&', left.as_bytes()) {
            let (_, length) = reference(&left[at..])?;
            left = &left[at + length..];
        }
        Ok(value)
    }

    fn judge(&mut self, element: &str, name: &str, value: &str) {
        if name == "xmlns" {
            if value != XHTML {
                self.report(fault("the `div` is not in the namespace of XHTML", ONE_DIV));
            }
        } else if ATTRIBUTES.binary_search(&name).is_err() {
            self.report(fault(
                format!("the attribute `{name}` is not allowed in a narrative (txt-1)"),
                "leave it out; event handlers and scripts are never allowed",
            ));
        }
        if LINKS.contains(&name) && !is_safe_link(element, value) {
            self.report(fault(
                format!("`{name}` of `{element}` leads to a script or to embedded data"),
                "link to an address, or refer to a contained resource with `#`",
            ));
        }
        if name == "style" && !is_safe_style(value) {
            self.report(fault(
                "a `style` leads to a script or hides its text",
                "use plain properties, without scripts, `expression(…)` or escapes",
            ));
        }
        if element == "img" && name == "src" {
            self.has_content = true;
        }
    }

    /// A name of XML; those outside ASCII are in no list anyway.
    fn name(&mut self) -> Result<&'t str, Malformed> {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|it| it.is_ascii_alphanumeric() || b"-_:.".contains(it))
            .count();
        let name = &rest[..length];
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return Err(malformed("a tag or attribute has no name"));
        }
        self.at += length;
        Ok(name)
    }

    fn spaces(&mut self) {
        self.at += self.rest().bytes().take_while(|it| is_space(*it)).count();
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.rest().as_bytes().first() != Some(&byte) {
            return Err(malformed("a tag is malformed or not finished"));
        }
        self.at += 1;
        Ok(())
    }
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && !is_space(byte)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The character that a reference at the start of the text stands for, and the reference's length.
fn reference(text: &str) -> Result<(char, usize), Malformed> {
    let unknown = || {
        Malformed(fault(
            "a `<` or `&` stands alone, or an entity is not one of XML's five",
            "write `&lt;` and `&amp;`; write other characters as they are or as `&#160;`",
        ))
    };
    let body = text.strip_prefix('&').ok_or_else(unknown)?;
    // The longest reference to a character is `#x10FFFF`; a few leading zeros are let through.
    let window = &body.as_bytes()[..body.len().min(12)];
    let length = memchr(b';', window).ok_or_else(unknown)?;
    let character = match &body[..length] {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        numeric => numeric_reference(numeric),
    };
    Ok((character.ok_or_else(unknown)?, length + 2))
}

fn numeric_reference(text: &str) -> Option<char> {
    let digits = text.strip_prefix('#')?;
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    let number = plain.then(|| u32::from_str_radix(digits, radix).ok())??;
    char::from_u32(number).filter(|it| *it >= ' ' || matches!(it, '\t' | '\n' | '\r'))
}

/// The characters of an attribute value, references resolved.
fn decoded(value: &str) -> impl Iterator<Item = char> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let next = rest.chars().next()?;
        let (character, length) = match next {
            '&' => reference(rest).ok()?,
            _ => (next, next.len_utf8()),
        };
        rest = &rest[length..];
        Some(character)
    })
}

/// Browsers skip white space and control characters inside a scheme, and know no upper case.
fn is_safe_link(element: &str, value: &str) -> bool {
    let letters = || {
        decoded(value)
            .filter(|it| !it.is_control() && !it.is_whitespace())
            .map(|it| it.to_ascii_lowercase())
    };
    let starts_with = |prefix: &str| {
        let mut letters = letters();
        prefix
            .chars()
            .all(|expected| letters.next() == Some(expected))
    };
    let is_image = element == "img" && starts_with("data:image/");
    is_image || !SCHEMES_REFUSED.iter().any(|scheme| starts_with(scheme))
}

/// Colours and sizes may be computed and images be named; whatever else has parentheses can run
/// something.
fn is_safe_style(value: &str) -> bool {
    if !value.bytes().any(|byte| b"(\\&".contains(&byte)) {
        return true;
    }
    let style: String = decoded(value).collect();
    let is_safe_function = |(at, _): (usize, &str)| {
        let word = style[..at]
            .rsplit(|it: char| !it.is_ascii_alphabetic())
            .next();
        let word = word.unwrap_or_default().to_ascii_lowercase();
        let argument = style[at + 1..].trim_start_matches(['"', '\'', ' ']);
        STYLE_FUNCTIONS.contains(&word.as_str()) || (word == "url" && is_safe_link("img", argument))
    };
    !style.contains('\\') && style.match_indices('(').all(is_safe_function)
}

/// Attributes that hold an address.
const LINKS: [&str; 4] = ["cite", "href", "longdesc", "src"];
const SCHEMES_REFUSED: [&str; 4] = ["javascript:", "vbscript:", "livescript:", "data:"];
const STYLE_FUNCTIONS: [&str; 5] = ["rgb", "rgba", "hsl", "hsla", "calc"];

/// The elements of txt-1, sorted.
#[rustfmt::skip]
const ELEMENTS: [&str; 48] = [
    "a", "abbr", "acronym", "b", "big", "blockquote", "br", "caption", "cite", "code", "col",
    "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "img", "li", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var",
];

/// The attributes of txt-1, and `xml:lang`, which the page on languages asks for, sorted.
#[rustfmt::skip]
const ATTRIBUTES: [&str; 50] = [
    "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign", "cellpadding",
    "cellspacing", "cellvalign", "char", "charoff", "charset", "cite", "class", "colspan",
    "compact", "coords", "dir", "frame", "headers", "height", "href", "hreflang", "hspace", "id",
    "lang", "longdesc", "name", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape",
    "span", "src", "start", "style", "summary", "tabindex", "title", "type", "valign", "value",
    "vspace", "width", "xml:lang",
];

#[cfg(test)]
mod tests;
