//! Tables of large code systems: made when one is written, kept as a blob that the version names,
//! and read in pieces ([`fhir::terminology::CodeTable`]).

use async_trait::async_trait;
use bytes::Bytes;
use fhir::json::Value;
use fhir::terminology::{
    CodeSystem, CodeTable, Content, ContentMode, Limits, Selection, TerminologyError, Walk,
};
use store::{BlobId, BlobSource, StoreError, TenantId};

use crate::{InteractionError, Interactions, ResourceKey};

/// Code systems with a longer text have a table. Others are read whole, in a millisecond or two.
const WHOLE_BYTES_MAX: usize = 256 << 10;

/// Bytes that are read to see how long a head is; most are no longer.
const HEAD_BYTES: usize = 64 << 10;

/// The table of a resource that is to be stored, if it is a large code system. What cannot be used
/// as one has none: a question about it says why. Supplements are read whole.
pub(crate) fn table_of(resource: Value<'_>, key: &ResourceKey) -> Option<Bytes> {
    let is_large = &*key.resource_type == "CodeSystem" && resource.raw().len() > WHOLE_BYTES_MAX;
    let system = is_large.then(|| CodeSystem::of(resource).ok())??;
    let has_codes = system.content() != ContentMode::Supplement;
    has_codes.then(|| CodeTable::write(&system, CodeTable::PAGE_BYTES).into())
}

/// What a table is found by: its blob as text.
fn place_of(blob: &BlobId) -> String {
    let digits = blob.sha256.iter().map(|it| format!("{it:02x}"));
    format!("{} {}", digits.collect::<String>(), blob.length)
}

fn blob_of(place: &str) -> Option<BlobId> {
    let (digits, length) = place.split_once(' ')?;
    let mut sha256 = [0; 32];
    for (at, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    let length = length.parse().ok()?;
    Some(BlobId { sha256, length })
}

/// A table's bytes at once.
struct Whole(Option<Bytes>);

#[async_trait]
impl BlobSource for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.take())
    }
}

impl Interactions {
    /// Stores a table durably; a commit then names it.
    pub(crate) async fn put_table(
        &self,
        tenant: &TenantId,
        table: Bytes,
    ) -> Result<BlobId, InteractionError> {
        Ok(self.store.put_blob(tenant, &mut Whole(Some(table))).await?)
    }

    /// The head of a table.
    pub(crate) async fn code_table(
        &self,
        tenant: &TenantId,
        blob: &BlobId,
    ) -> Result<CodeTable, InteractionError> {
        let damaged = || InteractionError::internal("the table of a code system is damaged");
        let mut head = self.table_bytes(tenant, blob, 0, HEAD_BYTES).await?;
        let length = CodeTable::head_bytes(&head).ok_or_else(damaged)?;
        let length = usize::try_from(length.min(blob.length)).map_err(|_| damaged())?;
        if head.len() < length {
            head = self.table_bytes(tenant, blob, 0, length).await?;
        }
        CodeTable::open(&place_of(blob), &head).ok_or_else(damaged)
    }

    /// Makes a selection that was lacking, page by page.
    pub(crate) async fn make_selection(
        &self,
        tenant: &TenantId,
        content: &mut Content,
        selection: Selection,
    ) -> Result<(), InteractionError> {
        let found = match content.walk(&selection, Limits::DEFAULT) {
            Ok(walk) => self.walked(tenant, walk).await?,
            Err(error) => Err(error),
        };
        content.select(selection, found);
        Ok(())
    }

    async fn walked(
        &self,
        tenant: &TenantId,
        mut walk: Walk,
    ) -> Result<Result<Walk, TerminologyError>, InteractionError> {
        let blob = blob_of(walk.table().place())
            .ok_or_else(|| InteractionError::internal("a table of a code system has no place"))?;
        while let Some(range) = walk.wants() {
            let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            let bytes = self.table_bytes(tenant, &blob, range.start, length).await?;
            if let Err(error) = walk.give(&bytes) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(walk))
    }

    async fn table_bytes(
        &self,
        tenant: &TenantId,
        blob: &BlobId,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, InteractionError> {
        let found = self.store.read_blob(tenant, blob, offset, length).await?;
        let bytes = found
            .ok_or_else(|| InteractionError::internal("the table of a code system is missing"))?;
        self.definitions.note_read(bytes.len());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_leads_back_to_its_blob() {
        let mut sha256 = [0; 32];
        for (at, byte) in (0..).zip(&mut sha256) {
            *byte = at * 7;
        }
        let blob = BlobId {
            sha256,
            length: 1 << 40,
        };
        assert_eq!(blob_of(&place_of(&blob)), Some(blob));
        for place in ["", "00 1", "zz", " "] {
            assert_eq!(blob_of(place), None, "{place}");
        }
    }
}
