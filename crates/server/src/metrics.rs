//! Counters of the HTTP surface, and of questions about codes, in Prometheus' text format.
//!
//! Labels are method, the route's template and status: never a URL, an id or a tenant.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use interactions::TerminologyUse;

use crate::router::{self, Route};

/// Further metrics, appended as text when `/metrics` is asked for (the store's, the process's).
pub type MoreMetrics = Box<dyn Fn(&mut String) + Send + Sync>;

/// Statuses that are counted apart; the first place is everything else's.
const STATUSES: [u16; 24] = [
    0, 200, 201, 204, 304, 400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 414, 415, 422, 429,
    431, 500, 501, 503, 507,
];

/// Methods that are counted apart; the first place is everything else's.
const METHODS: [&str; 8] = [
    "other", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS",
];

/// Upper bounds of the histogram of durations, in microseconds.
const BOUNDS_MICROS: [u64; 13] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

#[derive(Default)]
struct Histogram {
    /// One for each bound, and one beyond.
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

/// All counters.
pub(crate) struct Metrics {
    requests: Box<[AtomicU64]>,
    durations: Box<[Histogram]>,
    pub(crate) in_flight: AtomicI64,
    pub(crate) connections: AtomicI64,
    pub(crate) sent_bytes: AtomicU64,
}

/// A gauge that is one higher while this lives.
pub(crate) struct Raised<'g>(&'g AtomicI64);

