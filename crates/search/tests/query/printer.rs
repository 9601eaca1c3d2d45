//! Plans with their values, for people who read test cases. Nothing else prints values.

use std::collections::BTreeMap;
use std::ops::Bound;

use fhir::decimal::Decimal;
use fhir::{FhirVersion, Instant};
use search::entry::{Direction, EntryValue, Magnitude};
use search::name::ByName;
use search::plan::{Filter, Member, Part, Plan, Range, SortBy, Test};
use search::registry::{Facets, Registry, Slot};

/// Prints plans of one FHIR version.
pub(crate) struct Printer {
    version: FhirVersion,
    slots: BTreeMap<Slot, String>,
}

impl Printer {
    pub(crate) fn new(version: FhirVersion) -> Self {
        let mut slots = BTreeMap::new();
        for resource in fhir::Definitions::of(version).resources() {
            let parameters = Registry::of(version).parameters(resource.name);
            if let Some(slot) = Registry::of(version).names(resource.name) {
                slots.insert(slot, "own names".to_owned());
            }
            for it in parameters {
                name_slots(&it.facets, it.definition.code, &mut slots);
            }
        }
        let own: BTreeMap<&str, String> = slots.iter().map(|it| (it.0.0, it.1.clone())).collect();
        for resource in fhir::Definitions::of(version).resources() {
            for slot in Registry::of(version).contained_slots(resource.name) {
                let (facet, name) = slot.0.split_once(' ').unwrap();
                let name = name.trim_end_matches(" of contained resources");
                let name = own.get(name).map_or(name, |it| it);
                slots.insert(*slot, format!("{facet} {name}"));
            }
        }
        Self { version, slots }
    }

    pub(crate) fn plan(&self, plan: &Plan<ByName>) -> Vec<String> {
        const PARTS_SHOWN_MAX: usize = 3;
        let mut lines: Vec<String> = Vec::new();
        for part in plan.parts.iter().take(PARTS_SHOWN_MAX) {
            lines.push(format!("{}: {}", part.kind, self.filter(&part.filter)));
            lines.extend(self.sort(part, &plan.order));
        }
        if plan.parts.len() > PARTS_SHOWN_MAX {
            lines.push("…".to_owned());
        }
        lines
    }

    fn sort(&self, part: &Part<ByName>, order: &[Direction]) -> Option<String> {
        let key = |(key, direction): (&SortBy<ByName>, &Direction)| {
            let by = match key {
                SortBy::Entry(slot) => self.slot(*slot),
                SortBy::Updated => "the last update".to_owned(),
                SortBy::Id => "id".to_owned(),
                SortBy::Nothing => "nothing".to_owned(),
            };
            format!("{by} {direction:?}").to_lowercase()
        };
        let keys: Vec<_> = part.sort.iter().zip(order).map(key).collect();
        (!keys.is_empty()).then(|| format!("  by {}", keys.join(", ")))
    }

    pub(crate) fn filter(&self, filter: &Filter<ByName>) -> String {
        match filter {
            Filter::All(all) if all.is_empty() => "everything".to_owned(),
            Filter::Any(any) if any.is_empty() => "nothing".to_owned(),
            Filter::All(all) => self.joined(all, " and "),
            Filter::Any(any) => self.joined(any, " or "),
            Filter::Not(filter) => format!("not {}", self.filter(filter)),
            Filter::Ids(ids) => {
                let ids: Vec<_> = ids.iter().map(|it| &*it.0).collect();
                format!("id in [{}]", ids.join(" "))
            }
            Filter::Rows(rows) => format!(
                "row in {:?}",
                rows.iter().map(|it| it.0).collect::<Vec<_>>()
            ),
            Filter::Updated(range) => format!("updated{}", instants(range)),
            Filter::Partition { part, of } => format!("part {part} of {of}"),
            Filter::Entry { parameter, test } => {
                format!("{} {}", self.slot(*parameter), test_text(test))
            }
            Filter::Together(members) => {
                let members: Vec<_> = members.iter().map(|it| self.member(it)).collect();
                format!("{{{}}}", members.join("; "))
            }
            Filter::Inside(filter) => format!("inside({})", self.filter(filter)),
            Filter::Beside { parameter, filter } => {
                format!("{} beside({})", self.slot(*parameter), self.filter(filter))
            }
            Filter::RefersTo {
                parameter,
                names,
                targets,
            } => {
                let targets = targets.iter().map(|it| {
                    let by_name = if it.names.is_some() { "|" } else { "" };
                    format!("{by_name}{}({})", it.kind, self.filter(&it.filter))
                });
                format!(
                    "{}{} -> {}",
                    self.slot(*parameter),
                    if names.is_some() { "|" } else { "" },
                    targets.collect::<Vec<_>>().join(" | ")
                )
            }
            Filter::ReferredToBy {
                kind,
                parameter,
                names,
                filter,
            } => {
                format!(
                    "{} {kind}.{}({})",
                    if names.is_some() { "<-|" } else { "<-" },
                    self.slot(*parameter),
                    self.filter(filter)
                )
            }
        }
    }

