//! A slot whose extraction has changed: it is filled anew in the background, and what needs it waits.
//!
//! The slots that a tenant has filled stand in its row `index/r4`, as hashes of their names, and a
//! changed extraction has another name. So a build that extracted `code` otherwise is made here by
//! taking that slot's hash out of the row and its entries out of the records.

use std::sync::Arc;

use fhir::FhirVersion;
use interactions::{Caller, Handling, Interactions, Settings, Within, space_of};
use store::{
    Action, At, Change, Commit, Expected, JobId, JobState, NameKind, NamedChange, NamedKey,
    ParameterNumber, RecordId, RecordKey, Row, TypeNumber,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::harness::{Host, host, ids, issues, patient, resource};

const SLOT: &str = "token Observation.code";
const COUNT: usize = 40;
const STEP: usize = 7;

async fn filled() -> Host {
    let host = host(FhirVersion::R4);
    host.put(
        "Patient/p",
        &patient(r#""id":"p","name":[{"family":"Mori"}]"#),
        &[],
    )
    .await;
    for at in 0..COUNT {
        let code = if at % 2 == 0 { "even" } else { "odd" };
        let members = format!(
            r#""id":"o{at}","status":"final","code":{{"coding":[{{"system":"http://s","code":"{code}"}}]}},"subject":{{"reference":"Patient/p"}}"#
        );
        let text = resource("Observation", &members);
        host.put(&format!("Observation/o{at}"), &text, &[]).await;
    }
    host
}

/// What the records of Observations are found by; their keys, versions and rows.
struct Found {
    keys: Vec<RecordKey>,
    changes: Vec<Change>,
    entries_of_slot: usize,
}

async fn look(host: &Host) -> Found {
    let (store, tenant) = (host.interactions.store(), &host.caller.tenant);
    let space = space_of(FhirVersion::R4);
    let types = store
        .known_numbers(tenant, NameKind::Type, &["Observation", "Patient"])
        .await
        .unwrap();
    let kind = |at: usize| TypeNumber(types[at].unwrap());
    let key = |kind, id: &str| RecordKey {
        space,
        kind,
        id: RecordId(id.into()),
    };
    let names = store.names(tenant, NameKind::Parameter).await.unwrap();
    let slot = names
        .iter()
        .find(|it| &*it.1 == SLOT)
        .map(|it| it.0)
        .unwrap();
    let parameters: Vec<_> = names.iter().map(|it| ParameterNumber(it.0)).collect();
    let keys: Vec<_> = (0..COUNT)
        .map(|at| key(kind(0), &format!("o{at}")))
        .collect();
    let view = store.view(tenant, At::Newest).await.unwrap();
    let records: Vec<_> = view
        .read(&keys)
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .collect();
    let rows: Vec<(TypeNumber, Row)> = records.iter().map(|it| (it.key.kind, it.row)).collect();
    let entries = view.entries(space, &rows, &parameters).await.unwrap();
    let is_of_slot = |it: &&store::Entry| it.parameter == ParameterNumber(slot);
    let entries_of_slot = entries.iter().flatten().filter(is_of_slot).count();
    let without = |entries: Vec<store::Entry>| entries.into_iter().filter(|it| !is_of_slot(&it));
    let change = |(record, entries): (&store::Record, Vec<store::Entry>)| Change {
        key: record.key.clone(),
        expected: Expected::Version(record.version),
        action: Action::Index {
            entries: without(entries).collect(),
            references: vec![key(kind(1), "p")],
        },
    };
    let changes = records.iter().zip(entries).map(change).collect();
    Found {
        keys,
        changes,
        entries_of_slot,
    }
}

/// Makes the directory one of a build that extracted the slot otherwise.
async fn unfill(host: &Host) {
    let (store, tenant) = (host.interactions.store(), &host.caller.tenant);
    let found = look(host).await;
    assert_eq!((found.keys.len(), found.entries_of_slot), (COUNT, COUNT));
    let key = NamedKey("index/r4".into());
    let view = store.view(tenant, At::Newest).await.unwrap();
    let row = view
        .named(std::slice::from_ref(&key))
        .await
        .unwrap()
        .remove(0)
        .expect("a row of slots");
    let hash = xxh3_64(SLOT.as_bytes()).to_be_bytes();
    let (slots, _) = row.value.as_chunks::<8>();
    assert!(slots.contains(&hash), "the slot is complete");
    let value: Vec<u8> = slots
        .iter()
        .filter(|it| **it != hash)
        .flatten()
        .copied()
        .collect();
    let commit = Commit {
        changes: found.changes,
        named: vec![NamedChange::Put {
            key,
            value: value.into(),
            expires: None,
        }],
        ..Commit::default()
    };
    store.commit(tenant, commit).await.unwrap();
    assert_eq!(look(host).await.entries_of_slot, 0);
}

/// The same store after a restart.
fn restarted(host: &Host) -> Interactions {
    let settings = Settings {
        job_step_resources: STEP,
        ..Settings::default()
    };
    Interactions::new(Arc::clone(host.interactions.store()), settings)
}

async fn search(
    interactions: &Interactions,
    caller: &Caller,
    query: &str,
) -> Result<Vec<String>, String> {
    let within = Within::Type("Observation".to_owned());
    let found = interactions
        .search(caller, within, query, Handling::Strict)
        .await;
    found.map(|it| ids(&it)).map_err(|it| {
        let remedies = it.issues.iter().filter_map(|it| it.remedy.as_deref());
        format!("{} {}", issues(&it), remedies.collect::<String>())
    })
}

#[tokio::test]
async fn a_slot_whose_extraction_changed_is_filled_anew() {
    let host = filled().await;
    let (caller, query) = (&host.caller, "code=http://s|odd&_count=100");
    let before = search(&host.interactions, caller, query).await.unwrap();
    assert_eq!(before.len(), COUNT / 2);
    unfill(&host).await;

    let first = restarted(&host);
    let refused = search(&first, caller, query).await.unwrap_err();
    assert!(
        refused.contains("Unavailable") && refused.contains("0 of 41 resources"),
        "{refused}"
    );
    // What does not need the slot goes on, and what is written meanwhile has it.
    let others = search(
        &first,
        caller,
        "patient.family=mori&status=final&_count=100",
    )
    .await;
    assert_eq!(others.unwrap().len(), COUNT);
    let id = JobId("reindex-r4".into());
    for _ in 0..3 {
        assert_eq!(
            first.step(&caller.tenant, &id).await.unwrap(),
            Some(JobState::Running)
        );
    }
    let refused = search(&first, caller, query).await.unwrap_err();
    let done = first
        .job_of(&caller.tenant, &id)
        .await
        .unwrap()
        .unwrap()
        .progress
        .done;
    assert!((1..=3 * STEP as u64).contains(&done), "{done}");
    assert!(
        refused.contains(&format!("{done} of 41 resources")),
        "{refused}"
    );
    drop(first);

    // Another process goes on from there.
    let second = restarted(&host);
    let refused = search(&second, caller, query).await.unwrap_err();
    assert!(
        refused.contains(&format!("{done} of 41 resources")),
        "{refused}"
    );
    let mut steps = 0;
    while second.step(&caller.tenant, &id).await.unwrap() != Some(JobState::Done) {
        steps += 1;
    }
    let left = 41 - usize::try_from(done).unwrap();
    assert!(
        steps <= left.div_ceil(STEP) + 1,
        "{steps} steps: it did not begin anew"
    );
    assert_eq!(search(&second, caller, query).await.unwrap(), before);
    assert_eq!(look(&host).await.entries_of_slot, COUNT);
    assert_eq!(
        search(&restarted(&host), caller, query).await.unwrap(),
        before
    );
}
