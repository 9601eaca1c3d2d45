//! A damaged file is found and named, offline and at work, and what it held is not served.

use std::path::{Path, PathBuf};

use store::{At, HistoryOf, HistoryOrder, HistoryPage, Space, Store, StoreError, TenantId};
use store_embedded::{EmbeddedStore, Options};

use super::{SPACES, puts};

/// Little memory, so that tables are written soon.
fn small(dir: &Path) -> Result<EmbeddedStore, StoreError> {
    let options = Options {
        memtable_bytes_max: 256 << 10,
        ..Options::default()
    };
    EmbeddedStore::open(dir, &SPACES, options)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// Bytes that do not compress.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_le_bytes()[7]
    };
    std::iter::repeat_with(next).take(2_000).collect()
}

async fn filled(dir: &Path) {
    let store = small(dir).expect("a new store");
    for batch in 0..12_u64 {
        let records = (0..100).map(|n| (format!("{batch}-{n}"), noise(batch * 100 + n + 1)));
        let commit = puts(records);
        let done = store.commit(&TenantId::default(), commit).await;
        done.expect("it commits");
    }
    store.close().await.expect("it closes");
}

async fn read_all(store: &EmbeddedStore) -> Result<usize, StoreError> {
    let view = store.view(&TenantId::default(), At::Newest).await?;
    let page = HistoryPage {
        order: HistoryOrder::OldestFirst,
        after: None,
        since: None,
        before: None,
        current_from: None,
        limit: 10_000,
    };
    let records = view.history(&HistoryOf::Space(Space(1)), &page).await?;
    let mut expected = (0..12_u64).flat_map(|batch| (0..100).map(move |n| batch * 100 + n + 1));
    let whole = records
        .iter()
        .all(|record| expected.next().map(noise).as_deref() == Some(&record.body[..]));
    assert!(whole, "damage was served");
    Ok(records.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits_are_named_and_not_served() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    assert_eq!(EmbeddedStore::check_directory(dir.path()).unwrap(), []);
    let data = dir.path().join("tenants/default/data");
    let mut damaged = 0;
    for file in files(&data.join("spaces/bodies"))
        .into_iter()
        .chain(files(&data.join("journal")))
    {
        let whole = std::fs::read(&file).unwrap();
        if whole.len() < 4_096 {
            continue;
        }
        damaged += 1;
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        std::fs::write(&file, flipped).unwrap();
        let findings = EmbeddedStore::check_directory(dir.path()).unwrap();
        let named = |finding: &store::Finding| finding.place == file.display().to_string();
        assert!(
            findings.iter().any(named),
            "{}: {findings:?}",
            file.display()
        );
        match small(dir.path()) {
            Err(error) => panic!("the directory itself is whole: {error:?}"),
            Ok(store) => {
                let read = read_all(&store).await;
                assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
                store.close().await.unwrap();
            }
        }
        std::fs::write(&file, whole).unwrap();
    }
    assert!(damaged > 0, "there was something to damage");
    let store = small(dir.path()).unwrap();
    assert_eq!(read_all(&store).await, Ok(1_200));
    assert_eq!(store.check(&TenantId::default()).await.unwrap(), []);
}
