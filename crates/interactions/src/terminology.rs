//! Questions about codes, answered from the standard's definitions and the tenant's; what was found
//! is kept.
//!
//! An answer holds while every definition that it came from is the one that it came from, and every
//! one that was absent still is. Who sees everything need not look at them as long as the ledger
//! has no later change of a ValueSet or CodeSystem; whoever sees a part always looks.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fhir::terminology::{
    Answer, Cache, Cached, Canonical, CodeSet, Content, Key, Lack, Limits, Source, SourceKind,
    Stamp, Stored, Terminology, TerminologyError,
};
use fhir::{Fault, FhirVersion, Issue};
use search::text::append_pair;
use store::{NameKind, Outline, Position, Record, TenantId, TypeNumber, View};

use crate::needs::{escaped, parsed, resource_key};
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions};

/// Rounds in which definitions are looked up for one answer.
const ROUNDS_MAX: usize = 64;

/// Ledger entries that are gone through to learn whether a definition has changed; where there are
/// more, one counts as changed.
const LEDGER_ENTRIES_MAX: u64 = 20_000;

/// Ledger entries that are read at a time.
const LEDGER_PAGE: usize = 1_000;

/// Larger definitions are read where they hold up nobody else.
const INLINE_BYTES_MAX: usize = 256 << 10;

/// What a ValueSet is called that is asked for by its id instead of its URL.
const BY_ID: &str = "ValueSet/";

/// What is kept of all tenants.
pub(crate) struct Definitions {
    kept: Mutex<Kept>,
}

struct Kept {
    cache: Cache,
    watches: HashMap<(TenantId, FhirVersion), Watch>,
    /// Counts deleted tenants: what was found before one was deleted is not kept after it.
    generation: u64,
    hits: u64,
    misses: u64,
    read_bytes: u64,
}

/// What questions about codes have used since the start, of all tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminologyUse {
    /// Definitions and answers that are kept.
    pub entries: usize,
    /// Bytes that they take, about; at most `fhir.terminology_cache_bytes`.
    pub bytes: usize,
    /// Questions of searches whose answer was kept.
    pub hits: u64,
    /// Those whose answer had to be found.
    pub misses: u64,
    /// Bytes read of tables of large code systems.
    pub table_read_bytes: u64,
}

/// How far a tenant's ledger was looked at.
#[derive(Clone, Copy)]
struct Watch {
    /// Up to here.
    seen: Position,
    /// No definition changed after here.
    changed: Position,
}

impl Definitions {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            kept: Mutex::new(Kept {
                cache: Cache::new(bytes_max),
                watches: HashMap::new(),
                generation: 0,
                hits: 0,
                misses: 0,
                read_bytes: 0,
            }),
        }
    }

    /// Counts what was read of a table.
    pub(crate) fn note_read(&self, bytes: usize) {
        self.kept().read_bytes += bytes as u64;
    }

    /// Forgets a tenant: its name may be given to another.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        let mut kept = self.kept();
        kept.generation += 1;
        kept.watches.retain(|(it, _), _| it != tenant);
        for version in FhirVersion::ALL {
            kept.cache.forget(&scope(tenant, version));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn scope(tenant: &TenantId, version: FhirVersion) -> String {
    format!("{tenant}/{}", version.slug())
}

/// Who asks, and in what.
struct Asking<'a> {
    caller: &'a Caller,
    view: &'a Arc<dyn View>,
    scope: String,
    generation: u64,
}

impl Asking<'_> {
    /// The mark of what was found in this view, if it goes for others, too.
    fn mark(&self) -> Option<u64> {
        let sees_all = self.caller.visibility.is_everything();
        sees_all.then(|| self.view.position().0)
    }
}

/// Definitions with what tells their versions apart; `None` for what is not stored.
type Sources = Vec<(Source, Option<Stamp>)>;

impl Interactions {
    /// The codes that a key stands for.
    pub(crate) async fn codes(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        key: Key,
    ) -> Result<Arc<CodeSet>, InteractionError> {
        let asking = self.asking(caller, view);
        if let Some(set) = self.kept_codes(&asking, &key).await? {
            self.definitions.kept().hits += 1;
            return Ok(set);
        }
        let (set, sources) = self.evaluated(&asking, &key).await?;
        let set = Arc::new(set);
        let mut kept = self.definitions.kept();
        kept.misses += 1;
        if kept.generation == asking.generation {
            let cached = Cached::Members(Arc::clone(&set));
            kept.cache.put(&asking.scope, key.clone(), cached, sources);
            if let Some(mark) = asking.mark() {
                kept.cache.note(&asking.scope, &key, mark);
            }
        }
        Ok(set)
    }

