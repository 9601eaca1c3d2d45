//! The typed walk over a document: each value with its definition.
//!
//! Names are resolved by the definitions, primitives are joined with their `_` siblings, arrays are
//! taken apart, and a resource inside a resource gets the shape of its own type
//! (<https://hl7.org/fhir/R4/json.html>). What has no place in the definitions is reported as
//! [`Stray`]. Cardinalities, formats and bindings are not judged here: that is validation's.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::definitions::{
    Child, Definitions, ElementDefinition, ElementType, Shape, TypeDefinition, TypeKind,
};
use crate::json::{Items, Kind, Member, Members, Value};

/// A value of a document with its definition; an item of an array, if its element repeats.
#[derive(Clone, Debug)]
pub struct Element<'d> {
    /// The definitions it was resolved with.
    pub definitions: &'static Definitions,
    /// Its name in JSON, without `_`; a resource's own name at the root.
    pub name: Cow<'d, str>,
    /// The element's definition; the root, a resource itself, has none.
    pub element: Option<&'static ElementDefinition>,
    /// The type that its name chose; the root has none.
    pub chosen: Option<&'static ElementType>,
    /// The definition of its type; that of the very type for a resource inside a resource.
    pub definition: &'static TypeDefinition,
    /// The children that it may have.
    pub shape: Shape,
    /// The value; a primitive may consist of extensions alone.
    pub value: Option<Value<'d>>,
    /// The member with `_` that holds a primitive's id and extensions.
    pub sibling: Option<Value<'d>>,
    /// Its place in the array, if the element repeats.
    pub index: Option<usize>,
}

/// What the walk meets.
#[derive(Clone, Debug)]
pub enum Found<'d> {
    /// A value that has a definition.
    Element(Element<'d>),
    /// Something that has none.
    Stray(Stray<'d>),
}

/// Something in a document that has no place in the definitions.
#[derive(Clone, Debug)]
pub struct Stray<'d> {
    /// The member's name as written.
    pub name: Cow<'d, str>,
    /// Its place in the array, if it is an item.
    pub index: Option<usize>,
    /// The value.
    pub value: Value<'d>,
    /// Why it has no place.
    pub why: StrayReason,
}

/// Why something has no place in the definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StrayReason {
    /// The type has no element of that name.
    UnknownName,
    /// A resource without `resourceType`.
    ResourceTypeMissing,
    /// A `resourceType` that this FHIR version does not have.
    ResourceTypeUnknown,
    /// The element repeats, so it must be an array even when it is one.
    ArrayExpected,
    /// The element does not repeat, so it must not be an array.
    ArrayUnexpected,
    /// An array without items or an object without members.
    Empty,
    /// A complex type or a resource that is not an object.
    ObjectExpected,
    /// A primitive whose value is an object or an array.
    PrimitiveExpected,
    /// A member with `_` beside an element that has no room for id and extensions.
    SiblingUnexpected,
    /// `null` where nothing has to be padded.
    Null,
}

impl StrayReason {
    /// What is wrong, as one fragment, and how to mend it.
    pub const fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownName => ("unknown element", "remove it or correct its name"),
            Self::ResourceTypeMissing => {
                ("a resource without `resourceType`", "add `resourceType`")
            }
            Self::ResourceTypeUnknown => (
                "`resourceType` names no resource of this FHIR version",
                "correct it, or use the base address of the other FHIR version",
            ),
            Self::ArrayExpected => ("an array is expected", "write `[…]` around the value"),
            Self::ArrayUnexpected => (
                "an array is not allowed, the element does not repeat",
                "write the value without `[…]`",
            ),
            Self::Empty => ("an array or object is empty", "leave the element out"),
            Self::ObjectExpected => ("an object is expected", "write `{…}` with its elements"),
            Self::PrimitiveExpected => (
                "a primitive value is expected",
                "write a string, number or boolean",
            ),
            Self::SiblingUnexpected => (
                "no `_` member is allowed beside this element",
                "remove it: only primitive elements have one",
            ),
            Self::Null => ("`null` is not allowed here", "leave the element out"),
        }
    }
}

