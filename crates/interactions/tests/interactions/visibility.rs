//! What is hidden counts as never stored: a caller who does not see everything, and one who sees
//! everything of a store in which the hidden resources were not written, are answered alike, byte
//! for byte. Worlds, visibilities and questions are generated; a failure prints the seed.
//!
//! What is hidden is found out with searches by a caller who sees everything; of a deleted resource
//! with the same search after it was put back.

mod asking;
mod sees;
mod stage;
mod words;
mod world;
mod writing;

use std::collections::BTreeSet;
use std::sync::Arc;

use fhir::{Fault, FhirVersion};
use interactions::Visibility;

use crate::harness::{host, patient, sweep};
use asking::Tally;
use sees::Sees;
use stage::{Stage, caller};
use words::Random;
use world::{Thing, World};

const VISIBILITIES: usize = 3;
const QUESTIONS: usize = 80;

#[tokio::test]
async fn hidden_resources_count_as_never_stored_in_stu3() {
    hidden_resources_count_as_never_stored(FhirVersion::Stu3).await;
}

#[tokio::test]
async fn hidden_resources_count_as_never_stored_in_r4() {
    hidden_resources_count_as_never_stored(FhirVersion::R4).await;
}

async fn hidden_resources_count_as_never_stored(version: FhirVersion) {
    let mut tally = Tally::default();
    for seed in 1..=sweep(3, 200) {
        println!("seed {seed} {version}");
        one_world(version, seed as u64, &mut tally).await;
        assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n\n"));
    }
    println!("{tally:?}");
    println!(
        "isthmus-suite: visibility in {version}: {} cases",
        tally.asked
    );
    // Otherwise the questions are no test.
    assert!(tally.differs_from_everything * 5 > tally.asked, "{tally:?}");
    assert!(tally.not_empty * 4 > tally.asked, "{tally:?}");
    assert!(
        tally.hidden_deleted > 0 && tally.seen_deleted > 0,
        "{tally:?}"
    );
    assert!(tally.forbidden > 0 && tally.permitted > 0, "{tally:?}");
}

async fn one_world(version: FhirVersion, seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let world = World::generated(version, &mut random);
    let whole = Stage::of(&world, &BTreeSet::new()).await;
    // The same once more: here deleted resources are put back to find out what they matched.
    let replayed = Stage::of(&world, &BTreeSet::new()).await;
    for number in 0..VISIBILITIES {
        let is_written = number + 1 == VISIBILITIES;
        let sees = Sees::generated(&mut random, &world, is_written);
        let hidden = sees.hidden(&world, &replayed).await;
        tally.count(&world, &hidden);
        let rest = Stage::of(&world, &hidden).await;
        let visibility = sees.visibility(&whole).await;
        let seer = caller(version, Arc::new(visibility));
        let asked = asking::questions(&mut random, &world, QUESTIONS);
        for question in &asked {
            let found = whole.ask(&seer, question).await;
            let expected = rest.ask(&rest.everything(), question).await;
            tally.demand_equal(&found, &expected, || {
                format!("{version} seed {seed}: {question:?} with {sees:?}")
            });
            let everything = whole.ask(&whole.everything(), question).await;
            tally.compare(&found, &everything);
        }
        if is_written {
            let pair = writing::Pair {
                world: &world,
                hidden: &hidden,
                whole: &whole,
                rest: &rest,
                seer: &seer,
            };
            pair.compare(&mut random, seed, tally).await;
        }
    }
}

/// Whoever does not see everything is told no counts of what is stored.
#[tokio::test]
async fn explanations_are_for_those_who_see_everything() {
    let host = host(FhirVersion::R4);
    host.create(&patient(""), None).await;
    let query = "_explain=true";
    let answer = host.search("Patient", query).await;
    assert!(!answer.issues.is_empty());
    let mut caller = host.caller.clone();
    caller.visibility = Arc::new(Visibility::everything().within(Vec::new()));
    let within = interactions::Within::Type("Patient".to_owned());
    let search = host
        .interactions
        .search(&caller, within, query, interactions::Handling::Strict);
    let refused = search.await.unwrap_err();
    assert_eq!(refused.issues[0].fault, Fault::Forbidden);
}

fn shown(thing: &Thing) -> String {
    format!("{}/{}", thing.kind, thing.id)
}
