//! Conditional writes whose criteria are built from other resources, while these change.

use std::collections::BTreeMap;

use fhir::FhirVersion;
use interactions::{HistoryQuery, HistoryScope, Matched, Write, WriteEffect};
use store::HistoryOrder;

use crate::harness::{Host, document, host, issues, key, resource, sweep};

fn value_set(round: usize, code: &str) -> String {
    resource(
        "ValueSet",
        &format!(
            r#""id":"v","status":"active","url":"http://x/v","compose":{{"include":[
               {{"system":"http://x/s{round}","concept":[{{"code":"{code}"}}]}}]}}"#
        ),
    )
}

fn observation(round: usize, code: &str) -> String {
    let members = r#""status":"final","code":{"coding":[{"system":"http://x/s"#;
    resource(
        "Observation",
        &format!(r#"{members}{round}","code":"{code}"}}]}}"#),
    )
}

fn list(ids: &[&str]) -> String {
    let entry = |id: &&str| format!(r#"{{"item":{{"reference":"Observation/{id}"}}}}"#);
    let entries: Vec<String> = ids.iter().map(entry).collect();
    let members = r#""id":"l","status":"current","mode":"working","entry":["#;
    resource("List", &format!("{members}{}]", entries.join(",")))
}

/// What was written, oldest first: type, whether it was created, and the codes in it.
async fn told(host: &Host) -> Vec<(String, bool, String)> {
    let query = HistoryQuery {
        of: HistoryScope::System,
        query: "_count=1000".to_owned(),
        order: HistoryOrder::NewestFirst,
    };
    let page = host
        .interactions
        .history(&host.caller, query)
        .await
        .unwrap();
    assert!(page.next_query.is_none(), "one page");
    let entry = |it| match it {
        Matched::Resource {
            resource, created, ..
        } => {
            let text = String::from_utf8_lossy(&resource.json()).into_owned();
            let code = text
                .split(r#""code":""#)
                .nth(1)
                .and_then(|it| it.split('"').next());
            let code = code.unwrap_or_default().to_owned();
            (resource.key.resource_type.to_string(), created, code)
        }
        Matched::Contained { .. } | Matched::Deleted(_) => panic!("there are only resources"),
    };
    let mut told: Vec<_> = page.entries.into_iter().map(entry).collect();
    told.reverse();
    told
}

/// Whether every Observation was created while none had a code of the value set of that moment.
fn faults(told: &[(String, bool, String)]) -> usize {
    let (mut members, mut there) = (String::new(), BTreeMap::<&str, usize>::new());
    let mut faults = 0;
    for (kind, created, code) in told {
        match (kind.as_str(), created) {
            ("ValueSet", _) => members.clone_from(code),
            ("Observation", true) => {
                faults += usize::from(there.contains_key(&*members));
                *there.entry(code).or_default() += 1;
            }
            _ => panic!("{kind}"),
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conditional_creates_follow_their_value_set() {
    let rounds = sweep(30, 600);
    let (mut created, mut faulty) = (0, 0);
    for round in 0..rounds {
        let host = host(FhirVersion::R4);
        host.put("ValueSet/v", &value_set(round, "a"), &[]).await;
        let mut running = Vec::new();
        for code in ["a", "b", "a", "b", "c"] {
            let (interactions, caller) = (host.interactions.clone(), host.caller.clone());
            let create = Write::Create {
                resource_type: "Observation".into(),
                resource: document(&observation(round, code)),
                if_none_exist: Some("code:in=http://x/v".into()),
            };
            running.push(tokio::spawn(async move {
                match interactions.write(&caller, create).await {
                    Ok(answer) => usize::from(answer.effect == WriteEffect::Created),
                    // Two of a code that the set did not have, before it got it.
                    Err(error) => {
                        let told = issues(&error);
                        assert!(told.starts_with("MultipleMatches"), "{told}");
                        0
                    }
                }
            }));
        }
        let (interactions, caller) = (host.interactions.clone(), host.caller.clone());
        let changing = tokio::spawn(async move {
            for code in ["b", "c", "a", "b", "a"] {
                let update = Write::Update {
                    key: key("ValueSet/v"),
                    resource: document(&value_set(round, code)),
                    if_match: Vec::new(),
                    only_create: false,
                };
                interactions.write(&caller, update).await.unwrap();
            }
        });
        for it in running {
            created += it.await.unwrap();
        }
        changing.await.unwrap();
        faulty += faults(&told(&host).await);
    }
    println!(
        "isthmus-suite: creates while their value set changes: {rounds} cases, {created} created"
    );
    assert_eq!(faulty, 0, "of {created} created");
    assert!(
        created > rounds,
        "several value sets were met: {created} in {rounds}"
    );
}

/// What a plan was built from changes between planning and commit: the decision is made again.
#[tokio::test]
async fn criteria_are_built_anew_when_their_sources_change() {
    let host = host(FhirVersion::R4);
    host.put("ValueSet/v", &value_set(0, "a"), &[]).await;
    let with_id = observation(0, "a").replacen('{', r#"{"id":"a","#, 1);
    let put = host.put("Observation/a", &with_id, &[]).await;
    assert_eq!(put, "Created Observation v1");
    let by_set = Some("code:in=http://x/v");
    assert!(
        host.create(&observation(0, "b"), by_set)
            .await
            .starts_with("Unchanged")
    );
    host.put("ValueSet/v", &value_set(0, "b"), &[]).await;
    assert!(
        host.create(&observation(0, "b"), by_set)
            .await
            .starts_with("Created")
    );
    host.put("List/l", &list(&["a"]), &[]).await;
    let by_list = Some("_list=l");
    assert!(
        host.create(&observation(0, "c"), by_list)
            .await
            .starts_with("Unchanged")
    );
    host.put("List/l", &list(&["none"]), &[]).await;
    assert!(
        host.create(&observation(0, "c"), by_list)
            .await
            .starts_with("Created")
    );
}
