//! The engine as a whole: crash, damage, failure, limits.

use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

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

/// In memory where there is such a place: these tests are about what is in files, not about waiting
/// for disks.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn budgets() -> Arc<Budgets> {
    Budgets::new(Limits::default())
}

fn open(dir: &Path) -> (Engine, Writer) {
    Engine::open(dir, SPACES, &budgets()).unwrap()
}

/// Lets go of the directory: whoever tidies up in the background may hold it a moment longer.
fn released(engine: Engine) {
    let hold = engine.hold();
    drop(engine);
    while !hold.is_over() {
        std::thread::yield_now();
    }
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
    let dir = scratch();
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
    released(engine);
    let (engine, _writer) = open(dir.path());
    assert_eq!(
        rows(&engine.snapshot(), ROWS),
        [("a".into(), "3".into()), ("b".into(), "2".into())].into()
    );
}

/// A generator of numbers that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

type Model = [BTreeMap<String, String>; 2];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn newest_segment(dir: &Path) -> PathBuf {
    let segments = fs::read_dir(dir.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    segments.max().unwrap()
}

/// One of 60 keys, so that overwriting and deleting happen.
fn random_batch(random: &mut Random, model: &mut Model) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..=random.below(6) {
        let at = random.below(2);
        let space = Space(u8::try_from(at).unwrap());
        let rows = &mut model[usize::from(space.0)];
        let key = format!("{:03}", random.below(60));
        if random.below(3) == 0 {
            rows.remove(&key);
            batch.delete(space, key);
        } else {
            let value = format!(
                "{}-{}",
                random.below(1000),
                "x".repeat(usize::try_from(random.below(200)).unwrap())
            );
            rows.insert(key.clone(), value.clone());
            batch.put(space, key, value);
        }
    }
    batch
}

fn assert_shows(snapshot: &Snapshot, model: &Model, context: &str) {
    for (space, expected) in [ROWS, BODIES].into_iter().zip(model) {
        assert_eq!(&rows(snapshot, space), expected, "{context}");
        let backwards: Vec<_> = snapshot
            .range::<&[u8]>(space, ..)
            .rev()
            .map(|row| row.unwrap().0)
            .collect();
        assert!(
            backwards.iter().eq(expected.keys().rev()),
            "{context}, backwards"
        );
        let (low, high) = ("017", "043");
        let part: Range = snapshot.range(space, low.as_bytes()..high.as_bytes());
        let part = part.map(|row| row.unwrap().0);
        assert!(
            part.eq(expected
                .range(low.to_owned()..high.to_owned())
                .map(|(key, _)| key)),
            "{context}, a part"
        );
        for key in ["003", "030", "059"] {
            let value = snapshot.get(space, key.as_bytes()).unwrap();
            assert_eq!(
                value.as_deref(),
                expected.get(key).map(String::as_bytes),
                "{context}, {key}"
            );
        }
    }
}

/// What a crash may leave: all that was durable, and of the rest of the journal any beginning, or
/// any damage.
fn crash(dir: &Path, durable_end: u64, random: &mut Random) {
    let path = newest_segment(dir);
    let mut bytes = fs::read(&path).unwrap();
    let durable = usize::try_from(durable_end).unwrap();
    let torn = bytes.len() - durable;
    if torn > 0 {
        let at = durable + usize::try_from(random.below(torn as u64)).unwrap();
        match random.below(3) {
            0 => bytes.truncate(at),
            1 => bytes[at..].fill(0),
            _ => bytes[at] ^= 1 << random.below(8),
        }
    }
    fs::write(&path, bytes).unwrap();
}

/// States that may be read after a crash: the durable one, and each that follows by one more whole
/// batch.
struct Expected {
    durable: Model,
    then: Vec<Model>,
}

#[test]
fn a_model_agrees_through_crashes() {
    for seed in 1_u64..=12 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let temporary = scratch();
        let mut dir = temporary.path().join("0");
        let budgets = budgets();
        let mut expected = Expected {
            durable: Model::default(),
            then: Vec::new(),
        };
        for life in 0..6 {
            let context = format!("seed {seed}, life {life}");
            let (engine, mut writer) = Engine::open(&dir, SPACES, &budgets).unwrap();
            settle(&engine.snapshot(), &mut expected, &context);
            let mut old = Vec::new();
            for _ in 0..random.below(60) {
                step(
                    &engine,
                    &mut writer,
                    &mut expected,
                    &mut old,
                    &mut random,
                    &context,
                );
            }
            assert_shows(&engine.snapshot(), &expected.durable, &context);
            for (snapshot, model) in &old {
                assert_shows(snapshot, model, &format!("{context}, an old snapshot"));
            }
            let next = temporary.path().join((life + 1).to_string());
            let durable_end = writer.shared.log().journal.durable_end();
            copy(&dir, &next);
            crash(&next, durable_end, &mut random);
            dir = next;
        }
    }
}