impl Stray<'_> {
    /// The step that leads to it from what holds it, e.g. `.given[1]`.
    ///
    /// A name that is no name in the sense of FHIRPath is not shown: it may be anything.
    pub fn write_step(&self, into: &mut String) {
        let is_name = self.name.len() <= 64
            && self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        write_step(if is_name { &self.name } else { "?" }, self.index, into);
    }
}

impl<'d> Element<'d> {
    /// The resource that a value is.
    pub fn resource(
        definitions: &'static Definitions,
        value: Value<'d>,
    ) -> Result<Self, StrayReason> {
        let definition = resource_type(definitions, value)?;
        Ok(Self {
            definitions,
            name: Cow::Borrowed(definition.name),
            element: None,
            chosen: None,
            definition,
            shape: definition.shape,
            value: Some(value),
            sibling: None,
            index: None,
        })
    }

    /// Whether its type is primitive.
    pub fn is_primitive(&self) -> bool {
        self.definition.kind == TypeKind::Primitive
    }

    /// Whether it is a resource, at the root or inside another.
    pub fn is_resource(&self) -> bool {
        self.definition.kind == TypeKind::Resource
    }

    /// What it holds: of a primitive, the `_` sibling's id and extensions.
    pub fn children(&self) -> Children<'d> {
        let object = if self.is_primitive() {
            self.sibling
        } else {
            self.value
        };
        Children {
            definitions: self.definitions,
            shape: self.shape,
            is_resource: self.is_resource(),
            object,
            members: object.map(Value::members),
            has_siblings: object.is_some_and(Value::has_siblings),
            array: None,
        }
    }

    /// The children that have a definition; strays are passed over.
    pub fn elements(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        self.children().filter_map(|found| match found {
            Found::Element(element) => Some(element),
            Found::Stray(_) => None,
        })
    }

    /// Everything below it that has a definition, depth first, in the order of the document.
    pub fn descendants(&self) -> Descendants<'d> {
        Descendants {
            open: vec![self.children()],
        }
    }

    /// The element's name without the type of a choice, as FHIRPath has it.
    pub fn path_name(&self) -> &str {
        self.element.map_or(&*self.name, |element| element.name)
    }

    /// Appends the step that leads to it from what holds it: `.given[1]`; a root's type name.
    pub fn write_step(&self, into: &mut String) {
        if self.element.is_some() {
            write_step(self.path_name(), self.index, into);
        } else {
            into.push_str(&self.name);
        }
    }
}

fn write_step(name: &str, index: Option<usize>, into: &mut String) {
    into.push('.');
    into.push_str(name);
    if let Some(index) = index {
        write!(into, "[{index}]").expect("writing to a String does not fail");
    }
}

fn resource_type(
    definitions: &'static Definitions,
    value: Value<'_>,
) -> Result<&'static TypeDefinition, StrayReason> {
    if value.kind() != Kind::Object {
        return Err(StrayReason::ObjectExpected);
    }
    let name = value
        .get("resourceType")
        .ok_or(StrayReason::ResourceTypeMissing)?;
    name.as_str()
        .and_then(|name| definitions.resource(&name))
        .ok_or(StrayReason::ResourceTypeUnknown)
}

/// What an element holds, in the order of the document.
pub struct Children<'d> {
    definitions: &'static Definitions,
    shape: Shape,
    is_resource: bool,
    object: Option<Value<'d>>,
    members: Option<Members<'d>>,
    has_siblings: bool,
    array: Option<Array<'d>>,
}

impl<'d> Iterator for Children<'d> {
    type Item = Found<'d>;

    fn next(&mut self) -> Option<Found<'d>> {
        loop {
            if let Some(found) = self.array.as_mut().and_then(Iterator::next) {
                return Some(found);
            }
            self.array = None;
            let member = self.members.as_mut()?.next()?;
            if let Some(found) = self.member(member) {
                return Some(found);
            }
        }
    }
}

