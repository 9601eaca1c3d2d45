//! HTTP: FHIR REST, health, metrics and administration over `interactions`.
//!
//! A handler only asks and renders; what an interaction *means* is `interactions`' business, and
//! this crate knows no provider. Routing is one table (`router`), errors leave through another
//! ([`outcome`]), bodies stream within named limits ([`Limits`]).
//! <https://hl7.org/fhir/R4/http.html>, <https://hl7.org/fhir/STU3/http.html>

mod admin;
mod answer;
mod binary;
mod body;
mod capability;
mod channels;
mod conditions;
mod connection;
mod controls;
mod definitions;
mod destinations;
mod encoding;
mod limits;
mod links;
mod media;
mod metrics;
pub mod outcome;
mod pages;
mod query;
mod rejection;
mod rest;
mod router;
mod serve;
mod service;
mod splice;
mod subset;

pub use limits::Limits;
pub use metrics::MoreMetrics;
pub use rest::ORIGIN;
pub use serve::serve;

/// How the server behaves.
#[derive(Default)]
pub struct Config {
    /// Its limits.
    pub limits: Limits,
    /// Scheme, host and port in links (`https://fhir.example`); `None` for the request's own.
    pub base_url: Option<String>,
    /// Metrics of others, printed with ours.
    pub more_metrics: Option<MoreMetrics>,
    /// Whether whoever administers may see the texts of HL7 v2 messages; everybody if there is none.
    pub may_see_messages: Option<MaySee>,
}

/// Decides whether texts of messages are shown.
pub type MaySee = Box<dyn Fn() -> bool + Send + Sync>;
