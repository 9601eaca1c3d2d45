//! Repeated requests under one key.

use fhir::FhirVersion;
use interactions::{Caller, Write};

use crate::bundles::bundle;
use crate::harness::{Host, document, host, key, patient, written};

fn with_key(host: &Host, key: &str, hash: u8) -> Host {
    let caller = Caller {
        idempotency: Some((key.into(), [hash; 32])),
        ..host.caller.clone()
    };
    host.with_caller(caller)
}

#[tokio::test]
async fn a_repeated_request_is_answered_again_and_does_nothing() {
    let host = host(FhirVersion::R4);
    let keyed = with_key(&host, "k", 1);
    let create = || Write::Create {
        resource_type: "Patient".into(),
        resource: document(&patient("")),
        if_none_exist: None,
    };
    let first = keyed.write(create()).await.unwrap();
    let again = keyed.write(create()).await.unwrap();
    let (first, again) = (first.resource.unwrap(), again.resource.unwrap());
    assert_eq!(
        (first.key.clone(), first.json()),
        (again.key.clone(), again.json())
    );
    assert_eq!(host.count("Patient").await, 1);
    let other = with_key(&host, "k", 2);
    assert_eq!(
        written(&other.write(create()).await),
        "KeyReused [] the idempotency key was used with another request"
    );
    let mut somebody = keyed.caller.clone();
    somebody.identity = "somebody else".into();
    assert_eq!(
        written(&host.with_caller(somebody).write(create()).await),
        "Created Patient v1"
    );
}

#[tokio::test]
async fn what_changed_nothing_is_remembered_too() {
    let host = host(FhirVersion::R4);
    let keyed = with_key(&host, "k", 1);
    assert_eq!(keyed.delete("Patient/a").await, "NothingToDelete");
    host.put("Patient/a", &patient(r#""id":"a""#), &[]).await;
    assert_eq!(
        keyed.delete("Patient/a").await,
        "NothingToDelete",
        "as the first time"
    );
    let keyed = with_key(&host, "l", 1);
    assert_eq!(
        keyed.put("Patient/a", &patient(r#""id":"a""#), &[]).await,
        "Unchanged Patient v1"
    );
    host.delete("Patient/a").await;
    assert_eq!(
        keyed.put("Patient/a", &patient(r#""id":"a""#), &[]).await,
        "Unchanged Patient v1"
    );
    let gone = Write::Delete {
        key: key("Patient/a"),
        if_match: Vec::new(),
    };
    assert_eq!(
        written(&with_key(&host, "m", 1).write(gone).await),
        "NothingToDelete"
    );
}

#[tokio::test]
async fn bundles_are_repeatable() {
    let host = host(FhirVersion::R4);
    let entries = [
        (
            "",
            "POST Patient",
            "",
            r#"{"resourceType":"Patient","identifier":[{"value":"1"}]}"#,
        ),
        (
            "",
            "PUT Patient/a",
            "",
            r#"{"resourceType":"Patient","id":"a"}"#,
        ),
        ("", "DELETE Patient?identifier=none", "", ""),
        ("", "GET Patient/a", "", ""),
    ];
    for (at, kind) in ["transaction", "batch"].into_iter().enumerate() {
        let keyed = with_key(&host, kind, 1);
        let first = keyed.answers(&bundle(kind, &entries)).await;
        assert_eq!(keyed.answers(&bundle(kind, &entries)).await, first);
        assert_eq!(host.count("Patient").await, 2 + at as u64, "{kind}");
    }
}
