//! `_include` and `_revinclude`: what is given besides the matches.
//! <https://hl7.org/fhir/R4/search.html#revinclude>

mod versions;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use search::compile::{Answers, Builder, Reach, Referred};
use search::entry::part_of;
use search::name::{ByName, ResourceName};
use search::plan::{Part, Plan, Total};
use search::query::{Include, Rounds, Towards};
use search::registry::Registry;
use store::{
    Entry, EntryValue, NameKind, ParameterNumber, Record, RecordKey, Row, TypeNumber,
    VersionNumber, View,
};

use crate::numbers::Unknown;
use crate::read::is_live;
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions};
use versions::Versions;

/// What is to be included.
pub(crate) enum Included {
    /// This, each once, and nothing that is a match.
    All(Vec<Record>),
    /// More than a page may hold.
    TooMany,
}

/// What matches: records, and parts of others.
#[derive(Default)]
pub(crate) struct Matches {
    /// Records as a whole.
    pub(crate) records: Vec<Record>,
    /// Contained resources that are given by themselves. Nothing refers to them from outside.
    pub(crate) inner: Vec<Source>,
}

/// What refers to others: a record, or a resource that it contains.
#[derive(Clone)]
pub(crate) struct Source {
    /// The type of the record, and the record.
    pub(crate) row: (TypeNumber, Row),
    /// Which part of it; zero is the record itself.
    pub(crate) part: u16,
    /// The type of what refers.
    pub(crate) kind: Box<str>,
    /// Its text.
    pub(crate) text: Bytes,
}

/// What has been found so far.
struct Gathered {
    known: HashSet<(Row, VersionNumber)>,
    records: Vec<Record>,
}

