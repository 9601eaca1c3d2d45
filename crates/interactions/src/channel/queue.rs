//! What of a log is still to be sent, and dismissing it: so many messages in one commit, without those
//! that are settled meanwhile.

use fhir::Fault;
use store::{At, Commit, TenantId};

use super::intake::number_of;
use super::review::{dismissal, unchanged};
use super::{ChannelName, Log};
use crate::{InteractionError, Interactions};

/// Rows read at one time.
const PAGE: u64 = 1_000;
/// Messages dismissed in one commit.
const DISMISSED_AT_ONCE: usize = 500;

impl Interactions {
    /// The first message that is to be sent: one that was not tried yet, or is to be tried again.
    pub(super) async fn first_queued(
        &self,
        tenant: &TenantId,
        log: &ChannelName,
    ) -> Result<Option<u64>, InteractionError> {
        let again = self.messages_to_retry(tenant, log).await?;
        let position = self.message_position(tenant, log).await?;
        let new = self.unsettled(tenant, log, position, 1).await?;
        Ok(again.into_iter().chain(new).min())
    }

    /// Dismisses all that is to be sent.
    pub(super) async fn dismiss_queued(
        &self,
        tenant: &TenantId,
        log: &ChannelName,
    ) -> Result<(), InteractionError> {
        let again = self.messages_to_retry(tenant, log).await?;
        for numbers in again.chunks(DISMISSED_AT_ONCE) {
            self.dismiss(tenant, log, numbers).await?;
        }
        let mut after = self.message_position(tenant, log).await?;
        loop {
            let numbers = self.unsettled(tenant, log, after, DISMISSED_AT_ONCE);
            let numbers = numbers.await?;
            let Some(last) = numbers.last() else {
                return Ok(());
            };
            after = *last;
            self.dismiss(tenant, log, &numbers).await?;
        }
    }

    /// The first messages after a number of which nothing is known but that they came.
    async fn unsettled(
        &self,
        tenant: &TenantId,
        log: &ChannelName,
        after: u64,
        count: usize,
    ) -> Result<Vec<u64>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let log = Log(log);
        let last = number_of(view.named(&[log.key("last")]).await?[0].as_ref());
        let (mut first, mut found) = (after + 1, Vec::new());
        while first <= last && found.len() < count {
            let numbers = first..=last.min(first + PAGE - 1);
            let keys = numbers.clone().map(|it| log.numbered("s", it));
            let rows = view.named(&keys.collect::<Vec<_>>()).await?;
            let unsettled = numbers.zip(rows).filter(|(_, row)| row.is_none());
            found.extend(unsettled.map(|(number, _)| number));
            first += PAGE;
        }
        found.truncate(count);
        Ok(found)
    }

    /// Dismisses these messages, but for those that were sent meanwhile.
    async fn dismiss(
        &self,
        tenant: &TenantId,
        log: &ChannelName,
        numbers: &[u64],
    ) -> Result<(), InteractionError> {
        let now = self.now();
        loop {
            let view = self.store.view(tenant, At::Newest).await?;
            let keys = numbers.iter().map(|it| Log(log).numbered("s", *it));
            let rows = view.named(&keys.collect::<Vec<_>>()).await?;
            let found = self.messages_in(tenant, log, numbers.iter().copied());
            let found = found.await?;
            let mut commit = Commit::default();
            for ((message, settled), row) in found.into_iter().zip(&rows) {
                if settled.state.is_open() {
                    let key = Log(log).numbered("s", message.number);
                    commit.preconditions.push(unchanged(&key, row.as_ref()));
                    let changes = dismissal(&Log(log), message.number, settled, now);
                    commit.named.extend(changes);
                }
            }
            if commit.named.is_empty() {
                return Ok(());
            }
            match self
                .store
                .commit(tenant, commit)
                .await
                .map_err(InteractionError::from)
            {
                // One of them was settled in between.
                Err(error) if error.issues.iter().any(|it| it.fault == Fault::Conflict) => {}
                committed => {
                    committed?;
                    self.news.tell(tenant, Some(log));
                    return Ok(());
                }
            }
        }
    }
}
