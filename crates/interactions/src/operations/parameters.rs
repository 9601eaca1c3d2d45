//! Parameters that an operation answers with: names with values, resources or parts.

use bytes::Bytes;
use fhir::json::write_string;

/// A list of parameters, or of the parts of one, as JSON.
#[derive(Default)]
pub(crate) struct Parameters {
    items: String,
}

impl Parameters {
    /// One with a string.
    pub(crate) fn string(&mut self, name: &str, value: &str) {
        let mut json = String::new();
        write_string(value, &mut json);
        self.member(name, "valueString", &json);
    }

    /// One with a member (`valueCode`, `resource`) that is JSON already.
    pub(crate) fn member(&mut self, name: &str, member: &str, json: &str) {
        self.members(name, &format!("\"{member}\":{json}"));
    }

    /// One with members that are JSON already.
    pub(crate) fn members(&mut self, name: &str, members: &str) {
        if !self.items.is_empty() {
            self.items.push(',');
        }
        self.items.push_str("{\"name\":");
        write_string(name, &mut self.items);
        if !members.is_empty() {
            self.items.push(',');
            self.items.push_str(members);
        }
        self.items.push('}');
    }

    /// One with parts.
    pub(crate) fn parts(&mut self, name: &str, parts: &Self) {
        self.members(name, &parts.list("part"));
    }

    /// How many bytes they have so far.
    pub(crate) fn bytes(&self) -> usize {
        self.items.len()
    }

    /// The resource.
    pub(crate) fn into_resource(self) -> Bytes {
        let list = self.list("parameter");
        let comma = if list.is_empty() { "" } else { "," };
        format!("{{\"resourceType\":\"Parameters\"{comma}{list}}}").into()
    }

    fn list(&self, name: &str) -> String {
        if self.items.is_empty() {
            return String::new();
        }
        format!("\"{name}\":[{}]", self.items)
    }
}
