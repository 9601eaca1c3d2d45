//! Texts: as folded for comparing, and as written.

use fhir::json::Value;

use super::{At, Datatype, Values, each};
use crate::entry::EntryValue;
use crate::measure::fit;
use crate::text::fold;

/// The parts of a name that are compared (<https://hl7.org/fhir/R4/search.html#string>).
const NAME_PARTS: &[&str] = &["family", "given", "prefix", "suffix", "text"];

/// The parts of an address that are compared.
const ADDRESS_PARTS: &[&str] = &[
    "line",
    "city",
    "district",
    "state",
    "postalCode",
    "country",
    "text",
];

impl Values<'_> {
    pub(super) fn string(&mut self, at: At, datatype: Datatype, value: Value<'_>) {
        match datatype {
            Datatype::HumanName => self.parts(at, NAME_PARTS, value),
            Datatype::Address => self.parts(at, ADDRESS_PARTS, value),
            _ => match value.as_str() {
                Some(text) => self.text(at, &text),
                None => self.push(at, EntryValue::Valueless),
            },
        }
    }

    /// Each part is a text of its own: a search for a part begins at its beginning.
    fn parts(&mut self, at: At, names: &[&str], value: Value<'_>) {
        let before = self.placed.len();
        for member in value.members() {
            if names.contains(&&*member.name) {
                for text in each(member.value).filter_map(Value::as_str) {
                    self.text(at, &text);
                }
            }
        }
        if self.placed.len() == before {
            self.push(at, EntryValue::Valueless);
        }
    }

    fn text(&mut self, at: At, text: &str) {
        let exact = fit(text);
        let folded = fit(&fold(exact)).into();
        let exact = exact.into();
        self.push(at, EntryValue::Text { folded, exact });
    }

    /// A text that nobody compares as it was written.
    pub(super) fn folded_text(&mut self, at: At, text: &str) {
        let folded = fit(&fold(fit(text))).into();
        let exact = Box::default();
        self.push(at, EntryValue::Text { folded, exact });
    }
}
