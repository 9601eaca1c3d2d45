//! What includes follow, from and to a type.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use fhir::{FhirVersion, Instant};
use search::compile::{Answers, Builder, Referred, Visibility};
use search::entry::{RecordId, Space};
use search::name::ResourceName;
use search::plan::Filter;
use search::query::{Handling, QueryLimits, Towards};

use crate::cases::{bases, parse};
use crate::printer::Printer;

/// The slots that an include follows from, or to, resources of that type.
fn check(version: FhirVersion, kind: &'static str, text: &str, expected: &Expect) {
    let query = parse(version, &[kind], text, Handling::Strict).unwrap();
    let printer = Printer::new(version);
    let mut lines = Vec::new();
    for include in &query.includes {
        let reaches = match include.towards {
            Towards::Targets => include.from(version, kind),
            Towards::Sources => include.to(version, &BTreeSet::from([kind])),
        };
        let few = reaches.iter().take(4);
        let shown = few.map(|it| format!("{}.{}", it.source, printer.slot(it.slot)));
        lines.push(format!(
            "{}: {}",
            reaches.len(),
            shown.collect::<Vec<_>>().join(" ")
        ));
    }
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn includes_follow_the_references_that_they_name() {
    let r4 = FhirVersion::R4;
    check(
        r4,
        "Observation",
        "_include=Observation:subject",
        &expect!["1: Observation.subject"],
    );
    check(
        r4,
        "Observation",
        "_include=Observation:*",
        &expect![
            "11: Observation.based-on Observation.derived-from Observation.device Observation.encounter"
        ],
    );
    check(
        r4,
        "Observation",
        "_include=*",
        &expect![
            "11: Observation.based-on Observation.derived-from Observation.device Observation.encounter"
        ],
    );
    check(
        r4,
        "Observation",
        "_include=Patient:organization",
        &expect!["0: "],
    );
    check(
        r4,
        "Patient",
        "_revinclude=Observation:subject",
        &expect!["1: Observation.subject"],
    );
    check(
        r4,
        "Patient",
        "_revinclude=Observation:*",
        &expect![
            "4: Observation.focus Observation.performer Observation.subject Observation.patient"
        ],
    );
    check(
        r4,
        "Patient",
        "_revinclude=Observation:encounter",
        &expect!["0: "],
    );
    check(
        r4,
        "Encounter",
        "_revinclude=Observation:subject:Patient",
        &expect!["0: "],
    );
    check(
        r4,
        "Patient",
        "_revinclude=*",
        &expect![
            "240: Account.subject Account.patient ActivityDefinition.composed-of ActivityDefinition.depends-on"
        ],
    );
    check(
        FhirVersion::Stu3,
        "Patient",
        "_revinclude=Observation:subject",
        &expect!["1: Observation.patient"],
    );
}

#[test]
fn included_resources_must_be_visible() {
    let version = FhirVersion::R4;
    let visibility = Visibility::everything()
        .with("Observation", Filter::Ids(vec![RecordId::from("o")]))
        .with("Questionnaire", Filter::NOTHING);
    let (bases, answers) = (bases(), Answers::default());
    let builder = Builder {
        version,
        space: Space(1),
        bases: &bases,
        visibility: &visibility,
        answers: &answers,
        now: Instant::from_micros(0),
        limits: QueryLimits::default(),
    };
    let text = "_revinclude=Observation:subject&_revinclude=Observation:subject:Group";
    let query = parse(version, &["Patient"], text, Handling::Strict).unwrap();
    let of = [("Patient", "1"), ("Group", "2"), ("Encounter", "3")];
    let of = of.map(|(kind, id)| ResourceName {
        kind,
        id: id.into(),
    });
    let printer = Printer::new(version);
    let mut lines = Vec::new();
    for include in &query.includes {
        let reaches = include.to(version, &BTreeSet::from(["Patient", "Group"]));
        let of = of.clone().map(|resource| Referred {
            resource,
            urls: Vec::new(),
        });
        let parts = builder.sources(&reaches, &of);
        lines.extend(
            parts
                .iter()
                .map(|it| format!("{}: {}", it.kind, printer.filter(&it.filter))),
        );
    }
    let urls = BTreeSet::from(["http://q".into()]);
    let published = builder.published("Questionnaire", &urls);
    lines.extend(published.map(|it| printer.filter(&it.filter)));
    assert!(builder.published("Patient", &urls).is_none());
    let visible = builder.visible("Observation", vec![RecordId::from("x")]);
    lines.push(printer.filter(&visible.filter));
    expect![[r#"
        Observation: ((subject = Patient/1 or subject = Group/2) and id in [o])
        Observation: (subject = Group/2 and id in [o])
        (own names = <http://q> and nothing)
        (id in [x] and id in [o])"#]]
    .assert_eq(&lines.join("\n"));
}
