//! What a load did: counts by type, and what was refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use super::target::Effect;

/// A unit or entry that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The number of its file.
    pub file: usize,
    /// Its file.
    pub source: PathBuf,
    /// Its line in an NDJSON file, else zero.
    pub position: u64,
    /// An OperationOutcome.
    pub outcome: String,
}

/// Everything that was refused.
pub type Rejects = Vec<Reject>;

/// What a load did.
#[derive(Debug, Default)]
pub struct Report {
    /// Resources by type and effect.
    pub counts: BTreeMap<String, BTreeMap<Effect, u64>>,
    /// What was refused: units at the end, entries of batches and lines as they came.
    pub rejects: Rejects,
    /// Files that an earlier, interrupted run had finished.
    pub files_done_before: usize,
    entries_refused: Rejects,
}

impl Report {
    pub(super) fn count(&mut self, resource_type: String, effect: Effect) {
        *self
            .counts
            .entry(resource_type)
            .or_default()
            .entry(effect)
            .or_default() += 1;
    }

    pub(super) fn refuse_entry(&mut self, reject: Reject) {
        self.entries_refused.push(reject);
    }

    /// Everything refused, units and single entries.
    pub fn refused(&self) -> impl Iterator<Item = &Reject> {
        self.rejects.iter().chain(&self.entries_refused)
    }

    /// All resources counted.
    pub fn total(&self) -> u64 {
        self.counts.values().flat_map(BTreeMap::values).sum()
    }

    /// Writes what was refused as NDJSON: `source`, `position`, `outcome`.
    pub fn write_rejects(&self, into: &mut dyn Write) -> io::Result<()> {
        for reject in self.refused() {
            let mut line = String::from("{\"source\":");
            fhir::json::write_string(&reject.source.to_string_lossy(), &mut line);
            let _ = write!(line, ",\"position\":{},\"outcome\":", reject.position);
            if reject.outcome.starts_with('{') {
                line.push_str(&reject.outcome);
            } else {
                fhir::json::write_string(&reject.outcome, &mut line);
            }
            line.push_str("}\n");
            into.write_all(line.as_bytes())?;
        }
        Ok(())
    }
}
