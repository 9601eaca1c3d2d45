//! What a value must be by its type: primitives, complex types, and the few types with rules.

use std::borrow::Cow;

use super::handling::Rule;
use super::walk::Walk;
use crate::definitions::{Child, TypeKind};
use crate::issue::Fault;
use crate::json::{Kind, Value};
use crate::narrative;
use crate::primitive::Primitive;

impl<'d> Walk<'d, '_> {
    /// One value of an element, neither null nor a surplus array.
    pub(super) fn value(&mut self, value: Value<'d>, child: Child) {
        match child.definition.kind {
            TypeKind::Primitive => self.primitive(value, child),
            TypeKind::Complex => self.complex(value, child),
            TypeKind::Resource => self.resource_inside(value, child),
        }
    }

    fn complex(&mut self, value: Value<'d>, child: Child) {
        if value.kind() != Kind::Object {
            return self.wrong_kind("an object", value);
        }
        match child.chosen.name {
            "Extension" => self.extension(value),
            "Reference" => self.reference(value, child.chosen.targets),
            _ => {}
        }
        if let Some(binding) = &child.element.binding {
            self.bound_complex(value, child.chosen.name, binding);
        }
        self.object(value, child.chosen.shape, TypeKind::Complex);
    }

    /// ext-1: a value or extensions, not both.
    fn extension(&mut self, value: Value<'d>) {
        let (mut has_value, mut has_extension) = (false, false);
        for member in value.members() {
            let name = member.name.strip_prefix('_').unwrap_or(&member.name);
            has_value |= name.starts_with("value");
            has_extension |= name == "extension";
        }
        if has_value == has_extension {
            self.report.add(Fault::Invariant, || {
                let what = if has_value {
                    "an extension has both a value and extensions (ext-1)"
                } else {
                    "an extension has neither a value nor extensions (ext-1)"
                };
                (what.into(), "give either `value[x]` or `extension`".into())
            });
        }
    }

    fn primitive(&mut self, value: Value<'d>, child: Child) {
        let name = child.definition.name;
        let Some(primitive) = Primitive::named(name) else {
            return;
        };
        if value.kind() != primitive.kind {
            let expected = match primitive.kind {
                Kind::Boolean => "a boolean",
                Kind::Number => "a number",
                _ => "a string",
            };
            return self.wrong_kind(expected, value);
        }
        let text = value.as_str().unwrap_or(Cow::Borrowed(value.raw()));
        if text.is_empty() {
            return self.empty("a string is empty (ele-1)");
        }
        if name == "xhtml" {
            return self.narrative(&text);
        }
        if !primitive.accepts(&text, self.version) {
            return self.report.add_by(form_rule(child), Fault::Value, || {
                (
                    format!("the value is not a valid `{name}`"),
                    format!("must be {}", primitive.form),
                )
            });
        }
        if let Some(binding) = &child.element.binding {
            self.bound_code(&text, binding);
        }
    }

    fn narrative(&mut self, div: &str) {
        for fault in narrative::check(div) {
            self.report
                .add(Fault::Invariant, || (fault.what, fault.remedy.into()));
        }
    }
}

/// The rule that a primitive of the wrong form breaks.
fn form_rule(child: Child) -> Rule {
    match (
        child.definition.name,
        child.element.name,
        child.element.path,
    ) {
        ("id", "id", _) => Rule::ResourceIdForm,
        (_, _, "Reference.reference") => Rule::ReferenceForm,
        _ => Rule::PrimitiveForm,
    }
}