impl<'d> Children<'d> {
    /// What a member is; nothing if its items come later or it is seen with its sibling.
    fn member(&mut self, member: Member<'d>) -> Option<Found<'d>> {
        let Member { name, value, .. } = member;
        if self.is_resource && name == "resourceType" {
            return None;
        }
        let bare = without_underscore(&name);
        let is_sibling = bare.is_some();
        let bare = bare.unwrap_or_else(|| name.clone());
        let Some(child) = self.definitions.child(self.shape, &bare) else {
            return Some(stray(name, None, value, StrayReason::UnknownName));
        };
        let pair = if !is_sibling {
            let sibling = (self.has_siblings && has_room(&child))
                .then(|| self.object?.sibling(&bare))
                .flatten();
            (Some(value), sibling)
        } else if !has_room(&child) {
            return Some(stray(name, None, value, StrayReason::SiblingUnexpected));
        } else if self.object?.get(&bare).is_some() {
            return None;
        } else {
            (None, Some(value))
        };
        let context = Context {
            definitions: self.definitions,
            name: bare,
            child,
        };
        self.pair(context, pair)
    }

    fn pair(&mut self, context: Context<'d>, pair: Pair<'d>) -> Option<Found<'d>> {
        let repeats = context.child.element.max != Some(1);
        let (wrong, why) = if repeats {
            let is_wrong = |value: &Value<'_>| value.kind() != Kind::Array;
            (
                is_wrong as fn(&Value<'_>) -> bool,
                StrayReason::ArrayExpected,
            )
        } else {
            let is_wrong = |value: &Value<'_>| value.kind() == Kind::Array;
            (
                is_wrong as fn(&Value<'_>) -> bool,
                StrayReason::ArrayUnexpected,
            )
        };
        if let Some(value) = pair.0.filter(wrong) {
            return Some(stray(context.name, None, value, why));
        }
        if let Some(value) = pair.1.filter(wrong) {
            return Some(stray(with_underscore(&context.name), None, value, why));
        }
        if !repeats {
            return Some(context.found(pair, None));
        }
        self.array = Some(Array {
            context,
            holder: pair.0.or(pair.1)?,
            values: pair.0.map(Value::items),
            siblings: pair.1.map(Value::items),
            index: 0,
        });
        None
    }
}

/// What is below an element, depth first.
pub struct Descendants<'d> {
    /// One for each level; parsing limits how many there can be.
    open: Vec<Children<'d>>,
}

impl<'d> Iterator for Descendants<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        loop {
            match self.open.last_mut()?.next() {
                Some(Found::Element(element)) => {
                    if !element.is_primitive() || element.sibling.is_some() {
                        self.open.push(element.children());
                    }
                    return Some(element);
                }
                Some(Found::Stray(_)) => {}
                None => {
                    self.open.pop();
                }
            }
        }
    }
}

/// Value and sibling.
type Pair<'d> = (Option<Value<'d>>, Option<Value<'d>>);

/// The items of a repeating element, each with its sibling.
struct Array<'d> {
    context: Context<'d>,
    holder: Value<'d>,
    values: Option<Items<'d>>,
    siblings: Option<Items<'d>>,
    index: usize,
}

impl<'d> Iterator for Array<'d> {
    type Item = Found<'d>;

    fn next(&mut self) -> Option<Found<'d>> {
        let next = |items: &mut Option<Items<'d>>| items.as_mut().and_then(Iterator::next);
        let pair = (next(&mut self.values), next(&mut self.siblings));
        let index = self.index;
        self.index += 1;
        if let (None, None) = pair {
            let name = self.context.name.clone();
            return (index == 0).then(|| stray(name, None, self.holder, StrayReason::Empty));
        }
        Some(self.context.found(pair, Some(index)))
    }
}

/// What an element's name was resolved to.
struct Context<'d> {
    definitions: &'static Definitions,
    name: Cow<'d, str>,
    child: Child,
}