    fn joined(&self, filters: &[Filter<ByName>], by: &str) -> String {
        const FILTERS_SHOWN_MAX: usize = 12;
        let few = filters
            .iter()
            .take(FILTERS_SHOWN_MAX)
            .map(|it| self.filter(it));
        let more = if filters.len() > FILTERS_SHOWN_MAX {
            " …"
        } else {
            ""
        };
        format!("({}{more})", few.collect::<Vec<_>>().join(by))
    }

    fn member(&self, member: &Member<ByName>) -> String {
        let tests: Vec<_> = member.any_of.iter().map(test_text).collect();
        format!("{} {}", self.slot(member.parameter), tests.join(" or "))
    }

    pub(crate) fn slot(&self, slot: Slot) -> String {
        let name = self.slots.get(&slot);
        name.cloned()
            .unwrap_or_else(|| panic!("{}: {slot:?} is no slot of a parameter", self.version))
    }
}

/// What a slot is called: by the parameter that has it, or that it is a component of.
fn name_slots(facets: &Facets, code: &str, slots: &mut BTreeMap<Slot, String>) {
    let mut name = |slot: &Slot, facet: &str| {
        let name = format!("{code}{facet}");
        let known = slots.entry(*slot).or_insert_with(|| name.clone());
        if known.contains('#') && !name.contains('#') {
            *known = name;
        }
    };
    match facets {
        Facets::String(slot)
        | Facets::Uri(slot)
        | Facets::Date(slot)
        | Facets::Number(slot)
        | Facets::Place(slot)
        | Facets::Words(slot) => name(slot, ""),
        Facets::Token(token) => {
            name(&token.code, "");
            name(&token.text, "/text");
            if let Some(of_type) = token.of_type {
                name(&of_type.kind, "/type");
                name(&of_type.value, "/value");
            }
        }
        Facets::Reference {
            literal,
            identifier,
            names,
            inside,
            is_held: _,
        } => {
            name(literal, "");
            if let Some(slot) = identifier {
                name(slot, "/identifier");
            }
            if let Some(slot) = names {
                name(slot, "/name");
            }
            name(inside, "/inside");
        }
        Facets::Quantity(quantity) => {
            name(&quantity.canonical, "/canonical");
            name(&quantity.coded, "/coded");
            name(&quantity.written, "/written");
        }
        Facets::Composite(components) => {
            for (place, component) in components.iter().enumerate() {
                name_slots(&component.facets, &format!("{code}#{}", place + 1), slots);
            }
        }
        Facets::Id | Facets::Updated | Facets::Elsewhere => {}
    }
}

fn test_text(test: &Test<ByName>) -> String {
    match test {
        Test::Present => "is there".to_owned(),
        Test::Is(value) => format!("= {}", value_text(value)),
        Test::Code(code) => format!("= *|{code}"),
        Test::System(system) => format!("= {}|*", system.as_deref().unwrap_or_default()),
        Test::TextStarts(text) => format!("~ {text}…"),
        Test::TextContains(text) => format!("~ …{text}…"),
        Test::TextIs(text) => format!("= \"{text}\""),
        Test::UriStarts(text) => format!("= <{text}…>"),
        Test::Period { low, high } => format!("from{} to{}", instants(low), instants(high)),
        Test::Number { unit, low, high } => {
            let unit = unit
                .as_deref()
                .map(|it| format!(" in `{it}`"))
                .unwrap_or_default();
            format!("from{} to{}{unit}", numbers(low), numbers(high))
        }
        Test::Near { place, metres } => {
            format!(
                "within {metres} m of {} {}",
                place.latitude, place.longitude
            )
        }
    }
}

fn value_text(value: &EntryValue<ByName>) -> String {
    match value {
        EntryValue::Token { system, code } => {
            format!("{}|{code}", system.as_deref().unwrap_or_default())
        }
        EntryValue::Reference(record) => format!("{}/{}", record.kind, record.id),
        EntryValue::Uri(uri) => format!("<{uri}>"),
        _ => panic!("no test is for such a value"),
    }
}

fn instants(range: &Range<i64>) -> String {
    bounds(range, |it| {
        let text = Instant::from_micros(*it).to_string();
        text.replace(".000000Z", "Z").replace("T00:00:00Z", "")
    })
}

fn numbers(range: &Range<Magnitude>) -> String {
    bounds(range, |it| {
        let (number, _) = Decimal::read_sortable(&it.0).expect("a number was written");
        number.expanded().unwrap_or(number).to_string()
    })
}

fn bounds<T>(range: &Range<T>, text: impl Fn(&T) -> String) -> String {
    let low = match &range.0 {
        Bound::Included(it) => format!(" ≥ {}", text(it)),
        Bound::Excluded(it) => format!(" > {}", text(it)),
        Bound::Unbounded => String::new(),
    };
    let high = match &range.1 {
        Bound::Included(it) => format!(" ≤ {}", text(it)),
        Bound::Excluded(it) => format!(" < {}", text(it)),
        Bound::Unbounded => String::new(),
    };
    let both = low + &high;
    if both.is_empty() {
        " *".to_owned()
    } else {
        both
    }
}
