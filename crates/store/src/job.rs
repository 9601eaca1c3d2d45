//! Long work that survives crashes: a named row each, in one table.
//!
//! A job says what is to be done, how far it is, and from where it goes on. Whoever works on it
//! writes the row in the same commit as the step it has taken, so that a step is never taken twice
//! nor forgotten. Never patient data: neither in parameters nor in the outcome.

use bytes::Bytes;

use crate::{Instant, NamedKey};

/// Names a job within its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub Box<str>);

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What kind of work it is: a row of the table of kinds.
    pub kind: Box<str>,
    /// What is to be done, in one line, as its kind has it.
    pub parameters: Box<str>,
    /// How it stands.
    pub state: JobState,
    /// How far it is.
    pub progress: Progress,
    /// When it was made.
    pub created: Instant,
    /// When somebody last worked on it.
    pub heartbeat: Instant,
    /// What came of it, in one line; empty while it is not done.
    pub outcome: Box<str>,
    /// From where it goes on, as its kind has it.
    pub journal: Bytes,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Nobody has begun.
    Waiting,
    /// Somebody has begun; it goes on after a crash.
    Running,
    /// It is done.
    Done,
    /// It cannot be done; the outcome says why.
    Failed,
    /// Somebody does not want it any more.
    Cancelled,
}

/// How far a job is, in units that its user thinks in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How many are done.
    pub done: u64,
    /// How many there are, as far as is known.
    pub total: u64,
    /// Of what.
    pub unit: Box<str>,
}

/// The names of the states, as rows have them.
const STATES: [(JobState, &str); 5] = [
    (JobState::Waiting, "waiting"),
    (JobState::Running, "running"),
    (JobState::Done, "done"),
    (JobState::Failed, "failed"),
    (JobState::Cancelled, "cancelled"),
];

impl JobState {
    /// Its name.
    pub fn name(self) -> &'static str {
        STATES.iter().find(|it| it.0 == self).map_or("", |it| it.1)
    }

    /// Whether there is still something to do.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

impl JobId {
    /// Where all jobs lie.
    pub const PREFIX: &'static str = "job/";

    /// The key of its row.
    pub fn key(&self) -> NamedKey {
        NamedKey(format!("{}{}", Self::PREFIX, self.0).into())
    }

    /// The job whose row has that key.
    pub fn of_key(key: &NamedKey) -> Option<Self> {
        key.0.strip_prefix(Self::PREFIX).map(|id| Self(id.into()))
    }
}

impl Job {
    /// The value of its row: a line for each field, then the journal as it is.
    pub fn encode(&self) -> Bytes {
        let Progress { done, total, unit } = &self.progress;
        let head = format!(
            "{}\n{}\n{}\n{done}\n{total}\n{}\n{}\n{}\n{}\n",
            line(&self.kind),
            line(&self.parameters),
            self.state.name(),
            line(unit),
            self.created.0,
            self.heartbeat.0,
            line(&self.outcome),
        );
        [head.as_bytes(), &self.journal].concat().into()
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(value: &Bytes) -> Option<Self> {
        let mut fields = value.splitn(10, |byte| *byte == b'\n');
        let mut text = || std::str::from_utf8(fields.next()?).ok();
        let (kind, parameters, state) = (text()?, text()?, text()?);
        let (done, total) = (text()?.parse().ok()?, text()?.parse().ok()?);
        let unit = text()?;
        let (created, heartbeat) = (text()?.parse().ok()?, text()?.parse().ok()?);
        let outcome = text()?;
        Some(Self {
            kind: kind.into(),
            parameters: parameters.into(),
            state: STATES.iter().find(|it| it.1 == state)?.0,
            progress: Progress {
                done,
                total,
                unit: unit.into(),
            },
            created: Instant(created),
            heartbeat: Instant(heartbeat),
            outcome: outcome.into(),
            journal: value.slice_ref(fields.next()?),
        })
    }
}

/// The text without line breaks.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_its_row() {
        for (state, _) in STATES {
            let job = Job {
                kind: "reindex".into(),
                parameters: "r4".into(),
                state,
                progress: Progress {
                    done: 3,
                    total: 9,
                    unit: "resources".into(),
                },
                created: Instant(5),
                heartbeat: Instant(-7),
                outcome: "".into(),
                journal: Bytes::from_static(b"a\nb\n\xff"),
            };
            assert_eq!(Job::decode(&job.encode()), Some(job));
        }
        assert_eq!(Job::decode(&Bytes::from_static(b"reindex\n")), None);
    }
}
