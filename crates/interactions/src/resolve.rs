//! Decides, against one view, what each write of a job does to which resource.
//!
//! Nothing is changed here. Whatever a decision depends on goes into the commit as an expectation
//! or precondition. <https://hl7.org/fhir/R4/http.html#cond-update>,
//! <https://hl7.org/fhir/R4/http.html#trules>

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fhir::{Fault, FhirVersion, Issue, ResourceId};
use search::compile::Names;
use store::{Expected, Precondition, Record, VersionNumber, View};
use uuid::Uuid;

use crate::criteria::Matches;
use crate::job::{Intent, Job, Task};
use crate::numbers::Unknown;
use crate::prepare::{Checked, ConditionalReference, Links};
use crate::read::is_live;
use crate::settings::{UpdateAsCreate, Versioning};
use crate::space::space_of;
use crate::{Caller, InteractionError, Interactions, ResourceKey, Settings, hidden};

/// What a write does.
pub(crate) enum Decision {
    /// The resource becomes this one, which is now as `current` says (if it is there at all).
    Put {
        key: ResourceKey,
        expected: Expected,
        current: Option<Record>,
    },
    /// Nothing: `If-None-Exist` found this one.
    Keep { key: ResourceKey, record: Record },
    /// These are deleted.
    Delete {
        keys: Vec<ResourceKey>,
        expected: Expected,
    },
    /// This one goes with all its versions.
    Purge(ResourceKey),
    /// All versions of this one go but the newest.
    PurgeHistory(ResourceKey),
}

/// What a job does.
pub(crate) struct Resolved {
    /// One per task.
    pub(crate) decisions: Vec<Decision>,
    /// What references become.
    pub(crate) links: Links,
    /// What the decisions depend on.
    pub(crate) preconditions: Vec<Precondition>,
}

impl Interactions {
    /// Decides a whole job.
    pub(crate) async fn resolve(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        job: &Job,
        checked: &[Checked],
    ) -> Result<Resolved, InteractionError> {
        let (matches, references) = self.search_all(caller, view, job, checked).await?;
        let present = self.present(caller, view, job).await?;
        let hidden = self.hidden_targets(caller, view, job, checked).await?;
        let decider = Decider {
            settings: &self.settings,
            version: caller.version,
        };
        let mut decisions = Vec::with_capacity(job.tasks.len());
        let mut issues = Vec::new();
        let is_restricted = !caller.visibility.is_everything();
        for (at, task) in job.tasks.iter().enumerate() {
            let (found, record) = (matches.get(&at), present.get(&at));
            let decided = match task.intent.key().filter(|it| hidden.contains(it)) {
                Some(_) => Err(hidden::forbidden()),
                None => decider.decide(&task.intent, checked[at].id.as_ref(), found, record),
            };
            match decided {
                Ok(it) if it.changed().iter().any(|it| hidden.contains(it)) => {
                    let error = InteractionError::from(hidden::forbidden());
                    issues.extend(error.within(&task.place).issues);
                }
                Ok(it) if is_restricted => decisions.push(it.held(&task.intent, record)),
                Ok(decision) => decisions.push(decision),
                Err(issue) => {
                    issues.extend(InteractionError::from(issue).within(&task.place).issues);
                }
            }
        }
        if !issues.is_empty() {
            return Err(issues.into());
        }
        refuse_collisions(&job.tasks, &decisions)?;
        let links = Links {
            by_url: full_urls(&job.tasks, &decisions)?,
            by_criteria: references.0,
        };
        let preconditions = matches.into_values().flat_map(|it| it.preconditions);
        let preconditions = preconditions.chain(references.1).collect();
        Ok(Resolved {
            decisions,
            links,
            preconditions,
        })
    }

