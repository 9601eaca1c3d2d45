//! Values that occur in a world, written as a query writes them: so that queries hit.

use std::collections::BTreeMap;
use std::rc::Rc;

use fhir::fhirpath::{AsOperator, Environment, FhirPath, Item, Node};
use fhir::json::{Kind as Json, Value};
use fhir::{Definitions, FhirVersion, Instant};
use search::query::ParameterKind as Kind;
use search::registry::{Facets, Parameter, Registry};
use search::yardstick::Stored;

/// A value, as far as a query can ask for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sample {
    /// A text, a number, a date, a URI, or a code without a system.
    Plain(String),
    /// A code with its system, perhaps.
    Coded(Option<String>, String),
    /// What people read.
    Display(String),
    /// The type and value of an identifier.
    OfType(String),
    /// What a reference says.
    Reference(String),
    /// Its identifier.
    Logical(Option<String>, String),
    /// A number, and what can stand behind it.
    Quantity(String, Vec<String>),
    /// Latitude and longitude.
    Place(String, String),
    /// One of each component.
    Composite(Vec<Sample>),
}

/// The samples of a world, taken when they are asked for.
pub(super) struct Samples<'w> {
    version: FhirVersion,
    world: &'w [Stored],
    taken: BTreeMap<(&'static str, &'static str), Rc<Vec<Sample>>>,
}

impl<'w> Samples<'w> {
    pub(super) fn new(version: FhirVersion, world: &'w [Stored]) -> Self {
        Self {
            version,
            world,
            taken: BTreeMap::new(),
        }
    }

    /// What occurs of a parameter in resources of a type.
    pub(super) fn of(&mut self, kind: &'static str, parameter: &Parameter) -> Rc<Vec<Sample>> {
        let key = (kind, parameter.definition.code);
        if let Some(taken) = self.taken.get(&key) {
            return Rc::clone(taken);
        }
        let samples = Rc::new(self.take(kind, parameter));
        self.taken.insert(key, Rc::clone(&samples));
        samples
    }

    fn take(&self, kind: &str, parameter: &Parameter) -> Vec<Sample> {
        let registry = Registry::of(self.version);
        let searched = Kind::of(&parameter.facets);
        if searched == Kind::Words {
            return Vec::new();
        }
        let Some(expression) = registry.expression(parameter.definition) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for stored in self.world.iter().filter(|it| it.kind == kind) {
            let root = Node::resource(Definitions::of(self.version), stored.content.root());
            match &parameter.facets {
                Facets::Composite(components) => {
                    let parts = registry.components(parameter.definition);
                    self.each(expression, root, &mut |base| {
                        let Item::Node(base) = base else { return };
                        let mut together = Vec::new();
                        for (part, of) in parts.iter().zip(components) {
                            let mut found = Vec::new();
                            self.each(part.expression, *base, &mut |it| {
                                samples(Kind::of(&of.facets), it, &mut found);
                            });
                            let wanted = found
                                .into_iter()
                                .find(|it| !matches!(it, Sample::Display(_) | Sample::OfType(_)));
                            together.extend(wanted);
                        }
                        if together.len() == parts.len() {
                            all.push(Sample::Composite(together));
                        }
                    });
                }
                _ => self.each(expression, root, &mut |it| samples(searched, it, &mut all)),
            }
        }
        all.sort();
        all.dedup();
        all
    }

    /// Without what an expression demands of the targets of references: nothing is looked up here.
    fn each(&self, expression: &str, from: Node<'_>, found: &mut dyn FnMut(&Item<'_>)) {
        let path = FhirPath::compile(&of_any_type(expression), Some(self.version)).unwrap();
        let mut environment = Environment::new(Instant::from_micros(0));
        environment.as_operator = AsOperator::EachItem;
        let items = path.evaluate(Item::Node(from), &environment).unwrap();
        items.iter().for_each(found);
    }
}

/// The expression without `.where(resolve() is …)`.
fn of_any_type(expression: &str) -> String {
    let mut parts = expression.split(".where(resolve() is ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole += part.split_once(')').map_or("", |it| it.1);
    }
    whole
}

fn samples(kind: Kind, item: &Item<'_>, into: &mut Vec<Sample>) {
    let node = match item {
        Item::Boolean(truth) => return into.push(Sample::Coded(None, truth.to_string())),
        Item::Node(node) => node,
        _ => return,
    };
    let Some(value) = node.value() else { return };
    match kind {
        Kind::String => texts(value, into),
        Kind::Token => tokens(value, into),
        Kind::Reference => references(value, into),
        Kind::Date => dates(value, into),
        Kind::Number | Kind::Quantity => numbers(value, into),
        Kind::Place => into.extend(place(value)),
        _ => into.extend(plain(value)),
    }
}