impl<'d> Context<'d> {
    fn found(&self, (written, beside): Pair<'d>, index: Option<usize>) -> Found<'d> {
        let present = |value: &Value<'d>| !value.is_null();
        let (value, sibling) = (written.filter(present), beside.filter(present));
        let pads = index.is_some() && has_room(&self.child);
        match (written, beside) {
            _ if value.is_none() && sibling.is_none() => {
                let null = written.or(beside).expect("a pair holds something");
                return stray(self.name.clone(), index, null, StrayReason::Null);
            }
            (Some(null), _) | (_, Some(null)) if null.is_null() && !pads => {
                return stray(self.name.clone(), index, null, StrayReason::Null);
            }
            _ => {}
        }
        self.element(value, sibling, index)
            .map_or_else(Found::Stray, Found::Element)
    }

    fn element(
        &self,
        value: Option<Value<'d>>,
        sibling: Option<Value<'d>>,
        index: Option<usize>,
    ) -> Result<Element<'d>, Stray<'d>> {
        let mut definition = self.child.definition;
        let mut shape = self.child.chosen.shape;
        let refuse = |name: Cow<'d, str>, value, why| Stray {
            name,
            index,
            value,
            why,
        };
        if let Some(value) = value {
            let why = match definition.kind {
                TypeKind::Primitive => primitive_fault(value),
                TypeKind::Complex => object_fault(value),
                TypeKind::Resource => match resource_type(self.definitions, value) {
                    Ok(resource) => {
                        definition = resource;
                        shape = resource.shape;
                        None
                    }
                    Err(why) => Some(why),
                },
            };
            if let Some(why) = why {
                return Err(refuse(self.name.clone(), value, why));
            }
        }
        if let Some((sibling, why)) = sibling.and_then(|it| Some((it, object_fault(it)?))) {
            return Err(refuse(with_underscore(&self.name), sibling, why));
        }
        Ok(Element {
            definitions: self.definitions,
            name: self.name.clone(),
            element: Some(self.child.element),
            chosen: Some(self.child.chosen),
            definition,
            shape,
            value,
            sibling,
            index,
        })
    }
}

fn primitive_fault(value: Value<'_>) -> Option<StrayReason> {
    matches!(value.kind(), Kind::Object | Kind::Array).then_some(StrayReason::PrimitiveExpected)
}

fn object_fault(value: Value<'_>) -> Option<StrayReason> {
    match value.kind() {
        Kind::Object => value.is_childless().then_some(StrayReason::Empty),
        _ => Some(StrayReason::ObjectExpected),
    }
}

/// Whether a child has room for id and extensions beside its value. What is an attribute in XML
/// has none, nor has xhtml (<https://hl7.org/fhir/R4/narrative.html>).
fn has_room(child: &Child) -> bool {
    child.definition.kind == TypeKind::Primitive
        && !child.element.is_attribute
        && child.definition.name != "xhtml"
}

fn stray<'d>(
    name: Cow<'d, str>,
    index: Option<usize>,
    value: Value<'d>,
    why: StrayReason,
) -> Found<'d> {
    Found::Stray(Stray {
        name,
        index,
        value,
        why,
    })
}

fn with_underscore<'d>(name: &str) -> Cow<'d, str> {
    Cow::Owned(format!("_{name}"))
}

