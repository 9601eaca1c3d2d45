//! What an operation is given: read from a URL, a `Parameters` or a resource, and checked against the
//! operation's definition. <https://hl7.org/fhir/R4/operations.html#request>

use std::borrow::Cow;

use bytes::Bytes;
use fhir::definitions::{Operation as Facts, OperationParameter, ParameterUse};
use fhir::json::{Document, Limits, Value, write_string};
use fhir::primitive::Primitive;
use fhir::validate::{Options, resource_type, validate};
use fhir::{Definitions, Fault, FhirVersion, Issue, Severity};
use search::text::pairs;

/// What came with a call.
#[derive(Default)]
pub struct Input {
    /// The raw query text of the URL.
    pub query: String,
    /// The resource in the body.
    pub body: Option<Document>,
    /// What the body is that is no resource, as arguments beside those of the URL, by name.
    pub texts: Vec<(&'static str, String)>,
}

/// The arguments of a call: a `Parameters` that its operation's definition allows.
pub struct Arguments {
    parameters: Document,
}

/// One argument.
#[derive(Clone, Copy)]
pub struct Argument<'a> {
    /// Its place among all.
    at: usize,
    object: Value<'a>,
}

/// Types whose values are strings without a form of their own: who writes one for another is
/// understood.
const TEXTS: [&str; 9] = [
    "string",
    "uri",
    "url",
    "canonical",
    "code",
    "id",
    "markdown",
    "oid",
    "uuid",
];

impl Arguments {
    /// Reads and checks: nothing unknown, nothing missing, nothing of the wrong type.
    pub(super) fn read(
        input: Input,
        facts: &Facts,
        version: FhirVersion,
    ) -> Result<Self, Vec<Issue>> {
        let reader = Reader { facts, version };
        let parameters = match input.body {
            None => reader.given_in(&input.query, &input.texts, None)?,
            Some(body)
                if body
                    .root()
                    .get("resourceType")
                    .is_some_and(|it| it.is_str("Parameters")) =>
            {
                if !input.query.is_empty() {
                    let what = "the URL has parameters although the body is a `Parameters`";
                    return Err(vec![
                        Issue::error(Fault::Invalid, what).mend("send all in the body"),
                    ]);
                }
                body
            }
            Some(body) => reader.given_in(&input.query, &input.texts, Some(&body))?,
        };
        let arguments = Self { parameters };
        let issues = reader.check(&arguments);
        if issues.is_empty() {
            Ok(arguments)
        } else {
            Err(issues)
        }
    }

    /// All arguments, in order.
    pub fn all(&self) -> impl Iterator<Item = Argument<'_>> {
        let all = self.parameters.root().get("parameter").into_iter();
        let all = all.flat_map(Value::items).enumerate();
        all.map(|(at, object)| Argument { at, object })
    }

    /// The arguments of that name.
    pub fn each(&self, name: &'static str) -> impl Iterator<Item = Argument<'_>> {
        self.all().filter(move |it| it.is(name))
    }

    /// The text of the first argument of that name: a primitive that is a string in JSON.
    pub fn text(&self, name: &'static str) -> Option<Cow<'_, str>> {
        self.each(name).find_map(|it| it.value()?.1.as_str())
    }

    /// The resource that is the first argument of that name, as a document of its own.
    pub fn resource(&self, name: &'static str) -> Option<Document> {
        let value = self.each(name).find_map(Argument::resource)?;
        let text = self.parameters.text().slice(value.span());
        Document::parse(text, &UNLIMITED).ok()
    }
}

/// The text was parsed before as part of a larger one.
const UNLIMITED: Limits = Limits {
    bytes_max: usize::MAX,
    values_max: usize::MAX,
    ..Limits::DEFAULT
};

impl<'a> Argument<'a> {
    /// Whether it has that name.
    pub fn is(self, name: &str) -> bool {
        self.object.get("name").is_some_and(|it| it.is_str(name))
    }

    /// Its name.
    pub fn name(self) -> Option<Cow<'a, str>> {
        self.object.get("name")?.as_str()
    }

    /// Its value, after what follows `value` in the member's name: the type, its first letter large.
    pub fn value(self) -> Option<(String, Value<'a>)> {
        self.object.members().find_map(|member| {
            let name = member.name.strip_prefix("value")?;
            Some((name.to_owned(), member.value))
        })
    }

    /// Its resource.
    pub fn resource(self) -> Option<Value<'a>> {
        self.object.get("resource")
    }

    /// Its parts.
    pub fn parts(self) -> impl Iterator<Item = Argument<'a>> {
        let parts = self.object.get("part").into_iter().flat_map(Value::items);
        parts
            .enumerate()
            .map(|(at, object)| Argument { at, object })
    }

    fn place(self) -> String {
        format!("Parameters.parameter[{}]", self.at)
    }
}

