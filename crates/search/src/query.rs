//! From raw query text to typed criteria and result parameters.
//!
//! Everything is decided here: an unknown parameter, modifier or value is an issue that names it;
//! later stages see types. <https://hl7.org/fhir/R4/search.html>

use fhir::suggest::nearest;
use fhir::{Definitions, Fault, FhirVersion, Issue};

use crate::extract::{NamedValue, fit};
use crate::parameter::{Offered, ParameterKind, Parameters};
use crate::reference::{Bases, Target};
use crate::text::{append_pair, pairs, split_unescaped, unescape};

/// Limits of a query, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Parameters in one query.
    pub criteria_max: usize,
    /// Values of one parameter, separated by commas.
    pub or_values_max: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            criteria_max: 100,
            or_values_max: 1_000,
        }
    }
}

/// What to do with what is unknown (`Prefer: handling=…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    /// It is an error.
    #[default]
    Strict,
    /// It is ignored and reported.
    Lenient,
}

/// What a query is read against.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The FHIR version.
    pub version: FhirVersion,
    /// The types searched; a parameter must be offered for each of them.
    pub types: &'c [&'c str],
    /// The bases of this server.
    pub bases: &'c Bases,
    /// What is done with what is unknown.
    pub handling: Handling,
    /// The limits.
    pub limits: QueryLimits,
}

/// A query, understood.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// What a resource must match: all of them.
    pub criteria: Vec<Criterion>,
    /// How the result is to be given.
    pub result: ResultParameters,
    /// What was ignored.
    pub ignored: Vec<Issue>,
    /// The parameters that were understood, as given, without the page's token.
    pub understood: String,
}

/// One search condition: a parameter with values of which one must match.
#[derive(Clone)]
pub struct Criterion {
    /// The parameter's canonical URLs: one, or one for each of the types searched.
    pub parameters: Vec<&'static str>,
    /// The condition.
    pub condition: Condition,
}

/// What a criterion demands.
#[derive(Clone, PartialEq, Eq)]
pub enum Condition {
    /// One of these ids.
    Ids(Vec<Box<str>>),
    /// A value that passes one of these tests.
    AnyOf(Vec<NamedTest>),
    /// Whether there is no value at all (`:missing`).
    Missing(Presence),
}

/// What `:missing` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// `:missing=true`
    Absent,
    /// `:missing=false`
    Present,
}

/// A test on the value of an entry, in names.
#[derive(Clone, PartialEq, Eq)]
pub enum NamedTest {
    /// Exactly this value.
    Is(NamedValue),
    /// This code in any system.
    Code(Box<str>),
    /// Any code of this system.
    System(Box<str>),
}

/// Says which parameters, never which values.
impl std::fmt::Debug for Criterion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Criterion({})", self.parameters.join(", "))
    }
}

/// How a result is to be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultParameters {
    /// `_count`
    pub count: Option<usize>,
    /// `_total`
    pub total: WantedTotal,
    /// `_summary` and `_elements`
    pub summary: Summary,
    /// `_type`: the types looked at, of those that were searched.
    pub types: Option<Vec<String>>,
    /// The token of a page after the first.
    pub page: Option<String>,
}

/// `_total`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WantedTotal {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// None.
    None,
    /// An estimate will do.
    Estimate,
    /// The exact number.
    Accurate,
}

/// `_summary` and `_elements`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Summary {
    /// Everything.
    #[default]
    None,
    /// Elements marked as summary.
    True,
    /// `text`, `id`, `meta` and mandatory elements.
    Text,
    /// Everything but `text`.
    Data,
    /// The total only.
    Count,
    /// These top-level elements and the mandatory ones.
    Elements(Vec<String>),
}

/// The name of the parameter that carries a page's token.
pub const PAGE: &str = "_page";

type ReadResult = fn(&mut Query, &str) -> Option<()>;

/// The result parameters, and how each is read; `None` from the reader refuses the value.
const RESULT_PARAMETERS: &[(&str, ReadResult)] = &[
    ("_count", |query, value| {
        query.result.count = Some(value.parse().ok()?);
        Some(())
    }),
    ("_elements", |query, value| {
        let names: Vec<String> = value.split(',').map(|it| it.trim().to_owned()).collect();
        query.result.summary =
            Summary::Elements(names.iter().all(|it| !it.is_empty()).then_some(names)?);
        Some(())
    }),
    // Format and layout are the caller's business; they are no criteria.
    ("_format", |_, _| Some(())),
    (PAGE, |query, value| {
        query.result.page = Some(value.to_owned());
        Some(())
    }),
    ("_pretty", |_, _| Some(())),
    ("_summary", |query, value| {
        query.result.summary = match value {
            "true" => Summary::True,
            "false" => Summary::None,
            "text" => Summary::Text,
            "data" => Summary::Data,
            "count" => Summary::Count,
            _ => return None,
        };
        Some(())
    }),
    ("_total", |query, value| {
        query.result.total = match value {
            "none" => WantedTotal::None,
            "estimate" => WantedTotal::Estimate,
            "accurate" => WantedTotal::Accurate,
            _ => return None,
        };
        Some(())
    }),
];