fn without_underscore<'d>(name: &Cow<'d, str>) -> Option<Cow<'d, str>> {
    Some(match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_prefix('_')?),
        Cow::Owned(name) => Cow::Owned(name.strip_prefix('_')?.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::FhirVersion;
    use crate::json::{Document, Limits};

    fn describe(element: &Element<'_>, path: &str, into: &mut String) {
        for found in element.children() {
            let mut path = path.to_owned();
            match found {
                Found::Element(element) => {
                    element.write_step(&mut path);
                    let value = element.value.map_or("none", |it| {
                        if element.is_primitive() { it.raw() } else { "" }
                    });
                    writeln!(into, "{path}: {} {value}", element.definition.name).unwrap();
                    describe(&element, &path, into);
                }
                Found::Stray(stray) => {
                    stray.write_step(&mut path);
                    writeln!(into, "{path}: {:?}", stray.why).unwrap();
                }
            }
        }
    }

    fn check(text: &'static str, expected: &Expect) {
        let document = Document::parse(Bytes::from_static(text.as_bytes()), &Limits::DEFAULT);
        let document = document.unwrap();
        let root = Element::resource(Definitions::of(FhirVersion::R4), document.root()).unwrap();
        let mut described = String::new();
        describe(&root, root.definition.name, &mut described);
        expected.assert_eq(&described);
    }

    #[test]
    fn primitives_are_joined_with_their_siblings() {
        check(
            r#"{"resourceType": "Patient", "_gender": {"id": "g"}, "birthDate": "1970-01-01",
               "_birthDate": {"extension": [{"url": "x", "valueBoolean": true}]},
               "name": [{"given": ["a", null, "c"], "_given": [null, {"id": "b"}]}]}"#,
            &expect![[r#"
                Patient.gender: code none
                Patient.gender.id: string "g"
                Patient.birthDate: date "1970-01-01"
                Patient.birthDate.extension[0]: Extension 
                Patient.birthDate.extension[0].url: uri "x"
                Patient.birthDate.extension[0].value: boolean true
                Patient.name[0]: HumanName 
                Patient.name[0].given[0]: string "a"
                Patient.name[0].given[1]: string none
                Patient.name[0].given[1].id: string "b"
                Patient.name[0].given[2]: string "c"
            "#]],
        );
    }

    #[test]
    fn a_resource_inside_a_resource_has_its_own_shape() {
        check(
            r#"{"resourceType": "Bundle", "entry": [
               {"resource": {"resourceType": "Patient", "contained": [
                  {"resourceType": "Observation", "valueQuantity": {"value": 1.0}}]}},
               {"resource": {"resourceType": "Nothing"}}, {"resource": {}}, {"resource": 1}]}"#,
            &expect![[r#"
                Bundle.entry[0]: BackboneElement 
                Bundle.entry[0].resource: Patient 
                Bundle.entry[0].resource.contained[0]: Observation 
                Bundle.entry[0].resource.contained[0].value: Quantity 
                Bundle.entry[0].resource.contained[0].value.value: decimal 1.0
                Bundle.entry[1]: BackboneElement 
                Bundle.entry[1].resource: ResourceTypeUnknown
                Bundle.entry[2]: BackboneElement 
                Bundle.entry[2].resource: ResourceTypeMissing
                Bundle.entry[3]: BackboneElement 
                Bundle.entry[3].resource: ObjectExpected
            "#]],
        );
    }

    #[test]
    fn what_has_no_definition_is_reported() {
        check(
            r#"{"resourceType": "Patient", "resourcetype": 1, "fhir_comments": [], "name": {},
               "gender": ["male"], "active": {}, "text": "x", "contact": [], "photo": [null],
               "_photo": [], "_id": null, "_name": [], "maritalStatus": {}, "link": [{}],
               "extension": [{"url": "x", "_url": {"id": "a"}}], "deceasedInteger": 1,
               "\u005fgender": [], "a b": 1}"#,
            &expect![[r#"
                Patient.resourcetype: UnknownName
                Patient.fhir_comments: UnknownName
                Patient.name: ArrayExpected
                Patient.gender: ArrayUnexpected
                Patient.active: PrimitiveExpected
                Patient.text: ObjectExpected
                Patient.contact: Empty
                Patient.photo[0]: Null
                Patient._photo: SiblingUnexpected
                Patient.id: Null
                Patient._name: SiblingUnexpected
                Patient.maritalStatus: Empty
                Patient.link[0]: Empty
                Patient.extension[0]: Extension 
                Patient.extension[0].url: uri "x"
                Patient.extension[0]._url: SiblingUnexpected
                Patient.deceasedInteger: UnknownName
                Patient.?: UnknownName
            "#]],
        );
    }
}