    /// Runs all criteria of a job: those of its tasks, and those of its conditional references.
    async fn search_all(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        job: &Job,
        checked: &[Checked],
    ) -> Result<(BTreeMap<usize, Matches>, ResolvedReferences), InteractionError> {
        let mut criteria = Vec::new();
        let mut of_tasks = Vec::new();
        for (at, task) in job.tasks.iter().enumerate() {
            let Some(text) = task.intent.criteria() else {
                continue;
            };
            let limit = match task.intent {
                Intent::DeleteWhere { multiple: true, .. } => self.settings.conditional_delete_max,
                _ => 1,
            };
            let parsed = self.criteria(caller, task.intent.resource_type(), text, limit);
            criteria.push(parsed.map_err(|error| error.within(&task.place))?);
            of_tasks.push(at);
        }
        let mut wanted: BTreeMap<&ConditionalReference, usize> = BTreeMap::new();
        for (at, it) in checked.iter().enumerate() {
            it.conditional.iter().for_each(|reference| {
                wanted.entry(reference).or_insert(at);
            });
        }
        for (reference, at) in &wanted {
            let parsed = self.criteria(caller, &reference.0, &reference.1, 1);
            criteria
                .push(parsed.map_err(|error| at_reference(error, caller, job, *at, reference))?);
        }
        let mut matches = self.matches(caller, view, &criteria).await?.into_iter();
        let of_tasks = of_tasks.into_iter().zip(matches.by_ref()).collect();
        let references = self.resolve_references(caller, job, &wanted, matches)?;
        Ok((of_tasks, references))
    }

    /// What each conditional reference leads to: exactly one resource.
    fn resolve_references(
        &self,
        caller: &Caller,
        job: &Job,
        wanted: &BTreeMap<&ConditionalReference, usize>,
        matches: impl Iterator<Item = Matches>,
    ) -> Result<ResolvedReferences, InteractionError> {
        let mut resolved = ResolvedReferences::default();
        let mut issues = Vec::new();
        for ((reference, at), mut it) in wanted.iter().zip(matches) {
            if it.found.len() == 1 {
                let (key, _) = it.found.remove(0);
                resolved.0.insert((*reference).clone(), key);
                resolved.1.append(&mut it.preconditions);
                continue;
            }
            if issues.len() >= self.settings.issues_max {
                break;
            }
            let issue = if it.found.is_empty() {
                let what = format!("a conditional reference matches no `{}`", reference.0);
                Issue::error(Fault::ReferenceBroken, what).mend("store what it refers to first")
            } else {
                let what = format!("a conditional reference matches several `{}`", reference.0);
                Issue::error(Fault::MultipleMatches, what)
                    .mend("make its criteria match exactly one")
            };
            issues.extend(at_reference(issue.into(), caller, job, *at, reference).issues);
        }
        if issues.is_empty() {
            Ok(resolved)
        } else {
            Err(issues.into())
        }
    }

    /// The present state of the resources that tasks name.
    async fn present(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        job: &Job,
    ) -> Result<HashMap<usize, Record>, InteractionError> {
        let named = job
            .tasks
            .iter()
            .enumerate()
            .filter_map(|(at, it)| Some((at, it.intent.key()?)));
        let named: Vec<(usize, &ResourceKey)> = named.collect();
        let mut names = Names::default();
        names
            .types
            .extend(named.iter().map(|(_, key)| &*key.resource_type));
        let numbers = self
            .numbers(&caller.tenant, &names, Unknown::LeftOut)
            .await?;
        let space = space_of(caller.version);
        let keys = named.iter().filter_map(|(at, key)| {
            Some((
                *at,
                numbers.key(space, &key.resource_type, key.id.as_str())?,
            ))
        });
        let (places, keys): (Vec<usize>, Vec<_>) = keys.unzip();
        let records = if keys.is_empty() {
            Vec::new()
        } else {
            view.read(&keys).await?
        };
        let records = places.into_iter().zip(records);
        Ok(records
            .filter_map(|(at, record)| Some((at, record?)))
            .collect())
    }
}

type ResolvedReferences = (
    HashMap<ConditionalReference, ResourceKey>,
    Vec<Precondition>,
);

