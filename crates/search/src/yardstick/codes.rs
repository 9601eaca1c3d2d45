//! Whether an element passes a test on the value of a parameter.
//!
//! Value sets and code systems are those of the world: lists of codes, whole systems, imports and
//! what is excluded; filters are left to the terminology's own tests.

use std::collections::BTreeSet;

use fhir::definitions::SearchParameter;
use fhir::json::{Kind, Value as Json};

use super::element::Element;
use super::{Stored, Yardstick, ranges};
use crate::entry::Place;
use crate::plan::EARTH_RADIUS_METRES;
use crate::query::{
    HIERARCHIES, ReferenceTest, Side, TextMatch, Token, TokenTextMatch, UriMatch, Value,
};
use crate::text::fold;

impl Value {
    /// Whether its words may stand in several texts of a parameter.
    pub(super) fn is_of_words(&self) -> bool {
        let Self::TokenText { how, .. } = self else {
            return false;
        };
        *how == TokenTextMatch::Words
    }
}

/// R4's and STU3's systems for what has no system of its own: of its codes, the booleans.
const SPECIAL: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/special-values",
    "http://hl7.org/fhir/special-values",
];

impl Yardstick<'_> {
    /// Whether an element passes a test, composites and words aside.
    pub(super) fn passes(
        &self,
        element: &Element<'_>,
        definition: &SearchParameter,
        value: &Value,
    ) -> bool {
        match value {
            Value::Text { how, text } => element.texts().iter().any(|it| is_text(*how, it, text)),
            Value::TokenText { text, .. } => {
                let mut texts = element.token_texts().into_iter();
                texts.any(|it| is_text(TextMatch::Starts, &it, text))
            }
            Value::Token(token) => {
                let mut tokens = element.tokens().into_iter();
                tokens.any(|it| is_token(token, it.0.as_deref(), &it.1))
            }
            Value::OfType {
                system,
                code,
                value,
            } => element.is_identifier(system, code, value),
            Value::InValueSet(set) => self.has_code(element, &|system, code| {
                self.is_in_value_set(set, system, code)
            }),
            Value::Subsumed { side, system, code } => self.has_code(element, &|of, other| {
                of == &**system && self.is_subsumed(*side, system, code, other)
            }),
            Value::Reference(test) => self.is_reference(element, definition, test),
            Value::Identifier(token) => element
                .logical()
                .is_some_and(|it| is_token(token, it.0.as_deref(), &it.1)),
            Value::Hierarchy { side, kind, id } => self.is_in_hierarchy(element, *side, kind, id),
            Value::Uri { how, uri } => element.uris().iter().any(|it| is_uri(*how, it, uri)),
            Value::Date(test) => element
                .dates(self.definitions)
                .is_some_and(|it| ranges::dates(test, it, self.now)),
            Value::Number { prefix, number } => element
                .numbers()
                .is_some_and(|it| ranges::amounts(*prefix, *number, (it.low, it.high))),
            Value::Quantity {
                prefix,
                number,
                unit,
            } => element
                .amounts()
                .and_then(|it| ranges::in_unit(&it, unit))
                .is_some_and(|it| ranges::amounts(*prefix, *number, it)),
            Value::Near { place, metres } => is_near(element, *place, *metres),
            Value::Words(_) | Value::Composite(_) => false,
        }
    }

    /// Whether one of its codes with a system passes.
    fn has_code(&self, element: &Element<'_>, test: &dyn Fn(&str, &str) -> bool) -> bool {
        let _ = self;
        let tokens = element.tokens();
        tokens
            .iter()
            .any(|(system, code)| system.as_deref().is_some_and(|it| test(it, code)))
    }

    fn is_reference(
        &self,
        element: &Element<'_>,
        definition: &SearchParameter,
        test: &ReferenceTest,
    ) -> bool {
        let target = element.local_target(self.bases, self.definitions);
        let is_to =
            |kind: &str, id: &str| target.as_ref().is_some_and(|it| it.0 == kind && it.1 == id);
        match test {
            ReferenceTest::Local { kind, id }
            | ReferenceTest::Id {
                kind: Some(kind),
                id,
            } => is_to(kind, id),
            ReferenceTest::Id { kind: None, id } => target
                .as_ref()
                .is_some_and(|it| it.1 == **id && super::may_lead_to(definition, &it.0)),
            ReferenceTest::Url(url) => {
                target.is_none() && element.named_uris().contains(&url.to_string())
            }
            ReferenceTest::Versions { side, url } => element.named_uris().iter().any(|it| {
                let (low, high) = match side {
                    Side::Below => (&**it, &**url),
                    Side::Above => (&**url, &**it),
                };
                let rest = low.strip_prefix(high).filter(|_| high.contains('|'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }),
            ReferenceTest::Path { side, url } => {
                let how = match side {
                    Side::Above => UriMatch::Above,
                    Side::Below => UriMatch::Below,
                };
                let mut uris = element.named_uris().into_iter();
                target.is_none() && uris.any(|it| is_uri(how, &it, url))
            }
        }
    }

    /// Whether it refers to the resource, or to one that is above or below it.
    fn is_in_hierarchy(&self, element: &Element<'_>, side: Side, kind: &str, id: &str) -> bool {
        let Some((target_kind, target)) = element.local_target(self.bases, self.definitions) else {
            return false;
        };
        if target_kind != kind {
            return false;
        }
        let is_live = || self.live(kind, &target).is_some();
        target == id
            || match side {
                Side::Above => is_live() && self.above(kind, id).contains(&target),
                Side::Below => self.above(kind, &target).contains(id),
            }
    }

    fn live(&self, kind: &str, id: &str) -> Option<&Stored> {
        self.place(kind, id).map(|at| &self.world[at])
    }

    /// The ids of everything that the resource is part of, if it exists: also of what does not, for
    /// what is part of it says so.
    fn above(&self, kind: &str, id: &str) -> BTreeSet<String> {
        let code = HIERARCHIES.iter().find(|it| it.0 == kind).map(|it| it.1);
        let definition = code.and_then(|it| self.definition(kind, it));
        let mut known = BTreeSet::new();
        let mut open = vec![id.to_owned()];
        while let (Some(id), Some(definition)) = (open.pop(), definition) {
            let uppers = self.live(kind, &id).map(|it| self.led_to(it, definition));
            for (of, upper) in uppers.iter().flat_map(|it| it.here.iter()) {
                if of == kind && known.insert(upper.clone()) {
                    open.push(upper.clone());
                }
            }
        }
        known
    }

    fn definitions_of<'s>(
        &'s self,
        kind: &'s str,
        name: &'s str,
    ) -> impl Iterator<Item = &'s Stored> {
        self.terminology.iter().copied().filter(move |it| {
            let url = it.content.root().get("url").and_then(Json::as_str);
            let is_of_id = name.strip_prefix("ValueSet/") == Some(&*it.id);
            it.kind == kind && (is_of_id || url.as_deref() == Some(name))
        })
    }

    fn is_in_value_set(&self, name: &str, system: &str, code: &str) -> bool {
        self.definitions_of("ValueSet", name).any(|set| {
            let Some(compose) = set.content.root().get("compose") else {
                return false;
            };
            let is_in = |part| {
                let parts = compose.get(part).into_iter().flat_map(Json::items);
                parts
                    .into_iter()
                    .any(|it| self.is_in_part(it, system, code))
            };
            is_in("include") && !is_in("exclude")
        })
    }

    /// Whether a code is of an include: of its system or list, and of all value sets it names.
    fn is_in_part(&self, part: Json<'_>, system: &str, code: &str) -> bool {
        let is_of_system = part.get("system").is_none_or(|it| it.is_str(system));
        let is_listed = match part.get("concept") {
            Some(listed) => listed.items().any(|it| is_code(it, code)),
            None => part.get("system").is_none() || self.is_known(system, code),
        };
        let mut sets = part.get("valueSet").into_iter().flat_map(each);
        is_of_system
            && is_listed
            && sets.all(|it| {
                it.as_str()
                    .is_some_and(|it| self.is_in_value_set(&it, system, code))
            })
    }

    /// Whether a code is of its system; where the system is not known, every code is.
    fn is_known(&self, system: &str, code: &str) -> bool {
        let mut systems = self.definitions_of("CodeSystem", system).peekable();
        systems.peek().is_none() || systems.any(|it| holds(it.content.root(), code))
    }

    fn is_subsumed(&self, side: Side, system: &str, code: &str, other: &str) -> bool {
        let (high, low) = match side {
            Side::Above => (other, code),
            Side::Below => (code, other),
        };
        high == low
            || self
                .definitions_of("CodeSystem", system)
                .any(|it| is_above(it.content.root(), high, low))
    }
}

