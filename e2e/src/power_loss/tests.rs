//! Proves that the library would catch a program that does not sync: this test binary runs itself
//! as such programs.

use std::fs::OpenOptions;
use std::io::Write;

use super::*;

const PROGRAM: &str = "POWER_LOSS_PROGRAM";

/// What a program does to the folder; it then ends without a chance to clean up.
type Program = fn(&Path) -> io::Result<()>;

const PROGRAMS: &[(&str, Program)] = &[
    ("never syncs", |dir| fs::write(dir.join("new"), "x")),
    ("syncs all", |dir| {
        write_synced(dir, "new").and_then(|()| sync_dir(dir))
    }),
    ("forgets the folder", |dir| write_synced(dir, "new")),
    ("forgets the file", |dir| {
        fs::write(dir.join("new"), "x").and_then(|()| sync_dir(dir))
    }),
    ("renames and forgets", |dir| {
        write_synced(dir, "new")?;
        fs::rename(dir.join("new"), dir.join("old"))
    }),
    ("renames and syncs", |dir| {
        write_synced(dir, "new")?;
        fs::rename(dir.join("new"), dir.join("old"))?;
        sync_dir(dir)
    }),
    ("removes and forgets", |dir| {
        fs::remove_file(dir.join("old"))
    }),
    ("appends after syncing", |dir| {
        let mut file = OpenOptions::new().append(true).open(dir.join("old"))?;
        file.write_all(b" synced")?;
        file.sync_data()?;
        file.write_all(b" not synced")
    }),
    ("truncates after syncing", |dir| {
        OpenOptions::new()
            .write(true)
            .open(dir.join("old"))?
            .set_len(1)
    }),
    ("copies and syncs", |dir| {
        fs::copy(dir.join("old"), dir.join("new"))?;
        File::open(dir.join("new"))?.sync_all()?;
        sync_dir(dir)
    }),
    ("makes a folder and syncs half", |dir| {
        let inner = dir.join("inner");
        fs::create_dir(&inner)?;
        write_synced(&inner, "new")?;
        sync_dir(&inner)
    }),
    ("reuses the number of a removed file", |dir| {
        // Removing is not durable; what comes after must not be mistaken for the removed file.
        fs::remove_file(dir.join("old"))?;
        (0..50).try_for_each(|at| write_synced(dir, &format!("new{at}")))
    }),
    ("goes on after a failed sync", |dir| {
        let mut file = OpenOptions::new().append(true).open(dir.join("old"))?;
        file.write_all(b" lost")?;
        assert_eq!(
            file.sync_all().map_err(|error| error.raw_os_error()),
            Err(Some(5))
        );
        file.sync_all()
    }),
    ("finds the disk full once", |dir| {
        let mut file = OpenOptions::new().append(true).open(dir.join("old"))?;
        assert_eq!(
            file.write(b"x").map_err(|error| error.raw_os_error()),
            Err(Some(28))
        );
        file.write_all(b" later")?;
        file.sync_all()
    }),
    ("writes many pages", |dir| {
        let mut file = OpenOptions::new().write(true).open(dir.join("old"))?;
        file.set_len(64 * 4096)?;
        file.sync_all()?;
        file.write_all(&vec![1; 64 * 4096])
    }),
];

fn write_synced(dir: &Path, name: &str) -> io::Result<()> {
    let mut file = File::create(dir.join(name))?;
    file.write_all(b"x")?;
    file.sync_all()
}

/// Not a test by itself: the entry of the programs above, when this binary runs itself.
#[test]
fn program() {
    let Ok(wanted) = std::env::var(PROGRAM) else {
        return;
    };
    let (_, run) = PROGRAMS.iter().find(|(name, _)| *name == wanted).unwrap();
    run(Path::new(&std::env::var_os("POWER_LOSS_ROOT").unwrap())).unwrap();
    // SIGKILL, as the last thing any test would wait for.
    let _ = Command::new("kill")
        .args(["-9", &std::process::id().to_string()])
        .status();
    unreachable!("a killed process goes no further");
}

/// Runs a program over a folder that durably holds `old`, cuts the power, and lists what is left.
fn left(program: &str, loss: Loss, fault: Option<Fault>) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let power = PowerLoss::new(&root, &folder.path().join("scratch")).unwrap();
    fs::write(root.join("old"), "old").unwrap();
    power.begin().unwrap();
    fault.map_or(Ok(()), |fault| power.fail(fault)).unwrap();
    let exe = std::env::current_exe().unwrap();
    let mut command = Command::new(exe);
    command
        .args(["--exact", "power_loss::tests::program", "--nocapture"])
        .env(PROGRAM, program);
    let ended = command.envs(power.environment()).output().unwrap();
    let died = std::os::unix::process::ExitStatusExt::signal(&ended.status) == Some(9);
    assert!(
        died,
        "{program}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    power.cut_back(loss).unwrap();
    let mut found = Vec::new();
    list(&root, &root, &mut found);
    found.sort();
    found
}

fn list(root: &Path, dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(root, &path, found);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            found.push((name, fs::read(&path).unwrap()));
        }
    }
}

fn check(program: &str, fault: Option<Fault>, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
        .collect();
    assert_eq!(left(program, Loss::Unsynced, fault), expected, "{program}");
}

#[test]
fn only_what_was_synced_survives() {
    check("never syncs", None, &[("old", "old")]);
    check("syncs all", None, &[("new", "x"), ("old", "old")]);
    check("forgets the folder", None, &[("old", "old")]);
    check("forgets the file", None, &[("new", ""), ("old", "old")]);
    check("appends after syncing", None, &[("old", "old synced")]);
    check("truncates after syncing", None, &[("old", "old")]);
    check("copies and syncs", None, &[("new", "old"), ("old", "old")]);
}

#[test]
fn names_survive_with_their_folder() {
    check("renames and forgets", None, &[("old", "old")]);
    check("renames and syncs", None, &[("old", "x")]);
    check("removes and forgets", None, &[("old", "old")]);
    check("makes a folder and syncs half", None, &[("old", "old")]);
    check(
        "reuses the number of a removed file",
        None,
        &[("old", "old")],
    );
}

#[test]
fn operations_fail_on_demand() {
    let once = |operation, error| {
        Some(Fault {
            operation,
            skip: 0,
            error,
            times: 1,
        })
    };
    check(
        "goes on after a failed sync",
        once(Operation::Sync, FaultError::Eio),
        &[("old", "old\0\0\0\0\0")],
    );
    check(
        "finds the disk full once",
        once(Operation::Write, FaultError::Enospc),
        &[("old", "old later")],
    );
}

#[test]
fn a_torn_write_keeps_some_pages() {
    let pages = |seed| {
        let left = left("writes many pages", Loss::Torn { seed }, None);
        let pages = left[0]
            .1
            .chunks(PAGE_BYTES)
            .map(|page| page[0])
            .collect::<Vec<_>>();
        assert_eq!(pages.len(), 64);
        pages
    };
    let first = pages(1);
    assert!(first.contains(&0) && first.contains(&1), "{first:?}");
    assert_eq!(first, pages(1), "a seed repeats itself");
    assert_ne!(first, pages(2));
}
