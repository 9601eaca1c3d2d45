//! Search expressions as one walk over a resource.
//!
//! All expressions of a resource type are compiled ([`compile`]) to ways through its tree, and the
//! ways are laid into one tree of steps, so that a common beginning is gone once. Walking it
//! copies and allocates nothing.

mod compile;
mod fault;

use fhir::definitions::ElementDefinition;
use fhir::json::{Kind as JsonKind, Value};
use fhir::{Definitions, FhirVersion};

use crate::value::{Datatype, Kind, Sink};

pub use crate::value::Found;
pub(crate) use compile::{Compiler, Term};
pub use fault::ProgramFault;

/// One step on a way through a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the member of that name in JSON, and to each of its items.
    Member(Box<str>),
    /// To one item of the member of that name.
    Item(Box<str>, usize),
    /// Stay if it holds.
    Where(Condition),
    /// To whether any of the ways leads to something other than `false`.
    Truth(Vec<Way>),
    /// Back to the whole resource.
    Resource,
}

/// What must hold for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It is a reference to a resource of that type.
    RefersTo(&'static str),
    /// It is a resource of that type.
    IsResource(&'static str),
    /// Its member has that text.
    Reads(Box<str>, Box<str>),
    /// One of the ways leads to something.
    Exists(Vec<Way>),
}

/// Steps from a value to others.
pub(crate) type Way = Vec<Step>;

/// What lies at the end of a way, and for what it is indexed.
#[derive(Debug)]
struct Yield {
    kind: Kind,
    sinks: Vec<Sink>,
}

/// The ways of many expressions, laid together.
#[derive(Debug, Default)]
pub(crate) struct Program {
    start: Node,
    /// How many bases number their groups.
    bases: u16,
}

#[derive(Debug, Default)]
struct Node {
    steps: Vec<(Step, Node)>,
    yields: Vec<Yield>,
    /// Where a base of composites ends: each value begins a group of it.
    groups: Vec<(u16, Node)>,
}

/// A base of composite parameters; its values are groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base(u16);

impl Program {
    /// Adds a way whose values are indexed by the sink.
    pub(crate) fn add(&mut self, way: &[Step], kind: Kind, sink: Sink) {
        self.start.reach(way).yields_to(kind, sink);
    }

    /// Adds a base of composites. Its groups are numbered over all of its ways.
    pub(crate) fn base(&mut self, ways: &[Way]) -> Base {
        let base = self.bases;
        self.bases += 1;
        for way in ways {
            self.start.reach(way).groups.push((base, Node::default()));
        }
        Base(base)
    }

    /// Adds a way from the values of a base.
    pub(crate) fn add_below(
        &mut self,
        base: Base,
        base_way: &[Step],
        way: &[Step],
        kind: Kind,
        sink: Sink,
    ) {
        let groups = self.start.reach(base_way).groups.iter_mut();
        for (_, node) in groups.filter(|it| it.0 == base.0) {
            node.reach(way).yields_to(kind, sink);
        }
    }

    /// Calls `found` with everything that is reached, for each sink: the group, and what it is.
    /// Whether all groups could be told apart.
    pub(crate) fn walk<'d>(
        &self,
        resource: Value<'d>,
        found: &mut dyn FnMut(Sink, u16, Found<'d>, &Kind),
    ) -> bool {
        let mut walk = Walk {
            resource,
            groups: vec![0; self.bases.into()],
            found,
        };
        walk.node(&self.start, resource, 0);
        walk.groups.iter().all(|it| *it < u16::MAX)
    }
}

impl Node {
    /// The node at the end of a way.
    fn reach(&mut self, way: &[Step]) -> &mut Self {
        let Some((step, rest)) = way.split_first() else {
            return self;
        };
        let known = self.steps.iter().position(|it| it.0 == *step);
        let place = known.unwrap_or_else(|| {
            self.steps.push((step.clone(), Self::default()));
            self.steps.len() - 1
        });
        self.steps[place].1.reach(rest)
    }

    fn yields_to(&mut self, kind: Kind, sink: Sink) {
        match self.yields.iter_mut().find(|it| it.kind == kind) {
            Some(it) => it.sinks.push(sink),
            None => self.yields.push(Yield {
                kind,
                sinks: vec![sink],
            }),
        }
    }
}

struct Walk<'d, 'f> {
    resource: Value<'d>,
    /// By base: the next group.
    groups: Vec<u16>,
    found: &'f mut dyn FnMut(Sink, u16, Found<'d>, &Kind),
}

