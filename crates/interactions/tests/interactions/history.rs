//! History at three levels, its bounds and pages.

use fhir::FhirVersion;
use interactions::{HistoryQuery, HistoryScope, Matched};
use store::HistoryOrder;

use crate::harness::{Host, host, issues, key, patient, resource};

async fn history(
    host: &Host,
    of: HistoryScope,
    query: &str,
) -> Result<(Vec<String>, Option<String>), String> {
    let query = HistoryQuery {
        of,
        query: query.to_owned(),
        order: HistoryOrder::NewestFirst,
    };
    let found = host
        .interactions
        .history(&host.caller, query)
        .await
        .map_err(|it| issues(&it))?;
    let entries = found.entries.iter().map(|it| match it {
        Matched::Resource {
            resource,
            method,
            created,
            ..
        } => {
            format!(
                "{method} {} v{}{}",
                resource.key,
                resource.version,
                if *created { " new" } else { "" }
            )
        }
        Matched::Contained { .. } => unreachable!("a history has no such entries"),
        Matched::Deleted(it) => format!("DELETE {} v{}", it.key, it.version),
    });
    Ok((entries.collect(), found.next_query))
}

async fn filled(version: FhirVersion) -> Host {
    let host = host(version);
    host.put("Patient/a", &patient(r#""id":"a","active":true"#), &[])
        .await;
    host.put(
        "Basic/b",
        &resource("Basic", r#""id":"b","code":{"text":"x"}"#),
        &[],
    )
    .await;
    host.put("Patient/a", &patient(r#""id":"a","active":false"#), &[])
        .await;
    host.delete("Patient/a").await;
    host
}

#[tokio::test]
async fn versions_are_listed_at_three_levels() {
    for version in FhirVersion::ALL {
        let host = filled(version).await;
        let patient = [
            "DELETE Patient/a v3",
            "PUT Patient/a v2",
            "POST Patient/a v1 new",
        ];
        let instance = || HistoryScope::Instance(key("Patient/a"));
        assert_eq!(history(&host, instance(), "").await.unwrap().0, patient);
        assert_eq!(
            history(&host, HistoryScope::Type("Patient".into()), "")
                .await
                .unwrap()
                .0,
            patient
        );
        let all = history(&host, HistoryScope::System, "_sort=_lastUpdated")
            .await
            .unwrap()
            .0;
        assert_eq!(
            all,
            [
                "POST Patient/a v1 new",
                "POST Basic/b v1 new",
                "PUT Patient/a v2",
                "DELETE Patient/a v3"
            ]
        );
        assert_eq!(
            history(&host, HistoryScope::Type("Account".into()), "")
                .await
                .unwrap()
                .0,
            [""; 0]
        );
        let never = HistoryScope::Instance(key("Patient/never"));
        assert_eq!(
            history(&host, never, "").await,
            Err("NotFound [] there is no such `Patient`".to_owned())
        );
    }
}

#[tokio::test]
async fn pages_follow_each_other_whatever_is_written_between() {
    let host = filled(FhirVersion::R4).await;
    let mut seen = Vec::new();
    let mut query = "_count=1".to_owned();
    loop {
        let (page, next) = history(&host, HistoryScope::System, &query).await.unwrap();
        seen.extend(page);
        host.create(&patient(""), None).await;
        match next {
            Some(next) => query = next,
            None => break,
        }
    }
    assert_eq!(
        seen,
        [
            "DELETE Patient/a v3",
            "PUT Patient/a v2",
            "POST Basic/b v1 new",
            "POST Patient/a v1 new"
        ]
    );
    let (_, next) = history(&host, HistoryScope::System, "_count=1")
        .await
        .unwrap();
    let elsewhere = history(&host, HistoryScope::Type("Patient".into()), &next.unwrap()).await;
    assert_eq!(
        elsewhere,
        Err("Invalid [http._page] `_page` is not valid here".to_owned())
    );
}

#[tokio::test]
async fn bounds_are_read_as_dates() {
    let host = filled(FhirVersion::R4).await;
    for (query, expected) in [
        ("_since=2000-01-01T00:00:00Z", Ok(4)),
        ("_since=2999-01-01T00:00:00Z", Ok(0)),
        ("_before=2000", Ok(0)),
        ("_at=2000", Ok(0)),
        ("_count=0", Ok(0)),
        (
            "_since=yesterday",
            Err("Invalid [http._since] the parameter `_since` has a value that it does not allow"),
        ),
        (
            "_sort=name",
            Err("Invalid [http._sort] the parameter `_sort` has a value that it does not allow"),
        ),
        (
            "_sinse=2000",
            Err("Invalid [] the history has no such parameter"),
        ),
    ] {
        let found = history(&host, HistoryScope::System, query)
            .await
            .map(|it| it.0.len());
        assert_eq!(found, expected.map_err(str::to_owned), "{query}");
    }
}
