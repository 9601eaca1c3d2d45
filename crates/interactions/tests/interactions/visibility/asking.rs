//! Questions, and their answers as text: everything that a client would be given.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use interactions::{
    Caller, Handling, HistoryQuery, HistoryScope, InteractionError, Matched, ReadOutcome,
    SearchAnswer, SearchMode, Within,
};
use store::HistoryOrder;

use super::stage::Stage;
use super::words::{COMMON, CONTAINED, CRITERIA, INCLUDES, LOOKUPS, Random, SORTS, words_of};
use super::world::{Standing, Thing, World};
use crate::harness::key;

/// More pages than any result has.
const PAGES_MAX: usize = 500;

#[derive(Debug, Clone)]
pub(super) enum Question {
    Read(String),
    Vread(String, u64),
    History(HistoryScope, String, HistoryOrder),
    Search(Within, String),
}

/// What the questions were like.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) asked: usize,
    pub(super) not_empty: usize,
    /// So often a caller who sees everything is answered otherwise.
    pub(super) differs_from_everything: usize,
    pub(super) hidden_deleted: usize,
    pub(super) seen_deleted: usize,
    pub(super) forbidden: usize,
    pub(super) permitted: usize,
    /// Answers that differ, a few of them.
    pub(super) wrong: Vec<String>,
}

/// Differences that are told.
const WRONG_MAX: usize = 8;

impl Tally {
    /// Notes where two answers begin to differ.
    pub(super) fn demand_equal(&mut self, found: &str, expected: &str, what: impl Fn() -> String) {
        if found == expected || self.wrong.len() >= WRONG_MAX {
            return;
        }
        let lines = found.lines().zip(expected.lines());
        let same = lines.take_while(|(one, other)| one == other).count();
        let line = |text: &str| text.lines().nth(same).unwrap_or("(no more)").to_owned();
        let (found, expected) = (line(found), line(expected));
        self.wrong.push(format!(
            "{}\n    line {same}\n    found    {found}\n    expected {expected}",
            what()
        ));
    }

    pub(super) fn compare(&mut self, found: &str, everything: &str) {
        self.asked += 1;
        self.not_empty += usize::from(found.contains("resourceType"));
        self.differs_from_everything += usize::from(found != everything);
    }

    pub(super) fn count(&mut self, world: &World, hidden: &BTreeSet<Thing>) {
        let is_deleted = |it: &&Thing| matches!(world.standing(it), Standing::Deleted(Some(_)));
        for thing in world.things.iter().filter(is_deleted) {
            let count = if hidden.contains(thing) {
                &mut self.hidden_deleted
            } else {
                &mut self.seen_deleted
            };
            *count += 1;
        }
    }
}

/// All reads and histories of a world, and so many searches.
pub(super) fn questions(random: &mut Random, world: &World, searches: usize) -> Vec<Question> {
    let mut all = Vec::new();
    for thing in &world.things {
        let place = super::shown(thing);
        all.extend((1..=3).map(|version| Question::Vread(place.clone(), version)));
        let scope = HistoryScope::Instance(key(&place));
        all.push(history(random, scope));
        all.push(Question::Read(place));
    }
    for kind in World::kinds() {
        all.push(Question::Read(format!("{kind}/never")));
        all.push(history(random, HistoryScope::Type(kind.to_owned())));
    }
    all.extend((0..8).map(|_| history(random, HistoryScope::System)));
    all.extend((0..searches).map(|_| search(random)));
    all
}

fn history(random: &mut Random, scope: HistoryScope) -> Question {
    let bound = random.text(&[
        "",
        "",
        "_since=2030-01-01T00:00:#0Z",
        "_before=2030-01-01T00:00:5#Z",
        "_at=2030-01-01T00:00:4#Z",
    ]);
    let count = random.text(&["", "_count=1", "_count=2", "_count=5", "_summary=count"]);
    let orders = [HistoryOrder::NewestFirst, HistoryOrder::OldestFirst];
    let order = *random.of(&orders);
    Question::History(scope, joined(&[bound, count]), order)
}

fn search(random: &mut Random) -> Question {
    let kinds: Vec<&str> = World::kinds().collect();
    let kind = *random.of(&kinds);
    match random.below(100) {
        0..10 => return of_compartment(random),
        10..20 => return of_many_types(random),
        20..32 => return of_contained(random),
        32..37 => {
            let criterion = random.text(words_of(CRITERIA, kind));
            let parts = 2 + random.below(3);
            return partition(Within::Type(kind.to_owned()), &criterion, parts);
        }
        37..40 => return partition(Within::System, &random.text(COMMON), 3),
        _ => {}
    }
    let mut parts = Vec::new();
    for (table, percent) in [
        (CRITERIA, 70),
        (CRITERIA, 20),
        (LOOKUPS, 25),
        (SORTS, 30),
        (INCLUDES, 30),
    ] {
        if random.percent(percent) {
            let sort = if table == SORTS { "_sort=" } else { "" };
            parts.push(sort.to_owned() + &random.text(words_of(table, kind)));
        }
    }
    parts.push(random.text(&["", "_count=#", "_count=1", "_summary=count", "_total=none"]));
    parts.push(random.text(&["", "", "_total=accurate"]));
    Question::Search(Within::Type(kind.to_owned()), joined(&parts))
}

