//! What of an input no template read, so that nothing is lost silently.

use std::collections::HashMap;
use std::fmt;

use crate::value::{Text, Value};

/// A part of an input that no template read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// A part of an HL7 v2 message.
    Component {
        /// The segment's name and its place in the message, from 1.
        segment: (String, usize),
        /// The field's number.
        field: usize,
        /// Which repeat, from 1.
        repeat: usize,
        /// The component's number.
        component: usize,
        /// The subcomponent's number; 0 if nothing of the component was read.
        subcomponent: usize,
    },
    /// Texts, attributes, numbers or booleans of a document.
    Node {
        /// Where they stand, without positions: `/ClinicalDocument/id/@root` in XML,
        /// `Patient.name.family` in JSON.
        path: String,
        /// How many.
        count: usize,
    },
}

impl fmt::Display for Unread {
    /// As the standards name parts: `PID-3.2`, `PID-3.4.2`, `/ClinicalDocument/id/@root`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component {
                segment,
                field,
                component,
                subcomponent,
                ..
            } => {
                write!(f, "{}-{field}.{component}", segment.0)?;
                match subcomponent {
                    0 => Ok(()),
                    number => write!(f, ".{number}"),
                }
            }
            Self::Node { path, .. } => f.write_str(path),
        }
    }
}

impl Unread {
    /// How many values that are.
    pub fn count(&self) -> usize {
        match self {
            Self::Component { .. } => 1,
            Self::Node { count, .. } => *count,
        }
    }

    /// Why a table of reasons says that it is left away on purpose. It has `PID`, `PID-3` or `PID-3.2`,
    /// and of documents steps that follow each other somewhere in the path: `templateId/@root`, `meta`.
    pub(crate) fn reason<'r>(&self, reasons: &'r HashMap<String, String>) -> Option<&'r str> {
        let found = match self {
            Self::Component {
                segment,
                field,
                component,
                ..
            } => {
                let segment = &segment.0;
                let narrow = || reasons.get(&format!("{segment}-{field}.{component}"));
                let of_field = || reasons.get(&format!("{segment}-{field}"));
                narrow().or_else(of_field).or_else(|| reasons.get(segment))
            }
            Self::Node { path, .. } => {
                let is_between = |c: char| c == '/' || c == '.';
                let starts = path.match_indices(is_between).map(|it| it.0 + 1);
                let ends = path.match_indices(is_between).map(|it| it.0);
                let ends: Vec<usize> = ends.chain([path.len()]).collect();
                let mut starts = std::iter::once(0).chain(starts);
                starts.find_map(|from| {
                    let mut ends = ends.iter().filter(|to| **to > from);
                    ends.find_map(|to| reasons.get(&path[from..*to]))
                })
            }
        };
        found.map(String::as_str)
    }
}

/// So many characters of a name are shown.
const NAME_MAX: usize = 60;

/// So many paths are told apart; what lies at others is counted together, as `…`.
const PATHS_MAX: usize = 10_000;

/// How paths are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Elements and attributes of XML.
    Xml,
    /// Members of JSON; a resource begins a path of its own.
    Json,
}

/// What of a document nobody read, each path once, in order.
pub(crate) fn nodes(root: Value<'_>, notation: Notation) -> Vec<Unread> {
    let mut walk = Walk {
        notation,
        path: String::new(),
        found: Vec::new(),
        places: HashMap::new(),
    };
    walk.value(root, false);
    let found = walk.found.into_iter();
    found
        .map(|(path, count)| Unread::Node { path, count })
        .collect()
}

/// Everything below counts as read.
pub(crate) fn read_all(value: Value<'_>) {
    match value {
        Value::Text(text) => {
            text.as_str();
        }
        Value::List(items) => items.iter().for_each(|it| read_all(*it)),
        Value::Map(map) => map.members().iter().for_each(|it| read_all(it.1)),
        _ => {}
    }
}

struct Walk {
    notation: Notation,
    path: String,
    found: Vec<(String, usize)>,
    places: HashMap<String, usize>,
}

impl Walk {
    /// Numbers and booleans are read if their member was asked for.
    fn value(&mut self, value: Value<'_>, was_asked: bool) {
        match value {
            Value::Text(Text::Given(given)) if !given.is_read() => self.unread(),
            Value::Bool(_) | Value::Int(_) | Value::Decimal(_) | Value::Double(_) if !was_asked => {
                self.unread();
            }
            Value::List(items) => items.iter().for_each(|it| self.value(*it, was_asked)),
            Value::Map(map) => {
                let kind = map.peek().find(|it| it.0 == "resourceType");
                let outer = match kind {
                    Some((_, Value::Text(kind), _)) if self.notation == Notation::Json => {
                        Some(std::mem::replace(&mut self.path, kind.peek().to_owned()))
                    }
                    _ => None,
                };
                for (name, value, was_asked) in map.peek() {
                    let length = self.path.len();
                    self.step(name, value);
                    self.value(value, was_asked);
                    self.path.truncate(length);
                }
                if let Some(outer) = outer {
                    self.path = outer;
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, name: &str, value: Value<'_>) {
        let is_text = matches!(value, Value::Text(_));
        let mark = match (self.notation, name) {
            (Notation::Xml, "_" | "#cdata-section") => return,
            (Notation::Xml, _) if is_text => "/@",
            (Notation::Xml, _) => "/",
            (Notation::Json, _) if self.path.is_empty() => "",
            (Notation::Json, _) => ".",
        };
        self.path.push_str(mark);
        // A name may be as long as its sender likes.
        if name.len() <= NAME_MAX {
            self.path.push_str(name);
        } else {
            self.path.extend(name.chars().take(NAME_MAX));
        }
    }

    fn unread(&mut self) {
        let next = self.found.len();
        if let Some(at) = self.places.get(&self.path) {
            self.found[*at].1 += 1;
        } else if next > PATHS_MAX {
            self.found[PATHS_MAX].1 += 1;
        } else if next == PATHS_MAX {
            self.found.push(("…".to_owned(), 1));
        } else {
            self.places.insert(self.path.clone(), next);
            self.found.push((self.path.clone(), 1));
        }
    }
}
