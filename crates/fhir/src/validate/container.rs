//! The resource that local references look into, and what it contains.
//!
//! Ids are sorted once, so that thousands of contained resources with thousands of references to
//! them do not take a time that grows with the square.

use std::borrow::Cow;

use crate::json::Value;

pub(super) struct Container<'d> {
    resource: Value<'d>,
    /// Ascending by id, equal ones in the order of the document.
    contained: Vec<(Cow<'d, str>, Value<'d>)>,
}

impl<'d> Container<'d> {
    pub(super) fn of(resource: Value<'d>) -> Self {
        let contained = resource.get("contained");
        let contained = contained.into_iter().flat_map(Value::items);
        let with_id = |it: Value<'d>| Some((it.get("id")?.as_str()?, it));
        let mut contained: Vec<_> = contained.filter_map(with_id).collect();
        contained.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self {
            resource,
            contained,
        }
    }

    /// What `#id` refers to; `#` alone is the container itself.
    pub(super) fn find(&self, id: &str) -> Option<Value<'d>> {
        if id.is_empty() {
            return Some(self.resource);
        }
        let place = self.contained.partition_point(|(it, _)| **it < *id);
        let found = self.contained.get(place).filter(|(it, _)| it == id);
        found.map(|(_, value)| *value)
    }
}
