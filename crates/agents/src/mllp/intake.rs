//! A channel's intake: what all connections bring becomes durable in groups, one commit each, in the
//! order in which it was brought.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use interactions::channel::{Incoming, Receipt, Standing};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tracing::warn;

use super::Shared;
use super::counters::Count;

/// Messages that wait to be made durable.
pub(super) const QUEUE: usize = 1_024;
/// Messages of one commit.
const GROUP_MAX: usize = 512;

/// A message on its way to the log.
pub(super) struct Submission {
    pub(super) incoming: Incoming,
    /// Set when a message of this connection could not be taken: later ones must not overtake it.
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) reply: oneshot::Sender<Option<Receipt>>,
    /// The room that its bytes take.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Takes messages until nobody brings any.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Submission>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
        take(&shared, std::mem::take(&mut group)).await;
    }
}

async fn take(shared: &Shared, group: Vec<Submission>) {
    let is_broken = |it: &Submission| it.is_broken.load(Ordering::Acquire);
    let (refused, group): (Vec<_>, Vec<_>) = group.into_iter().partition(is_broken);
    for it in refused {
        it.reply.send(None).ok();
    }
    if group.is_empty() {
        return;
    }
    let (incoming, waiting): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|it| (it.incoming, (it.is_broken, it.reply, it.room)))
        .unzip();
    let taken = shared
        .interactions
        .take_messages(&shared.tenant, &shared.channel, &incoming);
    match taken.await {
        Ok(receipts) => {
            for ((_, reply, _), receipt) in waiting.into_iter().zip(receipts) {
                count(shared, receipt);
                // A connection that went away asks again, and is told the same.
                reply.send(Some(receipt)).ok();
            }
            shared.wake.notify_one();
        }
        Err(error) => {
            shared
                .counters
                .add(Count::Unavailable, waiting.len() as u64);
            warn!(channel = %shared.channel.name, %error, cause = error.cause, "messages cannot be taken");
            for (is_broken, ..) in &waiting {
                is_broken.store(true, Ordering::Release);
            }
            for (_, reply, _) in waiting {
                reply.send(None).ok();
            }
        }
    }
}

fn count(shared: &Shared, receipt: Receipt) {
    let count = match receipt.standing {
        Standing::New => Count::Received,
        Standing::Repeated => Count::Repeated,
        Standing::Reused | Standing::Refused => Count::Reused,
    };
    shared.counters.one(count);
}
