//! What an element stands for, by the parameter types' tables of
//! <https://hl7.org/fhir/R4/search.html#ptypes>.

use fhir::Definitions;
use fhir::decimal::Decimal;
use fhir::definitions::{ElementDefinition, SearchType};
use fhir::fhirpath::Item;
use fhir::json::{Kind, Value};
use fhir::ucum;

use crate::measure::period;
use crate::reference::{Bases, Target};

/// An element, or a truth that an expression computed.
pub(super) enum Element<'d> {
    /// An element with its type and the system of the codes that it must be of.
    Of(Box<str>, Value<'d>, Option<&'static str>),
    /// A truth.
    Truth(bool),
}

/// A quantity, as far as it is written.
#[derive(Clone)]
pub(super) struct Measured {
    pub(super) low: Option<Decimal>,
    pub(super) high: Option<Decimal>,
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
    pub(super) unit: Option<String>,
}

const NUMBERS: &[&str] = &["decimal", "integer", "positiveInt", "unsignedInt"];
const QUANTITIES: &[&str] = &[
    "Quantity",
    "Age",
    "Count",
    "Distance",
    "Duration",
    "SimpleQuantity",
    "MoneyQuantity",
    "Money",
];
const DATES: &[&str] = &["date", "dateTime", "instant", "Period", "Timing"];
const TEXTS: &[&str] = &["string", "markdown", "base64Binary"];
const CODES: &[&str] = &["code", "id"];
const URIS: &[&str] = &["uri", "url", "oid", "uuid"];
const CODED: &[&str] = &[
    "boolean",
    "ContactPoint",
    "Identifier",
    "Coding",
    "CodeableConcept",
];

/// The parts of names and of addresses that texts are compared with.
const NAME: &[&str] = &["family", "given", "prefix", "suffix", "text"];
const ADDRESS: &[&str] = &[
    "line",
    "city",
    "district",
    "state",
    "postalCode",
    "country",
    "text",
];

impl<'d> Element<'d> {
    pub(super) fn of(item: &Item<'d>) -> Option<Self> {
        match item {
            Item::Boolean(truth) => Some(Self::Truth(*truth)),
            Item::Node(node) => {
                let codes = node.typing().and_then(|it| it.element);
                let codes = codes.and_then(|it| it.binding.as_ref()?.codes);
                let system = codes.and_then(|it| it.first()).map(|it| it.system);
                let is_one = codes.is_some_and(|it| it.iter().all(|it| Some(it.system) == system));
                Some(Self::Of(
                    node.type_name()?.into(),
                    node.value()?,
                    system.filter(|_| is_one),
                ))
            }
            _ => None,
        }
    }

    /// Whether a parameter of that type is about such an element.
    pub(super) fn is_for(&self, search_type: SearchType) -> bool {
        let Self::Of(kind, value, _) = self else {
            return search_type == SearchType::Token;
        };
        let is_in = |names: &[&str]| names.contains(&&**kind);
        match search_type {
            SearchType::Number => is_in(NUMBERS) || is_in(QUANTITIES) || is_in(&["Range"]),
            SearchType::Date => is_in(DATES),
            SearchType::String => is_in(TEXTS) || is_in(CODES) || is_in(&["HumanName", "Address"]),
            SearchType::Token => {
                let is_place = value.get("latitude").is_some();
                is_in(TEXTS) || is_in(CODES) || is_in(URIS) || is_in(CODED) || is_place
            }
            SearchType::Reference => {
                is_in(URIS) || is_in(&["Reference", "canonical"]) || self.is_resource()
            }
            SearchType::Quantity => is_in(QUANTITIES) || is_in(&["Range", "SampledData"]),
            SearchType::Uri => is_in(URIS) || is_in(&["canonical"]),
            SearchType::Special => is_in(&["BackboneElement"]),
            SearchType::Composite => false,
        }
    }

