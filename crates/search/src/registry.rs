//! The search parameters of each resource type, and the slots in which their values are indexed.
//!
//! From this registry queries are read, entries extracted, plans compiled and capabilities listed.
//! A *slot* is what one facet of a parameter indexes in one type; its name says how and from where
//! (`token Observation.code`), so that parameters that index the same share it, and a changed
//! extraction is another slot, which has to be filled before it can be searched.

use std::collections::{BTreeMap, HashSet};
use std::sync::{LazyLock, Mutex, PoisonError};

use fhir::definitions::{SearchParameter, SearchType};
use fhir::{Definitions, FhirVersion};

/// What one facet of a parameter indexes in one type: its name in a tenant's dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub &'static str);

/// A search parameter of one resource type.
#[derive(Debug)]
pub struct Parameter {
    /// Its definition.
    pub definition: &'static SearchParameter,
    /// Where its values are.
    pub facets: Facets,
}

/// By what a parameter can be searched.
#[derive(Debug, Clone)]
pub enum Facets {
    /// The resource's id: no slot.
    Id,
    /// The instant of the current version: no slot.
    Updated,
    /// What lies outside of the resource (`_list`, `_query` …): no slot.
    Elsewhere,
    /// Texts.
    String(Slot),
    /// Codes.
    Token(TokenSlots),
    /// References.
    Reference {
        /// The references themselves.
        literal: Slot,
        /// Their identifiers, as tokens.
        identifier: Slot,
    },
    /// URIs.
    Uri(Slot),
    /// Periods.
    Date(Slot),
    /// Numbers, without unit.
    Number(Slot),
    /// Quantities.
    Quantity(QuantitySlots),
    /// Places.
    Place(Slot),
    /// Words of a text, as tokens without system: the narrative's, or those of all texts.
    Words(Slot),
    /// What must lie together; the groups of these slots are places of one expression.
    Composite(Vec<Component>),
}

/// The slots of a token parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSlots {
    /// The codes.
    pub code: Slot,
    /// What people read in their place, as texts (`:text`).
    pub text: Slot,
    /// For identifiers, in groups (`:of-type`).
    pub of_type: Option<OfType>,
}

/// The slots of `:of-type`: of one identifier in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfType {
    /// The codes of its type.
    pub kind: Slot,
    /// Its value, as a token without system.
    pub value: Slot,
}

/// The slots of a quantity parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantitySlots {
    /// In canonical UCUM units where the unit is of UCUM, else by `system|code`. Sorted by.
    pub canonical: Slot,
    /// As written, under the code and under the text of the unit.
    pub coded: Slot,
    /// As written, whatever the unit.
    pub written: Slot,
}

/// A component of a composite parameter.
#[derive(Debug, Clone)]
pub struct Component {
    /// The parameter that defines how its values are written.
    pub definition: &'static SearchParameter,
    /// Where they are.
    pub facets: Facets,
}

/// The search parameters of one FHIR version.
pub struct Registry {
    version: FhirVersion,
    /// By type, then in order of their codes.
    by_type: BTreeMap<&'static str, Vec<Parameter>>,
}

impl Registry {
    /// Those of the standard; made once, at first use.
    pub fn of(version: FhirVersion) -> &'static Self {
        static STU3: LazyLock<Registry> = LazyLock::new(|| Registry::new(FhirVersion::Stu3));
        static R4: LazyLock<Registry> = LazyLock::new(|| Registry::new(FhirVersion::R4));
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
        }
    }

    /// The FHIR version.
    pub fn version(&self) -> FhirVersion {
        self.version
    }

    /// The parameters of a resource type, in order of their codes.
    pub fn parameters(&self, resource_type: &str) -> &[Parameter] {
        self.by_type.get(resource_type).map_or(&[], Vec::as_slice)
    }

    /// The parameter of that code.
    pub fn named(&self, resource_type: &str, code: &str) -> Option<&Parameter> {
        let parameters = self.parameters(resource_type);
        let place = parameters.binary_search_by(|it| it.definition.code.cmp(code));
        place.ok().map(|place| &parameters[place])
    }

    fn new(version: FhirVersion) -> Self {
        let definitions = Definitions::of(version);
        let of_type = |resource_type: &'static str| {
            let all = definitions.search_parameters_of(resource_type).into_iter();
            let served = all.filter(|it| !it.is_example);
            let mut parameters: Vec<Parameter> = served
                .filter_map(|it| parameter(definitions, resource_type, it))
                .collect();
            parameters.sort_by_key(|it| it.definition.code);
            (resource_type, parameters)
        };
        Self {
            version,
            by_type: definitions.resources().map(|it| of_type(it.name)).collect(),
        }
    }
}

