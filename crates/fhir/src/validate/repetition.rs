//! Values and arrays: where one value stands, where a list, and what the `_` siblings hold.
//!
//! <https://hl7.org/fhir/R4/json.html#primitive>: a sibling has id and extensions of a primitive;
//! both arrays of a repeating primitive are padded with null.

use super::walk::Walk;
use crate::definitions::{Child, ElementDefinition, TypeKind};
use crate::issue::Fault;
use crate::json::{Kind, Member, Value};

/// Whether the element repeats, and so is an array in JSON.
fn is_list(element: &ElementDefinition) -> bool {
    element.max != Some(1)
}

impl<'d> Walk<'d, '_> {
    /// A member of an object, or the `_` sibling of one.
    pub(super) fn member(&mut self, object: Value<'d>, member: &Member<'d>, child: Child) {
        self.report.path.push(child.element.name);
        match member.name.strip_prefix('_') {
            Some(name) => self.sibling(object.get(name), member.value, child),
            None if is_list(child.element) => self.list(object, member, child),
            None => self.single(member.value, child),
        }
        self.report.path.pop();
    }

    fn single(&mut self, value: Value<'d>, child: Child) {
        match value.kind() {
            Kind::Array => self.report.add(Fault::Structure, || {
                let what = format!("`{}` does not repeat, but is an array", child.element.name);
                (what, "give the value itself, without brackets".into())
            }),
            Kind::Null => self.null(),
            _ => self.value(value, child),
        }
    }

    fn list(&mut self, object: Value<'d>, member: &Member<'d>, child: Child) {
        let list = member.value;
        if list.kind() == Kind::Null {
            return self.null();
        }
        if list.kind() != Kind::Array {
            self.report.add(Fault::Structure, || {
                let what = format!("`{}` repeats and must be an array", child.element.name);
                (what, "put the value into brackets".into())
            });
            return self.value(list, child);
        }
        let (mut count, mut has_null) = (0, false);
        for (index, item) in list.items().enumerate() {
            self.report.path.index(Some(index));
            count += 1;
            if item.is_null() {
                has_null = true;
            } else {
                self.value(item, child);
            }
        }
        if has_null {
            self.padding(object, member);
        }
        self.report.path.index(None);
        self.count(count, child.element);
    }

    /// Null is allowed where the `_` sibling of the array has something at the same index.
    fn padding(&mut self, object: Value<'d>, member: &Member<'d>) {
        let mut members = object.members();
        let sibling = members.find(|it| it.name.strip_prefix('_') == Some(&*member.name));
        let mut beside = sibling.into_iter().flat_map(|it| it.value.items());
        for (index, item) in member.value.items().enumerate() {
            let is_padding = beside.next().is_some_and(|it| !it.is_null());
            if item.is_null() && !is_padding {
                self.report.path.index(Some(index));
                self.null();
            }
        }
    }

    fn count(&mut self, count: u32, element: &'static ElementDefinition) {
        if count == 0 {
            self.empty("an array has no items");
        } else if let Some(max) = element.max.filter(|max| count > *max) {
            self.report.add(Fault::Structure, || {
                let what = format!("`{}` may be given {max} times at most", element.name);
                (what, "leave some out".into())
            });
        } else if count < element.min {
            self.report.add(Fault::Required, || {
                let what = format!(
                    "`{}` must be given {} times at least",
                    element.name, element.min
                );
                (what, "add what is missing".into())
            });
        }
    }

    /// `_name`: id and extensions of the primitive (or of each primitive in the array) `name`.
    fn sibling(&mut self, partner: Option<Value<'d>>, value: Value<'d>, child: Child) {
        let name = child.element.name;
        if child.definition.kind != TypeKind::Primitive || child.element.is_attribute {
            return self.report.add(Fault::Structure, || {
                let what = format!("`_{name}` is given, but `{name}` is no value with a sibling");
                (
                    what,
                    format!("put extensions into `{name}` itself, or leave them out"),
                )
            });
        }
        match (is_list(child.element), value.kind()) {
            (true, Kind::Array) => self.sibling_list(partner, value, child),
            (false, Kind::Object) => self.sibling_object(value, partner.is_some(), child),
            (list, _) => {
                let expected = if list { "an array" } else { "an object" };
                self.wrong_kind(expected, value);
            }
        }
    }

    fn sibling_list(&mut self, partner: Option<Value<'d>>, list: Value<'d>, child: Child) {
        let count = list.items().count();
        let partner = partner.filter(|it| it.kind() == Kind::Array);
        if count == 0 {
            self.empty("an array has no items");
        } else if partner.is_some_and(|it| it.items().count() != count) {
            let name = child.element.name;
            self.report.add(Fault::Structure, || {
                let what = format!("`{name}` and `_{name}` differ in length");
                (what, "pad the shorter one with `null`".into())
            });
        }
        let mut values = partner.into_iter().flat_map(Value::items);
        for (index, item) in list.items().enumerate() {
            self.report.path.index(Some(index));
            let has_value = values.next().is_some_and(|value| !value.is_null());
            match item.kind() {
                Kind::Object => self.sibling_object(item, has_value, child),
                // A pair of nulls was told with the values, unless there are none.
                Kind::Null if has_value || partner.is_some() => {}
                Kind::Null => self.null(),
                _ => self.wrong_kind("an object or `null`", item),
            }
        }
        self.report.path.index(None);
    }

    fn sibling_object(&mut self, value: Value<'d>, has_value: bool, child: Child) {
        let kind = if has_value {
            TypeKind::Primitive
        } else {
            TypeKind::Complex
        };
        if has_value && value.members().next().is_none() {
            self.empty("an element has neither a value nor children (ele-1)");
        }
        self.object(value, child.definition.shape, kind);
    }

    fn null(&mut self) {
        self.report.add(Fault::Structure, || {
            let what = "`null` stands where a value must be";
            let remedy = "leave the element out; `null` only pads an array beside its `_` sibling";
            (what.into(), remedy.into())
        });
    }
}
