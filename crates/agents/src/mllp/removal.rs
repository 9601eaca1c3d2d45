//! A channel's removal of what is settled and older than it keeps it: a pass at the start, and one
//! from time to time.

use std::sync::Arc;
use std::time::Duration;

use interactions::channel::ChannelName;
use interactions::{InteractionError, Interactions};
use store::TenantId;
use tracing::warn;

use super::counters::{Count, Counters};

/// The pause between two passes.
const PAUSE: Duration = Duration::from_mins(10);

/// Whose messages are removed, and when.
pub(super) struct Removal {
    pub(super) interactions: Interactions,
    pub(super) tenant: TenantId,
    pub(super) log: ChannelName,
    pub(super) keep_days: u64,
    pub(super) counters: Arc<Counters>,
}

/// Removes for ever; it may be dropped at any time.
pub(super) async fn run(removal: Removal) {
    if removal.keep_days == 0 {
        return;
    }
    loop {
        if let Err(error) = removal.pass().await {
            warn!(channel = %removal.log, %error, cause = error.cause, "messages are removed later");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Removal {
    async fn pass(&self) -> Result<(), InteractionError> {
        let mut after = Some(0);
        while let Some(number) = after {
            let step =
                self.interactions
                    .remove_messages(&self.tenant, &self.log, self.keep_days, number);
            let step = step.await?;
            self.counters.add(Count::Removed, step.removed);
            after = step.after;
        }
        Ok(())
    }
}
