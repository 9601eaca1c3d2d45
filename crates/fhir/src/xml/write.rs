//! From a document to XML, in the order of the definitions.

use super::{FHIR_NAMESPACE, XmlFault, div, is_xml_text};
use crate::definitions::Definitions;
use crate::element::{Element, Found};
use crate::json::{Document, Value};

/// How much white space is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// None between elements.
    Compact,
    /// A line for each element, indented by two blanks; for people.
    Indented,
}

/// The resource in XML. What has no definition, or no form in XML, is a fault: it cannot be told.
pub fn write(
    document: &Document,
    definitions: &'static Definitions,
    layout: Layout,
) -> Result<String, XmlFault> {
    let root = Element::resource(definitions, document.root()).map_err(|why| {
        let (what, remedy) = why.describe();
        XmlFault::new(what).mend(remedy)
    })?;
    let mut writing = Writing {
        layout,
        text: String::with_capacity(document.text().len() * 3 / 2),
        path: String::new(),
    };
    root.write_step(&mut writing.path);
    writing.put(&["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]);
    writing.line(0);
    writing.element(&root, root.definition.name, 0)?;
    Ok(writing.text)
}

struct Writing {
    layout: Layout,
    text: String,
    /// Where we are, for faults.
    path: String,
}

impl Writing {
    /// Recursion is bounded by the depth that parsing allowed.
    fn element(&mut self, element: &Element<'_>, name: &str, depth: usize) -> Result<(), XmlFault> {
        let children = self.children(element)?;
        let is_attribute =
            |child: &Element<'_>| child.element.is_some_and(|element| element.is_attribute);
        self.put(&["<", name]);
        if depth == 0 {
            self.put(&[" xmlns=\"", FHIR_NAMESPACE, "\""]);
        }
        for child in children.iter().filter(|it| is_attribute(it)) {
            self.attribute(&child.name, child.value)?;
        }
        if element.is_primitive() {
            self.attribute("value", element.value)?;
        }
        let mut is_empty = true;
        for child in children.iter().filter(|it| !is_attribute(it)) {
            self.put(&[if is_empty { ">" } else { "" }]);
            is_empty = false;
            self.at(child, |writing| writing.child(child, depth + 1))?;
        }
        if is_empty {
            self.put(&["/>"]);
        } else {
            self.line(depth);
            self.put(&["</", name, ">"]);
        }
        Ok(())
    }

    /// The children in the order of the definition; repetitions in their own.
    fn children<'d>(&self, element: &Element<'d>) -> Result<Vec<Element<'d>>, XmlFault> {
        let mut children = Vec::new();
        for found in element.children() {
            match found {
                Found::Element(child) => children.push(child),
                Found::Stray(stray) => {
                    let (what, remedy) = stray.why.describe();
                    let mut path = self.path.clone();
                    stray.write_step(&mut path);
                    return Err(XmlFault {
                        expression: Some(path),
                        ..XmlFault::new(what).mend(remedy)
                    });
                }
            }
        }
        // The definitions of a shape's elements lie one after the other, so that their addresses
        // are in their order.
        children.sort_by_key(|it| it.element.map(|element| std::ptr::from_ref(element).addr()));
        Ok(children)
    }

    fn child(&mut self, child: &Element<'_>, depth: usize) -> Result<(), XmlFault> {
        self.line(depth);
        if child.definition.name == "xhtml" {
            let narrative = child.value.and_then(Value::as_str).unwrap_or_default();
            let narrative = div::for_xml(&narrative).map_err(|fault| self.located(fault))?;
            self.put(&[&narrative]);
            return Ok(());
        }
        if !child.is_resource() {
            return self.element(child, &child.name, depth);
        }
        self.put(&["<", &child.name, ">"]);
        self.line(depth + 1);
        self.resource(child, depth + 1)?;
        self.line(depth);
        self.put(&["</", &child.name, ">"]);
        Ok(())
    }

    fn resource(&mut self, resource: &Element<'_>, depth: usize) -> Result<(), XmlFault> {
        self.element(resource, resource.definition.name, depth)
    }

    fn attribute(&mut self, name: &str, value: Option<Value<'_>>) -> Result<(), XmlFault> {
        let Some(value) = value else {
            return Ok(());
        };
        self.put(&[" ", name, "=\""]);
        match value.as_str() {
            Some(text) if is_xml_text(&text) => escape(&text, &mut self.text),
            Some(_) => {
                let fault = XmlFault::new("a string holds a character that XML does not allow");
                return Err(self.located(fault));
            }
            None => self.put(&[value.raw()]),
        }
        self.put(&["\""]);
        Ok(())
    }

    /// Does something while the path leads to a child.
    fn at<T>(&mut self, child: &Element<'_>, act: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        child.write_step(&mut self.path);
        let done = act(self);
        self.path.truncate(length);
        done
    }

    fn located(&self, fault: XmlFault) -> XmlFault {
        XmlFault {
            expression: Some(self.path.clone()),
            ..fault
        }
    }

    fn line(&mut self, depth: usize) {
        if self.layout == Layout::Indented {
            self.text.push('\n');
            for _ in 0..depth {
                self.text.push_str("  ");
            }
        }
    }

    fn put(&mut self, parts: &[&str]) {
        for part in parts {
            self.text.push_str(part);
        }
    }
}

/// Appends an attribute's value; white space that a reader would normalise becomes references.
fn escape(text: &str, into: &mut String) {
    let mut at = 0;
    for (place, byte) in text.bytes().enumerate() {
        let with = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\n' => "&#10;",
            b'\r' => "&#13;",
            b'\t' => "&#9;",
            _ => continue,
        };
        into.push_str(&text[at..place]);
        into.push_str(with);
        at = place + 1;
    }
    into.push_str(&text[at..]);
}
