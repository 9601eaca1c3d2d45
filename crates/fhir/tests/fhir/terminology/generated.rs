//! Generated value sets: what is evaluated equals what a slow, obvious evaluator finds, which shares
//! nothing with the other but the definitions. Damaged definitions are refused or evaluated.

use std::collections::{BTreeMap, BTreeSet};

use fhir::FhirVersion::R4;
use fhir::json::{Document, Limits as JsonLimits};
use fhir::terminology::{Coding, Content, Limits, SourceKind, Stored, Terminology};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tables::Tables;
use super::{give, known, source};

const ANIMALS: &str = "http://example.org/animals";
const FLAT: &str = "http://example.org/flat";
const CODES: [&str; 12] = [
    "animal",
    "mammal",
    "cat",
    "dog",
    "whale",
    "bird",
    "penguin",
    "dodo",
    "swimmer",
    "fish",
    "robot cat",
    "a",
];

fn definitions() -> Vec<Value> {
    let text = include_str!("../../cases/terminology/definitions.json");
    serde_json::from_str(&text.replace('~', "http://example.org/")).expect("an array")
}

fn url(at: usize) -> String {
    format!("http://example.org/generated-{at}")
}

fn code() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&CODES[..])
}

fn filter() -> impl Strategy<Value = Value> {
    let hierarchy = prop::sample::select(vec!["is-a", "descendent-of", "is-not-a", "generalizes"]);
    let animal = prop::sample::select(&CODES[..11]);
    let legs = prop::sample::select(vec!["0", "2", "4", "0,4", "2,3"]);
    prop_oneof![
        (hierarchy, animal).prop_map(|(op, value)| ("concept", op.to_owned(), value.to_owned())),
        (prop::sample::select(vec!["=", "in", "not-in"]), legs).prop_map(|(op, value)| (
            "legs",
            op.to_owned(),
            value.to_owned()
        )),
        (prop::sample::select(vec!["parent", "child"]), code()).prop_map(|(name, value)| (
            name,
            "=".to_owned(),
            value.to_owned()
        )),
        prop::sample::select(vec!["true", "false"]).prop_map(|value| (
            "sound",
            "exists".to_owned(),
            value.to_owned()
        )),
    ]
    .prop_map(|(property, op, value)| json!({"property": property, "op": op, "value": value}))
}

/// A part; imports are numbers that are turned into value sets before it.
fn part() -> impl Strategy<Value = (Value, Vec<usize>)> {
    let whole = prop::sample::select(vec![ANIMALS, FLAT]).prop_map(|it| json!({"system": it}));
    let listed = (prop::sample::select(vec![ANIMALS, FLAT]), vec(code(), 1..4)).prop_map(
        |(system, codes)| {
            let concepts: Vec<_> = codes.iter().map(|it| json!({"code": it})).collect();
            json!({"system": system, "concept": concepts})
        },
    );
    let filtered = vec(filter(), 1..3).prop_map(|it| json!({"system": ANIMALS, "filter": it}));
    let own = prop_oneof![1 => whole, 1 => listed, 2 => filtered, 1 => Just(json!({}))];
    (own, vec(0_usize..8, 0..3))
}

type Parts = Vec<(Value, Vec<usize>)>;

/// Value sets of which each imports only those before it.
fn value_sets() -> impl Strategy<Value = Vec<Value>> {
    let composed = (vec(part(), 1..4), vec(part(), 0..2), any::<bool>());
    vec(composed, 1..6).prop_map(|sets| {
        let built = sets.into_iter().enumerate();
        built.map(|(at, it)| value_set(at, it)).collect()
    })
}

fn value_set(at: usize, (includes, excludes, inactive): (Parts, Parts, bool)) -> Value {
    let finish = |parts: Parts| -> Vec<Value> {
        let finished = parts.into_iter().map(|(mut part, imports)| {
            let imports: Vec<_> = imports
                .iter()
                .filter(|_| at > 0)
                .map(|it| url(it % at))
                .collect();
            if !imports.is_empty() {
                part["valueSet"] = json!(imports);
            } else if part.get("system").is_none() {
                part["system"] = json!(FLAT);
            }
            part
        });
        finished.collect()
    };
    let (includes, excludes) = (finish(includes), finish(excludes));
    json!({"resourceType": "ValueSet", "url": url(at), "compose":
        {"inactive": inactive, "include": includes, "exclude": excludes}})
}

