//! A channel's worker: takes messages from the log in their order, converts several at a time and
//! stores each as one transaction together with the note that it is stored.
//!
//! What two messages both write, or messages of the same patient, goes in the order of their
//! numbers; what has nothing to do with each other goes side by side, so that many share one sync
//! of the disk. After a crash the worker goes on from its position; what it finds settled is settled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use convert::Library;
use convert::hl7v2::HL70357;
use fhir::{Fault, Instant};
use interactions::channel::{Coverage, Message, OnFailure, Outcome, Settled, State};
use interactions::{Caller, Handling, InteractionError};
use store::{Clock as _, SystemClock};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use super::answer::Question;
use super::conversion::{Converted, Known, Touches, Transaction, With, convert};
use super::counters::Count;
use super::{ORIGIN, Shared};
use crate::mllp::service::{Libraries, Reading};

/// Messages that are settled before the position is noted again.
const NOTE_EVERY: u64 = 500;
/// How long the worker rests when the store or the library is not there.
const REST: Duration = Duration::from_secs(1);

type Hash = [u8; 8];

/// What is being stored.
struct Running {
    touches: Touches,
    patients: Vec<Hash>,
}

/// A message that is being converted.
struct Converting {
    message: Message,
    conversion: JoinHandle<Converted>,
}

/// What became of a message.
struct Done {
    number: u64,
    settled: Settled,
    patients: Vec<Hash>,
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    libraries: Arc<dyn Libraries>,
    library: Arc<Library>,
    /// The next number to be read.
    next: u64,
    /// The position that is noted.
    noted: u64,
    converting: VecDeque<Converting>,
    running: BTreeMap<u64, Running>,
    known: Known,
    tasks: JoinSet<Done>,
    /// Failed and waiting messages.
    open: BTreeMap<u64, Vec<Hash>>,
    /// What no template read, up to the position that is noted.
    coverage: Coverage,
    /// What no template read of messages beyond it, or of those that were tried again.
    unread: BTreeMap<u64, Vec<String>>,
    processors: Arc<Semaphore>,
}

/// Works for ever; it may be dropped at any time.
pub(super) async fn run(shared: Arc<Shared>, libraries: Arc<dyn Libraries>) {
    let Some(name) = shared.channel.library.clone() else {
        return;
    };
    loop {
        let library = libraries.library(&shared.tenant, &name, Reading::Anew);
        let worker = match library.await {
            Ok(library) => begin(&shared, &libraries, library).await,
            Err(what) => {
                warn!(channel = %shared.channel.name, what, "the library cannot be used");
                tokio::time::sleep(REST * 5).await;
                continue;
            }
        };
        let ended = match worker {
            Ok(mut worker) => worker.work().await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            warn!(channel = %shared.channel.name, %error, cause = error.cause, "the channel rests");
            tokio::time::sleep(REST).await;
        }
    }
}

async fn begin(
    shared: &Arc<Shared>,
    libraries: &Arc<dyn Libraries>,
    library: Arc<Library>,
) -> Result<Worker, InteractionError> {
    let (tenant, name) = (&shared.tenant, &shared.channel.name);
    let position = shared.interactions.message_position(tenant, name).await?;
    let open = shared.interactions.open_messages(tenant, name).await?;
    let coverage = shared.interactions.message_coverage(tenant, name).await?;
    let processors = std::thread::available_parallelism().map_or(1, Into::into);
    Ok(Worker {
        shared: Arc::clone(shared),
        libraries: Arc::clone(libraries),
        library,
        next: position + 1,
        noted: position,
        converting: VecDeque::new(),
        running: BTreeMap::new(),
        known: Known::default(),
        tasks: JoinSet::new(),
        open: open.into_iter().collect(),
        coverage,
        unread: BTreeMap::new(),
        processors: Arc::new(Semaphore::new(processors)),
    })
}

impl Worker {
    async fn work(&mut self) -> Result<(), InteractionError> {
        self.retry().await?;
        loop {
            self.read_ahead().await?;
            while self.may_go_on() && self.dispatch().await? {}
            self.note_position(NOTE_EVERY).await?;
            let shared = Arc::clone(&self.shared);
            let (is_idle, is_held) = (self.tasks.is_empty(), !self.may_go_on());
            if is_idle && (is_held || self.converting.is_empty()) {
                self.note_position(1).await?;
            }
            tokio::select! {
                Some(done) = self.tasks.join_next() => self.settle(done.map_err(broken)?),
                () = shared.wake.notified(), if self.converting.is_empty() => {}
                () = shared.asked.notified() => {
                    shared.tell_dismissed().await;
                    self.drain().await?;
                    self.retry().await?;
                }
            }
        }
    }

