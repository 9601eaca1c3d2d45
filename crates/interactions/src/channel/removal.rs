//! Removing settled messages after a time. A pass goes through the log from its beginning: first what
//! an earlier pass left because it was not settled then, then on to what came since. Each step is one commit, so
//! a pass that is cut off loses nothing and is taken up where it was.
//!
//! Only what was tried is looked at (up to the position), and numbers and times grow together, so
//! no message is read but the few by which the last one to go is found.

use fhir::{Fault, Instant, Issue};
use store::{At, Commit, NamedChange, NamedKey, TenantId, View};

use super::intake::{DAY_MICROS, number_of};
use super::review::unchanged;
use super::row::Settled;
use super::{ChannelName, Log};
use crate::{InteractionError, Interactions};

/// Messages looked at for one commit.
const STEP_MESSAGES_MAX: usize = 500;

/// What a step of a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// Messages that are gone.
    pub removed: u64,
    /// The number up to which this pass has come, if it is to go on.
    pub after: Option<u64>,
}

/// The messages of a step.
struct Step {
    numbers: Vec<u64>,
    /// The number up to which the pass has come with them.
    end: u64,
}

/// Up to which number messages were removed or left.
pub(super) async fn removed_up_to(view: &dyn View, log: &Log<'_>) -> Result<u64, InteractionError> {
    let rows = view.named(&[log.key("removed")]).await?;
    Ok(number_of(rows[0].as_ref()))
}

/// Why there is no message of a number.
pub(super) fn missing(number: u64, removed: u64) -> Issue {
    if (1..=removed).contains(&number) {
        let what = "the message was removed: it was older than the `keep_days` of its channel";
        return Issue::error(Fault::Deleted, what);
    }
    Issue::error(Fault::NotFound, "the channel has no message of that number")
}

impl Interactions {
    /// One step of removing what is settled and older than the channel keeps it, after the number up
    /// to which the pass has come; a pass begins with zero. Never removed is what is parked, waits, was not tried, or
    /// is to be tried again. Control ids stay remembered.
    pub async fn remove_messages(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        keep_days: u64,
        after: u64,
    ) -> Result<Removal, InteractionError> {
        let log = Log(channel);
        let view = self.store.view(tenant, At::Newest).await?;
        let keys = ["removed", "position"].map(|it| log.key(it));
        let rows = view.named(&keys).await?;
        let (removed, position) = (number_of(rows[0].as_ref()), number_of(rows[1].as_ref()));
        let is_new = after >= removed;
        let step = if is_new {
            let now = self.clock.now().0;
            let kept = i64::try_from(keep_days)
                .unwrap_or(i64::MAX)
                .saturating_mul(DAY_MICROS);
            let until = Instant::from_micros(now.saturating_sub(kept));
            let last = self
                .newest_before(tenant, channel, until, removed..=position)
                .await?;
            let end = last.min(removed + STEP_MESSAGES_MAX as u64);
            Step {
                numbers: (removed + 1..=end).collect(),
                end,
            }
        } else {
            left(&*view, &log, after, removed).await?
        };
        if step.end <= after {
            return Ok(Removal {
                removed: 0,
                after: None,
            });
        }
        let mut commit = Commit::default();
        let count = remove(&*view, &log, &step.numbers, is_new, &mut commit).await?;
        if is_new {
            let key = log.key("removed");
            commit.preconditions.push(unchanged(&key, rows[0].as_ref()));
            commit.named.push(put(key, step.end.to_string()));
        }
        if !commit.named.is_empty() {
            self.store.commit(tenant, commit).await?;
        }
        Ok(Removal {
            removed: count,
            after: Some(step.end),
        })
    }

    /// Up to which number messages were removed, and those among them that were left.
    pub(super) async fn left_messages(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
    ) -> Result<(u64, Vec<u64>), InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let removed = removed_up_to(&*view, &Log(channel)).await?;
        let left = self.numbered_rows(tenant, channel, "left").await?;
        Ok((removed, left.into_iter().map(|it| it.0).collect()))
    }
}

/// What earlier passes left.
async fn left(
    view: &dyn View,
    log: &Log<'_>,
    after: u64,
    removed: u64,
) -> Result<Step, InteractionError> {
    let after = log.numbered("left", after);
    let prefix = log.key("left/").0;
    let rows = view
        .named_with_prefix(&prefix, Some(&after), STEP_MESSAGES_MAX)
        .await?;
    let numbers: Vec<u64> = rows
        .iter()
        .filter_map(|(key, _)| Log::number(key))
        .collect();
    let is_last = numbers.len() < STEP_MESSAGES_MAX;
    let end = numbers
        .last()
        .copied()
        .filter(|_| !is_last)
        .unwrap_or(removed);
    Ok(Step { numbers, end })
}

/// Fills a commit with what goes of these messages, and what is to be noted of those that stay; gives
/// the number of those that go.
async fn remove(
    view: &dyn View,
    log: &Log<'_>,
    numbers: &[u64],
    is_new: bool,
    commit: &mut Commit,
) -> Result<u64, InteractionError> {
    let keys = |kind| {
        numbers
            .iter()
            .map(|it| log.numbered(kind, *it))
            .collect::<Vec<_>>()
    };
    let settled = view.named(&keys("s")).await?;
    let retries = view.named(&keys("retry")).await?;
    let mut count = 0;
    for (number, (settled, retry)) in numbers.iter().zip(settled.into_iter().zip(retries)) {
        let key = |kind| log.numbered(kind, *number);
        let state = settled
            .as_ref()
            .and_then(|row| Settled::decode(&row.value))
            .map(|it| it.state);
        if retry.is_none() && state.is_some_and(|it| !it.is_open()) {
            count += 1;
            commit
                .preconditions
                .push(unchanged(&key("s"), settled.as_ref()));
            commit.preconditions.push(unchanged(&key("retry"), None));
            // A deletion of what is not there would slow down whoever lists what was left.
            let left = (!is_new).then_some("left");
            let gone = ["m", "s", "original"].into_iter().chain(left);
            commit
                .named
                .extend(gone.map(|kind| NamedChange::Delete { key: key(kind) }));
        } else if is_new {
            commit.named.push(put(key("left"), String::new()));
        }
    }
    Ok(count)
}

fn put(key: NamedKey, value: String) -> NamedChange {
    NamedChange::Put {
        key,
        value: value.into(),
        expires: None,
    }
}
