//! A folder instead of a store: each message becomes a file, as it came or converted, that is durable
//! before the message is acknowledged. Whoever reads the files may take them away at any time.
//!
//! The messages of a group are written to files that have no name yet (`.0000000001.json.part`), then
//! noted in `.received`, then named. A message that was noted when the process died is named at the
//! next start; one that was not noted was not acknowledged, and its file goes. Notes hold numbers, times and hashes, by which
//! repetitions are recognised; names hold numbers only.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use convert::Library;
use convert::hl7v2::Fault;
use fhir::Instant;
use interactions::channel::{Channel, Ids, Incoming, Message, Receipt, Settled, Standing, State};
use sha2::{Digest, Sha256};
use store::{Clock as _, SystemClock};
use tracing::warn;

use super::Keeper;
use super::conversion::{With, convert};

/// Notes of what was received.
const RECEIVED: &str = ".received";
/// Held by the process that writes to the folder.
const LOCK: &str = ".lock";
/// Ends the names of files that have none yet.
const PART: &str = ".part";

/// Messages remembered; of more, the oldest are forgotten.
const REMEMBERED_MAX: usize = 1_000_000;
/// Notes of forgotten messages after which the notes are written anew.
const FORGOTTEN_MAX: usize = 1_000_000;

/// Threads that convert, or write files.
const THREADS_MAX: usize = 16;

const DAY_MICROS: i64 = 86_400_000_000;

type Hash = [u8; 32];

/// What the files are.
pub enum Form {
    /// Messages, as they came.
    Raw,
    /// Bundles that a library makes of them.
    Converted(Arc<Library>),
}

/// A folder that messages are written to.
pub(super) struct Folder(Arc<Inner>);

struct Inner {
    path: PathBuf,
    channel: Channel,
    ids: Ids,
    form: Form,
    /// `None` after a failure: the folder is then read anew.
    opened: Mutex<Option<Opened>>,
    #[expect(dead_code, reason = "held for its lock")]
    lock: File,
}

impl Folder {
    /// Opens a folder, makes it if it is not there, and mends what a crash has left.
    pub(super) fn open(path: &Path, channel: &Channel, ids: Ids, form: Form) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other("another process writes to it"),
            fs::TryLockError::Error(error) => error,
        })?;
        let inner = Inner {
            path: path.to_owned(),
            channel: channel.clone(),
            ids,
            form,
            opened: Mutex::default(),
            lock,
        };
        let opened = Opened::read(path, inner.oldest(now()))?;
        *inner.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        Ok(Self(Arc::new(inner)))
    }
}

#[async_trait]
impl Keeper for Folder {
    async fn take(&self, group: &[Incoming]) -> Option<Vec<Result<Receipt, Fault>>> {
        let (inner, group) = (Arc::clone(&self.0), group.to_vec());
        let taken = tokio::task::spawn_blocking(move || inner.take(&group)).await;
        let cause = match taken {
            Ok(Ok(taken)) => return Some(taken),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "writing ended".to_owned(),
        };
        warn!(folder = %self.0.path.display(), cause, "messages cannot be taken");
        None
    }

    async fn settled(&self, _: u64, _: Duration) -> Option<Settled> {
        Some(Settled {
            state: State::Stored,
            ..Settled::received(Instant::from_micros(now()))
        })
    }
}

fn now() -> i64 {
    SystemClock.now().0
}

impl Inner {
    /// Since when messages are remembered.
    fn oldest(&self, now: i64) -> i64 {
        let days = i64::try_from(self.channel.duplicate_days).unwrap_or(i64::MAX);
        now.saturating_sub(days.saturating_mul(DAY_MICROS))
    }

    fn take(&self, group: &[Incoming]) -> io::Result<Vec<Result<Receipt, Fault>>> {
        let mut place = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        let has_room = |it: &Opened| it.noted - it.order.len() < FORGOTTEN_MAX;
        let mut opened = match place.take().filter(has_room) {
            Some(opened) => opened,
            None => Opened::read(&self.path, self.oldest(now))?,
        };
        opened.forget(self.oldest(now));
        let taken = self.write(&mut opened, group, now)?;
        *place = Some(opened);
        Ok(taken)
    }

