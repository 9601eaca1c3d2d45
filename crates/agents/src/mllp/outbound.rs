//! A destination's worker: sends what is in its log, one message after the other, each until it is
//! answered or parked. A parked message holds up no later one.
//!
//! That a message was taken is noted after its answer came: one that was answered just before a
//! crash is sent again, under its control id, by which its receiver knows it.

use std::sync::Arc;
use std::time::Duration;

use convert::hl7v2::{HL70357, Header, Verdict};
use fhir::{Fault, Instant};
use interactions::channel::{ChannelName, Destination, Message, Outcome, Settled, State};
use interactions::{InteractionError, Interactions};
use store::{Clock as _, SystemClock, TenantId};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::counters::{Count, Counters};
use super::sender::{Attempt, PAUSE_FIRST, PAUSE_MAX, Sender};

/// Messages that are settled before the position is noted again.
const NOTE_EVERY: u64 = 100;
/// How long the worker rests when the store is not there.
const REST: Duration = Duration::from_secs(1);

/// What is known of one destination.
pub(super) struct Outbound {
    pub(super) interactions: Interactions,
    pub(super) tenant: TenantId,
    pub(super) destination: Destination,
    /// The name of its log.
    pub(super) log: ChannelName,
    pub(super) counters: Arc<Counters>,
    /// Something is to be sent.
    pub(super) asked: Notify,
}

struct Worker {
    shared: Arc<Outbound>,
    sender: Sender,
    /// The next number to be sent.
    next: u64,
    /// The position that is noted.
    noted: u64,
}

/// What came of sending a message.
#[derive(Debug, PartialEq, Eq)]
enum Delivered {
    /// The receiver took it.
    Taken,
    /// It is to be parked.
    GivenUp { condition: HL70357, what: String },
    /// Somebody dismissed or corrected it before.
    Changed,
}

/// Works for ever; it may be dropped at any time.
pub(super) async fn run(shared: Arc<Outbound>, sender: Sender) {
    let mut worker = Worker {
        sender,
        next: 0,
        noted: 0,
        shared: Arc::clone(&shared),
    };
    loop {
        let Err(error) = worker.work().await;
        warn!(destination = %shared.destination.name, %error, cause = error.cause, "the destination rests");
        tokio::time::sleep(REST).await;
    }
}

impl Worker {
    async fn work(&mut self) -> Result<std::convert::Infallible, InteractionError> {
        let shared = Arc::clone(&self.shared);
        let (interactions, tenant, log) = (&shared.interactions, &shared.tenant, &shared.log);
        self.noted = interactions.message_position(tenant, log).await?;
        self.next = self.noted + 1;
        loop {
            for number in interactions.messages_to_retry(tenant, log).await? {
                self.settle(number, IsAsked::Yes).await?;
            }
            let last = interactions.newest_message(tenant, log).await?;
            if self.next > last {
                self.note_position(1).await?;
                shared.asked.notified().await;
                continue;
            }
            self.settle(self.next, IsAsked::No).await?;
            self.next += 1;
            self.note_position(NOTE_EVERY).await?;
        }
    }

    async fn note_position(&mut self, at_least: u64) -> Result<(), InteractionError> {
        let position = self.next - 1;
        if position < self.noted + at_least {
            return Ok(());
        }
        let shared = &self.shared;
        shared
            .interactions
            .note_message_position(&shared.tenant, &shared.log, position, None)
            .await?;
        self.noted = position;
        Ok(())
    }

    /// Sends a message if it is still to be sent, and notes what became of it.
    async fn settle(&mut self, number: u64, is_asked: IsAsked) -> Result<(), InteractionError> {
        let shared = Arc::clone(&self.shared);
        let (interactions, tenant, log) = (&shared.interactions, &shared.tenant, &shared.log);
        loop {
            let Some((message, before)) = interactions.message(tenant, log, number).await? else {
                return Ok(());
            };
            let is_wanted = match is_asked {
                IsAsked::No => before.state == State::Received,
                IsAsked::Yes => interactions
                    .messages_to_retry(tenant, log)
                    .await?
                    .contains(&number),
            };
            if !is_wanted {
                return Ok(());
            }
            let mut attempts = before.attempts;
            let delivered = self.deliver(&message, &before, &mut attempts).await?;
            // What was corrected while it was on its way is sent as it is now.
            let is_changed = delivered == Delivered::Changed
                || is_asked == IsAsked::Yes && self.is_changed(&message, &before).await?;
            if !is_changed {
                return self.note(number, &before, attempts, delivered).await;
            }
        }
    }

