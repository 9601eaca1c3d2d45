//! Why an expression cannot be walked.

use fhir::fhirpath::ParseError;

/// Why the expression of a search parameter cannot be compiled for a resource type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramFault {
    /// It is no FHIRPath of this version.
    #[error("{0}")]
    Parse(ParseError),
    /// There is nothing of that name or type.
    #[error("`{0}` can yield nothing")]
    YieldsNothing(String),
    /// It yields something, but nothing that a parameter of this type can index.
    #[error("{types} cannot be searched by a parameter of type {search_type}")]
    WrongTypes {
        /// What it yields.
        types: String,
        /// The type of the parameter.
        search_type: &'static str,
    },
    /// No alternative begins at the resource type.
    #[error("no part of the expression begins at `{0}`")]
    OtherType(&'static str),
    /// It is outside of what can be walked.
    #[error("{0} is not supported in the expression of a search parameter")]
    NotWalkable(String),
    /// The parameter of a component is not there.
    #[error("the definition `{0}` of a component is unknown")]
    UnknownComponent(&'static str),
}
