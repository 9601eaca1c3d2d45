//! Values, each read by the kind of its parameter and the modifier.

pub(super) mod near;
mod number;
pub(super) mod reference;
mod token;

use super::criterion::unescaped;
use super::fault::{Refused, faulty, over};
use super::modifier::Modifier;
use super::offered::ParameterKind;
use super::{Context, Side, TextMatch, UriMatch, Value, Words};
use crate::registry::Facets;
use crate::text::{fold, split_unescaped};

pub(super) use number::dates;

/// What a value is read against.
pub(super) struct Given<'g> {
    /// The whole name of its criterion.
    pub(super) name: &'g str,
    pub(super) context: &'g Context<'g>,
    /// The value of STU3's `near-distance`.
    pub(super) distance: Option<&'g str>,
}

/// Reads a value. The modifier goes with the kind.
pub(super) fn value(
    given: &Given<'_>,
    kind: ParameterKind,
    facets: &Facets,
    modifier: Option<Modifier>,
    text: &str,
) -> Result<Value, Refused> {
    match kind {
        ParameterKind::String => string(given.name, modifier, text),
        ParameterKind::Token => token::token_value(given, facets, modifier, text),
        ParameterKind::Reference => reference::reference(given, facets, modifier, text),
        ParameterKind::Uri => uri(given.name, modifier, text),
        ParameterKind::Date => {
            number::date(given.context.version, given.name, text).map(Value::Date)
        }
        ParameterKind::Number => number::number(given.name, text),
        ParameterKind::Quantity => number::quantity(given.name, text),
        ParameterKind::Place => near::near(given, text),
        ParameterKind::Words => {
            Words::parse(given.name, &unescaped(given.name, text)?).map(Value::Words)
        }
        ParameterKind::Composite => composite(given, facets, text),
        ParameterKind::Id | ParameterKind::Updated | ParameterKind::Elsewhere => Err(faulty(
            given.name,
            "a component that has no values",
            "search its components one by one",
        )),
    }
}

fn string(name: &str, modifier: Option<Modifier>, text: &str) -> Result<Value, Refused> {
    let text = unescaped(name, text)?;
    let how = match modifier {
        Some(Modifier::Exact) => TextMatch::Exact,
        Some(Modifier::Contains) => TextMatch::Contains,
        _ => TextMatch::Starts,
    };
    if how != TextMatch::Exact {
        check_letters(name, &text)?;
    }
    Ok(Value::Text {
        how,
        text: text.into(),
    })
}

/// A text without letters and digits would match everything.
fn check_letters(name: &str, text: &str) -> Result<(), Refused> {
    if fold(text).is_empty() {
        let remedy = "give letters or digits; `:exact` compares the rest too";
        return Err(faulty(name, "a value without letters and digits", remedy));
    }
    Ok(())
}

/// How many slashes a URL may have for `:above`: every step of its path is looked for.
const SLASHES_MAX: usize = 64;

fn uri(name: &str, modifier: Option<Modifier>, text: &str) -> Result<Value, Refused> {
    let uri = unescaped(name, text)?;
    match side(modifier) {
        Some(side) => hierarchy(name, side, &uri),
        None => Ok(Value::Uri {
            how: UriMatch::Exact,
            uri: uri.into(),
        }),
    }
}

/// What lies above or below a URL.
fn hierarchy(name: &str, side: Side, uri: &str) -> Result<Value, Refused> {
    if !uri.contains("://") {
        let remedy = "`:above` and `:below` follow the path of a URL, which a URN has not";
        return Err(faulty(name, "a value that is no absolute URL", remedy));
    }
    let how = match side {
        Side::Above => UriMatch::Above,
        Side::Below => UriMatch::Below,
    };
    if how == UriMatch::Above && uri.matches('/').count() > SLASHES_MAX {
        return Err(over(name, "uri_slashes_max", SLASHES_MAX, "slashes"));
    }
    Ok(Value::Uri {
        how,
        uri: uri.trim_end_matches('/').into(),
    })
}

fn composite(given: &Given<'_>, facets: &Facets, text: &str) -> Result<Value, Refused> {
    let Facets::Composite(components) = facets else {
        return Err(faulty(
            given.name,
            "no components",
            "search another parameter",
        ));
    };
    let parts: Vec<&str> = split_unescaped(text, '$').collect();
    if parts.len() != components.len() || parts.contains(&"") {
        let codes: Vec<_> = components.iter().map(|it| it.definition.code).collect();
        let form = format!(
            "write `{}`, and a `$` inside a value as `\\$`",
            codes.join("$")
        );
        return Err(faulty(
            given.name,
            "a value with another number of components",
            &form,
        ));
    }
    let values = components.iter().zip(parts).map(|(component, part)| {
        value(
            given,
            ParameterKind::of(&component.facets),
            &component.facets,
            None,
            part,
        )
    });
    Ok(Value::Composite(values.collect::<Result<_, _>>()?))
}

fn side(modifier: Option<Modifier>) -> Option<Side> {
    match modifier {
        Some(Modifier::Above) => Some(Side::Above),
        Some(Modifier::Below) => Some(Side::Below),
        _ => None,
    }
}
