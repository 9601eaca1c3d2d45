//! Environment variables, `defineVariable`, `trace` and the time.

use super::super::fault::{EvaluationFault, Span};
use super::super::item::{Collection, Item};
use super::super::moment::DateTime;
use super::super::node::Node;
use super::call::Call;
use super::{Evaluator, Failure, Outcome, Scope, reference};

/// Variables that stand for a URL (<https://hl7.org/fhir/R4/fhirpath.html#variables>).
const URLS: [(&str, &str); 3] = [
    ("ucum", "http://unitsofmeasure.org"),
    ("sct", "http://snomed.info/sct"),
    ("loinc", "http://loinc.org"),
];

/// Prefixes of variables that stand for the URL of what the rest names.
const PREFIXES: [(&str, &str); 2] = [
    ("vs-", "http://hl7.org/fhir/ValueSet/"),
    ("ext-", "http://hl7.org/fhir/StructureDefinition/"),
];

/// Variables that are always there.
const FIXED: [&str; 6] = [
    "context",
    "resource",
    "rootResource",
    "ucum",
    "sct",
    "loinc",
];

impl<'d> Evaluator<'d> {
    pub(super) fn variable(&self, name: &str, scope: &Scope<'_, 'd>, span: Span) -> Outcome<'d> {
        if let Some(items) = scope.variable(name) {
            return Ok(items);
        }
        if let Some(items) = self.environment.variable(name) {
            return Ok(items.clone());
        }
        if let Some((_, url)) = URLS.iter().find(|it| it.0 == name) {
            return Ok(vec![Item::string(*url)]);
        }
        for (prefix, base) in PREFIXES {
            if let Some(rest) = name.strip_prefix(prefix) {
                return Ok(vec![Item::string(format!("{base}{rest}"))]);
            }
        }
        match name {
            "context" => Ok(self.context.clone()),
            "resource" => Ok(nodes(self.resource())),
            "rootResource" => Ok(nodes(self.root_resource())),
            "factory" if self.definitions.is_some() => Ok(vec![Item::Factory]),
            _ => Err(Failure {
                fault: self.unknown(name),
                span,
            }),
        }
    }

    fn unknown(&self, name: &str) -> EvaluationFault {
        let known = self.environment.variable_names().chain(FIXED);
        EvaluationFault::Variable {
            name: name.to_owned(),
            suggestion: crate::suggest::nearest(name, known).map(|it| format!("%{it}")),
        }
    }

    fn context_node(&self) -> Option<&Node<'d>> {
        self.context.iter().find_map(|it| match it {
            Item::Node(node) => Some(node),
            _ => None,
        })
    }

    /// The resource that the input is in, unless the caller says otherwise.
    fn resource(&self) -> Option<Node<'d>> {
        let found = || reference::resource_of(self.context_node()?);
        let given = self.environment.resource;
        *self.resource.get_or_init(|| given.or_else(found))
    }

    /// The resource that contains it, or itself.
    fn root_resource(&self) -> Option<Node<'d>> {
        let found = || reference::container_of(&self.resource()?);
        let given = self.environment.root_resource;
        *self.root_resource.get_or_init(|| given.or_else(found))
    }
}

fn nodes(node: Option<Node<'_>>) -> Collection<'_> {
    node.map(Item::Node).into_iter().collect()
}

pub(super) fn define<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(name) = call.string(0)? else {
        return Ok(input);
    };
    let is_taken = call.scope.variable(&name).is_some()
        || call.evaluator.environment.variable(&name).is_some()
        || FIXED.contains(&&*name);
    if is_taken {
        return Err(call.fault(EvaluationFault::VariableTwice(name.into_owned())));
    }
    let value = if call.has_argument(1) {
        call.within(1, &input, None)?
    } else {
        input.clone()
    };
    call.scope
        .defined
        .borrow_mut()
        .push((name.into_owned(), value));
    Ok(input)
}

/// Tells the caller, changes nothing.
pub(super) fn trace<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(name) = call.string(0)? else {
        return Ok(input);
    };
    let lookup = call.evaluator.environment.lookup();
    if !call.has_argument(1) {
        lookup.trace(&name, &input);
        return Ok(input);
    }
    let mut projected = Vec::new();
    for (index, item) in input.iter().enumerate() {
        projected.extend(call.each(1, item, Some(index))?);
    }
    lookup.trace(&name, &projected);
    Ok(input)
}

fn moment(call: &Call<'_, '_>) -> Result<DateTime, Failure> {
    let now = DateTime::of_instant(call.evaluator.environment.now);
    now.ok_or_else(|| call.fault(EvaluationFault::Calendar))
}

pub(super) fn now<'d>(call: &Call<'_, 'd>, _: Collection<'d>) -> Outcome<'d> {
    Ok(vec![Item::DateTime(moment(call)?)])
}

pub(super) fn today<'d>(call: &Call<'_, 'd>, _: Collection<'d>) -> Outcome<'d> {
    Ok(vec![Item::Date(moment(call)?.date)])
}

pub(super) fn time_of_day<'d>(call: &Call<'_, 'd>, _: Collection<'d>) -> Outcome<'d> {
    Ok(moment(call)?.time.map(Item::Time).into_iter().collect())
}
