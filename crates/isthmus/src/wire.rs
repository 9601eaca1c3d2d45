//! Builds everything by plain calls: store, interactions, server. The only place that names a
//! provider.

mod admin;
mod libraries;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use admin::Admin;
use agents::conversion::{self, Conversions};
use agents::mllp::{Libraries, Metrics, Service};
use anyhow::Context;
use fhir::{FhirVersion, Issue};
use interactions::{
    Integrity, Interactions, PerType, SPACES, Settings, UpdateAsCreate, Versioning,
};
use server::Limits;
use store::{Finding, Store, TenantId};
use store_embedded::{EmbeddedStore, Options};

use crate::config::{Config, policy};

/// The runtime that everything asynchronous runs on.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")
}

/// The store that the configuration names, with its default tenant.
pub(crate) async fn store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let folder = Path::new(config.text("data"));
    let opened = EmbeddedStore::open(folder, SPACES, store_options(config));
    let store = opened.with_context(|| format!("{}", folder.display()))?;
    match store.create_tenant(&TenantId::default()).await {
        Ok(()) | Err(store::StoreError::TenantExists) => Ok(Arc::new(store)),
        Err(error) => Err(error.into()),
    }
}

fn store_options(config: &Config) -> Options {
    Options {
        cache_bytes_max: config.number("store.cache_bytes"),
        search_steps_max: config.number("store.search_steps_max"),
        criteria_steps_max: config.number("store.criteria_steps_max"),
        record_cache_bytes_max: config.number("store.record_cache_bytes"),
        memtable_bytes_max: config.number("store.write_buffer_bytes"),
        open_tenants_max: config.size("store.open_tenants_max"),
        ..Options::default()
    }
}

/// Everything damaged in the data directory.
pub(crate) fn check(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let folder = Path::new(config.text("data"));
    anyhow::ensure!(folder.is_dir(), "{} is no directory", folder.display());
    EmbeddedStore::check_directory(folder).with_context(|| format!("{}", folder.display()))
}

/// The interactions over a store.
pub(crate) fn interactions(config: &Config, store: Arc<dyn Store>) -> Interactions {
    with_conversions(config, store).0
}

/// The interactions over a store, and the conversions that they are given.
pub(crate) fn with_conversions(
    config: &Config,
    store: Arc<dyn Store>,
) -> (Interactions, Conversions) {
    let interactions = Interactions::new(store, settings(config));
    let interactions = interactions.with_configured(config.configured().clone());
    let limits = conversion::Limits {
        timeout: Duration::from_millis(config.number("convert.timeout_ms")),
        libraries_bytes_max: config.size("convert.libraries_bytes_max"),
        budgets: convert::Budgets::default(),
    };
    let conversions = Conversions::new(interactions.clone(), limits);
    let interactions = interactions.with_converter(Arc::new(conversions.clone()));
    (interactions, conversions)
}

