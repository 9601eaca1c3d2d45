//! Batch and transaction. <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! The entries of a batch are independent: they run side by side, each with its own outcome. Those
//! of a transaction become one commit, decided against one state: what the server held before it.
//! So a conditional reference or `ifNoneExist` matches stored resources, never one that the same
//! transaction creates; the GET entries run after the commit and see what it wrote, and one that
//! finds nothing has its own outcome, since by then the transaction is done.

mod entry;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Limits, Value};
use fhir::validate::{Entries, Options, validate};
use fhir::{Definitions, Fault, Issue, Severity, VersionId};
use search::query::Handling;
use tokio::task::JoinSet;

use crate::job::{Beside, Intent, Job, Source, Task};
use crate::lenience;
use crate::operations::Input;
use crate::{
    Bundle, BundleEntry, Caller, EntryAnswer, InteractionError, Interactions, ReadOutcome,
};
use entry::{Call, Entry, Fetch};

/// Entries of one batch that run at a time.
const BATCH_PARALLEL_MAX: usize = 16;

/// A bundle's entries as they are understood, each by itself.
type Read = Vec<Result<Entry, InteractionError>>;

impl Interactions {
    /// Batch or transaction, by `Bundle.type`: the entries' answers in the order of the request.
    /// A transaction that fails fails whole, naming entries in the issues' expressions
    /// (`Bundle.entry[3].resource…`).
    pub async fn bundle(
        &self,
        caller: &Caller,
        bundle: Document,
    ) -> Result<Bundle, InteractionError> {
        self.bundle_beside(caller, bundle, Beside::default()).await
    }

    /// The same, with changes of named rows that belong to a transaction's commit.
    pub(crate) async fn bundle_beside(
        &self,
        caller: &Caller,
        bundle: Document,
        beside: Beside,
    ) -> Result<Bundle, InteractionError> {
        let (bundle, mended) = lenience::mended(caller, bundle)?;
        let root = bundle.root();
        if !root
            .get("resourceType")
            .is_some_and(|it| it.is_str("Bundle"))
        {
            let issue = Issue::error(Fault::Invalid, "the body is not a `Bundle`").at("Resource");
            return Err(issue
                .mend("send a `Bundle` of type `batch` or `transaction`")
                .into());
        }
        let is_type = |name| root.get("type").is_some_and(|it| it.is_str(name));
        let (is_batch, is_transaction) = (is_type("batch"), is_type("transaction"));
        if !is_batch && !is_transaction {
            let what = "the `Bundle` is neither a `batch` nor a `transaction`";
            let issue = Issue::error(Fault::Invalid, what).at("Bundle.type");
            return Err(issue
                .mend("send it to the URL of `Bundle` to store it as it is")
                .into());
        }
        let bundle = Arc::new(bundle);
        let read = self.read_entries(caller, &bundle).await?;
        if is_batch && !beside.named.is_empty() {
            return Err(InteractionError::internal(
                "a batch has no commit of its own",
            ));
        }
        if is_batch {
            self.batch(caller, bundle, read, &mended).await
        } else {
            self.transaction(caller, bundle, read, mended, beside).await
        }
    }

    /// Checks the bundle apart from its resources, and understands each entry's request.
    async fn read_entries(
        &self,
        caller: &Caller,
        bundle: &Arc<Document>,
    ) -> Result<Read, InteractionError> {
        let count = bundle
            .root()
            .get("entry")
            .into_iter()
            .flat_map(Value::items)
            .count();
        let max = self.settings.bundle_entries_max;
        if count > max {
            let what = format!("the bundle has more than `bundle_entries_max` ({max}) entries");
            let issue = Issue::error(Fault::TooLarge, what).at("Bundle.entry");
            return Err(issue.mend("send it in parts").into());
        }
        let (this, version, bundle) = (self.clone(), caller.version, Arc::clone(bundle));
        let reading = tokio::task::spawn_blocking(move || {
            let definitions = Definitions::of(version);
            let options = Options {
                issues_max: this.settings.issues_max,
                entries: Entries::Skipped,
            };
            let mut issues = by_entry(validate(&bundle, definitions, options))?;
            let context = entry::Context {
                definitions,
                bases: this.bases(version),
            };
            let entries = bundle
                .root()
                .get("entry")
                .into_iter()
                .flat_map(Value::items);
            let read = entries.enumerate().map(|(at, value)| {
                let issues = issues.remove(&at).unwrap_or_default();
                if let Some(issue) = context.unknown_method(at, value) {
                    return Err(issue.into());
                }
                if issues.is_empty() {
                    context.read(at, value)
                } else {
                    Err(issues.into())
                }
            });
            Ok(read.collect())
        });
        reading
            .await
            .map_err(|_| InteractionError::internal("a worker thread failed"))?
    }

