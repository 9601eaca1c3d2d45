//! History of a resource, a type or everything. <https://hl7.org/fhir/R4/http.html#history>

use std::sync::Arc;

use fhir::primitive::temporal::{Temporal, days_in_month};
use fhir::suggest::nearest;
use fhir::{Definitions, Fault, FhirVersion, Instant, Issue};
use search::compile::Names;
use search::query::{PAGE, Summary};
use search::text::{append_pair, pairs};
use store::{
    After, At, HistoryOf, HistoryOrder, HistoryPage, Operation, Position, Record, Row, View,
};

use crate::numbers::Unknown;
use crate::page::{Cursor, Page};
use crate::read::{not_found, outcome, record_key};
use crate::sight::Sight;
use crate::space::space_of;
use crate::{
    Caller, HistoryQuery, HistoryScope, InteractionError, Interactions, Matched, ReadOutcome,
    SearchAnswer, SearchMode,
};

/// Versions that are looked through at a time for those that may be seen.
const VERSIONS_AT_ONCE: usize = 100;

/// Versions that are counted at a time.
const COUNTED_AT_ONCE: usize = 10_000;

impl Interactions {
    /// History of a resource, a type or everything. Every page shows the state of the first one.
    pub async fn history(
        &self,
        caller: &Caller,
        query: HistoryQuery,
    ) -> Result<SearchAnswer, InteractionError> {
        let scope = scope_text(&query.of);
        let page = self.page(caller, &scope, &query.query).await?;
        let parameters = Parameters::parse(caller.version, &page.query)?;
        let at = page
            .cursor
            .as_ref()
            .map_or(At::Newest, |it| At::Position(Position(it.snapshot)));
        let view = self.store.view(&caller.tenant, at).await?;
        let limit = parameters
            .count
            .unwrap_or(self.settings.page_size)
            .min(self.settings.page_size_max);
        let order = parameters.order.unwrap_or(query.order);
        let wanted = HistoryPage {
            order,
            after: page.cursor.as_ref().map(|it| Position(it.after.row.0)),
            since: parameters.since.map(|it| store::Instant(it.micros())),
            before: parameters.before.map(|it| store::Instant(it.micros())),
            current_from: parameters
                .current_from
                .map(|it| store::Instant(it.micros())),
            limit: limit + 1,
        };
        let (records, total) = self
            .versions(caller, &view, &query.of, &page, wanted)
            .await?;
        let next = match records.get(limit.wrapping_sub(1)) {
            Some(last) if records.len() > limit => {
                let (snapshot, after) = (view.position().0, last.position.0);
                let query = page.query.clone();
                let cursor = Cursor {
                    snapshot,
                    after: After {
                        keys: Vec::new(),
                        row: Row(after),
                    },
                    shown: 0,
                    total: Some(total),
                    query,
                };
                Some(self.next_link(caller, &scope, &page, &cursor).await?)
            }
            _ => None,
        };
        Ok(SearchAnswer {
            kind: "history",
            total: Some(total),
            entries: self.shown(caller, records.into_iter().take(limit)).await?,
            self_query: page.own_link(&query.query, &parameters.understood),
            next_query: next,
            changes: None,
            issues: Vec::new(),
            summary: parameters.summary,
        })
    }

    async fn versions(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        scope: &HistoryScope,
        page: &Page,
        wanted: HistoryPage,
    ) -> Result<(Vec<Record>, u64), InteractionError> {
        let Some(of) = self.history_of(caller, view, scope).await? else {
            return Ok((Vec::new(), 0));
        };
        // A resource is seen with all its versions or not at all, which has been decided.
        let is_mixed = !matches!(of, HistoryOf::Record(_));
        if is_mixed && !caller.visibility.is_everything() {
            return self.visible_versions(caller, view, &of, page, wanted).await;
        }
        let total = match page.cursor.as_ref().and_then(|it| it.total) {
            Some(total) => total,
            None => view.history_total(&of, &wanted).await?,
        };
        Ok((view.history(&of, &wanted).await?, total))
    }

