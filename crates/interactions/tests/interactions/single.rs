//! Read, vread, create, update, delete, purge.

use fhir::FhirVersion;
use interactions::{Integrity, PerType, ReadOutcome, Settings, UpdateAsCreate, Versioning, Write};

use crate::harness::{document, host, host_with, issues, key, patient, resource, written};

#[tokio::test]
async fn a_resource_lives_and_dies() {
    for version in FhirVersion::ALL {
        let host = host(version);
        assert_eq!(
            host.read("Patient/a").await,
            "NotFound [] there is no such `Patient`"
        );
        let first = patient(r#""id":"a","active":true,"multipleBirthInteger":1"#);
        assert_eq!(
            host.put("Patient/a", &first, &[]).await,
            "Created Patient v1"
        );
        assert_eq!(
            host.read("Patient/a").await,
            r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"-"},"active":true,"multipleBirthInteger":1}"#
        );
        let same = patient(
            r#""active" : true, "multipleBirthInteger":1, "id":"a", "meta":{"versionId":"7"}"#,
        );
        let reordered = patient(
            r#""id":"a","meta":{"versionId":"7"},"active" : true,"multipleBirthInteger":1"#,
        );
        assert_eq!(
            host.put("Patient/a", &reordered, &[]).await,
            "Unchanged Patient v1"
        );
        assert_eq!(
            host.put("Patient/a", &same, &[]).await,
            "Unchanged Patient v1"
        );
        let second = patient(r#""id":"a","active":false"#);
        assert_eq!(
            host.put("Patient/a", &second, &[]).await,
            "Updated Patient v2"
        );
        assert_eq!(host.delete("Patient/a").await, "Deleted(1) v3");
        assert_eq!(host.delete("Patient/a").await, "NothingToDelete");
        assert_eq!(host.delete("Patient/never").await, "NothingToDelete");
        assert_eq!(host.read("Patient/a").await, "deleted v3");
        assert_eq!(
            host.put("Patient/a", &second, &[]).await,
            "Created Patient v4"
        );
        let purged = host.write(Write::PurgeHistory(key("Patient/a"))).await;
        assert_eq!(written(&purged), "Purged");
        assert_eq!(
            written(&host.write(Write::Purge(key("Patient/a"))).await),
            "Purged"
        );
        assert_eq!(
            host.read("Patient/a").await,
            "NotFound [] there is no such `Patient`"
        );
    }
}

