//! Why an interaction did not happen: the store's errors as what a client can be told.

use fhir::{Fault, Issue};
use store::{PreconditionFailure, StoreError};

/// An interaction that was refused or failed, as the issues that the client is told.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .issues.first().map_or("refused", |issue| issue.what.as_str()))]
pub struct InteractionError {
    /// Everything wrong; never empty. The first decides the status.
    pub issues: Vec<Issue>,
    /// For the log only: the cause of an internal failure, free of content.
    pub cause: Option<String>,
}

impl InteractionError {
    /// Our own failure; the cause is for the log.
    pub(crate) fn internal(cause: &str) -> Self {
        let issues = vec![Issue::error(Fault::Internal, "the server failed")];
        Self {
            issues,
            cause: Some(cause.to_owned()),
        }
    }

    /// The same error, its issues placed in an entry of a bundle.
    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        for issue in self.issues.iter_mut().filter(|_| !place.is_empty()) {
            if !issue
                .expression
                .iter()
                .any(|it| it.starts_with("Bundle.entry["))
            {
                issue.expression.insert(0, place.to_owned());
            }
        }
        self
    }
}

impl From<Issue> for InteractionError {
    fn from(issue: Issue) -> Self {
        Self {
            issues: vec![issue],
            cause: None,
        }
    }
}

impl From<Vec<Issue>> for InteractionError {
    fn from(issues: Vec<Issue>) -> Self {
        Self {
            issues,
            cause: None,
        }
    }
}

impl From<StoreError> for InteractionError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for InteractionError {
    fn from(error: &StoreError) -> Self {
        let fault = fault(error);
        let what = match fault {
            Fault::Internal => "the server failed".to_owned(),
            _ => error.to_string(),
        };
        let issue = Issue::error(fault, what);
        let issue = match remedy(error) {
            Some(remedy) => issue.mend(remedy),
            None => issue,
        };
        let is_ours = matches!(
            fault,
            Fault::Internal | Fault::Unavailable | Fault::StorageFull
        );
        let cause = is_ours.then(|| match error {
            StoreError::Backend(cause) => cause.clone(),
            other => other.to_string(),
        });
        Self {
            issues: vec![issue],
            cause,
        }
    }
}

fn fault(error: &StoreError) -> Fault {
    match error {
        StoreError::UnknownTenant => Fault::UnknownPath,
        StoreError::TenantExists
        | StoreError::TenantNotEmpty
        | StoreError::Stale
        | StoreError::DuplicateChange { .. } => Fault::Conflict,
        StoreError::UnknownPosition | StoreError::NotNewest => Fault::Invalid,
        StoreError::Precondition { failure, .. } => precondition(*failure),
        StoreError::KeyReused => Fault::KeyReused,
        StoreError::LimitExceeded { .. } => Fault::TooLarge,
        StoreError::TooCostly { .. } => Fault::TooCostly,
        StoreError::Full => Fault::StorageFull,
        StoreError::OutcomeUnknown | StoreError::Unavailable(_) | StoreError::Locked { .. } => {
            Fault::Unavailable
        }
        StoreError::UnknownBlob { .. }
        | StoreError::Corrupt(_)
        | StoreError::Format { .. }
        | StoreError::Backend(_) => Fault::Internal,
    }
}

fn precondition(failure: PreconditionFailure) -> Fault {
    match failure {
        PreconditionFailure::Exists | PreconditionFailure::Named => Fault::Conflict,
        PreconditionFailure::Missing => Fault::NotFound,
        PreconditionFailure::Deleted { .. } => Fault::Deleted,
        PreconditionFailure::Version => Fault::VersionMismatch,
        PreconditionFailure::BrokenReference | PreconditionFailure::Referenced => {
            Fault::ReferenceBroken
        }
    }
}

fn remedy(error: &StoreError) -> Option<&'static str> {
    Some(match error {
        StoreError::Stale => "others are writing the same resources: try again",
        StoreError::TooCostly { .. } => {
            "add a criterion that few resources meet; `_explain=true` tells what each one finds"
        }
        StoreError::KeyReused => "use a new key for a new request",
        StoreError::OutcomeUnknown => {
            "repeat the request with the same `Idempotency-Key`, or read what is there now"
        }
        StoreError::Unavailable(_) | StoreError::Locked { .. } => "try again later",
        StoreError::Precondition {
            failure: PreconditionFailure::BrokenReference,
            ..
        } => "write the resource that is referred to first, or both in one transaction",
        StoreError::Precondition {
            failure: PreconditionFailure::Referenced,
            ..
        } => "delete or change the resources that refer to it first",
        _ => return None,
    })
}
