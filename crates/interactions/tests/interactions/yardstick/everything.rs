//! Random resources of every type, made from the definitions: what search parameters look at is
//! there often, what must be there always, the rest seldom. Values come from small pools, so that
//! queries hit some and not all.

use std::collections::BTreeSet;

use fhir::definitions::{ElementDefinition, ElementType, Shape, TypeKind};
use fhir::{Definitions, FhirVersion};
use search::registry::Registry;

use super::stored::Made;
use super::world::{CONCEPTS, DATES, Dice, NAMES, PERIODS, QUANTITIES, fixed};

/// Elements that are left to chance elsewhere, or have no place in a small world.
const LEFT_OUT: &[&str] = &[
    "id",
    "meta",
    "text",
    "contained",
    "extension",
    "modifierExtension",
    "implicitRules",
    "fhir_comments",
];

const NESTING_MAX: usize = 6;

/// How many resources one may contain.
const CONTAINED_MAX: usize = 2;

const CODINGS: &[&str] = &[
    r#"{"system":"http://codes","code":"a","display":"Body weight"}"#,
    r#"{"system":"http://codes","code":"a1"}"#,
    r#"{"system":"http://other","code":"b","display":"Höhe"}"#,
    r#"{"code":"a"}"#,
    r#"{"display":"no code"}"#,
];
const SINGLE_IDENTIFIERS: &[&str] = &[
    r#"{"system":"http://mrn","value":"1","type":{"coding":[{"system":"http://codes","code":"a"}],"text":"Weight card"}}"#,
    r#"{"value":"1"}"#,
    r#"{"system":"http://mrn","value":"2"}"#,
    r#"{"system":"http://codes","value":"a","type":{"text":"body note"}}"#,
];
const DURATIONS: &[&str] = &[
    r#"{"value":48,"unit":"hours","system":"http://unitsofmeasure.org","code":"h"}"#,
    r#"{"value":2,"unit":"d","system":"http://unitsofmeasure.org","code":"d"}"#,
    r#"{"value":5,"system":"http://unitsofmeasure.org","code":"a"}"#,
    r#"{"value":90,"unit":"minutes"}"#,
];
const RANGES: &[&str] = &[
    r#"{"low":{"value":5},"high":{"value":80}}"#,
    r#"{"low":{"value":60.25,"system":"http://unitsofmeasure.org","code":"kg"},"high":{"value":80,"system":"http://unitsofmeasure.org","code":"kg"}}"#,
    r#"{"high":{"value":81.5}}"#,
];
const TIMINGS: &[&str] = &[
    r#"{"event":["2020-02-10","2021-01-01"]}"#,
    r#"{"repeat":{"boundsPeriod":{"start":"2020-02","end":"2020-06"}}}"#,
    r#"{"code":{"text":"daily"}}"#,
];
const SAMPLES: &[&str] = &[
    r#"{"origin":{"value":60,"system":"http://unitsofmeasure.org","code":"kg"},"period":10,"dimensions":1,"data":"0 5 20"}"#,
    r#"{"origin":{"value":5},"period":10,"factor":2,"dimensions":1,"data":"0 E 40"}"#,
];
const CONTACTS: &[&str] = &[
    r#"{"system":"phone","value":"555-1"}"#,
    r#"{"system":"email","value":"ana@clinic"}"#,
    r#"{"value":"555-1","use":"home"}"#,
];
const ADDRESSES: &[&str] = &[
    r#"{"use":"home","line":["1 Main Street"],"city":"Genève","country":"CH"}"#,
    r#"{"use":"work","text":"Müller lane","postalCode":"1200","state":"GE"}"#,
    r#"{"district":"Main"}"#,
];
const HUMANS: &[&str] = &[
    r#"{"family":"Müller","given":["Ana","Okafor"]}"#,
    r#"{"text":"O'Brien, the elder","prefix":["Dr"]}"#,
    r#"{"family":"muller-smith","suffix":["jr"]}"#,
];
const NARRATIVES: &[&str] = &[
    r#"{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>body <b>weight</b></p></div>"}"#,
    r#"{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">H&#246;he, undated</div>"}"#,
];
const METAS: &[&str] = &[
    r#"{"tag":[{"system":"http://codes","code":"a"}],"profile":["http://canon/a"]}"#,
    r#"{"security":[{"system":"http://codes","code":"b"}],"tag":[{"code":"a"}]}"#,
    r#"{"profile":["http://canon/a|1.0","http://canon/b"]}"#,
];
/// Of what is contained.
const TAGS: &[&str] = &[
    r#"{"tag":[{"system":"http://codes","code":"a"}],"profile":["http://canon/a"]}"#,
    r#"{"tag":[{"code":"a"}]}"#,
];
const URIS: &[&str] = &[
    "http://uris/a",
    "http://uris/a/b",
    "http://uris/ab",
    "urn:oid:1.2.3",
];
/// The URLs of what is published, whatever its type, and their versions.
const PUBLISHED: &[&str] = &["http://canon/a", "http://canon/b", "http://canon/a/b"];
const VERSIONS: &[&str] = &["1.0", "1.0.1", "2"];
/// How it is referred to.
const CANONICALS: &[&str] = &[
    "http://canon/a",
    "http://canon/a|1.0",
    "http://canon/a|1.0.1",
    "http://canon/b",
    "http://canon/b|2",
    "http://canon/b#part",
    "http://canon/gone",
];
const MONEYS: [&[&str]; 2] = [
    &[
        r#"{"value":80,"code":"EUR","system":"urn:iso:std:iso:4217"}"#,
        r#"{"value":5,"code":"CHF","system":"urn:iso:std:iso:4217"}"#,
    ],
    &[
        r#"{"value":80,"currency":"EUR"}"#,
        r#"{"value":5,"currency":"CHF"}"#,
        r#"{"value":5}"#,
    ],
];