    /// What questions about codes have used.
    pub fn terminology_use(&self) -> TerminologyUse {
        let kept = self.definitions.kept();
        TerminologyUse {
            entries: kept.cache.len(),
            bytes: kept.cache.bytes(),
            hits: kept.hits,
            misses: kept.misses,
            table_read_bytes: kept.read_bytes,
        }
    }

    /// Looks up what an evaluation lacked.
    pub(crate) async fn give_lacking(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        lack: Lack,
        content: &mut Content,
    ) -> Result<(), InteractionError> {
        let asking = self.asking(caller, view);
        self.give(&asking, lack, content).await?;
        Ok(())
    }

    /// The same; a definition with its stamp, if it is stored.
    async fn give(
        &self,
        asking: &Asking<'_>,
        lack: Lack,
        content: &mut Content,
    ) -> Result<Option<(Source, Option<Stamp>)>, InteractionError> {
        match lack {
            Lack::Selection(selection) => {
                let tenant = &asking.caller.tenant;
                self.make_selection(tenant, content, selection).await?;
                Ok(None)
            }
            Lack::Definition(source) => {
                let found = self.definition(asking, &source).await?;
                let stamp = found.as_ref().map(|it| it.1.clone());
                match found {
                    Some((stored, _)) => content.give(source.clone(), stored),
                    None => content.note_absent(source.clone()),
                }
                Ok(Some((source, stamp)))
            }
        }
    }

    fn asking<'a>(&self, caller: &'a Caller, view: &'a Arc<dyn View>) -> Asking<'a> {
        Asking {
            caller,
            view,
            scope: scope(&caller.tenant, caller.version),
            generation: self.definitions.kept().generation,
        }
    }

    /// What is kept under a key, if it still holds.
    async fn kept_codes(
        &self,
        asking: &Asking<'_>,
        key: &Key,
    ) -> Result<Option<Arc<CodeSet>>, InteractionError> {
        let scope = &asking.scope;
        if let Some(now) = asking.mark() {
            let changed = self.definitions_changed(asking).await?.0;
            let still = |mark: u64| changed <= mark.min(now);
            let mut kept = self.definitions.kept();
            if let Some(Cached::Members(set)) = kept.cache.recent(scope, key, still) {
                return Ok(Some(set));
            }
        }
        let sources = self.definitions.kept().cache.sources(scope, key);
        let Some(sources) = sources else {
            return Ok(None);
        };
        let mut stamps = BTreeMap::new();
        for source in sources {
            let outline = self.definition_outline(asking, &source).await?;
            stamps.insert(source, outline.as_ref().map(stamp));
        }
        let mut kept = self.definitions.kept();
        let current = |it: &Source| Ok::<_, Infallible>(stamps.get(it).cloned().flatten());
        let Ok(found) = kept.cache.get(scope, key, current);
        let Some(Cached::Members(set)) = found else {
            return Ok(None);
        };
        if let Some(mark) = asking
            .mark()
            .filter(|_| kept.generation == asking.generation)
        {
            kept.cache.note(scope, key, mark);
        }
        Ok(Some(set))
    }

    /// A position after which, as far as the view shows, no definition has changed.
    async fn definitions_changed(&self, asking: &Asking<'_>) -> Result<Position, InteractionError> {
        let (caller, now) = (asking.caller, asking.view.position());
        let place = (caller.tenant.clone(), caller.version);
        let watch = self.definitions.kept().watches.get(&place).copied();
        let watch = match watch {
            Some(watch) if now <= watch.seen => return Ok(watch.changed),
            Some(watch) if now.0 - watch.seen.0 <= LEDGER_ENTRIES_MAX => Watch {
                seen: now,
                changed: self.newest_change(asking, watch).await?,
            },
            _ => Watch {
                seen: now,
                changed: now,
            },
        };
        let mut kept = self.definitions.kept();
        if kept.generation == asking.generation {
            let known = kept.watches.entry(place).or_insert(watch);
            if known.seen < watch.seen {
                *known = watch;
            }
        }
        Ok(watch.changed)
    }