#[tokio::test]
async fn versions_are_read_by_their_number_only() {
    let host = host(FhirVersion::R4);
    host.put("Patient/a", &patient(r#""id":"a","active":true"#), &[])
        .await;
    host.put("Patient/a", &patient(r#""id":"a","active":false"#), &[])
        .await;
    for (version, expected) in [
        ("1", Some(1)),
        ("2", Some(2)),
        ("3", None),
        ("01", None),
        ("x", None),
    ] {
        let found = host
            .interactions
            .vread(&host.caller, &key("Patient/a"), version)
            .await;
        let found = found.ok().map(|it| match it {
            ReadOutcome::Found(it) => it.version.0,
            ReadOutcome::Deleted(it) => it.version.0,
        });
        assert_eq!(found, expected, "{version}");
    }
}

#[tokio::test]
async fn a_create_ignores_the_id_it_is_given() {
    let host = host(FhirVersion::R4);
    assert_eq!(
        host.create(&patient(r#""id":"mine""#), None).await,
        "Created Patient v1"
    );
    assert_eq!(
        host.read("Patient/mine").await,
        "NotFound [] there is no such `Patient`"
    );
    assert_eq!(host.count("Patient").await, 1);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let host = host(FhirVersion::R4);
    for (place, text, expected) in [
        (
            "Patient/a",
            patient(r#""id":"b""#),
            "Invalid [Patient.id] the resource's `id` is not the id in the URL",
        ),
        (
            "Patient/a",
            patient(""),
            "Invalid [Patient.id] the resource has no `id`, but the URL has one",
        ),
        (
            "Patient/a",
            resource(
                "Observation",
                r#""id":"a","status":"final","code":{"text":"x"}"#,
            ),
            "Invalid [] the resource is not of the type `Patient` that the URL names",
        ),
    ] {
        assert_eq!(host.put(place, &text, &[]).await, expected);
    }
    let refused = host
        .put(
            "Patient/a",
            &patient(r#""id":"a","aktive":true,"gender":"x""#),
            &[],
        )
        .await;
    assert_eq!(refused.lines().count(), 2, "all faults at once: {refused}");
    assert!(!refused.contains("tester"));
}

#[tokio::test]
async fn if_match_guards_an_update() {
    let host = host(FhirVersion::R4);
    let text = |active| patient(&format!(r#""id":"a","active":{active}"#));
    let stale = "VersionMismatch [http.If-Match] `If-Match` names no current version";
    assert_eq!(host.put("Patient/a", &text("true"), &["1"]).await, stale);
    assert_eq!(host.put("Patient/a", &text("true"), &["*"]).await, stale);
    host.put("Patient/a", &text("true"), &[]).await;
    assert_eq!(host.put("Patient/a", &text("false"), &["2"]).await, stale);
    assert_eq!(
        host.put("Patient/a", &text("false"), &["9", "1"]).await,
        "Updated Patient v2"
    );
    assert_eq!(
        host.put("Patient/a", &text("true"), &["*"]).await,
        "Updated Patient v3"
    );
    let delete = |tag: &str| Write::Delete {
        key: key("Patient/a"),
        if_match: vec![tag.to_owned()],
    };
    assert_eq!(written(&host.write(delete("1")).await), stale);
    assert_eq!(written(&host.write(delete("3")).await), "Deleted(1) v4");
    assert_eq!(written(&host.write(delete("4")).await), stale);
}

#[tokio::test]
async fn policies_are_kept() {
    let settings = Settings {
        update_as_create: PerType::from(UpdateAsCreate::NotNumeric)
            .with("Basic", UpdateAsCreate::Allowed),
        versioning: PerType::from(Versioning::VersionedUpdate).with("Basic", Versioning::Versioned),
        ..Settings::default()
    };
    let host = host_with(FhirVersion::R4, settings);
    assert_eq!(
        host.put("Patient/1", &patient(r#""id":"1""#), &[]).await,
        "BusinessRule [] an id chosen by a client must not consist of digits alone"
    );
    assert_eq!(
        host.put("Patient/a1", &patient(r#""id":"a1""#), &[]).await,
        "Created Patient v1"
    );
    assert_eq!(
        host.put("Patient/a1", &patient(r#""id":"a1","active":true"#), &[])
            .await,
        "Required [http.If-Match] an update needs `If-Match` here"
    );
    // Other policies for a type of its own.
    for (active, expected) in [("a", "Created Basic v1"), ("b", "Updated Basic v2")] {
        let members = format!(r#""id":"1","code":{{"text":"{active}"}}"#);
        let basic = resource("Basic", &members);
        assert_eq!(host.put("Basic/1", &basic, &[]).await, expected);
    }
    let settings = Settings {
        update_as_create: UpdateAsCreate::Refused.into(),
        ..Settings::default()
    };
    let host = host_with(FhirVersion::R4, settings);
    assert_eq!(
        host.put("Patient/a", &patient(r#""id":"a""#), &[]).await,
        "MethodNotAllowed [] there is no such resource, and an update must not create it here"
    );
}

#[tokio::test]
async fn references_are_kept_whole_where_asked_for() {
    let settings = Settings {
        integrity: Integrity::Both,
        ..Settings::default()
    };
    let host = host_with(FhirVersion::R4, settings);
    let account = resource(
        "Account",
        r#""id":"a","status":"active","subject":[{"reference":"Patient/p"}]"#,
    );
    assert_eq!(
        host.put("Account/a", &account, &[]).await,
        "ReferenceBroken [] a referenced record does not exist"
    );
    host.put("Patient/p", &patient(r#""id":"p""#), &[]).await;
    assert_eq!(
        host.put("Account/a", &account, &[]).await,
        "Created Account v1"
    );
    assert_eq!(
        host.delete("Patient/p").await,
        "ReferenceBroken [] another record refers to it"
    );
    assert_eq!(host.delete("Account/a").await, "Deleted(1) v2");
    assert_eq!(host.delete("Patient/p").await, "Deleted(1) v2");
}

#[tokio::test]
async fn versions_of_fhir_and_tenants_are_apart() {
    let host = host(FhirVersion::R4);
    host.put("Patient/a", &patient(r#""id":"a""#), &[]).await;
    let mut other = host.caller.clone();
    other.version = FhirVersion::Stu3;
    let read = host.interactions.read(&other, &key("Patient/a")).await;
    assert_eq!(
        issues(&read.unwrap_err()),
        "NotFound [] there is no such `Patient`"
    );
    other.tenant = store::TenantId::parse("nobody").unwrap();
    let read = host.interactions.read(&other, &key("Patient/a")).await;
    assert_eq!(
        issues(&read.unwrap_err()),
        "UnknownPath [] the tenant does not exist"
    );
}

#[tokio::test]
async fn a_provenance_is_stored_with_what_it_is_about() {
    for (version, agent) in [
        (FhirVersion::R4, r#"{"who":{"display":"x"}}"#),
        (FhirVersion::Stu3, r#"{"whoReference":{"display":"x"}}"#),
    ] {
        let host = host(version);
        let text = |more: &str| {
            let members = format!(r#""recorded":"2026-01-01T00:00:00Z","agent":[{agent}]{more}"#);
            document(&resource("Provenance", &members))
        };
        let update = || Write::Update {
            key: key("Patient/a"),
            resource: document(&patient(r#""id":"a""#)),
            if_match: Vec::new(),
            only_create: false,
        };
        let (interactions, caller) = (&host.interactions, &host.caller);
        let done = interactions
            .write_with_provenance(caller, update(), text(""))
            .await;
        assert_eq!(written(&done), "Created Patient v1");
        let found = host.search("Provenance", "target=Patient/a").await;
        assert_eq!(found.entries.len(), 1);
        let twice = text(r#","target":[{"reference":"Patient/b"}]"#);
        let refused = interactions
            .write_with_provenance(caller, update(), twice)
            .await;
        assert_eq!(
            written(&refused),
            "Invalid [http.X-Provenance] the Provenance has a `target` already"
        );
        let wrong = interactions
            .write_with_provenance(caller, update(), text(r#","unicorn":1"#))
            .await;
        assert!(
            written(&wrong).starts_with("Structure [http.X-Provenance"),
            "{}",
            written(&wrong)
        );
        let delete = Write::Delete {
            key: key("Patient/a"),
            if_match: Vec::new(),
        };
        let refused = interactions
            .write_with_provenance(caller, delete, text(""))
            .await;
        assert!(written(&refused).starts_with("NotSupported"));
    }
}