    async fn transaction(
        &self,
        caller: &Caller,
        bundle: Arc<Document>,
        read: Read,
        mended: Vec<Issue>,
        beside: Beside,
    ) -> Result<Bundle, InteractionError> {
        let count = read.len();
        let mut issues = Vec::new();
        let mut writes = Vec::new();
        let mut fetches = Vec::new();
        for entry in read {
            match entry {
                Err(error) => issues.extend(error.issues),
                Ok(Entry {
                    at,
                    full_url,
                    call: Call::Write(intent),
                }) => writes.push((at, full_url, intent)),
                Ok(Entry {
                    at,
                    call: Call::Fetch(fetch),
                    ..
                }) => fetches.push((at, fetch)),
            }
        }
        if !issues.is_empty() {
            issues.truncate(self.settings.issues_max);
            return Err(issues.into());
        }
        writes.sort_by_key(|(at, _, intent)| (rank(intent), *at));
        let spans = spans(&bundle);
        let text = bundle.text().clone();
        let places: Vec<usize> = writes.iter().map(|(at, ..)| *at).collect();
        let tasks = writes.into_iter().map(|(at, full_url, intent)| Task {
            resource: has_resource(&intent).then_some(at),
            intent,
            place: entry::place(at),
            full_url,
        });
        let job = Job {
            tasks: tasks.collect(),
            source: Source::Entries(bundle),
            mended: mended.into(),
            beside,
        };
        let written = self.apply(caller, Arc::new(job)).await?;
        let mut answers: Vec<Option<BundleEntry>> = (0..count).map(|_| None).collect();
        for (at, written) in places.into_iter().zip(written) {
            answers[at] = Some(BundleEntry {
                answer: Ok(EntryAnswer::Written(written)),
            });
        }
        for (at, fetch) in fetches {
            let resource = spans[at].clone().map(|span| text.slice(span));
            let answer = self.fetch(caller, fetch, resource).await;
            let answer = answer.map_err(|error| error.within(&entry::place(at)));
            answers[at] = Some(BundleEntry { answer });
        }
        Ok(Bundle {
            kind: "transaction-response",
            entries: answers.into_iter().flatten().collect(),
        })
    }

    async fn batch(
        &self,
        caller: &Caller,
        bundle: Arc<Document>,
        read: Read,
        mended: &[Issue],
    ) -> Result<Bundle, InteractionError> {
        let mut answers: Vec<Option<BundleEntry>> = (0..read.len()).map(|_| None).collect();
        let mut running = JoinSet::new();
        let spans = spans(&bundle);
        let mut read = read.into_iter().enumerate();
        loop {
            while running.len() < BATCH_PARALLEL_MAX
                && let Some((at, entry)) = read.next()
            {
                let (this, caller) = (self.clone(), of_entry(caller, at));
                let mended = lenience::at(mended, &entry::place(at)).cloned().collect();
                let resource = spans[at].clone().map(|span| bundle.text().slice(span));
                running.spawn(async move {
                    (at, this.batch_entry(&caller, entry, resource, mended).await)
                });
            }
            let Some(done) = running.join_next().await else {
                break;
            };
            let (at, answer) =
                done.map_err(|_| InteractionError::internal("a batch entry failed"))?;
            let answer = answer.map_err(|error| error.within(&entry::place(at)));
            answers[at] = Some(BundleEntry { answer });
        }
        Ok(Bundle {
            kind: "batch-response",
            entries: answers.into_iter().flatten().collect(),
        })
    }