fn settings(config: &Config) -> Settings {
    Settings {
        update_as_create: per_type(config.text("fhir.update_as_create"), |word| match word {
            "refused" => UpdateAsCreate::Refused,
            "not-numeric" => UpdateAsCreate::NotNumeric,
            _ => UpdateAsCreate::Allowed,
        }),
        integrity: match config.text("fhir.integrity") {
            "on-write" => Integrity::OnWrite,
            "on-delete" => Integrity::OnDelete,
            "both" => Integrity::Both,
            _ => Integrity::Off,
        },
        versioning: per_type(config.text("fhir.versioning"), |word| match word {
            "versioned-update" => Versioning::VersionedUpdate,
            _ => Versioning::Versioned,
        }),
        bundle_entries_max: config.size("fhir.bundle_entries_max"),
        conditional_delete_max: config.size("fhir.conditional_delete_max"),
        page_size: config.size("fhir.page_size"),
        page_size_max: config.size("fhir.page_size_max"),
        includes_per_page_max: config.size("fhir.includes_per_page_max"),
        issues_max: config.size("fhir.issues_max"),
        fhirpath: fhir::fhirpath::Limits {
            steps_max: config.number("fhir.fhirpath_steps_max"),
            depth_max: config.size("fhir.fhirpath_depth_max"),
            items_max: config.size("fhir.fhirpath_items_max"),
            ..fhir::fhirpath::Limits::DEFAULT
        },
        fhirpath_output_bytes_max: config.size("fhir.fhirpath_output_bytes_max"),
        commit_criteria_max: config.size("fhir.commit_criteria_max"),
        commit_matches_max: config.size("fhir.commit_matches_max"),
        work_bytes_max: config.size("fhir.work_bytes_max"),
        terminology_cache_bytes: config.size("fhir.terminology_cache_bytes"),
        job_step_resources: config.size("jobs.step_resources"),
        stale_retries_max: config.size("fhir.stale_retries_max"),
        own_bases: own_bases(config),
        ids_salts: config.ids_salts(),
        allow_unauthenticated: config.is_on("allow_unauthenticated"),
    }
}

/// A policy by resource types, from its text and the meaning of its words.
fn per_type<P: Copy>(text: &str, meaning: impl Fn(&str) -> P) -> PerType<P> {
    let (others, single) = policy(text);
    let others = PerType::from(meaning(others));
    single.fold(others, |all, (name, word)| all.with(name, meaning(word)))
}

/// The bases under which absolute references lead here.
fn own_bases(config: &Config) -> Vec<String> {
    let root = match config.text("base_url") {
        "auto" => format!("http://{}", config.text("listen")),
        url => url.trim_end_matches('/').to_owned(),
    };
    FhirVersion::ALL
        .map(|version| format!("{root}/fhir/{}", version.slug()))
        .into()
}

/// Where channels' libraries come from.
pub(crate) fn libraries(conversions: Conversions) -> Arc<dyn Libraries> {
    Arc::new(libraries::Known::new(conversions))
}

/// The HL7 v2 channels, open, and their counters; the interactions know those of the file.
pub(crate) async fn channels(
    interactions: &Interactions,
    conversions: Conversions,
) -> anyhow::Result<(Service, Metrics)> {
    let metrics = Metrics::default();
    let libraries = libraries(conversions);
    let service = Service::start(interactions.clone(), libraries, metrics.clone());
    Ok((service.await?, metrics))
}

/// The server's settings.
pub(crate) fn server(config: &Config) -> server::Config {
    let limits = Limits {
        body_bytes_max: config.size("limits.body_bytes_max"),
        bodies_in_memory_bytes_max: config.size("limits.bodies_in_memory_bytes_max"),
        url_bytes_max: config.size("limits.url_bytes_max"),
        header_bytes_max: config.size("limits.header_bytes_max"),
        connections_max: config.size("limits.connections_max"),
        requests_max: config.size("limits.requests_max"),
        header_read_timeout_ms: config.number("limits.header_read_timeout_ms"),
        body_read_timeout_ms: config.number("limits.body_read_timeout_ms"),
        idle_timeout_ms: config.number("limits.idle_timeout_ms"),
        response_write_timeout_ms: config.number("limits.response_write_timeout_ms"),
        request_timeout_ms: config.number("limits.request_timeout_ms"),
        shutdown_grace_ms: config.number("limits.shutdown_grace_ms"),
    };
    let base_url = match config.text("base_url") {
        "auto" => None,
        url => Some(url.to_owned()),
    };
    server::Config {
        limits,
        base_url,
        ..server::Config::default()
    }
}

/// An OperationOutcome, as the server renders it.
pub(crate) fn render_outcome(version: FhirVersion, issues: &[Issue]) -> String {
    server::outcome::operation_outcome(issues, version)
}

/// How long a closing store may take.
pub(crate) const CLOSE_PATIENCE: Duration = Duration::from_secs(30);
