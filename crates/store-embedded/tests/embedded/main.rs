//! The embedded provider keeps the contract, and what it promises beyond it: one holder of a
//! directory, damage that is named, unfinished work that leaves nothing behind.

mod damage;
mod directory;
mod recent;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use store::conformance::{Provider, Setup};
use store::{
    Action, Change, Commit, Expected, NewVersion, RecordKey, Space, SpaceDefinition, Store,
    StoreError, TenantId, TypeNumber, Versions,
};
use store_embedded::{EmbeddedStore, Options};

struct Embedded;

#[async_trait]
impl Provider for Embedded {
    type Place = tempfile::TempDir;

    async fn place(&self) -> Self::Place {
        tempfile::tempdir().expect("a temporary folder can be made")
    }

    async fn open(&self, place: &Self::Place, setup: &Setup) -> Result<Arc<dyn Store>, StoreError> {
        let options = Options {
            limits: setup.limits.clone(),
            clock: Arc::clone(&setup.clock),
            ..Options::default()
        };
        Ok(Arc::new(EmbeddedStore::open(
            place.path(),
            &setup.spaces,
            options,
        )?))
    }
}

#[test]
fn keeps_the_contract() {
    store::conformance::run(Embedded);
}

const SPACES: [SpaceDefinition; 1] = [SpaceDefinition {
    space: Space(1),
    name: "kept",
    versions: Versions::Kept,
}];

fn open(dir: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(dir, &SPACES, Options::default())
}

fn key(id: &str) -> RecordKey {
    RecordKey {
        space: Space(1),
        kind: TypeNumber(1),
        id: id.into(),
    }
}

fn puts(records: impl IntoIterator<Item = (String, Vec<u8>)>) -> Commit {
    let put = |(id, body): (String, Vec<u8>)| Change {
        key: key(&id),
        expected: Expected::Any,
        action: Action::Put(NewVersion {
            body: body.into(),
            ..NewVersion::default()
        }),
    };
    Commit {
        changes: records.into_iter().map(put).collect(),
        ..Commit::default()
    }
}

async fn put(store: &EmbeddedStore, tenant: &TenantId, id: &str) -> Result<(), StoreError> {
    let commit = puts([(id.to_owned(), b"{}".to_vec())]);
    store.commit(tenant, commit).await.map(drop)
}
