//! From XML to JSON text.

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::div;
use super::names::{self, Namespace, Namespaces, declared_prefix};
use super::tree::Tree;
use super::{XML_FAULTS_MAX, XmlFault, is_forbidden};
use crate::definitions::{Child, Definitions, Shape, TypeKind};
use crate::json::Limits;

/// The JSON text of the resource that is given in XML.
///
/// All faults are reported, up to [`XML_FAULTS_MAX`]; where the XML itself is broken, that is the
/// last one. The limits are those of JSON.
pub fn read(
    text: &[u8],
    definitions: &'static Definitions,
    limits: &Limits,
) -> Result<String, Vec<XmlFault>> {
    let text = checked(text, limits).map_err(|fault| vec![fault])?;
    let mut reading = Reading {
        text: &text,
        reader: Reader::from_str(&text),
        definitions,
        limits,
        namespaces: Namespaces::default(),
        tree: None,
        open: Vec::new(),
        skipped: 0,
        at: 0,
        faults: Vec::new(),
    };
    reading.reader.config_mut().check_comments = true;
    if let Err(fault) = reading.document() {
        let fault = reading.located(fault);
        reading.faults.push(fault);
    }
    match reading.tree {
        Some(tree) if reading.faults.is_empty() => Ok(tree.json()),
        _ => Err(reading.faults),
    }
}

/// The text as characters, with line ends as XML has them (§2.11).
fn checked<'t>(text: &'t [u8], limits: &Limits) -> Result<std::borrow::Cow<'t, str>, XmlFault> {
    let bytes_max = limits.bytes_max.min(u32::MAX as usize - 1);
    if text.len() > bytes_max {
        return Err(XmlFault::exceeded("bytes_max", bytes_max, "bytes"));
    }
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let text = std::str::from_utf8(text).map_err(|error| {
        let valid = std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default();
        XmlFault {
            at: Some(line_and_column(valid, valid.len())),
            ..XmlFault::new("the text is not UTF-8").mend("send the body encoded as UTF-8")
        }
    })?;
    if let Some(at) = text.find(is_forbidden) {
        let fault = XmlFault::new("the text holds a character that XML does not allow");
        return Err(XmlFault {
            at: Some(line_and_column(text, at)),
            ..fault
        });
    }
    Ok(if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n").into()
    } else {
        text.into()
    })
}

struct Reading<'t> {
    text: &'t str,
    reader: Reader<&'t [u8]>,
    definitions: &'static Definitions,
    limits: &'t Limits,
    namespaces: Namespaces,
    /// Made by the root element.
    tree: Option<Tree>,
    open: Vec<Open>,
    /// How many elements are open inside an unknown one.
    skipped: usize,
    /// Where the current event begins.
    at: usize,
    faults: Vec<XmlFault>,
}

/// An element that is not closed yet.
struct Open {
    node: u32,
    holds: Holds,
}

/// What an element may hold.
#[derive(Clone, Copy)]
enum Holds {
    /// The children of a shape.
    Children(Shape),
    /// One resource of whatever type.
    Resource,
    /// The resource that it holds has been there.
    NoMore,
}

/// Why reading goes no further.
type Done<T = ()> = Result<T, XmlFault>;