/// The slow, obvious evaluator: asks of one code whether it is in.
struct Obvious<'o> {
    /// The concepts of each system.
    concepts: BTreeMap<String, Vec<Value>>,
    value_sets: &'o [Value],
}

impl Obvious<'_> {
    fn has(&self, url: &str, system: &str, code: &str) -> bool {
        let mut sets = self.value_sets.iter();
        let compose = &sets.find(|it| it["url"] == url).expect("a value set")["compose"];
        let in_any = |name: &str| {
            let mut parts = compose[name].as_array().into_iter().flatten();
            parts.any(|it| self.in_part(it, compose, system, code))
        };
        in_any("include") && !in_any("exclude")
    }

    fn in_part(&self, part: &Value, compose: &Value, system: &str, code: &str) -> bool {
        let list = |name: &str| part[name].as_array().cloned().unwrap_or_default();
        let imported = list("valueSet");
        let mut imported = imported.iter().filter_map(Value::as_str);
        if !imported.all(|it| self.has(it, system, code)) {
            return false;
        }
        if part["system"].is_null() {
            return true;
        }
        let inactive = self.values(system, code, "inactive") == BTreeSet::from(["true".to_owned()]);
        let (concepts, filters) = (list("concept"), list("filter"));
        part["system"] == system
            && !(inactive && compose["inactive"] == false)
            && if concepts.is_empty() {
                self.concept(system, code).is_some()
                    && filters.iter().all(|it| self.fits(it, system, code))
            } else {
                concepts.iter().any(|it| it["code"] == code)
            }
    }

    fn fits(&self, filter: &Value, system: &str, code: &str) -> bool {
        let text = |name: &str| filter[name].as_str().unwrap_or_default();
        let (op, value) = (text("op"), text("value"));
        let values = self.values(system, code, text("property"));
        let listed = || value.split(',').any(|it| values.contains(it));
        match op {
            "is-a" => self.is_a(system, code, value),
            "descendent-of" => code != value && self.is_a(system, code, value),
            "is-not-a" => !self.is_a(system, code, value),
            "generalizes" => self.is_a(system, value, code),
            "=" => values.contains(value),
            "in" => listed(),
            "not-in" => !listed(),
            "exists" => (value == "true") != values.is_empty(),
            other => panic!("{other}"),
        }
    }

    fn is_a(&self, system: &str, code: &str, other: &str) -> bool {
        let parents = self.values(system, code, "parent");
        code == other || parents.iter().any(|it| self.is_a(system, it, other))
    }

    /// The values of a property; `parent` and `child` with what nesting says.
    fn values(&self, system: &str, code: &str, property: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut relate = |upper: &str, lower: &str| match property {
            "parent" if lower == code => found.insert(upper.to_owned()),
            "child" if upper == code => found.insert(lower.to_owned()),
            _ => false,
        };
        for concept in &self.concepts[system] {
            let own = concept["code"].as_str().expect("a code");
            for nested in concept["concept"].as_array().into_iter().flatten() {
                relate(own, nested["code"].as_str().expect("a code"));
            }
            for given in concept["property"].as_array().into_iter().flatten() {
                match (given["code"].as_str(), given["valueCode"].as_str()) {
                    (Some("parent"), Some(upper)) => relate(upper, own),
                    (Some("child"), Some(lower)) => relate(own, lower),
                    _ => false,
                };
            }
        }
        let concept = self.concept(system, code).unwrap_or(&Value::Null);
        let given = concept["property"].as_array().cloned().unwrap_or_default();
        let named = given.iter().filter(|it| it["code"] == property);
        let plain = named.flat_map(|it| it.as_object().into_iter().flatten());
        let plain = plain.filter(|(name, _)| name.starts_with("value") && *name != "valueCode");
        found.extend(plain.map(|(_, it)| it.to_string().trim_matches('"').to_owned()));
        found
    }

    fn concept(&self, system: &str, code: &str) -> Option<&Value> {
        self.concepts[system].iter().find(|it| it["code"] == code)
    }
}

