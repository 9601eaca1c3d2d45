//! The elements read from XML, and the JSON text that they make.
//!
//! A flat list of nodes joined by indexes, because XML may scatter the repetitions of an element,
//! which JSON has in one array.

use crate::definitions::{Child, TypeDefinition, TypeKind};
use crate::json::{Kind, write_string};
use crate::primitive::Primitive;

/// An element or attribute.
pub(super) struct Node {
    /// What its name was resolved to; the root has none.
    pub(super) child: Option<Child>,
    /// Its type; of an element that holds a resource, that resource's.
    pub(super) definition: &'static TypeDefinition,
    /// A primitive's value within [`Tree::values`].
    pub(super) value: Option<(u32, u32)>,
    first: u32,
    last: u32,
    next: u32,
}

/// No node: the root, which has index 0, is nobody's child.
const NONE: u32 = 0;

pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    values: String,
}

impl Tree {
    pub(super) fn new(root: &'static TypeDefinition) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            values: String::new(),
        };
        tree.push(None, root);
        tree
    }

    fn push(&mut self, child: Option<Child>, definition: &'static TypeDefinition) {
        self.nodes.push(Node {
            child,
            definition,
            value: None,
            first: NONE,
            last: NONE,
            next: NONE,
        });
    }

    /// Appends a child and gives its index.
    pub(super) fn add(&mut self, parent: u32, child: Child) -> u32 {
        let index = position(self.nodes.len());
        self.push(Some(child), child.definition);
        let last = self.nodes[parent as usize].last;
        if last == NONE {
            self.nodes[parent as usize].first = index;
        } else {
            self.nodes[last as usize].next = index;
        }
        self.nodes[parent as usize].last = index;
        index
    }

    pub(super) fn set_value(&mut self, node: u32, value: &str) {
        let start = position(self.values.len());
        self.values.push_str(value);
        self.nodes[node as usize].value = Some((start, position(self.values.len())));
    }

    /// How many children of that name a node has.
    pub(super) fn count(&self, parent: u32, child: &Child) -> usize {
        self.children(parent)
            .filter(|it| is_same(self.child(*it), child))
            .count()
    }

    fn children(&self, parent: u32) -> impl Iterator<Item = u32> + '_ {
        let present = |at: u32| (at != NONE).then_some(at);
        let first = present(self.nodes[parent as usize].first);
        std::iter::successors(first, move |at| present(self.nodes[*at as usize].next))
    }

    fn child(&self, node: u32) -> &Child {
        let child = self.nodes[node as usize].child.as_ref();
        child.expect("only the root has no definition as a child")
    }

    /// The JSON text of the resource.
    pub(super) fn json(&self) -> String {
        let mut text = String::with_capacity(self.values.len() * 2);
        self.write_object(0, &mut text);
        text
    }

    /// Recursion is bounded by the depth that reading allowed.
    fn write_object(&self, node: u32, into: &mut String) {
        let definition = self.nodes[node as usize].definition;
        into.push('{');
        let mut is_first = true;
        if definition.kind == TypeKind::Resource {
            into.push_str("\"resourceType\":");
            write_string(definition.name, into);
            is_first = false;
        }
        for group in self.groups(node) {
            let [first, ..] = *group else { continue };
            if !is_first {
                into.push(',');
            }
            is_first = false;
            let child = self.child(first);
            if child.element.max == Some(1) {
                self.write_single(first, into);
            } else {
                self.write_array(&group, into);
            }
        }
        into.push('}');
    }

    /// The children by name, in the order in which names first occur.
    fn groups(&self, parent: u32) -> Vec<Vec<u32>> {
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut current = 0;
        for node in self.children(parent) {
            let belongs = |group: &Vec<u32>| is_same(self.child(group[0]), self.child(node));
            if !groups.get(current).is_some_and(belongs) {
                current = groups.iter().position(belongs).unwrap_or(groups.len());
            }
            match groups.get_mut(current) {
                Some(group) => group.push(node),
                None => groups.push(vec![node]),
            }
        }
        groups
    }

    fn write_single(&self, node: u32, into: &mut String) {
        let has_value = self.has_value(node);
        if has_value {
            self.write_name("", node, into);
            self.write_value(node, into);
        }
        if self.has_sibling(node) {
            into.push_str(if has_value { "," } else { "" });
            self.write_name("_", node, into);
            self.write_object(node, into);
        } else if !has_value {
            self.write_name("", node, into);
            into.push_str("null");
        }
    }

    fn write_array(&self, group: &[u32], into: &mut String) {
        let any_value = group.iter().any(|node| self.has_value(*node));
        let any_sibling = group.iter().any(|node| self.has_sibling(*node));
        if any_value || !any_sibling {
            self.write_name("", group[0], into);
            self.write_items(group, Self::has_value, Self::write_value, into);
        }
        if any_sibling {
            into.push_str(if any_value { "," } else { "" });
            self.write_name("_", group[0], into);
            self.write_items(group, Self::has_sibling, Self::write_object, into);
        }
    }

    fn write_items(
        &self,
        group: &[u32],
        is_there: fn(&Self, u32) -> bool,
        write: fn(&Self, u32, &mut String),
        into: &mut String,
    ) {
        for (at, node) in group.iter().enumerate() {
            into.push(if at == 0 { '[' } else { ',' });
            if is_there(self, *node) {
                write(self, *node, into);
            } else {
                into.push_str("null");
            }
        }
        into.push(']');
    }

    /// A primitive may lack a value, anything else is one.
    fn has_value(&self, node: u32) -> bool {
        let node = &self.nodes[node as usize];
        node.definition.kind != TypeKind::Primitive || node.value.is_some()
    }

    fn has_sibling(&self, node: u32) -> bool {
        let node = &self.nodes[node as usize];
        node.definition.kind == TypeKind::Primitive && node.first != NONE
    }

    fn write_name(&self, prefix: &str, node: u32, into: &mut String) {
        let child = self.child(node);
        into.push('"');
        into.push_str(prefix);
        into.push_str(child.element.name);
        if child.element.is_choice {
            let mut type_name = child.chosen.name.chars();
            into.extend(type_name.next().map(|it| it.to_ascii_uppercase()));
            into.push_str(type_name.as_str());
        }
        into.push_str("\":");
    }

    fn write_value(&self, node: u32, into: &mut String) {
        let Node {
            value, definition, ..
        } = &self.nodes[node as usize];
        let Some((start, end)) = *value else {
            return self.write_object(node, into);
        };
        let text = &self.values[start as usize..end as usize];
        let kind = Primitive::named(definition.name).map(|it| it.kind);
        let is_bare = match kind {
            Some(Kind::Boolean) => matches!(text, "true" | "false"),
            Some(Kind::Number) => is_number(text),
            _ => false,
        };
        if is_bare {
            into.push_str(text);
        } else {
            write_string(text, into);
        }
    }
}

/// Whether two children have the same name.
fn is_same(left: &Child, right: &Child) -> bool {
    std::ptr::eq(left.element, right.element) && std::ptr::eq(left.chosen, right.chosen)
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("the text is shorter than 4 GiB")
}

/// Whether JSON would take the text as a number.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let without_sign = |it: &str| digits(it.strip_prefix(['+', '-']).unwrap_or(it));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(without_sign)
}
