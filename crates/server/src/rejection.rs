//! Why a request was not fulfilled: the one way out of every handler.

use fhir::{Fault, FhirVersion, Issue};
use http::StatusCode;
use interactions::InteractionError;
use store::StoreError;

use crate::outcome;

/// A refused or failed request, before it is rendered.
#[derive(Debug)]
pub(crate) struct Rejection {
    /// What the client is told; the first decides the status.
    pub(crate) issues: Vec<Issue>,
    /// For the log only.
    pub(crate) cause: Option<String>,
    /// The methods that the URL has, where another was used.
    pub(crate) allow: Option<String>,
    /// HTTP has several statuses for too large: of the URL 414, of the headers 431.
    pub(crate) status: Option<StatusCode>,
}

impl Rejection {
    pub(crate) fn status(&self, version: FhirVersion) -> StatusCode {
        let first = self
            .issues
            .first()
            .map_or(Fault::Internal, |issue| issue.fault);
        let told = || outcome::told(first, version).status;
        self.status.unwrap_or_else(told)
    }

    /// Whether there was no waiting in vain, so that a little more may be waited for.
    pub(crate) fn comes_in_time(&self) -> bool {
        self.issues
            .first()
            .is_some_and(|issue| issue.fault != Fault::Timeout)
    }

    /// Whether asking again later may help.
    pub(crate) fn is_temporary(&self) -> bool {
        let temporary = |fault| matches!(fault, Fault::Throttled | Fault::Unavailable);
        self.issues
            .first()
            .is_some_and(|issue| temporary(issue.fault))
    }

    /// The status of a write that was only to create, where the resource is there already.
    pub(crate) fn exists(&self) -> Option<StatusCode> {
        let first = self.issues.first().map(|issue| issue.fault);
        (first == Some(Fault::VersionMismatch)).then_some(StatusCode::PRECONDITION_FAILED)
    }

    pub(crate) fn with_status(issue: Issue, status: StatusCode) -> Self {
        Self {
            status: Some(status),
            ..issue.into()
        }
    }
}

impl From<Issue> for Rejection {
    fn from(issue: Issue) -> Self {
        Self {
            issues: vec![issue],
            cause: None,
            allow: None,
            status: None,
        }
    }
}

impl From<InteractionError> for Rejection {
    fn from(error: InteractionError) -> Self {
        Self {
            issues: error.issues,
            cause: error.cause,
            allow: None,
            status: None,
        }
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        InteractionError::from(&error).into()
    }
}