fn parameter(
    definitions: &'static Definitions,
    resource_type: &str,
    definition: &'static SearchParameter,
) -> Option<Parameter> {
    let facets = match definition.code {
        "_id" => Facets::Id,
        "_lastUpdated" => Facets::Updated,
        "_text" => Facets::Words(slot("words", "narrative")),
        "_content" => Facets::Words(slot("words", "content")),
        _ if definition.usage == Some("distance") => Facets::Elsewhere,
        _ => match definition.expression {
            None => Facets::Elsewhere,
            Some(expression) => {
                let source = alternatives(resource_type, expression)?;
                if definition.search_type == SearchType::Composite {
                    composite(definitions, definition, &source)?
                } else if definition.usage == Some("nearby") {
                    facets(SearchType::Special, &source)
                } else {
                    facets(definition.search_type, &source)
                }
            }
        },
    };
    Some(Parameter { definition, facets })
}

fn composite(
    definitions: &'static Definitions,
    definition: &SearchParameter,
    base: &str,
) -> Option<Facets> {
    let component = |it: &fhir::definitions::SearchComponent| {
        let definition = definitions.search_parameter_at(it.definition)?;
        let source = format!("({base}) / {}", it.expression);
        Some(Component {
            definition,
            facets: facets(definition.search_type, &source),
        })
    };
    let components = definition.components.iter().map(component);
    components.collect::<Option<_>>().map(Facets::Composite)
}

fn facets(search_type: SearchType, source: &str) -> Facets {
    match search_type {
        SearchType::String => Facets::String(slot("string", source)),
        SearchType::Token => Facets::Token(TokenSlots {
            code: slot("token", source),
            text: slot("token-text", source),
            of_type: Some(OfType {
                kind: slot("identifier-type", source),
                value: slot("identifier-value", source),
            }),
        }),
        SearchType::Reference => Facets::Reference {
            literal: slot("reference", source),
            identifier: slot("reference-identifier", source),
        },
        SearchType::Uri => Facets::Uri(slot("uri", source)),
        SearchType::Date => Facets::Date(slot("date", source)),
        SearchType::Number => Facets::Number(slot("number", source)),
        SearchType::Quantity => Facets::Quantity(QuantitySlots {
            canonical: slot("quantity", source),
            coded: slot("quantity-code", source),
            written: slot("quantity-written", source),
        }),
        SearchType::Special => Facets::Place(slot("place", source)),
        SearchType::Composite => Facets::Elsewhere,
    }
}

/// The alternatives of an expression that begin at the type.
fn alternatives(resource_type: &str, expression: &str) -> Option<String> {
    let begins = |term: &&str| {
        let start = term.trim_start_matches('(');
        let end = start.find(|it: char| !it.is_ascii_alphanumeric());
        let name = &start[..end.unwrap_or(start.len())];
        matches!(name, "Resource" | "DomainResource") || name == resource_type
    };
    let terms: Vec<&str> = split(expression, '|').filter(begins).collect();
    (!terms.is_empty()).then(|| terms.join(" | "))
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

/// The slot of that name; names live as long as the program, each once.
fn slot(facet: &str, source: &str) -> Slot {
    static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let name = format!("{facet} {source}");
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return Slot(known);
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    Slot(name)
}
