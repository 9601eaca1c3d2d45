//! A store in a temporary directory, interactions over it, and answers as short texts.

use std::sync::Arc;

use fhir::json::{Document, Limits};
use fhir::{FhirVersion, Issue, ResourceId};
use interactions::{
    Bundle, Caller, EntryAnswer, Handling, InteractionError, Interactions, Matched, ReadOutcome,
    ResourceKey, SPACES, SearchAnswer, Settings, Within, Write, WriteAnswer,
};
use store::{Origin, TenantId};
use store_embedded::{EmbeddedStore, Options};

pub(crate) struct Host {
    pub(crate) interactions: Interactions,
    pub(crate) caller: Caller,
    directory: Arc<tempfile::TempDir>,
}

pub(crate) fn host(version: FhirVersion) -> Host {
    host_with(version, Settings::default())
}

pub(crate) fn host_with(version: FhirVersion, settings: Settings) -> Host {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), SPACES, Options::default()).unwrap();
    let caller = Caller {
        tenant: TenantId::default(),
        version,
        identity: "tester".into(),
        origin: Origin(1),
        idempotency: None,
        handling: Handling::Strict,
        visibility: Arc::default(),
    };
    Host {
        interactions: Interactions::new(Arc::new(store), settings),
        caller,
        directory: Arc::new(directory),
    }
}

pub(crate) fn document(text: &str) -> Document {
    Document::parse(text.to_owned().into(), &Limits::DEFAULT).unwrap()
}

pub(crate) fn key(text: &str) -> ResourceKey {
    let (resource_type, id) = text.split_once('/').unwrap();
    ResourceKey {
        resource_type: resource_type.into(),
        id: ResourceId::parse(id).unwrap(),
    }
}

/// `type` and the rest of a resource as JSON members.
pub(crate) fn resource(resource_type: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"resourceType":"{resource_type}"{comma}{members}}}"#)
}

pub(crate) fn patient(members: &str) -> String {
    resource("Patient", members)
}

impl Host {
    /// The same store, asked by another caller.
    pub(crate) fn with_caller(&self, caller: Caller) -> Host {
        let (interactions, directory) = (self.interactions.clone(), Arc::clone(&self.directory));
        Host {
            interactions,
            caller,
            directory,
        }
    }

    pub(crate) async fn write(&self, write: Write) -> Result<WriteAnswer, InteractionError> {
        self.interactions.write(&self.caller, write).await
    }

    pub(crate) async fn create(&self, text: &str, if_none_exist: Option<&str>) -> String {
        let resource = document(text);
        let name = resource
            .root()
            .get("resourceType")
            .unwrap()
            .as_str()
            .unwrap()
            .into_owned();
        let if_none_exist = if_none_exist.map(str::to_owned);
        written(
            &self
                .write(Write::Create {
                    resource_type: name,
                    resource,
                    if_none_exist,
                })
                .await,
        )
    }

    pub(crate) async fn put(&self, place: &str, text: &str, if_match: &[&str]) -> String {
        let if_match = if_match.iter().map(|&it| it.to_owned()).collect();
        let (key, resource) = (key(place), document(text));
        written(
            &self
                .write(Write::Update {
                    key,
                    resource,
                    if_match,
                    only_create: false,
                })
                .await,
        )
    }

    pub(crate) async fn delete(&self, place: &str) -> String {
        written(
            &self
                .write(Write::Delete {
                    key: key(place),
                    if_match: Vec::new(),
                })
                .await,
        )
    }

    pub(crate) async fn read(&self, place: &str) -> String {
        match self.interactions.read(&self.caller, &key(place)).await {
            Ok(ReadOutcome::Found(it)) => content(&it.json()),
            Ok(ReadOutcome::Deleted(it)) => format!("deleted v{}", it.version),
            Err(error) => issues(&error),
        }
    }

    pub(crate) async fn run(&self, bundle: &str) -> Result<Bundle, InteractionError> {
        self.interactions
            .bundle(&self.caller, document(bundle))
            .await
    }

    /// A bundle's answers, a line each.
    pub(crate) async fn answers(&self, bundle: &str) -> String {
        match self.run(bundle).await {
            Err(error) => issues(&error),
            Ok(bundle) => {
                let shown = bundle.entries.into_iter().map(|it| match it.answer {
                    Ok(EntryAnswer::Written(answer)) => written(&Ok(answer)),
                    Ok(EntryAnswer::Read(ReadOutcome::Found(it))) => {
                        format!("read v{}", it.version)
                    }
                    Ok(EntryAnswer::Read(ReadOutcome::Deleted(_))) => "read deleted".to_owned(),
                    Ok(EntryAnswer::NotModified(it)) => format!("not modified v{}", it.version),
                    Ok(EntryAnswer::Found(it)) => format!("found {}", it.entries.len()),
                    Ok(EntryAnswer::Told(json)) => String::from_utf8_lossy(&json).into_owned(),
                    Err(error) => issues(&error),
                });
                shown.collect::<Vec<_>>().join("\n")
            }
        }
    }

    pub(crate) async fn search(&self, resource_type: &str, query: &str) -> SearchAnswer {
        let within = Within::Type(resource_type.to_owned());
        self.interactions
            .search(&self.caller, within, query, Handling::default())
            .await
            .unwrap()
    }

    pub(crate) async fn count(&self, resource_type: &str) -> u64 {
        self.search(resource_type, "_summary=count")
            .await
            .total
            .unwrap()
    }
}

/// Effect, type and version; ids that the server chose are left out.
pub(crate) fn written(answer: &Result<WriteAnswer, InteractionError>) -> String {
    match answer {
        Err(error) => issues(error),
        Ok(answer) => match (&answer.resource, &answer.deleted) {
            (Some(it), _) => {
                format!(
                    "{:?} {} v{}",
                    answer.effect, it.key.resource_type, it.version
                )
            }
            (_, Some(it)) => format!("{:?} v{}", answer.effect, it.version),
            _ => format!("{:?}", answer.effect),
        },
    }
}

pub(crate) fn issues(error: &InteractionError) -> String {
    let shown = |it: &Issue| format!("{:?} [{}] {}", it.fault, it.expression.join(" "), it.what);
    error
        .issues
        .iter()
        .map(shown)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The JSON with `lastUpdated` as a dash.
fn content(json: &[u8]) -> String {
    let text = std::str::from_utf8(json).unwrap();
    let (before, rest) = text.split_once(r#""lastUpdated":""#).unwrap();
    let (time, after) = rest.split_once('"').unwrap();
    assert_eq!(
        time.len(),
        "2026-11-23T00:00:00.000000Z".len(),
        "microseconds"
    );
    format!(r#"{before}"lastUpdated":"-"{after}"#)
}

/// The resources of a page, as `Type/id`.
pub(crate) fn ids(answer: &SearchAnswer) -> Vec<String> {
    let shown = answer.entries.iter().map(|it| match it {
        Matched::Resource { resource, .. } => resource.key.to_string(),
        Matched::Contained { container, id, .. } => format!("{container}#{id}"),
        Matched::Deleted(deleted) => format!("-{}", deleted.key),
    });
    shown.collect()
}

/// How often a sweep runs: `ISTHMUS_LONG` asks for the long ones.
pub(crate) fn sweep(short: usize, long: usize) -> usize {
    if std::env::var_os("ISTHMUS_LONG").is_some() {
        long
    } else {
        short
    }
}
