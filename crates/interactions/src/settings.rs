//! Policies and limits of interactions, by name.

use std::collections::BTreeMap;

use fhir::{FhirVersion, fhirpath};
use search::reference::Bases;

use crate::salt::Salts;

/// Policies and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether clients may choose ids by updating what does not exist.
    pub update_as_create: PerType<UpdateAsCreate>,
    /// Whether references to resources here must lead to something, on write and on delete.
    pub integrity: Integrity,
    /// How updates use versions.
    pub versioning: PerType<Versioning>,
    /// Entries of one bundle.
    pub bundle_entries_max: usize,
    /// Resources that one conditional delete may delete.
    pub conditional_delete_max: usize,
    /// Criteria that one commit may depend on: conditional entries and references.
    pub commit_criteria_max: usize,
    /// Resources that the criteria of one commit may match together.
    pub commit_matches_max: usize,
    /// Bytes of bundles that are worked on at a time; others wait.
    pub work_bytes_max: usize,
    /// Resources per page when `_count` is not given.
    pub page_size: usize,
    /// Resources per page at most.
    pub page_size_max: usize,
    /// Resources that a page may include besides its matches.
    pub includes_per_page_max: usize,
    /// Bytes of definitions of codes, and of answers from them, that are kept of all tenants.
    pub terminology_cache_bytes: usize,
    /// Resources that a step of a job works on.
    pub job_step_resources: usize,
    /// How often an interaction is prepared again when criteria turned stale.
    pub stale_retries_max: usize,
    /// Issues reported of one resource.
    pub issues_max: usize,
    /// What an expression of `$fhirpath` may cost.
    pub fhirpath: fhirpath::Limits,
    /// Bytes of the result of one `$fhirpath`.
    pub fhirpath_output_bytes_max: usize,
    /// Bases under which absolute references count as references to this server
    /// (`http://localhost:8080/fhir/r4`).
    pub own_bases: Vec<String>,
    /// The secrets of tenants' ids.
    pub ids_salts: Salts,
    /// Whether channels may be reached from other machines by senders that are not asked who they are.
    pub allow_unauthenticated: bool,
}

impl Settings {
    /// The bases of one FHIR version: those that end with its slug (`…/fhir/r4`).
    pub(crate) fn bases(&self, version: FhirVersion) -> Bases {
        let is_of_version = |base: &&str| base.trim_end_matches('/').ends_with(version.slug());
        Bases::new(
            self.own_bases
                .iter()
                .map(String::as_str)
                .filter(is_of_version),
        )
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            update_as_create: UpdateAsCreate::Allowed.into(),
            integrity: Integrity::Off,
            versioning: Versioning::Versioned.into(),
            bundle_entries_max: 50_000,
            conditional_delete_max: 1_000,
            commit_criteria_max: 20_000,
            commit_matches_max: 20_000,
            work_bytes_max: 4 << 20,
            page_size: 50,
            page_size_max: 1_000,
            includes_per_page_max: 1_000,
            terminology_cache_bytes: 64 << 20,
            job_step_resources: 500,
            stale_retries_max: 10,
            issues_max: 100,
            fhirpath: fhirpath::Limits::DEFAULT,
            fhirpath_output_bytes_max: 16 << 20,
            own_bases: Vec::new(),
            ids_salts: Salts::default(),
            allow_unauthenticated: false,
        }
    }
}

/// A policy for all resource types, with exceptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerType<P> {
    others: P,
    by_type: BTreeMap<Box<str>, P>,
}

impl<P: Copy> PerType<P> {
    /// The policy of a type.
    pub fn of(&self, resource_type: &str) -> P {
        let own = self.by_type.get(resource_type).copied();
        own.unwrap_or(self.others)
    }

    /// Another policy for that type.
    #[must_use]
    pub fn with(mut self, resource_type: &str, policy: P) -> Self {
        self.by_type.insert(resource_type.into(), policy);
        self
    }
}

impl<P> From<P> for PerType<P> {
    fn from(others: P) -> Self {
        Self {
            others,
            by_type: BTreeMap::new(),
        }
    }
}

/// Whether `PUT` may create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateAsCreate {
    /// Any client-assigned id.
    Allowed,
    /// Client-assigned ids must not consist of digits alone.
    NotNumeric,
    /// Never: 405.
    Refused,
}

/// Whether references are kept whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// Neither on write nor on delete.
    Off,
    /// Targets must exist on write.
    OnWrite,
    /// Nothing that is referred to may be deleted.
    OnDelete,
    /// Both.
    Both,
}

/// How updates use versions (`CapabilityStatement.rest.resource.versioning`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// `If-Match` is honoured.
    Versioned,
    /// `If-Match` is demanded for every update.
    VersionedUpdate,
}
