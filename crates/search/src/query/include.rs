//! `_include` and `_revinclude`: `Type:parameter[:Target]`, `Type:*` or `*`.
//!
//! STU3 spells `:iterate` as `:recurse`; both versions take both.
//! <https://hl7.org/fhir/R4/search.html#revinclude>

use fhir::Definitions;
use fhir::suggest::nearest;

use super::fault::{Refused, faulty, shown, unfit, unknown};
use super::modifier::listed;
use super::{Context, Include, Rounds, Towards};
use crate::registry::{Facets, Registry};

const DIRECTIONS: &[(&str, Towards)] = &[
    ("_include", Towards::Targets),
    ("_revinclude", Towards::Sources),
];

/// Whether the name is that of an include.
pub(super) fn is_include(name: &str) -> bool {
    let (code, _) = name.split_once(':').unwrap_or((name, ""));
    DIRECTIONS.iter().any(|it| it.0 == code)
}

/// Reads an include.
pub(super) fn include(context: &Context<'_>, name: &str, text: &str) -> Result<Include, Refused> {
    let (code, modifier) = match name.split_once(':') {
        Some((code, modifier)) => (code, Some(modifier)),
        None => (name, None),
    };
    let rounds = match modifier {
        None => Rounds::Once,
        Some("iterate" | "recurse") => Rounds::Iterated,
        Some(other) => {
            let what = format!("the modifier `:{}` of `{code}`", shown(other));
            return Err(unknown(name, &what, Some(":iterate")));
        }
    };
    let towards = DIRECTIONS.iter().find(|it| it.0 == code);
    let mut include = Include {
        towards: towards.map_or(Towards::Targets, |it| it.1),
        rounds,
        source: None,
        code: None,
        target: None,
    };
    if !matches!(text, "*" | "*:*") {
        read_path(context, name, text, &mut include)?;
    }
    Ok(include)
}

fn read_path(
    context: &Context<'_>,
    name: &str,
    text: &str,
    include: &mut Include,
) -> Result<(), Refused> {
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let (source, code, target) = match parts[..] {
        [source, code] => (source, code, None),
        [source, code, target] => (source, code, Some(target)),
        _ => {
            return Err(faulty(
                name,
                "a value of another form",
                "write `Type:parameter[:Target]`, `Type:*` or `*`",
            ));
        }
    };
    let source = resource_type(context, name, source)?;
    include.source = Some(source);
    if code != "*" {
        let (code, targets) = reference(context, name, source, code)?;
        include.code = Some(code);
        include.target = target
            .map(|it| resource_type(context, name, it))
            .transpose()?;
        if let Some(target) = include
            .target
            .filter(|it| !targets.is_empty() && !targets.contains(it))
        {
            let what = format!("`{source}:{code}` never refers to a `{target}`");
            return Err(unfit(
                name,
                &what,
                &format!("it refers to {}", listed(targets)),
            ));
        }
        return Ok(());
    }
    include.target = target
        .map(|it| resource_type(context, name, it))
        .transpose()?;
    Ok(())
}

/// The parameter of references and the types that it leads to.
fn reference(
    context: &Context<'_>,
    name: &str,
    source: &'static str,
    code: &str,
) -> Result<(&'static str, &'static [&'static str]), Refused> {
    let registry = Registry::of(context.version);
    let is_reference = |it: &Facets| matches!(it, Facets::Reference { .. });
    match registry.named(source, code) {
        Some(it) if is_reference(&it.facets) => Ok((it.definition.code, it.definition.targets)),
        found => {
            let all = registry.parameters(source).iter();
            let codes: Vec<_> = all
                .filter(|it| is_reference(&it.facets))
                .map(|it| it.definition.code)
                .collect();
            if found.is_some() {
                let what = format!("`{source}:{code}` is no reference");
                return Err(unfit(
                    name,
                    &what,
                    &format!("the references are {}", listed(&codes)),
                ));
            }
            let what = format!("the search parameter `{}` of `{source}`", shown(code));
            Err(unknown(name, &what, nearest(code, codes)))
        }
    }
}

/// The resource type of that name; `name` is the parameter that it stands in.
pub(super) fn resource_type(
    context: &Context<'_>,
    name: &str,
    text: &str,
) -> Result<&'static str, Refused> {
    let definitions = Definitions::of(context.version);
    definitions.resource(text).map(|it| it.name).ok_or_else(|| {
        let what = format!("the resource type `{}`", shown(text));
        let near = nearest(text, definitions.resources().map(|it| it.name));
        match near {
            Some(near) => unknown(name, &what, Some(near)),
            None => unfit(
                name,
                &format!("{what} does not exist here"),
                "the CapabilityStatement lists the types",
            ),
        }
    })
}