impl<'g> Raised<'g> {
    pub(crate) fn new(gauge: &'g AtomicI64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let routes = router::routes().count();
        let counters = routes * METHODS.len() * STATUSES.len();
        Self {
            requests: (0..counters).map(|_| AtomicU64::new(0)).collect(),
            durations: (0..routes).map(|_| Histogram::default()).collect(),
            in_flight: AtomicI64::new(0),
            connections: AtomicI64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    /// Counts a request that was answered.
    pub(crate) fn answered(
        &self,
        route: &'static Route,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let route = route.place();
        let method = METHODS
            .iter()
            .position(|it| *it == method.as_str())
            .unwrap_or(0);
        let status = STATUSES
            .iter()
            .position(|it| *it == status.as_u16())
            .unwrap_or(0);
        let place = (route * METHODS.len() + method) * STATUSES.len() + status;
        self.requests[place].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let histogram = &self.durations[route];
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        histogram.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        histogram.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Everything as text; `received_bytes` is counted elsewhere.
    pub(crate) fn print(&self, received_bytes: u64) -> String {
        let mut text = String::with_capacity(8 << 10);
        self.print_requests(&mut text);
        self.print_durations(&mut text);
        let gauge = |gauge: &AtomicI64| gauge.load(Ordering::Relaxed).to_string();
        let sent = self.sent_bytes.load(Ordering::Relaxed).to_string();
        for (name, kind, help, value) in [
            (
                "requests_in_flight",
                "gauge",
                "Requests under way.",
                gauge(&self.in_flight),
            ),
            (
                "connections",
                "gauge",
                "Open connections.",
                gauge(&self.connections),
            ),
            (
                "received_body_bytes_total",
                "counter",
                "Bytes of request bodies, as sent.",
                received_bytes.to_string(),
            ),
            (
                "sent_body_bytes_total",
                "counter",
                "Bytes of answers' bodies, as sent.",
                sent,
            ),
        ] {
            heading(&mut text, name, kind, help);
            line(&mut text, format_args!("isthmus_http_{name} {value}"));
        }
        text
    }

    fn print_requests(&self, text: &mut String) {
        heading(text, "requests_total", "counter", "Requests answered.");
        let per_route = METHODS.len() * STATUSES.len();
        for (route, counters) in router::routes().zip(self.requests.chunks(per_route)) {
            for (place, counter) in counters.iter().enumerate() {
                let count = counter.load(Ordering::Relaxed);
                if count == 0 {
                    continue;
                }
                let method = METHODS[place / STATUSES.len()];
                let status = STATUSES[place % STATUSES.len()];
                let route = route.template;
                line(
                    text,
                    format_args!(
                        "isthmus_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
                    ),
                );
            }
        }
    }

    fn print_durations(&self, text: &mut String) {
        let name = "request_duration_seconds";
        heading(
            text,
            name,
            "histogram",
            "Time from a request's head to the head of its answer.",
        );
        for (route, histogram) in router::routes().zip(&self.durations) {
            let route = route.template;
            let counts = histogram
                .buckets
                .each_ref()
                .map(|it| it.load(Ordering::Relaxed));
            let total: u64 = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let mut sum = 0;
            for (count, bound) in counts.iter().zip(BOUNDS_MICROS) {
                sum += count;
                let bound = seconds(bound);
                line(
                    text,
                    format_args!(
                        "isthmus_http_{name}_bucket{{route=\"{route}\",le=\"{bound}\"}} {sum}"
                    ),
                );
            }
            let took = seconds(histogram.sum_micros.load(Ordering::Relaxed));
            line(
                text,
                format_args!("isthmus_http_{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {total}"),
            );
            line(
                text,
                format_args!("isthmus_http_{name}_sum{{route=\"{route}\"}} {took}"),
            );
            line(
                text,
                format_args!("isthmus_http_{name}_count{{route=\"{route}\"}} {total}"),
            );
        }
    }
}

/// What questions about codes have used.
pub(crate) fn print_terminology(text: &mut String, used: &TerminologyUse) {
    for (name, kind, help, value) in [
        (
            "cache_entries",
            "gauge",
            "Definitions and answers kept.",
            used.entries as u64,
        ),
        (
            "cache_bytes",
            "gauge",
            "Bytes of what is kept, about.",
            used.bytes as u64,
        ),
        (
            "cache_hits_total",
            "counter",
            "Questions of searches whose answer was kept.",
            used.hits,
        ),
        (
            "cache_misses_total",
            "counter",
            "Questions of searches whose answer had to be found.",
            used.misses,
        ),
        (
            "table_read_bytes_total",
            "counter",
            "Bytes read of the tables of large code systems.",
            used.table_read_bytes,
        ),
    ] {
        let name = format!("isthmus_terminology_{name}");
        line(text, format_args!("# HELP {name} {help}"));
        line(text, format_args!("# TYPE {name} {kind}"));
        line(text, format_args!("{name} {value}"));
    }
}

/// Microseconds as a decimal number of seconds.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn heading(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP isthmus_http_{name} {help}"));
    line(text, format_args!("# TYPE isthmus_http_{name} {kind}"));
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("writing to a String does not fail");
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_method_route_and_status() {
        let metrics = Metrics::new();
        let routed = router::route(&Method::GET, "/fhir/r4/Patient/secret-id");
        let took = Duration::from_micros(300);
        metrics.answered(routed.route, &Method::GET, StatusCode::OK, took);
        metrics.answered(routed.route, &Method::GET, StatusCode::IM_A_TEAPOT, took);
        let text = metrics.print(7);
        let labels = "method=\"GET\",route=\"/fhir/{version}/{type}/{id}\"";
        assert!(text.contains(&format!("requests_total{{{labels},status=\"200\"}} 1\n")));
        assert!(text.contains(&format!("requests_total{{{labels},status=\"0\"}} 1\n")));
        assert!(text.contains("{route=\"/fhir/{version}/{type}/{id}\",le=\"0.000500\"} 2\n"));
        assert!(text.contains("isthmus_http_received_body_bytes_total 7\n"));
        assert!(!text.contains("secret-id"));
    }

    #[test]
    fn every_status_of_the_outcome_table_is_counted_apart() {
        let faults = [
            fhir::Fault::StorageFull,
            fhir::Fault::Throttled,
            fhir::Fault::Internal,
        ];
        for fault in faults {
            let status = crate::outcome::told(fault, fhir::FhirVersion::R4).status;
            assert!(STATUSES.contains(&status.as_u16()), "{status}");
        }
    }
}
