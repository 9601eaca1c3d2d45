//! Writes whose outcome depends on what is seen: they do to the one store what they do to the
//! other, but for those to hidden resources, which are refused and do nothing.
//!
//! What is written here is a `Basic`, which no rule of a visibility looks at: so nothing that was
//! hidden shows itself meanwhile.

use std::collections::BTreeSet;

use fhir::{Fault, FhirVersion};
use interactions::{Caller, EntryAnswer, InteractionError, Interactions, Write, WriteAnswer};

use super::asking::{Tally, encoded, page, read, refusal};
use super::stage::Stage;
use super::words::{CRITERIA, Random, words_of};
use super::world::{Standing, Thing, World};
use crate::harness::{document, key};

/// Writes of one world.
const WRITES: usize = 24;

/// The first of them is written at this second.
const BEGIN: i64 = 10_000;

/// The two stores that are compared.
pub(super) struct Pair<'p> {
    pub(super) world: &'p World,
    pub(super) hidden: &'p BTreeSet<Thing>,
    pub(super) whole: &'p Stage,
    pub(super) rest: &'p Stage,
    pub(super) seer: &'p Caller,
}

#[derive(Debug)]
enum Change {
    Create(String, Option<String>),
    PutWhere(String, String),
    Delete(String),
    DeleteWhere(String),
    Bundle(String),
}

impl Pair<'_> {
    pub(super) async fn compare(&self, random: &mut Random, seed: u64, tally: &mut Tally) {
        self.refuses_hidden_targets(seed, tally).await;
        for (number, second) in (0..WRITES).zip(BEGIN..) {
            self.whole.set_clock(second);
            self.rest.set_clock(second);
            let change = self.change(random);
            let found = change.run(&self.whole.strict, self.seer).await;
            let at = format!("seed {seed}, write {number}: {change:?}");
            if matches!(&found, Err(it) if is_forbidden(it)) {
                // A hidden resource refers to it: then the other store would let it go.
                assert!(
                    matches!(change, Change::Delete(_) | Change::DeleteWhere(_)),
                    "{at}"
                );
                assert!(self.has_hidden_referrers(), "{at}");
                tally.forbidden += 1;
                continue;
            }
            tally.permitted += usize::from(found.is_ok());
            let expected = change.run(&self.rest.strict, &self.rest.everything()).await;
            let text = |it: Result<String, InteractionError>| {
                masked(&it.unwrap_or_else(|error| refusal(&error)))
            };
            tally.demand_equal(&text(found), &text(expected), || at.clone());
        }
    }

    fn has_hidden_referrers(&self) -> bool {
        self.hidden.iter().any(|it| it.kind == "List")
    }

    /// Whatever is done to something hidden is refused in the same words, and does nothing.
    async fn refuses_hidden_targets(&self, seed: u64, tally: &mut Tally) {
        let mut told = BTreeSet::new();
        for thing in self.hidden {
            let place = super::shown(thing);
            assert!(self.world.standing(thing) != Standing::Gone);
            let before = self.state(&place).await;
            for write in writes(self.world.version, thing) {
                let refused = self.whole.interactions.write(self.seer, write).await;
                let refused = refused.expect_err(&place);
                assert!(is_forbidden(&refused), "seed {seed}: {place}: {refused:?}");
                told.insert(refusal(&refused));
                tally.forbidden += 1;
            }
            assert_eq!(self.state(&place).await, before, "seed {seed}: {place}");
        }
        assert!(told.len() <= 1, "{told:?}");
    }

    async fn state(&self, place: &str) -> String {
        let all = self.whole.everything();
        read(self.whole.interactions.read(&all, &key(place)).await)
    }

    fn change(&self, random: &mut Random) -> Change {
        let thing = random.of(&self.world.things);
        let patient = random.text(&["Patient/p#", "Patient/p#", "Patient/p5", "Patient/never"]);
        let basic = |to: &str| {
            format!(
                r#"{{"resourceType":"Basic","code":{{"text":"w"}},"subject":{{"reference":"{to}"}}}}"#
            )
        };
        let criteria = random
            .text(words_of(CRITERIA, "Patient"))
            .replace('|', "%7C");
        let of_basic = random.text(&[
            "code=c#",
            "subject:Patient.family=fam#",
            "subject=Patient/p#",
        ]);
        match random.below(8) {
            0 => Change::Create(basic(&super::shown(thing)), None),
            1 => Change::Create(basic(&format!("Patient?{criteria}")), None),
            2 => Change::Create(basic(&patient), Some(of_basic)),
            3 => Change::PutWhere(of_basic, basic(&patient)),
            4 => Change::Delete(random.text(&["Basic/x#"])),
            5 => Change::DeleteWhere(of_basic),
            _ => {
                let created = basic(&format!("Patient?{criteria}"));
                let place = super::shown(thing);
                Change::Bundle(format!(
                    r#"{{"resourceType":"Bundle","type":"{}","entry":[
                    {{"resource":{created},"request":{{"method":"POST","url":"Basic"}}}},
                    {{"request":{{"method":"GET","url":"{place}"}}}},
                    {{"request":{{"method":"GET","url":"{place}/_history/1"}}}},
                    {{"request":{{"method":"GET","url":"{}/_history"}}}},
                    {{"request":{{"method":"GET","url":"Patient?{criteria}"}}}}]}}"#,
                    random.text(&["batch", "transaction"]),
                    thing.kind,
                ))
            }
        }
    }
}

