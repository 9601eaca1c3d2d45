//! What pages promise while others write: for every kind of sort key, in both directions.
//!
//! What matched at the first page and did not change since, nor anything that its match depends on,
//! is on exactly one page, in the order that it had; everything else on one at most; the link of
//! the first page leads to all that changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhir::FhirVersion;
use interactions::{HistoryQuery, HistoryScope, Matched, SearchAnswer};
use store::HistoryOrder;

use crate::harness::{Host, host, ids, resource, sweep};

/// Observations that are there at the first page.
const COUNT: usize = 24;

/// Sorted by keys of every type that can be sorted by; the last ones are ties for most.
const SORTS: &[&str] = &[
    "",
    "_id",
    "-_id",
    "_lastUpdated",
    "-_lastUpdated",
    "value-string",
    "-value-string",
    "code",
    "-code",
    "date",
    "-date",
    "value-quantity",
    "-value-quantity",
    "subject",
    "-subject",
    "_source",
    "-_source",
    "_profile",
    "status,-date",
    "-code,value-quantity,_id",
    "-subject,code,-_lastUpdated",
];

/// What is asked for: everything, by value, and by what another resource says.
const CRITERIA: &[&str] = &["status=final", "subject:Patient.active=true"];

struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).unwrap()
    }
}

