//! The whole stack against the slow, obvious evaluator, on generated worlds and queries.
//!
//! A small invented world has something for every kind of parameter, modifier and comparator
//! ([`queries`]); a large one has random resources of every type, searched by every parameter
//! ([`asked`]). Seeds are printed; a failure names its query.

mod asked;
mod check;
mod everything;
mod queries;
mod samples;
mod stored;
mod tally;
mod world;

use fhir::{Definitions, FhirVersion, Instant};
use interactions::Settings;
use search::query::ParameterKind as Kind;
use search::reference::Bases;
use search::registry::{Parameter, Registry};
use search::yardstick::{Stored, Yardstick};

use crate::harness::{Host, host_with, sweep};
use asked::{Asked, Asker};
use check::{check, expected};
use queries::{About, cells, dressed, query};
use tally::Tally;
use world::Dice;

/// Queries of each cell and seed in the small world.
const OF_EACH_CELL: usize = 8;

/// Resources of each type in the large world.
const OF_EACH_TYPE: usize = 20;

/// Entries of a transaction in the small and in the large world.
const ENTRIES: [usize; 2] = [5, 150];

/// Queries of a cell at most until something matches and something does not.
const TRIES_MAX: usize = 200;

/// Queries of several types at once, for each round of the others.
const OF_MANY_TYPES: usize = 25;

#[tokio::test]
async fn answers_are_those_of_the_slow_evaluator() {
    let mut tally = Tally::default();
    for seed in 0..sweep(2, 60) {
        for version in FhirVersion::ALL {
            println!("seed {seed} {version}");
            compare(version, &mut Dice(seed as u64), &mut tally).await;
        }
    }
    tally.demand("search against the yardstick");
    assert!(tally.refused.is_empty(), "{:?}", tally.refused);
}

async fn compare(version: FhirVersion, dice: &mut Dice, tally: &mut Tally) {
    let host = host_with(version, settings());
    let world = stored::written(&host, &world::resources(version, dice), ENTRIES[0]).await;
    let bases = Bases::default();
    let yardstick = Yardstick::new(version, &bases, now(), &world);
    let instants = world.iter().map(|it| Instant::from_micros(it.updated));
    let instants: Vec<String> = instants.map(|it| it.to_string()).collect();
    let about = About {
        version,
        instants: &instants,
    };
    for cell in cells()
        .into_iter()
        .cycle()
        .take(cells().len() * OF_EACH_CELL)
    {
        let (kind, criterion) = query(cell, about, dice);
        let plain = criterion.replace('|', "%7C").replace('$', "%24");
        let (other, text) = dressed(kind, &plain, dice);
        for (kind, text, cell) in [(kind, plain, Some(cell)), (other, text, None)] {
            let asked = Asked {
                kind,
                types: None,
                within: None,
                text,
                cell,
            };
            let expected = expected(&yardstick, version, &asked);
            let checked = check(&host, &yardstick, &world, &asked, expected).await;
            tally.add(cell, checked);
        }
    }
}

#[tokio::test]
async fn every_parameter_of_every_stu3_type_answers_as_the_slow_evaluator_does() {
    of_every_type(FhirVersion::Stu3).await;
}

#[tokio::test]
async fn every_parameter_of_every_r4_type_answers_as_the_slow_evaluator_does() {
    of_every_type(FhirVersion::R4).await;
}

async fn of_every_type(version: FhirVersion) {
    let mut tally = Tally::default();
    for seed in 0..sweep(1, 8) {
        println!("seed {seed} {version}");
        compare_all(version, seed as u64, sweep(3, 12), &mut tally).await;
    }
    tally.demand(&format!(
        "search of every {version} type against the yardstick"
    ));
    let all = Definitions::of(version).resources();
    let all: usize = all
        .map(|it| Registry::of(version).parameters(it.name).len())
        .sum();
    let found = tally.found.len();
    println!("{version}: {found} of {all} parameters found some and not all");
    assert!(2 * found >= all, "{version}: {found} of {all}");
    let refused: usize = tally.refused.values().sum();
    assert!(
        50 * refused < tally.asked.queries,
        "{refused} queries refused"
    );
}

async fn compare_all(version: FhirVersion, seed: u64, rounds: usize, tally: &mut Tally) {
    let mut dice = Dice(seed);
    let host = host_with(version, settings());
    let resources = everything::resources(version, OF_EACH_TYPE, &mut dice);
    let world = stored::written(&host, &resources, ENTRIES[1]).await;
    let bases = Bases::default();
    let yardstick = Yardstick::new(version, &bases, now(), &world);
    let mut asker = Asker::new(version, OF_EACH_TYPE, &world, dice);
    for _ in 0..rounds * OF_MANY_TYPES {
        if let Some(asked) = asker.about_many() {
            let expected = expected(&yardstick, version, &asked);
            let checked = check(&host, &yardstick, &world, &asked, expected).await;
            tally.add(None, checked);
        }
    }
    let kinds = Definitions::of(version).resources();
    for kind in kinds.filter(|it| !it.is_abstract).map(|it| it.name) {
        for parameter in Registry::of(version).parameters(kind) {
            for _ in 0..rounds * weight(parameter) {
                // What finds nothing or everything tells little: then another one, whatever it finds.
                let ask = |asker: &mut Asker<'_>| {
                    let asked = asker.about(kind, parameter)?;
                    let expected = expected(&yardstick, version, &asked);
                    Some((asked, expected))
                };
                let first = ask(&mut asker);
                let is_telling = matches!(&first, Some((_, Ok(it))) if it.tells());
                let chosen = if is_telling { first } else { ask(&mut asker) };
                let Some((asked, expected)) = chosen else {
                    continue;
                };
                let checked = check(&host, &yardstick, &world, &asked, expected).await;
                if asked.cell.is_some() && checked.tells() {
                    tally.found.insert((kind, parameter.definition.code));
                }
                tally.add(asked.cell, checked);
            }
        }
    }
    fill(&host, &yardstick, &world, &mut asker, tally).await;
}

/// Asks for what the table lacks.
async fn fill(
    host: &Host,
    yardstick: &Yardstick<'_>,
    world: &[Stored],
    asker: &mut Asker<'_>,
    tally: &mut Tally,
) {
    for cell in cells() {
        for _ in 0..TRIES_MAX {
            if tally.has_both(cell) {
                break;
            }
            let Some(asked) = asker.about_cell(cell) else {
                continue;
            };
            let expected = expected(yardstick, host.caller.version, &asked);
            let checked = check(host, yardstick, world, &asked, expected).await;
            tally.add(Some(cell), checked);
        }
    }
}

/// There are few parameters with comparators.
fn weight(parameter: &Parameter) -> usize {
    match Kind::of(&parameter.facets) {
        Kind::Number | Kind::Quantity | Kind::Place | Kind::Composite => 6,
        _ => 1,
    }
}

/// Room for what `_include:iterate=*` gathers in a world.
fn settings() -> Settings {
    Settings {
        includes_per_page_max: 100_000,
        ..Settings::default()
    }
}

fn now() -> Instant {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Instant::from_micros(i64::try_from(now.unwrap().as_micros()).unwrap())
}
