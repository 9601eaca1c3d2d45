//! The directory: who holds it, what unfinished work leaves, when tenants are closed.

use std::sync::Arc;
use std::time::Duration;

use store::{At, BackupItem, NameKind, Position, Store, StoreError, TenantId};
use store_embedded::{EmbeddedStore, Options};

use super::{SPACES, key, open, put};

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).expect("a tenant's name")
}

#[tokio::test]
async fn a_second_opener_is_told_who_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let pid = std::process::id();
    assert_eq!(open(dir.path()).err(), Some(StoreError::Locked { pid }));
    let checked = EmbeddedStore::check_directory(dir.path());
    assert_eq!(checked.err(), Some(StoreError::Locked { pid }));
    store.close().await.unwrap();
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().close().await.unwrap();
    std::fs::write(dir.path().join("FORMAT"), "isthmus-store 7\n").unwrap();
    let error = StoreError::Format {
        found: "7".to_owned(),
        known: 1,
    };
    assert_eq!(open(dir.path()).err(), Some(error));
    std::fs::remove_file(dir.path().join("FORMAT")).unwrap();
    assert!(matches!(
        open(dir.path()).err(),
        Some(StoreError::Corrupt(_))
    ));
}

#[tokio::test]
async fn an_unfinished_restore_leaves_an_empty_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let name = BackupItem::Name {
        kind: NameKind::Type,
        number: 1,
        name: "x".into(),
    };
    store
        .restore(&TenantId::default(), vec![name])
        .await
        .unwrap();
    store.close().await.unwrap();
    let store = open(dir.path()).unwrap();
    let view = store.view(&TenantId::default(), At::Newest).await.unwrap();
    assert_eq!(view.position(), Position(0));
    let names = store.names(&TenantId::default(), NameKind::Type).await;
    assert_eq!(names.unwrap(), []);
}

#[tokio::test]
async fn an_unfinished_deletion_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().close().await.unwrap();
    let gone = dir.path().join("tenants/.gone-0-x");
    std::fs::create_dir_all(gone.join("data")).unwrap();
    let store = open(dir.path()).unwrap();
    assert!(!gone.exists());
    assert_eq!(store.tenants().await.unwrap(), [TenantId::default()]);
}

#[tokio::test]
async fn no_more_tenants_are_open_than_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        open_tenants_max: 2,
        ..Options::default()
    };
    let store = EmbeddedStore::open(dir.path(), &SPACES, options).unwrap();
    let tenants: Vec<_> = (0..8).map(|n| tenant(&format!("t{n}"))).collect();
    for tenant in &tenants {
        store.create_tenant(tenant).await.unwrap();
        put(&store, tenant, "a").await.unwrap();
    }
    assert!(store.stats().open_tenants <= 3, "{:?}", store.stats());
    for tenant in &tenants {
        let view = store.view(tenant, At::Newest).await.unwrap();
        assert!(view.read(&[key("a")]).await.unwrap()[0].is_some());
    }
}

#[tokio::test]
async fn idle_tenants_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        idle_timeout: Duration::from_millis(2),
        ..Options::default()
    };
    let store = Arc::new(EmbeddedStore::open(dir.path(), &SPACES, options).unwrap());
    put(&store, &TenantId::default(), "a").await.unwrap();
    let closed = async {
        while store.stats().open_tenants > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed)
        .await
        .expect("an idle tenant is closed");
    put(&store, &TenantId::default(), "b").await.unwrap();
    assert_eq!(store.stats().commits, 2);
}
