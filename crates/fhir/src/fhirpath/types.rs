//! Types: those of FHIRPath (`System`) and those of a FHIR version, and type specifiers.

use std::fmt;

use super::fault::ParseFault;
use crate::definitions::{Definitions, TypeDefinition};

/// A type of the namespace `System`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as FHIRPath names it")]
pub enum SystemType {
    Any,
    Boolean,
    String,
    Integer,
    Long,
    Decimal,
    Date,
    DateTime,
    Time,
    Quantity,
}

impl SystemType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Any,
        Self::Boolean,
        Self::String,
        Self::Integer,
        Self::Long,
        Self::Decimal,
        Self::Date,
        Self::DateTime,
        Self::Time,
        Self::Quantity,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "Any",
            Self::Boolean => "Boolean",
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Long => "Long",
            Self::Decimal => "Decimal",
            Self::Date => "Date",
            Self::DateTime => "DateTime",
            Self::Time => "Time",
            Self::Quantity => "Quantity",
        }
    }

    /// The type of that exact name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// What the value of a FHIR primitive becomes where FHIRPath computes with it
    /// (<https://hl7.org/fhir/R4/fhirpath.html#types>); a `Quantity` becomes one, too.
    pub fn of_fhir(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "integer" | "unsignedInt" | "positiveInt" => Self::Integer,
            "decimal" => Self::Decimal,
            "date" => Self::Date,
            "dateTime" | "instant" => Self::DateTime,
            "time" => Self::Time,
            "string" | "uri" | "code" | "oid" | "id" | "uuid" | "markdown" | "base64Binary"
            | "url" | "canonical" | "xhtml" => Self::String,
            "Quantity" | "Age" | "Distance" | "Duration" | "Count" => Self::Quantity,
            _ => return None,
        })
    }
}

/// A type that an expression names.
#[derive(Debug, Clone, Copy)]
pub enum NamedType {
    /// One of FHIRPath's own.
    System(SystemType),
    /// One of the FHIR version.
    Fhir(&'static TypeDefinition),
    /// A name of the other namespace (`System.Patient`): nothing is of that type.
    Nothing,
}

/// The name of a type, resolved.
#[derive(Debug, Clone)]
pub struct TypeSpecifier {
    /// As written, parts joined by dots.
    pub text: String,
    /// What it names.
    pub named: NamedType,
}

impl TypeSpecifier {
    /// Resolves a name: without a namespace first the types of the FHIR version.
    pub(super) fn resolve(
        definitions: Option<&'static Definitions>,
        names: &[String],
    ) -> Result<Self, ParseFault> {
        let text = names.join(".");
        let fhir = |name: &str| {
            definitions
                .and_then(|it| it.type_named(name))
                .map(NamedType::Fhir)
        };
        let system = |name: &str| SystemType::named(name).map(NamedType::System);
        let named = match names {
            [name] => fhir(name).or_else(|| system(name)),
            [namespace, name] if namespace == "FHIR" => {
                fhir(name).or_else(|| system(name).map(|_| NamedType::Nothing))
            }
            [namespace, name] if namespace == "System" => {
                system(name).or_else(|| fhir(name).map(|_| NamedType::Nothing))
            }
            _ => None,
        };
        match named {
            Some(named) => Ok(Self { text, named }),
            None => Err(unknown(definitions, text)),
        }
    }
}

fn unknown(definitions: Option<&'static Definitions>, name: String) -> ParseFault {
    let bare = name.rsplit('.').next().unwrap_or_default();
    let fhir = definitions
        .map_or(&[][..], Definitions::types)
        .iter()
        .map(|it| it.name);
    let known = fhir.chain(SystemType::ALL.into_iter().map(SystemType::name));
    let suggestion = crate::suggest::nearest(bare, known).map(str::to_owned);
    ParseFault::Type { name, suggestion }
}

impl fmt::Display for NamedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(system) => write!(f, "System.{}", system.name()),
            Self::Fhir(definition) => write!(f, "FHIR.{}", definition.name),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}

/// Whether a type is another or specialises it.
pub(super) fn is_kind_of(
    definitions: &'static Definitions,
    definition: &'static TypeDefinition,
    wanted: &str,
) -> bool {
    let base = |it: &&'static TypeDefinition| it.base.and_then(|base| definitions.type_named(base));
    std::iter::successors(Some(definition), base).any(|it| it.name == wanted)
}
