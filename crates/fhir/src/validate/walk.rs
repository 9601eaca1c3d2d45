//! The walk over a resource beside its definitions: names, cardinality, arrays, choices.
//!
//! Recursion follows the definitions and is bounded by [`ELEMENT_DEPTH_MAX`]; what each value must
//! be is said in `value`.

use super::container::Container;
use super::report::{Report, shown};
use super::{ELEMENT_DEPTH_MAX, Entries, resource_type};
use crate::definitions::{Child, ElementDefinition, Shape, TypeDefinition, TypeKind};
use crate::issue::{Fault, Issue};
use crate::json::{Kind, Member, Value};
use crate::suggest::nearest;
use crate::{Definitions, FhirVersion};

/// How many names of a choice a remedy lists.
const CHOICES_LISTED_MAX: usize = 12;

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
    entries: Entries,
}

/// An object's elements that were met, by their place in the shape. The largest shape of either
/// version has fewer than 128 (a test counts them).
#[derive(Default)]
struct Met(u128);

impl Met {
    fn has(&self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    fn insert(&mut self, place: usize) {
        self.0 |= 1 << place;
    }
}

/// Whether the element repeats, and so is an array in JSON.
fn is_list(element: &ElementDefinition) -> bool {
    element.max != Some(1)
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
            if child.element.is_choice && met.has(place) {
                self.choose_once(value, shape, &member, child);
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

    fn unknown(&mut self, name: &str, shape: Shape) {
        let definitions = self.definitions;
        self.report.add(Fault::Structure, || {
            let elements = definitions.elements(shape);
            let bare = name.strip_prefix('_').unwrap_or(name);
            let choice = elements.iter().find(|it| is_type_of_choice(bare, it));
            let spelled: Vec<String> = elements.iter().flat_map(spelled_names).collect();
            let near = nearest(bare, spelled.iter().map(String::as_str));
            match (choice, near) {
                (Some(choice), None) => not_a_choice(name, choice),
                (Some(choice), _) if choice.name == bare => not_a_choice(name, choice),
                _ => {
                    let what = format!("there is no element {} here", shown(name));
                    (
                        what,
                        did_you_mean(near, "leave it out, or use an extension"),
                    )
                }
            }
        });
    }

    /// A choice was met before: with the same type it is the sibling, with another one too many.
    fn choose_once(&mut self, object: Value<'d>, shape: Shape, member: &Member<'d>, child: Child) {
        let before = object
            .members()
            .take_while(|it| it.name_span != member.name_span);
        let other = before.into_iter().any(|it| {
            let name = it.name.strip_prefix('_').unwrap_or(&it.name);
            let found = self.definitions.child(shape, name);
            found.is_some_and(|found| {
                std::ptr::eq(found.element, child.element)
                    && !std::ptr::eq(found.chosen, child.chosen)
            })
        });
        if other {
            self.report.add(Fault::Structure, || {
                let what = format!("`{}[x]` is given with several types", child.element.name);
                (what, "keep one of them".into())
            });
        }
    }

    fn member(&mut self, object: Value<'d>, member: &Member<'d>, child: Child) {
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

    fn null(&mut self) {
        self.report.add(Fault::Structure, || {
            let what = "`null` stands where a value must be";
            let remedy = "leave the element out; `null` only pads an array beside its `_` sibling";
            (what.into(), remedy.into())
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

pub(super) fn did_you_mean(near: Option<&str>, otherwise: &str) -> String {
    match near {
        Some(name) => format!("did you mean `{name}`?"),
        None => otherwise.to_owned(),
    }
}

fn spelled_names(element: &'static ElementDefinition) -> impl Iterator<Item = String> {
    element
        .types
        .iter()
        .map(|it| match it.name.split_at_checked(1) {
            Some((first, rest)) if element.is_choice => {
                format!("{}{}{rest}", element.name, first.to_ascii_uppercase())
            }
            _ => element.name.to_owned(),
        })
}

/// Whether the name is that of a choice, with or without something like a type appended.
fn is_type_of_choice(name: &str, element: &ElementDefinition) -> bool {
    let rest = name
        .strip_prefix(element.name)
        .filter(|_| element.is_choice);
    rest.is_some_and(|it| it.is_empty() || it.starts_with(|first: char| first.is_ascii_uppercase()))
}

fn not_a_choice(name: &str, element: &'static ElementDefinition) -> (String, String) {
    let what = format!(
        "{} names no type that `{}[x]` may have",
        shown(name),
        element.name
    );
    let names: Vec<String> = spelled_names(element).map(|it| format!("`{it}`")).collect();
    let listed = names.len().min(CHOICES_LISTED_MAX);
    let more = if listed < names.len() { ", …" } else { "" };
    (
        what,
        format!("use one of {}{more}", names[..listed].join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shape_has_more_elements_than_can_be_marked() {
        for definitions in FhirVersion::ALL.map(Definitions::of) {
            let mut open: Vec<Shape> = definitions.types().iter().map(|it| it.shape).collect();
            let mut seen = std::collections::BTreeSet::new();
            while let Some(shape) = open.pop() {
                if seen.insert(shape.0) {
                    let elements = definitions.elements(shape);
                    assert!(elements.len() < 128, "{}", elements[0].path);
                    let types = elements.iter().flat_map(|it| it.types);
                    open.extend(types.map(|it| it.shape));
                }
            }
        }
    }
}