    pub(super) fn is_resource(&self) -> bool {
        matches!(self, Self::Of(_, value, _) if value.get("resourceType").is_some())
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let Self::Of(kind, value, _) = self else {
            return Vec::new();
        };
        let parts = match &**kind {
            "HumanName" => NAME,
            "Address" => ADDRESS,
            _ => return value.as_str().into_iter().map(Into::into).collect(),
        };
        let parts = parts
            .iter()
            .flat_map(|part| members(*value, part))
            .filter_map(Value::as_str);
        parts.map(Into::into).collect()
    }

    /// The codes, each with its system.
    pub(super) fn tokens(&self) -> Vec<(Option<String>, String)> {
        let (kind, value, system) = match self {
            Self::Truth(truth) => return vec![(None, truth.to_string())],
            Self::Of(kind, value, system) => (&**kind, *value, *system),
        };
        let pair = |of: Value<'_>, name| Some((string(of, "system"), string(of, name)?));
        match kind {
            "CodeableConcept" => members(value, "coding")
                .into_iter()
                .filter_map(|it| pair(it, "code"))
                .collect(),
            "Coding" => pair(value, "code").into_iter().collect(),
            "Identifier" => pair(value, "value").into_iter().collect(),
            "ContactPoint" => string(value, "value")
                .map(|it| (None, it))
                .into_iter()
                .collect(),
            "boolean" => vec![(None, value.raw().to_owned())],
            "code" => plain(value)
                .map(|it| (system.map(str::to_owned), it))
                .into_iter()
                .collect(),
            _ => plain(value).map(|it| (None, it)).into_iter().collect(),
        }
    }

    /// What people read in place of a code.
    pub(super) fn token_texts(&self) -> Vec<String> {
        let Self::Of(kind, value, _) = self else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        match &**kind {
            "CodeableConcept" => {
                texts.extend(string(*value, "text"));
                let codings = members(*value, "coding").into_iter();
                texts.extend(codings.filter_map(|it| string(it, "display")));
            }
            "Coding" => texts.extend(string(*value, "display")),
            "Identifier" => {
                let kind = value.get("type");
                texts.extend(kind.and_then(|it| string(it, "text")));
            }
            _ => {}
        }
        texts
    }

    /// Whether it is an identifier with that code as its type and that value.
    pub(super) fn is_identifier(&self, system: &str, code: &str, value: &str) -> bool {
        let Self::Of(kind, identifier, _) = self else {
            return false;
        };
        let codings = identifier.get("type").map(|it| members(it, "coding"));
        &**kind == "Identifier"
            && string(*identifier, "value").as_deref() == Some(value)
            && codings.into_iter().flatten().any(|it| {
                string(it, "system").as_deref() == Some(system)
                    && string(it, "code").as_deref() == Some(code)
            })
    }

    /// The text of a reference, a canonical URL or another URI.
    pub(super) fn link(&self) -> Option<String> {
        let Self::Of(kind, value, _) = self else {
            return None;
        };
        match &**kind {
            "Reference" => string(*value, "reference"),
            _ => plain(*value),
        }
    }

    /// The identifier that a reference has.
    pub(super) fn logical(&self) -> Option<(Option<String>, String)> {
        let Self::Of(kind, value, _) = self else {
            return None;
        };
        let identifier = value.get("identifier").filter(|_| &**kind == "Reference")?;
        Some((string(identifier, "system"), string(identifier, "value")?))
    }

    /// Type and id of what it refers to on this server; a resource in a bundle counts as one.
    pub(super) fn local_target(
        &self,
        bases: &Bases,
        definitions: &Definitions,
    ) -> Option<(String, String)> {
        let Self::Of(_, value, _) = self else {
            return None;
        };
        if let Some(kind) = string(*value, "resourceType") {
            return Some((kind, string(*value, "id")?));
        }
        let text = self.link()?;
        match bases.target(definitions, &text) {
            Target::Local {
                resource_type, id, ..
            } => Some((resource_type.to_owned(), id.to_owned())),
            Target::Contained | Target::Elsewhere(_) => None,
        }
    }

