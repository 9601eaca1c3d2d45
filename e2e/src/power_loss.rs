//! Cuts the power of a program: runs it under a library (`power-loss/power_loss.c`) that remembers
//! what was durable, and puts its folder back to that. Killing a process proves little, because the
//! operating system keeps what was written; after this, only what was synced is there.
//!
//! ```no_run
//! # use e2e::power_loss::{Loss, PowerLoss};
//! # fn main() -> std::io::Result<()> {
//! let power = PowerLoss::new("data".as_ref(), "scratch".as_ref())?;
//! power.begin()?; // everything in `data` counts as durable
//! let mut program = std::process::Command::new("program").envs(power.environment()).spawn()?;
//! program.kill()?;
//! program.wait()?;
//! power.cut_back(Loss::Unsynced)?;
//! # Ok(())
//! # }
//! ```
//! Needs `gcc` and Linux, and file systems that tell when a file was created.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/power-loss/power_loss.c");
const PAGE_BYTES: usize = 4096;

/// The library, the folder it watches, and where it remembers.
#[derive(Debug)]
pub struct PowerLoss {
    library: PathBuf,
    root: PathBuf,
    shadow: PathBuf,
    fault: PathBuf,
}

/// What the power takes with it.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// Everything that was not synced.
    Unsynced,
    /// Of what was not synced, a random part stays: pages of files, and entries of folders.
    Torn {
        /// Decides which part.
        seed: u64,
    },
}

/// An operation that shall fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which operations count.
    pub operation: Operation,
    /// How many of them succeed before.
    pub skip: u32,
    /// What the failing ones report.
    pub error: FaultError,
    /// How many fail; then they succeed again.
    pub times: u32,
}

/// A kind of operation on a watched file.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Writing bytes or reserving room for them.
    Write,
    /// Changing a file's length.
    Truncate,
    /// `fsync` and `fdatasync`, of files and folders.
    Sync,
}

/// What the operating system says.
#[derive(Clone, Copy, Debug)]
pub enum FaultError {
    /// The device failed. A sync that fails so has lost what it should have written.
    Eio,
    /// The device is full.
    Enospc,
}

impl PowerLoss {
    /// Builds the library. `root` is the folder to watch, made if it is not there; `scratch` one
    /// outside of it, for the library's own files.
    pub fn new(root: &Path, scratch: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        fs::create_dir_all(scratch)?;
        // The library compares with what /proc says, which has no symbolic links.
        let (root, scratch) = (root.canonicalize()?, scratch.canonicalize()?);
        let library = scratch.join("libpower_loss.so");
        let built = Command::new("gcc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .args([SOURCE, "-ldl", "-lpthread"])
            .output()?;
        if !built.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&built.stderr).into_owned(),
            ));
        }
        Ok(Self {
            library,
            root,
            shadow: scratch.join("shadow"),
            fault: scratch.join("fault"),
        })
    }

    /// Forgets everything and takes what is in the folder now for durable. Call it while no program
    /// runs.
    pub fn begin(&self) -> io::Result<()> {
        if self.shadow.exists() {
            fs::remove_dir_all(&self.shadow)?;
        }
        self.heal()?;
        for kind in ["inodes", "dirs"] {
            fs::create_dir_all(self.shadow.join(kind))?;
        }
        self.record(&self.root)
    }

    /// What a `Command` needs so that the program is watched.
    pub fn environment(&self) -> [(&'static str, OsString); 4] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("POWER_LOSS_ROOT", self.root.clone().into()),
            ("POWER_LOSS_SHADOW", self.shadow.clone().into()),
            ("POWER_LOSS_FAULT", self.fault.clone().into()),
        ]
    }

    /// Makes operations of the running program fail from now on.
    pub fn fail(&self, fault: Fault) -> io::Result<()> {
        let operation = match fault.operation {
            Operation::Write => "write",
            Operation::Truncate => "truncate",
            Operation::Sync => "sync",
        };
        let error = match fault.error {
            FaultError::Eio => "EIO",
            FaultError::Enospc => "ENOSPC",
        };
        // By renaming, so that the program never reads half of it.
        let next = self.fault.with_extension("new");
        fs::write(
            &next,
            format!("{operation} {} {error} {}\n", fault.skip, fault.times),
        )?;
        fs::rename(next, &self.fault)
    }

    /// Lets everything succeed again.
    pub fn heal(&self) -> io::Result<()> {
        match fs::remove_file(&self.fault) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts the folder back to what was durable. The program must have ended.
    pub fn cut_back(&self, loss: Loss) -> io::Result<()> {
        let after = self.root.with_extension("after-power-loss");
        let mut chance = match loss {
            Loss::Unsynced => None,
            Loss::Torn { seed } => Some(Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)),
        };
        let mut present = HashMap::new();
        find_files(&self.root, &mut present)?;
        self.rebuild(
            &identify(&fs::metadata(&self.root)?)?,
            &after,
            &present,
            &mut chance,
        )?;
        fs::remove_dir_all(&self.root)?;
        fs::rename(after, &self.root)
    }

    fn record(&self, dir: &Path) -> io::Result<()> {
        let mut list = String::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let (data, path) = (entry.metadata()?, entry.path());
            let id = identify(&data)?;
            let kind = if data.is_dir() { 'd' } else { 'f' };
            list.extend([kind, ' ']);
            list.extend([id.as_str(), " ", &name_of(&path)?, "\n"]);
            if data.is_dir() {
                self.record(&path)?;
            } else {
                fs::copy(&path, self.shadow.join("inodes").join(id))?;
            }
        }
        fs::write(
            self.shadow
                .join("dirs")
                .join(identify(&fs::metadata(dir)?)?),
            list,
        )
    }

    /// Makes `target` the folder that was known as `id`.
    fn rebuild(
        &self,
        id: &str,
        target: &Path,
        present: &HashMap<String, PathBuf>,
        chance: &mut Option<Chance>,
    ) -> io::Result<()> {
        fs::create_dir(target)?;
        let mut entries = read_list(&self.shadow.join("dirs").join(id))?;
        if let (Some(chance), Some(dir)) = (chance.as_mut(), present.get(id)) {
            mix_entries(&mut entries, dir, chance)?;
        }
        for (name, (kind, id)) in entries {
            let path = target.join(name);
            if kind == 'd' {
                self.rebuild(&id, &path, present, chance)?;
                continue;
            }
            let durable = read_or_empty(&self.shadow.join("inodes").join(&id))?;
            let content = match (chance.as_mut(), present.get(&id)) {
                (Some(chance), Some(written)) => tear(durable, &fs::read(written)?, chance),
                _ => durable,
            };
            fs::write(path, content)?;
        }
        Ok(())
    }
}

