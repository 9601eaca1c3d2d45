//! `isthmus load`: files of bundles and resources into a store, directly or over HTTP.
//!
//! Readers decompress and parse files into units, workers send them; both are bounded, so memory
//! stays flat. Every unit has an idempotency key made of the run, its content and its place: what
//! was stored before an interruption is not stored again. Units refused in one pass are tried
//! again after all others, as long as a pass gets any further, since files may depend on others.

pub mod http;
mod report;
pub mod source;
pub mod target;
pub mod unit;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fhir::json::{Document, Limits};
use fhir::{Definitions, FhirVersion, Issue};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc};

pub use report::{Reject, Rejects, Report};
use source::{Form, Piece, Source};
use target::{LoadRun, Loaded, Refusal, Target};
use unit::Unit;

/// What a file to load may hold.
pub const LIMITS: Limits = Limits {
    bytes_max: 1 << 30,
    values_max: 1 << 28,
    ..Limits::DEFAULT
};

/// Bytes of units that are read but not yet answered.
const IN_FLIGHT_BYTES: usize = 96 << 20;
/// Files done between two notes of progress.
const NOTE_EVERY: usize = 8;

/// How to load.
pub struct Options {
    /// Units sent at one time.
    pub workers: usize,
    /// Makes an OperationOutcome of issues found before anything is sent.
    pub render: fn(FhirVersion, &[Issue]) -> String,
}

/// How far a load is; read it while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Resources stored.
    pub resources: AtomicU64,
    /// Bytes of files that are done.
    pub bytes: AtomicU64,
}

/// Why a load ended early.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The target is gone; the load can be taken up again.
    #[error("{0}; the same command continues where this one stopped")]
    Unavailable(String),
}

/// One unit on its way.
struct Sending {
    file: usize,
    position: u64,
    unit: Result<Unit, Vec<Issue>>,
    /// Texts to send one by one should the group be refused.
    parts: Vec<(u64, Bytes)>,
}

/// What became of a unit.
struct Outcome {
    file: usize,
    position: u64,
    result: Result<Vec<Loaded>, String>,
}

/// Loads all sources; gives what was stored and what was refused.
pub async fn load(
    sources: &[Source],
    target: Arc<dyn Target>,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<Report, LoadError> {
    let fingerprint = fingerprint(sources, target.way());
    let run = target.begin(&fingerprint).await.map_err(unavailable)?;
    let mut load = Load {
        sources,
        target,
        options,
        progress,
        report: Report::default(),
        run,
    };
    load.report.files_done_before = load.run.done.len();
    let mut pending: Vec<usize> = (0..sources.len())
        .filter(|file| !load.run.done.contains(file))
        .collect();
    let mut again = Again::All;
    loop {
        let rejects = load.pass(&pending, &again).await?;
        if rejects.is_empty() || !again.is_more_than(&rejects) {
            load.report.rejects = rejects;
            break;
        }
        pending = rejects.iter().map(|reject| reject.file).collect();
        pending.dedup();
        again = Again::These(Arc::new(
            rejects
                .iter()
                .map(|reject| (reject.file, reject.position))
                .collect(),
        ));
    }
    load.target.finish(&load.run).await.map_err(unavailable)?;
    Ok(load.report)
}

/// Which units a pass sends: all, or those that were refused before.
#[derive(Clone)]
enum Again {
    All,
    These(Arc<BTreeSet<(usize, u64)>>),
}

impl Again {
    fn has(&self, file: usize, position: u64) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&(file, position)),
        }
    }

    /// Whether the pass got further.
    fn is_more_than(&self, rejects: &Rejects) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.len() > rejects.len(),
        }
    }
}

struct Load<'l> {
    sources: &'l [Source],
    target: Arc<dyn Target>,
    options: &'l Options,
    progress: &'l Arc<Progress>,
    report: Report,
    run: LoadRun,
}

