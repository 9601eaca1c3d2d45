//! Shapes: which elements are the children of what, and which child a name means.
//!
//! Names of choices (`valueQuantity`) are found by their parts and nowhere stored.

use std::collections::HashMap;
use std::ops::Range;

use super::element::{ElementDefinition, ElementType, Shape};
use super::table::ELEMENTS;

/// The rows of the elements that are the children of each path.
pub(super) struct Rows {
    by_path: HashMap<&'static str, Shape>,
    ranges: Vec<Range<usize>>,
}

impl Rows {
    /// Finds where the parent changes from row to row.
    pub(super) fn read(elements: &'static str) -> Self {
        let mut by_path = HashMap::new();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut previous = "";
        for (row, [path, ..]) in ELEMENTS.rows(elements).enumerate() {
            let (parent, _) = path.rsplit_once('.').unwrap_or_default();
            if parent != previous {
                by_path.insert(parent, Shape(number(ranges.len())));
                ranges.push(row..row);
                previous = parent;
            }
            ranges.last_mut().expect("a path has a parent").end = row + 1;
        }
        Self { by_path, ranges }
    }

    /// The shape of the children of what is at a path; `None` if it has none of its own.
    pub(super) fn shape(&self, path: &str) -> Option<Shape> {
        self.by_path.get(path).copied()
    }
}

/// A place in a table, which has far fewer rows than this can count.
pub(super) fn number(place: usize) -> u32 {
    u32::try_from(place).expect("tables have thousands of rows")
}

/// All elements, and the children of each shape by name.
pub(super) struct Shapes {
    /// Shape after shape.
    elements: &'static [ElementDefinition],
    /// By shape.
    children: Vec<Children>,
    /// Shape after shape: the elements that are no choices, ascending.
    names: Vec<PlainName>,
    /// Shape after shape: the places of the choices.
    choices: Vec<u32>,
}

/// Where the children of a shape are found.
struct Children {
    elements: Range<usize>,
    names: Range<usize>,
    choices: Range<usize>,
}

/// The name of an element that is no choice. Names ascend by head, then by name, which is their
/// order as text; comparing the heads as numbers saves a third of a lookup.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct PlainName {
    /// The first eight bytes, the first the most significant; zeros fill up.
    head: u64,
    name: &'static str,
    /// The place among all elements.
    element: u32,
}

/// An element and the type that a name chose.
type Found = (&'static ElementDefinition, &'static ElementType);

impl Shapes {
    /// Indexes the elements that stand in `rows`.
    pub(super) fn new(elements: Vec<ElementDefinition>, rows: Rows) -> Self {
        let mut shapes = Self {
            names: Vec::with_capacity(elements.len()),
            children: Vec::with_capacity(rows.ranges.len()),
            choices: Vec::new(),
            elements: elements.leak(),
        };
        for elements in rows.ranges {
            shapes.add(elements);
        }
        shapes
    }

    fn add(&mut self, elements: Range<usize>) {
        let (first_name, first_choice) = (self.names.len(), self.choices.len());
        for place in elements.clone() {
            let element = &self.elements[place];
            if element.is_choice {
                self.choices.push(number(place));
            } else {
                self.names.push(PlainName {
                    head: head(element.name),
                    name: element.name,
                    element: number(place),
                });
            }
        }
        self.names[first_name..].sort_unstable();
        self.children.push(Children {
            elements,
            names: first_name..self.names.len(),
            choices: first_choice..self.choices.len(),
        });
    }

    /// The elements of a shape in the order of the definition.
    pub(super) fn elements(&self, shape: Shape) -> &'static [ElementDefinition] {
        &self.elements[self.children[shape.0 as usize].elements.clone()]
    }

    /// The child of that name.
    pub(super) fn child(&self, shape: Shape, name: &str) -> Option<Found> {
        let children = &self.children[shape.0 as usize];
        self.plain(children, name)
            .or_else(|| self.choice(children, name))
    }

    fn plain(&self, children: &Children, name: &str) -> Option<Found> {
        let names = &self.names[children.names.clone()];
        let head = head(name);
        let order = |it: &PlainName| it.head.cmp(&head).then_with(|| it.name.cmp(name));
        let place = names.binary_search_by(order).ok()?;
        let element = &self.elements[names[place].element as usize];
        Some((element, element.types.first()?))
    }

    /// A shape has few choices, so they are tried one after the other.
    fn choice(&self, children: &Children, name: &str) -> Option<Found> {
        let choices = &self.choices[children.choices.clone()];
        choices.iter().find_map(|place| {
            let element = &self.elements[*place as usize];
            let type_name = name.strip_prefix(element.name)?.as_bytes();
            let mut types = element.types.iter();
            let chosen = types.find(|it| is_capitalized(it.name.as_bytes(), type_name))?;
            Some((element, chosen))
        })
    }
}

fn head(name: &str) -> u64 {
    let mut head = [0; 8];
    let length = name.len().min(head.len());
    head[..length].copy_from_slice(&name.as_bytes()[..length]);
    u64::from_be_bytes(head)
}

/// Whether the text is the type's name with a capital first letter.
fn is_capitalized(name: &[u8], text: &[u8]) -> bool {
    match (name, text) {
        ([name_first, name @ ..], [text_first, text @ ..]) => {
            name_first.to_ascii_uppercase() == *text_first && name == text
        }
        _ => false,
    }
}
