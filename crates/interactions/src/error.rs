//! Why an interaction did not happen.

use fhir::{Fault, Issue};
use store::StoreError;

/// An interaction that was refused or failed, as the issues that the client is told.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .issues.first().map_or("refused", |issue| issue.what.as_str()))]
pub struct InteractionError {
    /// Everything wrong; never empty. The first decides the status.
    pub issues: Vec<Issue>,
    /// For the log only: the cause of an internal failure, free of content.
    pub cause: Option<String>,
}

impl From<Issue> for InteractionError {
    fn from(issue: Issue) -> Self {
        Self {
            issues: vec![issue],
            cause: None,
        }
    }
}

impl From<&StoreError> for InteractionError {
    fn from(error: &StoreError) -> Self {
        let _ = (error, Fault::Internal);
        unimplemented!()
    }
}
