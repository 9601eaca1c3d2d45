//! The name of a criterion, taken apart: `subject:Patient._has:Observation:patient:code:in`.

use super::fault::{Refused, faulty};

/// What a parameter's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'n> {
    /// A parameter of the resource itself, the end of every chain.
    Plain {
        code: &'n str,
        modifier: Option<&'n str>,
    },
    /// A parameter of what a reference leads to.
    Chain {
        code: &'n str,
        target: Option<&'n str>,
        rest: &'n str,
    },
    /// A parameter of what refers to the resource.
    Has {
        kind: &'n str,
        code: &'n str,
        rest: &'n str,
    },
}

const HAS: &str = "_has:";

impl<'n> Name<'n> {
    /// Takes the first step off; `whole` is the name that it is the end of.
    pub(super) fn parse(whole: &str, text: &'n str) -> Result<Self, Refused> {
        let form = || {
            faulty(
                whole,
                "an incomplete chain in its name",
                "write `reference.parameter`, `reference:Type.parameter` or `_has:Type:reference:parameter`",
            )
        };
        if let Some(reversed) = text.strip_prefix(HAS) {
            let mut parts = reversed.splitn(3, ':');
            let parts = (parts.next(), parts.next(), parts.next());
            return match parts {
                (Some(kind), Some(code), Some(rest)) if ![kind, code, rest].contains(&"") => {
                    Ok(Self::Has { kind, code, rest })
                }
                _ => Err(form()),
            };
        }
        if text == "_has" {
            return Err(form());
        }
        let end = text.find(['.', ':']).unwrap_or(text.len());
        let (code, after) = text.split_at(end);
        if let Some(rest) = after.strip_prefix('.') {
            let chain = Self::Chain {
                code,
                target: None,
                rest,
            };
            return if rest.is_empty() || code.is_empty() {
                Err(form())
            } else {
                Ok(chain)
            };
        }
        let modifier = after.strip_prefix(':');
        match modifier.and_then(|it| it.split_once('.')) {
            Some((target, rest)) if !target.is_empty() && !rest.is_empty() => Ok(Self::Chain {
                code,
                target: Some(target),
                rest,
            }),
            Some(_) => Err(form()),
            None => Ok(Self::Plain { code, modifier }),
        }
    }
}
