//! What a caller sees, as text, as a visibility, and as the things that are hidden.

use std::collections::{BTreeMap, BTreeSet};

use fhir::{FhirVersion, Instant};
use interactions::{Handling, Visibility, space_of};
use search::compile::{Answers, Builder, Built};
use search::name::ByName;
use search::plan::Filter;
use search::query::{Context, Query, QueryLimits};
use search::reference::Bases;
use store::{At, NameKind, RecordKey, Row, TenantId, TypeNumber};

use super::stage::Stage;
use super::words::{CRITERIA, Random, words_of};
use super::world::{Act, Standing, Thing, World};

/// What of a type is seen.
#[derive(Debug)]
enum Rule {
    Nothing,
    All(Vec<String>),
    Any(Vec<String>),
    Not(String),
}

#[derive(Debug)]
pub(super) struct Sees {
    version: FhirVersion,
    /// Of other types everything.
    rules: BTreeMap<&'static str, Rule>,
    only: Option<BTreeSet<Thing>>,
}

impl Sees {
    /// A visibility; with `is_written` one that shows whatever is written in a `Basic`.
    pub(super) fn generated(random: &mut Random, world: &World, is_written: bool) -> Self {
        let mut rules = BTreeMap::new();
        for kind in World::kinds() {
            let mut word = || random.text(words_of(CRITERIA, kind));
            let (one, other) = (word(), word());
            let rule = match random.below(10) {
                0..3 => continue,
                3 => Rule::Nothing,
                4 => Rule::All(vec![one, other]),
                5..7 => Rule::Any(vec![one, other]),
                7 => Rule::Not(one),
                _ => Rule::All(vec![one]),
            };
            rules.insert(kind, rule);
        }
        let is_within = random.percent(30);
        let some = world.things.iter().filter(|_| random.percent(70));
        let some: BTreeSet<Thing> = some.cloned().collect();
        if is_written {
            rules.remove("Basic");
        }
        Self {
            version: world.version,
            rules,
            only: (is_within && !is_written).then_some(some),
        }
    }

    pub(super) async fn visibility(&self, stage: &Stage) -> Visibility {
        let mut visibility = Visibility::everything();
        for (kind, rule) in &self.rules {
            let filter = |text: &String| filter(self.version, kind, text);
            let filters = |texts: &[String]| texts.iter().map(filter).collect();
            let filter = match rule {
                Rule::Nothing => Filter::NOTHING,
                Rule::All(texts) => Filter::all(filters(texts)),
                Rule::Any(texts) => Filter::any(filters(texts)),
                Rule::Not(text) => filter(text).negated(),
            };
            visibility = visibility.with(kind, filter);
        }
        match &self.only {
            Some(only) => visibility.within(rows(self.version, stage, only).await),
            None => visibility,
        }
    }

    /// What is there, or was, and is not seen. Leaves the stage as it was, but for versions of what
    /// is deleted.
    pub(super) async fn hidden(&self, world: &World, stage: &Stage) -> BTreeSet<Thing> {
        let mut hidden = BTreeSet::new();
        for thing in &world.things {
            let is_without = |only: &BTreeSet<Thing>| !only.contains(thing);
            let is_seen = match world.standing(thing) {
                Standing::Gone => continue,
                _ if self.only.as_ref().is_some_and(is_without) => false,
                Standing::Live => self.matches(thing, stage).await,
                Standing::Deleted(_) if !self.rules.contains_key(thing.kind) => self.is_all(thing),
                Standing::Deleted(None) => false,
                Standing::Deleted(Some(text)) => {
                    stage.act(thing, &Act::Put(text)).await;
                    let matches = self.matches(thing, stage).await;
                    stage.act(thing, &Act::Delete).await;
                    matches
                }
            };
            if !is_seen {
                hidden.insert(thing.clone());
            }
        }
        hidden
    }

    /// Of a deleted resource whose type has no rule: whether it is seen whatever it was.
    fn is_all(&self, thing: &Thing) -> bool {
        self.only.as_ref().is_none_or(|it| it.contains(thing))
    }

    async fn matches(&self, thing: &Thing, stage: &Stage) -> bool {
        let found = async |text: &String| {
            let query = format!("_id={}&{text}", thing.id);
            !stage.matching(thing.kind, &query).await.is_empty()
        };
        match self.rules.get(thing.kind) {
            None => true,
            Some(Rule::Nothing) => false,
            Some(Rule::Not(text)) => !found(text).await,
            Some(Rule::All(texts)) => {
                for text in texts {
                    if !found(text).await {
                        return false;
                    }
                }
                true
            }
            Some(Rule::Any(texts)) => {
                for text in texts {
                    if found(text).await {
                        return true;
                    }
                }
                false
            }
        }
    }
}

fn filter(version: FhirVersion, kind: &'static str, text: &str) -> Filter<ByName> {
    let bases = Bases::new(["http://here/fhir"]);
    let context = Context {
        version,
        types: &[kind],
        bases: &bases,
        handling: Handling::Strict,
        limits: QueryLimits::default(),
    };
    let query = Query::parse(&super::asking::encoded(text), &context).unwrap();
    let builder = Builder {
        version,
        space: space_of(version),
        bases: &bases,
        visibility: &Visibility::everything(),
        answers: &Answers::default(),
        now: Instant::from_micros(0),
        limits: QueryLimits::default(),
    };
    match builder.plan(&[kind], None, &query).unwrap() {
        Built::Plan(mut plan) => plan.parts.remove(0).filter,
        Built::Needs(_) => panic!("a rule needs nothing"),
    }
}

async fn rows(version: FhirVersion, stage: &Stage, things: &BTreeSet<Thing>) -> Vec<Row> {
    let (store, tenant) = (stage.interactions.store(), TenantId::default());
    let view = store.view(&tenant, At::Newest).await.unwrap();
    let mut rows = Vec::new();
    for thing in things {
        let name = [thing.kind];
        let number = store.known_numbers(&tenant, NameKind::Type, &name);
        let number = number.await.unwrap()[0].unwrap();
        let key = RecordKey {
            space: space_of(version),
            kind: TypeNumber(number),
            id: thing.id.as_str().into(),
        };
        let record = view.read(&[key]).await.unwrap().pop().unwrap();
        rows.extend(record.map(|it| it.row));
    }
    rows
}
