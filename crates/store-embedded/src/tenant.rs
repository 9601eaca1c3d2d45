//! One open tenant: its engine, its committer, its dictionary, its blobs.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use store::{
    Commit, Committed, Instant, NameKind, Position, Record, RecordKey, Space, StoreError, Versions,
};

use crate::apply;
use crate::blobs::Blobs;
use crate::body::{Dictionaries, Training};
use crate::committer::{Queue, Writing, read_state};
use crate::engine::{Batch, Engine, Snapshot};
use crate::fault;
use crate::layout::{self, KEY_SPACES, META, State};
use crate::names::Names;
use crate::options::{Common, Counters};
use crate::prepare::{self, prepare};
use crate::recent::TenantNumber;

/// Commits with more bytes in their bodies are prepared on a blocking thread.
const PREPARE_INLINE_BYTES_MAX: usize = 64 << 10;

/// The folder of a tenant's engine.
pub(crate) const DATA: &str = "data";

/// An open tenant.
pub(crate) struct Tenant {
    pub(crate) engine: Engine,
    pub(crate) queue: Mutex<Queue>,
    pub(crate) writing: Mutex<Writing>,
    pub(crate) names: RwLock<Names>,
    pub(crate) dictionaries: Dictionaries,
    pub(crate) blobs: Blobs,
    pub(crate) common: Arc<Common>,
    number: TenantNumber,
    /// The state that was shown last, with the number of its snapshot.
    shown: Mutex<Option<(u64, State)>>,
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.common.recent.close(self.number);
    }
}

impl Tenant {
    /// Opens the tenant that lies in `dir`.
    pub(crate) fn open(dir: &Path, common: &Arc<Common>) -> Result<Self, StoreError> {
        let opened = Engine::open(&dir.join(DATA), &KEY_SPACES, &common.budgets);
        let (engine, writer) = opened.map_err(fault::engine)?;
        let snapshot = engine.snapshot();
        Ok(Self {
            names: RwLock::new(read_names(&snapshot)?),
            dictionaries: read_dictionaries(&snapshot)?,
            writing: Mutex::new(Writing::new(writer)?),
            queue: Mutex::default(),
            blobs: Blobs::new(dir),
            engine,
            common: Arc::clone(common),
            number: TenantNumber(common.next_tenant.fetch_add(1, Ordering::Relaxed)),
            shown: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        self.common.options.clock.now()
    }

    /// The state that a published snapshot shows; there are far more views than commits.
    pub(crate) fn state_of(&self, snapshot: &Snapshot) -> Result<State, StoreError> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match *shown {
            Some((number, state)) if number == snapshot.number() => Ok(state),
            _ => {
                let state = read_state(snapshot)?;
                *shown = Some((snapshot.number(), state));
                Ok(state)
            }
        }
    }

    /// The newest version of a record, if it was read lately.
    pub(crate) fn recent(&self, key: &RecordKey, view: Position) -> Option<Record> {
        self.common.recent.get(self.number, key, view)
    }

    /// Keeps a record that a view of that position found to be the newest version.
    pub(crate) fn keep_recent(&self, record: &Record, view: Position) {
        self.common.recent.put(self.number, record, view);
    }

    /// Forgets a record whose change at that position is about to be written.
    pub(crate) fn forget_recent(&self, key: &RecordKey, position: Position) {
        self.common.recent.forget(self.number, key, position);
    }

    pub(crate) fn versions(&self, space: Space) -> Versions {
        self.common.versions(space)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.common.counters
    }

    pub(crate) fn idempotency_micros(&self) -> i64 {
        let days = self.common.options.limits.idempotency_days;
        i64::try_from(days.saturating_mul(86_400_000_000)).unwrap_or(i64::MAX / 4)
    }

    /// Commits, and trains dictionaries where there are samples enough now.
    pub(crate) async fn commit(self: &Arc<Self>, commit: Commit) -> Result<Committed, StoreError> {
        let bytes: usize = commit.changes.iter().map(body_bytes).sum();
        let (prepared, trainings) = if bytes <= PREPARE_INLINE_BYTES_MAX {
            prepare(commit, &self.common.options.limits, &self.dictionaries)?
        } else {
            let tenant = Arc::clone(self);
            blocking(move || prepare(commit, &tenant.common.options.limits, &tenant.dictionaries))
                .await?
        };
        for training in trainings {
            self.train(training);
        }
        self.turn(move |tenant, writing| apply::commit(tenant, writing, prepared))
            .await
    }

    /// Trains a dictionary beside the path of commits; it is used once it is durable.
    fn train(self: &Arc<Self>, training: Training) {
        let tenant = Arc::clone(self);
        tokio::spawn(async move {
            let (space, kind) = (training.space, training.kind);
            let Ok(Some(bytes)) = blocking(move || Ok(training.train())).await else {
                return;
            };
            let stored = layout::encode_dictionary(space, kind, &bytes);
            let added = tenant.turn(move |_, writing| {
                let number = next_dictionary(&writing.newest()?)?;
                let mut batch = Batch::new();
                batch.put(META, layout::dictionary_key(number), stored);
                writing.write(batch).map(|()| number)
            });
            // Without it bodies take more room; the next start collects samples again.
            match added.await {
                Ok(number) => tenant.dictionaries.add(number, space, kind, &bytes),
                Err(error) => tracing::warn!(%error, "a compression dictionary was not stored"),
            }
        });
    }

    /// The numbers of names; those without get one.
    pub(crate) async fn numbers(
        self: &Arc<Self>,
        kind: NameKind,
        names: &[&str],
    ) -> Result<Vec<u32>, StoreError> {
        let max = self.common.options.limits.name_bytes_max;
        names
            .iter()
            .try_for_each(|name| prepare::within("name_bytes_max", max, name.len()))?;
        let known: Option<Vec<u32>> = self.known_numbers(kind, names).into_iter().collect();
        if let Some(known) = known {
            return Ok(known);
        }
        let names: Vec<Box<str>> = names.iter().map(|name| (*name).into()).collect();
        self.turn(move |tenant, writing| tenant.give_numbers(writing, kind, &names))
            .await
    }

    pub(crate) fn known_numbers(&self, kind: NameKind, names: &[&str]) -> Vec<Option<u32>> {
        let dictionary = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names
            .iter()
            .map(|name| dictionary.number(kind, name))
            .collect()
    }

    fn give_numbers(
        &self,
        writing: &mut Writing,
        kind: NameKind,
        names: &[Box<str>],
    ) -> Result<Vec<u32>, StoreError> {
        let dictionary = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::new();
        // Names that this group gives are durable with it, and in the dictionary only then.
        let mut given = writing.names.clone();
        let before = given.len();
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            let earlier = given
                .iter()
                .find(|(of, _, given)| *of == kind && given == name);
            let known = dictionary
                .number(kind, name)
                .or(earlier.map(|given| given.1));
            if let Some(number) = known {
                numbers.push(number);
                continue;
            }
            let new = given.iter().filter(|(of, ..)| *of == kind).count();
            let number = u32::try_from(new)
                .ok()
                .and_then(|new| dictionary.next(kind).checked_add(new))
                .ok_or_else(|| StoreError::Backend("the dictionary is full".to_owned()))?;
            batch.put(
                META,
                layout::name_key(kind, number),
                name.as_bytes().to_vec(),
            );
            given.push((kind, number, name.clone()));
            numbers.push(number);
        }
        writing.write(batch)?;
        writing.names.extend(given.drain(before..));
        Ok(numbers)
    }