    async fn newest_change(
        &self,
        asking: &Asking<'_>,
        watch: Watch,
    ) -> Result<Position, InteractionError> {
        let (tenant, space) = (&asking.caller.tenant, space_of(asking.caller.version));
        let names = ["CodeSystem", "ValueSet"];
        let kinds = self
            .store
            .known_numbers(tenant, NameKind::Type, &names)
            .await?;
        let kinds: Vec<_> = kinds.into_iter().flatten().map(TypeNumber).collect();
        let (mut at, mut changed) = (watch.seen, watch.changed);
        loop {
            let page = asking.view.ledger(at, None, LEDGER_PAGE).await?;
            let Some(last) = page.last().map(|it| it.position) else {
                return Ok(changed);
            };
            let is_definition =
                |it: &&store::LedgerEntry| it.space == space && kinds.contains(&it.kind);
            let newest = page.iter().rev().find(is_definition);
            changed = newest.map_or(changed, |it| it.position);
            at = last;
        }
    }

    /// Asks until nothing is lacking.
    async fn evaluated(
        &self,
        asking: &Asking<'_>,
        key: &Key,
    ) -> Result<(CodeSet, Sources), InteractionError> {
        let mut content = Content::unknown();
        let mut stamps: BTreeMap<Source, (Source, Option<Stamp>)> = BTreeMap::new();
        let question = match key {
            Key::Members(canonical) if canonical.url.starts_with(BY_ID) => {
                let (given, by_id, stored, stamp) = self.by_id(asking, canonical).await?;
                let question = Key::Members(given.canonical.clone());
                content.give(given.clone(), stored);
                stamps.insert(given, (by_id, Some(stamp)));
                question
            }
            key => key.clone(),
        };
        for _ in 0..ROUNDS_MAX {
            let terminology = Terminology::new(asking.caller.version, &content, Limits::DEFAULT);
            match asked(terminology, &question).map_err(|error| Issue::from(&error))? {
                Answer::Known { value, sources } => {
                    let sources = sources.into_iter();
                    let known = |it| stamps.get(&it).cloned().unwrap_or((it, None));
                    return Ok((value, sources.map(known).collect()));
                }
                Answer::Lacking(lacking) => {
                    for lack in lacking {
                        let found = self.give(asking, lack, &mut content).await?;
                        if let Some((source, stamp)) = found {
                            stamps.insert(source.clone(), (source, stamp));
                        }
                    }
                }
            }
        }
        let what = "the value set needs too many definitions, one after the other";
        Err(Issue::error(Fault::TooLarge, what).into())
    }

    /// The value set that is asked for by its id: the source that it is given as, and as which it is
    /// looked up.
    async fn by_id(
        &self,
        asking: &Asking<'_>,
        canonical: &Canonical,
    ) -> Result<(Source, Source, Stored, Stamp), InteractionError> {
        let by_id = Source {
            kind: SourceKind::ValueSet,
            canonical: canonical.clone(),
        };
        let record = self
            .record_by_id(asking, &canonical.url)
            .await?
            .ok_or_else(|| {
                let what = "there is no `ValueSet` of the id that the query names";
                Issue::error(Fault::Invalid, what)
            })?;
        let document = parsed(record.body.clone())?;
        let url = document
            .root()
            .get("url")
            .and_then(fhir::json::Value::as_str);
        let url = url.map_or_else(|| canonical.url.clone(), Into::into);
        let stored = Stored::read(SourceKind::ValueSet, &document);
        let given = Source {
            kind: SourceKind::ValueSet,
            canonical: Canonical::new(&url, None),
        };
        let stored = stored.map_err(|error| Issue::from(&error))?;
        Ok((given, by_id, stored, stamp(&outline_of(record))))
    }

