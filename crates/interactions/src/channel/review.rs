//! Looking after a log: finding messages, trying them again, correcting and
//! dismissing them. Whoever may see a message's text is decided before these are called.

use std::ops::RangeInclusive;

use bytes::Bytes;
use fhir::{Fault, Instant, Issue};
use store::{At, Commit, NamedChange, NamedExpected, NamedKey, NamedRow, Precondition, TenantId};

use super::intake::{control_id_key, number_of, remembered_numbers};
use super::progress::read;
use super::removal::{missing, removed_up_to};
use super::row::{Message, Settled, State};
use super::{ChannelName, Log};
use crate::{InteractionError, Interactions};

/// Messages looked at for one page, whether or not they are among its answers.
const LOOKED_AT_MAX: usize = 10_000;
/// Messages read at one time.
const READ_AT_ONCE: usize = 250;

/// What to look for in a log; the newest first.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only of this state.
    pub state: Option<State>,
    /// Only with this control id, among those that are remembered.
    pub control_id: Option<String>,
    /// Only those that came at or after this instant.
    pub from: Option<Instant>,
    /// Only those that came before this instant.
    pub until: Option<Instant>,
    /// Only those with a smaller number.
    pub before: Option<u64>,
    /// Greatest number of answers.
    pub count: usize,
}

impl Query {
    /// Whether a message is looked for, by its state and time.
    fn takes(&self, (message, settled): &(Message, Settled)) -> bool {
        self.state.is_none_or(|it| it == settled.state)
            && self.from.is_none_or(|it| message.time >= it)
            && self.until.is_none_or(|it| message.time < it)
    }
}

/// A page of messages, the newest first.
#[derive(Debug)]
pub struct Listed {
    /// The messages.
    pub messages: Vec<(Message, Settled)>,
    /// Where the next page goes on, if there may be one.
    pub next_before: Option<u64>,
}

/// What somebody wants done with a message.
#[derive(Debug, Clone)]
pub enum Retry {
    /// Try it as it is.
    AsItIs,
    /// Try it with this content.
    Corrected(Bytes),
    /// Never store it; what waits behind it goes on.
    Dismiss,
}

impl Interactions {
    /// Finds messages. A page may be empty although there are more: it looks at a bounded number.
    pub async fn find_messages(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        query: &Query,
    ) -> Result<Listed, InteractionError> {
        let last = self.newest_message(tenant, channel).await?;
        if let Some(control_id) = &query.control_id {
            return self
                .with_control_id(tenant, channel, query, control_id)
                .await;
        }
        let (removed, left) = self.left_messages(tenant, channel).await?;
        let mut end = query
            .before
            .map_or(last, |before| last.min(before.saturating_sub(1)));
        if let Some(until) = query.until
            && end > removed
        {
            let range = removed..=end;
            end = self.newest_before(tenant, channel, until, range).await?;
        }
        let mut numbers = (removed + 1..=end)
            .rev()
            .chain(left.into_iter().rev().filter(|it| *it <= end));
        let looked_at: Vec<u64> = numbers.by_ref().take(LOOKED_AT_MAX).collect();
        let mut messages: Vec<(Message, Settled)> = Vec::new();
        for numbers in looked_at.chunks(READ_AT_ONCE) {
            let numbers = numbers.iter().copied();
            for found in self.messages_in(tenant, channel, numbers).await? {
                if query.from.is_some_and(|from| found.0.time < from) {
                    return Ok(Listed {
                        messages,
                        next_before: None,
                    });
                }
                if !query.takes(&found) {
                    continue;
                }
                if messages.len() == query.count {
                    let next_before = messages.last().map(|(it, _)| it.number);
                    return Ok(Listed {
                        messages,
                        next_before,
                    });
                }
                messages.push(found);
            }
        }
        let is_last = numbers.next().is_none();
        Ok(Listed {
            messages,
            next_before: looked_at.last().copied().filter(|_| !is_last),
        })
    }

