//! The limits of a store, by name.

/// Limits that every provider enforces with [`crate::StoreError::LimitExceeded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of one version's body.
    pub body_bytes_max: u64,
    /// Changes in one commit.
    pub changes_max: u64,
    /// Index entries and references of one version.
    pub entries_max: u64,
    /// Bytes of all bodies of one commit.
    pub commit_bytes_max: u64,
    /// Bytes of a record's id, and of an idempotency key.
    pub id_bytes_max: u64,
    /// Bytes of one index entry's text; longer texts are cut by the caller.
    pub entry_bytes_max: u64,
    /// Bytes of a named row's key.
    pub named_key_bytes_max: u64,
    /// Bytes of a named row's value.
    pub named_value_bytes_max: u64,
    /// Bytes of a name in the dictionary.
    pub name_bytes_max: u64,
    /// How long commits with an idempotency key are remembered.
    pub idempotency_days: u64,
    /// How long a blob may lie without being named.
    pub orphan_blob_hours: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 128 << 20,
            changes_max: 100_000,
            entries_max: 1_000_000,
            commit_bytes_max: 512 << 20,
            id_bytes_max: 255,
            entry_bytes_max: 2_048,
            named_key_bytes_max: 512,
            named_value_bytes_max: 16 << 20,
            name_bytes_max: 2_048,
            idempotency_days: 7,
            orphan_blob_hours: 24,
        }
    }
}