fn settle(snapshot: &Snapshot, expected: &mut Expected, context: &str) {
    let found: Model = [rows(snapshot, ROWS), rows(snapshot, BODIES)];
    let whole = expected.durable == found || expected.then.contains(&found);
    assert!(
        whole,
        "{context}: neither what was durable nor whole batches after it"
    );
    expected.durable = found;
    expected.then.clear();
}

fn step(
    engine: &Engine,
    writer: &mut Writer,
    expected: &mut Expected,
    old: &mut Vec<(Snapshot, Model)>,
    random: &mut Random,
    context: &str,
) {
    let durable = expected.then.last().unwrap_or(&expected.durable).clone();
    match random.below(10) {
        0..=4 => {
            let mut model = durable;
            writer.write(random_batch(random, &mut model)).unwrap();
            assert_shows(&writer.newest(), &model, context);
            expected.then.push(model);
        }
        5 | 6 => writer.sync().map(|()| expected.durable = durable).unwrap(),
        7 => writer.flush().map(|()| expected.durable = durable).unwrap(),
        8 => old.push((engine.snapshot(), expected.durable.clone())),
        _ => {
            let mut log = writer.shared.log();
            log.journal.faults = if random.below(2) == 0 {
                journal::Faults {
                    write: Some(0),
                    ..Default::default()
                }
            } else {
                journal::Faults {
                    sync: Some(0),
                    ..Default::default()
                }
            };
            drop(log);
            let mut lost = durable;
            let failed = writer
                .write(random_batch(random, &mut lost))
                .and_then(|()| writer.sync());
            assert!(
                matches!(failed, Err(EngineError::Failed { .. })),
                "{context}"
            );
            assert!(
                matches!(writer.sync(), Err(EngineError::Failed { .. })),
                "{context}"
            );
            assert_shows(&engine.snapshot(), &expected.durable, context);
            writer.shared.log().journal.faults = journal::Faults::default();
            writer.try_recover().unwrap();
            assert_shows(&writer.newest(), &expected.durable, context);
        }
    }
    if writer.shared.log().unsynced.len() != expected.then.len() {
        expected.then.clear();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Reads everything there is, or says what is damaged.
fn read_everything(dir: &Path, budgets: &Arc<Budgets>) -> Result<Model, EngineError> {
    let (engine, _writer) = Engine::open(dir, SPACES, budgets)?;
    let snapshot = engine.snapshot();
    let mut model = Model::default();
    for (space, rows) in [ROWS, BODIES].into_iter().zip(&mut model) {
        for row in snapshot.prefix(space, b"") {
            let (key, value) = row?;
            assert_eq!(snapshot.get(space, &key)?.as_ref(), Some(&value));
            let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
            rows.insert(text(key), text(value));
        }
    }
    Ok(model)
}

/// A directory with tables, a journal behind them, and two acknowledged groups in it. The second
/// group's end is known.
fn sample(dir: &Path, ending: impl FnOnce(&mut Writer)) -> Model {
    let (engine, mut writer) = open(dir);
    let mut random = Random(42);
    let mut model = Model::default();
    for _ in 0..8 {
        writer.write(random_batch(&mut random, &mut model)).unwrap();
    }
    writer.flush().unwrap();
    for _ in 0..2 {
        writer.write(random_batch(&mut random, &mut model)).unwrap();
        writer.sync().unwrap();
    }
    ending(&mut writer);
    assert_shows(&engine.snapshot(), &model, "the sample");
    model
}

#[test]
fn a_torn_tail_is_cut_off_wherever_it_tears() {
    let base = scratch();
    let dir = base.path().join("whole");
    let mut durable = 0;
    let copied = base.path().join("copied");
    let model = sample(&dir, |writer| {
        durable = usize::try_from(writer.shared.log().journal.durable_end()).unwrap();
        let mut batch = Batch::new();
        batch.put(ROWS, "late", "never acknowledged");
        writer.write(batch).unwrap();
        copy(&dir, &copied);
    });
    let budgets = budgets();
    let path = newest_segment(&copied);
    let name = path.strip_prefix(&copied).unwrap();
    let bytes = fs::read(&path).unwrap();
    let torn = base.path().join("torn");
    for at in durable..bytes.len() {
        let mut zeroed = bytes.clone();
        zeroed[at..(at + 16).min(bytes.len())].fill(0);
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        // A page of zeros over what is zero is no damage.
        let damaged = [&bytes[..at], &zeroed, &flipped];
        for damaged in damaged.into_iter().filter(|damaged| *damaged != bytes) {
            let _ = fs::remove_dir_all(&torn);
            copy(&copied, &torn);
            fs::write(torn.join(name), damaged).unwrap();
            assert_eq!(
                read_everything(&torn, &budgets).unwrap(),
                model,
                "torn at {at}"
            );
        }
    }
    assert!(
        read_everything(&copied, &budgets).unwrap()[0].contains_key("late"),
        "whole, so it may come back"
    );
}

/// Whether `named` is the damaged file. Of a manifest and the `current` that points to it, neither
/// can prove the other.
fn blames(named: &Path, target: &Path) -> bool {
    let manifest = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name == "current" || name.starts_with('v')
    };
    named == target || (named.parent() == target.parent() && manifest(named) && manifest(target))
}

#[test]
fn damage_to_what_was_acknowledged_is_refused_and_named() {
    let base = scratch();
    let dir = base.path().join("whole");
    let model = sample(&dir, |writer| writer.sync().unwrap());
    assert_eq!(verify(&dir).unwrap(), []);
    // Opening removes manifests that are no longer in force; damage to one of them is none.
    drop(open(&dir));
    let budgets = budgets();
    let damaged = base.path().join("damaged");
    for path in files(&dir) {
        let name = path.strip_prefix(&dir).unwrap();
        if name == Path::new("LOCK") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let step = (bytes.len() / 150).max(1);
        let flips = (0..bytes.len()).step_by(step).map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            (format!("{} flipped at {at}", name.display()), Some(flipped))
        });
        let cuts = (0..bytes.len()).step_by(step * 10);
        let cuts = cuts.map(|at| {
            (
                format!("{} cut at {at}", name.display()),
                Some(bytes[..at].to_vec()),
            )
        });
        let gone = std::iter::once((format!("{} missing", name.display()), None));
        for (context, content) in flips.chain(cuts).chain(gone) {
            let _ = fs::remove_dir_all(&damaged);
            copy(&dir, &damaged);
            let target = damaged.join(name);
            content
                .map_or_else(
                    || fs::remove_file(&target),
                    |content| fs::write(&target, content),
                )
                .unwrap();
            let found = verify(&damaged);
            let named = match &found {
                Ok(faults) => faults.iter().any(|fault| blames(&fault.file, &target)),
                Err(error) => matches!(error, EngineError::Format { .. }),
            };
            assert!(named, "{context}: {found:?}");
            match read_everything(&damaged, &budgets) {
                Ok(read) => assert_eq!(read, model, "{context}: wrong data were served"),
                Err(EngineError::Corrupt { file, .. }) => {
                    assert!(blames(&file, &target), "{context}: {}", file.display());
                }
                Err(EngineError::Format { .. }) => assert_eq!(name, Path::new("FORMAT")),
                Err(EngineError::UnknownSpace { .. }) => {
                    panic!("{context}: a damaged name was believed")
                }
                Err(error) => panic!("{context}: {error}"),
            }
        }
    }
}

