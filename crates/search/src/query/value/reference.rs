//! References: `Type/id`, `id` (of every type it may be), a URL.
//! <https://hl7.org/fhir/R4/search.html#reference>

use fhir::Definitions;

use super::{Given, side, token};
use crate::measure::fit;
use crate::query::criterion::unescaped;
use crate::query::fault::{Refused, faulty, unfit};
use crate::query::modifier::Modifier;
use crate::query::{ReferenceTest, Side, Value};
use crate::reference::Target;
use crate::registry::Facets;

/// The types whose resources lie below each other, with the parameter that leads upwards.
pub const HIERARCHIES: &[(&str, &str)] = &[
    ("Encounter", "part-of"),
    ("Location", "partof"),
    ("Organization", "partof"),
    ("Procedure", "part-of"),
    ("Task", "part-of"),
];

pub(super) fn reference(
    given: &Given<'_>,
    facets: &Facets,
    modifier: Option<Modifier>,
    text: &str,
) -> Result<Value, Refused> {
    let name = given.name;
    if modifier == Some(Modifier::Identifier) {
        check_identifiers(name, facets)?;
        return Ok(Value::Identifier(token::token(name, text)?));
    }
    let text = unescaped(name, text)?;
    let target = match modifier {
        Some(Modifier::Type(kind)) => Some(kind),
        _ => None,
    };
    let test = read(given, target, &text)?;
    match (side(modifier), test) {
        (None, test) => Ok(Value::Reference(test)),
        (Some(side), ReferenceTest::Url(url)) => urls(name, side, url).map(Value::Reference),
        (Some(side), ReferenceTest::Local { kind, id }) => hierarchy(name, side, kind, id),
        _ => {
            let remedy = "write `Type/id`, `url|version` for versions, or a URL";
            Err(faulty(name, "a value that has no hierarchy", remedy))
        }
    }
}

/// The modifier is about `Reference.identifier`, which nothing but a Reference has.
/// <https://hl7.org/fhir/R4/search.html#reference>
fn check_identifiers(name: &str, facets: &Facets) -> Result<(), Refused> {
    let about = match facets {
        Facets::Reference {
            identifier: None,
            names: Some(_),
            ..
        } => "canonical URLs",
        Facets::Reference {
            identifier: None, ..
        } => "whole resources that lie in another one",
        _ => return Ok(()),
    };
    Err(unfit(
        name,
        &format!(
            "`{name}` compares the identifiers that references have, but its values are {about}"
        ),
        "chain: `parameter.identifier` is that of the resource itself",
    ))
}

/// The URLs above or below one: by version, or by path.
fn urls(name: &str, side: Side, url: Box<str>) -> Result<ReferenceTest, Refused> {
    if url.contains('|') {
        return Ok(ReferenceTest::Versions { side, url });
    }
    match super::hierarchy(name, side, &url)? {
        Value::Uri { uri: url, .. } => Ok(ReferenceTest::Path { side, url }),
        _ => Ok(ReferenceTest::Url(url)),
    }
}

fn hierarchy(name: &str, side: Side, kind: &'static str, id: Box<str>) -> Result<Value, Refused> {
    if HIERARCHIES.iter().any(|it| it.0 == kind) {
        return Ok(Value::Hierarchy { side, kind, id });
    }
    let what = format!("a `{kind}`, of which none lies below another");
    Err(faulty(name, &what, "leave the modifier out"))
}

fn read(
    given: &Given<'_>,
    target: Option<&'static str>,
    text: &str,
) -> Result<ReferenceTest, Refused> {
    let name = given.name;
    let definitions = Definitions::of(given.context.version);
    match given.context.bases.target(definitions, text) {
        Target::Local {
            version: Some(_), ..
        } => {
            let remedy = "leave `/_history/…` out: references are found whatever version they name";
            Err(faulty(name, "a reference to one version", remedy))
        }
        Target::Local {
            resource_type, id, ..
        } => {
            let found = definitions.resource(resource_type).map(|it| it.name);
            match found.filter(|it| target.is_none_or(|target| target == *it)) {
                Some(kind) => Ok(ReferenceTest::Local {
                    kind,
                    id: id.into(),
                }),
                None => Err(faulty(
                    name,
                    "a reference to another type than its modifier",
                    "leave the modifier out",
                )),
            }
        }
        Target::Elsewhere(id) if fhir::id::is_id(id) => Ok(ReferenceTest::Id {
            kind: target,
            id: id.into(),
        }),
        Target::Elsewhere(uri) if uri.contains(':') => Ok(ReferenceTest::Url(fit(uri).into())),
        _ => Err(faulty(
            name,
            "a value that is no reference",
            "write `Type/id`, an id or an absolute URL",
        )),
    }
}
