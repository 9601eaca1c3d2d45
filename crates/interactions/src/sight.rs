//! What a caller may see, for what no plan searches: reads, histories, targets of writes.
//!
//! Visibility is that of the moment of the request: it is decided on a resource's newest version,
//! by a search in the newest view, and holds for all its versions. No store indexes a deleted
//! resource: that is decided in memory ([`search::matching`]) on the last version before the
//! deletion. If that was purged, the resource is hidden from everyone who does not see everything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use fhir::Definitions;
use fhir::json::{Document, Limits};
use search::matching::{Matching, Open, Subject};
use search::name::ByName;
use search::plan::{Filter, Part, Plan, Total};
use store::{Record, Row, TypeNumber, VersionNumber, View};

use crate::numbers::Unknown;
use crate::prepare::{Context, FoundBy, Links};
use crate::read::{is_live, record_key};
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions};

/// Rows whose visibility is decided by one search.
const ROWS_AT_ONCE: usize = 1_000;

/// Rows by their type's name and number.
type ByKind = BTreeMap<(&'static str, TypeNumber), Vec<Row>>;

/// What a caller sees at one moment, as far as it was asked for.
pub(crate) struct Sight<'s> {
    interactions: &'s Interactions,
    caller: &'s Caller,
    /// The newest one.
    view: Arc<dyn View>,
    known: HashMap<Row, bool>,
}

impl Interactions {
    /// Those of the records that the caller may see, whichever of their versions they are.
    pub(crate) async fn only_visible(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        mut records: Vec<Record>,
    ) -> Result<Vec<Record>, InteractionError> {
        if !caller.visibility.is_everything() {
            let mut sight = self.sight(caller, view);
            let rows: Vec<_> = records.iter().map(|it| (it.key.kind, it.row)).collect();
            sight.look_at(&rows).await?;
            records.retain(|it| sight.sees(it.row));
        }
        Ok(records)
    }

    /// What the caller sees in the newest view.
    pub(crate) fn sight<'s>(&'s self, caller: &'s Caller, view: &Arc<dyn View>) -> Sight<'s> {
        Sight {
            interactions: self,
            caller,
            view: Arc::clone(view),
            known: HashMap::new(),
        }
    }
}

