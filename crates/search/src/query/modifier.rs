//! Which modifier goes with which kind of parameter: a table.
//!
//! R4 defines `:missing :exact :contains :text :in :below :above :not-in :not :identifier :of-type`
//! and `:[type]` (<https://hl7.org/fhir/R4/search.html#modifiers>); STU3 lacks `:identifier` and
//! `:of-type`, R5 adds `:code-text` and `:text-advanced`. Both versions answer all of them, since
//! none of them can mean anything else.

use fhir::Definitions;
use fhir::suggest::nearest;

use super::fault::{Refused, shown, unfit, unknown};
use super::offered::{Offered, ParameterKind};

/// What a modifier changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modifier {
    /// Whether there is a value at all.
    Missing,
    /// A text is compared as written.
    Exact,
    /// A text is looked for in the middle too.
    Contains,
    /// No value may match.
    Not,
    /// What people read is compared.
    Text,
    /// The same; R5's name for what begins so.
    CodeText,
    /// The same, word by word.
    TextAdvanced,
    /// A code of a value set.
    In,
    /// No code of a value set.
    NotIn,
    /// What is more general.
    Above,
    /// What is more special.
    Below,
    /// An identifier of a type.
    OfType,
    /// A reference by identifier.
    Identifier,
    /// A reference to this type.
    Type(&'static str),
}

/// A row of the table of modifiers.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// How it is written.
    pub name: &'static str,
    /// What it changes.
    pub modifier: Modifier,
    /// The kinds of parameters that it goes with.
    pub kinds: &'static [ParameterKind],
}

use ParameterKind as Kind;

/// Every kind that a resource has values of, or what the server adds to it.
const VALUED: &[Kind] = &[
    Kind::Id,
    Kind::Updated,
    Kind::String,
    Kind::Token,
    Kind::Reference,
    Kind::Uri,
    Kind::Date,
    Kind::Number,
    Kind::Quantity,
    Kind::Place,
    Kind::Words,
    Kind::Composite,
];

/// `:[type]` stands beside the table: it is the name of a resource type, on references.
const RULES: &[Rule] = &[
    rule("missing", Modifier::Missing, VALUED),
    rule("exact", Modifier::Exact, &[Kind::String]),
    rule("contains", Modifier::Contains, &[Kind::String]),
    rule("not", Modifier::Not, &[Kind::Token, Kind::Id]),
    rule("text", Modifier::Text, &[Kind::Token]),
    rule("code-text", Modifier::CodeText, &[Kind::Token]),
    rule("text-advanced", Modifier::TextAdvanced, &[Kind::Token]),
    rule("in", Modifier::In, &[Kind::Token]),
    rule("not-in", Modifier::NotIn, &[Kind::Token]),
    rule(
        "above",
        Modifier::Above,
        &[Kind::Token, Kind::Uri, Kind::Reference],
    ),
    rule(
        "below",
        Modifier::Below,
        &[Kind::Token, Kind::Uri, Kind::Reference],
    ),
    rule("of-type", Modifier::OfType, &[Kind::Token]),
    rule("identifier", Modifier::Identifier, &[Kind::Reference]),
];

const fn rule(name: &'static str, modifier: Modifier, kinds: &'static [Kind]) -> Rule {
    Rule {
        name,
        modifier,
        kinds,
    }
}

/// The table of modifiers.
pub fn rules() -> &'static [Rule] {
    RULES
}

/// The modifier of that name for a parameter; `name` is the whole name that it is part of.
pub(super) fn modifier(
    definitions: &Definitions,
    name: &str,
    text: &str,
    of: &Offered,
) -> Result<Modifier, Refused> {
    let what = || format!("the modifier `:{}` of `{}`", shown(text), of.code());
    if let Some(rule) = RULES.iter().find(|it| it.name == text) {
        if rule.kinds.contains(&of.kind) {
            return Ok(rule.modifier);
        }
        let what = format!("{} does not go with {} parameters", what(), of.kind.name());
        return Err(unfit(name, &what, &allowed(of.kind)));
    }
    let is_reference = of.kind == Kind::Reference;
    let resource = definitions.resource(text).filter(|_| is_reference);
    if let Some(resource) = resource {
        let targets = of.targets(definitions.version());
        if targets.contains(&resource.name) {
            return Ok(Modifier::Type(resource.name));
        }
        let what = format!("`{}` never refers to a `{}`", of.code(), resource.name);
        return Err(unfit(
            name,
            &what,
            &format!("it refers to {}", listed(&targets)),
        ));
    }
    let own = RULES
        .iter()
        .filter(|it| it.kinds.contains(&of.kind))
        .map(|it| it.name);
    let types = definitions
        .resources()
        .map(|it| it.name)
        .filter(|_| is_reference);
    let near = nearest(text, own.chain(types)).map(|it| format!(":{it}"));
    if let Some(near) = near {
        return Err(unknown(name, &what(), Some(&near)));
    }
    let what = format!("{} does not exist here", what());
    Err(unfit(name, &what, &allowed(of.kind)))
}

/// What may stand in place of a modifier that does not go with a kind.
fn allowed(kind: Kind) -> String {
    let names = RULES.iter().filter(|it| it.kinds.contains(&kind));
    let names: Vec<_> = names.map(|it| format!("`:{}`", it.name)).collect();
    match (names.is_empty(), kind) {
        (true, _) => "leave the modifier out".to_owned(),
        (false, Kind::Reference) => format!("it takes {} and the names of types", names.join(" ")),
        (false, _) => format!("it takes {}", names.join(" ")),
    }
}

/// Names in a message: a few of them.
pub(super) fn listed(names: &[&str]) -> String {
    const NAMES_SHOWN_MAX: usize = 8;
    let few: Vec<_> = names
        .iter()
        .take(NAMES_SHOWN_MAX)
        .map(|it| format!("`{it}`"))
        .collect();
    let more = if names.len() > NAMES_SHOWN_MAX {
        " …"
    } else {
        ""
    };
    few.join(" ") + more
}
