//! A place in a document, with its type where there is one: what paths walk over.
//!
//! A node is a handle; nothing of the document is copied. Like [`crate::element::Element`] it joins
//! a primitive with its `_` sibling; unlike it, it also exists without definitions (a plain tree),
//! and what has no definition stays reachable: evaluation is weakly typed
//! (<https://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation>).

use std::borrow::Cow;

use super::types::{self, NamedType};
use crate::definitions::{Child, Definitions, ElementDefinition, Shape, TypeDefinition, TypeKind};
use crate::element::Element;
use crate::json::{Kind, Value};

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub struct Node<'d> {
    value: Option<Value<'d>>,
    sibling: Option<Value<'d>>,
    definitions: Option<&'static Definitions>,
    typing: Option<Typing>,
}

/// What the definitions say of a node.
#[derive(Clone, Copy, Debug)]
pub struct Typing {
    /// Its type.
    pub definition: &'static TypeDefinition,
    /// The children that it may have.
    pub shape: Shape,
    /// Its element; a resource at the root has none.
    pub element: Option<&'static ElementDefinition>,
}

impl<'d> Node<'d> {
    /// A value of which nothing is known.
    pub fn untyped(value: Value<'d>) -> Self {
        Self {
            value: Some(value),
            sibling: None,
            definitions: None,
            typing: None,
        }
    }

    /// A resource of a FHIR version; without a known `resourceType` a tree without types.
    pub fn resource(definitions: &'static Definitions, value: Value<'d>) -> Self {
        let definitions = Some(definitions);
        Self {
            value: Some(value),
            sibling: None,
            definitions,
            typing: None,
        }
        .retyped()
    }

    /// An element of a resource.
    pub fn of(element: &Element<'d>) -> Self {
        let typing = Typing {
            definition: element.definition,
            shape: element.shape,
            element: element.element,
        };
        Self {
            value: element.value,
            sibling: element.sibling,
            definitions: Some(element.definitions),
            typing: Some(typing),
        }
    }

    /// A value that stands at a path of the definitions, e.g. `QuestionnaireResponse.item` or
    /// `HumanName`; `None` if there is no such path.
    pub fn at(definitions: &'static Definitions, path: &str, value: Value<'d>) -> Option<Self> {
        let mut names = path.split('.');
        let definition = definitions.type_named(names.next()?)?;
        let mut typing = Typing {
            definition,
            shape: definition.shape,
            element: None,
        };
        for name in names {
            typing = Typing::of(&definitions.child(typing.shape, name)?);
        }
        let definitions = Some(definitions);
        Some(Self {
            value: Some(value),
            sibling: None,
            definitions,
            typing: Some(typing),
        })
    }

    /// A value of a type that this evaluation made.
    pub(super) fn made(
        definitions: &'static Definitions,
        definition: &'static TypeDefinition,
        (value, sibling): (Option<Value<'d>>, Option<Value<'d>>),
    ) -> Self {
        let typing = Some(Typing {
            definition,
            shape: definition.shape,
            element: None,
        });
        Self {
            value,
            sibling,
            definitions: Some(definitions),
            typing,
        }
    }

