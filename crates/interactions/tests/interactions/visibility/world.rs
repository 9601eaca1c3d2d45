//! A small world: what was written, in order.

use std::fmt::Write as _;

use fhir::FhirVersion;

use super::words::Random;

/// How many of each type there are; what is referred to comes first.
const COUNTS: [(&str, &str, usize); 11] = [
    ("Organization", "o", 3),
    ("Practitioner", "d", 3),
    ("Patient", "p", 6),
    ("Encounter", "e", 4),
    ("Observation", "b", 10),
    ("Condition", "k", 4),
    ("ValueSet", "v", 3),
    ("Questionnaire", "q", 3),
    ("QuestionnaireResponse", "r", 4),
    ("Basic", "x", 4),
    ("List", "l", 4),
];

/// What happens after everything was created.
const LATER: usize = 24;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Thing {
    pub(super) kind: &'static str,
    pub(super) id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Put(String),
    Delete,
    Purge,
    PurgeHistory,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) thing: Thing,
    pub(super) act: Act,
}

/// How a resource stands at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Never there, or purged.
    Gone,
    Live,
    /// The text before the deletion, unless it was purged.
    Deleted(Option<String>),
}

pub(super) struct World {
    pub(super) version: FhirVersion,
    pub(super) things: Vec<Thing>,
    pub(super) steps: Vec<Step>,
}

impl World {
    pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
        COUNTS.iter().map(|it| it.0)
    }

    pub(super) fn generated(version: FhirVersion, random: &mut Random) -> Self {
        let mut things: Vec<Thing> = Vec::new();
        let mut steps = Vec::new();
        for (kind, letter, count) in COUNTS {
            for number in 0..count {
                let thing = Thing {
                    kind,
                    id: format!("{letter}{number}"),
                };
                let act = Act::Put(body(version, random, &thing, &things));
                things.push(thing.clone());
                steps.push(Step { thing, act });
            }
        }
        for _ in 0..LATER {
            let at = random.below(things.len());
            let thing = things[at].clone();
            let act = match random.below(20) {
                0..10 => Act::Put(body(version, random, &thing, &things[..at])),
                10..18 => Act::Delete,
                18 => Act::PurgeHistory,
                _ => Act::Purge,
            };
            steps.push(Step { thing, act });
        }
        Self {
            version,
            things,
            steps,
        }
    }

    pub(super) fn standing(&self, thing: &Thing) -> Standing {
        let mut standing = Standing::Gone;
        let mut text = None;
        for step in self.steps.iter().filter(|it| it.thing == *thing) {
            match (&step.act, &standing) {
                (Act::Put(body), _) => {
                    text = Some(body.clone());
                    standing = Standing::Live;
                }
                (Act::Delete, Standing::Live) => standing = Standing::Deleted(text.clone()),
                (Act::Purge, _) => standing = Standing::Gone,
                (Act::PurgeHistory, Standing::Deleted(_)) => standing = Standing::Deleted(None),
                (Act::Delete | Act::PurgeHistory, _) => {}
            }
        }
        standing
    }
}

