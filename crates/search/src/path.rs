//! The plain paths that most search expressions are: compiled once, walked over a resource.
//!
//! A subset of FHIRPath: names, `.where(resolve() is T)`, `.where(name='text')`, `as T`, `.as(T)`,
//! `.ofType(T)` and unions. What is outside it does not compile, so that its parameter is not
//! offered; nothing is ever extracted by half.
//! <https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression>

use fhir::Definitions;
use fhir::definitions::{ElementDefinition, Shape};
use fhir::json::{Kind, Value};

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Path {
    branches: Vec<Vec<Step>>,
}

/// One step from a value to others.
#[derive(Debug)]
enum Step {
    /// To the members of these names (several only for a choice).
    Members(Vec<Box<str>>),
    /// Stay if the value is a reference to that type.
    RefersTo(Box<str>),
    /// Stay if the member has that text.
    Reads(Box<str>, Box<str>),
}

/// A value that a path may have reached: its name in JSON, its type and what is inside.
struct Candidate {
    name: Box<str>,
    type_name: &'static str,
    shape: Shape,
}

impl Path {
    /// Compiles the branches of the expression that begin at the type; what they reach must be of
    /// one of the wanted types. `None` if there is no such branch, or one is outside the subset.
    pub(crate) fn compile(
        definitions: &Definitions,
        resource_type: &str,
        expression: &str,
        wanted: &[&str],
    ) -> Option<Self> {
        let mut branches = Vec::new();
        for term in split(expression, '|') {
            let (path, cast) = cast(term);
            let (start, rest) = path.split_once('.')?;
            if !matches!(start, "Resource" | "DomainResource") && start != resource_type {
                continue;
            }
            let mut compiler = Compiler::start(definitions, resource_type)?;
            split(rest, '.').try_for_each(|segment| compiler.segment(segment))?;
            cast.map_or(Some(()), |it| compiler.narrow(it))?;
            branches.extend(compiler.finish(wanted));
        }
        (!branches.is_empty()).then_some(Self { branches })
    }

    /// Calls `found` with every value that the path reaches from the resource.
    pub(crate) fn walk<'d>(&self, resource: Value<'d>, found: &mut dyn FnMut(Value<'d>)) {
        self.branches
            .iter()
            .for_each(|steps| walk(steps, resource, found));
    }
}

fn walk<'d>(steps: &[Step], value: Value<'d>, found: &mut dyn FnMut(Value<'d>)) {
    if value.kind() == Kind::Array {
        return value.items().for_each(|item| walk(steps, item, found));
    }
    match steps.split_first() {
        None => found(value),
        Some((Step::Members(names), rest)) => {
            let members = names.iter().filter_map(|name| value.get(name));
            members.for_each(|member| walk(rest, member, found));
        }
        Some((Step::RefersTo(resource_type), rest)) => {
            if refers_to(value, resource_type) {
                walk(rest, value, found);
            }
        }
        Some((Step::Reads(member, text), rest)) => {
            if value.get(member).is_some_and(|it| it.is_str(text)) {
                walk(rest, value, found);
            }
        }
    }
}

/// Whether the reference says by itself that it leads to that type: nothing is resolved here.
fn refers_to(reference: Value<'_>, resource_type: &str) -> bool {
    if reference
        .get("type")
        .is_some_and(|it| it.is_str(resource_type))
    {
        return true;
    }
    let text = reference.get("reference").and_then(Value::as_str);
    text.is_some_and(|text| {
        let text = text
            .split_once("/_history/")
            .map_or(&*text, |(resource, _)| resource);
        text.rsplit('/').nth(1) == Some(resource_type)
    })
}

struct Compiler<'d> {
    definitions: &'d Definitions,
    steps: Vec<Step>,
    /// Where the steps lead, together with the last, not yet written one.
    at: Vec<Candidate>,
    /// Whether `at` has a step still to be written.
    pending: bool,
}

impl<'d> Compiler<'d> {
    fn start(definitions: &'d Definitions, resource_type: &str) -> Option<Self> {
        let definition = definitions.resource(resource_type)?;
        let (type_name, shape) = (definition.name, definition.shape);
        let at = vec![Candidate {
            name: type_name.into(),
            type_name,
            shape,
        }];
        Some(Self {
            definitions,
            steps: Vec::new(),
            at,
            pending: false,
        })
    }

    fn segment(&mut self, segment: &str) -> Option<()> {
        let Some((function, argument)) =
            segment.strip_suffix(')').and_then(|it| it.split_once('('))
        else {
            return self.member(segment);
        };
        match function {
            "as" | "ofType" => self.narrow(argument),
            "where" => self.condition(argument),
            _ => None,
        }
    }

    fn member(&mut self, name: &str) -> Option<()> {
        self.write();
        let elements = self
            .at
            .iter()
            .flat_map(|it| self.definitions.elements(it.shape));
        let next: Vec<_> = elements
            .filter(|it| it.name == name)
            .flat_map(candidates)
            .collect();
        self.at = next;
        self.pending = true;
        (!self.at.is_empty()).then_some(())
    }

