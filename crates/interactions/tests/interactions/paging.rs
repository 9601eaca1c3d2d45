//! Search in types, the system and compartments, and its pages.

use fhir::FhirVersion;
use interactions::{Handling, Within};

use crate::harness::{Host, host, ids, issues, key, patient, resource};

async fn found(host: &Host, within: Within, query: &str) -> String {
    match host
        .interactions
        .search(&host.caller, within, query, Handling::Strict)
        .await
    {
        Ok(found) => ids(&found).join(" "),
        Err(error) => issues(&error),
    }
}

async fn filled(version: FhirVersion) -> Host {
    let host = host(version);
    for id in ["a", "b", "c", "d", "e"] {
        let text = patient(&format!(
            r#""id":"{id}","identifier":[{{"system":"http://s","value":"{id}"}}]"#
        ));
        host.put(&format!("Patient/{id}"), &text, &[]).await;
    }
    let account = resource(
        "Account",
        r#""id":"x","status":"active","subject":{"reference":"Patient/a"}"#,
    );
    let account = if version == FhirVersion::R4 {
        account.replace(
            r#"{"reference":"Patient/a"}"#,
            r#"[{"reference":"Patient/a"}]"#,
        )
    } else {
        account
    };
    assert_eq!(
        host.put("Account/x", &account, &[]).await,
        "Created Account v1"
    );
    host
}