/// `"name":{"reference":…}` for one of the earlier things of these types, for something that was
/// never there, or nothing.
fn reference(random: &mut Random, name: &str, kinds: &[&str], earlier: &[Thing]) -> String {
    match random.below(10) {
        0 => String::new(),
        1 => format!(r#","{name}":{{"reference":"{}/never"}}"#, kinds[0]),
        _ => {
            let fitting = earlier.iter().filter(|it| kinds.contains(&it.kind));
            let fitting: Vec<String> = fitting.map(super::shown).collect();
            if fitting.is_empty() {
                return String::new();
            }
            let to = random.of(&fitting);
            format!(r#","{name}":{{"reference":"{to}"}}"#)
        }
    }
}

/// A reference in a list.
fn references(random: &mut Random, name: &str, kinds: &[&str], earlier: &[Thing]) -> String {
    let one = reference(random, name, kinds, earlier);
    match one.split_once(':') {
        Some((name, value)) => format!("{name}:[{value}]"),
        None => one,
    }
}

fn coded(random: &mut Random, name: &str) -> String {
    random.text(&[&format!(
        r#","{name}":{{"coding":[{{"system":"http://s","code":"c#"}}]}}"#
    )])
}

fn quantity(random: &mut Random) -> String {
    random.text(&[
        r#""valueQuantity":{"value":#.5,"unit":"kg"}"#,
        r#""valueQuantity":{"value":1#}"#,
    ])
}

pub(super) fn body(
    version: FhirVersion,
    random: &mut Random,
    thing: &Thing,
    earlier: &[Thing],
) -> String {
    let mut text = format!(r#"{{"resourceType":"{}","id":"{}""#, thing.kind, thing.id);
    match thing.kind {
        "Organization" => {
            text += &random.text(&[r#","name":"Org#""#, r##","identifier":[{"value":"#"}]"##]);
            text += &reference(random, "partOf", &["Organization"], earlier);
        }
        "Practitioner" => {
            text += &random.text(&[r#","active":true"#, r#","active":false"#]);
            text += &random.text(&[r#","name":[{"family":"Fam#"}]"#]);
        }
        "Patient" => patient(random, &mut text, earlier),
        "Encounter" => {
            text += &random.text(&[r#","status":"finished""#, r#","status":"planned""#]);
            text += &random.text(&[r#","class":{"code":"c#"}"#]);
            text += &reference(random, "subject", &["Patient"], earlier);
        }
        "Observation" => observation(version, random, &mut text, earlier),
        "Condition" => condition(random, &mut text, earlier),
        "List" => {
            text += &random.text(&[r#","status":"current""#, r#","status":"retired""#]);
            text += r#","mode":"working""#;
            list_entries(random, &mut text, earlier);
        }
        "Questionnaire" => {
            text += &random.text(&[r#","status":"active""#, r#","status":"draft""#]);
            text += &random.text(&[r#","url":"http://q/#""#]);
        }
        "QuestionnaireResponse" => {
            text += &random.text(&[r#","status":"completed""#, r#","status":"amended""#]);
            text += &random.text(match version {
                FhirVersion::Stu3 => &[r#","questionnaire":{"reference":"http://q/#"}"#],
                FhirVersion::R4 => &[r#","questionnaire":"http://q/#""#],
            });
            text += &reference(random, "subject", &["Patient"], earlier);
        }
        "ValueSet" => {
            text += &random.text(&[r#","status":"active""#, r#","status":"draft""#]);
            text += &random.text(&[r#","url":"http://vs/#""#]);
            text += &random.text(&[
                r##","compose":{"include":[{"system":"http://s","concept":[{"code":"c#"},{"code":"c0"}]}]}"##,
            ]);
        }
        _ => {
            text += &coded(random, "code");
            text += &reference(random, "subject", &["Patient", "Observation"], earlier);
        }
    }
    text + "}"
}

fn patient(random: &mut Random, text: &mut String, earlier: &[Thing]) {
    *text += &random.text(&[r#","active":true"#, r#","active":false"#, ""]);
    *text += &random.text(&[r#","gender":"male""#, r#","gender":"female""#, ""]);
    *text += &random.text(&[r#","name":[{"family":"Fam#"}]"#]);
    *text += &random
        .text(&[r#","birthDate":"198#-0#-11""#, r#","birthDate":"198#""#])
        .replace("-00-", "-12-");
    *text += &random.text(&[r##","identifier":[{"system":"http://s","value":"#"}]"##, ""]);
    *text += &references(
        random,
        "generalPractitioner",
        &["Practitioner", "Organization"],
        earlier,
    );
    *text += &reference(random, "managingOrganization", &["Organization"], earlier);
}

/// Of somebody stored, or of somebody whom it contains.
fn condition(random: &mut Random, text: &mut String, earlier: &[Thing]) {
    *text += &coded(random, "code");
    if random.percent(30) {
        let mut inner = r#"{"resourceType":"Patient","id":"s""#.to_owned();
        patient(random, &mut inner, earlier);
        write!(
            text,
            r##","contained":[{inner}}}],"subject":{{"reference":"#s"}}"##
        )
        .unwrap();
        return;
    }
    let subject = reference(random, "subject", &["Patient"], earlier);
    let none = r#","subject":{"display":"somebody"}"#.to_owned();
    *text += &if subject.is_empty() { none } else { subject };
}

fn observation(version: FhirVersion, random: &mut Random, text: &mut String, earlier: &[Thing]) {
    *text += &random.text(&[r#","status":"final""#, r#","status":"preliminary""#]);
    *text += &coded(random, "code");
    *text += &reference(random, "subject", &["Patient"], earlier);
    let encounter = match version {
        FhirVersion::Stu3 => "context",
        FhirVersion::R4 => "encounter",
    };
    *text += &reference(random, encounter, &["Encounter"], earlier);
    if random.percent(25) {
        *text += &random.text(&[
            r##","contained":[{"resourceType":"Practitioner","id":"k","active":true,"name":[{"family":"Fam#"}]}]"##,
            r##","contained":[{"resourceType":"Practitioner","id":"k","name":[{"family":"Fam#"}]},{"resourceType":"Practitioner","id":"n","active":true}]"##,
        ]);
        *text += r##","performer":[{"reference":"#k"}]"##;
    } else {
        *text += &references(random, "performer", &["Practitioner"], earlier);
    }
    *text += &random.text(&[r#","effectiveDateTime":"202#-05""#, ""]);
    if random.percent(60) {
        let quantity = quantity(random);
        write!(text, ",{quantity}").unwrap();
    }
    if random.percent(40) {
        let (one, two) = (quantity(random), quantity(random));
        let component = |random: &mut Random, quantity: &str| {
            let code = coded(random, "code");
            format!("{{{},{quantity}}}", &code[1..])
        };
        let (one, two) = (component(random, &one), component(random, &two));
        write!(text, r#","component":[{one},{two}]"#).unwrap();
    }
}

fn list_entries(random: &mut Random, text: &mut String, earlier: &[Thing]) {
    let kinds = ["Patient", "Practitioner", "Observation", "Basic"];
    let entries: Vec<String> = (0..3)
        .map(|_| reference(random, "item", &kinds, earlier))
        .filter(|it| !it.is_empty())
        .map(|it| format!("{{{}}}", &it[1..]))
        .collect();
    if !entries.is_empty() {
        write!(text, r#","entry":[{}]"#, entries.join(",")).unwrap();
    }
}
