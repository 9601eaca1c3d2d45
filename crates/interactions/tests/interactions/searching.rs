//! Queries over a small world: what each finds, in which order, with what is included.

use fhir::FhirVersion;
use interactions::{Handling, InteractionError, Matched, SearchAnswer, SearchMode, Within};

use crate::harness::{Host, document, host, issues};

const WORLD: &str = include_str!("../cases/search/world.ndjson");
const QUERIES: &str = include_str!("../cases/search/queries.txt");

/// The world of the cases, in the order of its lines.
async fn world() -> Host {
    let host = host(FhirVersion::R4);
    for line in WORLD.lines() {
        let text = document(line);
        let name = |member: &str| text.root().get(member).unwrap().as_str().unwrap();
        let place = format!("{}/{}", name("resourceType"), name("id"));
        let written = host.put(&place, line, &[]).await;
        assert!(written.starts_with("Created"), "{place}: {written}");
    }
    host
}

async fn search(host: &Host, case: &str) -> Result<SearchAnswer, InteractionError> {
    let (resource_type, query) = case.split_once('?').unwrap();
    let query = query.replace('|', "%7C").replace('$', "%24");
    let within = Within::Type(resource_type.to_owned());
    let search = host
        .interactions
        .search(&host.caller, within, &query, Handling::Strict);
    search.await
}

fn shown(answer: &Result<SearchAnswer, InteractionError>) -> String {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return issues(error),
    };
    let entry = |it: &Matched| match it {
        Matched::Resource { resource, mode, .. } => {
            let mark = if *mode == SearchMode::Include {
                "+"
            } else {
                ""
            };
            format!("{mark}{}", resource.key.id)
        }
        Matched::Contained { container, id, .. } => format!("{}#{id}", container.id),
        Matched::Deleted(_) => "deleted".to_owned(),
    };
    answer
        .entries
        .iter()
        .map(entry)
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn queries_find_what_the_standard_says() {
    let host = world().await;
    let mut wrong = Vec::new();
    let cases = QUERIES.lines().filter(|it| !it.starts_with('#'));
    for line in cases {
        let (case, expected) = line.split_once(" =>").unwrap();
        let found = search(&host, case).await;
        let is_right = match expected.trim() {
            "error" => found
                .as_ref()
                .is_err_and(|it| it.issues.iter().all(|it| it.fault == fhir::Fault::Invalid)),
            expected => shown(&found) == expected,
        };
        if !is_right {
            wrong.push(format!("{line}\n    {}", shown(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn pages_of_every_order_show_everything_once() {
    let host = world().await;
    for order in [
        "",
        "&_sort=family",
        "&_sort=-birthdate,_id",
        "&_sort=-_lastUpdated",
    ] {
        let whole = shown(&search(&host, &format!("Patient?_count=10{order}")).await);
        let mut pages = Vec::new();
        let mut next = Some(format!("_count=1{order}"));
        while let Some(query) = next {
            let page = search(&host, &format!("Patient?{query}")).await;
            pages.push(shown(&page));
            next = page.unwrap().next_query;
        }
        assert_eq!(pages.join(" "), whole, "{order}");
    }
}

#[tokio::test]
async fn versioned_references_include_what_they_name() {
    let host = host(FhirVersion::R4);
    for (place, members) in [
        ("Patient/p", r#""gender":"male""#),
        ("Patient/p", r#""gender":"female""#),
        (
            "Observation/old",
            r#""subject":{"reference":"Patient/p/_history/1"}"#,
        ),
        ("Observation/new", r#""subject":{"reference":"Patient/p"}"#),
        (
            "Observation/lost",
            r#""subject":{"reference":"Patient/p/_history/9"}"#,
        ),
    ] {
        let (kind, id) = place.split_once('/').unwrap();
        let code = match kind {
            "Observation" => r#""status":"final","code":{"text":"x"},"#,
            _ => "",
        };
        let text = format!(r#"{{"resourceType":"{kind}","id":"{id}",{code}{members}}}"#);
        host.put(place, &text, &[]).await;
    }
    for (ids, expected) in [
        ("old", vec![1]),
        ("new", vec![2]),
        ("lost", vec![2]),
        ("old,new", vec![1, 2]),
    ] {
        let query = format!("Observation?_id={ids}&_include=Observation:subject");
        let answer = search(&host, &query).await.unwrap();
        let version = |it: &Matched| match it {
            Matched::Resource {
                resource,
                mode: SearchMode::Include,
                ..
            } => Some(resource.version.0),
            _ => None,
        };
        let versions: Vec<_> = answer.entries.iter().filter_map(version).collect();
        assert_eq!(versions, expected, "{ids}");
    }
    let chain = search(&host, "Observation?subject:Patient.gender=male").await;
    assert_eq!(shown(&chain), "", "chains are about the current version");
}