/// Parameters of the standard that are no definitions, not offered yet.
const LATER: &[&str] = &[
    "_contained",
    "_containedType",
    "_filter",
    "_has",
    "_include",
    "_list",
    "_maxresults",
    "_query",
    "_revinclude",
    "_score",
    "_sort",
    "_text",
    "_content",
];

/// Modifiers of the standard that are not offered yet.
const MODIFIERS_LATER: &[&str] = &[
    "above",
    "below",
    "code-text",
    "contains",
    "exact",
    "identifier",
    "in",
    "iterate",
    "not",
    "not-in",
    "of-type",
    "recurse",
    "text",
    "text-advanced",
];

impl Query {
    /// Reads raw query text. All faults are reported; with [`Handling::Lenient`] unknown names are
    /// kept in `ignored` instead.
    pub fn parse(text: &str, context: &Context<'_>) -> Result<Self, Vec<Issue>> {
        let mut query = Self::default();
        let mut faults = Vec::new();
        for (place, pair) in pairs(text).enumerate() {
            if place >= context.limits.criteria_max {
                let max = context.limits.criteria_max;
                let what = format!("the query has more than `criteria_max` ({max}) parameters");
                return Err(vec![Issue::error(Fault::TooLarge, what)]);
            }
            let (Some(name), Some(value)) = pair else {
                faults.push(malformed());
                continue;
            };
            match query.read(&name, &value, context) {
                Ok(()) if name == PAGE => {}
                Ok(()) => append_pair(&mut query.understood, &name, &value),
                Err(Refused::Unknown(issue)) if context.handling == Handling::Lenient => {
                    query.ignored.push(Issue {
                        severity: fhir::Severity::Warning,
                        ..issue
                    });
                }
                Err(Refused::Unknown(issue) | Refused::Faulty(issue)) => faults.push(issue),
            }
        }
        if faults.is_empty() {
            Ok(query)
        } else {
            Err(faults)
        }
    }

    fn read(&mut self, name: &str, value: &str, context: &Context<'_>) -> Result<(), Refused> {
        if value.is_empty() {
            let issue = Issue::error(
                Fault::Invalid,
                format!("the parameter `{}` has no value", shown(name)),
            );
            return Err(Refused::Faulty(issue.at(location(name))));
        }
        if name == "_type" {
            return self.types(value, context);
        }
        if let Some((_, read)) = RESULT_PARAMETERS.iter().find(|it| it.0 == name) {
            return read(self, value)
                .ok_or_else(|| faulty(name, "a value that it does not allow", None));
        }
        self.criteria.push(criterion(name, value, context)?);
        Ok(())
    }

    fn types(&mut self, value: &str, context: &Context<'_>) -> Result<(), Refused> {
        let definitions = Definitions::of(context.version);
        let names: Vec<String> = value.split(',').map(str::to_owned).collect();
        if !names.iter().all(|it| definitions.resource(it).is_some()) {
            return Err(faulty("_type", "a resource type that does not exist", None));
        }
        self.result.types = Some(names);
        Ok(())
    }
}

/// The value of `_type` in a query, before the rest can be understood.
pub fn types_wanted(text: &str) -> Option<Vec<String>> {
    let of_type = |(name, value): (Option<String>, Option<String>)| {
        (name.as_deref() == Some("_type"))
            .then_some(value)
            .flatten()
    };
    let value = pairs(text).find_map(of_type)?;
    Some(value.split(',').map(str::to_owned).collect())
}

/// Why a parameter was not taken.
enum Refused {
    /// Its name or modifier is unknown or not offered: lenient callers go on without it.
    Unknown(Issue),
    /// Its value is wrong: nobody goes on without it.
    Faulty(Issue),
}