/// An Observation with random values; some are missing.
fn observation(version: FhirVersion, id: &str, dice: &mut Dice) -> String {
    let value = match dice.below(3) {
        0 => format!(
            r#","valueString":"{}""#,
            ["Ünder", "over", "zebra"][dice.below(3)]
        ),
        1 => format!(
            r#","valueQuantity":{{"value":{},"system":"http://unitsofmeasure.org","code":"{}"}}"#,
            dice.below(5),
            ["g", "kg"][dice.below(2)]
        ),
        _ => String::new(),
    };
    let source = match version {
        FhirVersion::R4 => format!(r#""source":"http://s/{}","#, dice.below(3)),
        FhirVersion::Stu3 => String::new(),
    };
    let date = match dice.below(3) {
        0 => String::new(),
        it => format!(
            r#","effectiveDateTime":"20{}-0{}""#,
            18 + it,
            1 + dice.below(9)
        ),
    };
    let members = format!(
        r#""id":"{id}","meta":{{{source}"profile":["http://p/{}"]}},"status":"{}","code":{{"coding":[{{"code":"{}"}}]}},"subject":{{"reference":"Patient/{}"}}{date}{value}"#,
        dice.below(3),
        ["final", "final", "final", "amended"][dice.below(4)],
        ["a", "b", "c"][dice.below(3)],
        ["p0", "p1", "p2"][dice.below(3)],
    );
    resource("Observation", &members)
}

async fn put_patient(host: &Host, id: &str, active: bool, round: usize) -> String {
    let members = format!(
        r#""id":"{id}","active":{active},"gender":"unknown","multipleBirthInteger":{round}"#
    );
    host.put(
        &format!("Patient/{id}"),
        &resource("Patient", &members),
        &[],
    )
    .await
}

async fn filled(version: FhirVersion, dice: &mut Dice) -> Host {
    let host = host(version);
    for (place, id) in ["p0", "p1", "p2"].into_iter().enumerate() {
        put_patient(&host, id, place < 2, 0).await;
    }
    for place in 0..COUNT {
        let id = format!("o{place}");
        let text = observation(version, &id, dice);
        host.put(&format!("Observation/{id}"), &text, &[]).await;
    }
    host
}

/// What a writer did, by type and id.
type Touched = BTreeSet<String>;

/// Creates, updates, deletes and brings back, until told to stop; at least so many times.
async fn write(
    host: Host,
    version: FhirVersion,
    seed: u64,
    stop: Arc<AtomicBool>,
    at_least: usize,
) -> Touched {
    let mut dice = Dice(seed);
    let mut touched = Touched::new();
    let mut count = 0;
    while count < at_least || !stop.load(Ordering::Relaxed) {
        count += 1;
        // Some stay as they are, so that the pages have something to promise.
        let id = format!("o{}", dice.below(COUNT / 2) * 2);
        let place = match dice.below(5) {
            0 => format!("Observation/n{seed}-{count}"),
            1 => {
                let id = ["p1", "p2"][dice.below(2)];
                let is_active = dice.below(2) == 0;
                let written = put_patient(&host, id, is_active, count).await;
                if !written.starts_with("Unchanged") {
                    touched.insert(format!("Patient/{id}"));
                }
                continue;
            }
            2 => {
                let place = format!("Observation/{id}");
                if host.delete(&place).await.starts_with("Deleted") {
                    touched.insert(place);
                }
                continue;
            }
            _ => format!("Observation/{id}"),
        };
        let id = place.rsplit('/').next().unwrap_or_default();
        let text = observation(version, id, &mut dice);
        if !host.put(&place, &text, &[]).await.starts_with("Unchanged") {
            touched.insert(place);
        }
    }
    touched
}

/// Starts two writers beside what runs.
fn writers(
    host: &Host,
    version: FhirVersion,
    seed: u64,
    stop: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<Touched>> {
    let each = (1..=2).map(|it| {
        let host = host.with_caller(host.caller.clone());
        tokio::spawn(write(host, version, 2 * seed + it, Arc::clone(stop), 12))
    });
    each.collect()
}

async fn joined(writers: Vec<tokio::task::JoinHandle<Touched>>) -> Touched {
    let mut all = Touched::new();
    for writer in writers {
        all.extend(writer.await.unwrap());
    }
    all
}

/// The rest of the pages after this one.
async fn rest(host: &Host, mut page: SearchAnswer) -> Vec<String> {
    let mut seen = ids(&page);
    let total = page.total;
    while let Some(next) = page.next_query {
        page = host.search("Observation", &next).await;
        assert_eq!(page.total, total, "the first page's total is repeated");
        assert!(page.changes.is_none(), "only the first page says so");
        seen.extend(ids(&page));
        tokio::task::yield_now().await;
    }
    seen
}

/// What the history says that changed after the first page of a search.
async fn changed(host: &Host, of: Option<&str>, since: fhir::Instant) -> BTreeSet<String> {
    let mut query = format!("_since={since}&_sort=_lastUpdated&_count=1000");
    let mut all = BTreeSet::new();
    loop {
        let scope = of.map_or(HistoryScope::System, |it| HistoryScope::Type(it.to_owned()));
        let asked = HistoryQuery {
            of: scope,
            query,
            order: HistoryOrder::NewestFirst,
        };
        let page = host
            .interactions
            .history(&host.caller, asked)
            .await
            .unwrap();
        all.extend(page.entries.iter().map(|it| match it {
            Matched::Resource { resource, .. } => resource.key.to_string(),
            Matched::Deleted(deleted) => deleted.key.to_string(),
            Matched::Contained { .. } => unreachable!("a history has versions only"),
        }));
        match page.next_query {
            Some(next) => query = next,
            None => return all,
        }
    }
}

/// The patient that an Observation was about at the first page, by its place.
fn subjects(answer: &SearchAnswer) -> BTreeMap<String, String> {
    let subject = |it: &Matched| {
        let Matched::Resource { resource, .. } = it else {
            return None;
        };
        let text = String::from_utf8(resource.json().to_vec()).ok()?;
        let (_, after) = text.split_once(r#""reference":""#)?;
        Some((
            resource.key.to_string(),
            after.split('"').next()?.to_owned(),
        ))
    };
    answer.entries.iter().filter_map(subject).collect()
}

async fn check(host: &Host, version: FhirVersion, query: &str, depends: bool, seed: u64) {
    let whole = host
        .search("Observation", &format!("{query}&_count=1000"))
        .await;
    let (before, subjects) = (ids(&whole), subjects(&whole));
    let first = host
        .search("Observation", &format!("{query}&_count=3&_total=accurate"))
        .await;
    assert_eq!(first.total, Some(before.len() as u64), "{query}");
    let stop = Arc::new(AtomicBool::new(false));
    let writers = writers(host, version, seed, &stop);
    let changes = first.changes.clone().expect("there are more pages");
    let seen = rest(host, first).await;
    stop.store(true, Ordering::Relaxed);
    let touched = joined(writers).await;
    let is_same = |it: &&String| {
        let subject = subjects.get(*it).filter(|_| depends);
        !touched.contains(*it) && subject.is_none_or(|it| !touched.contains(it))
    };
    let promised: Vec<&String> = before.iter().filter(is_same).collect();
    let kept: Vec<&String> = seen.iter().filter(|it| promised.contains(it)).collect();
    let context = format!("{version} {query}, seed {seed}");
    assert_eq!(kept, promised, "{context}: what did not change");
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(
        once.len(),
        seen.len(),
        "{context}: nothing twice in {seen:?}"
    );
    let created = [1, 2].map(|it| format!("Observation/n{}-", 2 * seed + it));
    assert!(
        !seen
            .iter()
            .any(|it| created.iter().any(|new| it.starts_with(new))),
        "{context}: what is newer than the first page is on no page"
    );
    assert_eq!(changes.resource_type.as_deref(), Some("Observation"));
    let of_type = touched.iter().filter(|it| it.starts_with("Observation/"));
    assert_eq!(
        changed(host, Some("Observation"), changes.since).await,
        of_type.cloned().collect(),
        "{context}: the link to what changed"
    );
    let system = changed(host, None, changes.since).await;
    assert_eq!(system, touched, "{context}: in the whole system");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_keeps_its_promise_while_others_write() {
    let mut cases = 0;
    for round in 0..sweep(1, 20) {
        for version in FhirVersion::ALL {
            let seed = 1 + round as u64;
            println!("seed {seed} {version}");
            let mut dice = Dice(seed);
            for sort in SORTS {
                if *sort == "_source" && version == FhirVersion::Stu3 {
                    continue;
                }
                let host = filled(version, &mut dice).await;
                for criterion in CRITERIA {
                    let sort = match (*sort, version) {
                        ("", _) | ("-_source", FhirVersion::Stu3) => String::new(),
                        (keys, _) => format!("&_sort={keys}"),
                    };
                    let query = format!("{criterion}{sort}");
                    let depends = criterion.contains("Patient");
                    check(&host, version, &query, depends, seed + 100 * cases).await;
                    cases += 1;
                }
            }
        }
    }
    println!("isthmus-suite: pages while others write: {cases} cases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_disjoint_and_complete_while_others_write() {
    const PARTS: usize = 3;
    let mut cases = 0_u64;
    for version in FhirVersion::ALL {
        for sort in ["", "&_sort=-date,code", "&_sort=subject"] {
            let host = filled(version, &mut Dice(7 + cases)).await;
            let query = format!("_count=2{sort}");
            let before = ids(&host.search("Observation", "_count=1000").await);
            let stop = Arc::new(AtomicBool::new(false));
            let writers = writers(&host, version, 1_000 + cases, &stop);
            let mut seen = Vec::new();
            for part in 1..=PARTS {
                let text = format!("{query}&_partition={part}/{PARTS}");
                let first = host.search("Observation", &text).await;
                seen.extend(rest(&host, first).await);
            }
            stop.store(true, Ordering::Relaxed);
            let touched = joined(writers).await;
            let once: BTreeSet<&String> = seen.iter().collect();
            assert_eq!(once.len(), seen.len(), "{version} {query}: nothing twice");
            let mut same = before.iter().filter(|it| !touched.contains(*it));
            assert!(
                same.all(|it| once.contains(it)),
                "{version} {query}: what did not change is in one of the parts"
            );
            cases += 1;
        }
    }
    println!("isthmus-suite: parts while others write: {cases} cases");
}
