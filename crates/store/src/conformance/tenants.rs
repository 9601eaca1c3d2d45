//! Tenants are walls.

use bytes::Bytes;

use super::bench::{Bench, changes_of, key, must, put, refused, tenant};
use super::blobs::Pieces;
use crate::{At, NameKind, Position, StoreError, TenantId};

fn named(name: &str) -> TenantId {
    TenantId::parse(name).expect("a tenant's name")
}

pub(super) async fn created_listed_deleted(bench: &Bench) {
    assert_eq!(must(bench.store().tenants().await), [tenant()]);
    for name in ["z", "a-1"] {
        must(bench.store().create_tenant(&named(name)).await);
        let again = bench.store().create_tenant(&named(name)).await;
        assert_eq!(refused(again), StoreError::TenantExists);
    }
    bench.pause().await;
    assert_eq!(
        must(bench.store().tenants().await),
        [named("a-1"), tenant(), named("z")]
    );
    let z = named("z");
    must(
        bench
            .store()
            .commit(&z, changes_of(vec![put(key("a"), "1")]))
            .await,
    );
    must(bench.store().delete_tenant(&z).await);
    assert_eq!(
        refused(bench.store().delete_tenant(&z).await),
        StoreError::UnknownTenant
    );
    bench.pause().await;
    assert_eq!(
        must(bench.store().tenants().await),
        [named("a-1"), tenant()]
    );
    must(bench.store().create_tenant(&z).await);
    let view = must(bench.store().view(&z, At::Newest).await);
    assert_eq!(view.position(), Position(0));
    assert!(must(view.read(&[key("a")]).await)[0].is_none());
}

pub(super) async fn data_of_tenants_is_apart(bench: &Bench) {
    let other = named("other");
    must(bench.store().create_tenant(&other).await);
    bench.change(vec![put(key("a"), "mine")]).await;
    must(
        bench
            .store()
            .numbers(&tenant(), NameKind::Type, &["x", "y"])
            .await,
    );
    let blob = must(
        bench
            .store()
            .put_blob(&tenant(), &mut Pieces("b".into(), 1))
            .await,
    );
    bench.pause().await;
    let store = bench.store();
    let view = must(store.view(&other, At::Newest).await);
    assert!(must(view.read(&[key("a")]).await)[0].is_none());
    assert_eq!(view.position(), Position(0));
    assert_eq!(
        must(store.numbers(&other, NameKind::Type, &["y"]).await),
        [1]
    );
    assert_eq!(
        must(store.read_blob(&other, &blob, 0, 1).await),
        None::<Bytes>
    );
    let done = must(
        store
            .commit(&other, changes_of(vec![put(key("a"), "theirs")]))
            .await,
    );
    assert_eq!(done.transaction, 1);
    assert_eq!(
        bench.read(&key("a")).await.expect("it was put").body,
        "mine"
    );
}

pub(super) async fn unknown_tenants(bench: &Bench) {
    let (store, unknown) = (bench.store(), named("nobody"));
    let errors = [
        store.view(&unknown, At::Newest).await.map(drop),
        store.commit(&unknown, changes_of(vec![])).await.map(drop),
        store
            .numbers(&unknown, NameKind::Type, &["x"])
            .await
            .map(drop),
        store
            .known_numbers(&unknown, NameKind::Type, &["x"])
            .await
            .map(drop),
        store.names(&unknown, NameKind::Type).await.map(drop),
        store.check(&unknown).await.map(drop),
        store.collect_orphan_blobs(&unknown).await.map(drop),
        store
            .put_blob(&unknown, &mut Pieces("b".into(), 1))
            .await
            .map(drop),
        store.restore(&unknown, vec![]).await,
        store.finish_restore(&unknown).await,
        store.delete_tenant(&unknown).await,
    ];
    for error in errors {
        assert_eq!(refused(error), StoreError::UnknownTenant);
    }
    let future = store
        .view(&tenant(), At::Position(Position(1)))
        .await
        .map(drop);
    assert_eq!(refused(future), StoreError::UnknownPosition);
}

pub(super) async fn closed_stores_refuse(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    must(bench.store().ready().await);
    must(bench.store().close().await);
    refused(bench.store().view(&tenant(), At::Newest).await.map(drop));
    refused(bench.try_commit(changes_of(vec![put(key("a"), "2")])).await);
    refused(bench.store().ready().await);
}