type Entries = std::collections::BTreeMap<String, (char, String)>;

fn read_list(path: &Path) -> io::Result<Entries> {
    let text = String::from_utf8(read_or_empty(path)?).map_err(io::Error::other)?;
    let entry = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let kind = parts.next()?.chars().next()?;
        let id = parts.next()?.to_owned();
        Some((parts.next()?.to_owned(), (kind, id)))
    };
    Ok(text.lines().filter_map(entry).collect())
}

/// Of the entries that differ from what was durable, takes each with an even chance.
fn mix_entries(entries: &mut Entries, dir: &Path, chance: &mut Chance) -> io::Result<()> {
    let mut now = Entries::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let data = entry.metadata()?;
        let kind = if data.is_dir() { 'd' } else { 'f' };
        now.insert(name_of(&entry.path())?, (kind, identify(&data)?));
    }
    let gone: Vec<String> = entries
        .keys()
        .filter(|name| !now.contains_key(*name))
        .cloned()
        .collect();
    for name in gone {
        if chance.toss() {
            entries.remove(&name);
        }
    }
    for (name, entry) in now {
        if entries.get(&name) != Some(&entry) && chance.toss() {
            entries.insert(name, entry);
        }
    }
    Ok(())
}

/// Of the pages that differ from what was durable, takes each with an even chance.
fn tear(mut durable: Vec<u8>, written: &[u8], chance: &mut Chance) -> Vec<u8> {
    if durable == written {
        return durable;
    }
    // The length is metadata of its own and may be written without the pages; those read as zeros.
    if chance.toss() {
        durable.resize(written.len(), 0);
    }
    for (at, page) in written.chunks(PAGE_BYTES).enumerate() {
        let start = at * PAGE_BYTES;
        let end = (start + page.len()).min(durable.len());
        if start < end && chance.toss() {
            durable[start..end].copy_from_slice(&page[..end - start]);
        }
    }
    durable
}

fn find_files(dir: &Path, found: &mut HashMap<String, PathBuf>) -> io::Result<()> {
    found.insert(identify(&fs::metadata(dir)?)?, dir.to_owned());
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find_files(&entry.path(), found)?;
        } else {
            found.insert(identify(&entry.metadata()?)?, entry.path());
        }
    }
    Ok(())
}

/// As the library names files: inode numbers are used again, so the time of birth belongs to it.
fn identify(data: &Metadata) -> io::Result<String> {
    let born = data
        .created()?
        .duration_since(UNIX_EPOCH)
        .map_err(io::Error::other)?;
    Ok(format!(
        "{}-{}-{}",
        data.ino(),
        born.as_secs(),
        born.subsec_nanos()
    ))
}

fn name_of(path: &Path) -> io::Result<String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| !name.contains('\n'));
    name.map(str::to_owned)
        .ok_or_else(|| io::Error::other("a file name that is not plain text"))
}

fn read_or_empty(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// Even chances that a seed repeats.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn toss(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 & (1 << 40) != 0
    }
}

/// Makes creations, renames and removals in a folder durable; for programs that tests run under the
/// library.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests;