    async fn with_control_id(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        query: &Query,
        control_id: &str,
    ) -> Result<Listed, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let rows = view
            .named(&[control_id_key(&Log(channel), control_id)])
            .await?;
        let mut messages = Vec::new();
        for number in rows.iter().flatten().flat_map(remembered_numbers).rev() {
            messages.extend(self.message(tenant, channel, number).await?);
        }
        messages.retain(|found| query.takes(found));
        Ok(Listed {
            messages,
            next_before: None,
        })
    }

    /// The newest message before an instant, of those after the beginning of a range without gaps;
    /// its beginning if there is none. Numbers and times grow together.
    pub(super) async fn newest_before(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        until: Instant,
        range: RangeInclusive<u64>,
    ) -> Result<u64, InteractionError> {
        let (mut low, mut high) = range.into_inner();
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let found = self.message(tenant, channel, middle).await?;
            if found.is_some_and(|(message, _)| message.time < until) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    /// Asks for a message to be tried again, corrected or dismissed. Of one that is stored, the
    /// resources are stored anew.
    pub async fn retry_message(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        number: u64,
        retry: Retry,
    ) -> Result<(), InteractionError> {
        let log = Log(channel);
        let view = self.store.view(tenant, At::Newest).await?;
        let keys = ["m", "s", "original"].map(|kind| log.numbered(kind, number));
        let position = log.key("position");
        let rows = view.named(&[&keys[..], &[position]].concat()).await?;
        let [Some(row), settled_row, original, position] = &rows[..] else {
            let removed = removed_up_to(&*view, &log).await?;
            return Err(missing(number, removed).into());
        };
        let (message, settled) = read(number, row, settled_row.as_ref())?;
        let was_tried = settled_row.is_some() || number <= number_of(position.as_ref());
        if !was_tried && !matches!(retry, Retry::Dismiss) {
            let issue = Issue::error(Fault::Conflict, "the message was not tried yet");
            return Err(issue.mend("wait until it is settled, or dismiss it").into());
        }
        let kept = (message, settled, original.is_some());
        let named = self.changes_of(&log, retry, kept)?;
        let preconditions = vec![
            unchanged(&keys[0], Some(row)),
            unchanged(&keys[1], settled_row.as_ref()),
        ];
        self.store
            .commit(
                tenant,
                Commit {
                    named,
                    preconditions,
                    ..Commit::default()
                },
            )
            .await?;
        self.news.tell(tenant, Some(channel));
        Ok(())
    }

    /// The rows that change for what somebody wants done with a message; the last of what is kept
    /// says whether there is an original beside it.
    fn changes_of(
        &self,
        log: &Log<'_>,
        retry: Retry,
        (message, settled, has_original): (Message, Settled, bool),
    ) -> Result<Vec<NamedChange>, InteractionError> {
        let number = message.number;
        let put = |kind, value| NamedChange::Put {
            key: log.numbered(kind, number),
            value,
            expires: None,
        };
        let mut named = Vec::new();
        match retry {
            Retry::Dismiss if !settled.state.is_open() => {
                let what = format!("the message is settled: {}", settled.state.name());
                return Err(Issue::error(Fault::Conflict, what).into());
            }
            Retry::Dismiss => named = dismissal(log, number, settled, self.now()),
            Retry::AsItIs => named.push(put("retry", Bytes::new())),
            Retry::Corrected(raw) => {
                if !has_original {
                    named.push(put("original", message.encode()));
                }
                let corrected = Message {
                    raw,
                    is_corrected: true,
                    ..message
                };
                named.push(put("m", corrected.encode()));
                named.push(put("retry", Bytes::new()));
            }
        }
        Ok(named)
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_micros(self.clock.now().0)
    }
}

/// The rows that change when a message is dismissed of which that is known.
pub(super) fn dismissal(
    log: &Log<'_>,
    number: u64,
    known: Settled,
    now: Instant,
) -> Vec<NamedChange> {
    let was_tried = known.state != State::Received;
    let settled = Settled {
        state: State::Dismissed,
        time: now,
        ..known
    };
    let mut named = vec![NamedChange::Put {
        key: log.numbered("s", number),
        value: settled.encode(),
        expires: None,
    }];
    // Of one that was not tried there are no such rows, and deletions slow down whoever lists them.
    if was_tried {
        let gone = ["open", "retry"].map(|kind| NamedChange::Delete {
            key: log.numbered(kind, number),
        });
        named.extend(gone);
    }
    named
}

/// That a row is as it was read.
pub(super) fn unchanged(key: &NamedKey, row: Option<&NamedRow>) -> Precondition {
    Precondition::Named {
        key: key.clone(),
        expected: row.map_or(NamedExpected::Absent, |row| {
            NamedExpected::Revision(row.revision)
        }),
    }
}