fn string(value: Value<'_>, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.into_owned())
}

/// A primitive as it is written.
fn plain(value: Value<'_>) -> Option<Sample> {
    match value.kind() {
        Json::Object | Json::Array => None,
        Json::String => Some(Sample::Plain(value.as_str()?.into_owned())),
        _ => Some(Sample::Plain(value.raw().to_owned())),
    }
}

/// The items of an array, or the value.
fn each(value: Value<'_>) -> Vec<Value<'_>> {
    match value.kind() {
        Json::Array => value.items().collect(),
        _ => vec![value],
    }
}

fn texts(value: Value<'_>, into: &mut Vec<Sample>) {
    if value.kind() != Json::Object {
        return into.extend(plain(value));
    }
    for member in value.members() {
        into.extend(each(member.value).into_iter().filter_map(plain));
    }
}

fn tokens(value: Value<'_>, into: &mut Vec<Sample>) {
    if value.kind() != Json::Object {
        let code = plain(value).map(|it| match it {
            Sample::Plain(text) => Sample::Coded(None, text),
            other => other,
        });
        return into.extend(code);
    }
    let system = || string(value, "system");
    if let Some(codings) = value.get("coding") {
        codings.items().for_each(|it| tokens(it, into));
    }
    into.extend(string(value, "code").map(|it| Sample::Coded(system(), it)));
    into.extend(string(value, "value").map(|it| {
        let is_contact = matches!(system().as_deref(), Some("phone" | "email"));
        Sample::Coded(system().filter(|_| !is_contact), it)
    }));
    into.extend(
        ["display", "text"]
            .into_iter()
            .filter_map(|it| Some(Sample::Display(string(value, it)?))),
    );
    if let (Some(kind), Some(text)) = (value.get("type"), string(value, "value")) {
        into.extend(string(kind, "text").map(Sample::Display));
        for coding in kind.get("coding").into_iter().flat_map(each) {
            let pair = string(coding, "system").zip(string(coding, "code"));
            into.extend(pair.map(|(system, code)| {
                Sample::OfType(format!("{system}|{code}|{}", escaped(&text)))
            }));
        }
    }
}

fn references(value: Value<'_>, into: &mut Vec<Sample>) {
    if let Some(kind) = string(value, "resourceType") {
        return into
            .extend(string(value, "id").map(|id| Sample::Reference(format!("{kind}/{id}"))));
    }
    if value.kind() != Json::Object {
        return into.extend(plain(value));
    }
    into.extend(string(value, "reference").map(Sample::Reference));
    if let Some(identifier) = value.get("identifier") {
        let code = string(identifier, "value");
        into.extend(code.map(|it| Sample::Logical(string(identifier, "system"), it)));
    }
}

fn dates(value: Value<'_>, into: &mut Vec<Sample>) {
    if value.kind() != Json::Object {
        return into.extend(plain(value));
    }
    let bounds = value.get("repeat").and_then(|it| it.get("boundsPeriod"));
    for period in [Some(value), bounds].into_iter().flatten() {
        into.extend(
            ["start", "end"]
                .into_iter()
                .filter_map(|it| plain(period.get(it)?)),
        );
    }
    let events = value.get("event").into_iter().flat_map(each);
    into.extend(events.filter_map(plain));
}

fn numbers(value: Value<'_>, into: &mut Vec<Sample>) {
    if value.kind() != Json::Object {
        return into.extend(plain(value));
    }
    for part in ["low", "high", "origin"] {
        if let Some(part) = value.get(part) {
            numbers(part, into);
        }
    }
    let Some(number) = value.get("value").filter(|it| it.kind() == Json::Number) else {
        return;
    };
    let currency = string(value, "currency");
    let system = currency.as_ref().map(|_| "urn:iso:std:iso:4217".to_owned());
    let system = system
        .or_else(|| string(value, "system"))
        .unwrap_or_default();
    let code = currency.or_else(|| string(value, "code"));
    let mut units = vec![String::new()];
    units.extend(code.iter().map(|it| format!("|{system}|{it}")));
    units.extend(code.iter().map(|it| format!("||{it}")));
    units.extend(string(value, "unit").map(|it| format!("||{it}")));
    into.push(Sample::Quantity(number.raw().to_owned(), units));
}

fn place(value: Value<'_>) -> Option<Sample> {
    let number = |name| Some(value.get(name)?.raw().to_owned());
    Some(Sample::Place(number("latitude")?, number("longitude")?))
}

/// The text with what separates values escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
