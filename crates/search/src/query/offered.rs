//! A parameter as the types searched have it: one kind for all of them.

use fhir::definitions::SearchParameter;
use fhir::{Definitions, FhirVersion};

use super::fault::{Refused, not_offered, shown, unfit, unknown};
use super::result::RESULT_PARAMETERS;
use crate::registry::{Facets, Parameter, Registry};

/// How the values of a parameter are written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ParameterKind {
    /// The resource's id.
    Id,
    /// The instant of the current version.
    Updated,
    /// What lies outside of the resource.
    Elsewhere,
    /// Texts.
    String,
    /// Codes.
    Token,
    /// References.
    Reference,
    /// URIs.
    Uri,
    /// Dates and periods.
    Date,
    /// Numbers.
    Number,
    /// Quantities.
    Quantity,
    /// Places.
    Place,
    /// Words of a text.
    Words,
    /// Several that lie together.
    Composite,
}

impl ParameterKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Id,
        Self::Updated,
        Self::Elsewhere,
        Self::String,
        Self::Token,
        Self::Reference,
        Self::Uri,
        Self::Date,
        Self::Number,
        Self::Quantity,
        Self::Place,
        Self::Words,
        Self::Composite,
    ];

    /// The kind of what is found so.
    pub fn of(facets: &Facets) -> Self {
        match facets {
            Facets::Id => Self::Id,
            Facets::Updated => Self::Updated,
            Facets::Elsewhere => Self::Elsewhere,
            Facets::String(_) => Self::String,
            Facets::Token(_) => Self::Token,
            Facets::Reference { .. } => Self::Reference,
            Facets::Uri(_) => Self::Uri,
            Facets::Date(_) => Self::Date,
            Facets::Number(_) => Self::Number,
            Facets::Quantity(_) => Self::Quantity,
            Facets::Place(_) => Self::Place,
            Facets::Words(_) => Self::Words,
            Facets::Composite(_) => Self::Composite,
        }
    }

    /// What it is called in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Updated => "time of change",
            Self::Elsewhere | Self::Place => "special",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Uri => "uri",
            Self::Date => "date",
            Self::Number => "number",
            Self::Quantity => "quantity",
            Self::Words => "text search",
            Self::Composite => "composite",
        }
    }
}

/// A parameter of all types searched.
#[derive(Clone)]
pub(super) struct Offered {
    /// As each type has it, with the type.
    pub(super) each: Vec<(&'static str, &'static Parameter)>,
    /// Its kind, the same for all.
    pub(super) kind: ParameterKind,
}

impl Offered {
    /// Its code.
    pub(super) fn code(&self) -> &'static str {
        self.first().definition.code
    }

    /// As the first type has it; what matters for values is the same in all.
    pub(super) fn first(&self) -> &'static Parameter {
        self.each[0].1
    }

    /// Its definitions.
    pub(super) fn definitions(&self) -> impl Iterator<Item = &'static SearchParameter> {
        self.each.iter().map(|it| it.1.definition)
    }

    /// Refuses a parameter that leads to no record.
    pub(super) fn check_leads_on(&self, name: &str) -> Result<(), Refused> {
        if self.kind == ParameterKind::Reference {
            return Ok(());
        }
        let what = format!(
            "`{}` is a {} and leads to no other resource",
            self.code(),
            self.kind.name()
        );
        Err(unfit(name, &what, "only references are chained"))
    }

    /// The types that its references may lead to; all, where a definition does not say.
    pub(super) fn targets(&self, version: FhirVersion) -> Vec<&'static str> {
        let definitions = Definitions::of(version);
        if self.definitions().any(|it| it.targets.is_empty()) {
            return definitions.resources().map(|it| it.name).collect();
        }
        let named = self.definitions().flat_map(|it| it.targets);
        let mut targets: Vec<_> = named
            .filter_map(|it| Some(definitions.resource(it)?.name))
            .collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// The parameter of that code; `name` is the whole name that it is part of.
pub(super) fn offered(
    version: FhirVersion,
    name: &str,
    code: &str,
    types: &[&'static str],
) -> Result<Offered, Refused> {
    let registry = Registry::of(version);
    let each = types
        .iter()
        .map(|it| Some((*it, registry.named(it, code)?)));
    let Some(each) = each.collect::<Option<Vec<_>>>().filter(|it| !it.is_empty()) else {
        return Err(missing(version, name, code, types));
    };
    let signature = signature(each[0].1);
    if let Some((other, parameter)) = each.iter().find(|it| self::signature(it.1) != signature) {
        let what = format!(
            "the search parameter `{code}` is a {} in `{}` but a {} in `{other}`",
            kinds(each[0].1),
            each[0].0,
            kinds(parameter)
        );
        return Err(unfit(name, &what, "search one of the types"));
    }
    Ok(Offered {
        kind: signature[0],
        each,
    })
}

/// The parameter's kind, then those of its components.
pub(super) fn signature(parameter: &Parameter) -> Vec<ParameterKind> {
    let mut kinds = vec![ParameterKind::of(&parameter.facets)];
    if let Facets::Composite(components) = &parameter.facets {
        kinds.extend(components.iter().map(|it| ParameterKind::of(&it.facets)));
    }
    kinds
}

/// The kinds in words.
pub(super) fn kinds(parameter: &Parameter) -> String {
    let names: Vec<_> = signature(parameter)
        .into_iter()
        .map(ParameterKind::name)
        .collect();
    match &names[..] {
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} of {}", rest.join(" and ")),
        [] => String::new(),
    }
}

/// Parameters of the standard that are no criteria on one resource, and so never chained.
const OTHERS: &[&str] = &[
    "_has",
    "_include",
    "_revinclude",
    "_type",
    "_partition",
    "_not-referenced",
];

fn missing(version: FhirVersion, name: &str, code: &str, types: &[&'static str]) -> Refused {
    let registry = Registry::of(version);
    let lacking = types.iter().find(|it| registry.named(it, code).is_none());
    let somewhere = types.iter().find(|it| registry.named(it, code).is_some());
    if let (Some(lacking), Some(having)) = (lacking, somewhere) {
        let what =
            format!("the search parameter `{code}` exists for `{having}` but not for `{lacking}`");
        return unfit(
            name,
            &what,
            "name the types that have it, as in `_type=Patient`",
        );
    }
    let what = format!("the search parameter `{}`", shown(code));
    let definitions = Definitions::of(version);
    let is_defined = |it: &&str| definitions.search_parameter(it, code).is_some();
    if !types.is_empty() && types.iter().all(is_defined) {
        return not_offered(name, &what);
    }
    let own = types.first().map_or(&[][..], |it| registry.parameters(it));
    let codes = own.iter().map(|it| it.definition.code);
    let results = RESULT_PARAMETERS.iter().map(|it| it.name);
    let candidates = codes.chain(results).chain(OTHERS.iter().copied());
    let known = candidates.filter(|it| ![super::PAGE, code].contains(it));
    unknown(name, &what, fhir::suggest::nearest(code, known))
}
