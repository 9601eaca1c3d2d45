//! The MLLP agent: listeners for HL7 v2 messages that are durable before they are acknowledged, the
//! workers that convert and store them in order, and a sender.
//!
//! A message goes through `connection` (frames, header, limits) to the channel's `intake`, which
//! makes many messages one commit; then it is answered, as `answer` says. `worker` takes
//! what is in the log from its durable position, converts it with a library, and stores it through
//! `interactions` together with the note that it did. No text of a message is ever logged.

mod answer;
mod connection;
mod conversion;
mod counters;
mod folder;
pub mod frame;
mod intake;
mod listener;
mod outbound;
mod removal;
mod room;
pub mod sender;
mod service;
pub mod tls;
mod worker;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use convert::hl7v2::{Charset, Fault};
pub use counters::Metrics;
pub use folder::Form;
use interactions::Interactions;
use interactions::channel::{Channel, Ids, Incoming, Receipt, Settled, State};
pub use service::{Libraries, Reading, Service, StartError, into_folder};
use store::{Clock as _, Origin, SystemClock, TenantId};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tracing::warn;

use counters::Counters;
use intake::Submission;
use room::Rooms;

/// The agent's number in the ledger.
pub const ORIGIN: Origin = Origin(4);

/// Where the messages of a port go.
#[async_trait]
trait Keeper: Send + Sync {
    /// Makes messages durable, in their order, all or none; a fault for one that is not to be kept.
    /// `None`, told in the log, if that cannot be done now.
    async fn take(&self, group: &[Incoming]) -> Option<Vec<Result<Receipt, Fault>>>;

    /// Waits until a message is settled, for so long at most.
    async fn settled(&self, number: u64, patience: Duration) -> Option<Settled>;
}

/// What the connections of one channel share.
struct Port {
    channel: Channel,
    /// The characters of messages that name none.
    charset: Charset,
    counters: Arc<Counters>,
    keeper: Arc<dyn Keeper>,
    intake: mpsc::Sender<Submission>,
    /// Room for messages that are being received.
    rooms: Rooms,
    /// Messages whose later answers are waited for.
    later: Arc<Semaphore>,
    /// When the next message may come, under a limit of messages per second.
    next_at: Mutex<Option<Instant>>,
}

impl Port {
    /// Waits until the channel's limit of messages per second allows another.
    async fn pace(&self) {
        let max = self.channel.messages_per_second_max;
        if max == 0 {
            return;
        }
        let at = {
            let mut next = self.next_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = next.map_or(now, |it| it.max(now));
            *next = Some(at + Duration::from_secs(1) / u32::try_from(max).unwrap_or(u32::MAX));
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

/// What those share who work on the log of one channel.
struct Shared {
    interactions: Interactions,
    tenant: TenantId,
    channel: Channel,
    /// How its ids are made.
    ids: Ids,
    counters: Arc<Counters>,
    /// Those who wait for messages to be settled, by number.
    waiting: Mutex<HashMap<u64, Vec<oneshot::Sender<Settled>>>>,
    /// There is something for the worker.
    wake: Notify,
    /// Somebody asked for messages to be tried again.
    asked: Notify,
}

#[async_trait]
impl Keeper for Shared {
    async fn take(&self, group: &[Incoming]) -> Option<Vec<Result<Receipt, Fault>>> {
        let taken = self
            .interactions
            .take_messages(&self.tenant, &self.channel, group);
        match taken.await {
            Ok(receipts) => {
                self.wake.notify_one();
                Some(receipts.into_iter().map(Ok).collect())
            }
            Err(error) => {
                warn!(channel = %self.channel.name, %error, cause = error.cause, "messages cannot be taken");
                None
            }
        }
    }

    async fn settled(&self, number: u64, patience: Duration) -> Option<Settled> {
        if self.channel.library.is_none() {
            // Keeping is all that such a channel does.
            let now = fhir::Instant::from_micros(SystemClock.now().0);
            return Some(Settled {
                state: State::Stored,
                ..Settled::received(now)
            });
        }
        let (sender, receiver) = oneshot::channel();
        self.waiters().entry(number).or_default().push(sender);
        // Asked for after waiting has begun, so that what is settled in between is not missed.
        let known = self
            .interactions
            .message(&self.tenant, &self.channel.name, number)
            .await;
        match known {
            Ok(Some((_, settled))) if settled.state != State::Received => {
                self.tell_settled(number, &settled);
                return Some(settled);
            }
            _ => {}
        }
        let told = tokio::time::timeout(patience, receiver).await;
        if told.is_err()
            && let Entry::Occupied(mut waiters) = self.waiters().entry(number)
        {
            waiters.get_mut().retain(|it| !it.is_closed());
            if waiters.get().is_empty() {
                waiters.remove();
            }
        }
        told.ok()?.ok()
    }
}

impl Shared {
    fn waiters(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Vec<oneshot::Sender<Settled>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for messages that were dismissed before they were tried.
    async fn tell_dismissed(&self) {
        let waited_for: Vec<u64> = self.waiters().keys().copied().collect();
        let (tenant, name) = (&self.tenant, &self.channel.name);
        let found = self
            .interactions
            .messages_in(tenant, name, waited_for.into_iter());
        for (message, settled) in found.await.into_iter().flatten() {
            if settled.state == State::Dismissed {
                self.tell_settled(message.number, &settled);
            }
        }
    }

    fn tell_settled(&self, number: u64, settled: &Settled) {
        for waiter in self.waiters().remove(&number).unwrap_or_default() {
            // Whoever asked may be gone.
            waiter.send(settled.clone()).ok();
        }
    }
}