impl Gathered {
    /// Adds what is new, and says what that is.
    fn add(&mut self, records: Vec<Record>) -> Vec<Record> {
        let new: Vec<Record> = records
            .into_iter()
            .filter(|it| self.known.insert((it.row, it.version)))
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
        matches: &Matches,
        includes: &[Include],
    ) -> Result<Included, InteractionError> {
        let known = matches.records.iter();
        let mut gathered = Gathered {
            known: known.map(|it| (it.row, it.version)).collect(),
            records: Vec::new(),
        };
        if includes.is_empty() {
            return Ok(Included::All(Vec::new()));
        }
        let names = self.type_names(&caller.tenant).await?;
        let mut wanted: Vec<&Include> = includes.iter().collect();
        let mut open = matches.records.clone();
        let mut inner = matches.inner.clone();
        while !(open.is_empty() && inner.is_empty() || wanted.is_empty()) {
            let mut new = Vec::new();
            let mut referring = whole(&names, &open);
            referring.append(&mut inner);
            for include in &wanted {
                let found = match include.towards {
                    Towards::Targets => self.targets(caller, view, &referring, include).await?,
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

    /// What these refer to.
    async fn targets(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        of: &[Source],
        include: &Include,
    ) -> Result<Vec<Record>, InteractionError> {
        let names = self.type_names(&caller.tenant).await?;
        let mut wanted = Wanted::default();
        for sources in alike(of) {
            let mut reaches = include.from(caller.version, &sources[0].kind);
            if sources[0].part != 0 {
                let inside = reaches.iter().filter_map(|it| it.inside(caller.version));
                reaches = inside.collect();
            }
            let slots = self.slots(caller, &reaches).await?;
            let parameters: Vec<ParameterNumber> = slots.iter().map(|it| it.number).collect();
            let rows: Vec<_> = sources.iter().map(|it| it.row).collect();
            let entries = view
                .entries(space_of(caller.version), &rows, &parameters)
                .await?;
            for (source, entries) in sources.into_iter().zip(entries) {
                let is_own = |it: &Entry| part_of(it.group) == u32::from(source.part);
                for entry in entries.into_iter().filter(is_own) {
                    let own = slots.iter().filter(|it| it.number == entry.parameter);
                    wanted.add(caller, &names, entry.value, own);
                }
            }
        }
        let keys: Vec<RecordKey> = wanted.keys.into_iter().collect();
        let records = view.read(&keys).await?;
        let live = records.into_iter().flatten().filter(is_live);
        let mut live: Vec<Record> = live.collect();
        // Numbers of types depend on what else is stored, and so would an order by them.
        live.sort_unstable_by_key(|it| it.row);
        let visible = self.only_visible(caller, view, live).await?;
        let versions = Versions::of(caller, self.bases(caller.version), of);
        let mut found = versions.chosen(view, &names, visible).await?;
        let published = |builder: &Builder<'_>| {
            let each = wanted.urls.iter();
            each.filter_map(|(kind, urls)| builder.published(kind, urls))
                .collect()
        };
        found.extend(self.some(caller, view, published).await?);
        Ok(found)
    }

    /// The slots that are followed; one without a number holds nothing.
    async fn slots(
        &self,
        caller: &Caller,
        reaches: &[Reach],
    ) -> Result<Vec<Followed>, InteractionError> {
        let own = |it: &Reach| [(Some(it.slot), By::Reference), (it.names, By::Name)];
        let slots = reaches.iter().flat_map(|reach| {
            let own = own(reach).into_iter();
            own.filter_map(move |(slot, by)| Some((slot?.0, *reach, by)))
        });
        let slots: Vec<(&str, Reach, By)> = slots.collect();
        let wanted = slots.iter().map(|it| it.0).collect();
        self.require_indexed(caller, &wanted).await?;
        let names: Vec<&str> = slots.iter().map(|it| it.0).collect();
        let numbers = self
            .store
            .known_numbers(&caller.tenant, NameKind::Parameter, &names)
            .await?;
        let known = numbers.into_iter().zip(slots);
        let known = known.filter_map(|(number, (_, reach, by))| {
            let number = ParameterNumber(number?);
            Some(Followed { number, reach, by })
        });
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
        let referred = self.referred(caller, view, of).await?;
        let kinds = referred.iter().map(|it| it.resource.kind).collect();
        let reaches = include.to(caller.version, &kinds);
        let sources = |builder: &Builder<'_>| builder.sources(&reaches, &referred);
        self.some(caller, view, sources).await
    }

    /// What these records are referred to by.
    async fn referred(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        of: &[Record],
    ) -> Result<Vec<Referred>, InteractionError> {
        let names = self.type_names(&caller.tenant).await?;
        let mut urls = self.urls(caller, view, &names, of).await?;
        let definitions = fhir::Definitions::of(caller.version);
        let referred = of.iter().filter_map(|it| {
            let kind = definitions.resource(names.get(&it.key.kind)?)?.name;
            let id = it.key.id.0.clone();
            Some(Referred {
                resource: ResourceName { kind, id },
                urls: urls.remove(&it.row).unwrap_or_default(),
            })
        });
        Ok(referred.collect())
    }

    /// The canonical URLs of these records, with and without version.
    async fn urls(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        names: &HashMap<TypeNumber, Box<str>>,
        of: &[Record],
    ) -> Result<HashMap<Row, Vec<Box<str>>>, InteractionError> {
        let registry = Registry::of(caller.version);
        let mut urls: HashMap<Row, Vec<Box<str>>> = HashMap::new();
        for (kind, rows) in by_kind(of) {
            let Some(slot) = names.get(&kind).and_then(|it| registry.names(it)) else {
                continue;
            };
            let (tenant, slots) = (&caller.tenant, [slot.0]);
            self.require_indexed(caller, &slots.into()).await?;
            let kind = NameKind::Parameter;
            let numbers = self.store.known_numbers(tenant, kind, &slots).await?;
            let Some(&[Some(number)]) = numbers.as_array() else {
                continue;
            };
            let space = space_of(caller.version);
            let entries = view
                .entries(space, &rows, &[ParameterNumber(number)])
                .await?;
            for ((_, row), entries) in rows.iter().zip(entries) {
                let own = entries.into_iter().filter_map(|it| match it.value {
                    EntryValue::Uri(url) => Some(url),
                    _ => None,
                });
                urls.entry(*row).or_default().extend(own);
            }
        }
        Ok(urls)
    }

    /// The records that these parts find, as many as a page may include and one more.
    async fn some(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        parts: impl FnOnce(&Builder<'_>) -> Vec<Part<ByName>> + Send,
    ) -> Result<Vec<Record>, InteractionError> {
        let answers = Answers::default();
        let parts = parts(&self.builder(caller, &answers));
        if parts.is_empty() {
            return Ok(Vec::new());
        }
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
}

/// A slot that an include follows.
struct Followed {
    number: ParameterNumber,
    reach: Reach,
    by: By,
}

/// What a slot refers by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Reference,
    /// A canonical URL.
    Name,
}

/// What records refer to.
#[derive(Default)]
struct Wanted {
    keys: BTreeSet<RecordKey>,
    /// By the type that may be published so.
    urls: BTreeMap<&'static str, BTreeSet<Box<str>>>,
}

impl Wanted {
    /// Adds what an entry of these slots leads to.
    fn add<'f>(
        &mut self,
        caller: &Caller,
        names: &HashMap<TypeNumber, Box<str>>,
        value: EntryValue,
        mut of: impl Iterator<Item = &'f Followed>,
    ) {
        match value {
            EntryValue::Reference(key) => {
                let target = names.get(&key.kind).map_or("", |it| it);
                if of.any(|it| it.reach.leads_to(target)) {
                    self.keys.insert(key);
                }
            }
            EntryValue::Uri(url) => {
                let of = of.filter(|it| it.by == By::Name);
                for kind in of.flat_map(|it| it.reach.published(caller.version)) {
                    self.urls.entry(kind).or_default().insert(url.clone());
                }
            }
            _ => {}
        }
    }
}

/// Records as what refers to others.
fn whole(names: &HashMap<TypeNumber, Box<str>>, records: &[Record]) -> Vec<Source> {
    let whole = records.iter().map(|it| Source {
        row: (it.key.kind, it.row),
        part: 0,
        kind: names.get(&it.key.kind).cloned().unwrap_or_default(),
        text: it.body.clone(),
    });
    whole.collect()
}

/// Those together that refer by the same slots.
fn alike(sources: &[Source]) -> Vec<Vec<&Source>> {
    let mut alike: BTreeMap<_, Vec<&Source>> = BTreeMap::new();
    for it in sources {
        let of = (it.row.0, &it.kind, it.part != 0);
        alike.entry(of).or_default().push(it);
    }
    alike.into_values().collect()
}

fn by_kind(records: &[Record]) -> HashMap<TypeNumber, Vec<(TypeNumber, Row)>> {
    let mut by_kind: HashMap<_, Vec<_>> = HashMap::new();
    for record in records {
        let kind = record.key.kind;
        by_kind.entry(kind).or_default().push((kind, record.row));
    }
    by_kind
}
