//! Putting a code system together, concept by concept.

use std::collections::HashMap;

use crate::terminology::canonical::Canonical;

use super::{CodeSystem, Concept, ConceptId, ContentMode, Hierarchy, PropertyValue, Span};

/// A code system that concepts are still added to.
pub(in crate::terminology) struct Builder {
    pub(in crate::terminology) url: Box<str>,
    pub(in crate::terminology) version: Option<Box<str>>,
    pub(in crate::terminology) content: ContentMode,
    pub(in crate::terminology) hierarchy: Hierarchy,
    pub(in crate::terminology) supplements: Option<Canonical>,
    text: String,
    concepts: Vec<Concept>,
    /// Lower and upper.
    edges: Vec<(ConceptId, ConceptId)>,
    /// Relations to concepts by code, which may be added later.
    links: Vec<Link>,
    names: Vec<Box<str>>,
    /// The places of the names: a system may have as many as concepts.
    known_names: HashMap<Box<str>, u32>,
    values: Vec<PropertyValue>,
}

struct Link {
    from: ConceptId,
    to: Span,
    goes: Direction,
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl Builder {
    pub(in crate::terminology) fn new(url: &str, content: ContentMode) -> Self {
        Self {
            url: url.into(),
            version: None,
            content,
            hierarchy: Hierarchy::Unsaid,
            supplements: None,
            text: String::new(),
            concepts: Vec::new(),
            edges: Vec::new(),
            links: Vec::new(),
            names: Vec::new(),
            known_names: HashMap::new(),
            values: Vec::new(),
        }
    }

    /// Adds a concept below the one it is nested in.
    pub(in crate::terminology) fn concept(
        &mut self,
        parent: Option<ConceptId>,
        code: &str,
        display: &str,
    ) -> ConceptId {
        let concept = ConceptId(place(self.concepts.len()));
        let code = self.keep(code);
        let display = self.keep(display);
        self.concepts.push(Concept { code, display });
        self.edges.extend(parent.map(|parent| (concept, parent)));
        concept
    }

    /// Gives a concept a property. `parent` and `child` are relations to other concepts, whatever
    /// the order means that they make (<https://hl7.org/fhir/R4/codesystem.html#defined-props>).
    pub(in crate::terminology) fn property(&mut self, of: ConceptId, name: &str, value: &str) {
        let value = self.keep(value);
        let goes = match name {
            "parent" => Direction::Up,
            "child" => Direction::Down,
            _ => {
                let name = self.name(name);
                let concept = of;
                let value = PropertyValue {
                    concept,
                    name,
                    value,
                };
                return self.values.push(value);
            }
        };
        self.links.push(Link {
            from: of,
            to: value,
            goes,
        });
    }

    /// Tells that a property of that name may occur.
    pub(in crate::terminology) fn declare(&mut self, name: &str) {
        self.name(name);
    }

    /// The finished system. Concepts of equal codes become one.
    pub(in crate::terminology) fn finish(mut self) -> CodeSystem {
        let renumbered = self.sort();
        let now = |it: &ConceptId| renumbered[it.0 as usize];
        let mut up: Vec<_> = self
            .edges
            .iter()
            .map(|(low, high)| (now(low), now(high)))
            .collect();
        for value in &mut self.values {
            value.concept = now(&value.concept);
        }
        self.values.sort_by_key(|it| it.concept);
        let mut system = CodeSystem {
            url: self.url,
            version: self.version,
            content: self.content,
            hierarchy: self.hierarchy,
            supplements: self.supplements,
            text: self.text.into(),
            concepts: self.concepts.into(),
            up: Box::default(),
            down: Box::default(),
            names: self.names.into(),
            values: self.values.into(),
        };
        up.extend(
            self.links
                .iter()
                .filter_map(|it| edge(&system, it, now(&it.from))),
        );
        up.retain(|(low, high)| low != high);
        let mut down: Vec<_> = up.iter().map(|(low, high)| (*high, *low)).collect();
        for edges in [&mut up, &mut down] {
            edges.sort_unstable();
            edges.dedup();
        }
        system.up = up.into();
        system.down = down.into();
        system
    }

    /// Orders the concepts by code and returns the new place of each.
    fn sort(&mut self) -> Vec<ConceptId> {
        let text = &self.text;
        let code = |it: &Concept| &text[it.code.start as usize..it.code.end as usize];
        let mut order: Vec<usize> = (0..self.concepts.len()).collect();
        order.sort_by_key(|at| code(&self.concepts[*at]));
        let mut renumbered = vec![ConceptId(0); order.len()];
        let mut sorted: Vec<Concept> = Vec::with_capacity(order.len());
        for at in order {
            let concept = &self.concepts[at];
            if sorted.last().is_none_or(|last| code(last) != code(concept)) {
                sorted.push(Concept {
                    code: concept.code.clone(),
                    display: concept.display.clone(),
                });
            }
            renumbered[at] = ConceptId(place(sorted.len() - 1));
        }
        self.concepts = sorted;
        renumbered
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = place(self.text.len());
        self.text.push_str(text);
        start..place(self.text.len())
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(known) = self.known_names.get(name) {
            return *known;
        }
        let at = place(self.names.len());
        self.names.push(name.into());
        self.known_names.insert(name.into(), at);
        at
    }
}

fn edge(system: &CodeSystem, link: &Link, from: ConceptId) -> Option<(ConceptId, ConceptId)> {
    let to = system.find(system.piece(&link.to))?;
    Some(match link.goes {
        Direction::Up => (from, to),
        Direction::Down => (to, from),
    })
}

/// Documents are shorter than 4 GiB, and so is what is taken from one.
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a system has less text than a document, which is below 4 GiB")
}