    /// The versions of what the caller may see now, whatever the state of the history. All versions
    /// are gone through for the total, without their content.
    async fn visible_versions(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        of: &HistoryOf,
        page: &Page,
        wanted: HistoryPage,
    ) -> Result<(Vec<Record>, u64), InteractionError> {
        let newest = match page.cursor {
            Some(_) => &self.store.view(&caller.tenant, At::Newest).await?,
            None => view,
        };
        let mut sight = self.sight(caller, newest);
        let total = match page.cursor.as_ref().and_then(|it| it.total) {
            Some(total) => total,
            None => visible_total(&mut sight, view, of, &wanted).await?,
        };
        let mut found = Vec::new();
        let mut next = HistoryPage {
            limit: wanted.limit.max(VERSIONS_AT_ONCE),
            ..wanted
        };
        loop {
            let records = view.history(of, &next).await?;
            let is_last = records.len() < next.limit;
            next.after = records.last().map(|it| it.position);
            let rows: Vec<_> = records.iter().map(|it| (it.key.kind, it.row)).collect();
            sight.look_at(&rows).await?;
            found.extend(records.into_iter().filter(|it| sight.sees(it.row)));
            if is_last || found.len() >= wanted.limit {
                found.truncate(wanted.limit);
                return Ok((found, total));
            }
        }
    }

    /// Whose versions; `None` if the tenant has never had any of that type. The history of a
    /// resource that never was is not found.
    async fn history_of(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        scope: &HistoryScope,
    ) -> Result<Option<HistoryOf>, InteractionError> {
        let space = space_of(caller.version);
        match scope {
            HistoryScope::System => Ok(Some(HistoryOf::Space(space))),
            HistoryScope::Type(resource_type) => {
                if Definitions::of(caller.version)
                    .resource(resource_type)
                    .is_none()
                {
                    let what = format!(
                        "there is no resource type of that name in {}",
                        caller.version
                    );
                    return Err(Issue::error(Fault::UnknownType, what).into());
                }
                let mut names = Names::default();
                names.types.insert(resource_type);
                let numbers = self
                    .numbers(&caller.tenant, &names, Unknown::LeftOut)
                    .await?;
                let kind = numbers.types.get(resource_type.as_str()).copied();
                Ok(kind.map(|kind| HistoryOf::Kind(space, kind)))
            }
            HistoryScope::Instance(key) => {
                let Some(record_key) = self.known_key(caller, key).await? else {
                    return Err(not_found(key).into());
                };
                let present = view.read(std::slice::from_ref(&record_key)).await?;
                let mut present: Vec<Record> = present.into_iter().flatten().collect();
                if !caller.visibility.is_everything() {
                    let newest = self.store.view(&caller.tenant, At::Newest).await?;
                    present = self.only_visible(caller, &newest, present).await?;
                }
                if present.is_empty() {
                    return Err(not_found(key).into());
                }
                Ok(Some(HistoryOf::Record(record_key)))
            }
        }
    }

    async fn shown(
        &self,
        caller: &Caller,
        records: impl Iterator<Item = Record>,
    ) -> Result<Vec<Matched>, InteractionError> {
        let names = self.type_names(&caller.tenant).await?;
        let entry = |record: Record| {
            let created = record.operation == Operation::Create;
            let key = record_key(names.get(&record.key.kind)?, &record)?;
            Some(match outcome(key, record) {
                ReadOutcome::Deleted(deleted) => Matched::Deleted(deleted),
                ReadOutcome::Found(resource) => {
                    let method = if created { "POST" } else { "PUT" };
                    Matched::Resource {
                        resource,
                        mode: SearchMode::Match,
                        method,
                        created,
                    }
                }
            })
        };
        Ok(records.filter_map(entry).collect())
    }
}

/// The number of versions within the page's bounds that the caller may see.
async fn visible_total(
    sight: &mut Sight<'_>,
    view: &Arc<dyn View>,
    of: &HistoryOf,
    wanted: &HistoryPage,
) -> Result<u64, InteractionError> {
    let mut total = 0;
    let mut page = HistoryPage {
        after: None,
        limit: COUNTED_AT_ONCE,
        ..wanted.clone()
    };
    loop {
        let listed = view.listed(of, &page).await?;
        let rows: Vec<_> = listed.iter().map(|it| (it.kind, it.row)).collect();
        sight.look_at(&rows).await?;
        total += rows.iter().filter(|it| sight.sees(it.1)).count() as u64;
        if listed.len() < page.limit {
            return Ok(total);
        }
        page.after = listed.last().map(|it| it.position);
    }
}

fn scope_text(scope: &HistoryScope) -> String {
    match scope {
        HistoryScope::System => "history".to_owned(),
        HistoryScope::Type(resource_type) => format!("history {resource_type}"),
        HistoryScope::Instance(key) => format!("history {key}"),
    }
}

/// The parameters of a history.
#[derive(Debug, Default)]
struct Parameters {
    since: Option<Instant>,
    before: Option<Instant>,
    current_from: Option<Instant>,
    count: Option<usize>,
    order: Option<HistoryOrder>,
    summary: Summary,
    understood: String,
}

const NAMES: [&str; 9] = [
    "_at",
    "_before",
    "_count",
    "_elements",
    "_format",
    "_pretty",
    "_since",
    "_sort",
    "_summary",
];

