//! A world written to a host, and read back as the evaluator needs it.

use std::collections::BTreeSet;

use fhir::Definitions;
use interactions::{EntryAnswer, WriteEffect, space_of};
use search::yardstick::Stored;
use store::{At, NameKind, RecordId, RecordKey, TypeNumber};

use crate::harness::{Host, document, issues};

/// One in so many is deleted again, so that something refers to what is no more.
const KEPT: usize = 19;

/// A resource: its type, its id and its text.
pub(super) type Made = (&'static str, String, String);

/// Writes a world in the order given, so many entries to a transaction, all of which share an
/// instant; of what has a type and id in common, the last one stays.
pub(super) async fn written(host: &Host, resources: &[Made], entries: usize) -> Vec<Stored> {
    let mut open: Vec<&Made> = resources.iter().collect();
    while !open.is_empty() {
        let (mut now, mut later, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for it in open {
            let is_new = seen.insert((it.0, it.1.as_str()));
            if is_new { &mut now } else { &mut later }.push(it);
        }
        for part in now.chunks(entries) {
            put(host, part).await;
        }
        open = later;
    }
    let mut live = Vec::new();
    for (place, (kind, id, text)) in newest(resources).into_iter().enumerate() {
        let is_random = id.starts_with('r');
        if is_random && place % KEPT == KEPT - 1 {
            assert_eq!(
                host.delete(&format!("{kind}/{id}")).await.split(' ').next(),
                Some("Deleted(1)")
            );
        } else {
            live.push((*kind, id.as_str(), text.as_str()));
        }
    }
    read_back(host, &live).await
}

fn newest(resources: &[Made]) -> Vec<&Made> {
    let mut seen = BTreeSet::new();
    let last = resources.iter().rev();
    last.filter(|it| seen.insert((it.0, it.1.as_str())))
        .collect()
}

async fn put(host: &Host, part: &[&Made]) {
    let entries = part.iter().map(|(kind, id, text)| {
        format!(
            r#"{{"fullUrl":"http://w/{kind}/{id}","resource":{text},"request":{{"method":"PUT","url":"{kind}/{id}"}}}}"#
        )
    });
    let entries: Vec<String> = entries.collect();
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#,
        entries.join(",")
    );
    let answer = match host.run(&bundle).await {
        Ok(answer) => answer,
        Err(error) => panic!("{}: {}", host.caller.version, issues(&error)),
    };
    for entry in answer.entries {
        let Ok(EntryAnswer::Written(written)) = entry.answer else {
            unreachable!("a transaction is written whole")
        };
        let effects = [
            WriteEffect::Created,
            WriteEffect::Updated,
            WriteEffect::Unchanged,
        ];
        assert!(effects.contains(&written.effect));
    }
}

async fn read_back(host: &Host, live: &[(&'static str, &str, &str)]) -> Vec<Stored> {
    let store = host.interactions.store();
    let (tenant, space) = (&host.caller.tenant, space_of(host.caller.version));
    let names: Vec<&str> = live.iter().map(|it| it.0).collect();
    let numbers = store.known_numbers(tenant, NameKind::Type, &names).await;
    let keys: Vec<RecordKey> = numbers
        .unwrap()
        .into_iter()
        .zip(live)
        .map(|(number, it)| RecordKey {
            space,
            kind: TypeNumber(number.unwrap()),
            id: RecordId(it.1.into()),
        })
        .collect();
    let view = store.view(tenant, At::Newest).await.unwrap();
    let records = view.read(&keys).await.unwrap();
    let definitions = Definitions::of(host.caller.version);
    let mut all: Vec<Stored> = records
        .into_iter()
        .zip(live)
        .map(|(record, (kind, id, text))| {
            let record = record.unwrap();
            Stored {
                kind: definitions.resource(kind).unwrap().name,
                id: (*id).into(),
                updated: record.time.0,
                row: record.row.0,
                content: document(text),
            }
        })
        .collect();
    all.sort_by_key(|it| it.row);
    all
}