/// Every way to write to a resource by its id.
fn writes(version: FhirVersion, thing: &Thing) -> Vec<Write> {
    let key = || key(&super::shown(thing));
    let text = format!(
        r#"{{"resourceType":"{}","id":"{}","language":"en"}}"#,
        thing.kind, thing.id
    );
    let put = |if_match: &[&str], only_create| Write::Update {
        key: key(),
        resource: document(&valid(thing, &text)),
        if_match: if_match.iter().map(|&it| it.to_owned()).collect(),
        only_create,
    };
    // Without a match STU3 creates another one, whatever the id says.
    let or_create = Write::UpdateWhere {
        resource_type: thing.kind.to_owned(),
        criteria: "_id=never".to_owned(),
        resource: document(&valid(thing, &text)),
        if_match: Vec::new(),
    };
    let or_create = Some(or_create).filter(|_| version == FhirVersion::R4);
    let mut writes = vec![
        put(&[], false),
        put(&["1"], false),
        put(&["*"], false),
        put(&[], true),
        Write::Delete {
            key: key(),
            if_match: Vec::new(),
        },
        Write::Delete {
            key: key(),
            if_match: vec!["1".to_owned()],
        },
        Write::Purge(key()),
        Write::PurgeHistory(key()),
    ];
    writes.extend(or_create);
    writes
}

/// The text with what its type requires.
fn valid(thing: &Thing, text: &str) -> String {
    let required = match thing.kind {
        "Observation" => r#","status":"final","code":{"text":"w"}}"#,
        "Condition" => r#","subject":{"display":"w"}}"#,
        "Encounter" => r#","status":"planned","class":{"code":"w"}}"#,
        "List" => r#","status":"current","mode":"working"}"#,
        "ValueSet" | "Questionnaire" => r#","status":"draft"}"#,
        "QuestionnaireResponse" => r#","status":"amended"}"#,
        "Basic" => r#","code":{"text":"w"}}"#,
        _ => "}",
    };
    text.strip_suffix('}').unwrap().to_owned() + required
}

impl Change {
    async fn run(
        &self,
        interactions: &Interactions,
        caller: &Caller,
    ) -> Result<String, InteractionError> {
        let resource_type = "Basic".to_owned();
        let write = match self {
            Self::Bundle(text) => {
                let bundle = interactions.bundle(caller, document(text)).await?;
                let entries = bundle.entries.into_iter().map(|it| entry(it.answer));
                return Ok(entries.collect::<Vec<_>>().join("\n"));
            }
            Self::Create(text, if_none_exist) => Write::Create {
                resource_type,
                resource: document(text),
                if_none_exist: if_none_exist.as_deref().map(encoded),
            },
            Self::PutWhere(criteria, text) => Write::UpdateWhere {
                resource_type,
                criteria: encoded(criteria),
                resource: document(text),
                if_match: Vec::new(),
            },
            Self::Delete(place) => Write::Delete {
                key: key(place),
                if_match: Vec::new(),
            },
            Self::DeleteWhere(criteria) => Write::DeleteWhere {
                resource_type,
                criteria: encoded(criteria),
                multiple: true,
            },
        };
        Ok(written(&interactions.write(caller, write).await?))
    }
}

fn entry(answer: Result<EntryAnswer, InteractionError>) -> String {
    match answer {
        Ok(EntryAnswer::Written(it)) => written(&it),
        Ok(EntryAnswer::Read(it)) => read(Ok(it)),
        Ok(EntryAnswer::NotModified(it)) => format!("not modified {it:?}"),
        Ok(EntryAnswer::Found(it)) => page(&it),
        Ok(EntryAnswer::Told(_)) => panic!("no operation was called"),
        Err(error) => refusal(&error),
    }
}

fn written(answer: &WriteAnswer) -> String {
    let json = answer.resource.as_ref().map(interactions::Resource::json);
    let json = json.map(|it| String::from_utf8(it.to_vec()).unwrap());
    let deleted = answer.deleted.as_ref();
    let deleted = deleted.map(|it| format!("{} v{} {}", it.key, it.version, it.last_updated));
    format!(
        "{:?} {json:?} {deleted:?} {:?}",
        answer.effect, answer.issues
    )
}

fn is_forbidden(error: &InteractionError) -> bool {
    error.issues.iter().all(|it| it.fault == Fault::Forbidden)
}

/// The text with a dash for each id that a server chose.
fn masked(text: &str) -> String {
    const LENGTH: usize = 36;
    let is_id = |it: &str| {
        let mut bytes = it.bytes().enumerate();
        bytes.all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.get(..LENGTH).is_some_and(is_id) {
            masked.push('-');
            rest = &rest[LENGTH..];
        } else {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    masked
}
