//! Codes that are looked up for searches: what is kept of them, and that every change is seen.

use std::sync::Arc;
use std::time::Instant;

use fhir::FhirVersion;
use interactions::{Caller, Settings, Visibility, Within, Write};
use search::plan::Filter;
use store::TenantId;

use crate::harness::{Host, host_with, ids, issues, key, resource, sweep};

const SEX: &str = "http://hl7.org/fhir/ValueSet/administrative-gender";

fn value_set(id: &str, url: &str, system: &str, codes: &[&str]) -> String {
    let concept = |code: &&str| format!(r#"{{"code":"{code}"}}"#);
    let concepts: Vec<String> = codes.iter().map(concept).collect();
    let concepts = concepts.join(",");
    resource(
        "ValueSet",
        &format!(
            r#""id":"{id}","status":"active","url":"{url}","compose":{{"include":[{{"system":"{system}","concept":[{concepts}]}}]}}"#
        ),
    )
}

fn code_system(concepts: &str) -> String {
    let head = r#""id":"cs","status":"active","content":"complete","hierarchyMeaning":"is-a","#;
    resource(
        "CodeSystem",
        &format!(r#"{head}"url":"http://x/cs","concept":[{concepts}]"#),
    )
}

fn observation(id: &str, code: &str) -> String {
    let coding = format!(r#"{{"system":"http://x/cs","code":"{code}"}}"#);
    let members = format!(r#""id":"{id}","status":"final","code":{{"coding":[{coding}]}}"#);
    resource("Observation", &members)
}

impl Host {
    /// The ids that a query finds, or why it does not; asked twice, the second time of what is kept.
    async fn finds(&self, resource_type: &str, query: &str) -> String {
        let mut answers = Vec::new();
        for _ in 0..2 {
            let within = Within::Type(resource_type.to_owned());
            let found = self
                .interactions
                .search(&self.caller, within, query, interactions::Handling::Strict)
                .await;
            answers.push(found.map_or_else(|error| issues(&error), |it| ids(&it).join(" ")));
        }
        assert_eq!(answers[0], answers[1], "{query}");
        answers.remove(0)
    }

    async fn purge(&self, place: &str) {
        self.write(Write::Purge(key(place)))
            .await
            .map_err(|it| issues(&it))
            .unwrap();
    }
}

async fn world(settings: Settings) -> Host {
    let host = host_with(FhirVersion::R4, settings);
    for code in ["a", "b", "c"] {
        host.put(
            &format!("Observation/{code}"),
            &observation(code, code),
            &[],
        )
        .await;
    }
    for (id, gender) in [("m", "male"), ("f", "female")] {
        let text = resource("Patient", &format!(r#""id":"{id}","gender":"{gender}""#));
        host.put(&format!("Patient/{id}"), &text, &[]).await;
    }
    host
}

async fn every_change_is_seen(settings: Settings) {
    let host = world(settings).await;
    let in_set = "code:in=http://x/v";
    let unknown = host.finds("Observation", in_set).await;
    assert!(unknown.contains("`http://x/v` is not known"), "{unknown}");
    host.put(
        "ValueSet/v",
        &value_set("v", "http://x/v", "http://x/cs", &["a"]),
        &[],
    )
    .await;
    assert_eq!(host.finds("Observation", in_set).await, "Observation/a");
    assert_eq!(
        host.finds("Observation", "code:in=ValueSet/v").await,
        "Observation/a"
    );
    host.put(
        "ValueSet/v",
        &value_set("v", "http://x/v", "http://x/cs", &["b"]),
        &[],
    )
    .await;
    assert_eq!(host.finds("Observation", in_set).await, "Observation/b");
    assert_eq!(
        host.finds("Observation", "code:in=ValueSet/v").await,
        "Observation/b"
    );
    assert_eq!(
        host.finds("Observation", "code:not-in=http://x/v").await,
        "Observation/a Observation/c"
    );
    // Of several with one URL the one written last counts.
    host.put(
        "ValueSet/w",
        &value_set("w", "http://x/v", "http://x/cs", &["c"]),
        &[],
    )
    .await;
    assert_eq!(host.finds("Observation", in_set).await, "Observation/c");
    assert_eq!(
        host.finds("Observation", "code:in=ValueSet/v").await,
        "Observation/b"
    );
    host.delete("ValueSet/w").await;
    assert_eq!(host.finds("Observation", in_set).await, "Observation/b");
    host.purge("ValueSet/v").await;
    assert_eq!(host.finds("Observation", in_set).await, unknown);
}

async fn the_standard_is_overridden(settings: Settings) {
    let host = world(settings).await;
    let query = format!("gender:in={SEX}");
    assert_eq!(host.finds("Patient", &query).await, "Patient/m Patient/f");
    let system = "http://hl7.org/fhir/administrative-gender";
    host.put("ValueSet/s", &value_set("s", SEX, system, &["male"]), &[])
        .await;
    assert_eq!(host.finds("Patient", &query).await, "Patient/m");
    host.delete("ValueSet/s").await;
    assert_eq!(host.finds("Patient", &query).await, "Patient/m Patient/f");
}

async fn code_systems_change(settings: Settings) {
    let host = world(settings).await;
    let below = "code:below=http://x/cs|a";
    let missing = host.finds("Observation", below).await;
    assert!(
        missing.contains("content of the code system `http://x/cs` is missing"),
        "{missing}"
    );
    let nested = r#"{"code":"a","concept":[{"code":"b"}]},{"code":"c"}"#;
    host.put("CodeSystem/cs", &code_system(nested), &[]).await;
    assert_eq!(
        host.finds("Observation", below).await,
        "Observation/a Observation/b"
    );
    assert_eq!(
        host.finds("Observation", "code:above=http://x/cs|b").await,
        "Observation/a Observation/b"
    );
    // A value set that takes its codes from the system changes with it.
    let filter = r#""filter":[{"property":"concept","op":"is-a","value":"a"}]"#;
    let set = resource(
        "ValueSet",
        &format!(
            r#""id":"v","status":"active","url":"http://x/v","compose":{{"include":[{{"system":"http://x/cs",{filter}}}]}}"#
        ),
    );
    host.put("ValueSet/v", &set, &[]).await;
    assert_eq!(
        host.finds("Observation", "code:in=http://x/v").await,
        "Observation/a Observation/b"
    );
    host.put(
        "CodeSystem/cs",
        &code_system(r#"{"code":"a","concept":[{"code":"c"}]}"#),
        &[],
    )
    .await;
    assert_eq!(
        host.finds("Observation", below).await,
        "Observation/a Observation/c"
    );
    assert_eq!(
        host.finds("Observation", "code:in=http://x/v").await,
        "Observation/a Observation/c"
    );
    host.delete("CodeSystem/cs").await;
    assert_eq!(host.finds("Observation", below).await, missing);
    let in_set = host.finds("Observation", "code:in=http://x/v").await;
    assert!(in_set.contains("`http://x/cs` is missing"), "{in_set}");
}

/// With all room, with room for a single answer, and with none.
#[tokio::test]
async fn changes_are_seen_at_once() {
    for terminology_cache_bytes in [64 << 20, 2_000, 0] {
        let settings = || Settings {
            terminology_cache_bytes,
            ..Settings::default()
        };
        every_change_is_seen(settings()).await;
        the_standard_is_overridden(settings()).await;
        code_systems_change(settings()).await;
    }
}

#[tokio::test]
async fn what_is_kept_is_not_shown_to_others() {
    let host = world(Settings::default()).await;
    host.put(
        "ValueSet/v",
        &value_set("v", "http://x/v", "http://x/cs", &["a"]),
        &[],
    )
    .await;
    let query = "code:in=http://x/v";
    assert_eq!(host.finds("Observation", query).await, "Observation/a");
    // Somebody who may not see the value set.
    let nothing = Visibility::everything().with("ValueSet", Filter::NOTHING);
    let blind = host.with_caller(Caller {
        visibility: Arc::new(nothing),
        ..host.caller.clone()
    });
    let unknown = blind.finds("Observation", query).await;
    assert!(unknown.contains("`http://x/v` is not known"), "{unknown}");
    assert_eq!(host.finds("Observation", query).await, "Observation/a");
    // Another tenant, and a tenant of the same name.
    let tenant = TenantId::parse("other").unwrap();
    let other = host.with_caller(Caller {
        tenant: tenant.clone(),
        ..host.caller.clone()
    });
    for code in ["a", "b"] {
        host.interactions
            .store()
            .create_tenant(&tenant)
            .await
            .unwrap();
        other
            .put("Observation/a", &observation("a", "a"), &[])
            .await;
        other
            .put("Observation/b", &observation("b", "b"), &[])
            .await;
        assert_eq!(other.finds("Observation", query).await, unknown);
        other
            .put(
                "ValueSet/v",
                &value_set("v", "http://x/v", "http://x/cs", &[code]),
                &[],
            )
            .await;
        assert_eq!(
            other.finds("Observation", query).await,
            format!("Observation/{code}")
        );
        host.interactions.delete_tenant(&tenant).await.unwrap();
    }
}

/// Time of one search, with and without what is kept.
#[tokio::test]
async fn a_large_value_set_is_evaluated_once() {
    let codes: Vec<String> = (0..5_000).map(|it| format!("c{it}")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let mut took = Vec::new();
    for terminology_cache_bytes in [0, 64 << 20] {
        let host = world(Settings {
            terminology_cache_bytes,
            ..Settings::default()
        })
        .await;
        host.put(
            "ValueSet/v",
            &value_set("v", "http://x/v", "http://x/cs", &codes),
            &[],
        )
        .await;
        let times = sweep(20, 200);
        let began = Instant::now();
        for _ in 0..times {
            assert_eq!(
                host.search("Observation", "code:in=http://x/v")
                    .await
                    .entries
                    .len(),
                0
            );
        }
        took.push(began.elapsed() / u32::try_from(times).unwrap());
        assert_eq!(
            host.interactions.terminology_use().bytes > 0,
            terminology_cache_bytes > 0
        );
        assert!(host.interactions.terminology_use().bytes <= terminology_cache_bytes);
    }
    println!("isthmus-suite: a value set of 5,000 codes: {took:?} a search: 2 cases");
}