    /// How many messages may be on their way: one, where a failure stops all later ones.
    fn parallel(&self) -> usize {
        match self.shared.channel.on_failure {
            OnFailure::Stop => 1,
            OnFailure::Park => self.shared.channel.parallel,
        }
    }

    /// Whether the next message may be stored.
    fn may_go_on(&self) -> bool {
        let open_max = match self.shared.channel.on_failure {
            OnFailure::Stop => 1,
            OnFailure::Park => self.shared.channel.parked_max,
        };
        self.open.len() < open_max && self.running.len() < self.parallel()
    }

    /// Begins conversions of the next messages. What is settled already, after a crash, is passed
    /// over until there is one that is not: nobody may come to wake a worker that stops before it.
    async fn read_ahead(&mut self) -> Result<(), InteractionError> {
        let window = self.parallel() as u64;
        while self.converting.len() as u64 <= window / 2 {
            let (tenant, name) = (&self.shared.tenant, &self.shared.channel.name);
            let last = self
                .shared
                .interactions
                .newest_message(tenant, name)
                .await?;
            let end = last.min(self.next + window - 1);
            if end < self.next {
                return Ok(());
            }
            let numbers = self.next..=end;
            let found = self
                .shared
                .interactions
                .messages_in(tenant, name, numbers)
                .await?;
            self.next = end + 1;
            self.renew_library(Reading::Kept).await;
            for (message, settled) in found {
                if settled.state == State::Received {
                    let conversion = self.conversion(message.clone());
                    self.converting.push_back(Converting {
                        message,
                        conversion,
                    });
                } else {
                    // Before the crash it may not have been answered; a second time changes nothing.
                    answer(&self.shared, &message, &settled).await;
                    self.shared.tell_settled(message.number, &settled);
                    self.unread.insert(message.number, settled.unread);
                }
            }
        }
        Ok(())
    }

