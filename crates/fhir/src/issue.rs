//! What a client can be told: faults, and issues that say where, what and how to mend it.
//!
//! The table that turns a fault into an issue code and an HTTP status is the server's; building an
//! OperationOutcome happens in one place as well. Nothing here holds a value taken from a resource.

/// Everything that can be wrong with what a client asked for, or that can go wrong on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The body is not well-formed JSON or XML, or a name, type or cardinality is wrong.
    Structure,
    /// An element or parameter that must be there is missing.
    Required,
    /// A value breaks its type's format or its binding.
    Value,
    /// The request itself is malformed: URL, header, parameter.
    Invalid,
    /// A rule of the standard (an invariant, an allowed subset) is broken.
    Invariant,
    /// What was asked for is legal but not offered here.
    NotSupported,
    /// The resource type in the URL does not exist in this FHIR version.
    UnknownType,
    /// The URL leads nowhere, or the tenant does not exist.
    UnknownPath,
    /// The resource or version does not exist.
    NotFound,
    /// The resource is deleted.
    Deleted,
    /// The method does not exist at this URL.
    MethodNotAllowed,
    /// None of the accepted media types can be produced.
    NotAcceptable,
    /// The body's media type, charset or encoding is not understood.
    UnsupportedMediaType,
    /// A named limit was exceeded.
    TooLarge,
    /// It would take more work than a named limit allows.
    TooCostly,
    /// More requests than a named limit allows.
    Throttled,
    /// The resource was changed meanwhile, or entries of one transaction collide.
    Conflict,
    /// `If-Match` names a version that is not the current one.
    VersionMismatch,
    /// A conditional interaction's criteria match several resources.
    MultipleMatches,
    /// A reference points to nothing, or a delete would break one.
    ReferenceBroken,
    /// The idempotency key was used before with other content.
    KeyReused,
    /// The server's configuration forbids it (client-assigned ids, delete …).
    BusinessRule,
    /// The caller is not known.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The server is starting, stopping or out of a resource: ask again later.
    Unavailable,
    /// The store has no space left.
    StorageFull,
    /// The request took longer than its named limit.
    Timeout,
    /// Our own failure; its cause goes to the log only.
    Internal,
    /// Nothing is wrong: a hint or a confirmation.
    Informational,
}

/// How serious an issue is (`OperationOutcome.issue.severity`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The request could not be fulfilled and the server itself is in trouble.
    Fatal,
    /// The request was refused.
    Error,
    /// The request was fulfilled, yet something is suspicious.
    Warning,
    /// For information.
    Information,
}

/// One issue of an OperationOutcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How serious.
    pub severity: Severity,
    /// What kind of fault; decides issue code and status.
    pub fault: Fault,
    /// Where: FHIRPath locations in the body (`Patient.name[0].given[1]`), or `http.<header>`
    /// and `http.<parameter>` for parts of the request.
    pub expression: Vec<String>,
    /// What is wrong, as one fragment: lower case, no full stop, offending *names* in backticks.
    /// Never a value taken from a resource.
    pub what: String,
    /// How to mend it.
    pub remedy: Option<String>,
}

impl Issue {
    /// An error of that fault.
    pub fn error(fault: Fault, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            fault,
            expression: Vec::new(),
            what: what.into(),
            remedy: None,
        }
    }

    /// A warning.
    pub fn warning(fault: Fault, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(fault, what)
        }
    }

    /// An informational issue.
    pub fn information(what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Information,
            ..Self::error(Fault::Informational, what)
        }
    }

    /// The same issue with a location added.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression.push(expression.into());
        self
    }

    /// The same issue with its remedy.
    #[must_use]
    pub fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl From<&crate::json::JsonError> for Issue {
    fn from(error: &crate::json::JsonError) -> Self {
        let fault = if error.limit.is_some() {
            Fault::TooLarge
        } else {
            Fault::Structure
        };
        let issue = Self::error(fault, error.to_string());
        match error.remedy {
            Some(remedy) => issue.mend(remedy),
            None => issue,
        }
    }
}
