//! What a lenient caller is spared, and told. <https://hl7.org/fhir/R4/http.html#prefer>

use fhir::FhirVersion;
use interactions::{Caller, EntryAnswer, Handling, Write};

use crate::bundles::bundle;
use crate::harness::{Host, document, host, key, patient};

/// A single value where an array belongs, and a code outside its value set.
const FAULTY: &str = r#""id":"a","name":{"family":"x"},"gender":"unheard-of""#;

fn lenient(host: &Host) -> Host {
    host.with_caller(Caller {
        handling: Handling::Lenient,
        ..host.caller.clone()
    })
}

#[tokio::test]
async fn what_can_be_mended_is_stored_mended_with_warnings() {
    let strict = host(FhirVersion::R4);
    let refused = strict.put("Patient/a", &patient(FAULTY), &[]).await;
    assert!(
        refused.starts_with("Structure") && refused.contains("Value"),
        "{refused}"
    );
    let lenient = lenient(&strict);
    let update = Write::Update {
        key: key("Patient/a"),
        resource: document(&patient(FAULTY)),
        if_match: Vec::new(),
        only_create: false,
    };
    let answer = lenient.write(update).await.unwrap();
    let places: Vec<_> = answer.issues.iter().flat_map(|it| &it.expression).collect();
    assert!(
        answer
            .issues
            .iter()
            .all(|it| it.severity == fhir::Severity::Warning)
    );
    assert_eq!(places.len(), 2, "{places:?}");
    let stored = lenient.read("Patient/a").await;
    assert!(
        stored.contains(r#""name":[{"family":"x"}],"gender":"unheard-of""#),
        "{stored}"
    );
}

#[tokio::test]
async fn each_entry_of_a_bundle_is_told_its_own() {
    let host = host(FhirVersion::R4);
    let lenient = lenient(&host);
    for kind in ["transaction", "batch"] {
        let sent = bundle(
            kind,
            &[
                ("", "POST Patient", "", &patient("")),
                ("", "PUT Patient/a", "", &patient(FAULTY)),
                ("", "DELETE Patient/none", "", ""),
            ],
        );
        let answers = lenient.run(&sent).await.unwrap().entries.into_iter();
        let told = answers.map(|it| match it.answer {
            Ok(EntryAnswer::Written(it)) => it.issues.len(),
            _ => panic!("written"),
        });
        assert_eq!(told.collect::<Vec<_>>(), [0, 2, 0], "{kind}");
    }
}

#[tokio::test]
async fn leniency_does_not_reach_what_cannot_be_mended() {
    let host = host(FhirVersion::R4);
    let several = patient(r#""id":"a","gender":["male","female"]"#);
    let refused = lenient(&host).put("Patient/a", &several, &[]).await;
    assert!(refused.starts_with("Structure"), "{refused}");
    assert_eq!(host.count("Patient").await, 0);
}