#[test]
fn a_second_opener_is_told_who_holds_the_directory() {
    let dir = scratch();
    let (engine, writer) = open(dir.path());
    let second = Engine::open(dir.path(), SPACES, &budgets()).map(|_| ());
    assert!(
        matches!(second, Err(EngineError::Locked { pid, .. }) if pid == Some(std::process::id()))
    );
    assert!(matches!(
        verify(dir.path()),
        Err(EngineError::Locked { .. })
    ));
    assert_eq!(engine.verify().unwrap(), []);
    let snapshot = engine.snapshot();
    drop((engine, writer));
    assert!(
        Engine::open(dir.path(), SPACES, &budgets()).is_err(),
        "a snapshot still reads"
    );
    drop(snapshot);
    open(dir.path());
}

#[test]
fn another_format_and_unknown_spaces_are_refused_and_new_ones_are_made() {
    let dir = scratch();
    let (_, writer) = Engine::open(dir.path(), &SPACES[..1], &budgets()).unwrap();
    writer.close().unwrap();
    let (engine, mut writer) = open(dir.path());
    let mut batch = Batch::new();
    batch.put(BODIES, "k", "v");
    writer.write(batch).unwrap();
    writer.close().unwrap();
    released(engine);
    let fewer = Engine::open(dir.path(), &SPACES[..1], &budgets()).map(|_| ());
    assert!(matches!(fewer, Err(EngineError::UnknownSpace { name, .. }) if name == "bodies"));
    let (engine, writer) = open(dir.path());
    assert_eq!(engine.snapshot().get(BODIES, b"k").unwrap().unwrap(), "v");
    drop((engine, writer));
    let format = dir.path().join("FORMAT");
    fs::write(
        &format,
        fs::read_to_string(&format)
            .unwrap()
            .replace("engine 1", "engine 2"),
    )
    .unwrap();
    let newer = Engine::open(dir.path(), SPACES, &budgets()).map(|_| ());
    assert!(matches!(newer, Err(EngineError::Format { found, .. }) if found == "2"));
}

