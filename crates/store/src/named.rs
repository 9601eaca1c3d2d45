//! Named rows: small durable values under a key – a worker's position, a job, a lease, a setting.

use bytes::Bytes;

use crate::Instant;

/// The key of a named row: segments separated by `/`, the first says whose it is. Never patient data.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedKey(pub Box<str>);

impl From<&str> for NamedKey {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// A named row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRow {
    /// Its value.
    pub value: Bytes,
    /// Grows with every change of this row; never the same for two states of it.
    pub revision: u64,
    /// When it ceases to be.
    pub expires: Option<Instant>,
}

/// A change of a named row.
#[derive(Debug, Clone)]
pub enum NamedChange {
    /// Sets it.
    Put {
        /// Its key.
        key: NamedKey,
        /// Its value.
        value: Bytes,
        /// When it ceases to be.
        expires: Option<Instant>,
    },
    /// Removes it.
    Delete {
        /// Its key.
        key: NamedKey,
    },
}

/// How a named row must be for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedExpected {
    /// Not there, or expired.
    Absent,
    /// In exactly this state.
    Revision(u64),
}
