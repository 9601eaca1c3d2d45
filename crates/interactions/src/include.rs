//! `_include` and `_revinclude`: what is given besides the matches.
//! <https://hl7.org/fhir/R4/search.html#revinclude>

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use search::compile::{Answers, Reach};
use search::name::ResourceName;
use search::plan::{Plan, Total};
use search::query::{Include, Rounds, Towards};
use store::{EntryValue, NameKind, ParameterNumber, Record, RecordKey, Row, TypeNumber, View};

use crate::numbers::Unknown;
use crate::read::is_live;
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions};

/// What is to be included.
pub(crate) enum Included {
    /// This, each once, and nothing that is a match.
    All(Vec<Record>),
    /// More than a page may hold.
    TooMany,
}

/// What has been found so far.
struct Gathered {
    known: HashSet<Row>,
    records: Vec<Record>,
}

impl Gathered {
    /// Adds what is new, and says what that is.
    fn add(&mut self, records: Vec<Record>) -> Vec<Record> {
        let new: Vec<Record> = records
            .into_iter()
            .filter(|it| self.known.insert(it.row))
            .collect();
        self.records.extend(new.iter().cloned());
        new
    }
}

impl Interactions {
    /// What the matches include.
    pub(crate) async fn included(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        matches: &[Record],
        includes: &[Include],
    ) -> Result<Included, InteractionError> {
        let mut gathered = Gathered {
            known: matches.iter().map(|it| it.row).collect(),
            records: Vec::new(),
        };
        if includes.is_empty() || matches.is_empty() {
            return Ok(Included::All(Vec::new()));
        }
        let mut wanted: Vec<&Include> = includes.iter().collect();
        let mut open = matches.to_vec();
        while !open.is_empty() && !wanted.is_empty() {
            let mut new = Vec::new();
            for include in &wanted {
                let found = match include.towards {
                    Towards::Targets => self.targets(caller, view, &open, include).await?,
                    Towards::Sources => self.sources(caller, view, &open, include).await?,
                };
                new.extend(gathered.add(found));
                if gathered.records.len() > self.settings.includes_per_page_max {
                    return Ok(Included::TooMany);
                }
            }
            open = new;
            wanted.retain(|it| it.rounds == Rounds::Iterated);
        }
        Ok(Included::All(gathered.records))
    }

    /// What these records refer to.
    async fn targets(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        of: &[Record],
        include: &Include,
    ) -> Result<Vec<Record>, InteractionError> {
        let names = self.type_names(&caller.tenant).await?;
        let mut wanted: BTreeSet<RecordKey> = BTreeSet::new();
        for (kind, rows) in by_kind(of) {
            let name = names.get(&kind).map_or("", |it| it);
            let reaches = include.from(caller.version, name);
            let slots = self.slots(caller, &reaches).await?;
            let parameters: Vec<ParameterNumber> = slots.iter().map(|it| it.0).collect();
            let entries = view
                .entries(space_of(caller.version), &rows, &parameters)
                .await?;
            for entry in entries.into_iter().flatten() {
                let EntryValue::Reference(key) = entry.value else {
                    continue;
                };
                let target = names.get(&key.kind).map_or("", |it| it);
                let fits = |(number, reach): &(ParameterNumber, Reach)| {
                    *number == entry.parameter && reach.target.is_none_or(|it| it == target)
                };
                if slots.iter().any(fits) {
                    wanted.insert(key);
                }
            }
        }
        let keys: Vec<RecordKey> = wanted.into_iter().collect();
        let records = view.read(&keys).await?;
        let live = records.into_iter().flatten().filter(is_live).collect();
        self.only_visible(caller, view, live).await
    }

    /// The numbers of slots; one without a number holds nothing.
    async fn slots(
        &self,
        caller: &Caller,
        reaches: &[Reach],
    ) -> Result<Vec<(ParameterNumber, Reach)>, InteractionError> {
        let names: Vec<&str> = reaches.iter().map(|it| it.slot.0).collect();
        let numbers = self
            .store
            .known_numbers(&caller.tenant, NameKind::Parameter, &names)
            .await?;
        let pairs = numbers.into_iter().zip(reaches);
        let known = pairs.filter_map(|(number, reach)| Some((ParameterNumber(number?), *reach)));
        Ok(known.collect())
    }

    /// What refers to these records.
    async fn sources(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        of: &[Record],
        include: &Include,
    ) -> Result<Vec<Record>, InteractionError> {
        let names = self.type_names(&caller.tenant).await?;
        let definitions = fhir::Definitions::of(caller.version);
        let name = |it: &Record| definitions.resource(names.get(&it.key.kind)?);
        let targets: Vec<ResourceName> = of
            .iter()
            .filter_map(|it| {
                Some(ResourceName {
                    kind: name(it)?.name,
                    id: it.key.id.0.clone(),
                })
            })
            .collect();
        let kinds = targets.iter().map(|it| it.kind).collect();
        let answers = Answers::default();
        let parts = {
            let builder = self.builder(caller, &answers);
            builder.sources(&include.to(caller.version, &kinds), &targets)
        };
        let plan = Plan {
            space: space_of(caller.version),
            parts,
            order: Vec::new(),
            after: None,
            not_later_than: None,
            limit: self.settings.includes_per_page_max + 1,
            total: Total::None,
        };
        let planned = self.numbered(caller, &plan, Unknown::LeftOut).await?;
        let rows = view.search(&planned.plan).await?.rows;
        let records = self.records(caller, view, &rows).await?;
        Ok(records.into_iter().flatten().collect())
    }

    /// Those of the live records that the caller may see.
    pub(crate) async fn only_visible(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        records: Vec<Record>,
    ) -> Result<Vec<Record>, InteractionError> {
        if caller.visibility.is_everything() || records.is_empty() {
            return Ok(records);
        }
        let names = self.type_names(&caller.tenant).await?;
        let definitions = fhir::Definitions::of(caller.version);
        let mut ids: BTreeMap<&'static str, Vec<store::RecordId>> = BTreeMap::new();
        for record in &records {
            let name = names.get(&record.key.kind);
            if let Some(it) = name.and_then(|it| definitions.resource(it)) {
                ids.entry(it.name).or_default().push(record.key.id.clone());
            }
        }
        let answers = Answers::default();
        let parts = {
            let builder = self.builder(caller, &answers);
            ids.into_iter()
                .map(|(kind, ids)| builder.visible(kind, ids))
                .collect()
        };
        let plan = Plan {
            space: space_of(caller.version),
            parts,
            order: Vec::new(),
            after: None,
            not_later_than: None,
            limit: records.len(),
            total: Total::None,
        };
        let planned = self.numbered(caller, &plan, Unknown::LeftOut).await?;
        let rows = view.search(&planned.plan).await?.rows;
        let rows: HashSet<Row> = rows.into_iter().map(|it| it.1).collect();
        Ok(records
            .into_iter()
            .filter(|it| rows.contains(&it.row))
            .collect())
    }
}

fn by_kind(records: &[Record]) -> HashMap<TypeNumber, Vec<(TypeNumber, Row)>> {
    let mut by_kind: HashMap<_, Vec<_>> = HashMap::new();
    for record in records {
        let kind = record.key.kind;
        by_kind.entry(kind).or_default().push((kind, record.row));
    }
    by_kind
}