    fn write(
        &self,
        opened: &mut Opened,
        group: &[Incoming],
        now: i64,
    ) -> io::Result<Vec<Result<Receipt, Fault>>> {
        let receipt = |number, time, standing| Receipt {
            number,
            time: Instant::from_micros(time),
            standing,
        };
        let hashes: Vec<Hash> = group.iter().map(hash_of).collect();
        let messages: Vec<_> = group.iter().zip(&hashes).collect();
        let contents = in_parallel(&messages, |(message, hash)| {
            let is_new = !opened.remembered.contains_key(*hash);
            is_new.then(|| self.content(message, hash, now))
        });
        let (mut taken, mut files, mut notes) = (Vec::new(), Vec::new(), String::new());
        for (hash, content) in hashes.iter().zip(contents) {
            if let Some((number, time)) = opened.remembered.get(hash) {
                taken.push(Ok(receipt(*number, *time, Standing::Repeated)));
                continue;
            }
            let (extension, content) = match content.expect("what is new has content") {
                Ok(content) => content,
                Err(fault) => {
                    taken.push(Err(fault));
                    continue;
                }
            };
            let note = Note {
                number: opened.last + 1,
                time: now,
                hash: *hash,
            };
            let _ = writeln!(notes, "{}", note.line());
            opened.learn(&note);
            files.push((format!("{:010}.{extension}", note.number), content));
            taken.push(Ok(receipt(note.number, now, Standing::New)));
        }
        if !files.is_empty() {
            self.name(&mut opened.received, &files, &notes)?;
        }
        Ok(taken)
    }

    /// Makes files durable, then the notes of them, then their names.
    fn name(&self, received: &mut File, files: &[(String, Bytes)], notes: &str) -> io::Result<()> {
        let written = in_parallel(files, |(name, content)| {
            write_durably(&self.path.join(part(name)), content)
        });
        written.into_iter().collect::<io::Result<()>>()?;
        received.write_all(notes.as_bytes())?;
        received.sync_data()?;
        for (name, _) in files {
            fs::rename(self.path.join(part(name)), self.path.join(name))?;
        }
        sync_folder(&self.path)
    }

    /// What the file of a message holds, and the extension of its name.
    fn content(
        &self,
        incoming: &Incoming,
        hash: &Hash,
        now: i64,
    ) -> Result<(&'static str, Bytes), Fault> {
        let Form::Converted(library) = &self.form else {
            return Ok(("hl7", incoming.raw.clone()));
        };
        // Its number is not known yet, and conversion wants one that is this message's alone.
        let seed: [u8; 8] = std::array::from_fn(|at| hash[at]);
        let message = Message {
            number: u64::from_be_bytes(seed),
            time: Instant::from_micros(now),
            charset: incoming.charset.clone(),
            control_id: incoming.control_id.clone(),
            trigger: incoming.trigger.clone(),
            sender: incoming.sender.clone(),
            reuses_control_id: false,
            is_corrected: false,
            raw: incoming.raw.clone(),
        };
        let with = With {
            library,
            channel: &self.channel,
            ids: &self.ids,
        };
        match convert(&with, &message).result {
            Ok(transaction) => Ok(("json", transaction.document.text().clone())),
            Err(refused) => Err(Fault::new(refused.condition, refused.what)),
        }
    }
}

/// What is known of a folder.
struct Opened {
    last: u64,
    received: File,
    remembered: HashMap<Hash, (u64, i64)>,
    /// The same in the order of time.
    order: VecDeque<(Hash, i64)>,
    /// Lines of the notes.
    noted: usize,
}

