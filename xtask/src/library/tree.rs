//! The rows of a map as the tree of the resource that they make, checked against FHIR's definitions.

use std::collections::{BTreeMap, BTreeSet};

use fhir::FhirVersion;
use fhir::definitions::{BindingStrength, Child, Definitions, Shape, TypeKind};

use super::attribute::{Step, Target};

/// What a row writes.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A fixed text.
    Constant(String),
    /// Texts and paths, one after the other.
    Joined(Vec<Piece>),
    /// A path, turned into a primitive by these filters.
    Primitive(String),
    /// A path, given to a partial that writes a text or members.
    Partial {
        name: String,
        vocabulary: Option<String>,
    },
}

/// A part of a text that is put together.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Path(String),
}

/// A value, the field that it is of, and when it is written.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) field: usize,
    pub(super) repeats: bool,
    pub(super) condition: Option<String>,
    pub(super) value: Value,
}

/// An object: members, and partials that write more of them.
#[derive(Debug)]
pub(super) struct Object {
    shape: Shape,
    pub(super) members: Vec<Member>,
    pub(super) partials: Vec<Leaf>,
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) is_list: bool,
    pub(super) type_name: &'static str,
    pub(super) is_primitive: bool,
    pub(super) items: BTreeMap<(usize, String), Item>,
}

/// An item of a member; a member that is no list may have several of which the last counts.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) object: Object,
    /// Of primitives.
    pub(super) values: Vec<Leaf>,
    /// The resource that is referred to.
    pub(super) nested: Option<Nested>,
}

/// A resource that another refers to.
#[derive(Debug)]
pub(super) struct Nested {
    pub(super) resource: String,
    pub(super) object: Object,
}

impl Object {
    /// An empty resource; none if R4 has none of that name.
    pub(super) fn resource(name: &str) -> Option<Self> {
        let definition = Definitions::of(FhirVersion::R4).resource(name)?;
        Some(Self::of(definition.shape))
    }

    fn of(shape: Shape) -> Self {
        Self {
            shape,
            members: Vec::new(),
            partials: Vec::new(),
        }
    }

    /// Puts a row where its steps lead; what is wrong with them otherwise.
    pub(super) fn put(&mut self, steps: &[Step], leaf: Leaf) -> Result<(), String> {
        let Some((step, rest)) = steps.split_first() else {
            self.partials.push(leaf);
            return Ok(());
        };
        let child = Definitions::of(FhirVersion::R4).child(self.shape, &step.name);
        let child = child.ok_or_else(|| format!("R4 has no element `{}` there", step.name))?;
        // `recorder.reference(Practitioner.name)` is said of `recorder`.
        let (target, rest) = match rest.first() {
            Some(next) if next.name == "reference" && next.target.is_some() => {
                (&next.target, &rest[1..])
            }
            _ => (&step.target, rest),
        };
        let key = target.as_ref().map_or("", |it| &it.resource);
        let member = self.member(&step.name, &child);
        let is_primitive = member.is_primitive;
        let item = member.item((step.item, key.to_owned()), &child);
        match target {
            Some(target) => item.nested(target, leaf),
            None if rest.is_empty() && is_primitive => {
                item.values.push(leaf);
                Ok(())
            }
            None => item.object.put(rest, leaf),
        }
    }

    /// Puts together what is said of one reference in several rows: where it leads, and what else is
    /// said of it (`performer[1](PractitionerRole)` and `performer[1].extension`).
    pub(super) fn join(&mut self) {
        for member in &mut self.members {
            member.join();
            for item in member.items.values_mut() {
                item.object.join();
                if let Some(nested) = &mut item.nested {
                    nested.object.join();
                }
            }
        }
    }

    /// The paths of the elements that FHIR demands.
    pub(super) fn required(&self) -> impl Iterator<Item = &'static str> {
        let elements = Definitions::of(FhirVersion::R4).elements(self.shape);
        elements.iter().filter(|it| it.min > 0).map(|it| it.path)
    }

    fn member(&mut self, name: &str, child: &Child) -> &mut Member {
        if let Some(at) = self.members.iter().position(|it| it.name == name) {
            return &mut self.members[at];
        }
        self.members.push(Member {
            name: name.to_owned(),
            is_list: child.element.max != Some(1),
            type_name: child.chosen.name,
            is_primitive: child.definition.kind == TypeKind::Primitive,
            items: BTreeMap::new(),
        });
        self.members.last_mut().expect("one was pushed just now")
    }

    /// The fields that it is made of.
    pub(super) fn fields(&self) -> BTreeSet<usize> {
        self.leaves().iter().map(|it| it.field).collect()
    }

    /// All leaves below, those of nested resources too.
    pub(super) fn leaves(&self) -> Vec<&Leaf> {
        let mut found: Vec<&Leaf> = self.partials.iter().collect();
        for item in self.members.iter().flat_map(|it| it.items.values()) {
            found.extend(item.leaves());
        }
        found
    }
}