/// The error, placed at the reference that holds the criteria.
fn at_reference(
    error: InteractionError,
    caller: &Caller,
    job: &Job,
    at: usize,
    reference: &ConditionalReference,
) -> InteractionError {
    let task = &job.tasks[at];
    let resources = job.source.resources();
    let resource = task.resource.and_then(|it| resources[it]);
    let definitions = fhir::Definitions::of(caller.version);
    let path = resource
        .and_then(|it| crate::prepare::place_of_conditional(definitions, it, reference))
        .unwrap_or_default();
    // Inside a bundle the path goes on from the entry's resource instead of from its type.
    let place = match path.split_once('.') {
        Some((_, rest)) if !task.place.is_empty() => format!("{}.resource.{rest}", task.place),
        _ => path,
    };
    let mut error = error;
    for issue in &mut error.issues {
        issue.expression.insert(0, place.clone());
    }
    error
}

/// The rules by which a write is decided.
struct Decider<'s> {
    settings: &'s Settings,
    version: FhirVersion,
}

impl Decider<'_> {
    fn decide(
        &self,
        intent: &Intent,
        own_id: Option<&ResourceId>,
        matches: Option<&Matches>,
        present: Option<&Record>,
    ) -> Result<Decision, Issue> {
        let found = matches.map_or(&[][..], |it| &it.found);
        match intent {
            Intent::Create { resource_type, .. } => create(resource_type, found),
            Intent::Update {
                key,
                if_match,
                only_create,
            } => self.update(key, if_match, *only_create, present),
            Intent::UpdateWhere {
                resource_type,
                if_match,
                ..
            } => self.update_where(resource_type, if_match, own_id, found),
            Intent::Delete { key, if_match } => {
                let expected = expected(if_match, present.filter(|it| is_live(it)))?;
                Ok(Decision::Delete {
                    keys: vec![key.clone()],
                    expected,
                })
            }
            Intent::DeleteWhere { multiple, .. } => self.delete_where(*multiple, found),
            Intent::Purge(key) => Ok(Decision::Purge(key.clone())),
            Intent::PurgeHistory(key) => Ok(Decision::PurgeHistory(key.clone())),
        }
    }

    fn update(
        &self,
        key: &ResourceKey,
        if_match: &[String],
        only_create: bool,
        present: Option<&Record>,
    ) -> Result<Decision, Issue> {
        let live = present.filter(|it| is_live(it));
        if present.is_none() {
            self.may_create(&key.resource_type, &key.id)?;
        }
        if live.is_some() && only_create {
            let what = "the resource exists, but `If-None-Match` asks that it does not";
            return Err(Issue::error(Fault::VersionMismatch, what));
        }
        if live.is_some() && if_match.is_empty() {
            self.may_update_blindly(&key.resource_type)?;
        }
        let expected = if only_create {
            Expected::Absent
        } else {
            expected(if_match, live)?
        };
        Ok(Decision::Put {
            key: key.clone(),
            expected,
            current: live.cloned(),
        })
    }

    fn may_create(&self, resource_type: &str, id: &ResourceId) -> Result<(), Issue> {
        match self.settings.update_as_create.of(resource_type) {
            UpdateAsCreate::Allowed => Ok(()),
            UpdateAsCreate::NotNumeric if !id.as_str().bytes().all(|it| it.is_ascii_digit()) => {
                Ok(())
            }
            UpdateAsCreate::NotNumeric => {
                let what = "an id chosen by a client must not consist of digits alone";
                Err(Issue::error(Fault::BusinessRule, what).mend("add a letter to the id"))
            }
            UpdateAsCreate::Refused => {
                let what = "there is no such resource, and an update must not create it here";
                Err(Issue::error(Fault::MethodNotAllowed, what).mend("create it with POST"))
            }
        }
    }

    fn may_update_blindly(&self, resource_type: &str) -> Result<(), Issue> {
        match self.settings.versioning.of(resource_type) {
            Versioning::Versioned => Ok(()),
            Versioning::VersionedUpdate => {
                let issue = Issue::error(Fault::Required, "an update needs `If-Match` here");
                Err(issue
                    .at("http.If-Match")
                    .mend("send the `ETag` of the version that you read"))
            }
        }
    }

    /// R4 takes the id of the resource into account, STU3 does not.
    fn update_where(
        &self,
        resource_type: &str,
        if_match: &[String],
        own_id: Option<&ResourceId>,
        found: &[(ResourceKey, Record)],
    ) -> Result<Decision, Issue> {
        let own_id = own_id.filter(|_| self.version == FhirVersion::R4);
        match (found, own_id) {
            ([], _) if !if_match.is_empty() => Err(mismatch()),
            ([], None) => Ok(put_new(resource_type)),
            ([], Some(id)) => {
                self.may_create(resource_type, id)?;
                let key = ResourceKey {
                    resource_type: resource_type.into(),
                    id: id.clone(),
                };
                Ok(Decision::Put {
                    key,
                    expected: Expected::Absent,
                    current: None,
                })
            }
            ([(key, _)], Some(id)) if key.id != *id => {
                let what = "the criteria match another resource than the one whose id is given";
                let issue = Issue::error(Fault::Invalid, what).at(format!("{resource_type}.id"));
                Err(issue.mend("leave the id out, or give that of the match"))
            }
            ([(key, record)], _) => {
                if if_match.is_empty() {
                    self.may_update_blindly(resource_type)?;
                }
                let expected = expected(if_match, Some(record))?;
                Ok(Decision::Put {
                    key: key.clone(),
                    expected,
                    current: Some(record.clone()),
                })
            }
            _ => Err(several()),
        }
    }

    fn delete_where(
        &self,
        multiple: bool,
        found: &[(ResourceKey, Record)],
    ) -> Result<Decision, Issue> {
        if !multiple && found.len() > 1 {
            return Err(several());
        }
        let max = self.settings.conditional_delete_max;
        if multiple && found.len() > max {
            let what =
                format!("the criteria match more than `conditional_delete_max` ({max}) resources");
            return Err(Issue::error(Fault::TooLarge, what).mend("narrow the criteria"));
        }
        let keys = found.iter().map(|(key, _)| key.clone()).collect();
        Ok(Decision::Delete {
            keys,
            expected: Expected::Any,
        })
    }
}