    fn conversion(&self, message: Message) -> JoinHandle<Converted> {
        let (library, shared) = (Arc::clone(&self.library), Arc::clone(&self.shared));
        let processors = Arc::clone(&self.processors);
        tokio::spawn(async move {
            let _turn = processors.acquire_owned().await;
            let work = move || {
                let with = With {
                    library: &library,
                    channel: &shared.channel,
                    ids: &shared.ids,
                };
                convert(&with, &message)
            };
            tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|_| failed_conversion())
        })
    }

    /// Begins to store the next message, if there is one; first waits for what it must come after.
    async fn dispatch(&mut self) -> Result<bool, InteractionError> {
        let Some(Converting {
            message,
            conversion,
        }) = self.converting.pop_front()
        else {
            return Ok(false);
        };
        let converted = conversion.await.unwrap_or_else(|_| failed_conversion());
        while self.must_wait(&converted) {
            let Some(done) = self.tasks.join_next().await else {
                break;
            };
            self.settle(done.map_err(broken)?);
        }
        if !self.may_go_on() {
            // What was waited for failed, and that stops the channel.
            let conversion = tokio::spawn(std::future::ready(converted));
            self.converting.push_front(Converting {
                message,
                conversion,
            });
            return Ok(false);
        }
        let is_behind = self.is_behind_open(message.number, &converted.patients);
        self.start(&message, converted, State::Received, is_behind, 0);
        Ok(!self.converting.is_empty())
    }

    fn must_wait(&self, converted: &Converted) -> bool {
        let none = Touches::default();
        let touches = converted.result.as_ref().map_or(&none, |it| &it.touches);
        self.running.values().any(|it| {
            touches.depends_on_all
                || it.touches.depends_on_all
                || touches.collide(&it.touches, &self.known)
                || converted
                    .patients
                    .iter()
                    .any(|patient| it.patients.contains(patient))
        })
    }

    fn is_behind_open(&self, number: u64, patients: &[Hash]) -> bool {
        let mut earlier = self.open.range(..number);
        earlier.any(|(_, open)| open.iter().any(|it| patients.contains(it)))
    }

    /// Stores what a message was converted to, or notes why not, in a task of its own.
    fn start(
        &mut self,
        message: &Message,
        converted: Converted,
        was: State,
        is_behind: bool,
        attempts: u64,
    ) {
        let number = message.number;
        let Converted { patients, result } = converted;
        let mut settled = Settled {
            attempts: attempts + 1,
            ..Settled::received(now())
        };
        let (mut transaction, mut touches) = (None, Touches::default());
        match result {
            _ if is_behind => settled.state = State::Waiting,
            Err(refused) => {
                settled.state = State::Failed;
                settled.condition = refused.condition.number();
                settled.what = refused.what;
            }
            Ok(it) => {
                settled.state = State::Stored;
                settled.resources = it.resources;
                settled.unread.clone_from(&it.unread);
                let Transaction {
                    document,
                    touches: touched,
                    ..
                } = it;
                touches = touched;
                transaction = Some(document);
            }
        }
        self.running.insert(
            number,
            Running {
                touches,
                patients: patients.clone(),
            },
        );
        let outcome = Outcome {
            number,
            was,
            settled,
            patients,
        };
        let shared = Arc::clone(&self.shared);
        let is_asking = was == State::Received && shared.channel.answers_to.is_some();
        let asking = is_asking.then(|| message.clone());
        self.tasks.spawn(async move {
            let done = finish(Arc::clone(&shared), outcome, transaction).await;
            if let Some(message) = asking {
                answer(&shared, &message, &done.settled).await;
            }
            done
        });
    }

    /// Takes note of what became of a message.
    fn settle(&mut self, done: Done) {
        let Done {
            number,
            settled,
            patients,
        } = done;
        if let Some(running) = self.running.remove(&number)
            && settled.state == State::Stored
        {
            self.known.learn(&running.touches);
        }
        let counters = &self.shared.counters;
        match settled.state {
            State::Stored => counters.one(Count::Stored),
            State::Failed => counters.one(Count::Failed),
            State::Waiting => counters.one(Count::Waiting),
            _ => {}
        }
        counters.add(Count::UnreadElements, settled.unread.len() as u64);
        self.unread.insert(number, settled.unread.clone());
        if matches!(settled.state, State::Failed | State::Waiting) {
            self.open.insert(number, patients);
        } else {
            self.open.remove(&number);
        }
        if settled.state == State::Failed {
            info!(channel = %self.shared.channel.name, number, condition = settled.condition, "a message is parked");
        }
        self.shared.tell_settled(number, &settled);
    }

    async fn drain(&mut self) -> Result<(), InteractionError> {
        while let Some(done) = self.tasks.join_next().await {
            self.settle(done.map_err(broken)?);
        }
        Ok(())
    }

    /// Tries again what somebody asked for, and then what waits behind nothing any more.
    async fn retry(&mut self) -> Result<(), InteractionError> {
        let (tenant, name) = (self.shared.tenant.clone(), self.shared.channel.name.clone());
        let interactions = self.shared.interactions.clone();
        let asked = interactions.messages_to_retry(&tenant, &name).await?;
        let open = interactions.open_messages(&tenant, &name).await?;
        self.open = open.into_iter().collect();
        if asked.is_empty() && self.open.is_empty() {
            return Ok(());
        }
        self.renew_library(Reading::Anew).await;
        for number in &asked {
            self.try_again(*number).await?;
        }
        // What was not tried yet may not overtake: conversions begun with the former library go on.
        let waiting: BTreeSet<u64> = self.open.keys().copied().collect();
        for number in waiting {
            let patients = self.open.get(&number).cloned().unwrap_or_default();
            let found = interactions.message(&tenant, &name, number).await?;
            let is_waiting = found.is_some_and(|(_, settled)| settled.state == State::Waiting);
            if is_waiting && !self.is_behind_open(number, &patients) {
                self.try_again(number).await?;
            }
        }
        Ok(())
    }

    /// What a tenant uses may change at any time; templates are most often what was mended when
    /// something is tried again.
    async fn renew_library(&mut self, reading: Reading) {
        let shared = Arc::clone(&self.shared);
        let name = shared.channel.library.as_deref().unwrap_or_default();
        match self.libraries.library(&shared.tenant, name, reading).await {
            Ok(library) => self.library = library,
            Err(what) => {
                warn!(channel = %self.shared.channel.name, what, "the library cannot be used anew");
            }
        }
    }

    async fn try_again(&mut self, number: u64) -> Result<(), InteractionError> {
        let shared = Arc::clone(&self.shared);
        let found = shared
            .interactions
            .message(&shared.tenant, &shared.channel.name, number)
            .await?;
        let Some((message, settled)) = found else {
            return Ok(());
        };
        let conversion = self.conversion(message.clone());
        let converted = conversion.await.unwrap_or_else(|_| failed_conversion());
        self.start(&message, converted, settled.state, false, settled.attempts);
        self.drain().await
    }

    /// Notes the position, and what no template read up to it, if so many messages were settled since.
    async fn note_position(&mut self, at_least: u64) -> Result<(), InteractionError> {
        let running = self.running.keys().next().copied();
        let converting = self.converting.front().map(|it| it.message.number);
        let first = running
            .into_iter()
            .chain(converting)
            .min()
            .unwrap_or(self.next);
        let position = first - 1;
        let was_tried_again = |it: (&u64, _)| *it.0 <= self.noted;
        let is_idle = at_least == 1;
        let is_due = position >= self.noted + at_least
            || is_idle && self.unread.first_key_value().is_some_and(was_tried_again);
        if !is_due {
            return Ok(());
        }
        let beyond = self.unread.split_off(&(position + 1));
        for (number, unread) in std::mem::replace(&mut self.unread, beyond) {
            self.coverage.add(number, &unread);
        }
        let (tenant, name) = (&self.shared.tenant, &self.shared.channel.name);
        self.shared
            .interactions
            .note_message_position(tenant, name, position, Some(&self.coverage))
            .await?;
        self.noted = position;
        Ok(())
    }
}

