//! Libraries of a tenant: versions, which is in use, the way back, and what is kept compiled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fhir::{Fault, FhirVersion, Issue};
use interactions::libraries::{Activation, Compiled, Layers, Libraries, Library, NewVersion};
use interactions::{InteractionError, Interactions};
use store::TenantId;

use crate::harness::host;

fn new(content: &str, base: Option<&str>, activation: Activation) -> NewVersion {
    NewVersion {
        content: content.to_owned().into(),
        base: base.map(str::to_owned),
        activation,
    }
}

async fn push(interactions: &Interactions, name: &str, content: &str, base: Option<&str>) -> u32 {
    let tenant = TenantId::default();
    let pushed = interactions.push_library(&tenant, name, new(content, base, Activation::AtOnce));
    pushed.await.unwrap().1
}

fn shown(library: &Library) -> String {
    let numbers: Vec<String> = library
        .versions
        .iter()
        .map(|it| it.number.to_string())
        .collect();
    let in_use = library.in_use().map_or(0, |it| it.number);
    format!("{}: {} uses {in_use}", library.name, numbers.join(" "))
}

fn fault<T: std::fmt::Debug>(result: Result<T, InteractionError>) -> Fault {
    result.unwrap_err().issues[0].fault
}

#[tokio::test]
async fn versions_come_and_go() {
    let host = host(FhirVersion::R4);
    let (it, tenant) = (&host.interactions, TenantId::default());
    assert_eq!(push(it, "a", "one", None).await, 1);
    assert_eq!(push(it, "a", "one", None).await, 1);
    assert_eq!(push(it, "a", "two", None).await, 2);
    let later = it
        .push_library(&tenant, "a", new("three", None, Activation::Later))
        .await;
    assert_eq!(shown(&later.unwrap().0), "a: 1 2 3 uses 2");
    let library = it.activate_library(&tenant, "a", 3).await.unwrap();
    assert_eq!(shown(&library), "a: 1 2 3 uses 3");
    let library = it.roll_back_library(&tenant, "a").await.unwrap();
    assert_eq!(shown(&library), "a: 1 2 3 uses 2");
    assert_eq!(it.library_content(&tenant, "a", 3).await.unwrap(), "three");
    let library = it.delete_library_version(&tenant, "a", 3).await.unwrap();
    assert_eq!(shown(&library), "a: 1 2 uses 2");
    assert_eq!(
        fault(it.library_content(&tenant, "a", 3).await),
        Fault::NotFound
    );
    assert_eq!(
        fault(it.delete_library_version(&tenant, "a", 2).await),
        Fault::Conflict
    );
    assert_eq!(
        fault(it.activate_library(&tenant, "a", 9).await),
        Fault::NotFound
    );
    assert_eq!(
        fault(it.activate_library(&tenant, "b", 1).await),
        Fault::NotFound
    );
    let name = it
        .push_library(&tenant, "a/b", new("x", None, Activation::Later))
        .await;
    assert_eq!(fault(name), Fault::Invalid);
    push(it, "b", "over a", Some("a")).await;
    assert_eq!(
        fault(it.delete_library(&tenant, "a").await),
        Fault::Conflict
    );
    it.delete_library(&tenant, "b").await.unwrap();
    it.delete_library(&tenant, "a").await.unwrap();
    assert_eq!(it.libraries(&tenant).await.unwrap(), []);
    assert_eq!(
        fault(it.library_content(&tenant, "a", 1).await),
        Fault::NotFound
    );
}

#[tokio::test]
async fn side_by_side_uploads_all_have_their_number() {
    let host = host(FhirVersion::R4);
    let mut uploads = tokio::task::JoinSet::new();
    for number in 0..8 {
        let it = host.interactions.clone();
        uploads.spawn(async move {
            let version = new(&format!("content {number}"), None, Activation::Later);
            it.push_library(&TenantId::default(), "a", version)
                .await
                .map(|it| it.1)
        });
    }
    let done = uploads.join_all().await.into_iter();
    let mut numbers: Vec<u32> = done.map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    let tenant = TenantId::default();
    let library = host.interactions.library(&tenant, "a").await.unwrap();
    assert_eq!(library.unwrap().versions.len(), 8);
}

/// "Compiles" to the text of all layers; counts how often.
fn libraries(interactions: &Interactions, count: &Arc<AtomicUsize>) -> Libraries<String> {
    let count = Arc::clone(count);
    let compile = move |layers: &Layers| {
        count.fetch_add(1, Ordering::Relaxed);
        if layers.built_in.as_deref().is_some_and(|it| it != "ours") {
            return Err(Issue::error(Fault::NotFound, "no such library"));
        }
        let archives = layers.archives.iter();
        let texts: Vec<String> = layers
            .built_in
            .iter()
            .cloned()
            .chain(archives.map(|it| String::from_utf8(it.to_vec()).unwrap()))
            .collect();
        let library = texts.join(" < ");
        Ok(Compiled {
            bytes: library.len(),
            library,
        })
    };
    Libraries::new(interactions.clone(), 40, Arc::new(compile))
}

#[tokio::test]
async fn a_change_is_used_at_once_and_nothing_is_compiled_twice() {
    let host = host(FhirVersion::R4);
    let (it, tenant) = (&host.interactions, TenantId::default());
    let count = Arc::default();
    let libraries = libraries(it, &count);
    let active = async |name: &str| {
        libraries
            .active(&tenant, name)
            .await
            .map(|it| (*it).clone())
    };
    assert_eq!(active("ours").await.unwrap(), "ours");
    assert_eq!(fault(active("theirs").await), Fault::NotFound);
    push(it, "site", "s1", Some("ours")).await;
    push(it, "ward", "w1", Some("site")).await;
    assert_eq!(active("ward").await.unwrap(), "ours < s1 < w1");
    let before = count.load(Ordering::Relaxed);
    assert_eq!(active("ward").await.unwrap(), "ours < s1 < w1");
    assert_eq!(count.load(Ordering::Relaxed), before);
    // What lies below counts too.
    push(it, "site", "s2", Some("ours")).await;
    assert_eq!(active("ward").await.unwrap(), "ours < s2 < w1");
    it.roll_back_library(&tenant, "site").await.unwrap();
    assert_eq!(active("ward").await.unwrap(), "ours < s1 < w1");
    // A library may lie over the built-in one of its own name.
    push(it, "ours", "o1", Some("ours")).await;
    assert_eq!(active("ours").await.unwrap(), "ours < o1");
    // Those that lie over each other in a circle end.
    push(it, "site", "s3", Some("ward")).await;
    assert_eq!(fault(active("ward").await), Fault::NotFound);
    let old = libraries.library(&tenant, "site", Some(1)).await.unwrap();
    assert_eq!(*old, "ours < o1 < s1");
    assert!(libraries.kept().1 <= 40);
}
