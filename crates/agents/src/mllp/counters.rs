//! What a channel did, as numbers, in Prometheus' text format. The only label is the channel's name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use interactions::channel::ChannelName;

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

/// The counters of all channels.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<ChannelName, Arc<Counters>>>>);

impl Metrics {
    pub(super) fn of(&self, channel: &ChannelName) -> Arc<Counters> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(channel.clone()).or_default())
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
            for (channel, counters) in &*all {
                let value = counters.0[*count as usize].load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}{{channel=\"{channel}\"}} {value}");
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
        metrics
            .of(&ChannelName::parse("lab").unwrap())
            .add(Count::Stored, 3);
        let mut text = String::new();
        metrics.print(&mut text);
        assert!(text.contains("isthmus_hl7v2_stored_total{channel=\"lab\"} 3\n"));
    }
}
