//! A channel's removal of what is settled and older than it keeps it: a pass at the start, and one
//! from time to time.

use std::sync::Arc;
use std::time::Duration;

use interactions::InteractionError;
use tracing::warn;

use super::Shared;
use super::counters::Count;

/// The pause between two passes.
const PAUSE: Duration = Duration::from_mins(10);

/// Removes for ever; it may be dropped at any time.
pub(super) async fn run(shared: Arc<Shared>) {
    if shared.channel.keep_days == 0 {
        return;
    }
    loop {
        if let Err(error) = pass(&shared).await {
            warn!(channel = %shared.channel.name, %error, cause = error.cause, "messages are removed later");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn pass(shared: &Shared) -> Result<(), InteractionError> {
    let mut after = Some(0);
    while let Some(number) = after {
        let step = shared
            .interactions
            .remove_messages(&shared.tenant, &shared.channel, number);
        let step = step.await?;
        shared.counters.add(Count::Removed, step.removed);
        after = step.after;
    }
    Ok(())
}