impl Opened {
    /// Reads a folder, and mends what a crash has left.
    fn read(path: &Path, oldest: i64) -> io::Result<Self> {
        let notes = notes(path)?;
        let noted: HashSet<u64> = notes.iter().map(|it| it.number).collect();
        let mut last = notes.last().map_or(0, |it| it.number);
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let unnamed = name.strip_prefix('.').and_then(|it| it.strip_suffix(PART));
            let number = number_in(unnamed.unwrap_or(&name));
            match (unnamed, number) {
                (Some(name), Some(number)) if noted.contains(&number) => {
                    fs::rename(entry.path(), path.join(name))?;
                }
                (Some(_), Some(_)) => fs::remove_file(entry.path())?,
                (None, Some(number)) => last = last.max(number),
                (_, None) => {}
            }
        }
        keep(path, &notes, oldest)?;
        let received = File::options().append(true).open(path.join(RECEIVED))?;
        let mut opened = Self {
            last,
            received,
            remembered: HashMap::new(),
            order: VecDeque::new(),
            noted: 0,
        };
        for note in &notes {
            opened.learn(note);
        }
        opened.last = last;
        opened.forget(oldest);
        opened.noted = opened.order.len();
        Ok(opened)
    }

    fn learn(&mut self, note: &Note) {
        self.last = note.number;
        self.remembered.insert(note.hash, (note.number, note.time));
        self.order.push_back((note.hash, note.time));
        self.noted += 1;
    }

    fn forget(&mut self, oldest: i64) {
        while let Some((hash, time)) = self.order.front()
            && (*time < oldest || self.order.len() > REMEMBERED_MAX)
        {
            // One that came again since is remembered by its later time.
            if self.remembered.get(hash).is_some_and(|it| it.1 == *time) {
                self.remembered.remove(hash);
            }
            self.order.pop_front();
        }
    }
}

/// What is noted of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    number: u64,
    time: i64,
    hash: Hash,
}

impl Note {
    fn line(&self) -> String {
        let mut line = format!("{:010} {} ", self.number, self.time);
        for byte in self.hash {
            let _ = write!(line, "{byte:02x}");
        }
        line
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let (number, time, hex) = (parts.next()?, parts.next()?, parts.next()?);
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self {
            number: number.parse().ok()?,
            time: time.parse().ok()?,
            hash,
        })
    }
}

