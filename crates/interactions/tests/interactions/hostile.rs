//! Bundles that mean no good: refused with a fault that a client caused, nothing stored.

use fhir::{Fault, FhirVersion};

use crate::bundles::bundle;
use crate::harness::{host, patient, resource};

fn hostile() -> Vec<String> {
    let many = |text: &str| vec![text; 3_000].join(",");
    let deep = format!(
        "{}{}",
        r#"{"url":"http://e","extension":["#.repeat(40),
        "]}".repeat(40)
    );
    let wide = resource(
        "Patient",
        &format!(r#""id":"a","identifier":[{}]"#, many("{}")),
    );
    let strange_ids = patient(r#""id":"../../etc/passwd""#);
    vec![
        r#"{"resourceType":"Bundle"}"#.to_owned(),
        r#"{"resourceType":"Bundle","type":"transaction","entry":{}}"#.to_owned(),
        r#"{"resourceType":"Bundle","type":"transaction","entry":[null]}"#.to_owned(),
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":5}]}"#.to_owned(),
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"}}]}"#.to_owned(),
        r#"["resourceType","Bundle"]"#.to_owned(),
        bundle("transaction", &[("", "PUT Patient/a", "", "[]")]),
        bundle("transaction", &[("", "PUT Patient/a", "", "5")]),
        bundle("transaction", &[("", "PUT Patient/a", "", &wide)]),
        bundle("transaction", &[("", "PUT Patient/a", "", &patient(&format!(r#""id":"a","extension":[{deep}]"#)))]),
        bundle("transaction", &[("", "POST Patient", "", &strange_ids)]),
        bundle("transaction", &[("", "DELETE Patient/../../x", "", "")]),
        bundle("transaction", &[("", "DELETE Patient?", "", "")]),
        bundle("transaction", &[("", "DELETE Patient?identifier=%zz", "", "")]),
        bundle("transaction", &[("", &format!("DELETE Patient?{}", many("_id=1").replace(',', "&")), "", "")]),
        bundle("transaction", &[("", "GET http://evil/Patient/1", "", "")]),
        bundle("transaction", &[("", "POST $transmogrify", "", &patient(""))]),
        bundle("transaction", &[("", "POST Bundle", "", r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{}}]}"#)]),
    ]
}

#[tokio::test]
async fn hostile_bundles_are_the_senders_fault() {
    let host = host(FhirVersion::R4);
    let bundles = hostile();
    for sent in &bundles {
        let shown = &sent[..sent.len().min(150)];
        match host.run(sent).await {
            Ok(_) => panic!("taken: {shown}"),
            Err(error) => {
                assert!(
                    !matches!(error.issues[0].fault, Fault::Internal | Fault::Unavailable),
                    "{shown}"
                );
                assert!(error.issues.len() <= 101, "{shown}");
            }
        }
    }
    for resource_type in ["Patient", "Bundle"] {
        assert_eq!(host.count(resource_type).await, 0);
    }
    println!("isthmus-suite: hostile bundles: {} cases", bundles.len());
}