#[test]
fn what_cannot_be_cut_back_is_of_unknown_outcome_and_blocks_writing() {
    let dir = scratch();
    let (engine, mut writer) = open(dir.path());
    put(&mut writer, "a", "1");
    writer.sync().unwrap();
    put(&mut writer, "a", "2");
    let faults = |sync, cut| journal::Faults {
        write: None,
        sync,
        cut,
    };
    writer.shared.log().journal.faults = faults(Some(0), Some(0));
    assert!(matches!(
        writer.sync(),
        Err(EngineError::OutcomeUnknown { .. })
    ));
    assert!(writer.try_recover().is_err());
    assert!(writer.write(Batch::new()).is_err());
    assert_eq!(rows(&engine.snapshot(), ROWS), rows(&writer.newest(), ROWS));
    assert!(writer.failure().unwrap().contains("injected"));
    writer.shared.log().journal.faults = faults(None, None);
    writer.try_recover().unwrap();
    put(&mut writer, "b", "3");
    writer.flush().unwrap();
    writer.close().unwrap();
    released(engine);
    let (engine, _writer) = open(dir.path());
    assert_eq!(
        rows(&engine.snapshot(), ROWS),
        [("a".into(), "1".into()), ("b".into(), "3".into())].into()
    );
}

#[test]
fn memory_stays_bounded_and_old_segments_go() {
    memory_stays_bounded(2);
}

#[test]
fn without_threads_the_writer_flushes() {
    memory_stays_bounded(0);
}

fn memory_stays_bounded(maintenance_threads: usize) {
    let dir = scratch();
    let budgets = Budgets::new(Limits {
        memtable_bytes_max: 4 << 20,
        maintenance_threads,
        ..Limits::default()
    });
    let (engine, mut writer) = Engine::open(dir.path(), SPACES, &budgets).unwrap();
    let mut most = 0;
    for round in 0_u32..300 {
        let mut batch = Batch::new();
        for at in 0_u32..50 {
            batch.put(
                BODIES,
                (round * 7919 % 300 * 50 + at).to_be_bytes().to_vec(),
                vec![1; 2000],
            );
        }
        writer.write(batch).unwrap();
        writer.sync().unwrap();
        most = most.max(writer.shared.load.memtable_bytes.load(Ordering::Relaxed));
    }
    // 30 MB went through: at most the pending ones, the active one and the last batch were ever in
    // memory.
    assert!(most < 6 << 20, "{most}");
    assert_eq!(engine.snapshot().prefix(BODIES, b"").count(), 15_000);
    writer.flush().unwrap();
    assert_eq!(files(&dir.path().join("journal")).len(), 1);
    writer.close().unwrap();
    assert_eq!(
        verify(dir.path()).err().map(|error| error.to_string()),
        Some(
            EngineError::Locked {
                dir: dir.path().to_owned(),
                pid: Some(std::process::id()),
            }
            .to_string()
        )
    );
    released(engine);
    assert_eq!(verify(dir.path()).unwrap(), []);
}

