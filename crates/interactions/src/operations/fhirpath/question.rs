//! An expression with all that it is evaluated with, and one evaluation of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use fhir::fhirpath::{
    Coded, Collection, Environment, EvaluationError, EvaluationFault, FhirPath, Item, Limits,
    Lookup, LookupError, Node, ParseError, ParseFault,
};
use fhir::json::Document;
use fhir::terminology::{self, Answer, Coding, Content, Lack, Terminology};
use fhir::{Definitions, Fault, FhirVersion, Instant, Issue};

use super::super::arguments::{Argument, Arguments, uncapitalised};
use super::super::parameters::Parameters;
use super::items;

/// What the expression is evaluated on; nothing, if it needs nothing.
pub(super) type Subject = Option<Document>;

/// An expression with all that it is evaluated with.
pub(super) struct Question {
    pub(super) subject: Subject,
    pub(super) arguments: Arguments,
    pub(super) version: FhirVersion,
    pub(super) now: Instant,
    pub(super) limits: Limits,
    pub(super) output_bytes_max: usize,
}

/// What was looked up.
#[derive(Default)]
pub(super) struct Known {
    pub(super) content: Content,
    /// Resources by reference; `None` for what leads to none that may be seen.
    pub(super) resolved: BTreeMap<String, Option<Document>>,
}

/// What an evaluation would have needed to know.
#[derive(Default)]
pub(super) struct Lacking {
    pub(super) definitions: BTreeSet<Lack>,
    pub(super) references: BTreeSet<String>,
}

impl Lacking {
    pub(super) fn is_empty(&self) -> bool {
        self.definitions.is_empty() && self.references.is_empty()
    }
}

impl Question {
    /// One evaluation: the answer, which counts only if nothing was lacking.
    pub(super) fn answer(&self, known: Known) -> (Result<Bytes, Issue>, Lacking, Known) {
        let asking = Asking {
            version: self.version,
            known,
            lacking: RefCell::default(),
            traces: RefCell::default(),
            output_bytes_max: self.output_bytes_max,
        };
        let answer = self.evaluate(&asking);
        (answer, asking.lacking.into_inner(), asking.known)
    }

    fn evaluate(&self, asking: &Asking) -> Result<Bytes, Issue> {
        let text = |name| self.arguments.text(name).unwrap_or_default();
        let expression = self.compiled("expression", &text("expression"))?;
        let context = self.arguments.text("context");
        let context = context
            .map(|it| self.compiled("context", &it))
            .transpose()?;
        let definitions = Definitions::of(self.version);
        let mut environment = Environment::with_lookup(self.now, asking);
        environment.limits = self.limits;
        for variable in self.arguments.each("variables").flat_map(Argument::parts) {
            let name = variable.name().unwrap_or_default();
            environment.define(name, value_of(definitions, variable).into_iter().collect());
        }
        let subject: Collection<'_> = self
            .subject
            .iter()
            .map(|it| Item::Node(Node::resource(definitions, it.root())))
            .collect();
        let mut answer = Parameters::default();
        let mut about = Parameters::default();
        about.string("evaluator", concat!("isthmus ", env!("CARGO_PKG_VERSION")));
        about.string("expression", expression.text());
        if let Some(context) = &context {
            about.string("context", context.text());
        }
        answer.parts("parameters", &about);
        match &context {
            None => {
                let items = expression.evaluate_all(subject, &environment);
                let items = items.map_err(|it| evaluation("expression", &it))?;
                self.write_result(asking, None, &items, &mut answer)?;
            }
            Some(context) => {
                let contexts = context.evaluate_all(subject, &environment);
                let contexts = contexts.map_err(|it| evaluation("context", &it))?;
                for (at, item) in contexts.into_iter().enumerate() {
                    let items = expression.evaluate(item, &environment);
                    let items = items.map_err(|it| evaluation("expression", &it))?;
                    let place = format!("{}[{at}]", context.text());
                    self.write_result(asking, Some(&place), &items, &mut answer)?;
                }
            }
        }
        Ok(answer.into_resource())
    }

    fn compiled(&self, name: &str, text: &str) -> Result<FhirPath, Issue> {
        let compiled = FhirPath::compile_within(text, Some(self.version), &self.limits);
        compiled.map_err(|error: ParseError| {
            let limit = match &error.fault {
                ParseFault::Limit { name, .. } => Some(*name),
                _ => None,
            };
            let what = with_setting(error.to_string(), limit);
            let issue = Issue::error(Fault::Invalid, what);
            issue.at(place(name)).mend(error.place.snippet)
        })
    }