impl Load<'_> {
    /// Loads these files, rank by rank; gives what was refused.
    async fn pass(&mut self, files: &[usize], again: &Again) -> Result<Rejects, LoadError> {
        let mut rejects = Vec::new();
        let mut rest = files;
        while let Some(first) = rest.first() {
            let rank = self.sources[*first].rank;
            let end = rest
                .iter()
                .position(|file| self.sources[*file].rank != rank);
            let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
            self.rank(now, again, &mut rejects).await?;
            rest = later;
        }
        rejects.sort_by_key(|reject| (reject.file, reject.position));
        Ok(rejects)
    }

    async fn rank(
        &mut self,
        files: &[usize],
        again: &Again,
        rejects: &mut Rejects,
    ) -> Result<(), LoadError> {
        let (outcomes_in, mut outcomes) = mpsc::channel(self.options.workers * 4);
        let readers = self.start(files, again.clone(), outcomes_in);
        let mut noted = self.run.done.len();
        while let Some(event) = outcomes.recv().await {
            match event {
                Event::Sent(outcome) => self.take(outcome, rejects),
                Event::FileDone(file, clean) => {
                    self.progress
                        .bytes
                        .fetch_add(self.sources[file].bytes, Ordering::Relaxed);
                    if clean {
                        self.run.done.push(file);
                    }
                    if self.run.done.len() >= noted + NOTE_EVERY {
                        noted = self.run.done.len();
                        self.target.note(&self.run).await.map_err(unavailable)?;
                    }
                }
                Event::Failed(error) => return Err(error),
            }
        }
        readers
            .await
            .map_err(|error| LoadError::Unavailable(error.to_string()))
    }

    /// Starts a reader and the workers; all of them end when the files do.
    fn start(
        &self,
        files: &[usize],
        again: Again,
        events: mpsc::Sender<Event>,
    ) -> tokio::task::JoinHandle<()> {
        let files: Vec<_> = files
            .iter()
            .map(|file| (*file, self.sources[*file].clone()))
            .collect();
        let sender = Sender {
            target: Arc::clone(&self.target),
            run: self.run.id.clone(),
            render: self.options.render,
        };
        let workers = self.options.workers;
        tokio::spawn(feed(files, again, Arc::new(sender), workers, events))
    }

    fn take(&mut self, outcome: Outcome, rejects: &mut Rejects) {
        let reject = |outcome_json: String| Reject {
            file: outcome.file,
            source: self.sources[outcome.file].path.clone(),
            position: outcome.position,
            outcome: outcome_json,
        };
        match outcome.result {
            Err(refused) => rejects.push(reject(refused)),
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        Loaded::Stored {
                            resource_type,
                            effect,
                        } => {
                            self.progress.resources.fetch_add(1, Ordering::Relaxed);
                            self.report.count(resource_type, effect);
                        }
                        Loaded::Done => {}
                        Loaded::Refused(refused) => self.report.refuse_entry(reject(refused)),
                    }
                }
            }
        }
    }
}

enum Event {
    Sent(Outcome),
    FileDone(usize, bool),
    Failed(LoadError),
}

/// Reads the files one after the other and sends their units, several at a time.
async fn feed(
    files: Vec<(usize, Source)>,
    again: Again,
    sender: Arc<Sender>,
    workers: usize,
    events: mpsc::Sender<Event>,
) {
    let slots = Arc::new(Semaphore::new(workers));
    let memory = Arc::new(Semaphore::new(IN_FLIGHT_BYTES));
    for (file, source) in files {
        let (units_in, mut units) = mpsc::channel::<io::Result<Sending>>(2);
        let version = sender.target.version();
        let only = again.clone();
        let reader =
            tokio::task::spawn_blocking(move || read(file, &source, version, &only, &units_in));
        let in_file = Arc::new(FileDone::new(file, events.clone()));
        while let Some(sending) = units.recv().await {
            let sending = match sending {
                Ok(sending) => sending,
                Err(error) => {
                    let _ = events.send(Event::Failed(error.into())).await;
                    return;
                }
            };
            let bytes = sending.unit.as_ref().map_or(0, |unit| unit.text.len());
            let weight = u32::try_from(bytes.clamp(1, IN_FLIGHT_BYTES)).unwrap_or(u32::MAX);
            let held = Arc::clone(&memory).acquire_many_owned(weight).await;
            let slot = Arc::clone(&slots).acquire_owned().await;
            let (sender, events, in_file) =
                (Arc::clone(&sender), events.clone(), Arc::clone(&in_file));
            tokio::spawn(async move {
                let event = match sender.send(sending).await {
                    Ok(outcome) => {
                        in_file.note(outcome.result.is_ok());
                        Event::Sent(outcome)
                    }
                    Err(error) => {
                        in_file.note(false);
                        Event::Failed(error)
                    }
                };
                let _ = events.send(event).await;
                drop((held, slot, in_file));
            });
        }
        if reader.await.is_err() {
            let what = "reading a file failed unexpectedly".to_owned();
            let _ = events
                .send(Event::Failed(LoadError::Unavailable(what)))
                .await;
        }
    }
}

/// Reports a file as done when its last unit is.
struct FileDone {
    file: usize,
    clean: std::sync::atomic::AtomicBool,
    events: mpsc::Sender<Event>,
}

impl FileDone {
    fn new(file: usize, events: mpsc::Sender<Event>) -> Self {
        Self {
            file,
            clean: true.into(),
            events,
        }
    }

    fn note(&self, clean: bool) {
        self.clean.fetch_and(clean, Ordering::Relaxed);
    }
}

