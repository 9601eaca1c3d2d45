//! Blobs: put, named, read in parts, collected.

use async_trait::async_trait;
use bytes::Bytes;

use super::bench::{Bench, START, body, change, key, must, put_version, refused, tenant};
use crate::{Action, BlobId, BlobSource, Expected, NewVersion, StoreError};

/// A blob's bytes in pieces of a size.
pub(super) struct Pieces(pub(super) Bytes, pub(super) usize);

#[async_trait]
impl BlobSource for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let length = self.1.min(self.0.len());
        Ok(Some(self.0.split_to(length)))
    }
}

pub(super) async fn store_blob(bench: &Bench, bytes: &Bytes) -> BlobId {
    must(
        bench
            .store()
            .put_blob(&tenant(), &mut Pieces(bytes.clone(), 70_000))
            .await,
    )
}

pub(super) fn naming(blob: BlobId) -> NewVersion {
    NewVersion {
        blobs: vec![blob],
        ..body("{}")
    }
}

async fn read(bench: &Bench, blob: &BlobId, offset: u64, length: usize) -> Option<Bytes> {
    must(
        bench
            .store()
            .read_blob(&tenant(), blob, offset, length)
            .await,
    )
}

pub(super) async fn bytes_come_back_in_parts(bench: &Bench) {
    let bytes: Bytes = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let blob = store_blob(bench, &bytes).await;
    assert_eq!(blob.length, 300_000);
    assert_eq!(
        store_blob(bench, &bytes).await,
        blob,
        "one content, one name"
    );
    bench
        .change(vec![put_version(key("a"), naming(blob))])
        .await;
    bench.pause().await;
    assert_eq!(read(bench, &blob, 0, 400_000).await, Some(bytes.clone()));
    assert_eq!(
        read(bench, &blob, 299_990, 100).await,
        Some(bytes.slice(299_990..))
    );
    assert_eq!(
        read(bench, &blob, 1_000, 7).await,
        Some(bytes.slice(1_000..1_007))
    );
    assert_eq!(read(bench, &blob, 300_000, 7).await, Some(Bytes::new()));
    assert_eq!(read(bench, &BlobId { length: 1, ..blob }, 0, 1).await, None);
    let empty = store_blob(bench, &Bytes::new()).await;
    assert_eq!(read(bench, &empty, 0, 10).await, Some(Bytes::new()));
}

pub(super) async fn unknown_blobs_are_refused(bench: &Bench) {
    let unknown = BlobId {
        sha256: [7; 32],
        length: 3,
    };
    let changes = vec![
        put_version(key("a"), body("x")),
        put_version(key("b"), naming(unknown)),
    ];
    let error = refused(bench.try_commit(super::bench::changes_of(changes)).await);
    assert_eq!(error, StoreError::UnknownBlob { change: 1 });
    bench.pause().await;
    assert!(bench.read(&key("a")).await.is_none());
}

pub(super) async fn orphans_are_collected(bench: &Bench) {
    let kept = store_blob(bench, &Bytes::from_static(b"kept")).await;
    let orphan = store_blob(bench, &Bytes::from_static(b"orphan")).await;
    bench
        .change(vec![put_version(key("a"), naming(kept))])
        .await;
    bench
        .change(vec![put_version(
            key("a"),
            body("names it no more, but version 1 does"),
        )])
        .await;
    assert_eq!(
        must(bench.store().collect_orphan_blobs(&tenant()).await),
        0,
        "too young"
    );
    let hours = i64::try_from(bench.store().limits().orphan_blob_hours).expect("some hours");
    bench.clock.set(START + (hours + 1) * 3_600_000_000);
    bench.pause().await;
    let young = store_blob(bench, &Bytes::from_static(b"young")).await;
    assert_eq!(must(bench.store().collect_orphan_blobs(&tenant()).await), 1);
    assert_eq!(read(bench, &orphan, 0, 1).await, None);
    assert!(read(bench, &young, 0, 1).await.is_some());
    assert_eq!(read(bench, &kept, 0, 10).await, Some("kept".into()));
    bench
        .change(vec![change(key("a"), Expected::Any, Action::Purge)])
        .await;
    assert_eq!(must(bench.store().collect_orphan_blobs(&tenant()).await), 1);
    assert_eq!(read(bench, &kept, 0, 10).await, None);
}