    /// Keeps what is of that type; STU3 writes `Uri` for `uri`.
    fn narrow(&mut self, type_name: &str) -> Option<()> {
        self.at
            .retain(|it| it.type_name.eq_ignore_ascii_case(type_name));
        (!self.at.is_empty()).then_some(())
    }

    fn condition(&mut self, condition: &str) -> Option<()> {
        let step = if let Some(resource_type) = condition.strip_prefix("resolve() is ") {
            Step::RefersTo(self.definitions.resource(resource_type.trim())?.name.into())
        } else {
            let (member, text) = condition.split_once('=')?;
            let text = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            let is_name = member
                .trim()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric());
            is_name.then(|| Step::Reads(member.trim().into(), text.into()))?
        };
        self.write();
        self.steps.push(step);
        Some(())
    }

    fn write(&mut self) {
        if std::mem::take(&mut self.pending) {
            let mut names: Vec<Box<str>> = self.at.iter().map(|it| it.name.clone()).collect();
            names.dedup();
            self.steps.push(Step::Members(names));
        }
    }

    /// The steps, if they can lead to a wanted type; other types of a choice are left out.
    fn finish(mut self, wanted: &[&str]) -> Option<Vec<Step>> {
        self.at.retain(|it| wanted.contains(&it.type_name));
        if self.at.is_empty() {
            return None;
        }
        self.write();
        Some(self.steps)
    }
}

fn candidates(element: &'static ElementDefinition) -> impl Iterator<Item = Candidate> {
    element.types.iter().map(|it| Candidate {
        name: spelled(element, it.name),
        type_name: it.name,
        shape: it.shape,
    })
}

/// `value` and `Quantity` make `valueQuantity` in a choice.
fn spelled(element: &ElementDefinition, type_name: &str) -> Box<str> {
    if !element.is_choice {
        return element.name.into();
    }
    let (first, rest) = type_name.split_at(1);
    format!("{}{}{rest}", element.name, first.to_ascii_uppercase()).into()
}

/// `(path as T)` or `path as T` or `path`.
fn cast(term: &str) -> (&str, Option<&str>) {
    let bare = term
        .strip_prefix('(')
        .and_then(|it| it.strip_suffix(')'))
        .unwrap_or(term)
        .trim();
    match bare.split_once(" as ") {
        Some((path, type_name)) => (path.trim(), Some(type_name.trim())),
        None => (bare, None),
    }
}

/// The parts between separators outside parentheses, trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && character == separator
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use fhir::FhirVersion;
    use fhir::json::{Document, Limits};

    use super::*;

    const REFERENCES: &[&str] = &["Reference", "canonical", "uri"];

    fn check(expression: &str, resource: &str, expected: Option<&[&str]>) {
        let definitions = Definitions::of(FhirVersion::R4);
        let document = Document::parse(resource.to_owned().into(), &Limits::DEFAULT).unwrap();
        let resource_type = document
            .root()
            .get("resourceType")
            .unwrap()
            .as_str()
            .unwrap();
        let path = Path::compile(definitions, &resource_type, expression, REFERENCES);
        let values = path.map(|path| {
            let mut values = Vec::new();
            path.walk(document.root(), &mut |value| values.push(value.raw()));
            values
        });
        assert_eq!(values.as_deref(), expected, "{expression}");
    }

    #[test]
    fn paths_reach_what_they_name() {
        let observation = r#"{"resourceType":"Observation","subject":{"reference":"Patient/1"},
            "performer":[{"reference":"Practitioner/2"},{"reference":"http://x/Patient/3"}]}"#;
        let subject: &[&str] = &[r#"{"reference":"Patient/1"}"#];
        for (expression, expected) in [
            ("Observation.subject", Some(subject)),
            (
                "Observation.subject.where(resolve() is Patient)",
                Some(subject),
            ),
            ("Observation.subject.where(resolve() is Group)", Some(&[])),
            (
                "Observation.performer.where(resolve() is Patient) | Patient.link.other",
                Some(&[r#"{"reference":"http://x/Patient/3"}"#]),
            ),
            ("Patient.link.other", None),
            ("Observation.unicorn", None),
            ("Observation.status", None),
            ("Observation.performer[0]", None),
            ("Observation.extension('http://x')", None),
        ] {
            check(expression, observation, expected);
        }
    }

    #[test]
    fn choices_are_narrowed_to_their_type() {
        let request =
            r#"{"resourceType":"DeviceRequest","codeReference":{"reference":"Device/1"}}"#;
        let device: &[&str] = &[r#"{"reference":"Device/1"}"#];
        for expression in [
            "(DeviceRequest.code as Reference)",
            "DeviceRequest.code as Reference",
            "DeviceRequest.code.as(Reference)",
            "DeviceRequest.code.ofType(Reference)",
            "DeviceRequest.code",
        ] {
            check(expression, request, Some(device));
        }
        check("(DeviceRequest.code as CodeableConcept)", request, None);
    }

    #[test]
    fn a_member_can_be_a_condition() {
        let library = r#"{"resourceType":"Library","relatedArtifact":[
            {"type":"depends-on","resource":"http://x/1"},{"type":"successor","resource":"http://x/2"}]}"#;
        let expression = "Library.relatedArtifact.where(type='successor').resource";
        check(expression, library, Some(&[r#""http://x/2""#]));
    }
}
