//! Resources inside others: contained ones and those of entries and parameters; and the resource
//! that local references look into.
//!
//! Ids are sorted once, so that thousands of contained resources with thousands of references to
//! them do not take a time that grows with the square.

use std::borrow::Cow;

use super::Entries;
use super::walk::{Role, Walk};
use crate::definitions::Child;
use crate::issue::Fault;
use crate::json::{Kind, Value};

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

impl<'d> Walk<'d, '_> {
    /// A place for any resource: `contained`, an entry's or a parameter's.
    pub(super) fn resource_inside(&mut self, value: Value<'d>, child: Child) {
        if child.element.name != "contained" {
            let skipped =
                self.entries == Entries::Skipped && child.element.path == "Bundle.entry.resource";
            if !skipped {
                self.resource(value, Role::Whole);
            }
            return;
        }
        if self.role == Role::Contained {
            self.report.add(Fault::Invariant, || {
                let what = "a contained resource contains another (dom-2)";
                (
                    what.into(),
                    "contain all of them in the outermost resource".into(),
                )
            });
        }
        self.contained_id(value);
        self.resource(value, Role::Contained);
    }

    fn contained_id(&mut self, value: Value<'d>) {
        if value.kind() != Kind::Object {
            return;
        }
        let Some(id) = value.get("id").and_then(Value::as_str) else {
            return self.report.add(Fault::Required, || {
                let what = "a contained resource has no `id`";
                (
                    what.into(),
                    "give it an id that is unique within the resource".into(),
                )
            });
        };
        let first = self.container.as_ref().and_then(|it| it.find(&id));
        let twice = first.is_some_and(|first| first.span() != value.span());
        if twice {
            self.report.add(Fault::Value, || {
                let what = "two contained resources have the same `id`";
                (
                    what.into(),
                    "give each an id that is unique within the resource".into(),
                )
            });
        }
    }
}