/// All concepts below one that holds some.
fn concepts(system: &Value) -> Vec<Value> {
    let mut open = vec![system];
    let mut found = Vec::new();
    while let Some(holder) = open.pop() {
        for concept in holder["concept"].as_array().into_iter().flatten() {
            found.push(concept.clone());
            open.push(concept);
        }
    }
    found
}

fn check(value_sets: &[Value]) {
    let definitions = definitions();
    let is_system = |it: &&Value| it["url"] == ANIMALS || it["url"] == FLAT;
    let systems: Vec<Value> = definitions.iter().filter(is_system).cloned().collect();
    let mut content = Content::closed();
    for definition in systems.iter().chain(value_sets) {
        give(&mut content, &definition.to_string()).expect("a definition");
    }
    let by_url = |it: &Value| (it["url"].as_str().expect("a URL").to_owned(), concepts(it));
    let obvious = Obvious {
        concepts: systems.iter().map(by_url).collect(),
        value_sets,
    };
    let mut tables = Tables::new(Content::closed(), 64);
    for definition in systems.iter().chain(value_sets) {
        let given = tables.give(&definition.to_string());
        given.expect("a definition");
    }
    let terminology = Terminology::new(R4, &content, Limits::DEFAULT);
    for at in 0..value_sets.len() {
        let of_tables = tables.answer(Limits::DEFAULT, |content| {
            Terminology::new(R4, content, Limits::DEFAULT).members(&url(at))
        });
        let members = known(terminology.members(&url(at)).expect("no fault"));
        assert_eq!(of_tables.as_ref(), Ok(&members), "{at} of tables");
        for (system, code) in [ANIMALS, FLAT]
            .iter()
            .flat_map(|it| CODES.map(|code| (*it, code)))
        {
            let expected = obvious.has(&url(at), system, code);
            let coding = Coding {
                system: Some(system),
                code,
            };
            let single = known(terminology.has_any(&url(at), &[coding]).expect("no fault"));
            assert_eq!(
                members.contains(system, code),
                expected,
                "{at} {system} {code}"
            );
            assert_eq!(single, expected, "{at} {system} {code} alone");
            let single = tables.answer(Limits::DEFAULT, |content| {
                Terminology::new(R4, content, Limits::DEFAULT).has_any(&url(at), &[coding])
            });
            assert_eq!(
                single,
                Ok(expected),
                "{at} {system} {code} alone of a table"
            );
        }
    }
}

proptest! {
    #[test]
    fn members_are_what_the_obvious_evaluator_finds(value_sets in value_sets()) {
        check(&value_sets);
    }

    #[test]
    fn damaged_definitions_are_refused_or_evaluated(
        chosen in any::<prop::sample::Index>(),
        cuts in vec((any::<prop::sample::Index>(), 0_usize..12, "[\\[\\]{}\",:a-z0-9]{0,3}"), 1..4),
    ) {
        let definitions = definitions();
        let mut text = chosen.get(&definitions).to_string();
        for (at, length, with) in cuts {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &with);
            }
        }
        if let Ok(document) = Document::parse(text.into(), &JsonLimits::DEFAULT) {
            for kind in [SourceKind::ValueSet, SourceKind::CodeSystem] {
                use_damaged(kind, &document);
            }
        }
    }
}

/// Whatever comes of it, it comes without a panic.
fn use_damaged(kind: SourceKind, document: &Document) {
    let Ok(stored) = Stored::read(kind, document) else {
        return;
    };
    let mut content = Content::closed();
    for definition in definitions() {
        give(&mut content, &definition.to_string()).expect("a definition");
    }
    for name in [
        ANIMALS,
        "http://example.org/pets",
        "http://example.org/favourites",
    ] {
        content.give(source(kind, name), stored.clone());
        let terminology = Terminology::new(R4, &content, Limits::DEFAULT);
        let coding = Coding {
            system: None,
            code: "cat",
        };
        let asked = "http://example.org/favourites";
        let told = [
            terminology.members(asked).err(),
            terminology.has_any(asked, &[coding]).err(),
            terminology.below(ANIMALS, "mammal").err(),
        ];
        assert!(told.iter().flatten().all(|it| !it.to_string().is_empty()));
    }
}
