//! The engine as a whole: crash, damage, failure, limits.

use super::*;
use std::collections::BTreeMap;

const SPACES: &[KeySpace] = &[
    KeySpace {
        name: "rows",
        block_bytes: 4096,
        compression: Compression::Lz4,
        filter: Filter::Bloom,
    },
    KeySpace {
        name: "bodies",
        block_bytes: 16384,
        compression: Compression::None,
        filter: Filter::None,
    },
];
const ROWS: Space = Space(0);
const BODIES: Space = Space(1);

fn budgets() -> Arc<Budgets> {
    Budgets::new(Limits::default())
}

fn open(dir: &Path) -> (Engine, Writer) {
    Engine::open(dir, SPACES, &budgets()).unwrap()
}

fn put(writer: &mut Writer, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(ROWS, key.to_owned(), value.to_owned());
    writer.write(batch).unwrap();
}

fn rows(snapshot: &Snapshot, space: Space) -> BTreeMap<String, String> {
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    snapshot
        .prefix(space, b"")
        .map(Result::unwrap)
        .map(|(key, value)| (text(key), text(value)))
        .collect()
}

#[test]
fn what_is_synced_is_published_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, mut writer) = open(dir.path());
    put(&mut writer, "a", "1");
    let before = engine.snapshot();
    assert_eq!(writer.newest().get(ROWS, b"a").unwrap().unwrap(), "1");
    assert_eq!(before.get(ROWS, b"a").unwrap(), None);
    writer.sync().unwrap();
    assert_eq!(before.get(ROWS, b"a").unwrap(), None);
    assert_eq!(engine.snapshot().get(ROWS, b"a").unwrap().unwrap(), "1");
    put(&mut writer, "b", "2");
    writer.flush().unwrap();
    put(&mut writer, "a", "3");
    writer.sync().unwrap();
    assert!(rows(&before, ROWS).is_empty());
    drop(before);
    writer.close().unwrap();
    drop(engine);
    let (engine, _writer) = open(dir.path());
    assert_eq!(
        rows(&engine.snapshot(), ROWS),
        [("a".into(), "3".into()), ("b".into(), "2".into())].into()
    );
}
