//! Who asks, and what is asked for.

use std::fmt;
use std::sync::Arc;

use fhir::{FhirVersion, ResourceId};
use search::compile::Visibility;
use search::query::Handling;
use store::{Origin, TenantId};

/// On whose behalf an interaction runs.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant.
    pub tenant: TenantId,
    /// The FHIR version spoken.
    pub version: FhirVersion,
    /// Who it is: keeps idempotency keys of different callers apart.
    pub identity: Box<str>,
    /// Where changes come from, for the ledger.
    pub origin: Origin,
    /// The key that makes this request repeatable (`Idempotency-Key`), with the hash of its content.
    pub idempotency: Option<(Box<str>, [u8; 32])>,
    /// How strictly content is taken (`Prefer: handling`): a lenient caller's brackets are mended and
    /// malformed values are warnings.
    pub handling: Handling,
    /// What the caller may see.
    pub visibility: Arc<Visibility>,
}

/// The place of a resource: a type that exists in the caller's version, and an id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceKey {
    /// The type's name.
    pub resource_type: Box<str>,
    /// The id.
    pub id: ResourceId,
}

impl fmt::Debug for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/[id]", self.resource_type)
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}
