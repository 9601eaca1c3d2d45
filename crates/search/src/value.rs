//! From an element to the values of its index entries: one file per facet.
//!
//! What a parameter of a type makes of an element of a datatype is in the tables of
//! <https://hl7.org/fhir/R4/search.html#ptypes>; the pairs that exist are in [`ACCEPTED`].
//! Where something is there that has no value, [`EntryValue::Valueless`] says that it is not
//! missing.

mod date;
mod number;
mod place;
mod quantity;
mod reference;
mod string;
mod token;
mod uri;
mod words;

use fhir::definitions::SearchType;
use fhir::json::Value;
use fhir::{Definitions, FhirVersion};

use crate::entry::EntryValue;
use crate::name::ByName;
use crate::reference::Bases;

/// A datatype, as far as extraction tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Datatype {
    Boolean,
    /// Text for people.
    String,
    /// A code or an id.
    Code,
    Uri,
    Canonical,
    /// `date`, `dateTime`.
    Date,
    Instant,
    /// `decimal` and the whole numbers.
    Number,
    HumanName,
    Address,
    ContactPoint,
    Identifier,
    Coding,
    CodeableConcept,
    /// A quantity of any kind.
    Quantity,
    /// R4's, with a currency; STU3's is a quantity.
    Money,
    Range,
    Period,
    Timing,
    SampledData,
    Reference,
    /// A resource inside this one.
    Resource,
    /// A backbone element: of those, only the position of a Location has a value.
    Position,
}

/// The names of the datatypes.
const NAMES: &[(&str, Datatype)] = &[
    ("Address", Datatype::Address),
    ("Age", Datatype::Quantity),
    ("BackboneElement", Datatype::Position),
    ("CodeableConcept", Datatype::CodeableConcept),
    ("Coding", Datatype::Coding),
    ("ContactPoint", Datatype::ContactPoint),
    ("Count", Datatype::Quantity),
    ("Distance", Datatype::Quantity),
    ("Duration", Datatype::Quantity),
    ("HumanName", Datatype::HumanName),
    ("Identifier", Datatype::Identifier),
    ("Money", Datatype::Money),
    ("MoneyQuantity", Datatype::Quantity),
    ("Period", Datatype::Period),
    ("Quantity", Datatype::Quantity),
    ("Range", Datatype::Range),
    ("Reference", Datatype::Reference),
    ("Resource", Datatype::Resource),
    ("SampledData", Datatype::SampledData),
    ("SimpleQuantity", Datatype::Quantity),
    ("Timing", Datatype::Timing),
    ("base64Binary", Datatype::String),
    ("boolean", Datatype::Boolean),
    ("canonical", Datatype::Canonical),
    ("code", Datatype::Code),
    ("date", Datatype::Date),
    ("dateTime", Datatype::Date),
    ("decimal", Datatype::Number),
    ("id", Datatype::Code),
    ("instant", Datatype::Instant),
    ("integer", Datatype::Number),
    ("markdown", Datatype::String),
    ("oid", Datatype::Uri),
    ("positiveInt", Datatype::Number),
    ("string", Datatype::String),
    ("unsignedInt", Datatype::Number),
    ("uri", Datatype::Uri),
    ("url", Datatype::Uri),
    ("uuid", Datatype::Uri),
];

/// The datatypes from which a parameter of a type takes values; others that its expression can
/// reach are left aside.
const ACCEPTED: &[(SearchType, &[Datatype])] = &[
    (
        SearchType::Number,
        &[Datatype::Number, Datatype::Range, Datatype::Quantity],
    ),
    (
        SearchType::Date,
        &[
            Datatype::Date,
            Datatype::Instant,
            Datatype::Period,
            Datatype::Timing,
        ],
    ),
    (
        SearchType::String,
        &[
            Datatype::String,
            Datatype::Code,
            Datatype::HumanName,
            Datatype::Address,
        ],
    ),
    (
        SearchType::Token,
        &[
            Datatype::Boolean,
            Datatype::String,
            Datatype::Code,
            Datatype::Uri,
            Datatype::ContactPoint,
            Datatype::Identifier,
            Datatype::Coding,
            Datatype::CodeableConcept,
        ],
    ),
    (
        SearchType::Reference,
        &[
            Datatype::Reference,
            Datatype::Canonical,
            Datatype::Uri,
            Datatype::Resource,
        ],
    ),
    (
        SearchType::Quantity,
        &[
            Datatype::Quantity,
            Datatype::Money,
            Datatype::Range,
            Datatype::SampledData,
        ],
    ),
    (SearchType::Uri, &[Datatype::Uri, Datatype::Canonical]),
    (SearchType::Special, &[Datatype::Position]),
];

impl Datatype {
    /// The datatype of that name; STU3's money is a quantity.
    pub(crate) fn named(name: &str, version: FhirVersion) -> Option<Self> {
        let place = NAMES.binary_search_by(|it| it.0.cmp(name)).ok()?;
        Some(match (NAMES[place].1, version) {
            (Self::Money, FhirVersion::Stu3) => Self::Quantity,
            (datatype, _) => datatype,
        })
    }

    /// Whether a parameter of that type takes values from it.
    pub(crate) fn is_accepted_by(self, search_type: SearchType) -> bool {
        let mut rows = ACCEPTED.iter().filter(|it| it.0 == search_type);
        rows.any(|it| it.1.contains(&self))
    }
}

/// What an expression reached.
#[derive(Debug, Clone, Copy)]
pub enum Found<'d> {
    /// An element.
    Element(Value<'d>),
    /// A truth that was computed.
    Truth(bool),
}

