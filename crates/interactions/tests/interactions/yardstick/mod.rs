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
mod world;

use std::collections::{BTreeMap, BTreeSet};

use fhir::{Definitions, FhirVersion, Instant};
use interactions::Settings;
use search::reference::Bases;
use search::registry::Registry;
use search::yardstick::Yardstick;

use crate::harness::{host_with, sweep};
use asked::{Asked, Asker};
use check::{Checked, check};
use queries::{Cell, cells, dressed, query};
use world::Dice;

/// Queries of each cell and seed in the small world.
const OF_EACH_CELL: usize = 8;

/// Resources of each type in the large world.
const OF_EACH_TYPE: usize = 20;

/// Queries of several types at once, for each round of the others.
const OF_MANY_TYPES: usize = 25;

/// How many differences are shown.
const SHOWN_MAX: usize = 30;

/// What came of the comparisons.
#[derive(Default)]
struct Tally {
    cells: BTreeMap<Cell, [usize; 2]>,
    /// Parameters that found something and not everything, by type and code.
    found: BTreeSet<(FhirVersion, &'static str, &'static str)>,
    queries: usize,
    pairs: usize,
    telling: usize,
    refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, cell: Option<Cell>, checked: Checked) {
        self.queries += 1;
        match checked {
            Checked::Refused(why) => *self.refused.entry(why).or_default() += 1,
            Checked::Compared {
                hits,
                searched,
                difference,
            } => {
                self.pairs += searched;
                if hits > 0 && hits < searched {
                    self.telling += searched;
                }
                if let Some(cell) = cell {
                    let [hit, missed] = self.cells.entry(cell).or_default();
                    *hit += hits;
                    *missed += searched - hits;
                }
                self.wrong.extend(difference);
            }
        }
    }

    fn print(&self, suite: &str) {
        for (cell, [hits, misses]) in &self.cells {
            println!(
                "{:?} :{} {} {hits} hits {misses} misses",
                cell.kind, cell.modifier, cell.prefix
            );
        }
        for (why, count) in &self.refused {
            println!("refused {count}: {why}");
        }
        println!(
            "{} queries, {} of {} pairs of a query that finds some and not all",
            self.queries, self.telling, self.pairs
        );
        println!("isthmus-suite: {suite}: {} cases", self.pairs);
        let shown = self.wrong.iter().take(SHOWN_MAX).cloned();
        let shown = shown.collect::<Vec<_>>().join("\n");
        assert!(shown.is_empty(), "{} differ:\n{shown}", self.wrong.len());
        assert!(
            2 * self.telling >= self.pairs,
            "{} of {} pairs tell",
            self.telling,
            self.pairs
        );
    }
}

#[tokio::test]
async fn answers_are_those_of_the_slow_evaluator() {
    let mut tally = Tally::default();
    for seed in 0..sweep(2, 60) {
        for version in FhirVersion::ALL {
            println!("seed {seed} {version}");
            compare(version, &mut Dice(seed as u64), &mut tally).await;
        }
    }
    tally.print("search against the yardstick");
    let empty = |it: &Cell| tally.cells.get(it).is_none_or(|it| it.contains(&0));
    let lacking: Vec<Cell> = cells().into_iter().filter(empty).collect();
    assert!(lacking.is_empty(), "no hits or no misses: {lacking:?}");
    assert!(tally.refused.is_empty(), "{:?}", tally.refused);
}

async fn compare(version: FhirVersion, dice: &mut Dice, tally: &mut Tally) {
    let host = host_with(version, settings());
    let world = stored::written(&host, &world::resources(version, dice)).await;
    let bases = Bases::default();
    let yardstick = Yardstick::new(version, &bases, now(), &world);
    for cell in cells()
        .into_iter()
        .cycle()
        .take(cells().len() * OF_EACH_CELL)
    {
        let (kind, criterion) = query(cell, version == FhirVersion::R4, dice);
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
            tally.add(cell, check(&host, &yardstick, &world, &asked).await);
        }
    }
}

#[tokio::test]
async fn every_parameter_of_every_type_answers_as_the_slow_evaluator_does() {
    let mut tally = Tally::default();
    for seed in 0..sweep(1, 8) {
        for version in FhirVersion::ALL {
            println!("seed {seed} {version}");
            compare_all(version, seed as u64, sweep(3, 12), &mut tally).await;
        }
    }
    tally.print("search of every type against the yardstick");
    for version in FhirVersion::ALL {
        let all = Definitions::of(version).resources();
        let all: usize = all
            .map(|it| Registry::of(version).parameters(it.name).len())
            .sum();
        let found = tally.found.iter().filter(|it| it.0 == version).count();
        println!("{version}: {found} of {all} parameters found some and not all");
    }
    let refused: usize = tally.refused.values().sum();
    assert!(50 * refused < tally.queries, "{refused} queries refused");
}

async fn compare_all(version: FhirVersion, seed: u64, rounds: usize, tally: &mut Tally) {
    let mut dice = Dice(seed);
    let host = host_with(version, settings());
    let resources = everything::resources(version, OF_EACH_TYPE, &mut dice);
    let world = stored::written(&host, &resources).await;
    let bases = Bases::default();
    let yardstick = Yardstick::new(version, &bases, now(), &world);
    let mut asker = Asker::new(version, OF_EACH_TYPE, &world, dice);
    for _ in 0..rounds * OF_MANY_TYPES {
        if let Some(asked) = asker.about_many() {
            let checked = check(&host, &yardstick, &world, &asked).await;
            tally.add(None, checked);
        }
    }
    for kind in Definitions::of(version)
        .resources()
        .filter(|it| !it.is_abstract)
    {
        for parameter in Registry::of(version).parameters(kind.name) {
            for _ in 0..rounds {
                let Some(asked) = asker.about(kind.name, parameter) else {
                    continue;
                };
                let checked = check(&host, &yardstick, &world, &asked).await;
                if asked.cell.is_some() && checked.tells() {
                    let code = parameter.definition.code;
                    tally.found.insert((version, kind.name, code));
                }
                tally.add(asked.cell, checked);
            }
        }
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