impl Reading<'_> {
    fn document(&mut self) -> Done {
        loop {
            self.at = self.position();
            let event = self.reader.read_event().map_err(|_| {
                XmlFault::new("the XML is not well-formed")
                    .mend("close every element in the reverse order of opening")
            })?;
            match event {
                Event::Start(start) => self.start(&start, false)?,
                Event::Empty(start) => self.start(&start, true)?,
                Event::End(_) => self.end(),
                Event::Text(text) => self.no_text(&text)?,
                Event::CData(_) | Event::GeneralRef(_) => self.no_text("&")?,
                Event::DocType(_) => {
                    let remedy =
                        "remove `<!DOCTYPE …>`; entities other than XML's five are not known";
                    return Err(XmlFault::new("a document type is not allowed").mend(remedy));
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().transpose().ok().flatten();
                    if encoding.is_some_and(|it| !it.eq_ignore_ascii_case("utf-8")) {
                        return Err(XmlFault::new("the encoding is not UTF-8")
                            .mend("send the body encoded as UTF-8"));
                    }
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return self.eof(),
            }
        }
    }

    fn eof(&self) -> Done {
        if self.tree.is_none() {
            return Err(XmlFault::new("the text holds no element"));
        }
        if !self.open.is_empty() || self.skipped > 0 {
            return Err(XmlFault::new("the text ends inside an element"));
        }
        Ok(())
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn start(&mut self, start: &BytesStart<'_>, is_empty: bool) -> Done {
        let depth = self.open.len() + self.skipped;
        if depth >= self.limits.depth_max {
            let of = "levels of elements";
            return Err(XmlFault::exceeded("depth_max", self.limits.depth_max, of));
        }
        if self.skipped > 0 {
            self.skipped += usize::from(!is_empty);
            return Ok(());
        }
        self.namespaces.declare(start, depth)?;
        let name = start.name().into_inner();
        let (prefix, local) = names::split(name);
        let namespace = self.namespaces.of(prefix);
        let known = match (self.open.last().map(|it| it.holds), namespace) {
            (None, Namespace::Fhir) => self.root(start, local)?,
            (None, _) => {
                let remedy = "declare it on the root: `xmlns=\"http://hl7.org/fhir\"`";
                return Err(
                    XmlFault::new("the root element is not in FHIR's namespace").mend(remedy)
                );
            }
            (Some(Holds::Children(shape)), _) => match self.definitions.child(shape, local) {
                Some(child) if child.definition.name == "xhtml" => {
                    self.narrative(child, start, is_empty)?;
                    self.namespaces.leave(depth);
                    return Ok(());
                }
                Some(child) if namespace == Namespace::Fhir && !child.element.is_attribute => {
                    self.child(child, start)?;
                    true
                }
                _ => false,
            },
            (Some(Holds::Resource), Namespace::Fhir) => self.inner_resource(start, local)?,
            (Some(Holds::Resource | Holds::NoMore), _) => false,
        };
        if !known {
            self.stray("element", local)?;
            self.skipped += 1;
        }
        if is_empty {
            self.end();
        }
        Ok(())
    }

    fn end(&mut self) {
        if self.skipped > 0 {
            self.skipped -= 1;
        } else {
            self.open.pop();
        }
        self.namespaces.leave(self.open.len() + self.skipped);
    }

    fn root(&mut self, start: &BytesStart<'_>, local: &str) -> Done<bool> {
        if self.tree.is_some() {
            return Err(XmlFault::new("the text holds a second root element"));
        }
        let Some(definition) = self.definitions.resource(local) else {
            let what = "the root element is no resource of this FHIR version";
            let remedy = "correct it, or use the base address of the other FHIR version";
            return Err(XmlFault::new(what).mend(remedy));
        };
        self.tree = Some(Tree::new(definition));
        self.open.push(Open {
            node: 0,
            holds: Holds::Children(definition.shape),
        });
        self.attributes(start, 0)?;
        Ok(true)
    }

    fn inner_resource(&mut self, start: &BytesStart<'_>, local: &str) -> Done<bool> {
        let Some(definition) = self.definitions.resource(local) else {
            return Ok(false);
        };
        let holder = self
            .open
            .last_mut()
            .expect("a resource is held by an element");
        holder.holds = Holds::NoMore;
        let node = holder.node;
        self.tree().nodes[node as usize].definition = definition;
        self.open.push(Open {
            node,
            holds: Holds::Children(definition.shape),
        });
        self.attributes(start, node)?;
        Ok(true)
    }

    fn child(&mut self, child: Child, start: &BytesStart<'_>) -> Done {
        let node = self.add(child)?;
        let holds = match child.definition.kind {
            TypeKind::Resource => Holds::Resource,
            TypeKind::Primitive | TypeKind::Complex => Holds::Children(child.chosen.shape),
        };
        self.open.push(Open { node, holds });
        self.attributes(start, node)
    }

    fn narrative(&mut self, child: Child, start: &BytesStart<'_>, is_empty: bool) -> Done {
        let node = self.add(child)?;
        let text = div::for_json(&mut self.reader, start, is_empty, &self.namespaces)?;
        self.tree().set_value(node, &text);
        Ok(())
    }

    fn add(&mut self, child: Child) -> Done<u32> {
        let values_max = self.limits.values_max;
        if self.tree().nodes.len() >= values_max {
            return Err(XmlFault::exceeded(
                "values_max",
                values_max,
                "elements and attributes",
            ));
        }
        let parent = self.open.last().expect("a child is inside an element").node;
        if child.element.max == Some(1) && self.tree().count(parent, &child) > 0 {
            let fault = XmlFault::new(format!(
                "the element `{}` does not repeat",
                child.element.name
            ));
            self.report(fault.mend("leave all but one out"))?;
        }
        Ok(self.tree().add(parent, child))
    }

    fn attributes(&mut self, start: &BytesStart<'_>, node: u32) -> Done {
        for attribute in names::attributes(start) {
            let attribute = attribute?;
            let name = attribute.key.into_inner();
            let value = names::value(&attribute)?;
            let (prefix, local) = names::split(name);
            if declared_prefix(name).is_some() {
                continue;
            }
            if !prefix.is_empty() {
                let is_hint = local == "schemaLocation"
                    && self.namespaces.of(prefix) == Namespace::SchemaInstance;
                if !is_hint {
                    self.stray("attribute", name)?;
                }
            } else if local == "value" && self.is_primitive(node) {
                if self.tree().nodes[node as usize].value.is_some() {
                    self.report(XmlFault::new("the attribute `value` occurs twice"))?;
                }
                self.tree().set_value(node, &value);
            } else if let Some(child) = self.attribute(local) {
                let added = self.add(child)?;
                self.tree().set_value(added, &value);
            } else {
                self.stray("attribute", name)?;
            }
        }
        Ok(())
    }

    fn is_primitive(&mut self, node: u32) -> bool {
        self.tree().nodes[node as usize].definition.kind == TypeKind::Primitive
    }

    fn attribute(&self, local: &str) -> Option<Child> {
        let Holds::Children(shape) = self.open.last()?.holds else {
            return None;
        };
        let child = self.definitions.child(shape, local)?;
        child.element.is_attribute.then_some(child)
    }

    fn no_text(&mut self, text: &str) -> Done {
        if self.skipped > 0 || text.trim_ascii().is_empty() {
            return Ok(());
        }
        if self.open.is_empty() {
            return Err(XmlFault::new("text stands outside of the root element"));
        }
        let fault = XmlFault::new("text is not allowed inside an element");
        self.report(fault.mend("write the value as the attribute `value`"))
    }

    fn tree(&mut self) -> &mut Tree {
        self.tree.as_mut().expect("the root element makes the tree")
    }

    /// Reports an unknown element or attribute of the innermost open element. Its name is shown if
    /// it could be one of FHIR's.
    fn stray(&mut self, what: &str, name: &str) -> Done {
        let is_name = name.len() <= 64 && name.bytes().all(|it| it.is_ascii_alphanumeric());
        let what = if is_name {
            format!("unknown {what} `{name}`")
        } else {
            format!("unknown {what}")
        };
        self.report(XmlFault::new(what).mend("remove it or correct its name or namespace"))
    }

    /// Notes a fault; gives up after too many.
    fn report(&mut self, fault: XmlFault) -> Done {
        let fault = self.located(fault);
        if self.faults.len() + 1 >= XML_FAULTS_MAX {
            return Err(fault);
        }
        self.faults.push(fault);
        Ok(())
    }

    fn located(&self, fault: XmlFault) -> XmlFault {
        if fault.at.is_some() {
            return fault;
        }
        XmlFault {
            at: Some(line_and_column(self.text, self.at)),
            expression: self.expression(),
            ..fault
        }
    }

    /// The FHIRPath location of the innermost open element.
    fn expression(&self) -> Option<String> {
        let tree = self.tree.as_ref()?;
        let mut path = String::new();
        for (at, open) in self.open.iter().enumerate() {
            let node = &tree.nodes[open.node as usize];
            let Some(child) = &node.child else {
                path.push_str(node.definition.name);
                continue;
            };
            let parent = self.open[at - 1].node;
            if parent == open.node {
                continue;
            }
            path.push('.');
            path.push_str(child.element.name);
            if child.element.max != Some(1) {
                let index = tree.count(parent, child) - 1;
                write!(path, "[{index}]").expect("writing to a String does not fail");
            }
        }
        (!path.is_empty()).then_some(path)
    }
}

/// Line and column in characters, from 1.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
    (line, before[line_start..].chars().count() + 1)
}