fn now() -> Instant {
    Instant::from_micros(SystemClock.now().0)
}

fn broken(_: tokio::task::JoinError) -> InteractionError {
    fhir::Issue::error(Fault::Internal, "a task of the channel failed").into()
}

fn failed_conversion() -> Converted {
    let what = "the conversion failed".to_owned();
    let result = Err(super::conversion::Refused {
        condition: HL70357::Internal,
        what,
    });
    Converted {
        patients: Vec::new(),
        result,
    }
}

/// Stores and notes, until it is known what became of the message. What the store cannot take now is
/// tried until it can: nothing later of these patients goes before.
async fn finish(
    shared: Arc<Shared>,
    mut outcome: Outcome,
    transaction: Option<fhir::json::Document>,
) -> Done {
    let mut transaction = transaction;
    loop {
        let attempt = if let Some(document) = &transaction {
            store(&shared, &outcome, document.clone()).await
        } else {
            let (tenant, name) = (&shared.tenant, &shared.channel.name);
            shared
                .interactions
                .note_message(tenant, name, &outcome)
                .await
        };
        let Err(error) = attempt else { break };
        if let Some(settled) = settled_by_another(&shared, &outcome).await {
            outcome.settled = settled;
            break;
        }
        let first = error.issues.first();
        let is_ours = first.is_none_or(|issue| {
            matches!(
                issue.fault,
                Fault::Unavailable | Fault::StorageFull | Fault::Internal | Fault::Timeout
            )
        });
        if is_ours || transaction.is_none() {
            warn!(channel = %shared.channel.name, %error, cause = error.cause, "a message waits for the store");
            tokio::time::sleep(REST).await;
            continue;
        }
        transaction = None;
        outcome.settled.state = State::Failed;
        outcome.settled.resources = 0;
        outcome.settled.condition = HL70357::Internal.number();
        outcome.settled.what = first.map_or_else(String::new, |issue| {
            let place = issue
                .expression
                .last()
                .map_or_else(String::new, |it| format!(" at {it}"));
            format!("{}{place}", issue.what)
        });
    }
    let Outcome {
        number,
        settled,
        patients,
        ..
    } = outcome;
    Done {
        number,
        settled,
        patients,
    }
}

/// Queues the later answer to a message, if it goes to a destination and the message wants one. The
/// same answer again is recognised by the destination's log.
async fn answer(shared: &Shared, message: &Message, settled: &Settled) {
    let Some(destination) = &shared.channel.answers_to else {
        return;
    };
    let answer = Question::of(message).and_then(|it| it.later(message, settled));
    let Some(answer) = answer else { return };
    let (interactions, tenant) = (&shared.interactions, &shared.tenant);
    while let Err(error) = interactions
        .send_message(tenant, destination, answer.clone())
        .await
    {
        warn!(channel = %shared.channel.name, %error, cause = error.cause, "an answer waits for the store");
        tokio::time::sleep(REST).await;
    }
}

/// After an error: what became of the message if it was settled all the same.
async fn settled_by_another(shared: &Shared, outcome: &Outcome) -> Option<Settled> {
    let found = shared
        .interactions
        .message(&shared.tenant, &shared.channel.name, outcome.number)
        .await;
    let (_, settled) = found.ok()??;
    (settled.state != outcome.was).then_some(settled)
}

async fn store(
    shared: &Shared,
    outcome: &Outcome,
    document: fhir::json::Document,
) -> Result<(), InteractionError> {
    let _room = shared.interactions.room(document.text().len()).await;
    let caller = Caller {
        tenant: shared.tenant.clone(),
        version: shared.channel.version,
        identity: "mllp".into(),
        origin: ORIGIN,
        idempotency: None,
        handling: Handling::Strict,
        visibility: Arc::default(),
    };
    let stored = shared
        .interactions
        .store_message(&caller, &shared.channel.name, outcome, document)
        .await?;
    let failed = stored
        .entries
        .into_iter()
        .find_map(|entry| entry.answer.err());
    failed.map_or(Ok(()), Err)
}
