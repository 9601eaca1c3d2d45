//! A store in which a world was written at given times, and its callers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use fhir::FhirVersion;
use interactions::{
    Caller, Handling, Integrity, Interactions, SPACES, Settings, Visibility, Within, Write,
};
use store::{Clock, Instant, Origin, TenantId};
use store_embedded::{EmbeddedStore, Options};

use super::world::{Act, Thing, World};
use crate::harness::{document, ids, key};

/// 2030-01-01T00:00:00Z.
const BEGIN: i64 = 1_893_456_000_000_000;
const SECOND: i64 = 1_000_000;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }
}

pub(super) struct Stage {
    version: FhirVersion,
    pub(super) interactions: Interactions,
    /// The same with references checked.
    pub(super) strict: Interactions,
    clock: Arc<Hands>,
    _directory: tempfile::TempDir,
}

impl Stage {
    /// All steps but those of these things, each at the time of its number.
    pub(super) async fn of(world: &World, without: &BTreeSet<Thing>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(BEGIN)));
        let options = Options {
            clock: Arc::<Hands>::clone(&clock),
            ..Options::default()
        };
        let store = EmbeddedStore::open(directory.path(), SPACES, options).unwrap();
        let store = Arc::new(store);
        let strict = Settings {
            integrity: Integrity::Both,
            ..Settings::default()
        };
        let stage = Self {
            version: world.version,
            interactions: Interactions::new(
                Arc::<EmbeddedStore>::clone(&store),
                Settings::default(),
            ),
            strict: Interactions::new(store, strict),
            clock,
            _directory: directory,
        };
        // The first write takes an instant for the tenant's own rows.
        let nobody = Thing {
            kind: "Basic",
            id: "nobody".to_owned(),
        };
        stage.act(&nobody, &Act::Delete).await;
        for (step, second) in world.steps.iter().zip(1..) {
            stage.set_clock(second);
            if !without.contains(&step.thing) {
                stage.act(&step.thing, &step.act).await;
            }
        }
        stage
    }

    /// Who sees everything.
    pub(super) fn everything(&self) -> Caller {
        caller(self.version, Arc::default())
    }

    pub(super) fn set_clock(&self, second: i64) {
        self.clock
            .0
            .store(BEGIN + second * SECOND, Ordering::SeqCst);
    }

    pub(super) async fn act(&self, thing: &Thing, act: &Act) {
        let key = key(&super::shown(thing));
        let if_match = Vec::new();
        let write = match act {
            Act::Put(text) => Write::Update {
                key,
                resource: document(text),
                if_match,
                only_create: false,
            },
            Act::Delete => Write::Delete { key, if_match },
            Act::Purge => Write::Purge(key),
            Act::PurgeHistory => Write::PurgeHistory(key),
        };
        let written = self.interactions.write(&self.everything(), write).await;
        if let Err(error) = written {
            panic!("{act:?}: {error:?}");
        }
    }

    /// The ids of what matches for someone who sees everything.
    pub(super) async fn matching(&self, kind: &str, query: &str) -> BTreeSet<String> {
        let within = Within::Type(kind.to_owned());
        let query = format!("{query}&_count=1000");
        let query = super::asking::encoded(&query);
        let caller = self.everything();
        let found = self
            .interactions
            .search(&caller, within, &query, Handling::Strict);
        let found = ids(&found.await.unwrap()).into_iter();
        found
            .map(|it| it.split_once('/').unwrap().1.to_owned())
            .collect()
    }
}

pub(super) fn caller(version: FhirVersion, visibility: Arc<Visibility>) -> Caller {
    Caller {
        tenant: TenantId::default(),
        version,
        identity: "tester".into(),
        origin: Origin(1),
        idempotency: None,
        handling: Handling::Strict,
        visibility,
    }
}
