//! The whole stack against the slow, obvious evaluator, on generated worlds and queries.

mod queries;
mod world;

use std::collections::BTreeMap;

use fhir::{Definitions, FhirVersion, Instant};
use interactions::{Handling, Matched, SearchMode, Within};
use search::query::{Context, Query, QueryLimits};
use search::reference::Bases;
use search::yardstick::{Stored, Yardstick};

use crate::harness::{Host, document, host, ids, issues, sweep};
use queries::{Cell, cells, dressed, query};
use world::Dice;

/// What came of the comparisons.
#[derive(Default)]
struct Tally {
    cells: BTreeMap<Cell, [usize; 2]>,
    pairs: usize,
    telling: usize,
    wrong: Vec<String>,
}

#[tokio::test]
async fn answers_are_those_of_the_slow_evaluator() {
    let mut tally = Tally::default();
    for seed in 0..sweep(3, 40) {
        for version in FhirVersion::ALL {
            let seed = seed as u64;
            println!("seed {seed} {version}");
            compare(version, &mut Dice(seed), &mut tally).await;
        }
    }
    let empty = |it: &Cell| tally.cells.get(it).is_none_or(|it| it.contains(&0));
    for (cell, [hits, misses]) in &tally.cells {
        println!(
            "{:?} :{} {} {hits} hits {misses} misses",
            cell.kind, cell.modifier, cell.prefix
        );
    }
    println!(
        "isthmus-suite: search against the yardstick: {} cases",
        tally.pairs
    );
    let shown = tally.wrong.iter().take(40).cloned().collect::<Vec<_>>();
    assert!(
        shown.is_empty(),
        "{} differ:\n{}",
        tally.wrong.len(),
        shown.join("\n")
    );
    let lacking: Vec<Cell> = cells().into_iter().filter(empty).collect();
    assert!(lacking.is_empty(), "no hits or no misses: {lacking:?}");
    assert!(
        2 * tally.telling >= tally.pairs,
        "{} of {} pairs tell",
        tally.telling,
        tally.pairs
    );
}

async fn compare(version: FhirVersion, dice: &mut Dice, tally: &mut Tally) {
    let host = host(version);
    let world = stored(&host, dice).await;
    let bases = Bases::default();
    for cell in cells().into_iter().cycle().take(cells().len() * 8) {
        let (kind, criterion) = query(cell, version == FhirVersion::R4, dice);
        let plain = criterion.replace('|', "%7C").replace('$', "%24");
        let yardstick = Yardstick::new(version, &bases, Instant::from_micros(now()), &world);
        check(&host, &yardstick, &world, (kind, &plain, Some(cell)), tally).await;
        let (kind, text) = dressed(kind, &plain, dice);
        check(&host, &yardstick, &world, (kind, &text, None), tally).await;
    }
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_micros()).unwrap()
}

/// Writes a world; rows are in the order of writing.
async fn stored(host: &Host, dice: &mut Dice) -> Vec<Stored> {
    let definitions = Definitions::of(host.caller.version);
    let mut all = Vec::new();
    for (place, members) in world::resources(host.caller.version, dice) {
        let (kind, id) = place.split_once('/').unwrap();
        let text = format!(r#"{{"resourceType":"{kind}","id":"{id}",{members}}}"#);
        let written = host.put(place, &text, &[]).await;
        assert!(written.starts_with("Created"), "{text}: {written}");
        let found = host.search(kind, &format!("_id={id}")).await;
        let Matched::Resource { resource, .. } = &found.entries[0] else {
            unreachable!("nothing is deleted")
        };
        all.push(Stored {
            kind: definitions.resource(kind).unwrap().name,
            id: id.into(),
            updated: resource.last_updated.micros(),
            row: all.len() as u64,
            content: document(&text),
        });
    }
    all
}

async fn check(
    host: &Host,
    yardstick: &Yardstick<'_>,
    world: &[Stored],
    (kind, text, cell): (&'static str, &str, Option<Cell>),
    tally: &mut Tally,
) {
    let bases = Bases::default();
    let context = Context {
        version: host.caller.version,
        types: &[kind],
        bases: &bases,
        handling: Handling::Strict,
        limits: QueryLimits::default(),
    };
    let text = format!("{text}&_total=accurate&_count=1000");
    let within = Within::Type(kind.to_owned());
    let answer = host
        .interactions
        .search(&host.caller, within, &text, Handling::Strict)
        .await;
    let understood = Query::parse(&text, &context);
    let (Ok(answer), Ok(understood)) = (&answer, &understood) else {
        let why = answer.as_ref().err().map(issues);
        tally
            .wrong
            .push(format!("{} {kind}?{text}: {why:?}", host.caller.version));
        return;
    };
    let expected = yardstick.matches(&[kind], understood);
    let included = yardstick.included(&expected, &understood.includes);
    let name = |it: &usize| format!("{}/{}", world[*it].kind, world[*it].id);
    let mut others: Vec<String> = included.iter().map(name).collect();
    others.sort();
    let expected: Vec<String> = expected.iter().map(name).collect();
    let is_match = |it: &&Matched| {
        matches!(
            it,
            Matched::Resource {
                mode: SearchMode::Match,
                ..
            }
        )
    };
    let count = answer.entries.iter().filter(is_match).count();
    let all = ids(answer);
    let (found, rest) = all.split_at(count);
    let mut rest = rest.to_vec();
    rest.sort();
    let of_kind = world.iter().filter(|it| it.kind == kind).count();
    tally.pairs += of_kind;
    if !expected.is_empty() && expected.len() < of_kind {
        tally.telling += of_kind;
    }
    if let Some(cell) = cell {
        let [hits, misses] = tally.cells.entry(cell).or_default();
        *hits += expected.len();
        *misses += of_kind - expected.len();
    }
    if found != expected || rest != others || answer.total != Some(expected.len() as u64) {
        tally.wrong.push(format!(
            "{} {kind}?{text}\n  found    {found:?} + {rest:?}\n  expected {expected:?} + {others:?}",
            host.caller.version
        ));
    }
}