/// Ids of each type; whatever is referred to beyond them does not exist.
pub(super) fn id(place: usize) -> String {
    format!("r{place}")
}

/// A world of so many resources of each type; versions that were overwritten come before the ones
/// that count. Each is a type, an id and a text.
pub(super) fn resources(version: FhirVersion, of_each: usize, dice: &mut Dice) -> Vec<Made> {
    let definitions = Definitions::of(version);
    let kinds: Vec<&'static str> = definitions
        .resources()
        .filter(|it| !it.is_abstract)
        .map(|it| it.name)
        .collect();
    let mut all = Vec::new();
    for place in 0..of_each {
        for kind in &kinds {
            let rounds = if dice.below(4) == 0 { 2 } else { 1 };
            for _ in 0..rounds {
                let id = id(place);
                let text = Maker::new(definitions, kind, of_each, dice).whole(&id);
                all.push((*kind, id, text));
            }
        }
    }
    all.extend(fixed().into_iter().map(|(kind, id, members)| {
        let text = format!(r#"{{"resourceType":"{kind}","id":"{id}",{members}}}"#);
        (kind, id.to_owned(), text)
    }));
    all
}

/// Makes one resource.
struct Maker<'m> {
    definitions: &'static Definitions,
    kind: &'static str,
    of_each: usize,
    /// The types of what it contains.
    contained: Vec<&'static str>,
    contained_max: usize,
    /// The names in the expressions of the type's parameters.
    sought: BTreeSet<&'static str>,
    dice: &'m mut Dice,
}

