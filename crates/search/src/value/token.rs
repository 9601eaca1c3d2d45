//! Codes with their systems, and what people read in their place.
//!
//! A code of a `code` element has the system of its required binding, where that is one only. A
//! boolean, a string, a URI and the value of a contact point have none.

use fhir::json::Value;

use super::{At, Datatype, Kind, Values, each};
use crate::entry::EntryValue;
use crate::measure::fit;

impl Values<'_> {
    pub(super) fn token(&mut self, code: At, text: At, of: &Kind, value: Value<'_>) {
        match of.datatype {
            Datatype::CodeableConcept => self.concept(code, text, value),
            Datatype::Coding => self.coding(code, text, value),
            Datatype::Identifier => {
                self.coded(code, value, "value");
                let kind = value.get("type").and_then(|it| it.get("text"));
                self.read(text, kind);
            }
            Datatype::ContactPoint => self.coded_without_system(code, value.get("value")),
            Datatype::Code => match value.as_str() {
                Some(it) => self.code(code, of.system, &it),
                None => self.push(code, EntryValue::Valueless),
            },
            Datatype::Boolean => match value.as_bool() {
                Some(truth) => self.code(code, None, if truth { "true" } else { "false" }),
                None => self.push(code, EntryValue::Valueless),
            },
            _ => self.coded_without_system(code, Some(value)),
        }
    }

    fn concept(&mut self, code: At, text: At, value: Value<'_>) {
        let before = self.placed.len();
        if let Some(codings) = value.get("coding") {
            for coding in each(codings) {
                self.coding(code, text, coding);
            }
        }
        if self.placed.len() == before {
            self.push(code, EntryValue::Valueless);
        }
        self.read(text, value.get("text"));
    }

    fn coding(&mut self, code: At, text: At, value: Value<'_>) {
        self.coded(code, value, "code");
        self.read(text, value.get("display"));
    }

    /// The member of that name as a code of the member `system`.
    fn coded(&mut self, at: At, value: Value<'_>, name: &str) {
        let (mut system, mut code) = (None, None);
        for member in value.members() {
            if *member.name == *name {
                code = member.value.as_str();
            } else if member.name == "system" {
                system = member.value.as_str();
            }
        }
        match code {
            Some(code) => self.code(at, system.as_deref(), &code),
            None => self.push(at, EntryValue::Valueless),
        }
    }

    fn coded_without_system(&mut self, at: At, value: Option<Value<'_>>) {
        match value.and_then(Value::as_str) {
            Some(code) => self.code(at, None, &code),
            None => self.push(at, EntryValue::Valueless),
        }
    }

    /// What people read, if it is there.
    fn read(&mut self, at: At, text: Option<Value<'_>>) {
        if let Some(text) = text.and_then(Value::as_str) {
            self.folded_text(at, &text);
        }
    }

    pub(super) fn code(&mut self, at: At, system: Option<&str>, code: &str) {
        let system = system.map(|it| fit(it).into());
        let code = fit(code).into();
        self.push(at, EntryValue::Token { system, code });
    }

    /// An identifier that is searched as an identifier.
    pub(super) fn identifier(&mut self, at: At, value: Value<'_>) {
        self.coded(at, value, "value");
    }

    /// Type and value of an identifier, each identifier in a group of its own (`:of-type`).
    pub(super) fn of_type(&mut self, kind: u16, slot: u16, datatype: Datatype, value: Value<'_>) {
        if datatype != Datatype::Identifier {
            return;
        }
        let codings = value.get("type").and_then(|it| it.get("coding"));
        let (Some(codings), Some(text)) = (codings, value.get("value").and_then(Value::as_str))
        else {
            return;
        };
        let group = self.next_group(kind);
        for coding in each(codings) {
            self.coded(At { slot: kind, group }, coding, "code");
        }
        self.code(At { slot, group }, None, &text);
    }
}
