//! From a typed value to a condition on the entries of a parameter's slots.

use std::collections::BTreeSet;

use fhir::definitions::SearchParameter;
use fhir::terminology::{CodeSet, Codes};
use fhir::{Definitions, Fault, Issue};

use super::Work;
use crate::compile::bounds;
use crate::compile::needs::{Answer, Need};
use crate::entry::EntryValue;
use crate::measure::fit;
use crate::name::{ByName, ResourceName};
use crate::plan::{Filter, Member, Test};
use crate::query::{ReferenceTest, Side, TextMatch, Token, TokenTextMatch, UriMatch, Value, Words};
use crate::registry::{Facets, OfType, Slot};
use crate::text::{fold, words};

/// The systems of codes for values that have none: R4's and STU3's. Of them only the booleans
/// stand in elements without a system. <https://hl7.org/fhir/R4/search.html#token>
const SPECIAL_VALUES: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/special-values",
    "http://hl7.org/fhir/special-values",
];

const BOOLEANS: &[&str] = &["true", "false"];

type Tests = Vec<Test<ByName>>;

/// There is a value.
pub(super) fn present(facets: &Facets) -> Filter<ByName> {
    let entry = |parameter: &Slot| Filter::Entry {
        parameter: *parameter,
        test: Test::Present,
    };
    match facets {
        Facets::String(slot)
        | Facets::Uri(slot)
        | Facets::Date(slot)
        | Facets::Number(slot)
        | Facets::Place(slot)
        | Facets::Words(slot) => entry(slot),
        Facets::Token(slots) => entry(&slots.code),
        Facets::Reference { literal, .. } => entry(literal),
        Facets::Quantity(slots) => entry(&slots.written),
        Facets::Composite(components) => {
            let members = components
                .iter()
                .filter_map(|it| match present(&it.facets) {
                    Filter::Entry { parameter, test } => Some(Member {
                        parameter,
                        any_of: vec![test],
                    }),
                    _ => None,
                });
            Filter::Together(members.collect())
        }
        Facets::Id | Facets::Updated => Filter::EVERYTHING,
        Facets::Elsewhere => Filter::NOTHING,
    }
}

