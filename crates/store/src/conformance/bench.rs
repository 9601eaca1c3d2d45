//! What the cases work with: a store that can be opened again, a clock, short ways to common things.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{KEPT, Provider, SPACES, Setup};
use crate::{
    Action, At, Change, Clock, Commit, Committed, Entry, EntryValue, Expected, Filter, Instant,
    NewVersion, ParameterNumber, Part, Plan, Record, RecordKey, Row, Space, Store, StoreError,
    StoreLimits, SystemNumber, TenantId, Total, TypeNumber, View,
};

/// Whether a case's pauses close the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Live,
    Reopening,
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(super) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(super) fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    pub(super) fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }
}

/// Opens one place again and again.
#[async_trait]
trait Opener: Send + Sync {
    async fn open(&self, setup: &Setup) -> Result<Arc<dyn Store>, StoreError>;
}

struct PlaceOf<P: Provider> {
    provider: Arc<P>,
    place: P::Place,
}

#[async_trait]
impl<P: Provider> Opener for PlaceOf<P> {
    async fn open(&self, setup: &Setup) -> Result<Arc<dyn Store>, StoreError> {
        self.provider.open(&self.place, setup).await
    }
}

/// One case's store.
pub(super) struct Bench {
    opener: Box<dyn Opener>,
    pub(super) clock: Arc<StandingClock>,
    limits: Mutex<StoreLimits>,
    store: Mutex<Arc<dyn Store>>,
    mode: Mode,
}

/// Where the clock stands at first.
pub(super) const START: i64 = 1_700_000_000_000_000;

impl Bench {
    pub(super) async fn new<P: Provider>(provider: Arc<P>, mode: Mode) -> Self {
        let place = provider.place().await;
        let opener = Box::new(PlaceOf { provider, place });
        let clock = Arc::new(StandingClock(AtomicI64::new(START)));
        let limits = StoreLimits::default();
        let store = must(opener.open(&setup(&clock, &limits)).await);
        Self {
            opener,
            clock,
            limits: Mutex::new(limits),
            store: Mutex::new(store),
            mode,
        }
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes and opens the store, if this run is about that.
    pub(super) async fn pause(&self) {
        if self.mode == Mode::Reopening {
            self.reopen().await;
        }
    }

    pub(super) async fn with_limits(&self, limits: StoreLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        self.reopen().await;
    }

    async fn reopen(&self) {
        must(self.store().close().await);
        let limits = self
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let store = must(self.opener.open(&setup(&self.clock, &limits)).await);
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = store;
    }

    /// What every case ends with: the store finds nothing wrong with itself.
    pub(super) async fn end(&self) {
        let Ok(tenants) = self.store().tenants().await else {
            return;
        };
        for tenant in tenants {
            let findings = must(self.store().check(&tenant).await);
            assert!(
                findings.is_empty(),
                "the store finds itself damaged: {findings:?}"
            );
        }
        must(self.store().close().await);
    }

    pub(super) async fn try_commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.store().commit(&tenant(), commit).await
    }

    pub(super) async fn commit(&self, commit: Commit) -> Committed {
        must(self.try_commit(commit).await)
    }

    pub(super) async fn change(&self, changes: Vec<Change>) -> Committed {
        self.commit(changes_of(changes)).await
    }

    pub(super) async fn newest(&self) -> Arc<dyn View> {
        must(self.store().view(&tenant(), At::Newest).await)
    }

    pub(super) async fn read(&self, key: &RecordKey) -> Option<Record> {
        must(self.newest().await.read(std::slice::from_ref(key)).await)
            .pop()
            .flatten()
    }

    pub(super) async fn found(&self, plan: &Plan) -> Vec<Row> {
        let found = must(self.newest().await.search(plan).await);
        found.rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// What a plan finds in the space that keeps all versions.
pub(super) async fn ids(bench: &Bench, plan: &Plan) -> String {
    let view = bench.newest().await;
    let found = must(view.search(plan).await);
    let records = must(view.read_rows(KEPT, &found.rows).await);
    let ids = records.into_iter().flatten().map(|it| it.key.id.0);
    ids.collect::<Vec<_>>().join(" ")
}

fn setup(clock: &Arc<StandingClock>, limits: &StoreLimits) -> Setup {
    let clock: Arc<StandingClock> = Arc::clone(clock);
    Setup {
        spaces: SPACES.to_vec(),
        limits: limits.clone(),
        clock,
    }
}

/// A result that must be there.
#[track_caller]
pub(super) fn must<T>(result: Result<T, StoreError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("unexpected: {error:?}"),
    }
}

/// An error that must be there.
#[track_caller]
pub(super) fn refused<T>(result: Result<T, StoreError>) -> StoreError {
    match result {
        Ok(_) => panic!("it should have been refused"),
        Err(error) => error,
    }
}

pub(super) fn tenant() -> TenantId {
    TenantId::default()
}

pub(super) const KIND: TypeNumber = TypeNumber(1);

pub(super) fn key(id: &str) -> RecordKey {
    key_in(KEPT, KIND, id)
}

pub(super) fn key_in(space: Space, kind: TypeNumber, id: &str) -> RecordKey {
    RecordKey {
        space,
        kind,
        id: id.into(),
    }
}

pub(super) fn body(text: &str) -> NewVersion {
    NewVersion {
        body: Bytes::copy_from_slice(text.as_bytes()),
        ..NewVersion::default()
    }
}

pub(super) fn changes_of(changes: Vec<Change>) -> Commit {
    Commit {
        changes,
        ..Commit::default()
    }
}

pub(super) fn change(key: RecordKey, expected: Expected, action: Action) -> Change {
    Change {
        key,
        expected,
        action,
    }
}

pub(super) fn put(key: RecordKey, text: &str) -> Change {
    change(key, Expected::Any, Action::Put(body(text)))
}

pub(super) fn put_version(key: RecordKey, version: NewVersion) -> Change {
    change(key, Expected::Any, Action::Put(version))
}

pub(super) fn delete(key: RecordKey) -> Change {
    change(key, Expected::Any, Action::Delete)
}

pub(super) fn token(parameter: u32, system: u32, code: &str) -> Entry {
    let value = EntryValue::Token {
        system: SystemNumber(system),
        code: code.into(),
    };
    entry(parameter, value)
}

pub(super) fn entry(parameter: u32, value: EntryValue) -> Entry {
    Entry {
        parameter: ParameterNumber(parameter),
        group: 0,
        value,
    }
}

pub(super) fn part(kind: TypeNumber, filter: Filter) -> Part {
    Part {
        kind,
        filter,
        sort: Vec::new(),
    }
}

pub(super) fn plan(filter: Filter) -> Plan {
    Plan {
        space: KEPT,
        parts: vec![part(KIND, filter)],
        order: Vec::new(),
        after: None,
        not_later_than: None,
        limit: 1_000,
        total: Total::None,
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }

    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