#[tokio::test]
async fn what_matches_is_found() {
    for version in FhirVersion::ALL {
        let host = filled(version).await;
        let patients = || Within::Type("Patient".to_owned());
        let accounts = || Within::Type("Account".to_owned());
        let of_a = |sought: Option<&str>| Within::Compartment {
            of: key("Patient/a"),
            resource_type: sought.map(str::to_owned),
        };
        for (within, query, expected) in [
            (
                patients(),
                "",
                "Patient/a Patient/b Patient/c Patient/d Patient/e",
            ),
            (patients(), "identifier=http://s|c", "Patient/c"),
            (patients(), "identifier=c,d", "Patient/c Patient/d"),
            (patients(), "identifier=c&_id=d", ""),
            (patients(), "identifier=http://unknown|c", ""),
            (patients(), "_id=b,e", "Patient/b Patient/e"),
            (accounts(), "subject=Patient/a", "Account/x"),
            (accounts(), "patient=a", "Account/x"),
            (accounts(), "subject:missing=true", ""),
            (Within::System, "_id=x,a", "Patient/a Account/x"),
            (Within::System, "_type=Account", "Account/x"),
            (of_a(None), "", "Patient/a Account/x"),
            (of_a(Some("Account")), "", "Account/x"),
            (of_a(Some("Patient")), "", "Patient/a"),
            (
                Within::Type("Unicorn".into()),
                "",
                &format!("UnknownType [] there is no resource type of that name in {version}"),
            ),
        ] {
            assert_eq!(found(&host, within, query).await, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn the_union_of_the_pages_is_the_result() {
    let host = filled(FhirVersion::R4).await;
    let mut seen = Vec::new();
    let mut query = "_count=2&_total=accurate&_format=json".to_owned();
    let mut pages = 0;
    loop {
        let page = host.search("Patient", &query).await;
        assert_eq!(page.total, Some(5), "repeated on every page");
        seen.extend(ids(&page));
        pages += 1;
        let Some(next) = page.next_query else { break };
        assert!(next.starts_with("_format=json&_page="), "{next}");
        query = next;
    }
    assert_eq!(
        (pages, seen.join(" ").as_str()),
        (3, "Patient/a Patient/b Patient/c Patient/d Patient/e")
    );
}

#[tokio::test]
async fn a_resource_changed_between_pages_is_not_shown_twice() {
    let host = filled(FhirVersion::R4).await;
    let first = host.search("Patient", "_count=2").await;
    host.put("Patient/c", &patient(r#""id":"c""#), &[]).await;
    host.create(&patient(""), None).await;
    let second = host
        .search("Patient", first.next_query.as_ref().unwrap())
        .await;
    assert_eq!(
        (ids(&first).join(" "), ids(&second).join(" ")),
        ("Patient/a Patient/b".into(), "Patient/d Patient/e".into())
    );
}

#[tokio::test]
async fn a_token_is_good_for_its_caller_only() {
    let host = filled(FhirVersion::R4).await;
    let next = host.search("Patient", "_count=2").await.next_query.unwrap();
    let refused = "Invalid [http._page] `_page` is not valid here";
    let patients = || Within::Type("Patient".to_owned());
    let mut other = host.caller.clone();
    other.identity = "somebody else".into();
    let elsewhere = host
        .interactions
        .search(&other, patients(), &next, Handling::Strict)
        .await;
    assert_eq!(issues(&elsewhere.unwrap_err()), refused);
    assert_eq!(
        found(&host, Within::Type("Account".into()), &next).await,
        refused
    );
    assert_eq!(found(&host, patients(), "_page=00").await, refused);
    let cut = &next[..next.len() - 2];
    assert_eq!(found(&host, patients(), cut).await, refused);
    let more = format!("{next}&identifier=a");
    assert!(
        found(&host, patients(), &more)
            .await
            .contains("stands for the whole query")
    );
}

#[tokio::test]
async fn a_token_is_good_in_its_tenant_only() {
    let host = filled(FhirVersion::R4).await;
    let other = store::TenantId::parse("other").unwrap();
    host.interactions
        .store()
        .create_tenant(&other)
        .await
        .unwrap();
    let mut elsewhere = host.caller.clone();
    elsewhere.tenant = other;
    let elsewhere = host.with_caller(elsewhere);
    for id in ["a", "b", "c"] {
        let text = patient(&format!(r#""id":"{id}""#));
        elsewhere.put(&format!("Patient/{id}"), &text, &[]).await;
    }
    let patients = || Within::Type("Patient".to_owned());
    let theirs = elsewhere.search("Patient", "_count=2").await.next_query;
    let ours = host.search("Patient", "_count=2").await.next_query;
    let refused = "Invalid [http._page] `_page` is not valid here";
    assert_eq!(found(&host, patients(), &theirs.unwrap()).await, refused);
    assert_eq!(found(&elsewhere, patients(), &ours.unwrap()).await, refused);
}

#[tokio::test]
async fn tokens_show_nothing_of_the_query() {
    let host = host(FhirVersion::R4);
    for id in ["Sonnenblume1", "Sonnenblume2", "Sonnenblume3"] {
        let text = patient(&format!(r#""id":"{id}","name":[{{"family":"{id}"}}]"#));
        host.put(&format!("Patient/{id}"), &text, &[]).await;
    }
    let query = "name=Sonnenblume&_sort=-family&_count=1";
    let first = host.search("Patient", query).await.next_query.unwrap();
    let again = host.search("Patient", query).await.next_query.unwrap();
    assert_ne!(first, again, "the same page twice has two tokens");
    let token = first.strip_prefix("_page=").unwrap();
    let bytes: Vec<u8> = token
        .as_bytes()
        .chunks(2)
        .map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap())
        .collect();
    for shown in ["sonnenblume", "name", "family"] {
        let folded = bytes.to_ascii_lowercase();
        let mut windows = folded.windows(shown.len());
        assert!(windows.all(|it| it != shown.as_bytes()), "{shown}");
        assert!(!token.to_lowercase().contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn lenient_goes_on_without_what_is_unknown_and_says_so() {
    let host = filled(FhirVersion::R4).await;
    let patients = Within::Type("Patient".to_owned());
    let found = host
        .interactions
        .search(&host.caller, patients, "unicorn=1&_id=a", Handling::Lenient)
        .await
        .unwrap();
    assert_eq!(
        (
            ids(&found).join(" ").as_str(),
            found.issues.len(),
            found.self_query.as_str()
        ),
        ("Patient/a", 1, "_id=a")
    );
}