/// Where a value goes: a slot by its place among those of the resource type, and the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) slot: u16,
    pub(crate) group: u16,
}

/// What one facet indexes, and in which slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sink<S = u16> {
    String(S),
    Token {
        code: S,
        text: S,
    },
    OfType {
        kind: S,
        value: S,
    },
    Reference {
        literal: S,
        identifier: Option<S>,
        inside: S,
    },
    Name(S),
    Uri(S),
    Date(S),
    Number(S),
    Quantity {
        canonical: S,
        coded: S,
        written: S,
    },
    Place(S),
}

impl<S> Sink<S> {
    /// The same with other names of the slots.
    pub(crate) fn map<T>(self, name: impl Fn(S) -> T) -> Sink<T> {
        match self {
            Self::String(slot) => Sink::String(name(slot)),
            Self::Token { code, text } => Sink::Token {
                code: name(code),
                text: name(text),
            },
            Self::OfType { kind, value } => Sink::OfType {
                kind: name(kind),
                value: name(value),
            },
            Self::Reference {
                literal,
                identifier,
                inside,
            } => Sink::Reference {
                literal: name(literal),
                identifier: identifier.map(&name),
                inside: name(inside),
            },
            Self::Name(slot) => Sink::Name(name(slot)),
            Self::Uri(slot) => Sink::Uri(name(slot)),
            Self::Date(slot) => Sink::Date(name(slot)),
            Self::Number(slot) => Sink::Number(name(slot)),
            Self::Quantity {
                canonical,
                coded,
                written,
            } => Sink::Quantity {
                canonical: name(canonical),
                coded: name(coded),
                written: name(written),
            },
            Self::Place(slot) => Sink::Place(name(slot)),
        }
    }
}

/// What is needed to understand an element.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    pub(crate) definitions: &'static Definitions,
    pub(crate) bases: &'s Bases,
}

/// A value with its place.
pub(crate) type Placed = (u16, u16, EntryValue<ByName>);

/// A resource within another one.
pub(crate) enum Inside<'v> {
    /// Contained, with this id.
    Contained(Box<str>),
    /// Somewhere else in it.
    Held(Value<'v>),
}

/// Collects values; more than the limit are counted, not kept.
pub(crate) struct Values<'s> {
    pub(crate) surroundings: Surroundings<'s>,
    pub(crate) placed: Vec<Placed>,
    /// What is referred to within the resource, with the slots of that.
    pub(crate) inside: Vec<(u16, Inside<'s>)>,
    entries_max: usize,
    pub(crate) has_too_many: bool,
    /// By slot: the next group of what numbers its groups itself.
    groups: Vec<u16>,
}

impl<'s> Values<'s> {
    pub(crate) fn new(surroundings: Surroundings<'s>, slots: usize, entries_max: usize) -> Self {
        Self {
            surroundings,
            placed: Vec::with_capacity(64),
            inside: Vec::new(),
            entries_max,
            has_too_many: false,
            groups: vec![0; slots],
        }
    }

    fn version(&self) -> FhirVersion {
        self.surroundings.definitions.version()
    }

    pub(crate) fn push(&mut self, at: At, value: EntryValue<ByName>) {
        if self.placed.len() < self.entries_max {
            self.placed.push((at.slot, at.group, value));
        } else {
            self.has_too_many = true;
        }
    }

    /// Adds what the facet makes of an element.
    pub(crate) fn add(&mut self, sink: Sink, group: u16, found: Found<'s>, of: &Kind) {
        let Found::Element(value) = found else {
            return self.truth(sink, group, found);
        };
        let at = |slot| At { slot, group };
        match sink {
            Sink::String(slot) => self.string(at(slot), of.datatype, value),
            Sink::Token { code, text } => self.token(at(code), at(text), of, value),
            Sink::OfType { kind, value: slot } => self.of_type(kind, slot, of.datatype, value),
            Sink::Reference {
                literal,
                identifier,
                inside,
            } => {
                let identifier = identifier.map(at);
                self.reference(at(literal), identifier, inside, of.datatype, value);
            }
            Sink::Name(slot) => self.name(at(slot), of.datatype, value),
            Sink::Uri(slot) => self.uri(at(slot), of.datatype, value),
            Sink::Date(slot) => self.date(at(slot), of.datatype, value),
            Sink::Number(slot) => self.number(at(slot), of.datatype, value),
            Sink::Quantity {
                canonical,
                coded,
                written,
            } => self.quantity([at(canonical), at(coded), at(written)], of.datatype, value),
            Sink::Place(slot) => self.place(at(slot), value),
        }
    }

    /// Only tokens are computed.
    fn truth(&mut self, sink: Sink, group: u16, found: Found<'_>) {
        if let (Sink::Token { code: slot, .. }, Found::Truth(truth)) = (sink, found) {
            self.code(
                At { slot, group },
                None,
                if truth { "true" } else { "false" },
            );
        }
    }

    /// Whether all groups could be told apart.
    pub(crate) fn has_groups_apart(&self) -> bool {
        self.groups.iter().all(|it| *it < u16::MAX)
    }

    /// The next group of a slot that numbers its groups itself.
    fn next_group(&mut self, slot: u16) -> u16 {
        let next = &mut self.groups[usize::from(slot)];
        let group = *next;
        *next = next.saturating_add(1);
        group
    }
}

/// What is known of an element before it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) datatype: Datatype,
    /// The system of all codes of its required binding, if it is one only.
    pub(crate) system: Option<&'static str>,
}

/// The items of an array, or the value itself.
fn each(value: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    let alone = (value.kind() != fhir::json::Kind::Array).then_some(value);
    alone.into_iter().chain(value.items())
}

#[cfg(test)]
mod tests;
