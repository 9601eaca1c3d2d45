//! What collections hold: values of FHIRPath's own types, nodes of documents, types.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::moment::{Date, DateTime, Time};
use super::node::Node;
use super::quantity::{CalendarUnit, Quantity, Unit};
use super::types::SystemType;
use crate::decimal::Decimal;
use crate::json::{Kind, Value, write_string};

/// What every expression evaluates to.
pub type Collection<'d> = Vec<Item<'d>>;

/// One item of a collection.
#[derive(Clone)]
pub enum Item<'d> {
    /// A `Boolean`.
    Boolean(bool),
    /// A `String`.
    String(Cow<'d, str>),
    /// An `Integer`, of 32 bits.
    Integer(i64),
    /// A `Long`, of 64 bits.
    Long(i64),
    /// A `Decimal`.
    Decimal(Decimal),
    /// A `Date`.
    Date(Date),
    /// A `DateTime`.
    DateTime(DateTime),
    /// A `Time`.
    Time(Time),
    /// A `Quantity`.
    Quantity(Quantity),
    /// A place in a document.
    Node(Node<'d>),
    /// What `type()` gives.
    Type(TypeInfo),
    /// What `%factory` is.
    Factory,
}

/// A type as a value (<https://hl7.org/fhirpath/N1/#reflection>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeInfo {
    /// `System` or `FHIR`.
    pub namespace: &'static str,
    /// Its name.
    pub name: Cow<'static, str>,
    /// The qualified name of the type that it specialises.
    pub base: Option<String>,
}

/// An item as operators and functions see it.
pub(super) enum Scalar<'d> {
    /// A value of FHIRPath's own types.
    Value(Item<'d>),
    /// A primitive or quantity without a value of FHIRPath: it counts as empty.
    Absent,
    /// Anything else.
    Complex,
}

/// Whether a FHIR quantity of years is one of the calendar.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Years {
    /// As the standard converts them (<https://hl7.org/fhir/R4/fhirpath.html#quantity>).
    Calendar,
    /// As UCUM has them, for products and quotients.
    Ucum,
}

/// Shows what it is, never whose: a value of a resource is somebody's.
impl std::fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.type_name())
    }
}

impl<'d> Item<'d> {
    /// A string.
    pub fn string(text: impl Into<Cow<'d, str>>) -> Self {
        Self::String(text.into())
    }

    /// The type of a value of FHIRPath's own types.
    pub fn system_type(&self) -> Option<SystemType> {
        Some(match self {
            Self::Boolean(_) => SystemType::Boolean,
            Self::String(_) => SystemType::String,
            Self::Integer(_) => SystemType::Integer,
            Self::Long(_) => SystemType::Long,
            Self::Decimal(_) => SystemType::Decimal,
            Self::Date(_) => SystemType::Date,
            Self::DateTime(_) => SystemType::DateTime,
            Self::Time(_) => SystemType::Time,
            Self::Quantity(_) => SystemType::Quantity,
            Self::Node(_) | Self::Type(_) | Self::Factory => return None,
        })
    }

    /// The name of its type, for messages and output: `String`, `code`, `HumanName`.
    pub fn type_name(&self) -> Cow<'_, str> {
        match self {
            Self::Node(node) => node.type_name().unwrap_or_else(|| untyped_name(node)),
            Self::Type(_) => Cow::Borrowed("TypeInfo"),
            Self::Factory => Cow::Borrowed("%factory"),
            other => Cow::Borrowed(other.system_type().map_or("", SystemType::name)),
        }
    }

    /// The value of FHIRPath's own types that it is or stands for.
    pub fn value(&self) -> Option<Item<'d>> {
        match self.scalar() {
            Scalar::Value(item) => Some(item),
            Scalar::Absent | Scalar::Complex => None,
        }
    }

    pub(super) fn scalar(&self) -> Scalar<'d> {
        self.scalar_with(Years::Calendar)
    }

    pub(super) fn scalar_with(&self, years: Years) -> Scalar<'d> {
        match self {
            Self::Node(node) => node_scalar(node, years),
            Self::Type(_) | Self::Factory => Scalar::Complex,
            other => Scalar::Value(other.clone()),
        }
    }

    /// As JSON text: a node's own text, dates and quantities as strings, `Long` as FHIR's JSON has
    /// it. Nothing for a primitive without a value.
    pub fn to_json(&self) -> Option<String> {
        Some(match self {
            Self::Boolean(truth) => truth.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Node(node) => return node.value().map(|it| it.raw().to_owned()),
            Self::Type(info) => type_json(info),
            Self::Factory => return None,
            other => quoted(&other.to_text()?),
        })
    }

    /// As text: what `toString()` gives; nothing for what has no such form.
    pub fn to_text(&self) -> Option<Cow<'d, str>> {
        Some(match self {
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::String(text) => text.clone(),
            Self::Integer(number) | Self::Long(number) => Cow::Owned(number.to_string()),
            Self::Decimal(number) => Cow::Owned(number.to_string()),
            Self::Date(date) => Cow::Owned(date.to_string()),
            Self::DateTime(moment) => Cow::Owned(moment.to_string()),
            Self::Time(time) => Cow::Owned(time.to_string()),
            Self::Quantity(quantity) => Cow::Owned(quantity.to_string()),
            Self::Node(node) if node.is_primitive() => return primitive_text(node),
            Self::Node(_) => return self.value().and_then(|it| it.to_text()),
            Self::Type(_) | Self::Factory => return None,
        })
    }
}