fn of_compartment(random: &mut Random) -> Question {
    let of = key(&random.text(&["Patient/p#", "Encounter/e#"]));
    let named = random.percent(50).then(|| "Observation".to_owned());
    let criterion = match (&named, random.below(2)) {
        (_, 0) => String::new(),
        (None, _) => random.text(COMMON),
        (Some(kind), _) => random.text(words_of(CRITERIA, kind)),
    };
    let within = Within::Compartment {
        of,
        resource_type: named,
    };
    let more = random.text(&["_count=2", "_total=accurate", "_include=*"]);
    Question::Search(within, joined(&[criterion, more]))
}

fn of_many_types(random: &mut Random) -> Question {
    let types = random.text(&[
        "",
        "_type=Patient,Observation",
        "_type=Basic,List,Patient,Encounter",
    ]);
    let criterion = if random.percent(60) {
        random.text(COMMON)
    } else {
        String::new()
    };
    let more = random.text(&[
        "_count=3",
        "_total=accurate&_count=2",
        "_sort=-_lastUpdated",
        "_sort=_id&_count=4",
        "_summary=count",
        "_include=*",
    ]);
    Question::Search(Within::System, joined(&[types, criterion, more]))
}

fn of_contained(random: &mut Random) -> Question {
    let (kind, words) = *random.of(CONTAINED);
    let given = random.text(&[
        "_contained=true",
        "_contained=both",
        "_contained=true&_containedType=contained",
        "_contained=both&_containedType=contained",
    ]);
    let sort = random.text(&[
        "",
        "_sort=-family",
        "_sort=_id",
        "_sort=_lastUpdated,family",
    ]);
    let more = random.text(&["_count=2", "_total=accurate&_count=3", "_include=*"]);
    let parts = [random.text(words), given, sort, more];
    Question::Search(Within::Type(kind.to_owned()), joined(&parts))
}

fn joined(parts: &[String]) -> String {
    let mut parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    parts.retain(|it| !it.is_empty());
    parts.join("&")
}

/// What a client would percent-encode.
pub(super) fn encoded(query: &str) -> String {
    query.replace('|', "%7C").replace('$', "%24")
}

impl Stage {
    /// What the caller is answered: all pages.
    pub(super) async fn ask(&self, caller: &Caller, question: &Question) -> String {
        let it = &self.interactions;
        match question {
            Question::Read(place) => read(it.read(caller, &key(place)).await),
            Question::Vread(place, version) => {
                let version = version.to_string();
                read(it.vread(caller, &key(place), &version).await)
            }
            Question::History(of, query, order) => {
                let ask = async |query: String| {
                    let (of, order) = (of.clone(), *order);
                    it.history(caller, HistoryQuery { of, query, order }).await
                };
                paged(query, ask).await
            }
            Question::Search(within, query) => {
                let ask = async |query: String| {
                    let within = within.clone();
                    it.search(caller, within, &query, Handling::Strict).await
                };
                paged(&encoded(query), ask).await
            }
        }
    }
}

/// One part of a search, whichever.
fn partition(within: Within, query: &str, of: usize) -> Question {
    let part = 1 + query.len() % of;
    Question::Search(within, format!("{query}&_partition={part}/{of}&_count=2"))
}

async fn paged(
    first: &str,
    ask: impl AsyncFn(String) -> Result<SearchAnswer, InteractionError>,
) -> String {
    let mut text = String::new();
    let mut query = first.to_owned();
    for number in 0..PAGES_MAX {
        let answer = match ask(query).await {
            Ok(answer) => answer,
            Err(error) => return text + &refusal(&error),
        };
        // The link of a later page is the token that led to it.
        let own = if number == 0 { &*answer.self_query } else { "" };
        writeln!(text, "page {number} `{own}`").unwrap();
        text += &page(&answer);
        match answer.next_query {
            Some(next) => query = next,
            None => return text,
        }
    }
    panic!("the pages do not end");
}

pub(super) fn page(answer: &SearchAnswer) -> String {
    let mut text = format!("{} {:?} {:?}\n", answer.kind, answer.total, answer.issues);
    for entry in &answer.entries {
        match entry {
            Matched::Contained {
                container,
                id,
                json,
            } => {
                let json = std::str::from_utf8(json).unwrap();
                writeln!(text, "{container}#{id} {json}").unwrap();
            }
            Matched::Deleted(it) => {
                writeln!(text, "{it:?} {} {}", it.key, it.last_updated).unwrap();
            }
            Matched::Resource {
                resource,
                mode,
                method,
                created,
            } => {
                let mark = if *mode == SearchMode::Include {
                    "+"
                } else {
                    ""
                };
                let json = resource.json();
                let json = std::str::from_utf8(&json).unwrap();
                let key = &resource.key;
                writeln!(text, "{mark}{key} {method} {created} {json}").unwrap();
            }
        }
    }
    text
}

pub(super) fn read(outcome: Result<ReadOutcome, InteractionError>) -> String {
    match outcome {
        Ok(ReadOutcome::Found(it)) => String::from_utf8(it.json().to_vec()).unwrap(),
        Ok(ReadOutcome::Deleted(it)) => format!("{it:?} {} {}", it.key, it.last_updated),
        Err(error) => refusal(&error),
    }
}

pub(super) fn refusal(error: &InteractionError) -> String {
    format!("{:?} {:?}", error.issues, error.cause)
}
