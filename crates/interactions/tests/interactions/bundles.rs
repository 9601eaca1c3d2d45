//! Batches and transactions. <https://hl7.org/fhir/R4/http.html#trules>

use fhir::FhirVersion;
use interactions::{EntryAnswer, Integrity, Matched, Settings};

use crate::harness::{Host, host, host_with, patient, resource};

/// A bundle of entries, each `fullUrl | method url | more of the request | resource`.
pub(crate) fn bundle(kind: &str, entries: &[(&str, &str, &str, &str)]) -> String {
    let entry = |(full_url, call, more, resource): &(&str, &str, &str, &str)| {
        let (method, url) = call.split_once(' ').unwrap();
        let full_url = if full_url.is_empty() {
            String::new()
        } else {
            format!(r#""fullUrl":"{full_url}","#)
        };
        let resource = if resource.is_empty() {
            String::new()
        } else {
            format!(r#""resource":{resource},"#)
        };
        format!(r#"{{{full_url}{resource}"request":{{"method":"{method}","url":"{url}"{more}}}}}"#)
    };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    let entries = if entries.is_empty() {
        String::new()
    } else {
        format!(r#","entry":[{}]"#, entries.join(","))
    };
    format!(r#"{{"resourceType":"Bundle","type":"{kind}"{entries}}}"#)
}

const A: &str = "urn:uuid:aaaaaaaa-0000-4000-8000-000000000000";
const B: &str = "urn:uuid:bbbbbbbb-0000-4000-8000-000000000000";

/// The JSON of the first match, ids of new resources replaced by their type.
async fn only(host: &Host, resource_type: &str) -> String {
    let found = host.search(resource_type, "").await;
    let [Matched::Resource { resource, .. }] = &found.entries[..] else {
        panic!("one match")
    };
    String::from_utf8(resource.json().to_vec()).unwrap()
}

#[tokio::test]
async fn references_are_rewritten_everywhere_even_in_a_circle() {
    for version in FhirVersion::ALL {
        let host = host(version);
        let person = resource(
            "Person",
            &format!(
                r##""text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{A}#x\">p</a></div>"}},"contained":[{{"resourceType":"Basic","id":"c","code":{{"text":"x"}},"subject":{{"reference":"{A}"}}}}],"extension":[{{"url":"http://e","valueUri":"{A}"}}],"link":[{{"target":{{"reference":"{A}/_history/9"}}}},{{"target":{{"reference":"{B}"}}}},{{"target":{{"reference":"http://elsewhere/Patient/1"}}}}]"##
            ),
        );
        let linked = patient(&format!(
            r#""link":[{{"other":{{"reference":"{B}"}},"type":"seealso"}}]"#
        ));
        let related = patient(&format!(
            r#""link":[{{"other":{{"reference":"{A}"}},"type":"seealso"}}]"#
        ));
        let sent = bundle(
            "transaction",
            &[
                (A, "POST Patient", "", &linked),
                (B, "POST Patient", "", &related),
                ("urn:uuid:c", "POST Person", "", &person),
            ],
        );
        let sent = sent.replace(
            "urn:uuid:c\"",
            "urn:uuid:cccccccc-0000-4000-8000-000000000000\"",
        );
        let answers = host.answers(&sent).await;
        assert_eq!(
            answers, "Created Patient v1\nCreated Patient v1\nCreated Person v1",
            "{version}"
        );
        let person = only(&host, "Person").await;
        assert!(!person.contains("urn:uuid"), "{person}");
        assert_eq!(person.matches("Patient/").count(), 6, "{person}");
        assert_eq!(person.matches("#x").count(), 1, "{person}");
        let patients = host.search("Patient", "").await;
        let ids: Vec<_> = patients
            .entries
            .iter()
            .map(|it| {
                let Matched::Resource { resource, .. } = it else {
                    panic!()
                };
                (
                    resource.key.to_string(),
                    String::from_utf8(resource.json().to_vec()).unwrap(),
                )
            })
            .collect();
        assert!(ids[0].1.contains(&ids[1].0) && ids[1].1.contains(&ids[0].0));
    }
}

#[tokio::test]
async fn references_resolve_below_the_base_of_their_entry() {
    let host = host(FhirVersion::R4);
    let account = resource(
        "Account",
        r#""status":"active","subject":[{"reference":"Patient/1"},{"reference":"Patient/2"}]"#,
    );
    let sent = bundle(
        "transaction",
        &[
            (
                "http://there/Patient/1",
                "POST Patient",
                "",
                &patient(r#""id":"1""#),
            ),
            ("http://there/Account/1", "POST Account", "", &account),
        ],
    );
    host.answers(&sent).await;
    let account = only(&host, "Account").await;
    assert!(
        !account.contains("Patient/1\"") && account.contains("Patient/2\""),
        "{account}"
    );
}

#[tokio::test]
async fn entries_run_in_the_order_of_the_standard_and_answer_in_their_own() {
    for version in FhirVersion::ALL {
        let host = host(version);
        host.put("Patient/old", &patient(r#""id":"old""#), &[])
            .await;
        let sent = bundle(
            "transaction",
            &[
                ("", "GET Patient/new", "", ""),
                ("", "GET Patient?identifier=1", "", ""),
                ("", "GET Patient/old", "", ""),
                ("", "GET Patient/nobody", "", ""),
                (
                    "",
                    "PUT Patient/new",
                    "",
                    &patient(r#""id":"new","identifier":[{"value":"1"}]"#),
                ),
                ("", "POST Patient", "", &patient("")),
                ("", "DELETE Patient/old", "", ""),
                ("", "GET Patient/new/_history/1", "", ""),
                ("", "GET Patient/new/_history", "", ""),
            ],
        );
        assert_eq!(
            host.answers(&sent).await,
            "read v1\nfound 1\nread deleted\nNotFound [Bundle.entry[3]] there is no such `Patient`\n\
             Created Patient v1\nCreated Patient v1\nDeleted(1) v2\nread v1\nfound 1"
        );
    }
}

#[tokio::test]
async fn a_transaction_fails_whole() {
    let host = host(FhirVersion::R4);
    let good = (
        "",
        "PUT Patient/a",
        "",
        r#"{"resourceType":"Patient","id":"a"}"#,
    );
    for (bad, expected) in [
        (
            (
                "",
                "PUT Patient/b",
                r#","ifMatch":"W/\"1\"""#,
                r#"{"resourceType":"Patient","id":"b"}"#,
            ),
            "VersionMismatch [Bundle.entry[1] http.If-Match] `If-Match` names no current version",
        ),
        (
            (
                "",
                "PUT Patient/c",
                "",
                r#"{"resourceType":"Patient","id":"d"}"#,
            ),
            "Invalid [Patient.id Bundle.entry[1].resource] the resource's `id` is not the id in the URL",
        ),
        (
            (
                "",
                "PUT Unicorn/c",
                "",
                r#"{"resourceType":"Patient","id":"d"}"#,
            ),
            "UnknownType [Bundle.entry[1].request.url] the URL names no resource type of R4",
        ),
        (
            (
                "",
                "PATCH Patient/a",
                "",
                r#"{"resourceType":"Binary","contentType":"x/y"}"#,
            ),
            "NotSupported [Bundle.entry[1].request.url] `PATCH` is not offered yet",
        ),
        (
            ("", "POST Patient/a/b", "", r#"{"resourceType":"Patient"}"#),
            "Invalid [Bundle.entry[1].request.url] the URL of a `POST` entry is malformed",
        ),
        (
            ("", "POST Patient", "", ""),
            "Required [Bundle.entry[1].resource] a `POST` entry without a resource",
        ),
        (
            ("", "DELETE Patient/a", "", ""),
            "Conflict [Bundle.entry[1] Bundle.entry[0]] two entries concern the same resource: `Bundle.entry[1]` and `Bundle.entry[0]`",
        ),
    ] {
        assert_eq!(
            host.answers(&bundle("transaction", &[good, bad])).await,
            expected
        );
    }
    assert_eq!(host.count("Patient").await, 0);
}

#[tokio::test]
async fn stu3_has_neither_patch_nor_head() {
    let host = host(FhirVersion::Stu3);
    for method in ["PATCH", "HEAD"] {
        let sent = bundle(
            "transaction",
            &[("", &format!("{method} Patient/a"), "", "")],
        );
        assert_eq!(
            host.answers(&sent).await,
            format!(
                "Value [Bundle.entry[0].request.method] FHIR STU3 knows no `{method}` in a bundle (value set `http-verb`)"
            )
        );
    }
}

#[tokio::test]
async fn conditional_references_resolve_to_exactly_one_stored_resource() {
    let host = host(FhirVersion::R4);
    let practitioner = r#"{"resourceType":"Practitioner","id":"d","identifier":[{"system":"http://s","value":"1"}]}"#;
    let account = |criteria: &str| {
        resource(
            "Account",
            &format!(
                r#""status":"active","subject":[{{"display":"x"}},{{"reference":"Practitioner?{criteria}"}}]"#
            ),
        )
    };
    let one = account("identifier=http://s|1");
    let sent = bundle("transaction", &[("", "POST Account", "", &one)]);
    let nothing = "ReferenceBroken [Bundle.entry[0].resource.subject[1]] a conditional reference matches no `Practitioner`";
    assert_eq!(host.answers(&sent).await, nothing);
    let together = bundle(
        "transaction",
        &[
            ("", "POST Account", "", &one),
            ("", "PUT Practitioner/d", "", practitioner),
        ],
    );
    assert_eq!(
        host.answers(&together).await,
        nothing,
        "what a transaction creates itself is no match"
    );
    host.put("Practitioner/d", practitioner, &[]).await;
    assert_eq!(host.answers(&sent).await, "Created Account v1");
    let stored = only(&host, "Account").await;
    assert!(
        stored.contains(r#"{"reference":"Practitioner/d"}"#),
        "{stored}"
    );
    host.put(
        "Practitioner/e",
        &practitioner.replace(r#""d""#, r#""e""#),
        &[],
    )
    .await;
    assert_eq!(
        host.answers(&sent).await,
        "MultipleMatches [Bundle.entry[0].resource.subject[1]] a conditional reference matches several `Practitioner`"
    );
    let unknown = account("nmae=x");
    assert_eq!(
        host.answers(&bundle(
            "transaction",
            &[("", "POST Account", "", &unknown)]
        ))
        .await,
        "Invalid [Bundle.entry[0].resource.subject[1] http.nmae] the search parameter `nmae` does not exist here"
    );
}

#[tokio::test]
async fn a_conditional_create_stands_for_what_it_finds() {
    let host = host(FhirVersion::R4);
    let text = patient(r#""identifier":[{"value":"1"}]"#);
    let if_none_exist = r#","ifNoneExist":"identifier=1""#;
    let account = resource(
        "Account",
        &format!(r#""status":"active","subject":[{{"reference":"{A}"}}]"#),
    );
    let sent = bundle(
        "transaction",
        &[
            (A, "POST Patient", if_none_exist, &text),
            (B, "POST Account", "", &account),
        ],
    );
    assert_eq!(
        host.answers(&sent).await,
        "Created Patient v1\nCreated Account v1"
    );
    assert_eq!(
        host.answers(&sent).await,
        "Unchanged Patient v1\nCreated Account v1"
    );
    let accounts = host.search("Account", "").await;
    let subjects: Vec<String> = accounts
        .entries
        .iter()
        .map(|it| {
            let Matched::Resource { resource, .. } = it else {
                panic!()
            };
            String::from_utf8(resource.json().to_vec())
                .unwrap()
                .split_once("Patient/")
                .unwrap()
                .1
                .to_owned()
        })
        .collect();
    assert_eq!(
        subjects[0], subjects[1],
        "the reference leads to the resource that was found"
    );
}

#[tokio::test]
async fn conditional_entries_collide_or_do_their_work() {
    let host = host(FhirVersion::R4);
    let text = patient(r#""identifier":[{"value":"1"}]"#);
    host.create(&text, None).await;
    let twice = bundle(
        "transaction",
        &[
            (
                "",
                "POST Patient",
                r#","ifNoneExist":"identifier=2""#,
                &text,
            ),
            (
                "",
                "POST Patient",
                r#","ifNoneExist":"identifier=2""#,
                &text,
            ),
        ],
    );
    assert_eq!(
        host.answers(&twice).await,
        "Conflict [Bundle.entry[0] Bundle.entry[1]] two entries create a resource for the same criteria: `Bundle.entry[0]` and `Bundle.entry[1]`"
    );
    let sent = bundle(
        "transaction",
        &[
            (
                "",
                "PUT Patient?identifier=1",
                "",
                &patient(r#""active":true"#),
            ),
            ("", "DELETE Account?subject:Patient=none", "", ""),
        ],
    );
    assert_eq!(
        host.answers(&sent).await,
        "Updated Patient v2\nNothingToDelete"
    );
    assert_eq!(host.answers(&bundle("transaction", &[])).await, "");
}

#[tokio::test]
async fn a_conditional_delete_takes_several_only_if_told_so() {
    let host = host(FhirVersion::R4);
    for _ in 0..2 {
        host.create(&patient(r#""identifier":[{"value":"1"}]"#), None)
            .await;
    }
    let sent = |url: &str| bundle("transaction", &[("", &format!("DELETE {url}"), "", "")]);
    assert_eq!(
        host.answers(&sent("Patient?identifier=1")).await,
        "MultipleMatches [Bundle.entry[0]] the criteria match several resources"
    );
    let several = sent("Patient?identifier=1&_multiple=true");
    assert_eq!(host.answers(&several).await, "Deleted(2)");
}

#[tokio::test]
async fn the_entries_of_a_batch_are_independent() {
    for version in FhirVersion::ALL {
        let host = host(version);
        let sent = bundle(
            "batch",
            &[
                ("", "PUT Patient/a", "", &patient(r#""id":"a""#)),
                ("", "PUT Patient/b", "", &patient(r#""id":"x""#)),
                ("", "POST Patient", "", &patient(r#""aktive":true"#)),
                ("", "FETCH Patient", "", ""),
                ("", "DELETE Patient/nobody", "", ""),
                ("", "GET Patient/nobody", "", ""),
            ],
        );
        let answers = host.answers(&sent).await;
        let faults: Vec<&str> = answers
            .lines()
            .map(|it| it.split(' ').next().unwrap())
            .collect();
        assert_eq!(
            faults,
            [
                "Created",
                "Invalid",
                "Structure",
                "Value",
                "NothingToDelete",
                "NotFound"
            ],
            "{answers}"
        );
        assert!(
            answers
                .lines()
                .skip(1)
                .filter(|it| it.contains('['))
                .all(|it| it.contains("Bundle.entry[")),
            "{answers}"
        );
        assert_eq!(host.count("Patient").await, 1);
    }
}

#[tokio::test]
async fn bundles_have_a_limit_and_must_be_bundles() {
    let host = host_with(
        FhirVersion::R4,
        Settings {
            bundle_entries_max: 2,
            ..Settings::default()
        },
    );
    let entry = ("", "POST Patient", "", r#"{"resourceType":"Patient"}"#);
    assert_eq!(
        host.answers(&bundle("batch", &[entry, entry, entry])).await,
        "TooLarge [Bundle.entry] the bundle has more than `bundle_entries_max` (2) entries"
    );
    assert_eq!(
        host.answers(&bundle("collection", &[])).await,
        "Invalid [Bundle.type] the `Bundle` is neither a `batch` nor a `transaction`"
    );
    assert_eq!(
        host.answers(&patient("")).await,
        "Invalid [Resource] the body is not a `Bundle`"
    );
}

#[tokio::test]
async fn a_stored_bundle_keeps_its_references() {
    let settings = Settings {
        integrity: Integrity::Both,
        ..Settings::default()
    };
    let host = host_with(FhirVersion::R4, settings);
    let entry = r#"{"resource":{"resourceType":"Account","status":"active","subject":[{"reference":"Patient/none"},{"reference":"Patient?identifier=1"}]}}"#;
    let stored = resource(
        "Bundle",
        &format!(r#""id":"b","type":"collection","entry":[{entry}]"#),
    );
    assert_eq!(
        host.put("Bundle/b", &stored, &[]).await,
        "Created Bundle v1"
    );
    let read = host.read("Bundle/b").await;
    assert!(read.contains(r#""Patient?identifier=1""#), "{read}");
}

#[tokio::test]
async fn a_full_url_that_looks_like_criteria_is_a_full_url() {
    let host = host(FhirVersion::R4);
    host.put(
        "Patient/a",
        &patient(r#""id":"a","identifier":[{"value":"1"}]"#),
        &[],
    )
    .await;
    let account = r#""status":"active","subject":[{"reference":"Patient?identifier=1"}]"#;
    let sent = bundle(
        "transaction",
        &[
            (
                "Patient?identifier=1",
                "PUT Patient/b",
                "",
                &patient(r#""id":"b""#),
            ),
            ("", "POST Account", "", &resource("Account", account)),
        ],
    );
    assert_eq!(
        host.answers(&sent).await,
        "Created Patient v1\nCreated Account v1"
    );
    assert!(only(&host, "Account").await.contains(r#""Patient/b""#));
}

#[tokio::test]
async fn what_a_commit_depends_on_has_a_limit() {
    let settings = Settings {
        commit_criteria_max: 2,
        commit_matches_max: 3,
        ..Settings::default()
    };
    let host = host_with(FhirVersion::R4, settings);
    let delete = |value: usize| format!("DELETE Patient?identifier={value}&_multiple=true");
    let calls: Vec<String> = (0..3).map(delete).collect();
    let entries: Vec<_> = calls
        .iter()
        .map(|call| ("", call.as_str(), "", ""))
        .collect();
    assert_eq!(
        host.answers(&bundle("transaction", &entries)).await,
        "TooLarge [] one commit would depend on more than `commit_criteria_max` (2)"
    );
    for _ in 0..4 {
        host.create(&patient(r#""identifier":[{"value":"0"}]"#), None)
            .await;
    }
    assert_eq!(
        host.answers(&bundle("transaction", &entries[..1])).await,
        "TooLarge [] one commit would depend on more than `commit_matches_max` (3)"
    );
}

#[tokio::test]
async fn two_entries_of_one_full_url_are_refused() {
    let host = host(FhirVersion::R4);
    let text = patient("");
    let sent = bundle(
        "transaction",
        &[
            (A, "POST Patient", "", &text),
            (A, "POST Patient", "", &text),
        ],
    );
    assert_eq!(
        host.answers(&sent).await,
        "Conflict [Bundle.entry[0] Bundle.entry[1]] two entries have one `fullUrl`: `Bundle.entry[0]` and `Bundle.entry[1]`"
    );
}

#[tokio::test]
async fn ten_thousand_entries_are_one_transaction() {
    let host = host(FhirVersion::R4);
    let texts: Vec<(String, String)> = (0..10_000)
        .map(|at| {
            (
                format!("PUT Patient/p{at}"),
                patient(&format!(
                    r#""id":"p{at}","identifier":[{{"value":"{at}"}}]"#
                )),
            )
        })
        .collect();
    let entries: Vec<_> = texts
        .iter()
        .map(|(call, text)| ("", call.as_str(), "", text.as_str()))
        .collect();
    let done = host.run(&bundle("transaction", &entries)).await.unwrap();
    assert!(
        done.entries
            .iter()
            .all(|it| matches!(it.answer, Ok(EntryAnswer::Written(_))))
    );
    assert_eq!(host.count("Patient").await, 10_000);
}