fn primitive_text<'d>(node: &Node<'d>) -> Option<Cow<'d, str>> {
    let value = node.value()?;
    value.as_str().or_else(|| Some(Cow::Borrowed(value.raw())))
}

fn untyped_name(node: &Node<'_>) -> Cow<'static, str> {
    Cow::Borrowed(match node.value().map(Value::kind) {
        Some(Kind::Boolean) => "Boolean",
        Some(Kind::Number) => "Number",
        Some(Kind::String) => "String",
        Some(Kind::Object) => "Object",
        _ => "Any",
    })
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    write_string(text, &mut json);
    json
}

fn type_json(info: &TypeInfo) -> String {
    let mut json = format!("{{\"namespace\":\"{}\",\"name\":", info.namespace);
    write_string(&info.name, &mut json);
    if let Some(base) = &info.base {
        let _ = write!(json, ",\"baseType\":\"{base}\"");
    }
    json.push('}');
    json
}

fn node_scalar<'d>(node: &Node<'d>, years: Years) -> Scalar<'d> {
    let Some(typing) = node.typing() else {
        return untyped_scalar(node);
    };
    let Some(system) = SystemType::of_fhir(typing.definition.name) else {
        return if node.is_primitive() {
            Scalar::Absent
        } else {
            Scalar::Complex
        };
    };
    if system == SystemType::Quantity {
        let quantity = quantity_of(node, years).map(Item::Quantity);
        return quantity.map_or(Scalar::Absent, Scalar::Value);
    }
    let item = node.value().and_then(|value| primitive(value, system));
    item.map_or(Scalar::Absent, Scalar::Value)
}

/// What is not as its type demands counts as absent: validation has told of it.
fn primitive(value: Value<'_>, system: SystemType) -> Option<Item<'_>> {
    let text = || value.as_str();
    Some(match system {
        SystemType::Boolean => Item::Boolean(value.as_bool()?),
        SystemType::Integer => Item::Integer(value.as_number()?.parse().ok()?),
        SystemType::Decimal => Item::Decimal(Decimal::parse_rounded(value.as_number()?).ok()?),
        SystemType::Date => Item::Date(Date::parse(&text()?)?),
        SystemType::DateTime => Item::DateTime(DateTime::parse(&text()?)?),
        SystemType::Time => Item::Time(Time::parse(&text()?)?),
        _ => Item::String(text()?),
    })
}

fn untyped_scalar<'d>(node: &Node<'d>) -> Scalar<'d> {
    let Some(value) = node.value() else {
        return Scalar::Absent;
    };
    let item = match value.kind() {
        Kind::Boolean => value.as_bool().map(Item::Boolean),
        Kind::String => value.as_str().map(Item::String),
        Kind::Number => {
            let whole = value.raw().parse().ok().map(Item::Integer);
            whole.or_else(|| Decimal::parse_rounded(value.raw()).ok().map(Item::Decimal))
        }
        _ => return Scalar::Complex,
    };
    item.map_or(Scalar::Absent, Scalar::Value)
}

const UCUM: &str = "http://unitsofmeasure.org";

/// A FHIR quantity as one of FHIRPath; not one with a comparator, which is a range, nor one whose
/// unit is of another system: it compares with its like only, as a tree.
fn quantity_of(node: &Node<'_>, years: Years) -> Option<Quantity> {
    let object = node.value()?;
    let value = Decimal::parse_rounded(object.get("value")?.as_number()?).ok()?;
    let is_ucum = object.get("system").is_none_or(|it| it.is_str(UCUM));
    if object.get("comparator").is_some() || !is_ucum {
        return None;
    }
    let text = |name| object.get(name).and_then(Value::as_str);
    let unit = match text("code").or_else(|| text("unit")) {
        None => Unit::one(),
        Some(code) => match CalendarUnit::of_ucum(&code) {
            Some(unit) if years == Years::Calendar => Unit::Calendar(unit),
            _ => Unit::Ucum(code.into_owned()),
        },
    };
    Some(Quantity { value, unit })
}