    async fn batch_entry(
        &self,
        caller: &Caller,
        entry: Result<Entry, InteractionError>,
        resource: Option<Bytes>,
        mended: Arc<[Issue]>,
    ) -> Result<EntryAnswer, InteractionError> {
        let Entry { at, call, .. } = entry?;
        let intent = match call {
            Call::Fetch(fetch) => return self.fetch(caller, fetch, resource).await,
            Call::Write(intent) => intent,
        };
        let resource = resource.filter(|_| has_resource(&intent));
        let document = resource.map(parsed).transpose()?;
        let task = Task {
            resource: document.as_ref().map(|_| 0),
            intent,
            place: entry::place(at),
            full_url: None,
        };
        let source = Source::Documents(document.into_iter().collect());
        let mut written = self
            .apply(
                caller,
                Arc::new(Job {
                    tasks: vec![task],
                    source,
                    mended,
                    beside: Beside::default(),
                }),
            )
            .await?;
        Ok(EntryAnswer::Written(written.remove(0)))
    }

    async fn fetch(
        &self,
        caller: &Caller,
        fetch: Fetch,
        resource: Option<Bytes>,
    ) -> Result<EntryAnswer, InteractionError> {
        match fetch {
            Fetch::Operate {
                operation,
                on,
                query,
                takes_body,
            } => {
                let body = resource.filter(|_| takes_body).map(parsed).transpose()?;
                let input = Input {
                    query,
                    body,
                    ..Input::default()
                };
                let told = self.operate(caller, operation, on, input).await;
                told.map(EntryAnswer::Told)
            }
            Fetch::Read {
                key,
                version,
                if_none_match,
            } => {
                let found = match version {
                    Some(version) => self.vread(caller, &key, &version).await?,
                    None => self.read(caller, &key).await?,
                };
                let has = |it: VersionId| {
                    let mut tags = if_none_match.iter();
                    tags.any(|tag| tag == "*" || *tag == it.to_string())
                };
                Ok(match found {
                    ReadOutcome::Found(it) if has(it.version) => EntryAnswer::NotModified(it),
                    found => EntryAnswer::Read(found),
                })
            }
            Fetch::History(query) => self.history(caller, query).await.map(EntryAnswer::Found),
            Fetch::Search(within, query) => {
                let found = self.search(caller, within, &query, Handling::Strict).await;
                found.map(EntryAnswer::Found)
            }
        }
    }
}

/// Where each entry's resource stands in the text.
fn spans(bundle: &Document) -> Vec<Option<Range<usize>>> {
    let entries = bundle.root().get("entry").into_iter();
    let entries = entries.flat_map(Value::items);
    entries.map(|it| Some(it.get("resource")?.span())).collect()
}

/// A resource of an entry, as a document of its own.
fn parsed(text: Bytes) -> Result<Document, Issue> {
    Document::parse(text, &Limits::DEFAULT)
        .map_err(|error| Issue::error(Fault::TooLarge, error.what))
}

/// The issues of the entries by number; one that concerns the bundle itself fails it.
fn by_entry(issues: Vec<Issue>) -> Result<BTreeMap<usize, Vec<Issue>>, InteractionError> {
    let mut entries: BTreeMap<usize, Vec<Issue>> = BTreeMap::new();
    let mut own = Vec::new();
    for issue in issues
        .into_iter()
        .filter(|it| matches!(it.severity, Severity::Error | Severity::Fatal))
    {
        let place = issue
            .expression
            .first()
            .and_then(|it| it.strip_prefix("Bundle.entry["));
        let number = place.and_then(|it| it.split_once(']')?.0.parse().ok());
        match number {
            Some(number) => entries.entry(number).or_default().push(issue),
            None => own.push(issue),
        }
    }
    if own.is_empty() {
        Ok(entries)
    } else {
        Err(own.into())
    }
}

/// A batch entry's own caller: each entry is a commit, so each has its own idempotency key.
fn of_entry(caller: &Caller, at: usize) -> Caller {
    let idempotency = caller.idempotency.as_ref();
    let idempotency = idempotency.map(|(key, hash)| (format!("{key}#{at}").into(), *hash));
    Caller {
        idempotency,
        ..caller.clone()
    }
}

/// The order of a transaction: DELETE, POST, PUT.
fn rank(intent: &Intent) -> u8 {
    match intent {
        Intent::Delete { .. }
        | Intent::DeleteWhere { .. }
        | Intent::Purge(_)
        | Intent::PurgeHistory(_) => 0,
        Intent::Create { .. } => 1,
        Intent::Update { .. } | Intent::UpdateWhere { .. } => 2,
    }
}

fn has_resource(intent: &Intent) -> bool {
    rank(intent) > 0
}