impl Parameters {
    fn parse(version: FhirVersion, query: &str) -> Result<Self, InteractionError> {
        let mut parameters = Self::default();
        let mut issues = Vec::new();
        for pair in pairs(query) {
            let (Some(name), Some(value)) = pair else {
                issues.push(Issue::error(
                    Fault::Invalid,
                    "the query is not percent-encoded UTF-8",
                ));
                continue;
            };
            if name == PAGE {
                continue;
            }
            if !NAMES.contains(&name.as_str()) {
                let issue = Issue::error(Fault::Invalid, "the history has no such parameter");
                let suggestion = nearest(&name, NAMES).unwrap_or("_since");
                issues.push(issue.mend(format!("did you mean `{suggestion}`?")));
            } else if parameters.read(version, &name, &value).is_some() {
                append_pair(&mut parameters.understood, &name, &value);
            } else {
                let what = format!("the parameter `{name}` has a value that it does not allow");
                issues.push(Issue::error(Fault::Invalid, what).at(format!("http.{name}")));
            }
        }
        if issues.is_empty() {
            Ok(parameters)
        } else {
            Err(issues.into())
        }
    }

    fn read(&mut self, version: FhirVersion, name: &str, value: &str) -> Option<()> {
        match name {
            "_since" => self.since = Some(period(version, value)?.0),
            "_before" => self.before = Some(period(version, value)?.0),
            "_at" => {
                let (start, end) = period(version, value)?;
                (self.current_from, self.before) = (Some(start), Some(end));
            }
            "_count" => self.count = Some(value.parse().ok()?),
            "_sort" => {
                self.order = Some(match value {
                    "_lastUpdated" => HistoryOrder::OldestFirst,
                    "-_lastUpdated" => HistoryOrder::NewestFirst,
                    _ => return None,
                });
            }
            "_summary" => {
                self.summary = match value {
                    "true" => Summary::True,
                    "false" => Summary::None,
                    "text" => Summary::Text,
                    "data" => Summary::Data,
                    "count" => {
                        self.count = Some(0);
                        Summary::Count
                    }
                    _ => return None,
                }
            }
            "_elements" => {
                let names = value.split(',').map(|it| it.trim().to_owned());
                self.summary = Summary::Elements(names.collect());
            }
            _ => {}
        }
        Some(())
    }
}

/// The period that a date or time stands for: its start, and the moment after its end. Without a
/// zone it is UTC.
fn period(version: FhirVersion, text: &str) -> Option<(Instant, Instant)> {
    let it = Temporal::parse(text, version)?;
    let start_of = |year: i32, month: u8, day: u8| {
        Instant::parse(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z"))
    };
    let (month, day) = (it.month.unwrap_or(1), it.day.unwrap_or(1));
    let start = start_of(it.year, month, day)?;
    let Some(time) = it.time else {
        let days: i64 = match (it.month, it.day) {
            (None, _) => (1..=12)
                .map(|month| i64::from(days_in_month(it.year, month)))
                .sum(),
            (_, None) => i64::from(days_in_month(it.year, month)),
            _ => 1,
        };
        return Some((
            start,
            Instant::from_micros(start.micros() + days * 86_400_000_000),
        ));
    };
    let offset = i64::from(it.offset_minutes.unwrap_or(0)) * 60;
    let seconds = time.seconds() - offset;
    let micros = start.micros() + seconds * 1_000_000 + i64::from(time.micros);
    let digits = u32::try_from(time.fraction_digits.min(6)).unwrap_or(6);
    let precision = 10_i64.pow(6 - digits);
    Some((
        Instant::from_micros(micros),
        Instant::from_micros(micros + precision),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_periods() {
        for (text, expected) in [
            (
                "2024",
                Some("2024-01-01T00:00:00.000000Z 2025-01-01T00:00:00.000000Z"),
            ),
            (
                "2024-02",
                Some("2024-02-01T00:00:00.000000Z 2024-03-01T00:00:00.000000Z"),
            ),
            (
                "2024-12-31",
                Some("2024-12-31T00:00:00.000000Z 2025-01-01T00:00:00.000000Z"),
            ),
            (
                "2024-01-01T01:00:00+02:00",
                Some("2023-12-31T23:00:00.000000Z 2023-12-31T23:00:01.000000Z"),
            ),
            (
                "2024-01-01T00:00:00.25Z",
                Some("2024-01-01T00:00:00.250000Z 2024-01-01T00:00:00.260000Z"),
            ),
            ("2024-13", None),
            ("yesterday", None),
        ] {
            let found = period(FhirVersion::R4, text).map(|(start, end)| format!("{start} {end}"));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
