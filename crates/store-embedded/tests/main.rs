//! The embedded provider keeps the contract.

use std::sync::Arc;

use store::{
    Action, At, Change, Commit, Expected, NewVersion, RecordKey, Space, SpaceDefinition, Store,
    TenantId, TypeNumber, Versions,
};
use store_embedded::{EmbeddedStore, Options};

const SPACES: [SpaceDefinition; 1] = [SpaceDefinition {
    space: Space(1),
    name: "r4",
    versions: Versions::Kept,
}];

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3_u64 {
        let store = Arc::new(EmbeddedStore::open(dir.path(), &SPACES, Options::default()).unwrap());
        let tenant = TenantId::default();
        let key = RecordKey {
            space: Space(1),
            kind: TypeNumber(1),
            id: "a".into(),
        };
        let put = Change {
            key: key.clone(),
            expected: Expected::Any,
            action: Action::Put(NewVersion {
                body: bytes::Bytes::from(format!("{{\"round\":{round}}}")),
                ..NewVersion::default()
            }),
        };
        let done = store
            .commit(
                &tenant,
                Commit {
                    changes: vec![put],
                    ..Commit::default()
                },
            )
            .await
            .unwrap();
        assert_eq!(done.written[0].version.0, round + 1);
        let view = store.view(&tenant, At::Newest).await.unwrap();
        assert_eq!(
            view.read(&[key]).await.unwrap()[0].as_ref().unwrap().body,
            format!("{{\"round\":{round}}}")
        );
        assert_eq!(store.check(&tenant).await.unwrap(), []);
        drop(view);
        store.close().await.unwrap();
    }
}