impl<'d> Walk<'d, '_> {
    fn node(&mut self, node: &Node, value: Value<'d>, group: u16) {
        match value.kind() {
            JsonKind::Array => value.items().for_each(|it| self.node(node, it, group)),
            JsonKind::Null => {}
            _ => {
                self.yields(node, group, Found::Element(value));
                for (base, next) in &node.groups {
                    let counter = &mut self.groups[usize::from(*base)];
                    let group = *counter;
                    *counter = group.saturating_add(1);
                    self.node(next, value, group);
                }
                for (step, next) in &node.steps {
                    self.step(step, next, value, group);
                }
            }
        }
    }

    fn yields(&mut self, node: &Node, group: u16, found: Found<'d>) {
        for it in &node.yields {
            for sink in &it.sinks {
                (self.found)(*sink, group, found, &it.kind);
            }
        }
    }

    fn step(&mut self, step: &Step, next: &Node, value: Value<'d>, group: u16) {
        match step {
            Step::Member(name) => {
                if let Some(member) = value.get(name) {
                    self.node(next, member, group);
                }
            }
            Step::Item(name, place) => {
                if let Some(item) = item(value, name, *place) {
                    self.node(next, item, group);
                }
            }
            Step::Where(condition) => {
                if condition.holds(self.resource, value) {
                    self.node(next, value, group);
                }
            }
            Step::Truth(ways) => {
                let is_other = |it: Value<'_>| it.as_bool() != Some(false);
                let truth = ways
                    .iter()
                    .any(|way| leads(way, self.resource, value, is_other));
                self.yields(next, group, Found::Truth(truth));
            }
            Step::Resource => self.node(next, self.resource, group),
        }
    }
}

fn item<'d>(value: Value<'d>, name: &str, place: usize) -> Option<Value<'d>> {
    let member = value.get(name)?;
    match member.kind() {
        JsonKind::Array => member.items().nth(place),
        _ => (place == 0).then_some(member),
    }
}

/// Whether the way leads to a value that is as wanted.
fn leads(
    way: &[Step],
    resource: Value<'_>,
    value: Value<'_>,
    is_wanted: fn(Value<'_>) -> bool,
) -> bool {
    match value.kind() {
        JsonKind::Array => {
            let mut items = value.items();
            return items.any(|it| leads(way, resource, it, is_wanted));
        }
        JsonKind::Null => return false,
        _ => {}
    }
    let Some((step, rest)) = way.split_first() else {
        return is_wanted(value);
    };
    let next = match step {
        Step::Member(name) => value.get(name),
        Step::Item(name, place) => item(value, name, *place),
        Step::Where(condition) => condition.holds(resource, value).then_some(value),
        Step::Resource => Some(resource),
        Step::Truth(_) => None,
    };
    next.is_some_and(|it| leads(rest, resource, it, is_wanted))
}

impl Condition {
    fn holds(&self, resource: Value<'_>, value: Value<'_>) -> bool {
        match self {
            Self::RefersTo(resource_type) => refers_to(resource, value, resource_type),
            Self::IsResource(resource_type) => is_resource(value, resource_type),
            Self::Reads(member, text) => value.get(member).is_some_and(|it| it.is_str(text)),
            Self::Exists(ways) => ways.iter().any(|way| leads(way, resource, value, |_| true)),
        }
    }
}

fn is_resource(value: Value<'_>, resource_type: &str) -> bool {
    let given = value.get("resourceType");
    given.is_some_and(|it| it.is_str(resource_type))
}

/// Whether a reference says by itself that it leads to that type: by its URL, by its `type`, or by
/// leading to a contained resource. Nothing is resolved here.
fn refers_to(resource: Value<'_>, reference: Value<'_>, resource_type: &str) -> bool {
    let (literal, said) = match reference.kind() {
        JsonKind::Object => (reference.get("reference"), reference.get("type")),
        _ => (Some(reference), None),
    };
    if said.is_some_and(|it| it.is_str(resource_type)) {
        return true;
    }
    let Some(text) = literal.and_then(Value::as_str) else {
        return false;
    };
    if let Some(id) = text.strip_prefix('#') {
        let contained = resource.get("contained");
        let mut contained = contained.into_iter().flat_map(Value::items);
        let is_it = |it: &Value<'_>| it.get("id").is_some_and(|it| it.is_str(id));
        return match id {
            "" => is_resource(resource, resource_type),
            _ => contained
                .find(is_it)
                .is_some_and(|it| is_resource(it, resource_type)),
        };
    }
    let text = text.split_once("/_history/").map_or(&*text, |it| it.0);
    text.rsplit('/').nth(1) == Some(resource_type)
}

/// What an expression reaches in a resource of that type: elements of all types, and truths.
pub fn reached<'d>(
    version: FhirVersion,
    resource_type: &'static str,
    expression: &str,
    resource: Value<'d>,
) -> Result<Vec<Found<'d>>, ProgramFault> {
    let definitions = Definitions::of(version);
    let definition = definitions.resource(resource_type);
    let definition = definition.ok_or(ProgramFault::OtherType(resource_type))?;
    let kind = Kind {
        datatype: Datatype::Code,
        system: None,
    };
    let mut program = Program::default();
    for term in Compiler::new(definitions, definition).expression(expression)? {
        for place in &term.places {
            program.add(&place.way, kind, Sink::String(0));
        }
    }
    let mut reached = Vec::new();
    program.walk(resource, &mut |_, _, found, _| reached.push(found));
    Ok(reached)
}

/// How an element of that type is called in JSON: `value` and `Quantity` make `valueQuantity`.
pub(crate) fn spelled(element: &ElementDefinition, type_name: &str) -> String {
    if !element.is_choice {
        return element.name.to_owned();
    }
    let (first, rest) = type_name.split_at(1);
    [element.name, &first.to_ascii_uppercase(), rest].concat()
}