/// All notes; one that was cut short at the end is none.
fn notes(path: &Path) -> io::Result<Vec<Note>> {
    let text = match fs::read_to_string(path.join(RECEIVED)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(number, line): (usize, &str)| {
        let damaged = || {
            let what = format!(
                "`{RECEIVED}` is damaged in line {number}: without the file, repetitions are taken again"
            );
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        Note::parse(line).ok_or_else(damaged)
    };
    (1..).zip(whole.lines()).map(parse).collect()
}

/// Writes the notes anew that are still wanted; the last one always, for its number.
fn keep(path: &Path, notes: &[Note], oldest: i64) -> io::Result<()> {
    let old = notes.partition_point(|it| it.time < oldest);
    let too_many = notes.len().saturating_sub(REMEMBERED_MAX);
    let first = old.max(too_many).min(notes.len().saturating_sub(1));
    let lines: String = notes[first..].iter().map(|it| it.line() + "\n").collect();
    let unnamed = path.join(part(RECEIVED));
    write_durably(&unnamed, lines.as_bytes())?;
    fs::rename(unnamed, path.join(RECEIVED))?;
    sync_folder(path)
}

/// What some work gives for each item, done side by side: conversions, or files that share syncs.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let share = items.len().div_ceil(THREADS_MAX).max(1);
    let work = &work;
    thread::scope(|scope| {
        let begin = |items: &'_ [T]| items.iter().map(work).collect::<Vec<R>>();
        let shares = items.chunks(share);
        let threads: Vec<_> = shares.map(|it| scope.spawn(move || begin(it))).collect();
        let done = threads.into_iter().map(thread::ScopedJoinHandle::join);
        done.flat_map(|it| it.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

fn part(name: &str) -> String {
    format!(".{name}{PART}")
}

/// The number that a file's name begins with.
fn number_in(name: &str) -> Option<u64> {
    name.split('.').next()?.parse().ok()
}

fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What makes a message the same as another: its sender, its control id and its content.
fn hash_of(message: &Incoming) -> Hash {
    let mut hash = Sha256::new();
    let (application, facility) = &message.sender;
    for part in [application, facility, &message.control_id].map(String::as_bytes) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.update(&message.raw);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path) -> io::Result<Folder> {
        let name = interactions::channel::ChannelName::parse("lab").unwrap();
        let channel = Channel::read(name, []).unwrap();
        Folder::open(path, &channel, Ids::Hash, Form::Raw)
    }

    fn message(control_id: &str) -> Incoming {
        Incoming {
            charset: "UNICODE UTF-8".to_owned(),
            control_id: control_id.to_owned(),
            trigger: "ADT_A01".to_owned(),
            sender: ("LAB".to_owned(), "NORTH".to_owned()),
            raw: Bytes::from_static(b"MSH|"),
        }
    }

    /// Number and standing of each message.
    fn take(folder: &Folder, control_ids: &[&str]) -> Vec<(u64, Standing)> {
        let group: Vec<_> = control_ids.iter().map(|it| message(it)).collect();
        let taken = folder.0.take(&group).unwrap();
        let told = taken.into_iter().map(|it| it.unwrap());
        told.map(|it| (it.number, it.standing)).collect()
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|it| !matches!(it.as_str(), RECEIVED | LOCK))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn repetitions_are_known_whether_or_not_the_files_are_there() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path();
        let opened = folder(path).unwrap();
        let taken = take(&opened, &["1", "2", "1"]);
        assert_eq!(
            taken,
            [
                (1, Standing::New),
                (2, Standing::New),
                (1, Standing::Repeated)
            ]
        );
        assert!(folder(path).is_err_and(|it| it.to_string().contains("another process")));
        drop(opened);
        fs::remove_file(path.join("0000000001.hl7")).unwrap();
        fs::remove_file(path.join("0000000002.hl7")).unwrap();
        let opened = folder(path).unwrap();
        assert_eq!(
            take(&opened, &["2", "3"]),
            [(2, Standing::Repeated), (3, Standing::New)]
        );
        assert_eq!(names(path), ["0000000003.hl7"]);
        // Without notes, what lies there still has its numbers.
        drop(opened);
        fs::remove_file(path.join(RECEIVED)).unwrap();
        assert_eq!(take(&folder(path).unwrap(), &["2"]), [(4, Standing::New)]);
    }

    #[test]
    fn what_a_crash_left_is_finished_if_it_was_noted() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path();
        take(&folder(path).unwrap(), &["1", "2"]);
        let named = |number: u64| format!("{number:010}.hl7");
        // The second was noted and not named, the third not noted.
        fs::rename(path.join(named(2)), path.join(part(&named(2)))).unwrap();
        fs::write(path.join(part(&named(3))), "MSH|").unwrap();
        fs::write(path.join(".other.part"), "").unwrap();
        let mut notes = File::options()
            .append(true)
            .open(path.join(RECEIVED))
            .unwrap();
        notes.write_all(b"0000000003 17").unwrap();
        let opened = folder(path).unwrap();
        assert_eq!(names(path), [".other.part".to_owned(), named(1), named(2)]);
        assert_eq!(
            take(&opened, &["2", "3"]),
            [(2, Standing::Repeated), (3, Standing::New)]
        );
    }

    #[test]
    fn a_failure_takes_nothing_and_the_next_try_finds_the_folder_as_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path();
        let opened = folder(path).unwrap();
        // A folder of that name cannot be written as a file.
        let in_the_way = path.join(part("0000000002.hl7"));
        fs::create_dir(&in_the_way).unwrap();
        assert!(opened.0.take(&[message("1"), message("2")]).is_err());
        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(
            take(&opened, &["2", "1"]),
            [(1, Standing::New), (2, Standing::New)]
        );
        assert_eq!(names(path).len(), 2);
    }

    #[test]
    fn old_notes_go_but_for_the_last_number() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path();
        let note = |number: u64, time: i64| {
            Note {
                number,
                time,
                hash: [7; 32],
            }
            .line()
                + "\n"
        };
        fs::write(path.join(RECEIVED), note(8, 1) + &note(9, 2)).unwrap();
        let opened = folder(path).unwrap();
        assert_eq!(fs::read_to_string(path.join(RECEIVED)).unwrap(), note(9, 2));
        assert_eq!(take(&opened, &["1"]), [(10, Standing::New)]);
        drop(opened);
        fs::write(path.join(RECEIVED), note(8, 1) + "x\n").unwrap();
        let told = folder(path).map(|_| ()).unwrap_err().to_string();
        assert!(
            told.starts_with("`.received` is damaged in line 2"),
            "{told}"
        );
    }
}