/// Reads the arguments of one operation.
struct Reader<'f> {
    facts: &'f Facts,
    version: FhirVersion,
}

impl Reader<'_> {
    /// The parameters that go in, without their parts.
    fn parameters(&self) -> impl Iterator<Item = &OperationParameter> {
        let is_whole = |it: &&OperationParameter| !it.name.contains('.');
        let all = self.facts.parameters.iter().filter(is_whole);
        all.filter(|it| it.parameter_use == ParameterUse::In)
    }

    fn named(&self, name: &str) -> Option<&OperationParameter> {
        self.parameters().find(|it| it.name == name)
    }

    /// The arguments in the URL, and the resource in the body where the operation takes one.
    fn given_in(
        &self,
        query: &str,
        texts: &[(&'static str, String)],
        body: Option<&Document>,
    ) -> Result<Document, Vec<Issue>> {
        let mut text = String::from("{\"resourceType\":\"Parameters\"");
        let mut comma = ",\"parameter\":[";
        for (name, value) in pairs(query) {
            let (Some(name), Some(value)) = (name, value) else {
                let what = "a parameter in the URL is not percent-encoded UTF-8";
                return Err(vec![Issue::error(Fault::Invalid, what)]);
            };
            text.push_str(comma);
            comma = ",";
            self.write_argument(&name, &value, &mut text)?;
        }
        for (name, value) in texts {
            text.push_str(comma);
            comma = ",";
            self.write_argument(name, value, &mut text)?;
        }
        if let Some(body) = body {
            text.push_str(comma);
            comma = ",";
            text.push_str("{\"name\":");
            write_string(self.only_resource()?.name, &mut text);
            text.push_str(",\"resource\":");
            text.push_str(body.as_str());
            text.push('}');
        }
        text.push_str(if comma == "," { "]}" } else { "}" });
        let parsed = Document::parse(Bytes::from(text), &UNLIMITED);
        parsed.map_err(|error| vec![Issue::from(&error)])
    }

    /// The one parameter that is a resource: what a body is that is no `Parameters`.
    fn only_resource(&self) -> Result<&OperationParameter, Vec<Issue>> {
        let mut found = self.parameters().filter(|it| is_resource(it, self.version));
        if let (Some(only), None) = (found.next(), found.next()) {
            return Ok(only);
        }
        let what = "the body is a resource, but the operation does not take just one";
        let issue = Issue::error(Fault::Invalid, what).at("Resource");
        Err(vec![issue.mend("send a `Parameters`")])
    }

    fn write_argument(&self, name: &str, value: &str, text: &mut String) -> Result<(), Vec<Issue>> {
        let parameter = self
            .named(name)
            .ok_or_else(|| vec![self.unknown(name).at("http.query")])?;
        let place = format!("http.{}", parameter.name);
        let type_name = parameter.type_name.unwrap_or_default();
        let Some(primitive) = Primitive::named(type_name) else {
            let what = format!("`{}` cannot be given in the URL", parameter.name);
            let issue = Issue::error(Fault::NotSupported, what).at(place);
            return Err(vec![issue.mend("send a `Parameters` by POST")]);
        };
        if !primitive.accepts(value, self.version) {
            let what = format!("`{}` must be {}", parameter.name, primitive.form);
            return Err(vec![Issue::error(Fault::Value, what).at(place)]);
        }
        text.push_str("{\"name\":");
        write_string(parameter.name, text);
        text.push_str(",\"value");
        text.push_str(&capitalised(type_name));
        text.push_str("\":");
        if primitive.kind == fhir::json::Kind::String {
            write_string(value, text);
        } else {
            text.push_str(value);
        }
        text.push('}');
        Ok(())
    }

    fn check(&self, arguments: &Arguments) -> Vec<Issue> {
        let definitions = Definitions::of(self.version);
        let mut issues = validate(&arguments.parameters, definitions, Options::default());
        // What is wrong with a resource that is given is for the operation to judge.
        let of_resource = |it: &Issue| it.expression.iter().any(|it| it.contains(".resource"));
        issues.retain(|it| it.severity == Severity::Error && !of_resource(it));
        if !issues.is_empty() {
            return issues;
        }
        for argument in arguments.all() {
            issues.extend(
                self.check_argument(argument)
                    .map(|it| it.at(argument.place())),
            );
        }
        for parameter in self.parameters() {
            let count = arguments.all().filter(|it| it.is(parameter.name)).count();
            issues.extend(check_count(parameter, count));
        }
        issues
    }

    fn check_argument(&self, argument: Argument<'_>) -> Option<Issue> {
        let name = argument.name().unwrap_or_default();
        let Some(parameter) = self.named(&name) else {
            return Some(self.unknown(&name));
        };
        let form = match parameter.type_name {
            None => argument
                .object
                .get("part")
                .is_none()
                .then(|| "given in parts".to_owned()),
            Some(_) if is_resource(parameter, self.version) => {
                self.check_resource(parameter, argument)
            }
            Some(type_name) => self.check_value(type_name, argument),
        };
        form.map(|form| Issue::error(Fault::Value, format!("`{}` must be {form}", parameter.name)))
    }

    /// What the argument must be, where it is not the resource that is demanded.
    fn check_resource(
        &self,
        parameter: &OperationParameter,
        argument: Argument<'_>,
    ) -> Option<String> {
        let wanted = parameter.type_name.unwrap_or_default();
        let Some(given) = argument.resource().and_then(resource_type) else {
            return Some("a `resource` with a `resourceType`".to_owned());
        };
        let definitions = Definitions::of(self.version);
        if definitions.resource(&given).is_none() {
            return Some(format!("a resource of a type of {}", self.version));
        }
        let is_any = matches!(wanted, "Resource" | "DomainResource" | "Any");
        (!is_any && wanted != given).then(|| format!("a `{wanted}`"))
    }

    /// What the argument must be, where it is not of the type that is demanded.
    fn check_value(&self, type_name: &str, argument: Argument<'_>) -> Option<String> {
        let Some((given, value)) = argument.value() else {
            return Some(format!("a `value{}`", capitalised(type_name)));
        };
        let given = uncapitalised(&given);
        let is_text = |it: &str| TEXTS.contains(&it);
        if matches!(type_name, "Element" | "Any" | "*")
            || given == capitalised(type_name)
            || given == type_name
        {
            return None;
        }
        let both = is_text(type_name) && is_text(&given);
        let fits = || {
            let text = value.as_str().unwrap_or_default();
            Primitive::named(type_name).is_some_and(|it| it.accepts(&text, self.version))
        };
        (!both || !fits()).then(|| format!("a `value{}`", capitalised(type_name)))
    }

    fn unknown(&self, name: &str) -> Issue {
        let issue = Issue::error(
            Fault::Invalid,
            "the operation has no parameter of that name",
        );
        let names: Vec<&str> = self.parameters().map(|it| it.name).collect();
        match fhir::suggest::nearest(name, names.iter().copied()) {
            Some(nearest) => issue.mend(format!("did you mean `{nearest}`?")),
            None if names.is_empty() => issue.mend("it has none"),
            None => issue.mend(format!("it has {}", names.join(", "))),
        }
    }
}

fn check_count(parameter: &OperationParameter, count: usize) -> Option<Issue> {
    let name = parameter.name;
    if count < parameter.min as usize {
        let what = format!("the operation needs the parameter `{name}`");
        return Some(Issue::error(Fault::Required, what));
    }
    let max = parameter.max.filter(|max| count > *max as usize)?;
    let what = format!("the parameter `{name}` is given {count} times, it may be {max}");
    Some(Issue::error(Fault::Invalid, what))
}

fn is_resource(parameter: &OperationParameter, version: FhirVersion) -> bool {
    let is_abstract = |it| matches!(it, "Resource" | "DomainResource");
    parameter
        .type_name
        .is_some_and(|it| is_abstract(it) || Definitions::of(version).resource(it).is_some())
}

/// The type as it follows `value` in a member's name.
pub(super) fn capitalised(type_name: &str) -> String {
    let mut characters = type_name.chars();
    let first = characters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// The primitive type that follows `value` in a member's name; other types as they are.
pub(super) fn uncapitalised(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|it| it.to_ascii_lowercase());
    let lower: String = first.into_iter().chain(characters).collect();
    if Primitive::named(&lower).is_some() {
        lower
    } else {
        name.to_owned()
    }
}
