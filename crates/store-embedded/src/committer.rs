//! The order of a tenant's commits: a queue of turns, taken in groups, one sync per group.
//!
//! Whoever brings the first turn starts the committer on a blocking thread; it goes on while turns
//! arrive and ends when none waits, so an idle tenant has no thread. A turn sees what its
//! predecessors in the group did (they are written, not yet durable); nobody is answered before the
//! sync. If that fails, the whole group did not happen, or nobody knows.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use store::{NameKind, Position, Space, StoreError, TypeNumber};
use tokio::sync::oneshot;

use crate::engine::{Batch, EngineError, Snapshot, Writer};
use crate::fault;
use crate::layout::{self, META, State};
use crate::tenant::Tenant;

/// A group ends at so many turns, so that the first of them does not wait for ever.
const GROUP_TURNS_MAX: usize = 1_024;
/// A group ends at so many bytes, so that one sync stays short.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// Stages its changes; what it returns is told the outcome of the group.
type Turn = Box<dyn FnOnce(&Tenant, &mut Writing) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Turns that wait.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Turn>,
    running: bool,
}

/// What the committer alone changes: the newest state, durable or about to be.
pub(crate) struct Writing {
    pub(crate) writer: Option<Writer>,
    pub(crate) state: State,
    /// Numbers of live records that this process has changed or asked for.
    pub(crate) counts: HashMap<(Space, TypeNumber), u64>,
    /// The newest ledger entry of each type since the tenant was opened.
    pub(crate) newest: HashMap<(Space, TypeNumber), Position>,
    /// Where the ledger stood then.
    pub(crate) opened_at: Position,
    /// Names that become known once the group is durable.
    pub(crate) names: Vec<(NameKind, u32, Box<str>)>,
    /// What the group has written so far.
    group_bytes: usize,
    /// Why the group failed, if it did.
    failed: Option<StoreError>,
    /// When things that have expired were last removed.
    pub(crate) swept_at: i64,
}

impl Writing {
    pub(crate) fn new(writer: Writer) -> Result<Self, StoreError> {
        let state = read_state(&writer.newest())?;
        Ok(Self {
            writer: Some(writer),
            state,
            counts: HashMap::new(),
            newest: HashMap::new(),
            opened_at: state.position,
            names: Vec::new(),
            group_bytes: 0,
            failed: None,
            swept_at: i64::MIN,
        })
    }

    pub(crate) fn writer(&mut self) -> Result<&mut Writer, StoreError> {
        self.writer.as_mut().ok_or_else(closed)
    }

    /// The newest state, with what the group has written.
    pub(crate) fn newest(&mut self) -> Result<Snapshot, StoreError> {
        self.writer().map(|writer| writer.newest())
    }

    /// Writes a batch as part of the group.
    pub(crate) fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let bytes = batch.bytes();
        let written = self.writer()?.write(batch).map_err(fault::engine);
        self.group_bytes += bytes;
        if let Err(error) = &written {
            self.failed = Some(error.clone());
        }
        written
    }

    /// Syncs and lets go of the writer; later turns are refused.
    pub(crate) fn close(&mut self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let closed = writer.close().map_err(fault::engine);
        if let Err(error) = &closed {
            self.failed = Some(error.clone());
        }
        closed
    }

    /// The position after which no entry of this type came.
    pub(crate) fn newest_of(&self, space: Space, kind: TypeNumber) -> Position {
        self.newest
            .get(&(space, kind))
            .copied()
            .unwrap_or(self.opened_at)
    }

    /// After a failure: takes up what is durable.
    fn recover(&mut self) -> Result<(), StoreError> {
        if self.failed.is_none() {
            return Ok(());
        }
        let writer = self.writer()?;
        writer.try_recover().map_err(unavailable)?;
        self.state = read_state(&writer.newest())?;
        self.counts.clear();
        self.newest.clear();
        self.opened_at = self.state.position;
        self.failed = None;
        Ok(())
    }
}

