//! What an agent notes of a channel's messages: stored, failed, waiting. What was stored is noted in
//! the commit that stores it, so that it is stored once whatever happens in between.

use fhir::json::Document;
use fhir::{Fault, Issue};
use store::{At, Commit, NamedChange, NamedExpected, NamedKey, NamedRow, Precondition, TenantId};

use super::intake::number_of;
use super::removal::{missing, removed_up_to};
use super::row::{Message, Settled, State};
use super::{ChannelName, Coverage, Log};
use crate::job::Beside;
use crate::{Bundle, Caller, InteractionError, Interactions};

/// Rows read at one time.
const PAGE: usize = 1_000;

/// What became of a message that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The message's number.
    pub number: u64,
    /// What was known of it when it was tried; the outcome holds only if that is still so.
    pub was: State,
    /// What is known of it now.
    pub settled: Settled,
    /// Hashes of its patients' identifiers, for the order of what waits.
    pub patients: Vec<[u8; 8]>,
}

impl Outcome {
    /// The rows of the outcome, and what must hold: that nobody else settled the message.
    fn beside(&self, log: &Log<'_>, before: Option<&NamedRow>) -> Result<Beside, InteractionError> {
        let known = before.map(|row| Settled::decode(&row.value).map(|it| it.state));
        if known.flatten().unwrap_or(State::Received) != self.was {
            let issue = Issue::error(Fault::Conflict, "the message was settled meanwhile");
            return Err(issue.into());
        }
        let is_retry = self.was != State::Received;
        let key = log.numbered("s", self.number);
        let put = |key: NamedKey, value| NamedChange::Put {
            key,
            value,
            expires: None,
        };
        let open = log.numbered("open", self.number);
        let mut named = vec![put(key.clone(), self.settled.encode())];
        if matches!(self.settled.state, State::Failed | State::Waiting) {
            named.push(put(open, self.patients.concat().into()));
        } else if is_retry {
            named.push(NamedChange::Delete { key: open });
        }
        if is_retry {
            named.push(NamedChange::Delete {
                key: log.numbered("retry", self.number),
            });
        }
        let expected = before.map_or(NamedExpected::Absent, |row| {
            NamedExpected::Revision(row.revision)
        });
        Ok(Beside {
            named,
            preconditions: vec![Precondition::Named { key, expected }],
        })
    }
}

