//! Small worlds: resources with values from small pools, so that queries hit.

use fhir::FhirVersion;

use super::stored::Made;

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % count as u64).unwrap()
    }

    pub(super) fn pick<'p>(&mut self, pool: &[&'p str]) -> &'p str {
        pool[self.below(pool.len())]
    }

    /// The member with a value from the pool, three times out of four.
    fn maybe(&mut self, name: &str, pool: &[&str]) -> String {
        match self.below(4) {
            0 => String::new(),
            _ => format!(r#","{name}":{}"#, self.pick(pool)),
        }
    }
}

pub(super) const NAMES: &[&str] = &["Müller", "muller-smith", "Ana Lúcia", "Okafor", "O'Brien"];
pub(super) const DATES: &[&str] = &[
    "2019",
    "2020-02",
    "2020-02-10",
    "2020-02-10T10:00:00Z",
    "2021-01-01",
];
pub(super) const CONCEPTS: &[&str] = &[
    r#"{"coding":[{"system":"http://codes","code":"a","display":"Body weight"}]}"#,
    r#"{"coding":[{"system":"http://codes","code":"a1"},{"system":"http://other","code":"b"}]}"#,
    r#"{"coding":[{"code":"a"}],"text":"Weight of the body"}"#,
    r#"{"text":"undated note"}"#,
    r#"{"coding":[{"system":"http://codes","code":"b","display":"Höhe"}]}"#,
];
pub(super) const PERIODS: &[&str] = &[
    r#"{"start":"2020-02"}"#,
    r#"{"end":"2020-02-10"}"#,
    r#"{"start":"2019-05-01","end":"2020-06"}"#,
];
pub(super) const QUANTITIES: &[&str] = &[
    r#"{"value":80,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}"#,
    r#"{"value":80000,"unit":"g","system":"http://unitsofmeasure.org","code":"g"}"#,
    r#"{"value":81.5,"unit":"kilos"}"#,
    r#"{"value":5,"system":"http://units","code":"kg"}"#,
    r#"{"value":60.25,"system":"http://unitsofmeasure.org","code":"kg"}"#,
];
const SUBJECTS: &[&str] = &[
    r#"{"reference":"Patient/p0"}"#,
    r#"{"reference":"Patient/p1/_history/1","identifier":{"system":"http://mrn","value":"2"}}"#,
    r#"{"reference":"Patient/gone"}"#,
    r#"{"reference":"http://there/Patient/p0","display":"elsewhere"}"#,
    r#"{"identifier":{"system":"http://mrn","value":"1"}}"#,
];
const ORGANIZATIONS: &[&str] = &[
    r#"{"reference":"Organization/o0"}"#,
    r#"{"reference":"Organization/o1"}"#,
    r#"{"reference":"Organization/o2"}"#,
];
const IDENTIFIERS: &[&str] = &[
    r#"[{"system":"http://mrn","value":"1","type":{"coding":[{"system":"http://codes","code":"a"}],"text":"Weight card"}}]"#,
    r#"[{"value":"1"}]"#,
    r#"[{"system":"http://mrn","value":"2"},{"system":"http://codes","value":"a"}]"#,
];

