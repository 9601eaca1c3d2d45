//! Conditional create, update and delete. <https://hl7.org/fhir/R4/http.html#cond-update>

use fhir::FhirVersion;
use interactions::Write;

use crate::harness::{Host, document, host, patient, written};

fn with_identifier(id: &str, value: &str, more: &str) -> String {
    let id = if id.is_empty() {
        String::new()
    } else {
        format!(r#""id":"{id}","#)
    };
    patient(&format!(
        r#"{id}"identifier":[{{"system":"http://s","value":"{value}"}}]{more}"#
    ))
}

async fn put_where(host: &Host, criteria: &str, text: &str, if_match: &[&str]) -> String {
    let write = Write::UpdateWhere {
        resource_type: "Patient".to_owned(),
        criteria: criteria.to_owned(),
        resource: document(text),
        if_match: if_match.iter().map(|&it| it.to_owned()).collect(),
    };
    written(&host.write(write).await)
}

async fn delete_where(host: &Host, criteria: &str, multiple: bool) -> String {
    let (resource_type, criteria) = ("Patient".to_owned(), criteria.to_owned());
    written(
        &host
            .write(Write::DeleteWhere {
                resource_type,
                criteria,
                multiple,
            })
            .await,
    )
}

const SEVERAL: &str = "MultipleMatches [] the criteria match several resources";

#[tokio::test]
async fn a_conditional_create_makes_one() {
    for version in FhirVersion::ALL {
        let host = host(version);
        let (text, criteria) = (with_identifier("", "1", ""), Some("identifier=http://s|1"));
        assert_eq!(host.create(&text, criteria).await, "Created Patient v1");
        assert_eq!(host.create(&text, criteria).await, "Unchanged Patient v1");
        assert_eq!(host.create(&text, None).await, "Created Patient v1");
        assert_eq!(host.create(&text, criteria).await, SEVERAL);
        assert_eq!(host.count("Patient").await, 2);
    }
}

#[tokio::test]
async fn criteria_are_strict() {
    let host = host(FhirVersion::R4);
    for (criteria, expected) in [
        ("", "Invalid [] a conditional interaction without criteria"),
        (
            "_count=1",
            "Invalid [] a conditional interaction without criteria",
        ),
        (
            "identifer=1",
            "Invalid [http.identifer] the search parameter `identifer` does not exist here",
        ),
        (
            "_filter=name eq x",
            "NotSupported [http._filter] the search parameter `_filter` is not offered yet",
        ),
    ] {
        assert_eq!(host.create(&patient(""), Some(criteria)).await, expected);
    }
    assert_eq!(host.count("Patient").await, 0);
}

#[tokio::test]
async fn a_conditional_update_follows_its_version_of_the_standard() {
    let criteria = "identifier=http://s|1";
    let r4 = host(FhirVersion::R4);
    assert_eq!(
        put_where(&r4, criteria, &with_identifier("mine", "1", ""), &[]).await,
        "Created Patient v1"
    );
    assert!(
        r4.read("Patient/mine")
            .await
            .contains("\"versionId\":\"1\"")
    );
    assert_eq!(
        put_where(
            &r4,
            criteria,
            &with_identifier("", "1", r#","active":true"#),
            &["1"]
        )
        .await,
        "Updated Patient v2"
    );
    assert_eq!(
        put_where(&r4, criteria, &with_identifier("other", "1", ""), &[]).await,
        "Invalid [Patient.id] the criteria match another resource than the one whose id is given"
    );
    assert_eq!(
        put_where(&r4, criteria, &with_identifier("mine", "1", ""), &["1"]).await,
        "VersionMismatch [http.If-Match] `If-Match` names no current version"
    );
    assert_eq!(
        put_where(&r4, "identifier=2", &with_identifier("", "2", ""), &[]).await,
        "Created Patient v1"
    );
    assert_eq!(
        put_where(
            &r4,
            "identifier=http://s|",
            &with_identifier("", "3", ""),
            &[]
        )
        .await,
        SEVERAL
    );

    let stu3 = host(FhirVersion::Stu3);
    assert_eq!(
        put_where(&stu3, criteria, &with_identifier("mine", "1", ""), &[]).await,
        "Created Patient v1"
    );
    assert_eq!(
        stu3.read("Patient/mine").await,
        "NotFound [] there is no such `Patient`"
    );
    assert_eq!(
        put_where(
            &stu3,
            criteria,
            &with_identifier("other", "1", r#","active":true"#),
            &[]
        )
        .await,
        "Updated Patient v2"
    );
}

#[tokio::test]
async fn a_conditional_delete_takes_one_or_several() {
    let host = host(FhirVersion::R4);
    for _ in 0..3 {
        host.create(&with_identifier("", "1", ""), None).await;
    }
    let criteria = "identifier=http://s|1";
    assert_eq!(delete_where(&host, criteria, false).await, SEVERAL);
    assert_eq!(delete_where(&host, criteria, true).await, "Deleted(3)");
    assert_eq!(delete_where(&host, criteria, true).await, "NothingToDelete");
    assert_eq!(host.count("Patient").await, 0);
    host.create(&with_identifier("", "1", ""), None).await;
    assert_eq!(delete_where(&host, criteria, false).await, "Deleted(1) v2");
}