impl Interactions {
    /// Up to which number every message is settled.
    pub async fn message_position(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
    ) -> Result<u64, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let rows = view.named(&[Log(channel).key("position")]).await?;
        Ok(number_of(rows[0].as_ref()))
    }

    /// Notes that every message up to that number is settled, and which of their fields no template
    /// read. It may lag behind: what is settled has a row that says so.
    pub async fn note_message_position(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        position: u64,
        coverage: Option<&Coverage>,
    ) -> Result<(), InteractionError> {
        let log = Log(channel);
        let put = NamedChange::Put {
            key: log.key("position"),
            value: position.to_string().into(),
            expires: None,
        };
        self.store
            .commit(
                tenant,
                Commit {
                    named: coverage
                        .map(|it| it.put(&log))
                        .into_iter()
                        .chain([put])
                        .collect(),
                    ..Commit::default()
                },
            )
            .await?;
        Ok(())
    }

    /// Messages by number, in the order of the numbers, with what became of them; those that do not
    /// exist are left out.
    pub async fn messages_in(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        numbers: impl Iterator<Item = u64> + Clone + Send,
    ) -> Result<Vec<(Message, Settled)>, InteractionError> {
        let log = Log(channel);
        let view = self.store.view(tenant, At::Newest).await?;
        let keys = |kind| {
            numbers
                .clone()
                .map(|it| log.numbered(kind, it))
                .collect::<Vec<_>>()
        };
        let messages = view.named(&keys("m")).await?;
        let settled = view.named(&keys("s")).await?;
        let rows = numbers.zip(messages.into_iter().zip(settled));
        let found =
            rows.filter_map(|(number, (message, settled))| Some((number, message?, settled)));
        found
            .map(|(number, message, settled)| read(number, &message, settled.as_ref()))
            .collect()
    }

    /// One message, with what became of it, or why it is not there: it never was, or was removed.
    pub async fn known_message(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        number: u64,
    ) -> Result<(Message, Settled), InteractionError> {
        if let Some(found) = self.message(tenant, channel, number).await? {
            return Ok(found);
        }
        let view = self.store.view(tenant, At::Newest).await?;
        let removed = removed_up_to(&*view, &Log(channel)).await?;
        Err(missing(number, removed).into())
    }

    /// One message, with what became of it.
    pub async fn message(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        number: u64,
    ) -> Result<Option<(Message, Settled)>, InteractionError> {
        Ok(self
            .messages_in(tenant, channel, number..=number)
            .await?
            .pop())
    }

    /// Numbers of the messages that are parked or wait, in order, with their patients' hashes.
    pub async fn open_messages(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
    ) -> Result<Vec<(u64, Vec<[u8; 8]>)>, InteractionError> {
        let rows = self.numbered_rows(tenant, channel, "open").await?;
        let patients = |row: &NamedRow| row.value.as_chunks::<8>().0.to_vec();
        Ok(rows
            .into_iter()
            .map(|(number, row)| (number, patients(&row)))
            .collect())
    }

    /// Numbers of the messages that somebody wants tried again.
    pub async fn messages_to_retry(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
    ) -> Result<Vec<u64>, InteractionError> {
        let rows = self.numbered_rows(tenant, channel, "retry").await?;
        Ok(rows.into_iter().map(|it| it.0).collect())
    }

    pub(super) async fn numbered_rows(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        kind: &str,
    ) -> Result<Vec<(u64, NamedRow)>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let prefix = Log(channel).key(&format!("{kind}/"));
        let mut found: Vec<(u64, NamedRow)> = Vec::new();
        let mut after = None;
        loop {
            let page = view
                .named_with_prefix(&prefix.0, after.as_ref(), PAGE)
                .await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|(key, _)| key.clone());
            found.extend(
                page.into_iter()
                    .filter_map(|(key, row)| Some((Log::number(&key)?, row))),
            );
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Stores what a message was converted to, a transaction, and notes that, in one commit. Fails
    /// without effect if the message was settled meanwhile by somebody else.
    pub async fn store_message(
        &self,
        caller: &Caller,
        channel: &ChannelName,
        outcome: &Outcome,
        bundle: Document,
    ) -> Result<Bundle, InteractionError> {
        let log = Log(channel);
        let before = self
            .settled_row(&caller.tenant, &log, outcome.number)
            .await?;
        let beside = outcome.beside(&log, before.as_ref())?;
        self.bundle_beside(caller, bundle, beside).await
    }

    /// Notes what became of a message of which nothing is stored.
    pub async fn note_message(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
        outcome: &Outcome,
    ) -> Result<(), InteractionError> {
        let log = Log(channel);
        let before = self.settled_row(tenant, &log, outcome.number).await?;
        let Beside {
            named,
            preconditions,
        } = outcome.beside(&log, before.as_ref())?;
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
        Ok(())
    }

    async fn settled_row(
        &self,
        tenant: &TenantId,
        log: &Log<'_>,
        number: u64,
    ) -> Result<Option<NamedRow>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let mut rows = view.named(&[log.numbered("s", number)]).await?;
        Ok(rows.pop().flatten())
    }
}

pub(super) fn read(
    number: u64,
    message: &NamedRow,
    settled: Option<&NamedRow>,
) -> Result<(Message, Settled), InteractionError> {
    let damaged = || InteractionError::internal("a row of a channel's log is damaged");
    let message = Message::decode(number, &message.value).ok_or_else(damaged)?;
    let settled = match settled {
        Some(row) => Settled::decode(&row.value).ok_or_else(damaged)?,
        None => Settled::received(message.time),
    };
    Ok((message, settled))
}
