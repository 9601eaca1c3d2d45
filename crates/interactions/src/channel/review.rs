//! Looking after a channel: its definitions, finding messages, trying them again, correcting and
//! dismissing them. Whoever may see a message's text is decided before these are called.

use std::ops::RangeInclusive;

use bytes::Bytes;
use fhir::{Fault, Instant, Issue};
use store::{At, Commit, NamedChange, NamedExpected, NamedKey, Precondition, TenantId};

use super::intake::{control_id_key, number_of, remembered_numbers};
use super::progress::read;
use super::removal::{missing, removed_up_to};
use super::row::{Message, Settled, State};
use super::{Channel, ChannelName, DefinitionFault, Log};
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

fn definition_key(name: &str) -> NamedKey {
    NamedKey(format!("hl7v2/channel/{name}").into())
}

impl Interactions {
    /// The channels that were defined through the interface.
    pub async fn channels(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<Result<Channel, Vec<DefinitionFault>>>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let prefix = definition_key("");
        let rows = view.named_with_prefix(&prefix.0, None, 10_000).await?;
        let read = |(key, row): &(NamedKey, store::NamedRow)| {
            let name = ChannelName::parse(key.0.strip_prefix(&*prefix.0)?)?;
            Some(Channel::decode(name, std::str::from_utf8(&row.value).ok()?))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Defines a channel, or defines it anew.
    pub async fn put_channel(
        &self,
        tenant: &TenantId,
        channel: &Channel,
    ) -> Result<(), InteractionError> {
        let key = definition_key(channel.name.as_str());
        let put = NamedChange::Put {
            key,
            value: channel.encode().into(),
            expires: None,
        };
        self.change_definition(tenant, put).await
    }

    /// Ends a channel; its log stays.
    pub async fn delete_channel(
        &self,
        tenant: &TenantId,
        name: &ChannelName,
    ) -> Result<(), InteractionError> {
        self.change_definition(
            tenant,
            NamedChange::Delete {
                key: definition_key(name.as_str()),
            },
        )
        .await
    }

    async fn change_definition(
        &self,
        tenant: &TenantId,
        change: NamedChange,
    ) -> Result<(), InteractionError> {
        self.store
            .commit(
                tenant,
                Commit {
                    named: vec![change],
                    ..Commit::default()
                },
            )
            .await?;
        self.news.tell(tenant, None);
        Ok(())
    }

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
        if settled_row.is_none() && number > number_of(position.as_ref()) {
            let issue = Issue::error(Fault::Conflict, "the message was not tried yet");
            return Err(issue.mend("wait until it is settled").into());
        }
        let kept = (message, settled, original.is_some());
        let named = self.changes_of(&log, retry, kept)?;
        let unchanged = |key: &NamedKey, row: Option<&store::NamedRow>| Precondition::Named {
            key: key.clone(),
            expected: row.map_or(NamedExpected::Absent, |row| {
                NamedExpected::Revision(row.revision)
            }),
        };
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
                let what = "the message is neither parked nor waiting";
                return Err(Issue::error(Fault::Conflict, what).into());
            }
            Retry::Dismiss => {
                let settled = Settled {
                    state: State::Dismissed,
                    time: self.now(),
                    ..settled
                };
                named.push(put("s", settled.encode()));
                let gone = ["open", "retry"].map(|kind| NamedChange::Delete {
                    key: log.numbered(kind, number),
                });
                named.extend(gone);
            }
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

    fn now(&self) -> Instant {
        Instant::from_micros(self.clock.now().0)
    }
}