    /// The URIs that it is found by: a canonical one also without its version.
    pub(super) fn uris(&self) -> Vec<String> {
        let Self::Of(kind, ..) = self else {
            return Vec::new();
        };
        let Some(uri) = self.link() else {
            return Vec::new();
        };
        let is_versioned = matches!(&**kind, "canonical" | "Reference");
        let bare = uri.split_once('|').map(|it| it.0.to_owned());
        bare.filter(|_| is_versioned)
            .into_iter()
            .chain([uri])
            .collect()
    }

    /// The URIs by which a parameter of references finds it: also without fragment and version.
    pub(super) fn named_uris(&self) -> Vec<String> {
        let mut uris = self.uris();
        if let (Some(text), Self::Of(kind, ..)) = (self.link(), self)
            && &**kind != "Reference"
        {
            let whole = text.split('#').next().unwrap_or_default();
            let bare = whole.split('|').next().unwrap_or_default();
            uris.extend([whole.to_owned(), bare.to_owned()]);
        }
        uris
    }

    /// The canonical URL that it is, without what names a part of what is published there.
    pub(super) fn name(&self, definitions: &Definitions) -> Option<String> {
        let Self::Of(kind, ..) = self else {
            return None;
        };
        let may_name = &**kind != "Reference" || definitions.version() == fhir::FhirVersion::Stu3;
        let text = self.link().filter(|_| may_name)?;
        Some(text.split('#').next().unwrap_or_default().to_owned())
    }

    /// The first and last microsecond of what it covers.
    pub(super) fn dates(&self, definitions: &Definitions) -> Option<(i64, i64)> {
        let Self::Of(kind, value, _) = self else {
            return None;
        };
        let read = |it: Value<'_>| period(&it.as_str()?, definitions.version());
        match &**kind {
            "Period" => of_period(*value, &read),
            "Timing" => {
                let mut all: Vec<_> = members(*value, "event")
                    .into_iter()
                    .filter_map(read)
                    .collect();
                let bounds = value.get("repeat").and_then(|it| it.get("boundsPeriod"));
                all.extend(bounds.and_then(|it| of_period(it, &read)));
                let low = all.iter().map(|it| it.0).min()?;
                Some((low, all.iter().map(|it| it.1).max()?))
            }
            "instant" => read(*value).map(|it| (it.0, it.0)),
            _ => read(*value),
        }
    }

    /// The amounts that it states.
    pub(super) fn amounts(&self) -> Option<Measured> {
        let Self::Of(kind, value, _) = self else {
            return None;
        };
        match &**kind {
            "Range" => {
                let (low, high) = (value.get("low"), value.get("high"));
                let mut range = point(low.or(high)?);
                range.low = low.and_then(|it| number(it.get("value")?));
                range.high = high.and_then(|it| number(it.get("value")?));
                Some(range)
            }
            "SampledData" => sampled(*value),
            it if NUMBERS.contains(&it) => {
                let number = number(*value);
                Some(Measured {
                    low: number,
                    high: number,
                    system: None,
                    code: None,
                    unit: None,
                })
            }
            _ => Some(point(*value)),
        }
        .filter(|it| it.low.is_some() || it.high.is_some())
    }

    /// The same as a number: of a duration, that of its days.
    pub(super) fn numbers(&self) -> Option<Measured> {
        let mut measured = self.amounts()?;
        let unit = measured.code.as_deref().and_then(ucum::Unit::read);
        let days = unit.zip(ucum::Unit::read("d"));
        if let Some((unit, day)) = days.filter(|it| it.0.comparable(&it.1)) {
            let in_days = |it: Option<Decimal>| unit.convert(it?, &day).ok();
            (measured.low, measured.high) = (in_days(measured.low), in_days(measured.high));
        }
        measured.code = None;
        Some(measured)
    }

