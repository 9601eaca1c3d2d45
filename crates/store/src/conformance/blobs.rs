//! Blobs: put, named, read in parts, collected.

use async_trait::async_trait;
use bytes::Bytes;

use super::OTHER;
use super::bench::{Bench, START, body, change, delete, key, must, put_version, refused, tenant};
use crate::{Action, At, BlobId, BlobSource, Expected, NewVersion, Position, Row, StoreError};

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

/// A version's outline names what that version names, at every position.
pub(super) async fn outlines_name_blobs(bench: &Bench) {
    let mut blobs = Vec::new();
    for text in ["one", "two"] {
        blobs.push(store_blob(bench, &Bytes::from_static(text.as_bytes())).await);
    }
    let both = NewVersion {
        blobs: vec![blobs[1], blobs[0]],
        ..body("{}")
    };
    let key = key("a");
    let changes = [
        put_version(key.clone(), naming(blobs[0])),
        put_version(key.clone(), both),
        put_version(key.clone(), body("{}")),
        put_version(key.clone(), naming(blobs[1])),
        delete(key.clone()),
        put_version(key.clone(), naming(blobs[0])),
    ];
    let mut row = None;
    for change in changes {
        row = Some(bench.change(vec![change]).await.written[0].row);
    }
    let row = (key.kind, row.expect("there were changes"));
    let expected = [
        vec![blobs[0]],
        vec![blobs[1], blobs[0]],
        vec![],
        vec![blobs[1]],
        vec![],
        vec![blobs[0]],
    ];
    bench.pause().await;
    for (position, expected) in (1..).map(Position).zip(&expected) {
        let view = must(bench.store().view(&tenant(), At::Position(position)).await);
        let outlines = must(view.outlines(key.space, &[row]).await);
        let outline = outlines[0].as_ref().expect("it was put");
        assert_eq!(&outline.blobs, expected, "at {}", position.0);
        assert_eq!(
            (outline.position, outline.version.0),
            (position, position.0)
        );
    }
    let view = bench.newest().await;
    let unknown = (key.kind, Row(u64::MAX));
    let outlines = must(view.outlines(key.space, &[unknown, row]).await);
    assert!(outlines[0].is_none() && outlines[1].is_some());
    assert!(must(view.outlines(OTHER, &[row]).await)[0].is_none());
    bench
        .change(vec![change(key.clone(), Expected::Any, Action::Purge)])
        .await;
    let outlines = must(bench.newest().await.outlines(key.space, &[row]).await);
    assert!(outlines[0].is_none());
    bench
        .change(vec![put_version(key.clone(), body("{}"))])
        .await;
    let findings = must(bench.store().check(&tenant()).await);
    assert!(findings.is_empty(), "{findings:?}");
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