impl Work<'_> {
    /// What a resource with that value matches.
    pub(super) fn value(
        &mut self,
        definition: &SearchParameter,
        facets: &Facets,
        value: &Value,
    ) -> Filter<ByName> {
        match (facets, value) {
            (
                Facets::Token(slots),
                Value::OfType {
                    system,
                    code,
                    value,
                },
            ) => slots
                .of_type
                .map_or(Filter::NOTHING, |slots| of_type(slots, system, code, value)),
            (
                Facets::Token(slots),
                Value::TokenText {
                    how: TokenTextMatch::Words,
                    text,
                },
            ) => {
                let folded = fold(text);
                let contains = |word: &str| Filter::Entry {
                    parameter: slots.text,
                    test: Test::TextContains(fit(word).into()),
                };
                Filter::all(words(&folded).map(contains).collect())
            }
            (Facets::Words(slot), Value::Words(words)) => self.words(*slot, words),
            (Facets::Composite(components), Value::Composite(values)) => {
                let mut members = Vec::with_capacity(values.len());
                for (component, value) in components.iter().zip(values) {
                    let tests = self.tests(component.definition, &component.facets, value);
                    let Some((parameter, any_of)) = tests else {
                        return Filter::NOTHING;
                    };
                    members.push(Member { parameter, any_of });
                }
                Filter::Together(members)
            }
            _ => match self.tests(definition, facets, value) {
                Some((parameter, tests)) => {
                    let entry = |test| Filter::Entry { parameter, test };
                    Filter::any(tests.into_iter().map(entry).collect())
                }
                None => Filter::NOTHING,
            },
        }
    }

    /// The tests of a value, and the slot whose entries they are for.
    fn tests(
        &mut self,
        definition: &SearchParameter,
        facets: &Facets,
        value: &Value,
    ) -> Option<(Slot, Tests)> {
        if self.is_over() {
            return None;
        }
        let now = self.builder.now;
        let (slot, tests) = match (facets, value) {
            (Facets::String(slot), Value::Text { how, text }) => {
                (*slot, vec![text_test(*how, text)])
            }
            (Facets::Token(slots), Value::TokenText { text, .. }) => {
                (slots.text, vec![text_test(TextMatch::Starts, text)])
            }
            (Facets::Token(slots), Value::Token(token)) => (slots.code, token_tests(token)),
            (Facets::Token(slots), Value::InValueSet(url)) => {
                (slots.code, self.codes(Need::ValueSet(url.clone())))
            }
            (Facets::Token(slots), Value::Subsumed { side, system, code }) => {
                let (side, system, code) = (*side, system.clone(), code.clone());
                (
                    slots.code,
                    self.codes(Need::Subsumed { side, system, code }),
                )
            }
            (Facets::Reference { literal, .. }, Value::Reference(test)) => {
                (*literal, self.reference(definition, test))
            }
            (Facets::Reference { literal, .. }, Value::Hierarchy { side, kind, id }) => {
                let need = Need::Hierarchy {
                    side: *side,
                    kind,
                    id: id.clone(),
                };
                let found = self.resources(need);
                (*literal, found.into_iter().map(refers_to).collect())
            }
            (
                Facets::Reference {
                    identifier: Some(slot),
                    ..
                },
                Value::Identifier(token),
            ) => (*slot, token_tests(token)),
            (Facets::Uri(slot), Value::Uri { how, uri }) => (*slot, uri_tests(*how, uri)),
            (Facets::Date(slot), Value::Date(test)) => (*slot, bounds::date(test, now)),
            (Facets::Number(slot), Value::Number { prefix, number }) => {
                (*slot, bounds::number(*prefix, *number))
            }
            (
                Facets::Quantity(slots),
                Value::Quantity {
                    prefix,
                    number,
                    unit,
                },
            ) => bounds::quantity(slots, *prefix, *number, unit),
            (Facets::Place(slot), Value::Near { place, metres }) => (
                *slot,
                vec![Test::Near {
                    place: *place,
                    metres: *metres,
                }],
            ),
            _ => return None,
        };
        self.count(tests.len());
        Some((slot, tests))
    }

    fn words(&mut self, slot: Slot, wanted: &Words) -> Filter<ByName> {
        self.count(1);
        match wanted {
            Words::Has(word) => {
                let token = EntryValue::Token {
                    system: None,
                    code: fit(word).into(),
                };
                Filter::Entry {
                    parameter: slot,
                    test: Test::Is(token),
                }
            }
            Words::All(all) => Filter::all(all.iter().map(|it| self.words(slot, it)).collect()),
            Words::Any(any) => Filter::any(any.iter().map(|it| self.words(slot, it)).collect()),
            Words::Not(not) => self.words(slot, not).negated(),
        }
    }

    fn reference(&self, definition: &SearchParameter, test: &ReferenceTest) -> Tests {
        match test {
            ReferenceTest::Local { kind, id }
            | ReferenceTest::Id {
                kind: Some(kind),
                id,
            } => vec![refers_to(ResourceName {
                kind,
                id: id.clone(),
            })],
            ReferenceTest::Id { kind: None, id } => {
                let definitions = Definitions::of(self.builder.version);
                let targets = definition.targets;
                let kinds = definitions.resources().map(|it| it.name);
                let kinds = kinds.filter(|it| targets.is_empty() || targets.contains(it));
                kinds
                    .map(|kind| {
                        refers_to(ResourceName {
                            kind,
                            id: id.clone(),
                        })
                    })
                    .collect()
            }
            ReferenceTest::Url(url) => vec![is_uri(url)],
            ReferenceTest::Versions { side, url } => versions(*side, url),
            ReferenceTest::Path { side, url } => match side {
                Side::Above => uri_tests(UriMatch::Above, url),
                Side::Below => uri_tests(UriMatch::Below, url),
            },
        }
    }

    /// The tests for one of the codes that were looked up.
    fn codes(&mut self, need: Need) -> Tests {
        let Some(answer) = self.builder.answers.get(&need) else {
            self.needs.insert(need);
            return Vec::new();
        };
        let Answer::Codes(set) = answer else {
            return Vec::new();
        };
        match code_tests(set) {
            Ok(tests) => tests,
            Err(issue) => {
                self.refuse(issue);
                Vec::new()
            }
        }
    }

    /// The resources that were looked up.
    pub(super) fn resources(&mut self, need: Need) -> BTreeSet<ResourceName> {
        match self.builder.answers.get(&need) {
            Some(Answer::Resources(found)) => found.clone(),
            Some(Answer::Codes(_)) => BTreeSet::new(),
            None => {
                self.needs.insert(need);
                BTreeSet::new()
            }
        }
    }
}

