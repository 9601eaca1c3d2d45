//! What happens when several do it at once.

use std::sync::Arc;

use fhir::FhirVersion;
use interactions::{Caller, Interactions, Write, WriteEffect};

use crate::bundles::bundle;
use crate::harness::{document, host, issues, key, patient, sweep};

fn create(value: usize) -> Write {
    let text = patient(&format!(
        r#""identifier":[{{"system":"http://new{value}","value":"{value}"}}]"#
    ));
    let if_none_exist = Some(format!("identifier=http://new{value}|{value}"));
    Write::Create {
        resource_type: "Patient".into(),
        resource: document(&text),
        if_none_exist,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_conditional_creates_make_one() {
    let host = host(FhirVersion::R4);
    let rounds = sweep(50, 1_000);
    for round in 0..rounds {
        let running: Vec<_> = (0..8)
            .map(|_| {
                let (interactions, caller) = (host.interactions.clone(), host.caller.clone());
                tokio::spawn(async move { interactions.write(&caller, create(round)).await })
            })
            .collect();
        let mut created = 0;
        for it in running {
            let answer = it.await.unwrap().map_err(|it| issues(&it)).unwrap();
            created += usize::from(answer.effect == WriteEffect::Created);
        }
        assert_eq!(created, 1, "round {round}");
    }
    assert_eq!(host.count("Patient").await, rounds as u64);
    println!("isthmus-suite: parallel conditional creates: {rounds} cases");
}

async fn increment(interactions: &Interactions, caller: &Caller) {
    loop {
        let interactions::ReadOutcome::Found(found) =
            interactions.read(caller, &key("Patient/a")).await.unwrap()
        else {
            panic!()
        };
        let json = document(std::str::from_utf8(&found.json()).unwrap());
        let count: u32 = json
            .root()
            .get("multipleBirthInteger")
            .unwrap()
            .as_number()
            .unwrap()
            .parse()
            .unwrap();
        let text = patient(&format!(r#""id":"a","multipleBirthInteger":{}"#, count + 1));
        let if_match = vec![found.version.to_string()];
        let update = Write::Update {
            key: key("Patient/a"),
            resource: document(&text),
            if_match,
            only_create: false,
        };
        match interactions.write(caller, update).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.issues[0].fault, fhir::Fault::VersionMismatch),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_with_if_match_is_lost() {
    let host = host(FhirVersion::R4);
    host.put(
        "Patient/a",
        &patient(r#""id":"a","multipleBirthInteger":0"#),
        &[],
    )
    .await;
    let running: Vec<_> = (0..20)
        .map(|_| {
            let (interactions, caller) = (host.interactions.clone(), host.caller.clone());
            tokio::spawn(async move { increment(&interactions, &caller).await })
        })
        .collect();
    for it in running {
        it.await.unwrap();
    }
    assert!(
        host.read("Patient/a")
            .await
            .contains(r#""multipleBirthInteger":20"#)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_transactions_on_the_same_resources_succeed_or_conflict() {
    let host = Arc::new(host(FhirVersion::R4));
    let running: Vec<_> = (0..40_usize)
        .map(|round| {
            let host = Arc::clone(&host);
            let texts: Vec<(String, String)> = (0..5)
                .map(|at| {
                    let id = (round * 3 + at) % 7;
                    (
                        format!("PUT Patient/p{id}"),
                        patient(&format!(r#""id":"p{id}","multipleBirthInteger":{round}"#)),
                    )
                })
                .collect();
            tokio::spawn(async move {
                let entries: Vec<_> = texts
                    .iter()
                    .map(|(call, text)| ("", call.as_str(), "", text.as_str()))
                    .collect();
                host.run(&bundle("transaction", &entries))
                    .await
                    .map(|_| ())
                    .map_err(|it| it.issues[0].fault)
            })
        })
        .collect();
    for it in running {
        let done = it.await.unwrap();
        assert!(
            matches!(
                done,
                Ok(()) | Err(fhir::Fault::Conflict | fhir::Fault::VersionMismatch)
            ),
            "{done:?}"
        );
    }
    assert_eq!(host.count("Patient").await, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeat_waits_for_the_first() {
    let host = host(FhirVersion::R4);
    let caller = Caller {
        idempotency: Some(("k".into(), [1; 32])),
        ..host.caller.clone()
    };
    let running: Vec<_> = (0..8)
        .map(|_| {
            let (interactions, caller) = (host.interactions.clone(), caller.clone());
            let create = Write::Create {
                resource_type: "Patient".into(),
                resource: document(&patient("")),
                if_none_exist: None,
            };
            tokio::spawn(async move {
                interactions
                    .write(&caller, create)
                    .await
                    .unwrap()
                    .resource
                    .unwrap()
                    .key
            })
        })
        .collect();
    let mut keys = std::collections::HashSet::new();
    for it in running {
        keys.insert(it.await.unwrap());
    }
    assert_eq!((keys.len(), host.count("Patient").await), (1, 1));
}