    /// Notes what became of a message.
    async fn note(
        &self,
        number: u64,
        before: &Settled,
        attempts: u64,
        delivered: Delivered,
    ) -> Result<(), InteractionError> {
        let shared = &self.shared;
        let mut settled = Settled {
            state: State::Sent,
            attempts,
            ..Settled::received(Instant::from_micros(SystemClock.now().0))
        };
        if let Delivered::GivenUp { condition, what } = delivered {
            settled.state = State::Failed;
            settled.condition = condition.number();
            settled.what = what;
            info!(destination = %shared.destination.name, number, condition = settled.condition, "a message is parked");
        }
        let count = match settled.state {
            State::Sent => Count::Sent,
            _ => Count::Failed,
        };
        let outcome = Outcome {
            number,
            was: before.state,
            settled,
            patients: Vec::new(),
        };
        let noted = shared
            .interactions
            .note_message(&shared.tenant, &shared.log, &outcome);
        match noted.await {
            Ok(()) => {
                shared.counters.one(count);
                Ok(())
            }
            // Somebody dismissed it meanwhile.
            Err(error)
                if error
                    .issues
                    .first()
                    .is_some_and(|it| it.fault == Fault::Conflict) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether somebody dismissed or corrected a message since it was read.
    async fn is_changed(
        &self,
        message: &Message,
        before: &Settled,
    ) -> Result<bool, InteractionError> {
        let shared = &self.shared;
        let now = shared
            .interactions
            .message(&shared.tenant, &shared.log, message.number)
            .await?;
        Ok(now.is_none_or(|(now, settled)| now.raw != message.raw || settled != *before))
    }

    /// Sends a message until its receiver has taken it, it is given up, or somebody changed it. While
    /// the receiver cannot be reached at all, it is tried for ever.
    async fn deliver(
        &mut self,
        message: &Message,
        before: &Settled,
        attempts: &mut u64,
    ) -> Result<Delivered, InteractionError> {
        let text: String = message.raw.iter().map(|byte| char::from(*byte)).collect();
        let header = match Header::read(&text) {
            Ok(header) => header,
            Err(fault) => {
                return Ok(Delivered::GivenUp {
                    condition: fault.condition,
                    what: fault.what,
                });
            }
        };
        let shared = Arc::clone(&self.shared);
        let destination = &shared.destination;
        let (mut refused, mut unanswered, mut pause) = (0, 0, PAUSE_FIRST);
        loop {
            let attempt = self.sender.attempt(&message.raw, header.control_id()).await;
            *attempts += u64::from(!matches!(attempt, Attempt::Unreachable(_)));
            let given_up = match attempt {
                Attempt::Answered(reply) if reply.verdict == Verdict::Accepted => {
                    return Ok(Delivered::Taken);
                }
                Attempt::Answered(reply) => {
                    refused += 1;
                    (refused >= destination.refused_max).then(|| Delivered::GivenUp {
                        condition: reply.condition.unwrap_or(HL70357::Internal),
                        what: format!("the receiver answered {}", reply.code),
                    })
                }
                Attempt::Unanswered(error) => {
                    unanswered += 1;
                    (unanswered >= destination.unanswered_max).then(|| Delivered::GivenUp {
                        condition: HL70357::Internal,
                        what: format!("the receiver did not answer: {error}"),
                    })
                }
                Attempt::Unreachable(error) => {
                    warn!(destination = %destination.name, %error, "the receiver is not reached");
                    None
                }
            };
            if let Some(given_up) = given_up {
                return Ok(given_up);
            }
            if self.pause(pause, message, before).await? {
                return Ok(Delivered::Changed);
            }
            shared.counters.one(Count::Resent);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Rests before another try; gives at once whether somebody changes the message meanwhile.
    async fn pause(
        &self,
        pause: Duration,
        message: &Message,
        before: &Settled,
    ) -> Result<bool, InteractionError> {
        let end = tokio::time::sleep(pause);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Ok(false),
                () = self.shared.asked.notified() => {
                    if self.is_changed(message, before).await? {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

/// Whether somebody asked for a message to be sent whatever became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsAsked {
    Yes,
    No,
}
