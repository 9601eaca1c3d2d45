//! Blobs: large byte strings named by their content, kept beside the records that name them.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::StoreError;

/// A blob's name: the SHA-256 of its bytes, and their number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId {
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Number of bytes.
    pub length: u64,
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({} bytes)", self.length)
    }
}

/// Where a blob's bytes come from, piece by piece.
#[async_trait]
pub trait BlobSource: Send {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError>;
}