/// Whether a resource defines codes, or sets of them.
pub(super) fn defines(stored: &Stored) -> bool {
    matches!(stored.kind, "CodeSystem" | "ValueSet")
}

/// Whether a concept of that code lies below the value, at any depth.
fn holds(of: Json<'_>, code: &str) -> bool {
    let mut concepts = of.get("concept").into_iter().flat_map(Json::items);
    concepts.any(|it| is_code(it, code) || holds(it, code))
}

/// Whether below the value a concept holds another one.
fn is_above(of: Json<'_>, high: &str, low: &str) -> bool {
    let mut concepts = of.get("concept").into_iter().flat_map(Json::items);
    concepts.any(|it| (is_code(it, high) && holds(it, low)) || is_above(it, high, low))
}

fn is_code(concept: Json<'_>, code: &str) -> bool {
    concept.get("code").is_some_and(|it| it.is_str(code))
}

/// STU3 has one imported value set or several, as R4 has.
fn each(value: Json<'_>) -> Vec<Json<'_>> {
    match value.kind() {
        Kind::Array => value.items().collect(),
        _ => vec![value],
    }
}

fn is_text(how: TextMatch, stored: &str, searched: &str) -> bool {
    match how {
        TextMatch::Exact => stored == searched,
        TextMatch::Starts => fold(stored).starts_with(&fold(searched)),
        TextMatch::Contains => fold(stored).contains(&fold(searched)),
    }
}

fn is_token(searched: &Token, system: Option<&str>, code: &str) -> bool {
    match searched {
        Token::Code(searched) => **searched == *code,
        Token::System(searched) => system == Some(&**searched),
        Token::Coded {
            system: searched,
            code: searched_code,
        } => {
            let searched = searched.as_deref();
            let is_special = system.is_none()
                && searched.is_some_and(|it| SPECIAL.contains(&it))
                && matches!(code, "true" | "false");
            **searched_code == *code && (system == searched || is_special)
        }
    }
}

/// Above and below follow the steps of a URL's path.
fn is_uri(how: UriMatch, stored: &str, searched: &str) -> bool {
    let is_below = |low: &str, high: &str| {
        let rest = low.strip_prefix(high);
        rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
    };
    match how {
        UriMatch::Exact => stored == searched,
        UriMatch::Below => is_below(stored, searched),
        UriMatch::Above => is_below(searched, stored),
    }
}

/// By the angle between the two places, seen from the middle of the Earth.
fn is_near(element: &Element<'_>, place: Place, metres: u32) -> bool {
    let Some((latitude, longitude)) = element.place() else {
        return false;
    };
    let radians = |units: i32| (f64::from(units) / 1e7).to_radians();
    let from = [latitude, longitude].map(|it| it.to_f64().to_radians());
    let to = [radians(place.latitude), radians(place.longitude)];
    let [one, other] = [from, to].map(|[north, east]| {
        [
            north.cos() * east.cos(),
            north.cos() * east.sin(),
            north.sin(),
        ]
    });
    let apart: f64 = one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum();
    let angle = 2.0 * (apart.sqrt() / 2.0).min(1.0).asin();
    angle * f64::from(EARTH_RADIUS_METRES) <= f64::from(metres)
}
