//! A channel's intake: what all connections bring becomes durable in groups, one commit each, in the
//! order in which it was brought.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use convert::hl7v2::Fault;
use interactions::channel::{Incoming, Receipt, Standing};
use tokio::sync::{mpsc, oneshot};

use super::Port;
use super::counters::Count;
use super::room::Room;

/// Messages that wait to be made durable.
pub(super) const QUEUE: usize = 1_024;
/// Messages of one commit.
const GROUP_MAX: usize = 512;

/// What became of a message on its way to the log.
pub(super) enum Taken {
    /// It is durable.
    Durable(Receipt),
    /// It cannot be kept, and is not.
    Refused(Fault),
    /// It could not be made durable now.
    NotDurable,
}

/// A message on its way to the log.
pub(super) struct Submission {
    pub(super) incoming: Incoming,
    /// Set when a message of this connection could not be taken: later ones must not overtake it.
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) reply: oneshot::Sender<Taken>,
    /// The room that its bytes take.
    pub(super) room: Room,
}

/// Takes messages until nobody brings any.
pub(super) async fn run(port: Arc<Port>, mut queue: mpsc::Receiver<Submission>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
        take(&port, std::mem::take(&mut group)).await;
    }
}

async fn take(port: &Port, group: Vec<Submission>) {
    let is_broken = |it: &Submission| it.is_broken.load(Ordering::Acquire);
    let (refused, group): (Vec<_>, Vec<_>) = group.into_iter().partition(is_broken);
    for it in refused {
        it.reply.send(Taken::NotDurable).ok();
    }
    if group.is_empty() {
        return;
    }
    let (incoming, waiting): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|it| (it.incoming, (it.is_broken, it.reply, it.room)))
        .unzip();
    let Some(all) = port.keeper.take(&incoming).await else {
        port.counters.add(Count::Unavailable, waiting.len() as u64);
        for (is_broken, ..) in &waiting {
            is_broken.store(true, Ordering::Release);
        }
        for (_, reply, _) in waiting {
            reply.send(Taken::NotDurable).ok();
        }
        return;
    };
    for ((_, reply, _), taken) in waiting.into_iter().zip(all) {
        let taken = taken.map_or_else(Taken::Refused, Taken::Durable);
        port.counters.one(count(&taken));
        // A connection that went away asks again, and is told the same.
        reply.send(taken).ok();
    }
}

fn count(taken: &Taken) -> Count {
    match taken {
        Taken::Durable(receipt) => match receipt.standing {
            Standing::New => Count::Received,
            Standing::Repeated => Count::Repeated,
            Standing::Reused | Standing::Refused => Count::Reused,
        },
        Taken::Refused(_) => Count::NotTaken,
        Taken::NotDurable => Count::Unavailable,
    }
}