impl Member {
    fn join(&mut self) {
        let bare: Vec<usize> = self
            .items
            .keys()
            .filter(|it| it.1.is_empty())
            .map(|it| it.0)
            .collect();
        for number in bare {
            let is_of_it = |it: &&(usize, String)| it.0 == number && !it.1.is_empty();
            let mut others = self.items.keys().filter(is_of_it);
            let (Some(key), None) = (others.next().cloned(), others.next()) else {
                continue;
            };
            let Some(bare) = self.items.remove(&(number, String::new())) else {
                continue;
            };
            if let Some(item) = self.items.get_mut(&key) {
                item.object.members.extend(bare.object.members);
                item.object.partials.extend(bare.object.partials);
            }
        }
    }

    fn item(&mut self, key: (usize, String), child: &Child) -> &mut Item {
        let shape = child.chosen.shape;
        self.items.entry(key).or_insert_with(|| Item {
            object: Object::of(shape),
            values: Vec::new(),
            nested: None,
        })
    }
}

impl Item {
    fn nested(&mut self, target: &Target, leaf: Leaf) -> Result<(), String> {
        if self.nested.is_none() {
            let resource = &target.resource;
            let object = Object::resource(resource)
                .ok_or_else(|| format!("R4 has no resource `{resource}`"))?;
            self.nested = Some(Nested {
                resource: resource.clone(),
                object,
            });
        }
        match &mut self.nested {
            Some(nested) => nested.object.put(&target.steps, leaf),
            None => Ok(()),
        }
    }

    /// All leaves of the item.
    pub(super) fn leaves(&self) -> Vec<&Leaf> {
        let mut found: Vec<&Leaf> = self.values.iter().collect();
        found.extend(self.object.leaves());
        if let Some(nested) = &self.nested {
            found.extend(nested.object.leaves());
        }
        found
    }

    /// The fields that it is made of.
    pub(super) fn fields(&self) -> BTreeSet<usize> {
        self.leaves().iter().map(|it| it.field).collect()
    }

    /// Whether it has fixed values, which are written only with others.
    pub(super) fn has_constants(&self) -> bool {
        let is_constant = |it: &&Leaf| matches!(it.value, Value::Constant(_));
        self.leaves().iter().any(is_constant)
    }

    /// The condition that all of it has.
    pub(super) fn condition(&self) -> Option<String> {
        let leaves = self.leaves();
        let first = leaves.first()?.condition.clone()?;
        let all = leaves
            .iter()
            .all(|it| it.condition.as_ref() == Some(&first));
        all.then_some(first)
    }
}

/// Where a path ends.
pub(super) struct End {
    pub(super) type_name: &'static str,
    pub(super) is_primitive: bool,
    pub(super) is_resource: bool,
    /// Whether only codes of one value set are valid.
    pub(super) demands_codes: bool,
}

impl Object {
    /// The type at the end of the steps.
    pub(super) fn end(&self, steps: &[Step]) -> Result<End, String> {
        end(self.shape, steps)
    }
}

fn end(shape: Shape, steps: &[Step]) -> Result<End, String> {
    let definitions = Definitions::of(FhirVersion::R4);
    let Some((step, rest)) = steps.split_first() else {
        return Ok(End {
            type_name: "Resource",
            is_primitive: false,
            is_resource: true,
            demands_codes: false,
        });
    };
    let child = definitions.child(shape, &step.name);
    let child = child.ok_or_else(|| format!("R4 has no element `{}` there", step.name))?;
    if let Some(target) = &step.target {
        let resource = &target.resource;
        let found = definitions.resource(resource);
        let found = found.ok_or_else(|| format!("R4 has no resource `{resource}`"))?;
        return end(found.shape, &target.steps);
    }
    if rest.is_empty() {
        return Ok(End {
            type_name: child.chosen.name,
            is_primitive: child.definition.kind == TypeKind::Primitive,
            is_resource: false,
            demands_codes: child
                .element
                .binding
                .as_ref()
                .is_some_and(|it| it.strength == BindingStrength::Required && it.codes.is_some()),
        });
    }
    end(child.chosen.shape, rest)
}