fn quoted(pool: &[&str]) -> Vec<String> {
    pool.iter().map(|it| format!(r#""{it}""#)).collect()
}

/// What is the same in every world: terminology, hierarchies and places.
const FIXED: &[(&str, &str, &str)] = &[
    (
        "CodeSystem",
        "cs",
        r#""url":"http://codes","status":"active","content":"complete","concept":[{"code":"a","concept":[{"code":"a1"}]},{"code":"b"}]"#,
    ),
    (
        "ValueSet",
        "v0",
        r#""url":"http://sets/x","status":"active","compose":{"include":[{"system":"http://codes","concept":[{"code":"a"},{"code":"a1"}]}]}"#,
    ),
    (
        "ValueSet",
        "v1",
        r#""url":"http://sets/x/y","status":"draft","compose":{"include":[{"system":"http://other","concept":[{"code":"b"}]}]}"#,
    ),
    (
        "ValueSet",
        "v2",
        r#""url":"http://sets/xy","status":"active""#,
    ),
    ("ValueSet", "v3", r#""url":"http://sets","status":"active""#),
    ("Organization", "o0", r#""name":"Clinic""#),
    (
        "Organization",
        "o1",
        r#""name":"Müller ward","partOf":{"reference":"Organization/o0"}"#,
    ),
    (
        "Organization",
        "o2",
        r#""name":"Other","partOf":{"reference":"Organization/gone"}"#,
    ),
    (
        "Location",
        "l0",
        r#""name":"Geneva","position":{"longitude":6.143,"latitude":46.204}"#,
    ),
    (
        "Location",
        "l1",
        r#""name":"Lyon","position":{"longitude":4.835,"latitude":45.764},"partOf":{"reference":"Location/l0"}"#,
    ),
    ("Location", "l2", r#""name":"Nowhere""#),
];

/// What is the same in every world, by type and id: the members of each.
pub(super) fn fixed() -> Vec<(&'static str, &'static str, &'static str)> {
    FIXED.to_vec()
}

/// The resources of a world, each with its type and id.
pub(super) fn resources(version: FhirVersion, dice: &mut Dice) -> Vec<Made> {
    let own = |it: &(&'static str, &str, &str)| (it.0, it.1.to_owned(), it.2.to_owned());
    let mut all: Vec<_> = FIXED.iter().map(own).collect();
    for (id, version) in [("q0", "1.0"), ("q1", "2.0"), ("q2", "1.5")] {
        all.push(("Questionnaire", id.to_owned(), questionnaire(version, dice)));
    }
    for place in 0..8 {
        let id = format!("r{place}");
        all.push(("QuestionnaireResponse", id, answers(version, dice)));
    }
    for place in 0..5 {
        all.push(("Patient", format!("p{place}"), patient(dice)));
    }
    for place in 0..10 {
        all.push(("Observation", format!("w{place}"), observation(dice)));
        all.push(("RiskAssessment", format!("w{place}"), risk(version, dice)));
    }
    for place in 0..2 {
        all.push(("Medication", format!("m{place}"), medication(dice)));
    }
    for place in 0..6 {
        all.push(("MedicationRequest", format!("x{place}"), request(dice)));
    }
    let whole = |(kind, id, members): (&'static str, String, String)| {
        let text = format!(r#"{{"resourceType":"{kind}","id":"{id}",{members}}}"#);
        (kind, id, text)
    };
    all.into_iter().map(whole).collect()
}

fn medication(dice: &mut Dice) -> String {
    let mut text = format!(r#""code":{}"#, dice.pick(CONCEPTS));
    text += &dice.maybe("manufacturer", ORGANIZATIONS);
    text
}

fn request(dice: &mut Dice) -> String {
    let contained = ["a", "b"].map(|id| {
        let inner = medication(dice);
        format!(r#"{{"resourceType":"Medication","id":"{id}",{inner}}}"#)
    });
    let (contained, to) = match dice.below(3) {
        0 => (
            String::new(),
            dice.pick(&["Medication/m0", "Medication/gone"]),
        ),
        1 => (format!(r#","contained":[{}]"#, contained[0]), "#a"),
        _ => {
            let both = format!(r#","contained":[{}]"#, contained.join(","));
            (both, dice.pick(&["#a", "#b", "Medication/m0"]))
        }
    };
    let subject = dice.pick(SUBJECTS);
    format!(
        r#""status":"active","intent":"order","subject":{subject},"medicationReference":{{"reference":"{to}"}}{contained}"#
    )
}

fn questionnaire(version: &str, dice: &mut Dice) -> String {
    let urls = quoted(&["http://forms/a", "http://forms/b"]);
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut text = format!(r#""status":"{}""#, dice.pick(&["draft", "active"]));
    text += &dice.maybe("url", &urls);
    text += &dice.maybe("version", &[&format!(r#""{version}""#)]);
    text + &dice.maybe("title", &[r#""Weight""#, r#""Höhe""#])
}

fn answers(version: FhirVersion, dice: &mut Dice) -> String {
    let names = [
        "http://forms/a",
        "http://forms/a|1.0",
        "http://forms/b|2.0",
        "http://forms/b|1.5",
        "http://forms/b#part",
        "http://elsewhere/a",
        "Questionnaire/q0",
    ];
    let name = dice.pick(&names);
    let name = match version {
        FhirVersion::R4 => format!(r#""{name}""#),
        FhirVersion::Stu3 => format!(r#"{{"reference":"{name}"}}"#),
    };
    let status = dice.pick(&["completed", "amended"]);
    format!(r#""status":"{status}""#) + &dice.maybe("questionnaire", &[&name])
}

fn patient(dice: &mut Dice) -> String {
    let mut text = format!(r#""active":{}"#, dice.pick(&["true", "false"]));
    let names = [
        format!(
            r#"[{{"family":"{}","given":["Ana","{}"]}}]"#,
            dice.pick(NAMES),
            dice.pick(NAMES)
        ),
        format!(r#"[{{"text":"{}"}}]"#, dice.pick(NAMES)),
    ];
    text += &dice.maybe("name", &names.each_ref().map(String::as_str));
    text += &dice.maybe("identifier", IDENTIFIERS);
    let days = quoted(&["2019", "2020-02", "2020-02-10"]);
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    text += &dice.maybe("birthDate", &days);
    text += &dice.maybe("gender", &[r#""male""#, r#""female""#]);
    text += &dice.maybe("managingOrganization", ORGANIZATIONS);
    text += &dice.maybe("deceasedBoolean", &["true", "false"]);
    let texts = [
        r#"{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>body <b>weight</b></p></div>"}"#,
        r#"{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Höhe</div>"}"#,
    ];
    text + &dice.maybe("text", &texts)
}

fn observation(dice: &mut Dice) -> String {
    let mut text = format!(r#""status":"{}""#, dice.pick(&["final", "amended"]));
    text += r#","code":"#;
    text += dice.pick(CONCEPTS);
    text += &dice.maybe("subject", SUBJECTS);
    let dates = quoted(DATES);
    let dates: Vec<&str> = dates.iter().map(String::as_str).collect();
    text += &match dice.below(2) {
        0 => dice.maybe("effectiveDateTime", &dates),
        _ => dice.maybe("effectivePeriod", PERIODS),
    };
    text += &match dice.below(3) {
        0 => dice.maybe("valueCodeableConcept", CONCEPTS),
        _ => dice.maybe("valueQuantity", QUANTITIES),
    };
    let (one, other) = (dice.pick(CONCEPTS), dice.pick(CONCEPTS));
    let component = format!(
        r#"[{{"code":{one},"valueQuantity":{}}},{{"code":{other},"valueQuantity":{}}}]"#,
        dice.pick(QUANTITIES),
        dice.pick(QUANTITIES)
    );
    text + &dice.maybe("component", &[&component])
}

fn risk(version: FhirVersion, dice: &mut Dice) -> String {
    let subject = match version {
        FhirVersion::R4 => format!(r#","subject":{}"#, dice.pick(SUBJECTS)),
        FhirVersion::Stu3 => dice.maybe("subject", SUBJECTS),
    };
    let probabilities = [
        r#"[{"outcome":{"text":"harm"},"probabilityDecimal":0.1}]"#,
        r#"[{"outcome":{"text":"harm"},"probabilityDecimal":0.25}]"#,
        r#"[{"outcome":{"text":"harm"},"probabilityRange":{"low":{"value":0.2},"high":{"value":0.3}}}]"#,
        r#"[{"outcome":{"text":"harm"},"probabilityRange":{"low":{"value":0.25}}}]"#,
    ];
    format!(r#""status":"final"{subject}"#) + &dice.maybe("prediction", &probabilities)
}