impl Drop for FileDone {
    fn drop(&mut self) {
        let event = Event::FileDone(self.file, self.clean.load(Ordering::Relaxed));
        let events = self.events.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = events.send(event).await;
            });
        }
    }
}

/// Reads a file into units; ends when nobody takes them any more.
fn read(
    file: usize,
    source: &Source,
    version: FhirVersion,
    only: &Again,
    units: &mpsc::Sender<io::Result<Sending>>,
) {
    let pieces = match source.pieces() {
        Ok(pieces) => pieces,
        Err(error) => return drop(units.blocking_send(Err(error))),
    };
    let wanted = |piece: &io::Result<Piece>| {
        piece
            .as_ref()
            .map_or(true, |piece| only.has(file, piece.position))
    };
    for piece in pieces.filter(wanted) {
        let sending = piece.map(|piece| prepare(file, source.form, version, piece));
        if units.blocking_send(sending).is_err() {
            return;
        }
    }
}

fn prepare(file: usize, form: Form, version: FhirVersion, piece: Piece) -> Sending {
    let documents: Result<Vec<_>, _> = piece
        .texts
        .iter()
        .map(|(_, text)| parse(form, version, text.clone()))
        .collect();
    let unit = documents.and_then(|documents| match documents.as_slice() {
        [only] => unit::from_document(only),
        several => unit::from_resources(several.iter().map(Document::root)),
    });
    let parts = if piece.texts.len() > 1 {
        piece.texts
    } else {
        Vec::new()
    };
    Sending {
        file,
        position: piece.position,
        unit,
        parts,
    }
}

/// The document that a text of a file holds.
pub fn parse(form: Form, version: FhirVersion, text: Bytes) -> Result<Document, Vec<Issue>> {
    let text = match form {
        Form::Json | Form::Ndjson => text,
        Form::Xml => fhir::xml::read(&text, Definitions::of(version), &LIMITS)
            .map_err(|faults| faults.iter().map(Issue::from).collect::<Vec<_>>())?
            .into(),
    };
    Document::parse(text, &LIMITS).map_err(|error| vec![Issue::from(&error)])
}

struct Sender {
    target: Arc<dyn Target>,
    run: String,
    render: fn(FhirVersion, &[Issue]) -> String,
}

impl Sender {
    async fn send(&self, sending: Sending) -> Result<Outcome, LoadError> {
        let Sending {
            file,
            position,
            unit,
            parts,
        } = sending;
        let version = self.target.version();
        let result = match unit {
            Ok(unit) => self.send_unit(unit, file, position).await?,
            Err(issues) => Err((self.render)(version, &issues)),
        };
        if result.is_ok() || parts.is_empty() {
            return Ok(Outcome {
                file,
                position,
                result,
            });
        }
        self.send_parts(&parts, file, position).await
    }

    async fn send_unit(
        &self,
        unit: Unit,
        file: usize,
        position: u64,
    ) -> Result<Result<Vec<Loaded>, String>, LoadError> {
        let hash = hex(&Sha256::digest(&unit.text)[..16]);
        let key = format!("{}-{hash}-{file}-{position}", self.run);
        match self.target.send(unit.text, &key).await {
            Ok(entries) => Ok(Ok(entries)),
            Err(Refusal::Refused(outcome)) => Ok(Err(outcome)),
            Err(Refusal::Unavailable(what)) => Err(LoadError::Unavailable(what)),
        }
    }

    /// Sends the lines of a refused group one by one: only the faulty ones are refused.
    async fn send_parts(
        &self,
        parts: &[(u64, Bytes)],
        file: usize,
        position: u64,
    ) -> Result<Outcome, LoadError> {
        let mut entries = Vec::new();
        for (line, part) in parts {
            let parsed = parse(Form::Ndjson, self.target.version(), part.clone());
            let result = match parsed.and_then(|document| unit::from_document(&document)) {
                Ok(unit) => self.send_unit(unit, file, *line).await?,
                Err(issues) => Err((self.render)(self.target.version(), &issues)),
            };
            match result {
                Ok(loaded) => entries.extend(loaded),
                Err(outcome) => entries.push(Loaded::Refused(outcome)),
            }
        }
        Ok(Outcome {
            file,
            position,
            result: Ok(entries),
        })
    }
}

/// Names a load by its files and the way they go.
fn fingerprint(sources: &[Source], way: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(way);
    for source in sources {
        hash.update(source.path.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(source.bytes.to_le_bytes());
    }
    hex(&hash.finalize()[..16])
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unavailable(refusal: Refusal) -> LoadError {
    match refusal {
        Refusal::Refused(outcome) => {
            LoadError::Unavailable(format!("the run was refused: {outcome}"))
        }
        Refusal::Unavailable(what) => LoadError::Unavailable(what),
    }
}
