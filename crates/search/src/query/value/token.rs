//! Codes: `code`, `system|code`, `|code`, `system|`. <https://hl7.org/fhir/R4/search.html#token>

use super::{Given, check_letters, side};
use crate::measure::fit;
use crate::query::criterion::unescaped;
use crate::query::fault::{Refused, faulty, unfit};
use crate::query::modifier::Modifier;
use crate::query::{Token, TokenTextMatch, Value};
use crate::registry::Facets;
use crate::text::split_unescaped;

pub(super) fn token_value(
    given: &Given<'_>,
    facets: &Facets,
    modifier: Option<Modifier>,
    text: &str,
) -> Result<Value, Refused> {
    let name = given.name;
    match modifier {
        Some(Modifier::Text | Modifier::CodeText) => read_text(name, TokenTextMatch::Starts, text),
        Some(Modifier::TextAdvanced) => read_text(name, TokenTextMatch::Words, text),
        Some(Modifier::In | Modifier::NotIn) => {
            Ok(Value::InValueSet(unescaped(name, text)?.into()))
        }
        Some(Modifier::OfType) => of_type(name, facets, text),
        _ => match side(modifier) {
            Some(side) => match token(name, text)? {
                Token::Coded {
                    system: Some(system),
                    code,
                } => Ok(Value::Subsumed { side, system, code }),
                _ => Err(faulty(
                    name,
                    "a code without its system",
                    "write `system|code`",
                )),
            },
            None => Ok(Value::Token(token(name, text)?)),
        },
    }
}

fn read_text(name: &str, how: TokenTextMatch, text: &str) -> Result<Value, Refused> {
    let text = unescaped(name, text)?;
    check_letters(name, &text)?;
    Ok(Value::TokenText {
        how,
        text: text.into(),
    })
}

/// Reads a code with or without system.
pub(super) fn token(name: &str, text: &str) -> Result<Token, Refused> {
    let parts: Vec<&str> = split_unescaped(text, '|').collect();
    let part = |it: &str| unescaped(name, it).map(|it| Box::<str>::from(fit(&it)));
    match parts[..] {
        [code] => Ok(Token::Code(part(code)?)),
        [system, ""] if !system.is_empty() => Ok(Token::System(part(system)?)),
        [system, code] if !code.is_empty() => {
            let system = (!system.is_empty()).then(|| part(system)).transpose()?;
            Ok(Token::Coded {
                system,
                code: part(code)?,
            })
        }
        _ => Err(faulty(
            name,
            "a token that is not `code`, `system|code`, `|code` or `system|`",
            r"write a `|` inside a value as `\|`",
        )),
    }
}

/// `system|code|value`; all three must be there.
fn of_type(name: &str, facets: &Facets, text: &str) -> Result<Value, Refused> {
    if !matches!(facets, Facets::Token(slots) if slots.of_type.is_some()) {
        let what = "the modifier `:of-type` goes with identifiers only";
        return Err(unfit(name, what, "search the code itself"));
    }
    let parts = split_unescaped(text, '|').map(|it| unescaped(name, it));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    match &parts[..] {
        [system, code, value] if !parts.iter().any(String::is_empty) => Ok(Value::OfType {
            system: fit(system).into(),
            code: fit(code).into(),
            value: fit(value).into(),
        }),
        _ => Err(faulty(
            name,
            "an `:of-type` without its three parts",
            "write `system|code|value`",
        )),
    }
}