pub(crate) fn read_state(snapshot: &Snapshot) -> Result<State, StoreError> {
    let state = snapshot.get(META, layout::STATE).map_err(fault::engine)?;
    state.map_or(Ok(State::default()), |bytes| State::decode(&bytes))
}

fn unavailable(error: EngineError) -> StoreError {
    match fault::engine(error) {
        StoreError::Full => StoreError::Full,
        other => StoreError::Unavailable(other.to_string()),
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl Tenant {
    /// Runs `stage` in its turn and gives its result once that is durable.
    pub(crate) async fn turn<T: Send + 'static>(
        self: &Arc<Self>,
        stage: impl FnOnce(&Self, &mut Writing) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Box::new(move |tenant, writing| {
            let staged = catch_unwind(AssertUnwindSafe(|| stage(tenant, writing)));
            // A stage writes last, and once: one that panicked has written nothing.
            let staged =
                staged.unwrap_or_else(|_| Err(StoreError::Backend("a turn panicked".to_owned())));
            Box::new(move |group| {
                let result = match (staged, group) {
                    (staged, Ok(())) => staged,
                    (Ok(_), Err(failure)) => Err(failure),
                    // It was refused for a state that did not come to be.
                    (Err(_), Err(StoreError::Full)) => Err(StoreError::Full),
                    (Err(_), Err(failure)) => Err(StoreError::Unavailable(failure.to_string())),
                };
                // The caller may have gone; what happened has happened.
                let _ = sender.send(result);
            })
        }));
        receiver.await.unwrap_or(Err(StoreError::OutcomeUnknown))
    }

    fn enqueue(self: &Arc<Self>, turn: Turn) {
        let start = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.push_back(turn);
            !std::mem::replace(&mut queue.running, true)
        };
        if start {
            let tenant = Arc::clone(self);
            tokio::task::spawn_blocking(move || tenant.drain());
        }
    }

    fn drain(self: Arc<Self>) {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                if queue.waiting.is_empty() {
                    queue.running = false;
                    return;
                }
            }
            self.group(&mut writing);
        }
    }

    fn next_turn(&self) -> Option<Turn> {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .pop_front()
    }

    fn group(&self, writing: &mut Writing) {
        writing.group_bytes = 0;
        let mut outcome = writing.recover();
        let mut answers = Vec::new();
        while answers.len() < GROUP_TURNS_MAX && writing.group_bytes < GROUP_BYTES_MAX {
            let Some(turn) = self.next_turn() else { break };
            if outcome.is_ok() {
                answers.push(turn(self, writing));
                outcome = writing.failed.clone().map_or(Ok(()), Err);
            } else {
                // It stages nothing on a state that failed; taking its turn is how it is told.
                answers.push(turn(self, &mut Writing::failed(outcome.clone())));
            }
        }
        if outcome.is_ok() {
            outcome = Self::sync(writing);
        }
        if outcome.is_ok() {
            self.counters().group(answers.len());
        }
        self.learn_names(writing, outcome.is_ok());
        for answer in answers {
            answer(outcome.clone());
        }
    }

    fn sync(writing: &mut Writing) -> Result<(), StoreError> {
        let synced = match writing.writer.as_mut() {
            // Closing was among the turns: it has synced.
            None => return Ok(()),
            Some(writer) => writer.sync().map_err(fault::engine),
        };
        if let Err(error) = &synced {
            writing.failed = Some(error.clone());
        }
        synced
    }

    fn learn_names(&self, writing: &mut Writing, durable: bool) {
        let new = std::mem::take(&mut writing.names);
        if durable && !new.is_empty() {
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            for (kind, _, name) in new {
                names.add(kind, name);
            }
        }
    }
}

impl Writing {
    /// Where nothing can be written any more.
    fn failed(outcome: Result<(), StoreError>) -> Self {
        Self {
            writer: None,
            state: State::default(),
            counts: HashMap::new(),
            newest: HashMap::new(),
            opened_at: Position(0),
            names: Vec::new(),
            group_bytes: 0,
            failed: outcome.err(),
            swept_at: i64::MIN,
        }
    }
}