    fn write_result(
        &self,
        asking: &Asking,
        context: Option<&str>,
        items: &[Item<'_>],
        answer: &mut Parameters,
    ) -> Result<(), Issue> {
        let mut result = Parameters::default();
        if let Some(context) = context {
            result.string("context", context);
        }
        for item in items {
            items::write(self.version, item, &mut result);
            self.check_output(answer.bytes() + result.bytes())?;
        }
        let traces = asking.traces.take();
        self.check_output(answer.bytes() + result.bytes() + traces.bytes)?;
        for (name, items) in &traces.told {
            let mut trace = Parameters::default();
            trace.string("name", name);
            trace.parts("items", items);
            result.parts("trace", &trace);
        }
        answer.parts("result", &result);
        Ok(())
    }

    fn check_output(&self, bytes: usize) -> Result<(), Issue> {
        if bytes <= self.output_bytes_max {
            return Ok(());
        }
        let max = self.output_bytes_max;
        let what =
            format!("the result exceeds the limit `fhir.fhirpath_output_bytes_max` of {max}");
        Err(Issue::error(Fault::BusinessRule, what).at(place("expression")))
    }
}

/// Where an argument stands, as FHIRPath.
fn place(name: &str) -> String {
    format!("Parameters.parameter.where(name='{name}').value")
}

fn evaluation(name: &str, error: &EvaluationError) -> Issue {
    let limit = match &error.fault {
        EvaluationFault::Limit { name, .. } => Some(*name),
        _ => None,
    };
    let what = with_setting(error.to_string(), limit);
    let issue = Issue::error(Fault::BusinessRule, what);
    issue.at(place(name)).mend(error.place.snippet.clone())
}

/// The limits of an expression that can be set.
const SETTINGS: &[&str] = &["steps_max", "depth_max", "items_max"];

/// The text with the name that a limit has as a setting.
fn with_setting(text: String, limit: Option<&str>) -> String {
    match limit.filter(|it| SETTINGS.contains(it)) {
        Some(name) => text.replace(&format!("`{name}`"), &format!("`fhir.fhirpath_{name}`")),
        None => text,
    }
}

/// A variable's value.
fn value_of<'a>(definitions: &'static Definitions, argument: Argument<'a>) -> Option<Item<'a>> {
    if let Some(resource) = argument.resource() {
        return Some(Item::Node(Node::resource(definitions, resource)));
    }
    let (type_name, value) = argument.value()?;
    Node::at(definitions, &uncapitalised(&type_name), value).map(Item::Node)
}

/// Answers from what is known, and notes what is not.
struct Asking {
    version: FhirVersion,
    known: Known,
    lacking: RefCell<Lacking>,
    traces: RefCell<Traces>,
    output_bytes_max: usize,
}

/// What `trace()` told, until it is more than may be sent.
#[derive(Default)]
struct Traces {
    told: Vec<(String, Parameters)>,
    bytes: usize,
}

impl Lookup for Asking {
    fn resolve(&self, reference: &str) -> Result<Option<Document>, LookupError> {
        if let Some(known) = self.known.resolved.get(reference) {
            return Ok(known.clone());
        }
        self.lacking
            .borrow_mut()
            .references
            .insert(reference.to_owned());
        Ok(None)
    }

    fn member_of(&self, codes: &[Coded<'_>], value_set: &str) -> Result<Option<bool>, LookupError> {
        let limits = terminology::Limits::DEFAULT;
        let terminology = Terminology::new(self.version, &self.known.content, limits);
        let codings = codes.iter().map(|it| Coding {
            system: it.system,
            code: it.code,
        });
        let codings: Vec<Coding<'_>> = codings.collect();
        match terminology.has_any(value_set, &codings) {
            Ok(Answer::Known { value, .. }) => Ok(Some(value)),
            Ok(Answer::Lacking(lacking)) => {
                self.lacking.borrow_mut().definitions.extend(lacking);
                Ok(None)
            }
            Err(error) => Err(LookupError(error.to_string())),
        }
    }

    fn trace(&self, name: &str, items: &[Item<'_>]) {
        let mut traces = self.traces.borrow_mut();
        if traces.bytes > self.output_bytes_max {
            return;
        }
        let mut told = Parameters::default();
        for item in items {
            items::write(self.version, item, &mut told);
            if told.bytes() > self.output_bytes_max {
                break;
            }
        }
        traces.bytes += name.len() + told.bytes();
        traces.told.push((name.to_owned(), told));
    }
}