impl<'m> Maker<'m> {
    fn new(
        definitions: &'static Definitions,
        kind: &'static str,
        of_each: usize,
        dice: &'m mut Dice,
    ) -> Self {
        let registry = Registry::of(definitions.version());
        let all = registry.parameters(kind).iter();
        let expressions = all.flat_map(|it| {
            let parts = registry.components(it.definition);
            let own = registry.expression(it.definition);
            own.into_iter()
                .chain(parts.into_iter().map(|it| it.expression))
        });
        let is_between = |it: char| !it.is_ascii_alphanumeric();
        let shape = definitions.resource(kind).expect("a known type").shape;
        let may_contain = definitions.child(shape, "contained").is_some();
        Self {
            definitions,
            kind,
            of_each,
            contained: Vec::new(),
            contained_max: if may_contain { CONTAINED_MAX } else { 0 },
            sought: expressions.flat_map(|it| it.split(is_between)).collect(),
            dice,
        }
    }

    fn whole(&mut self, id: &str) -> String {
        let shape = self.shape();
        let mut members = vec![
            format!(r#""resourceType":"{}""#, self.kind),
            format!(r#""id":"{id}""#),
        ];
        if self.dice.below(3) == 0 {
            members.push(format!(r#""meta":{}"#, self.dice.pick(METAS)));
        }
        let has_text = self
            .definitions
            .elements(shape)
            .iter()
            .any(|it| it.name == "text");
        if has_text && self.dice.below(3) == 0 {
            members.push(format!(r#""text":{}"#, self.dice.pick(NARRATIVES)));
        }
        members.extend(self.extensions());
        self.members(shape, 0, &mut members);
        let mut contained: Vec<String> = Vec::new();
        while let Some(kind) = self.contained.get(contained.len()) {
            let mut inner = Maker::new(self.definitions, kind, self.of_each, self.dice);
            inner.contained = std::mem::take(&mut self.contained);
            contained.push(inner.inside(contained.len()));
            self.contained = inner.contained;
        }
        if !contained.is_empty() {
            members.push(format!(r#""contained":[{}]"#, contained.join(",")));
        }
        format!("{{{}}}", members.join(","))
    }

    /// What is contained has no narrative and no labels, and refers to what is contained beside it.
    fn inside(&mut self, place: usize) -> String {
        self.contained_max = CONTAINED_MAX + 1;
        let mut members = vec![
            format!(r#""resourceType":"{}""#, self.kind),
            format!(r#""id":"{}""#, contained_id(place)),
        ];
        if self.dice.below(3) == 0 {
            members.push(format!(r#""meta":{}"#, self.dice.pick(TAGS)));
        }
        let shape = self.shape();
        self.members(shape, 0, &mut members);
        format!("{{{}}}", members.join(","))
    }

    fn shape(&self) -> Shape {
        let resource = self.definitions.resource(self.kind);
        resource.expect("a known type").shape
    }

    /// Extensions that parameters of the type look for.
    fn extensions(&mut self) -> Option<String> {
        let registry = Registry::of(self.definitions.version());
        let mut found = Vec::new();
        for parameter in registry.parameters(self.kind) {
            let expression = registry
                .expression(parameter.definition)
                .unwrap_or_default();
            for part in expression
                .split(&format!("{}.extension('", self.kind))
                .skip(1)
            {
                let (url, rest) = part.split_once('\'').expect("a text ends");
                let of = rest.split_once("value.ofType(");
                let of = of.and_then(|it| it.1.split_once(')')).map(|it| it.0);
                let Some(of) = of.and_then(|it| self.definitions.type_named(it)) else {
                    continue;
                };
                if self.dice.below(2) == 0 {
                    let value = self.typed(of.name, &[], of.shape, NESTING_MAX);
                    let name = spelled("value", of.name);
                    found.push(format!(r#"{{"url":"{url}","{name}":{value}}}"#));
                }
            }
        }
        (!found.is_empty()).then(|| format!(r#""extension":[{}]"#, found.join(",")))
    }

    fn members(&mut self, shape: Shape, depth: usize, members: &mut Vec<String>) {
        let elements = self.definitions.elements(shape);
        for element in elements {
            if element.max != Some(0) && self.is_wanted(element, depth) {
                members.push(self.member(element, depth));
            }
        }
        if members.is_empty() {
            let may = |it: &&ElementDefinition| !LEFT_OUT.contains(&it.name);
            let first = elements.iter().find(may).expect("an object has members");
            members.push(self.member(first, depth));
        }
    }

    fn is_wanted(&mut self, element: &ElementDefinition, depth: usize) -> bool {
        if element.min > 0 {
            return true;
        }
        if LEFT_OUT.contains(&element.name) || depth >= NESTING_MAX {
            return false;
        }
        if self.sought.contains(element.name) {
            return self.dice.below(10) < 6;
        }
        self.dice.below(25) == 0
    }

    fn member(&mut self, element: &ElementDefinition, depth: usize) -> String {
        let chosen = &element.types[self.dice.below(element.types.len())];
        let name = if element.is_choice {
            spelled(element.name, chosen.name)
        } else {
            element.name.to_owned()
        };
        if element.max == Some(1) {
            let value = self.value(element, chosen, depth);
            return format!(r#""{name}":{value}"#);
        }
        let count = 1 + self.dice.below(2);
        let values: Vec<String> = (0..count)
            .map(|_| self.value(element, chosen, depth))
            .collect();
        format!(r#""{name}":[{}]"#, values.join(","))
    }

    fn value(&mut self, element: &ElementDefinition, chosen: &ElementType, depth: usize) -> String {
        if is_published(self.definitions, self.kind) && depth == 0 {
            match element.name {
                "url" => return self.text(PUBLISHED),
                "version" => return self.text(VERSIONS),
                _ => {}
            }
        }
        let codes = element.binding.as_ref().and_then(|it| it.codes);
        if let Some(codes) = codes.filter(|it| !it.is_empty()) {
            let code = &codes[self.dice.below(codes.len().min(3))];
            let coding = format!(r#"{{"system":"{}","code":"{}"}}"#, code.system, code.code);
            match chosen.name {
                "code" => return format!(r#""{}""#, code.code),
                "Coding" => return coding,
                "CodeableConcept" => return format!(r#"{{"coding":[{coding}]}}"#),
                _ => {}
            }
        }
        let is_open = element.binding.as_ref().map(|it| it.value_set);
        if let Some(set) = is_open.filter(|_| chosen.name == "code") {
            if set.contains("language") {
                return r#""en""#.to_owned();
            }
            if set.contains("mimetypes") || set.contains("bcp13") {
                return self.text(&["text/plain", "application/pdf"]);
            }
        }
        self.typed(chosen.name, chosen.targets, chosen.shape, depth)
    }

    fn typed(&mut self, name: &str, targets: &[&str], shape: Shape, depth: usize) -> String {
        let money = MONEYS[usize::from(self.definitions.version() == FhirVersion::R4)];
        let pool = match name {
            "Reference" => return self.reference(targets),
            "Resource" => return self.inner(),
            "Money" => money,
            "Coding" => CODINGS,
            "CodeableConcept" => CONCEPTS,
            "Identifier" => SINGLE_IDENTIFIERS,
            "HumanName" => HUMANS,
            "Address" => ADDRESSES,
            "ContactPoint" => CONTACTS,
            "Period" => PERIODS,
            "Range" => RANGES,
            "Timing" => TIMINGS,
            "SampledData" => SAMPLES,
            "Age" | "Duration" => DURATIONS,
            "Quantity" | "Distance" | "Count" | "SimpleQuantity" => QUANTITIES,
            _ => return self.other(name, shape, depth),
        };
        self.dice.pick(pool).to_owned()
    }

    fn other(&mut self, name: &str, shape: Shape, depth: usize) -> String {
        let kind = self.definitions.type_named(name).map(|it| it.kind);
        if kind == Some(TypeKind::Primitive) {
            return self.primitive(name);
        }
        let mut members = Vec::new();
        self.members(shape, depth + 1, &mut members);
        format!("{{{}}}", members.join(","))
    }

    fn text(&mut self, pool: &[&str]) -> String {
        format!(r#""{}""#, self.dice.pick(pool))
    }

    fn primitive(&mut self, name: &str) -> String {
        match name {
            "boolean" => self.dice.pick(&["true", "false"]).to_owned(),
            "integer" | "positiveInt" | "unsignedInt" => {
                self.dice.pick(&["1", "2", "5", "80"]).to_owned()
            }
            "decimal" => self
                .dice
                .pick(&["0.25", "0.1", "5.0", "80", "46.2"])
                .to_owned(),
            "date" => self.text(&["2019", "2020-02", "2020-02-10", "2021-01-01"]),
            "dateTime" => self.text(DATES),
            "instant" => self.text(&["2020-02-10T10:00:00Z", "2021-01-01T00:00:00.5+02:00"]),
            "time" => self.text(&["10:00:00"]),
            "code" => self.text(&["alpha", "beta", "a"]),
            "id" => self.text(&["r0", "r1"]),
            "uri" | "url" => self.text(URIS),
            "canonical" => self.text(CANONICALS),
            "oid" => self.text(&["urn:oid:1.2.3", "urn:oid:1.2.4"]),
            "uuid" => self.text(&["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"]),
            "base64Binary" => self.text(&["aGVsbG8="]),
            "xhtml" => r#""<div xmlns=\"http://www.w3.org/1999/xhtml\">weight</div>""#.to_owned(),
            _ => self.text(&[NAMES, &["Weight of a body", "undated note", "clinic"]].concat()),
        }
    }

    fn reference(&mut self, targets: &[&str]) -> String {
        let named: Vec<&str> = targets
            .iter()
            .filter_map(|it| Some(self.definitions.resource(it)?.name))
            .collect();
        let kind = match named.as_slice() {
            [] => self
                .dice
                .pick(&["Patient", "Organization", "Observation", "Location"]),
            named => self.dice.pick(named),
        };
        let id = id(self.dice.below(self.of_each));
        let stu3 = self.definitions.version() == FhirVersion::Stu3;
        if stu3 && is_published(self.definitions, kind) && self.dice.below(4) == 0 {
            return format!(r#"{{"reference":"{}"}}"#, self.dice.pick(CANONICALS));
        }
        match self.dice.below(24) {
            0 | 6 if self.contained.len() < self.contained_max => {
                self.contained
                    .push(self.definitions.resource(kind).unwrap().name);
                let id = contained_id(self.contained.len() - 1);
                format!(r##"{{"reference":"#{id}"}}"##)
            }
            7 => format!(r#"{{"reference":"{kind}/{id}/_history/1"}}"#),
            1 => format!(r#"{{"reference":"{kind}/gone"}}"#),
            2 => format!(r#"{{"reference":"http://there/{kind}/{id}"}}"#),
            3 => r#"{"identifier":{"system":"http://mrn","value":"1"}}"#.to_owned(),
            4 => format!(
                r#"{{"reference":"{kind}/{id}","identifier":{{"value":"1"}},"display":"both"}}"#
            ),
            5 => r#"{"display":"somebody"}"#.to_owned(),
            _ => format!(r#"{{"reference":"{kind}/{id}"}}"#),
        }
    }

    /// A resource in a Bundle: of the types that parameters look for.
    fn inner(&mut self) -> String {
        let kinds = ["Composition", "MessageHeader", "Basic"];
        let kind = kinds[self.dice.below(kinds.len())];
        let id = id(self.dice.below(self.of_each));
        let of_each = self.of_each;
        Maker::new(self.definitions, kind, of_each, self.dice).whole(&id)
    }
}

/// Whether a type is referred to by canonical URLs.
fn is_published(definitions: &Definitions, kind: &str) -> bool {
    Registry::of(definitions.version()).names(kind).is_some()
}

fn contained_id(place: usize) -> String {
    format!("c{place}")
}

/// The name that an element with a choice of types has.
fn spelled(name: &str, of: &str) -> String {
    let (first, rest) = of.split_at(1);
    format!("{name}{}{rest}", first.to_ascii_uppercase())
}