fn create(resource_type: &str, found: &[(ResourceKey, Record)]) -> Result<Decision, Issue> {
    match found {
        [] => Ok(put_new(resource_type)),
        [(key, record)] => Ok(Decision::Keep {
            key: key.clone(),
            record: record.clone(),
        }),
        _ => Err(several()),
    }
}

/// A new id: of version 7, so that what is created together lies together.
fn put_new(resource_type: &str) -> Decision {
    let id = ResourceId::parse(&Uuid::now_v7().to_string()).expect("a UUID's text is an id");
    let key = ResourceKey {
        resource_type: resource_type.into(),
        id,
    };
    Decision::Put {
        key,
        expected: Expected::Absent,
        current: None,
    }
}

/// What `If-Match` asks of the record: one of the tags, or with `*` that it is there at all.
fn expected(if_match: &[String], live: Option<&Record>) -> Result<Expected, Issue> {
    if if_match.is_empty() {
        return Ok(Expected::Any);
    }
    let Some(record) = live else {
        return Err(mismatch());
    };
    let VersionNumber(version) = record.version;
    if if_match.iter().any(|tag| *tag == version.to_string()) {
        return Ok(Expected::Version(record.version));
    }
    if if_match.iter().any(|tag| tag == "*") {
        Ok(Expected::Live)
    } else {
        Err(mismatch())
    }
}

fn mismatch() -> Issue {
    let issue = Issue::error(
        Fault::VersionMismatch,
        "`If-Match` names no current version",
    );
    issue
        .at("http.If-Match")
        .mend("read the resource again and send the `ETag` of that version")
}

fn several() -> Issue {
    let issue = Issue::error(
        Fault::MultipleMatches,
        "the criteria match several resources",
    );
    issue.mend("make the criteria match at most one")
}