    /// Its value; a primitive may consist of extensions alone.
    pub fn value(&self) -> Option<Value<'d>> {
        self.value
    }

    /// The `_` member beside a primitive.
    pub fn sibling(&self) -> Option<Value<'d>> {
        self.sibling
    }

    /// What the definitions say of it.
    pub fn typing(&self) -> Option<Typing> {
        self.typing
    }

    /// The definitions that types are looked up in.
    pub fn definitions(&self) -> Option<&'static Definitions> {
        self.definitions
    }

    /// The text of it, for its place in the document.
    pub(super) fn anchor(&self) -> Option<Value<'d>> {
        self.value.or(self.sibling)
    }

    /// Whether it is a primitive: by its type, or else because it is no object.
    pub fn is_primitive(&self) -> bool {
        match self.typing {
            Some(typing) => typing.definition.kind == TypeKind::Primitive,
            None => self.value.is_none_or(|it| it.kind() != Kind::Object),
        }
    }

    /// The name of its type; of a resource without a definition its `resourceType`.
    pub fn type_name(&self) -> Option<Cow<'d, str>> {
        match self.typing {
            Some(typing) => Some(Cow::Borrowed(typing.definition.name)),
            None => self.value?.get("resourceType")?.as_str(),
        }
    }

    /// Whether its type is that FHIR type or specialises it.
    pub fn is_of(&self, name: &str) -> bool {
        match (self.typing, self.definitions) {
            (Some(typing), Some(definitions)) => {
                types::is_kind_of(definitions, typing.definition, name)
            }
            _ => self.type_name().is_some_and(|it| it == name),
        }
    }

    /// Whether it is of the named type. A few elements are strings of FHIRPath itself: ids of
    /// elements and URLs of extensions, and in R4 ids of resources.
    pub(super) fn is_of_named(&self, named: &NamedType) -> bool {
        match named {
            NamedType::Fhir(definition) => self.is_of(definition.name),
            NamedType::System(system) => match self.typing {
                None => self.scalar_type() == Some(*system),
                Some(typing) => {
                    *system == types::SystemType::String
                        && typing
                            .element
                            .is_some_and(|it| is_system_string(it, self.definitions))
                }
            },
            NamedType::Nothing => false,
        }
    }

    fn scalar_type(&self) -> Option<types::SystemType> {
        let value = self.value?;
        Some(match value.kind() {
            Kind::Boolean => types::SystemType::Boolean,
            Kind::String => types::SystemType::String,
            Kind::Number if value.raw().contains(['.', 'e', 'E']) => types::SystemType::Decimal,
            Kind::Number => types::SystemType::Integer,
            _ => return None,
        })
    }

    /// Adds the children of that name, arrays taken apart.
    pub fn child(&self, name: &str, into: &mut impl FnMut(Node<'d>)) {
        let Some(object) = self.object() else { return };
        let (Some(typing), Some(definitions)) = (self.typing, self.definitions) else {
            self.take(object, name, None, into);
            return;
        };
        if let Some(child) = definitions.child(typing.shape, name) {
            self.take(object, name, Some(&child), into);
        } else if has_choice(definitions, typing.shape, name) {
            self.chosen(object, typing.shape, name, into);
        } else {
            self.take(object, name, None, into);
        }
    }

    /// Adds all children in the order of the document.
    pub fn children(&self, into: &mut impl FnMut(Node<'d>)) {
        let Some(object) = self.object() else { return };
        let is_resource = self.type_name().is_some();
        for member in object.members() {
            let bare = match member.name.strip_prefix('_') {
                Some(bare) if object.get(bare).is_some() => continue,
                Some(bare) => bare,
                None => &member.name,
            };
            if !(bare == "resourceType" && is_resource) {
                let child = self.definition_of(bare);
                self.take(object, bare, child.as_ref(), into);
            }
        }
    }

    fn definition_of(&self, name: &str) -> Option<Child> {
        self.definitions?.child(self.typing?.shape, name)
    }

    /// What holds its children: of a primitive the sibling.
    fn object(&self) -> Option<Value<'d>> {
        if self.is_primitive() {
            self.sibling
        } else {
            self.value
        }
    }

    fn chosen(&self, object: Value<'d>, shape: Shape, name: &str, into: &mut impl FnMut(Node<'d>)) {
        for member in object.members() {
            let bare = match member.name.strip_prefix('_') {
                Some(bare) if object.get(bare).is_some() => continue,
                Some(bare) => bare,
                None => &member.name,
            };
            if !bare.starts_with(name) {
                continue;
            }
            let child = self.definitions.and_then(|it| it.child(shape, bare));
            if let Some(child) = child.filter(|it| it.element.name == name) {
                self.take(object, bare, Some(&child), into);
            }
        }
    }

    /// Takes the member of that name and its sibling apart.
    fn take(
        &self,
        object: Value<'d>,
        name: &str,
        child: Option<&Child>,
        into: &mut impl FnMut(Node<'d>),
    ) {
        let value = object.get(name);
        let sibling = if object.has_siblings() {
            object.sibling(name)
        } else {
            None
        };
        let typing = child.map(Typing::of).or_else(|| self.extension(name));
        let is_array = |it: Option<Value<'_>>| it.is_some_and(|it| it.kind() == Kind::Array);
        if !is_array(value) && !is_array(sibling) {
            self.found(value, sibling, typing, into);
            return;
        }
        let mut values = value.into_iter().flat_map(Value::items);
        let mut siblings = sibling.into_iter().flat_map(Value::items);
        loop {
            let pair = (values.next(), siblings.next());
            if let (None, None) = pair {
                return;
            }
            self.found(pair.0, pair.1, typing, into);
        }
    }

    fn found(
        &self,
        value: Option<Value<'d>>,
        sibling: Option<Value<'d>>,
        typing: Option<Typing>,
        into: &mut impl FnMut(Node<'d>),
    ) {
        let present = |it: &Value<'d>| !it.is_null();
        let (value, sibling) = (value.filter(present), sibling.filter(present));
        if value.is_some() || sibling.is_some() {
            into(
                Self {
                    value,
                    sibling,
                    definitions: self.definitions,
                    typing,
                }
                .retyped(),
            );
        }
    }

    /// Extensions are the same everywhere, also below what has no definition.
    fn extension(&self, name: &str) -> Option<Typing> {
        if name != "extension" {
            return None;
        }
        let definition = self.definitions?.type_named("Extension")?;
        Some(Typing {
            definition,
            shape: definition.shape,
            element: None,
        })
    }

    /// A resource has the type that it names.
    fn retyped(mut self) -> Self {
        let may_be_resource = self
            .typing
            .is_none_or(|it| it.definition.kind == TypeKind::Resource);
        let Some(definitions) = self.definitions.filter(|_| may_be_resource) else {
            return self;
        };
        let name = self
            .value
            .and_then(|it| it.get("resourceType"))
            .and_then(Value::as_str);
        if let Some(definition) = name.and_then(|it| definitions.resource(&it)) {
            let element = self.typing.and_then(|it| it.element);
            self.typing = Some(Typing {
                definition,
                shape: definition.shape,
                element,
            });
        }
        self
    }
}

impl Typing {
    fn of(child: &Child) -> Self {
        Self {
            definition: child.definition,
            shape: child.chosen.shape,
            element: Some(child.element),
        }
    }
}

fn has_choice(definitions: &Definitions, shape: Shape, name: &str) -> bool {
    let elements = definitions.elements(shape);
    elements.iter().any(|it| it.is_choice && it.name == name)
}

fn is_system_string(element: &ElementDefinition, definitions: Option<&Definitions>) -> bool {
    let names_ids = definitions.is_some_and(|it| it.version() > crate::FhirVersion::Stu3);
    names_ids && (element.is_attribute || element.name == "id")
}