fn criterion(name: &str, value: &str, context: &Context<'_>) -> Result<Criterion, Refused> {
    let (code, modifier) = match name.split_once(':') {
        Some((code, modifier)) => (code, Some(modifier)),
        None => (name, None),
    };
    let offered = offered(code, context).ok_or_else(|| unknown(code, context))?;
    let condition = match modifier {
        Some("missing") if offered[0].kind != ParameterKind::Id => missing(code, value)?,
        _ => {
            let target = modifier
                .map(|it| target_type(code, it, offered[0], context))
                .transpose()?;
            condition(code, value, &offered, target, context)?
        }
    };
    let mut parameters: Vec<&'static str> = offered.iter().map(|it| it.definition.url).collect();
    parameters.dedup();
    Ok(Criterion {
        parameters,
        condition,
    })
}

/// The parameter as each of the types has it; `None` if one has not.
fn offered(code: &str, context: &Context<'_>) -> Option<Vec<&'static Offered>> {
    let parameters = Parameters::of(context.version);
    let each = context.types.iter().map(|it| parameters.named(it, code));
    each.collect::<Option<Vec<_>>>().filter(|it| !it.is_empty())
}

fn condition(
    code: &str,
    value: &str,
    offered: &[&'static Offered],
    target: Option<&str>,
    context: &Context<'_>,
) -> Result<Condition, Refused> {
    let values: Vec<&str> = split_unescaped(value, ',').collect();
    let max = context.limits.or_values_max;
    if values.len() > max {
        let what = format!("the parameter `{code}` has more than `or_values_max` ({max}) values");
        return Err(Refused::Faulty(
            Issue::error(Fault::TooLarge, what).at(location(code)),
        ));
    }
    if values.iter().any(|it| it.is_empty()) {
        return Err(faulty(code, "an empty value between its commas", None));
    }
    if offered[0].kind == ParameterKind::Id {
        let ids = values.iter().map(|it| unescaped(code, it).map(Into::into));
        return Ok(Condition::Ids(ids.collect::<Result<_, _>>()?));
    }
    let mut tests = Vec::new();
    for value in values {
        match offered[0].kind {
            ParameterKind::Token => tests.push(token(code, value)?),
            _ => references(code, value, offered, target, context, &mut tests)?,
        }
    }
    Ok(Condition::AnyOf(tests))
}

/// `code`, `system|code`, `|code` or `system|`. <https://hl7.org/fhir/R4/search.html#token>
fn token(code: &str, value: &str) -> Result<NamedTest, Refused> {
    let parts: Vec<&str> = split_unescaped(value, '|').collect();
    let text = |part: &str| unescaped(code, part).map(|it| Box::<str>::from(fit(&it)));
    match parts[..] {
        [it] => Ok(NamedTest::Code(text(it)?)),
        [system, ""] if !system.is_empty() => Ok(NamedTest::System(text(system)?)),
        [system, it] if !it.is_empty() => {
            let system = (!system.is_empty()).then(|| text(system)).transpose()?;
            Ok(NamedTest::Is(NamedValue::Token {
                system,
                code: text(it)?,
            }))
        }
        _ => Err(faulty(
            code,
            "a token that is not `code`, `system|code`, `|code` or `system|`",
            Some(r"write a `|` inside a value as `\|`"),
        )),
    }
}

/// `Type/id`, `id` (of every type it may be) or a URL. <https://hl7.org/fhir/R4/search.html#reference>
fn references(
    code: &str,
    value: &str,
    offered: &[&'static Offered],
    target: Option<&str>,
    context: &Context<'_>,
    tests: &mut Vec<NamedTest>,
) -> Result<(), Refused> {
    let definitions = Definitions::of(context.version);
    let text = unescaped(code, value)?;
    let is = |resource_type: &str, id: &str| {
        let (resource_type, id) = (resource_type.into(), id.into());
        NamedTest::Is(NamedValue::Reference { resource_type, id })
    };
    match context.bases.target(definitions, &text) {
        Target::Local {
            resource_type, id, ..
        } => {
            if target.is_none_or(|it| it == resource_type) {
                tests.push(is(resource_type, id));
            }
        }
        Target::Elsewhere(id) if fhir::id::is_id(id) => {
            let all = definitions.resources().map(|it| it.name);
            let types: Vec<&str> = match target {
                Some(target) => vec![target],
                None if offered.iter().any(|it| it.definition.targets.is_empty()) => all.collect(),
                None => offered
                    .iter()
                    .flat_map(|it| it.definition.targets)
                    .copied()
                    .collect(),
            };
            tests.extend(types.into_iter().map(|it| is(it, id)));
        }
        Target::Elsewhere(uri) if uri.contains(':') => {
            tests.push(NamedTest::Is(NamedValue::Uri(fit(uri).into())));
        }
        _ => {
            let remedy = "write `Type/id`, an id or an absolute URL";
            return Err(faulty(code, "a value that is no reference", Some(remedy)));
        }
    }
    Ok(())
}

fn missing(code: &str, value: &str) -> Result<Condition, Refused> {
    match value {
        "true" => Ok(Condition::Missing(Presence::Absent)),
        "false" => Ok(Condition::Missing(Presence::Present)),
        _ => Err(faulty(
            code,
            "a `:missing` that is neither `true` nor `false`",
            None,
        )),
    }
}

/// The modifier of a reference that names the type it must point to.
fn target_type(
    code: &str,
    modifier: &str,
    offered: &Offered,
    context: &Context<'_>,
) -> Result<&'static str, Refused> {
    let definitions = Definitions::of(context.version);
    let is_reference = offered.kind == ParameterKind::Reference;
    if let Some(found) = definitions.resource(modifier).filter(|_| is_reference) {
        return Ok(found.name);
    }
    let what = format!("the modifier `:{}` of `{code}`", shown(modifier));
    if MODIFIERS_LATER.contains(&modifier) {
        let issue = Issue::error(Fault::NotSupported, format!("{what} is not offered yet"));
        return Err(Refused::Unknown(issue.at(location(code))));
    }
    let known = ["missing"]
        .into_iter()
        .chain(MODIFIERS_LATER.iter().copied());
    let types = definitions
        .resources()
        .map(|it| it.name)
        .filter(|_| is_reference);
    let suggestion = nearest(modifier, known.chain(types)).map(|it| format!(":{it}"));
    Err(Refused::Unknown(unknown_name(
        code,
        &what,
        suggestion.as_deref(),
    )))
}

fn unknown(code: &str, context: &Context<'_>) -> Refused {
    let definitions = Definitions::of(context.version);
    let is_defined = !context.types.is_empty()
        && context
            .types
            .iter()
            .all(|it| definitions.search_parameter(it, code).is_some());
    let what = format!("the search parameter `{}`", shown(code));
    if is_defined || LATER.contains(&code) || code.contains('.') {
        let issue = Issue::error(Fault::NotSupported, format!("{what} is not offered yet"));
        return Refused::Unknown(issue.at(location(code)));
    }
    let own = context
        .types
        .first()
        .map(|it| Parameters::of(context.version).offered(it));
    let codes = own.unwrap_or_default().iter().map(|it| it.definition.code);
    let results = RESULT_PARAMETERS
        .iter()
        .map(|it| it.0)
        .filter(|it| *it != PAGE);
    let defined = context
        .types
        .first()
        .map(|it| definitions.search_parameters_of(it));
    let defined = defined.iter().flatten().map(|it| it.code);
    let suggestion = nearest(code, codes.chain(results).chain(defined));
    Refused::Unknown(unknown_name(code, &what, suggestion))
}

fn unknown_name(code: &str, what: &str, suggestion: Option<&str>) -> Issue {
    let issue = Issue::error(Fault::Invalid, format!("{what} does not exist here"));
    let issue = issue.at(location(code));
    match suggestion {
        Some(name) => issue.mend(format!("did you mean `{name}`?")),
        None => issue.mend("the CapabilityStatement lists the parameters of each type"),
    }
}

fn unescaped(code: &str, text: &str) -> Result<String, Refused> {
    let remedy = r"only `\,`, `\|`, `\$` and `\\` are escapes";
    unescape(text).ok_or_else(|| faulty(code, "a value with an unknown escape", Some(remedy)))
}

fn faulty(code: &str, what: &str, remedy: Option<&str>) -> Refused {
    let issue = Issue::error(
        Fault::Invalid,
        format!("the parameter `{}` has {what}", shown(code)),
    );
    let issue = issue.at(location(code));
    Refused::Faulty(match remedy {
        Some(remedy) => issue.mend(remedy),
        None => issue,
    })
}

fn malformed() -> Issue {
    let issue = Issue::error(Fault::Invalid, "the query is not percent-encoded UTF-8");
    issue.mend("write a `%` as `%25`, and other characters as the bytes of their UTF-8 form")
}

fn location(name: &str) -> String {
    format!("http.{}", shown(name))
}

/// The longest name that is repeated to the client.
const NAME_SHOWN_MAX: usize = 64;

fn shown(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_SHOWN_MAX)]
}

#[cfg(test)]
mod tests;
