//! The compiled walk reaches what the FHIRPath interpreter does, on all official examples.

use std::collections::BTreeSet;

use fhir::decimal::Decimal;
use fhir::definitions::Definitions;
use fhir::fhirpath::{AsOperator, Environment, FhirPath, Item, Lookup, LookupError, Node};
use fhir::json::{Document, Kind, Value};
use fhir::{FhirVersion, Instant};
use search::program::{Found, reached};
use search::registry::Registry;

/// Resolves every literal reference to an empty resource of its type.
struct Types(FhirVersion);

impl Lookup for Types {
    fn resolve(&self, reference: &str) -> Result<Option<Document>, LookupError> {
        let reference = reference.split("/_history/").next().unwrap();
        let resource_type = reference.rsplit('/').nth(1).unwrap_or_default();
        let known = Definitions::of(self.0).resource(resource_type);
        let empty = |name: &str| crate::data::parse(format!(r#"{{"resourceType":"{name}"}}"#));
        Ok(known.map(|it| empty(it.name)))
    }
}

#[test]
fn walks_reach_what_the_interpreter_does() {
    for version in FhirVersion::ALL {
        let suite = format!("walks against the interpreter {version}");
        let Some(examples) = crate::given::examples(&suite, version) else {
            continue;
        };
        let made = crate::coverage::made(version).lines();
        let made = made.map(|line| bytes::Bytes::from(line.to_owned()));
        let mut expressions = Expressions::new(version);
        let mut pairs = 0;
        let mut wrong = Vec::new();
        for text in examples.into_iter().chain(made) {
            let document = crate::data::parse(text);
            pairs += expressions.compare(document.root(), &mut wrong);
        }
        println!("isthmus-suite: {suite}: {pairs} cases");
        assert!(
            wrong.is_empty(),
            "{} differ:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
}

struct Expressions {
    version: FhirVersion,
    compiled: std::collections::BTreeMap<&'static str, FhirPath>,
}

impl Expressions {
    fn new(version: FhirVersion) -> Self {
        let mut compiled = std::collections::BTreeMap::new();
        let registry = Registry::of(version);
        let types = Definitions::of(version).resources();
        for parameter in types.flat_map(|it| registry.parameters(it.name)) {
            if let Some(expression) = registry.expression(parameter.definition) {
                let compile = || FhirPath::compile(expression, Some(version)).unwrap();
                compiled.entry(expression).or_insert_with(compile);
            }
        }
        Self { version, compiled }
    }

    /// Compares all parameters on a resource; says how many.
    fn compare(&mut self, resource: Value<'_>, wrong: &mut Vec<String>) -> usize {
        let resource_type = crate::given::text(resource, "resourceType").unwrap();
        let definitions = Definitions::of(self.version);
        let resource_type = definitions.resource(&resource_type).unwrap().name;
        let registry = Registry::of(self.version);
        let mut pairs = 0;
        for parameter in registry.parameters(resource_type) {
            let Some(expression) = registry.expression(parameter.definition) else {
                continue;
            };
            let walked = walked(self.version, resource_type, expression, resource);
            let interpreted = self.interpreted(expression, resource);
            if walked != interpreted {
                let code = parameter.definition.code;
                wrong.push(format!(
                    "{resource_type}.{code}: {expression}\n{walked:?}\n{interpreted:?}"
                ));
            }
            pairs += 1;
        }
        pairs
    }

    fn interpreted(&self, expression: &str, resource: Value<'_>) -> BTreeSet<String> {
        let lookup = Types(self.version);
        let mut environment = Environment::with_lookup(Instant::from_micros(0), &lookup);
        environment.as_operator = AsOperator::EachItem;
        let node = Node::resource(Definitions::of(self.version), resource);
        let path = &self.compiled[expression];
        let found = path.evaluate(Item::Node(node), &environment).unwrap();
        let texts = found.into_iter().filter_map(|item| match item {
            Item::Node(node) => node.value().map(text),
            Item::Boolean(truth) => Some(truth.to_string()),
            _ => Some("a value of another kind".to_owned()),
        });
        texts.collect()
    }
}

fn walked(
    version: FhirVersion,
    resource_type: &'static str,
    expression: &str,
    resource: Value<'_>,
) -> BTreeSet<String> {
    let found = reached(version, resource_type, expression, resource).unwrap();
    let texts = found.into_iter().map(|it| match it {
        Found::Element(value) => text(value),
        Found::Truth(truth) => truth.to_string(),
    });
    texts.collect()
}

/// A union leaves equal values out, and 1.0 is 1.00: numbers are written in one way here.
fn text(value: Value<'_>) -> String {
    let join = |parts: Vec<String>| parts.join(",");
    match value.kind() {
        Kind::Object => join(
            value
                .members()
                .map(|it| [&it.name, ":", &text(it.value)].concat())
                .collect(),
        ),
        Kind::Array => format!("[{}]", join(value.items().map(text).collect())),
        Kind::Number => {
            let number = value.raw().parse::<Decimal>();
            number.map_or_else(|_| value.raw().to_owned(), |it| it.normalized().to_string())
        }
        _ => value.raw().to_owned(),
    }
}
