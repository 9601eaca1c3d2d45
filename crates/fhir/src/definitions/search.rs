//! Search parameters and compartments, as the tables have them.
//!
//! Expressions stay text here; `search` compiles them.

use std::collections::BTreeMap;

use super::table;

/// A search parameter.
#[derive(Debug)]
pub struct SearchParameter {
    /// Its canonical URL.
    pub url: &'static str,
    /// The id of its definition.
    pub id: &'static str,
    /// What it is called in a query.
    pub code: &'static str,
    /// Its name for programs; nearly always the code.
    pub name: &'static str,
    /// The types that it applies to; abstract ones pass it on. Some definitions have none.
    pub base: &'static [&'static str],
    /// How its values are written and compared.
    pub search_type: SearchType,
    /// The FHIRPath expression of what it searches in.
    pub expression: Option<&'static str>,
    /// For a reference: the types it may point to; empty for any.
    pub targets: &'static [&'static str],
    /// The comparators that the definition allows; empty where it says nothing.
    pub comparators: &'static [&'static str],
    /// The modifiers that the definition allows; empty where it says nothing.
    pub modifiers: &'static [&'static str],
    /// The parameters that may be chained to it; empty where the definition says nothing.
    pub chains: &'static [&'static str],
    /// Whether a criterion may list several values, where the definition says so.
    pub multiple_or: Option<bool>,
    /// `normal`, `phonetic`, `nearby`, `distance` or `other`; `None` where nothing is said.
    pub usage: Option<&'static str>,
    /// Whether the publication only shows with it how to write a definition.
    pub is_example: bool,
    /// Whether it is not meant for use.
    pub is_experimental: bool,
    /// For a composite: its components in order.
    pub components: Vec<SearchComponent>,
}

/// How a parameter's values are written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchType {
    /// A number.
    Number,
    /// A date, time or period.
    Date,
    /// Text compared from its start, without case and accents.
    String,
    /// A code, perhaps with its system.
    Token,
    /// A reference to another resource.
    Reference,
    /// Several parameters that hold of one value together.
    Composite,
    /// A number with a unit.
    Quantity,
    /// A URI, compared as it is.
    Uri,
    /// As its definition says in prose (R4).
    Special,
}

impl SearchType {
    /// Every type, in the order of the standard.
    pub const ALL: [Self; 9] = [
        Self::Number,
        Self::Date,
        Self::String,
        Self::Token,
        Self::Reference,
        Self::Composite,
        Self::Quantity,
        Self::Uri,
        Self::Special,
    ];

    /// The type of that name in the standard.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Its name in the standard.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }
}

/// A component of a composite parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchComponent {
    /// The URL of the parameter that defines it.
    pub definition: &'static str,
    /// The expression of its value, relative to that of the composite.
    pub expression: &'static str,
}

/// A compartment.
#[derive(Debug)]
pub struct Compartment {
    /// Its name: that of the resource type in its middle.
    pub name: &'static str,
    /// By resource type: the parameters.
    members: Vec<(&'static str, &'static [&'static str])>,
}

impl Compartment {
    /// The codes of the reference parameters that put a resource of that type into the
    /// compartment; `{def}` stands for the resource in its middle itself. Empty for a type that
    /// is never in it.
    pub fn parameters(&self, resource: &str) -> &'static [&'static str] {
        let place = self
            .members
            .binary_search_by(|(name, _)| (*name).cmp(resource));
        place.map_or(&[], |place| self.members[place].1)
    }

    /// The resource types that can be in it, by name, with their parameters.
    pub fn members(&self) -> &[(&'static str, &'static [&'static str])] {
        &self.members
    }

    pub(super) fn read(text: &'static str, lists: &mut super::read::Lists) -> Vec<Self> {
        let mut compartments: Vec<Self> = Vec::new();
        for [name, resource, parameters] in table::COMPARTMENTS.rows(text) {
            if compartments.last().is_none_or(|it| it.name != name) {
                compartments.push(Self {
                    name,
                    members: Vec::new(),
                });
            }
            let member = (resource, lists.of(parameters));
            compartments
                .last_mut()
                .expect("one was just added")
                .members
                .push(member);
        }
        compartments
    }
}

/// All search parameters, and where to find one.
pub(super) struct Parameters {
    /// By URL.
    all: Vec<SearchParameter>,
    /// Base, code, place in `all`; sorted; without examples.
    by_base: Vec<(&'static str, &'static str, usize)>,
}

impl Parameters {
    pub(super) fn read(
        parameters: &'static str,
        components: &'static str,
        lists: &mut super::read::Lists,
    ) -> Self {
        let mut parts: BTreeMap<&str, Vec<SearchComponent>> = BTreeMap::new();
        for [parameter, definition, expression] in table::SEARCH_COMPONENTS.rows(components) {
            parts.entry(parameter).or_default().push(SearchComponent {
                definition,
                expression,
            });
        }
        let rows = table::SEARCH_PARAMETERS.rows(parameters);
        let all: Vec<_> = rows.map(|row| read_row(row, &mut parts, lists)).collect();
        let by_base = index(&all);
        Self { all, by_base }
    }

    pub(super) fn all(&self) -> &[SearchParameter] {
        &self.all
    }

    pub(super) fn named(&self, base: &str, code: &str) -> Option<&SearchParameter> {
        let wanted = (base, code);
        let place = self
            .by_base
            .binary_search_by(|it| (it.0, it.1).cmp(&wanted))
            .ok()?;
        Some(&self.all[self.by_base[place].2])
    }

    pub(super) fn of(&self, lineage: &[&str]) -> Vec<&SearchParameter> {
        let mut found: BTreeMap<&str, &SearchParameter> = BTreeMap::new();
        for base in lineage {
            let start = self.by_base.partition_point(|it| it.0 < *base);
            let own = self.by_base[start..].iter().take_while(|it| it.0 == *base);
            for (_, code, place) in own {
                found.entry(code).or_insert(&self.all[*place]);
            }
        }
        found.into_values().collect()
    }

    pub(super) fn at(&self, url: &str) -> Option<&SearchParameter> {
        let place = self.all.binary_search_by(|it| it.url.cmp(url)).ok()?;
        Some(&self.all[place])
    }
}

fn index(all: &[SearchParameter]) -> Vec<(&'static str, &'static str, usize)> {
    let usable = all.iter().enumerate().filter(|(_, it)| !it.is_example);
    let mut index: Vec<_> = usable
        .flat_map(|(place, it)| it.base.iter().map(move |base| (*base, it.code, place)))
        .collect();
    index.sort_unstable();
    index
}

fn read_row(
    row: [&'static str; 14],
    parts: &mut BTreeMap<&str, Vec<SearchComponent>>,
    lists: &mut super::read::Lists,
) -> SearchParameter {
    let [url, id, code, name, base, kind, expression, rest @ ..] = row;
    let [
        targets,
        comparators,
        modifiers,
        chains,
        multiple_or,
        usage,
        status,
    ] = rest;
    SearchParameter {
        url,
        id,
        code,
        name,
        base: lists.of(base),
        search_type: SearchType::named(kind).expect("the table names known types"),
        expression: super::read::present(expression),
        targets: lists.of(targets),
        comparators: lists.of(comparators),
        modifiers: lists.of(modifiers),
        chains: lists.of(chains),
        multiple_or: super::read::truth(multiple_or),
        usage: super::read::present(usage),
        is_example: status == "example",
        is_experimental: !status.is_empty(),
        components: parts.remove(url).unwrap_or_default(),
    }
}
