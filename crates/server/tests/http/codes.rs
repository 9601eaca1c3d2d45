//! A large code system over HTTP: written, asked, and what that used in `/metrics`.

use server::Limits;

use crate::site::Site;

const JSON: (&str, &str) = ("content-type", "application/fhir+json");

fn code_system(concepts: usize) -> String {
    let concept = |at: usize| {
        let parent = at.saturating_sub(1) / 10;
        format!(
            r#"{{"code":"c{at}","display":"concept {at}","property":[{{"code":"parent","valueCode":"c{parent}"}}]}}"#
        )
    };
    let concepts: Vec<_> = (0..concepts).map(concept).collect();
    format!(
        r#"{{"resourceType":"CodeSystem","id":"cs","url":"http://x/cs","status":"active","content":"complete","concept":[{}]}}"#,
        concepts.join(",")
    )
}

async fn put(site: &Site, place: &str, text: String) {
    let reply = site
        .ask("PUT", &format!("/fhir/r4/{place}"), &[JSON], text)
        .await;
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// A counter's or gauge's value.
async fn metric(site: &Site, name: &str) -> u64 {
    let metrics = site.ask("GET", "/metrics", &[], "").await.text();
    let mut lines = metrics.lines();
    let line = lines.find_map(|it| it.strip_prefix(&format!("isthmus_terminology_{name} ")));
    line.expect("a metric").parse().expect("a number")
}

#[tokio::test]
async fn a_large_code_system_is_asked_by_code() {
    let site = Site::start(Limits::default()).await;
    put(&site, "CodeSystem/cs", code_system(5_000)).await;
    let filter = r#"{"property":"concept","op":"is-a","value":"c40"}"#;
    let set = format!(
        r#"{{"resourceType":"ValueSet","id":"v","url":"http://x/v","status":"active","compose":{{"include":[{{"system":"http://x/cs","filter":[{filter}]}}]}}}}"#
    );
    put(&site, "ValueSet/v", set).await;
    for (id, code) in [("in", "c4015"), ("out", "c41")] {
        let observation = format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://x/cs","code":"{code}"}}]}}}}"#
        );
        put(&site, &format!("Observation/{id}"), observation).await;
    }
    for times in 0..3 {
        let found = site
            .ask("GET", "/fhir/r4/Observation?code:in=http://x/v", &[], "")
            .await
            .text();
        assert!(found.contains(r#""id":"in""#) && !found.contains(r#""id":"out""#));
        assert_eq!(metric(&site, "cache_misses_total").await, 1);
        assert_eq!(metric(&site, "cache_hits_total").await, times);
    }
    let read = metric(&site, "table_read_bytes_total").await;
    assert!(read > 0);
    for (id, expected) in [("in", "true"), ("out", "false")] {
        let path =
            format!("/fhir/r4/Observation/{id}/$fhirpath?expression=code.memberOf('http://x/v')");
        let told = site.ask("GET", &path, &[], "").await.text();
        assert!(
            told.contains(&format!(r#""valueBoolean":{expected}"#)),
            "{told}"
        );
    }
    assert!(metric(&site, "table_read_bytes_total").await > read);
    assert!(metric(&site, "cache_entries").await >= 3);
    let bytes = metric(&site, "cache_bytes").await;
    assert!((1..100_000).contains(&bytes), "{bytes}: heads, not systems");
}

#[tokio::test]
async fn one_beyond_the_limits_is_refused_by_name() {
    let site = Site::start(Limits {
        body_bytes_max: 100_000,
        ..Limits::default()
    })
    .await;
    let reply = site
        .ask("PUT", "/fhir/r4/CodeSystem/cs", &[JSON], code_system(5_000))
        .await;
    assert_eq!(reply.status, 413);
    assert!(reply.text().contains("body_bytes_max"), "{}", reply.text());
}
