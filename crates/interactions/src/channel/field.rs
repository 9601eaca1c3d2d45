//! Tables of fields, as channels and destinations are defined by: names, defaults, forms, meanings; and
//! how a definition is read with one, all faults at once.

use std::collections::BTreeMap;

use fhir::{Fault, Issue};

/// A field of a definition.
pub struct Field<T> {
    /// Its name.
    pub name: &'static str,
    /// The value when none is given.
    pub default: &'static str,
    /// What it does, with its unit.
    pub doc: &'static str,
    /// The forms of its value.
    pub expected: &'static str,
    set: fn(&mut T, &str) -> Option<()>,
}

/// One thing wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionFault {
    /// The field.
    pub field: String,
    /// What is wrong and what is expected.
    pub what: String,
}

impl DefinitionFault {
    pub(super) fn new(field: &str, what: &str) -> Self {
        Self {
            field: field.to_owned(),
            what: what.to_owned(),
        }
    }

    /// What whoever asked for the definition is told.
    pub fn issue(&self) -> Issue {
        Issue::error(Fault::Value, self.to_string()).at(self.field.clone())
    }
}

impl std::fmt::Display for DefinitionFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.field, self.what)
    }
}

pub(super) const fn field<T>(
    name: &'static str,
    default: &'static str,
    expected: &'static str,
    doc: &'static str,
    set: fn(&mut T, &str) -> Option<()>,
) -> Field<T> {
    Field {
        name,
        default,
        doc,
        expected,
        set,
    }
}

pub(super) const COUNT: &str = "a whole number from 1";
pub(super) const NUMBER: &str = "a whole number";
pub(super) const BYTES: &str = "a number of bytes such as 4M";
pub(super) const PATH: &str = "a path";

/// The most days that anything is kept: a hundred years.
pub(super) const DAYS_MOST: u64 = 36_500;
/// Days that control ids are remembered where nothing else is said.
pub(super) const DEFAULT_DAYS: &str = "7";

/// Sets fields to their defaults and to what is given; gives what was taken, and what is wrong.
pub(super) fn read<T>(
    definition: &mut T,
    fields: &[Field<T>],
    kind: &str,
    given: impl IntoIterator<Item = (String, String)>,
) -> (BTreeMap<String, String>, Vec<DefinitionFault>) {
    for field in fields.iter().filter(|it| !it.default.is_empty()) {
        (field.set)(definition, field.default).expect("defaults are of their form");
    }
    let (mut taken, mut faults) = (BTreeMap::new(), Vec::new());
    for (name, text) in given {
        let Some(field) = fields.iter().find(|it| it.name == name) else {
            let nearest = fhir::suggest::nearest(&name, fields.iter().map(|it| it.name));
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let what = format!("is no field of {kind}{hint}");
            faults.push(DefinitionFault { field: name, what });
            continue;
        };
        let is_line = !text.contains(['\n', '\r', '\t']);
        if !is_line || (field.set)(definition, &text).is_none() {
            let what = format!("is not {}", field.expected);
            faults.push(DefinitionFault { field: name, what });
            continue;
        }
        taken.insert(name, text);
    }
    (taken, faults)
}

pub(super) fn set<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

pub(super) fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|it| !it.is_empty())
}

pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|it| it.1)
}

pub(super) fn count(text: &str, max: u64) -> Option<u64> {
    text.parse().ok().filter(|it| (1..=max).contains(it))
}

/// A number of things or bytes, with `k`, `M` or `G` for powers of 1024.
pub(super) fn size(text: &str, max: usize) -> Option<usize> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().ok()?;
    number
        .checked_shl(shift)
        .filter(|it| (1..=max).contains(it) && *it >> shift == number)
}
