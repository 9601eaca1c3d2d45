//! What a channel did, as numbers, in Prometheus' text format. The labels are the tenant's
//! and the channel's name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use interactions::channel::ChannelName;
use store::TenantId;

/// Counters, and what they count.
const COUNTERS: &[(Count, &str, &str)] = &[
    (
        Count::Connections,
        "connections",
        "Connections that were opened.",
    ),
    (
        Count::RefusedConnections,
        "refused_connections",
        "Connections refused: too many, or TLS failed.",
    ),
    (Count::Received, "received", "Messages made durable."),
    (
        Count::Repeated,
        "repeated",
        "Messages that had been taken before.",
    ),
    (
        Count::Reused,
        "reused_control_ids",
        "Messages under a control id of another one.",
    ),
    (
        Count::NotTaken,
        "not_taken",
        "Messages answered with an error and not kept.",
    ),
    (Count::Broken, "broken_frames", "Frames that were none."),
    (
        Count::IgnoredBytes,
        "ignored_bytes",
        "Bytes between frames.",
    ),
    (
        Count::Unavailable,
        "unavailable",
        "Messages the store could not take.",
    ),
    (
        Count::Stored,
        "stored",
        "Messages whose resources were stored.",
    ),
    (Count::Failed, "failed", "Messages that were parked."),
    (
        Count::Waiting,
        "waiting",
        "Messages that had to wait behind a parked one.",
    ),
    (
        Count::UnreadElements,
        "unread_elements",
        "Elements that no template read.",
    ),
    (
        Count::Removed,
        "removed",
        "Settled messages that were removed after `keep_days`.",
    ),
    (
        Count::Sent,
        "sent",
        "Messages that the receiver of a destination took.",
    ),
    (
        Count::Resent,
        "resent",
        "Tries to send a message beyond the first.",
    ),
];

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Connections,
    RefusedConnections,
    Received,
    Repeated,
    Reused,
    NotTaken,
    Broken,
    IgnoredBytes,
    Unavailable,
    Stored,
    Failed,
    Waiting,
    UnreadElements,
    Removed,
    Sent,
    Resent,
}

/// The counters of a channel.
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; COUNTERS.len()]);

impl Counters {
    pub(super) fn add(&self, count: Count, number: u64) {
        self.0[count as usize].fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn one(&self, count: Count) {
        self.add(count, 1);
    }
}

type ByChannel = BTreeMap<(TenantId, ChannelName), Arc<Counters>>;

/// The counters of all channels.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<ByChannel>>);

impl Metrics {
    pub(super) fn of(&self, tenant: &TenantId, channel: &ChannelName) -> Arc<Counters> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (tenant.clone(), channel.clone());
        Arc::clone(all.entry(place).or_default())
    }

    /// Appends all counters as text.
    pub fn print(&self, text: &mut String) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (count, name, help) in COUNTERS {
            if all.is_empty() {
                return;
            }
            let name = format!("isthmus_hl7v2_{name}_total");
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
            for ((tenant, channel), counters) in &*all {
                let value = counters.0[*count as usize].load(Ordering::Relaxed);
                let _ = writeln!(
                    text,
                    "{name}{{tenant=\"{tenant}\",channel=\"{channel}\"}} {value}"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_place() {
        for (place, (count, ..)) in COUNTERS.iter().enumerate() {
            assert_eq!(*count as usize, place);
        }
        let metrics = Metrics::default();
        // Tenants may have channels of the same name.
        let lab = ChannelName::parse("lab").unwrap();
        for (tenant, number) in [("north", 3), ("south", 5)] {
            let tenant = TenantId::parse(tenant).unwrap();
            metrics.of(&tenant, &lab).add(Count::Stored, number);
        }
        let mut text = String::new();
        metrics.print(&mut text);
        for (tenant, number) in [("north", 3), ("south", 5)] {
            let labels = format!("tenant=\"{tenant}\",channel=\"lab\"");
            let line = format!("isthmus_hl7v2_stored_total{{{labels}}} {number}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