    /// Latitude and longitude.
    pub(super) fn place(&self) -> Option<(Decimal, Decimal)> {
        let Self::Of(_, value, _) = self else {
            return None;
        };
        Some((
            number(value.get("latitude")?)?,
            number(value.get("longitude")?)?,
        ))
    }
}

/// The text of a string, markdown or narrative.
pub(super) fn text_for_people(item: &Item<'_>) -> Option<String> {
    let Item::Node(node) = item else {
        return None;
    };
    let element = node.typing().and_then(|it| it.element);
    let is_read = |it: &ElementDefinition| {
        it.name != "id" && !["Reference.reference", "SampledData.data"].contains(&it.path)
    };
    let text = node.value()?.as_str()?;
    match &*node.type_name()? {
        "string" | "markdown" if element.is_some_and(|it| !is_read(it)) => None,
        "string" | "markdown" => Some(text.into_owned()),
        "xhtml" => {
            let tagless = text
                .split('<')
                .map(|it| it.split_once('>').map_or(it, |it| it.1));
            Some(with_letters(&tagless.collect::<Vec<_>>().join(" ")))
        }
        _ => None,
    }
}

/// The text with its numeric character references as letters; named ones are punctuation.
fn with_letters(text: &str) -> String {
    let mut parts = text.split("&#");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let (digits, rest) = part.split_once(';').unwrap_or((part, ""));
        let number = match digits.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        let letter = number.ok().and_then(char::from_u32).unwrap_or(' ');
        format!("{whole}{letter}{rest}")
    })
}

/// An end that is missing is open; without both there is nothing.
fn of_period(
    value: Value<'_>,
    read: &dyn Fn(Value<'_>) -> Option<(i64, i64)>,
) -> Option<(i64, i64)> {
    let start = value.get("start").and_then(read);
    let end = value.get("end").and_then(read);
    if start.is_none() && end.is_none() {
        return None;
    }
    Some((
        start.map_or(i64::MIN, |it| it.0),
        end.map_or(i64::MAX, |it| it.1),
    ))
}

/// Money of R4 has a currency, which is a code of ISO 4217.
fn point(value: Value<'_>) -> Measured {
    let number = value.get("value").and_then(number);
    let currency = string(value, "currency");
    let iso = currency.as_ref().map(|_| "urn:iso:std:iso:4217".to_owned());
    Measured {
        low: number,
        high: number,
        system: iso.or_else(|| string(value, "system")),
        code: currency.or_else(|| string(value, "code")),
        unit: string(value, "unit"),
    }
}

/// The bounds of the samples, which are written in steps of a factor from an origin.
fn sampled(value: Value<'_>) -> Option<Measured> {
    let mut measured = point(value.get("origin")?);
    let origin = measured.low.unwrap_or(Decimal::ZERO);
    let factor = value.get("factor").and_then(number).unwrap_or(Decimal::ONE);
    let data = string(value, "data")?;
    let samples = data.split_whitespace().filter_map(|it| {
        it.parse::<Decimal>()
            .ok()?
            .checked_mul(factor)?
            .checked_add(origin)
    });
    let samples: Vec<Decimal> = samples.collect();
    measured.low = samples.iter().min().copied();
    measured.high = samples.iter().max().copied();
    Some(measured)
}

fn number(value: Value<'_>) -> Option<Decimal> {
    Decimal::parse_rounded(value.as_number()?).ok()
}

fn string(value: Value<'_>, name: &str) -> Option<String> {
    plain(value.get(name)?)
}

fn plain(value: Value<'_>) -> Option<String> {
    Some(value.as_str()?.into_owned())
}

/// The items of a member, whether it is an array or not.
fn members<'d>(value: Value<'d>, name: &str) -> Vec<Value<'d>> {
    match value.get(name) {
        Some(it) if it.kind() == Kind::Array => it.items().collect(),
        it => it.into_iter().collect(),
    }
}