#[test]
fn a_failed_flush_leaves_everything_readable_and_is_made_good() {
    let dir = scratch();
    let (engine, mut writer) = open(dir.path());
    put(&mut writer, "a", "1");
    writer.sync().unwrap();
    let tables = dir.path().join("spaces/rows/tables");
    fs::remove_dir(&tables).unwrap();
    assert!(writer.flush().is_err());
    assert_eq!(engine.snapshot().get(ROWS, b"a").unwrap().unwrap(), "1");
    put(&mut writer, "b", "2");
    writer.sync().unwrap();
    fs::create_dir(&tables).unwrap();
    writer.flush().unwrap();
    assert_eq!(rows(&engine.snapshot(), ROWS).len(), 2);
    assert_eq!(files(&dir.path().join("journal")).len(), 1);
    assert_eq!(engine.verify().unwrap(), []);
}

#[test]
fn a_lost_format_file_is_not_taken_for_a_new_directory() {
    let dir = scratch();
    let (engine, mut writer) = open(dir.path());
    put(&mut writer, "a", "1");
    writer.close().unwrap();
    released(engine);
    fs::remove_file(dir.path().join("FORMAT")).unwrap();
    assert!(matches!(
        Engine::open(dir.path(), SPACES, &budgets()),
        Err(EngineError::Corrupt { .. })
    ));
}

#[test]
fn without_room_the_whole_group_is_refused_until_there_is_some() {
    let dir = scratch();
    let limits = Limits {
        memtable_bytes_max: 256 << 10,
        ..Limits::default()
    };
    let (engine, mut writer) = Engine::open(dir.path(), SPACES, &Budgets::new(limits)).unwrap();
    let write = |writer: &mut Writer, number: u32| {
        let mut batch = Batch::new();
        batch.put(ROWS, number.to_be_bytes().to_vec(), vec![7; 10_000]);
        writer.write(batch)
    };
    let count = || engine.snapshot().prefix(ROWS, b"").count();
    let tables = dir.path().join("spaces/rows/tables");
    fs::remove_dir(&tables).unwrap();
    let mut written = 0;
    // Two batches per group: sooner or later the second one finds no room.
    let refused = loop {
        let group = write(&mut writer, written).and_then(|()| write(&mut writer, written + 1));
        if let Err(error) = group.and_then(|()| writer.sync()) {
            break error;
        }
        written += 2;
        assert!(written < 1000, "memory is not bounded");
    };
    let missing = std::io::ErrorKind::NotFound;
    assert!(
        matches!(refused, EngineError::Failed { kind, .. } if kind == missing),
        "{refused}"
    );
    assert_eq!(count(), usize::try_from(written).unwrap());
    fs::create_dir(&tables).unwrap();
    writer.try_recover().unwrap();
    let again = (0..100).find(|_| {
        let done = write(&mut writer, written)
            .and_then(|()| writer.sync())
            .is_ok();
        done || writer.try_recover().is_err()
    });
    assert!(again.is_some() && writer.failure().is_none());
    writer.flush().unwrap();
    assert_eq!(count(), usize::try_from(written).unwrap() + 1);
}

#[test]
fn readers_see_whole_groups_while_tables_are_made() {
    let dir = scratch();
    let limits = Limits {
        memtable_bytes_max: 512 << 10,
        ..Limits::default()
    };
    let (engine, mut writer) = Engine::open(dir.path(), SPACES, &Budgets::new(limits)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = |seed| {
            let (engine, done) = (engine.clone(), &done);
            move || {
                let mut random = Random(seed);
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    let snapshot = engine.snapshot();
                    let seen: Vec<_> = snapshot
                        .prefix(ROWS, b"")
                        .map(|row| row.unwrap().1)
                        .collect();
                    assert!(
                        seen.iter().all(|value| value[..4] == seen[0][..4]),
                        "half a group"
                    );
                    let Some(number) = seen.first() else { continue };
                    let number = u32::from_be_bytes(number[..4].try_into().unwrap());
                    assert!(
                        number >= newest && seen.len() == 40,
                        "{number} after {newest}"
                    );
                    newest = number;
                    let key = u32::try_from(random.below(40)).unwrap().to_be_bytes();
                    assert_eq!(
                        snapshot.get(ROWS, &key).unwrap().unwrap()[..4],
                        number.to_be_bytes()
                    );
                }
            }
        };
        scope.spawn(reader(1));
        scope.spawn(reader(2));
        for number in 1..=400_u32 {
            for half in 0..2 {
                let mut batch = Batch::new();
                for key in (half..40_u32).step_by(2) {
                    let mut value = number.to_be_bytes().to_vec();
                    value.resize(200, 0);
                    batch.put(ROWS, key.to_be_bytes().to_vec(), value);
                }
                writer.write(batch).unwrap();
            }
            writer.sync().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(engine.verify().unwrap().is_empty());
}