    /// Removes blobs that no version names and that have lain there long enough.
    pub(crate) async fn collect_orphans(self: &Arc<Self>) -> Result<u64, StoreError> {
        let hours = self.common.options.limits.orphan_blob_hours;
        let age = i64::try_from(hours.saturating_mul(3_600_000_000)).unwrap_or(i64::MAX);
        let until = self.now().0.saturating_sub(age);
        let tenant = Arc::clone(self);
        let old = blocking(move || {
            let mut old = tenant.blobs.all()?;
            old.retain(|(_, since)| since.0 < until);
            Ok(old)
        })
        .await?;
        let mut removed = 0;
        for (blob, _) in old {
            // In its turn, so that no commit names the blob at the same time.
            removed += self
                .turn(move |tenant, writing| {
                    let newest = writing.newest()?;
                    if let Some(used) = newest.prefix(META, &layout::blob_users(&blob)).next() {
                        return used.map(|_| 0).map_err(fault::engine);
                    }
                    tenant.blobs.remove(&blob).map(|()| 1)
                })
                .await?;
        }
        Ok(removed)
    }

    /// Whether writes can be taken; the reason if not.
    pub(crate) fn failure(&self) -> Option<String> {
        // While a group is under way the writer is at work, so it has not failed yet.
        let writing = self.writing.try_lock().ok()?;
        writing
            .writer
            .as_ref()
            .and_then(crate::engine::Writer::failure)
    }
}

fn body_bytes(change: &store::Change) -> usize {
    match &change.action {
        store::Action::Put(version) => version.body.len(),
        store::Action::Delete
        | store::Action::Purge
        | store::Action::PurgeHistory
        | store::Action::Index { .. } => 0,
    }
}

/// Runs something long off the event loop.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        Err(StoreError::Backend(
            "a task panicked or was ended".to_owned(),
        ))
    })
}

fn read_names(snapshot: &Snapshot) -> Result<Names, StoreError> {
    let mut names = Names::default();
    for entry in snapshot.prefix(META, layout::NAMES) {
        let (key, name) = entry.map_err(fault::engine)?;
        let (kind, number) = layout::name_of_key(&key)?;
        if number != names.next(kind) {
            return Err(StoreError::Corrupt(
                "a name of the dictionary is missing".to_owned(),
            ));
        }
        names.add(kind, String::from_utf8_lossy(&name).into());
    }
    Ok(names)
}

fn read_dictionaries(snapshot: &Snapshot) -> Result<Dictionaries, StoreError> {
    let dictionaries = Dictionaries::default();
    for entry in snapshot.prefix(META, layout::DICTIONARIES) {
        let (key, value) = entry.map_err(fault::engine)?;
        let (space, kind, bytes) = layout::decode_dictionary(&value)?;
        dictionaries.add(layout::number_of_dictionary(&key)?, space, kind, bytes);
    }
    Ok(dictionaries)
}

fn next_dictionary(newest: &Snapshot) -> Result<u32, StoreError> {
    match newest.prefix(META, layout::DICTIONARIES).next_back() {
        None => Ok(0),
        Some(entry) => {
            let (key, _) = entry.map_err(fault::engine)?;
            Ok(layout::number_of_dictionary(&key)? + 1)
        }
    }
}
