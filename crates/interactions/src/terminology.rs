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
    Answer, Cache, Cached, Canonical, CodeSet, Content, Key, Limits, Source, SourceKind, Stamp,
    Stored, Terminology, TerminologyError,
};
use fhir::{Fault, FhirVersion, Issue};
use search::text::append_pair;
use store::{NameKind, Position, Record, TenantId, TypeNumber, View};

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
            }),
        }
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
        if let Some(kept) = self.kept_codes(&asking, &key).await? {
            return Ok(kept);
        }
        let (set, sources) = self.evaluated(&asking, &key).await?;
        let set = Arc::new(set);
        let mut kept = self.definitions.kept();
        if kept.generation == asking.generation {
            let cached = Cached::Members(Arc::clone(&set));
            kept.cache.put(&asking.scope, key.clone(), cached, sources);
            if let Some(mark) = asking.mark() {
                kept.cache.note(&asking.scope, &key, mark);
            }
        }
        Ok(set)
    }

    /// How many definitions and answers are kept, and in how many bytes.
    pub fn terminology_kept(&self) -> (usize, usize) {
        let kept = self.definitions.kept();
        (kept.cache.len(), kept.cache.bytes())
    }

    /// The tenant's current definition of that URL.
    pub(crate) async fn stored_definition(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        source: &Source,
    ) -> Result<Option<Stored>, InteractionError> {
        let asking = self.asking(caller, view);
        Ok(self.definition(&asking, source).await?.map(|it| it.0))
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
            let record = self.definition_record(asking, &source).await?;
            stamps.insert(source, record.as_ref().map(stamp));
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
                Answer::Lacking(sources) => {
                    for source in sources {
                        let found = self.definition(asking, &source).await?;
                        let stamp = found.as_ref().map(|it| it.1.clone());
                        stamps.insert(source.clone(), (source.clone(), stamp));
                        match found {
                            Some((stored, _)) => content.give(source, stored),
                            None => content.note_absent(source),
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
            .definition_record(asking, &by_id)
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
        Ok((given, by_id, stored, stamp(&record)))
    }

    /// The current definition, read once for each version of its resource.
    async fn definition(
        &self,
        asking: &Asking<'_>,
        source: &Source,
    ) -> Result<Option<(Stored, Stamp)>, InteractionError> {
        let Some(record) = self.definition_record(asking, source).await? else {
            return Ok(None);
        };
        let stamp = stamp(&record);
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
        let stored = read(source.kind, record).await?;
        let mut kept = self.definitions.kept();
        if kept.generation == asking.generation {
            let sources = vec![(source.clone(), Some(stamp.clone()))];
            let cached = Cached::Definition(stored.clone());
            kept.cache.put(&asking.scope, key, cached, sources);
        }
        Ok(Some((stored, stamp)))
    }

    /// The resource that is the tenant's current definition: of those with its URL the one written
    /// last.
    async fn definition_record(
        &self,
        asking: &Asking<'_>,
        source: &Source,
    ) -> Result<Option<Record>, InteractionError> {
        let (caller, view) = (asking.caller, asking.view);
        if let Some(id) = source.canonical.url.strip_prefix(BY_ID) {
            return match resource_key("ValueSet", id) {
                Some(key) => self.visible_record(caller, view, &key).await,
                None => Ok(None),
            };
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
        let records = self.records_where(caller, view, kind, &text).await?;
        Ok(records.into_iter().max_by_key(|it| it.position))
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
fn stamp(record: &Record) -> Stamp {
    let (position, time, version) = (record.position.0, record.time.0, record.version.0);
    Stamp(format!("{position}/{time}/{version}").into())
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