/// Two entries must not change one resource, nor one depend on what another changes.
fn refuse_collisions(tasks: &[Task], decisions: &[Decision]) -> Result<(), InteractionError> {
    let mut changed: HashMap<&ResourceKey, usize> = HashMap::new();
    let mut conditions: HashMap<(&str, &str), usize> = HashMap::new();
    let mut issues = Vec::new();
    for (at, decision) in decisions.iter().enumerate() {
        for key in decision.changed() {
            if let Some(first) = changed.insert(key, at) {
                issues.push(collision(
                    &tasks[first],
                    &tasks[at],
                    "concern the same resource",
                ));
            }
        }
        if let (Some(text), Decision::Put { current: None, .. }) =
            (tasks[at].intent.criteria(), decision)
        {
            let condition = (tasks[at].intent.resource_type(), text);
            if let Some(first) = conditions.insert(condition, at) {
                issues.push(collision(
                    &tasks[first],
                    &tasks[at],
                    "create a resource for the same criteria",
                ));
            }
        }
    }
    for (at, decision) in decisions.iter().enumerate() {
        let Decision::Keep { key, .. } = decision else {
            continue;
        };
        if let Some(other) = changed.get(key) {
            issues.push(collision(
                &tasks[at],
                &tasks[*other],
                "concern the same resource",
            ));
        }
    }
    if issues.is_empty() {
        Ok(())
    } else {
        Err(issues.into())
    }
}

impl Decision {
    /// The resources that are changed by it.
    fn changed(&self) -> &[ResourceKey] {
        match self {
            Self::Put { key, .. } | Self::Purge(key) | Self::PurgeHistory(key) => {
                std::slice::from_ref(key)
            }
            Self::Delete { keys, .. } => keys,
            Self::Keep { .. } => &[],
        }
    }

    /// The same, if the resource that the write names is still as it is now: whoever does not see
    /// everything must not change what has been hidden meanwhile. What criteria have found is held
    /// by their precondition.
    fn held(self, intent: &Intent, present: Option<&Record>) -> Self {
        let held = |expected, live: Option<&Record>| match (expected, live) {
            (Expected::Any | Expected::Live, Some(it)) => Expected::Version(it.version),
            (Expected::Any, None) => Expected::Absent,
            (expected, _) => expected,
        };
        match (self, intent) {
            (
                Self::Put {
                    key,
                    expected,
                    current,
                },
                _,
            ) => Self::Put {
                expected: held(expected, current.as_ref()),
                key,
                current,
            },
            (Self::Delete { keys, expected }, Intent::Delete { .. }) => Self::Delete {
                keys,
                expected: held(expected, present.filter(|it| is_live(it))),
            },
            (other, _) => other,
        }
    }

    /// The resource that an entry of this decision stands for.
    fn identity(&self) -> Option<&ResourceKey> {
        match self {
            Self::Put { key, .. } | Self::Keep { key, .. } => Some(key),
            _ => None,
        }
    }
}

fn collision(first: &Task, second: &Task, what: &str) -> Issue {
    let what = format!(
        "two entries {what}: `{}` and `{}`",
        first.place, second.place
    );
    let issue = Issue::error(Fault::Conflict, what);
    let issue = issue.at(first.place.clone()).at(second.place.clone());
    issue.mend("merge the entries, or send them in separate transactions")
}

/// What each `fullUrl` stands for.
fn full_urls(
    tasks: &[Task],
    decisions: &[Decision],
) -> Result<HashMap<Box<str>, ResourceKey>, InteractionError> {
    let mut urls: HashMap<Box<str>, ResourceKey> = HashMap::new();
    let mut first: HashMap<&str, &Task> = HashMap::new();
    for (task, decision) in tasks.iter().zip(decisions) {
        let (Some(url), Some(key)) = (&task.full_url, decision.identity()) else {
            continue;
        };
        let other = urls.insert(url.clone(), key.clone());
        if other.is_some_and(|it| it != *key) {
            return Err(collision(first[&**url], task, "have one `fullUrl`").into());
        }
        first.insert(url, task);
    }
    Ok(urls)
}
