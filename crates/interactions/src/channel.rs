//! Channels: the ways on which HL7 v2 messages come in, and the log of what came in on each.
//!
//! A channel belongs to a tenant. Each message takes the channel's next number in the commit that
//! makes it durable; what becomes of it is written in the commit that stores its resources. All of
//! it is named rows, so no message shows up in a ledger, a history or a search:
//!
//! | key | value |
//! |---|---|
//! | `hl7v2/channel/{channel}` | its definition, if it was made through the interface |
//! | `hl7v2/destination/{destination}` | the same of a destination |
//! | `hl7v2/log/{channel}/last` | the newest number |
//! | `hl7v2/log/{channel}/position` | every message up to this number is settled |
//! | `hl7v2/log/{channel}/coverage` | which fields no template read, up to the position |
//! | `hl7v2/log/{channel}/m/{number}` | a message as it came, or as it was corrected |
//! | `hl7v2/log/{channel}/original/{number}` | the same before it was corrected |
//! | `hl7v2/log/{channel}/s/{number}` | what became of it |
//! | `hl7v2/log/{channel}/k/{hash}` | which messages had this control id, for a named time |
//! | `hl7v2/log/{channel}/open/{number}` | it is parked, or waits behind one that is |
//! | `hl7v2/log/{channel}/retry/{number}` | it is to be tried again |
//! | `hl7v2/log/{channel}/removed` | up to this number, messages were removed or left |
//! | `hl7v2/log/{channel}/left/{number}` | it was not settled when those around it were removed |
//!
//! A destination's log is one more, under the name `to.{destination}`.
//!
//! Nothing here listens, converts or knows a segment: the agents do.

mod coverage;
mod defined;
mod definition;
mod destination;
mod field;
mod intake;
mod progress;
mod queue;
mod removal;
mod review;
mod row;
mod trouble;

use std::sync::Mutex;

pub use coverage::{COVERAGE_FIELDS_MAX, Coverage, Seen};
pub use defined::{Configured, Definition, Origin, Queued};
pub use definition::{Acknowledge, Channel, FIELDS, Ids, OnFailure, ReusedControlId, zone_minutes};
pub use destination::Destination;
pub use field::{DefinitionFault, Field};
pub use intake::{Incoming, Receipt, Standing};
pub use progress::Outcome;
pub use removal::Removal;
pub use review::{Listed, Query, Retry};
pub use row::{Message, Settled, State};
use store::{NamedKey, TenantId};
use tokio::sync::Notify;
pub(crate) use trouble::Troubles;

/// The name of a channel: letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Box<str>);

impl ChannelName {
    /// The greatest length of a name.
    pub const LENGTH_MAX: usize = 64;

    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let fits = !text.is_empty() && text.len() <= Self::LENGTH_MAX && text.bytes().all(is_name);
        fits.then(|| Self(text.into()))
    }

    /// The name of the log of what is sent to the destination of this name; no channel has it.
    #[must_use]
    pub fn outbound(&self) -> Self {
        Self(format!("to.{}", self.0).into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ChannelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the rows of a channel's log lie.
pub(crate) struct Log<'l>(pub(crate) &'l ChannelName);

impl Log<'_> {
    fn key(&self, rest: &str) -> NamedKey {
        NamedKey(format!("hl7v2/log/{}/{rest}", self.0).into())
    }

    fn numbered(&self, kind: &str, number: u64) -> NamedKey {
        self.key(&format!("{kind}/{number:016x}"))
    }

    /// The number in a key that has one.
    fn number(key: &NamedKey) -> Option<u64> {
        u64::from_str_radix(key.0.rsplit('/').next()?, 16).ok()
    }
}

/// Tells agents that something was asked for through the interface.
#[derive(Default)]
pub(crate) struct News {
    told: Notify,
    asked: Mutex<Vec<(TenantId, Option<ChannelName>)>>,
}

impl News {
    pub(crate) fn tell(&self, tenant: &TenantId, channel: Option<&ChannelName>) {
        let mut asked = self
            .asked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        asked.push((tenant.clone(), channel.cloned()));
        self.told.notify_one();
    }

    fn take(&self) -> Vec<(TenantId, Option<ChannelName>)> {
        let mut asked = self
            .asked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut asked)
    }

    async fn next(&self) -> Vec<(TenantId, Option<ChannelName>)> {
        loop {
            let asked = self.take();
            if !asked.is_empty() {
                return asked;
            }
            // What is told between the look and here leaves a permit behind.
            self.told.notified().await;
        }
    }
}

impl crate::Interactions {
    /// Waits for what was asked for through the interface: messages of a channel to be tried again,
    /// or (without a channel) definitions that were changed.
    pub async fn channel_news(&self) -> Vec<(TenantId, Option<ChannelName>)> {
        self.news.next().await
    }
}