/// A set that has all codes of a system but some cannot be tested entry by entry: an entry may
/// pass only for being of that system.
fn code_tests(set: &CodeSet) -> Result<Tests, Issue> {
    let mut tests = Vec::new();
    for (system, codes) in set.systems() {
        match codes {
            Codes::Listed(codes) => tests.extend(codes.iter().map(|code| {
                Test::Is(EntryValue::Token {
                    system: Some(fit(system).into()),
                    code: fit(code).into(),
                })
            })),
            Codes::AllExcept(codes) if codes.is_empty() => {
                tests.push(Test::System(Some(fit(system).into())));
            }
            Codes::AllExcept(_) => {
                let what = format!(
                    "the value set has all codes of `{system}` but some, which is not offered yet"
                );
                return Err(Issue::error(Fault::NotSupported, what));
            }
        }
    }
    Ok(tests)
}

fn text_test(how: TextMatch, text: &str) -> Test<ByName> {
    match how {
        TextMatch::Starts => Test::TextStarts(fit(&fold(text)).into()),
        TextMatch::Contains => Test::TextContains(fit(&fold(text)).into()),
        TextMatch::Exact => Test::TextIs(fit(text).into()),
    }
}

fn token_tests(token: &Token) -> Tests {
    let is = |system: Option<&str>, code: &str| {
        Test::Is(EntryValue::Token {
            system: system.map(Into::into),
            code: code.into(),
        })
    };
    match token {
        Token::Code(code) => vec![Test::Code(code.clone())],
        Token::System(system) => vec![Test::System(Some(system.clone()))],
        Token::Coded { system, code } => {
            let mut tests = vec![is(system.as_deref(), code)];
            let is_special = system
                .as_deref()
                .is_some_and(|it| SPECIAL_VALUES.contains(&it));
            if is_special && BOOLEANS.contains(&&**code) {
                tests.push(is(None, code));
            }
            tests
        }
    }
}

fn of_type(slots: OfType, system: &str, code: &str, value: &str) -> Filter<ByName> {
    let token = |system: Option<&str>, code: &str| {
        Test::Is(EntryValue::Token {
            system: system.map(Into::into),
            code: code.into(),
        })
    };
    Filter::Together(vec![
        Member {
            parameter: slots.kind,
            any_of: vec![token(Some(system), code)],
        },
        Member {
            parameter: slots.value,
            any_of: vec![token(None, value)],
        },
    ])
}

pub(in crate::compile) fn refers_to(record: ResourceName) -> Test<ByName> {
    Test::Is(EntryValue::Reference(record))
}

fn is_uri(uri: &str) -> Test<ByName> {
    Test::Is(EntryValue::Uri(fit(uri).into()))
}

/// By a canonical URL with its version: `1.2` is above `1.2.3`.
fn versions(side: Side, url: &str) -> Tests {
    match side {
        Side::Below => vec![is_uri(url), Test::UriStarts([url, "."].concat().into())],
        Side::Above => {
            let version = url.find('|').unwrap_or_default();
            let ends = url[version..]
                .match_indices('.')
                .map(|(at, _)| version + at);
            ends.map(|end| is_uri(&url[..end]))
                .chain([is_uri(url)])
                .collect()
        }
    }
}

fn uri_tests(how: UriMatch, uri: &str) -> Tests {
    let uri = fit(uri);
    match how {
        UriMatch::Exact => vec![is_uri(uri)],
        UriMatch::Below => vec![is_uri(uri), Test::UriStarts([uri, "/"].concat().into())],
        UriMatch::Above => {
            let path = uri.find("://").map_or(0, |it| it + 3);
            let ends = uri[path..].match_indices('/').map(|(at, _)| path + at);
            ends.map(|end| is_uri(&uri[..end]))
                .chain([is_uri(uri)])
                .collect()
        }
    }
}
