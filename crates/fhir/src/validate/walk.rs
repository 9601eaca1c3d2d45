//! The walk over a resource beside its definitions: objects, their names, what must be there.
//!
//! Recursion follows the definitions and is bounded by [`ELEMENT_DEPTH_MAX`]; what each value must
//! be is said in `value`, how often it may be in `repetition`.

use super::container::Container;
use super::names::did_you_mean;
use super::report::Report;
use super::{ELEMENT_DEPTH_MAX, Entries, resource_type};
use crate::definitions::{Child, ElementDefinition, ElementType, Shape, TypeDefinition, TypeKind};
use crate::issue::{Fault, Issue};
use crate::json::{Kind, Value};
use crate::suggest::nearest;
use crate::{Definitions, FhirVersion};

/// What a resource is to what holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It stands for itself: the body, the resource of an entry or of a parameter.
    Whole,
    /// It is part of another resource.
    Contained,
}

pub(super) struct Walk<'d, 'w> {
    pub(super) definitions: &'w Definitions,
    pub(super) version: FhirVersion,
    pub(super) report: Report,
    /// The whole resource that the walk is in.
    pub(super) container: Option<Container<'d>>,
    pub(super) role: Role,
    pub(super) entries: Entries,
}

/// The most choices that a shape has; a test counts them, and its elements, of which there are
/// fewer than `Met` has bits.
const CHOICES_MAX: usize = 8;

/// The elements of one object that were met: by place in the shape, and of choices by type.
#[derive(Default)]
struct Met {
    places: u128,
    choices: [Option<(&'static ElementDefinition, &'static ElementType)>; CHOICES_MAX],
}

impl Met {
    fn has(&self, place: usize) -> bool {
        self.places >> place & 1 == 1
    }

    fn insert(&mut self, place: usize) {
        self.places |= 1 << place;
    }

    /// Whether the choice was met with another type before; its `_` sibling has the same one.
    fn has_other_type(&mut self, child: Child) -> bool {
        for met in &mut self.choices {
            match met {
                Some((element, chosen)) if std::ptr::eq(*element, child.element) => {
                    return !std::ptr::eq(*chosen, child.chosen);
                }
                Some(_) => {}
                None => {
                    *met = Some((child.element, child.chosen));
                    return false;
                }
            }
        }
        false
    }
}

impl<'d, 'w> Walk<'d, 'w> {
    pub(super) fn new(definitions: &'w Definitions, entries: Entries, report: Report) -> Self {
        Self {
            definitions,
            version: definitions.version(),
            report,
            container: None,
            role: Role::Whole,
            entries,
        }
    }

    pub(super) fn finish(self) -> Vec<Issue> {
        self.report.finish()
    }

    /// A resource with everything in it.
    pub(super) fn resource(&mut self, value: Value<'d>, role: Role) {
        let Some(definition) = self.definition_of(value) else {
            return;
        };
        self.report.path.name_root(definition.name);
        let outer_role = std::mem::replace(&mut self.role, role);
        if role == Role::Contained {
            self.object(value, definition.shape, TypeKind::Resource);
        } else {
            let outer = self.container.replace(Container::of(value));
            self.object(value, definition.shape, TypeKind::Resource);
            self.container = outer;
        }
        self.role = outer_role;
    }

    fn definition_of(&mut self, value: Value<'d>) -> Option<&'static TypeDefinition> {
        if value.kind() != Kind::Object {
            self.wrong_kind("an object (a resource)", value);
            return None;
        }
        let Some(name) = resource_type(value) else {
            self.report.add(Fault::Structure, || {
                let what = "`resourceType` is missing or not a string";
                (
                    what.into(),
                    "name the type, e.g. `\"resourceType\": \"Patient\"`".into(),
                )
            });
            return None;
        };
        let definition = self.definitions.resource(&name);
        if definition.is_none() {
            let (version, definitions) = (self.version, self.definitions);
            self.report.add(Fault::Structure, || {
                let what = format!("`resourceType` names no resource type of {version}");
                let near = nearest(&name, definitions.resources().map(|it| it.name));
                (what, did_you_mean(near, "use a type of this FHIR version"))
            });
        }
        definition
    }

    /// An object with the children of that shape.
    pub(super) fn object(&mut self, value: Value<'d>, shape: Shape, kind: TypeKind) {
        if self.report.path.depth() >= ELEMENT_DEPTH_MAX {
            self.report.add(Fault::TooLarge, || {
                let what = format!("elements are nested more than {ELEMENT_DEPTH_MAX} deep");
                (what, "nest less deeply".into())
            });
            return;
        }
        let elements = self.definitions.elements(shape);
        let mut met = Met::default();
        let mut has_content = false;
        for member in value.members() {
            if kind == TypeKind::Resource && member.name == "resourceType" {
                continue;
            }
            has_content |= member.name != "id";
            let name = member.name.strip_prefix('_').unwrap_or(&member.name);
            let Some(child) = self.definitions.child(shape, name) else {
                self.unknown(&member.name, shape);
                continue;
            };
            let place = elements.element_offset(child.element);
            let place = place.expect("a child is one of its shape's elements");
            if child.element.is_choice && met.has_other_type(child) {
                self.several_types(child);
            }
            met.insert(place);
            self.member(value, &member, child);
        }
        if !has_content && kind == TypeKind::Complex {
            self.empty("an element has neither a value nor children (ele-1)");
        }
        self.missing(elements, &met);
    }

    fn missing(&mut self, elements: &'static [ElementDefinition], met: &Met) {
        let required = elements.iter().enumerate().filter(|(_, it)| it.min > 0);
        for (_, element) in required.filter(|(place, _)| !met.has(*place)) {
            self.report.add(Fault::Required, || {
                let suffix = if element.is_choice { "[x]" } else { "" };
                let what = format!("`{}{suffix}` is required", element.name);
                (what, format!("add `{}{suffix}`", element.name))
            });
        }
    }

    fn several_types(&mut self, child: Child) {
        self.report.add(Fault::Structure, || {
            let what = format!("`{}[x]` is given with several types", child.element.name);
            (what, "keep one of them".into())
        });
    }

    pub(super) fn empty(&mut self, what: &'static str) {
        self.report.add(Fault::Invariant, || {
            (what.into(), "leave out what is empty".into())
        });
    }

    pub(super) fn wrong_kind(&mut self, expected: &'static str, value: Value<'d>) {
        let found = kind_name(value.kind());
        self.report.add(Fault::Structure, || {
            (
                format!("{found} stands where {expected} must be"),
                format!("give {expected}"),
            )
        });
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "`null`",
        Kind::Boolean => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shape_has_more_elements_or_choices_than_can_be_marked() {
        for definitions in FhirVersion::ALL.map(Definitions::of) {
            let mut open: Vec<Shape> = definitions.types().iter().map(|it| it.shape).collect();
            let mut seen = std::collections::BTreeSet::new();
            while let Some(shape) = open.pop() {
                if seen.insert(shape.0) {
                    let elements = definitions.elements(shape);
                    let choices = elements.iter().filter(|it| it.is_choice).count();
                    let fits = elements.len() <= 128 && choices <= CHOICES_MAX;
                    assert!(fits, "{}", elements[0].path);
                    let types = elements.iter().flat_map(|it| it.types);
                    open.extend(types.map(|it| it.shape));
                }
            }
        }
    }
}
