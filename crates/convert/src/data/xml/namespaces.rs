//! Namespaces (Namespaces in XML 1.0, third edition): what prefixes stand for, and the names under
//! which templates find elements and attributes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::well_formed::{Checked, fault};
use crate::template::Mode;

/// Namespaces whose names strict libraries find with that prefix, whatever the document writes.
const KNOWN: &[(&str, &str)] = &[
    ("urn:hl7-org:v3", ""),
    ("urn:hl7-org:sdtc", "sdtc_"),
    ("http://www.w3.org/2001/XMLSchema-instance", "xsi_"),
    ("http://www.w3.org/XML/1998/namespace", "xml_"),
];

/// What prefixes stand for where the reader is.
#[derive(Default)]
pub(super) struct Namespaces<'a> {
    /// By prefix, the innermost declaration last; the default namespace has an empty one.
    declared: HashMap<&'a str, Vec<&'a str>>,
}

/// The prefix that an attribute of that name declares; an empty one for the default namespace.
pub(super) fn declared(attribute: &str) -> Option<&str> {
    match attribute.strip_prefix("xmlns") {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix(':'),
        None => None,
    }
}

impl<'a> Namespaces<'a> {
    /// Takes a declaration of an element that begins.
    pub(super) fn enter(&mut self, prefix: &'a str, namespace: &'a str) {
        self.declared.entry(prefix).or_default().push(namespace);
    }

    /// Takes back what an element declared that ends.
    pub(super) fn leave(&mut self, prefixes: &[&'a str]) {
        for prefix in prefixes {
            if let Some(found) = self.declared.get_mut(prefix) {
                found.pop();
            }
        }
    }

    /// What stands before the local name of an element or attribute, as templates see it, and the
    /// local name; a prefix must be declared.
    pub(super) fn name<'n>(
        &self,
        name: &'n str,
        is_element: bool,
        mode: Mode,
        at: usize,
    ) -> Checked<(Cow<'static, str>, &'n str)> {
        let (prefix, local) = match name.split_once(':') {
            Some((prefix, local))
                if !prefix.is_empty() && !local.is_empty() && !local.contains(':') =>
            {
                (prefix, local)
            }
            Some(_) => {
                return fault(
                    at,
                    "a name has at most one `:`, between a prefix and the rest",
                );
            }
            None if mode == Mode::Compatible => return Ok((Cow::Borrowed(""), name)),
            None => ("", name),
        };
        let namespace = match prefix {
            "xml" => Some("http://www.w3.org/XML/1998/namespace"),
            _ => self.declared.get(prefix).and_then(|it| it.last()).copied(),
        };
        if namespace.is_none() && !prefix.is_empty() {
            let what = "a name has a prefix that no `xmlns:` attribute declares";
            return fault(at, what);
        }
        // An attribute without a prefix is in no namespace (§6.2).
        let is_qualified = is_element || !prefix.is_empty();
        let known = KNOWN.iter().find(|it| namespace == Some(it.0));
        let shown = match (mode, known) {
            (Mode::Strict, Some((_, shown))) if is_qualified => Cow::Borrowed(*shown),
            // No template of clinical documents means elements of another default namespace.
            (Mode::Strict, None) if prefix.is_empty() && is_element => Cow::Borrowed(":"),
            _ if prefix.is_empty() => Cow::Borrowed(""),
            _ => Cow::Owned(format!("{prefix}_")),
        };
        Ok((shown, local))
    }
}
