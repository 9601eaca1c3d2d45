//! Writes that become one commit: what each asks for, and where its resource lies.
//!
//! A single write is a job of one task; a transaction is a job of many. Nothing is decided here.

use std::sync::Arc;

use fhir::Issue;
use fhir::json::{Document, Value};
use store::{NamedChange, Precondition};

use crate::{Caller, InteractionError, ResourceKey, Write, lenience};

/// Writes that become one commit.
pub(crate) struct Job {
    /// The writes, in the order in which the standard wants them processed.
    pub(crate) tasks: Vec<Task>,
    /// Their resources.
    pub(crate) source: Source,
    /// What was mended in them.
    pub(crate) mended: Arc<[Issue]>,
    /// What else the commit does.
    pub(crate) beside: Beside,
}

/// Changes of named rows that belong to a job, and what must hold for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// The changes.
    pub(crate) named: Vec<NamedChange>,
    /// What must hold.
    pub(crate) preconditions: Vec<Precondition>,
}

/// One write of a job.
pub(crate) struct Task {
    /// What it asks for.
    pub(crate) intent: Intent,
    /// Which of the source's resources is its own.
    pub(crate) resource: Option<usize>,
    /// The entry's place in its bundle (`Bundle.entry[3]`); empty for a write of its own.
    pub(crate) place: String,
    /// The entry's `fullUrl`.
    pub(crate) full_url: Option<Box<str>>,
}

/// What a write asks for, apart from its resource.
pub(crate) enum Intent {
    Create {
        resource_type: Box<str>,
        if_none_exist: Option<String>,
    },
    Update {
        key: ResourceKey,
        if_match: Vec<String>,
        only_create: bool,
    },
    UpdateWhere {
        resource_type: Box<str>,
        criteria: String,
        if_match: Vec<String>,
    },
    Delete {
        key: ResourceKey,
        if_match: Vec<String>,
    },
    DeleteWhere {
        resource_type: Box<str>,
        criteria: String,
        multiple: bool,
    },
    Purge(ResourceKey),
    PurgeHistory(ResourceKey),
}

/// Where the resources of a job lie.
pub(crate) enum Source {
    /// Each document is one.
    Documents(Vec<Document>),
    /// They are the resources in a Bundle's entries.
    Entries(Arc<Document>),
}

impl Source {
    /// The resources by number.
    pub(crate) fn resources(&self) -> Vec<Option<Value<'_>>> {
        match self {
            Self::Documents(documents) => documents.iter().map(|it| Some(it.root())).collect(),
            Self::Entries(bundle) => {
                let entries = bundle.root().get("entry");
                let items = entries.into_iter().flat_map(Value::items);
                items.map(|entry| entry.get("resource")).collect()
            }
        }
    }

    /// How much text there is to work through.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Documents(documents) => documents.iter().map(|it| it.text().len()).sum(),
            Self::Entries(bundle) => bundle.text().len(),
        }
    }
}

impl Intent {
    /// The type of the resource concerned.
    pub(crate) fn resource_type(&self) -> &str {
        match self {
            Self::Create { resource_type, .. }
            | Self::UpdateWhere { resource_type, .. }
            | Self::DeleteWhere { resource_type, .. } => resource_type,
            Self::Update { key, .. }
            | Self::Delete { key, .. }
            | Self::Purge(key)
            | Self::PurgeHistory(key) => &key.resource_type,
        }
    }

    /// The raw criteria, if the write is conditional on a search.
    pub(crate) fn criteria(&self) -> Option<&str> {
        match self {
            Self::Create { if_none_exist, .. } => if_none_exist.as_deref(),
            Self::UpdateWhere { criteria, .. } | Self::DeleteWhere { criteria, .. } => {
                Some(criteria)
            }
            _ => None,
        }
    }

    /// The resource that the write names itself and whose present state matters to it.
    pub(crate) fn key(&self) -> Option<&ResourceKey> {
        match self {
            Self::Update { key, .. }
            | Self::Delete { key, .. }
            | Self::Purge(key)
            | Self::PurgeHistory(key) => Some(key),
            Self::Create { .. } | Self::UpdateWhere { .. } | Self::DeleteWhere { .. } => None,
        }
    }
}

impl Job {
    /// The job of a single write.
    pub(crate) fn of(caller: &Caller, write: Write) -> Result<Self, InteractionError> {
        let (intent, document) = take_apart(write);
        let (document, mended) = match document {
            Some(document) => {
                let (document, mended) = lenience::mended(caller, document)?;
                (Some(document), mended)
            }
            None => (None, Vec::new()),
        };
        let resource = document.as_ref().map(|_| 0);
        let source = Source::Documents(document.into_iter().collect());
        let (place, full_url) = (String::new(), None);
        let task = Task {
            intent,
            resource,
            place,
            full_url,
        };
        Ok(Self {
            tasks: vec![task],
            source,
            mended: mended.into(),
            beside: Beside::default(),
        })
    }
}

#[rustfmt::skip]
fn take_apart(write: Write) -> (Intent, Option<Document>) {
    match write {
        Write::Create { resource_type, resource, if_none_exist } => {
            let resource_type = resource_type.into();
            (Intent::Create { resource_type, if_none_exist }, Some(resource))
        }
        Write::Update { key, resource, if_match, only_create } => {
            (Intent::Update { key, if_match, only_create }, Some(resource))
        }
        Write::UpdateWhere { resource_type, criteria, resource, if_match } => {
            let resource_type = resource_type.into();
            (Intent::UpdateWhere { resource_type, criteria, if_match }, Some(resource))
        }
        Write::Delete { key, if_match } => (Intent::Delete { key, if_match }, None),
        Write::DeleteWhere { resource_type, criteria, multiple } => {
            let resource_type = resource_type.into();
            (Intent::DeleteWhere { resource_type, criteria, multiple }, None)
        }
        Write::Purge(key) => (Intent::Purge(key), None),
        Write::PurgeHistory(key) => (Intent::PurgeHistory(key), None),
    }
}