impl Sight<'_> {
    /// Whether the caller may see the resource of a row that was looked at.
    pub(crate) fn sees(&self, row: Row) -> bool {
        self.known.get(&row).copied().unwrap_or(false)
    }

    /// Decides these rows, unless they are decided.
    pub(crate) async fn look_at(
        &mut self,
        rows: &[(TypeNumber, Row)],
    ) -> Result<(), InteractionError> {
        let mut seen = HashSet::new();
        let new = rows.iter().copied();
        let new: Vec<_> = new
            .filter(|it| !self.known.contains_key(&it.1) && seen.insert(it.1))
            .collect();
        for rows in new.chunks(ROWS_AT_ONCE) {
            self.decide(rows).await?;
        }
        Ok(())
    }

    async fn decide(&mut self, rows: &[(TypeNumber, Row)]) -> Result<(), InteractionError> {
        let names = self.interactions.type_names(&self.caller.tenant).await?;
        let definitions = Definitions::of(self.caller.version);
        let mut by_kind = ByKind::new();
        for (kind, row) in rows {
            self.known.insert(*row, false);
            let name = names.get(kind).and_then(|it| definitions.resource(it));
            if let Some(it) = name {
                by_kind.entry((it.name, *kind)).or_default().push(*row);
            }
        }
        let visibility = &self.caller.visibility;
        let visible = by_kind.iter().map(|((kind, _), rows)| {
            let filter = visibility.around(kind, Filter::Rows(rows.clone()));
            part(kind, filter)
        });
        for row in self.found(visible.collect(), rows.len()).await? {
            self.known.insert(row, true);
        }
        for rows in by_kind.values_mut() {
            rows.retain(|it| !self.sees(*it));
        }
        self.decide_deleted(by_kind).await
    }

    /// Decides those of the rows that are deleted; the live ones among them are hidden.
    async fn decide_deleted(&mut self, mut by_kind: ByKind) -> Result<(), InteractionError> {
        by_kind.retain(|_, rows| !rows.is_empty());
        let count = by_kind.values().map(Vec::len).sum();
        let live = by_kind
            .iter()
            .map(|((kind, _), rows)| part(kind, Filter::Rows(rows.clone())));
        let live: HashSet<Row> = self
            .found(live.collect(), count)
            .await?
            .into_iter()
            .collect();
        for ((kind, number), rows) in by_kind {
            let rows = rows.into_iter().filter(|it| !live.contains(it));
            let rows: Vec<_> = rows.map(|row| (number, row)).collect();
            let records = self
                .interactions
                .records(self.caller, &self.view, &rows)
                .await?;
            for record in records.into_iter().flatten().filter(|it| !is_live(it)) {
                let is_visible = self.was_visible(kind, &record).await?;
                self.known.insert(record.row, is_visible);
            }
        }
        Ok(())
    }

    /// Whether a deleted resource was visible to the caller before the deletion.
    async fn was_visible(
        &self,
        kind: &'static str,
        deletion: &Record,
    ) -> Result<bool, InteractionError> {
        let filter = self.caller.visibility.around(kind, Filter::EVERYTHING);
        match &filter {
            Filter::All(all) if all.is_empty() => return Ok(true),
            Filter::Rows(rows) => return Ok(rows.contains(&deletion.row)),
            _ => {}
        }
        let last = VersionNumber(deletion.version.0.saturating_sub(1));
        let Some(last) = self.view.read_version(&deletion.key, last).await? else {
            return Ok(false);
        };
        let found_by = self.interactions.found_by(self.caller, kind, &last)?;
        let subject = Subject {
            kind,
            id: Some(&last.key.id.0),
            row: Some(last.row),
            updated: Some(last.time.0),
            entries: &found_by.extracted.entries,
        };
        match subject.matches(&filter) {
            Matching::Decided(verdict) => Ok(verdict),
            Matching::Open(open) => self.answered(&open).await,
        }
    }

    async fn answered(&self, open: &Open) -> Result<bool, InteractionError> {
        let mut answers = Vec::with_capacity(open.questions().len());
        for question in open.questions() {
            answers.push(!self.found(question.clone(), 1).await?.is_empty());
        }
        Ok(open.decide(&answers))
    }

    async fn found(
        &self,
        parts: Vec<Part<ByName>>,
        limit: usize,
    ) -> Result<Vec<Row>, InteractionError> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let plan = Plan {
            space: space_of(self.caller.version),
            parts,
            order: Vec::new(),
            after: None,
            not_later_than: None,
            limit,
            total: Total::None,
        };
        let unknown = Unknown::LeftOut;
        let planned = self.interactions.numbered(self.caller, &plan, unknown);
        let rows = self.view.search(&planned.await?.plan).await?.rows;
        Ok(rows.into_iter().map(|it| it.1).collect())
    }
}

impl Interactions {
    /// What a stored version is found by.
    fn found_by(
        &self,
        caller: &Caller,
        kind: &str,
        record: &Record,
    ) -> Result<FoundBy, InteractionError> {
        let damaged = || InteractionError::internal("a stored resource cannot be read");
        let document = Document::parse(record.body.clone(), &Limits::DEFAULT);
        let document = document.map_err(|_| damaged())?;
        let context = Context {
            version: caller.version,
            definitions: Definitions::of(caller.version),
            bases: self.bases(caller.version),
            links: &Links::default(),
        };
        let key = record_key(kind, record).ok_or_else(damaged)?;
        context.found_by(document.root(), &key)
    }
}

fn part(kind: &'static str, filter: Filter<ByName>) -> Part<ByName> {
    Part {
        kind,
        filter,
        sort: Vec::new(),
    }
}