    /// The current definition, read once for each version of its resource.
    async fn definition(
        &self,
        asking: &Asking<'_>,
        source: &Source,
    ) -> Result<Option<(Stored, Stamp)>, InteractionError> {
        let Some(outline) = self.definition_outline(asking, source).await? else {
            return Ok(None);
        };
        let stamp = stamp(&outline);
        let key = Key::Definition(source.clone());
        let current = |_: &Source| Ok::<_, Infallible>(Some(stamp.clone()));
        let Ok(kept) = self
            .definitions
            .kept()
            .cache
            .get(&asking.scope, &key, current);
        if let Some(Cached::Definition(stored)) = kept {
            return Ok(Some((stored, stamp)));
        }
        let stored = self.stored(asking, source.kind, &outline).await?;
        let mut kept = self.definitions.kept();
        if kept.generation == asking.generation {
            let sources = vec![(source.clone(), Some(stamp.clone()))];
            let cached = Cached::Definition(stored.clone());
            kept.cache.put(&asking.scope, key, cached, sources);
        }
        Ok(Some((stored, stamp)))
    }

    /// A definition as it is asked: of a large code system the head of its table, of all else the
    /// content.
    async fn stored(
        &self,
        asking: &Asking<'_>,
        kind: SourceKind,
        outline: &Outline,
    ) -> Result<Stored, InteractionError> {
        if let (SourceKind::CodeSystem, Some(blob)) = (kind, outline.blobs.first()) {
            let table = self.code_table(&asking.caller.tenant, blob).await?;
            return Ok(Stored::CodeTable(Arc::new(table)));
        }
        let row = [(outline.key.kind, outline.row)];
        let records = self.records(asking.caller, asking.view, &row).await?;
        let record = records.into_iter().flatten().next();
        let gone = || InteractionError::internal("a definition is there without its content");
        read(kind, record.ok_or_else(gone)?).await
    }

    /// The resource that is the tenant's current definition: of those with its URL the one written
    /// last.
    async fn definition_outline(
        &self,
        asking: &Asking<'_>,
        source: &Source,
    ) -> Result<Option<Outline>, InteractionError> {
        let (caller, view) = (asking.caller, asking.view);
        if source.canonical.url.starts_with(BY_ID) {
            let record = self.record_by_id(asking, &source.canonical.url).await?;
            return Ok(record.map(outline_of));
        }
        let kind = match source.kind {
            SourceKind::ValueSet => "ValueSet",
            SourceKind::CodeSystem => "CodeSystem",
        };
        let mut text = String::new();
        append_pair(&mut text, "url", &escaped(&source.canonical.url));
        if let Some(version) = &source.canonical.version {
            append_pair(&mut text, "version", &escaped(version));
        }
        let outlines = self.outlines_where(caller, view, kind, &text).await?;
        Ok(outlines.into_iter().max_by_key(|it| it.position))
    }

    /// The value set of `ValueSet/id`.
    async fn record_by_id(
        &self,
        asking: &Asking<'_>,
        name: &str,
    ) -> Result<Option<Record>, InteractionError> {
        let id = name.strip_prefix(BY_ID).unwrap_or_default();
        match resource_key("ValueSet", id) {
            Some(key) => self.visible_record(asking.caller, asking.view, &key).await,
            None => Ok(None),
        }
    }
}

fn asked(terminology: Terminology<'_>, key: &Key) -> Result<Answer<CodeSet>, TerminologyError> {
    match key {
        Key::Members(canonical) | Key::Definition(Source { canonical, .. }) => {
            terminology.members(&canonical.to_string())
        }
        Key::Below(system, code) => terminology.below(system, code),
        Key::Above(system, code) => terminology.above(system, code),
    }
}

/// What tells a version of a resource from all others, also from those of a tenant of the same name.
fn stamp(outline: &Outline) -> Stamp {
    let (position, time, version) = (outline.position.0, outline.time.0, outline.version.0);
    Stamp(format!("{position}/{time}/{version}").into())
}

fn outline_of(record: Record) -> Outline {
    Outline {
        key: record.key,
        row: record.row,
        version: record.version,
        position: record.position,
        time: record.time,
        operation: record.operation,
        blobs: Vec::new(),
    }
}

async fn read(kind: SourceKind, record: Record) -> Result<Stored, InteractionError> {
    let is_small = record.body.len() <= INLINE_BYTES_MAX;
    let read = move || {
        let document = parsed(record.body)?;
        let stored = Stored::read(kind, &document);
        Ok(stored.map_err(|error| Issue::from(&error))?)
    };
    if is_small {
        return read();
    }
    let done = tokio::task::spawn_blocking(read).await;
    done.map_err(|_| InteractionError::internal("reading a definition panicked"))?
}
