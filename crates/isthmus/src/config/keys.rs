//! The table of settings.

use super::Key;
use super::value::Form;

const fn key(name: &'static str, form: Form, default: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        form,
        default,
        doc,
    }
}

/// Every setting; documentation, flags, environment variables and `isthmus config` come from here.
pub(crate) const KEYS: &[Key] = &[
    key(
        "data",
        Form::Path,
        "./isthmus-data",
        "directory of the embedded store",
    ),
    key(
        "listen",
        Form::Address,
        "127.0.0.1:8080",
        "address and port of HTTP",
    ),
    key(
        "base_url",
        Form::Text,
        "auto",
        "scheme and host in links; auto takes the request's host",
    ),
    key(
        "allow_unauthenticated",
        Form::Switch,
        "false",
        "listen beyond the loopback although nobody is asked who they are",
    ),
    key(
        "log.level",
        Form::Choice(&["error", "warn", "info", "debug"]),
        "info",
        "what is logged",
    ),
    key(
        "log.format",
        Form::Choice(&["text", "json"]),
        "text",
        "how it is logged",
    ),
    key(
        "fhir.update_as_create",
        Form::Policy(&["allowed", "not-numeric", "refused"]),
        "allowed",
        "whether PUT may create with an id chosen by the client",
    ),
    key(
        "fhir.integrity",
        Form::Choice(&["off", "on-write", "on-delete", "both"]),
        "off",
        "whether references must lead to something, on write and on delete",
    ),
    key(
        "fhir.versioning",
        Form::Policy(&["versioned", "versioned-update"]),
        "versioned",
        "whether an update must carry If-Match",
    ),
    key(
        "fhir.bundle_entries_max",
        Form::Count,
        "50000",
        "entries of one bundle",
    ),
    key(
        "fhir.conditional_delete_max",
        Form::Count,
        "1000",
        "resources that one conditional delete may delete",
    ),
    key(
        "fhir.page_size",
        Form::Count,
        "50",
        "resources per page without _count",
    ),
    key(
        "fhir.page_size_max",
        Form::Count,
        "1000",
        "resources per page at most",
    ),
    key(
        "fhir.includes_per_page_max",
        Form::Count,
        "1000",
        "resources that a page may include besides its matches",
    ),
    key(
        "fhir.issues_max",
        Form::Count,
        "100",
        "issues reported of one resource",
    ),
    key(
        "fhir.commit_criteria_max",
        Form::Count,
        "20000",
        "criteria that one commit may depend on",
    ),
    key(
        "fhir.commit_matches_max",
        Form::Count,
        "20000",
        "matches that one commit may depend on",
    ),
    key(
        "fhir.work_bytes_max",
        Form::Bytes,
        "4M",
        "bytes of bundles that are worked on at a time; others wait",
    ),
    key(
        "fhir.fhirpath_steps_max",
        Form::Count,
        "5000000",
        "steps of one evaluation of `$fhirpath`",
    ),
    key(
        "fhir.fhirpath_depth_max",
        Form::Count,
        "150",
        "nesting of an expression of `$fhirpath`",
    ),
    key(
        "fhir.fhirpath_items_max",
        Form::Count,
        "200000",
        "items of any collection in `$fhirpath`",
    ),
    key(
        "fhir.fhirpath_output_bytes_max",
        Form::Bytes,
        "16M",
        "bytes of the result of `$fhirpath`",
    ),
    key(
        "fhir.terminology_cache_bytes",
        Form::Bytes,
        "64M",
        "value sets and code systems kept in memory, of all tenants",
    ),
    key(
        "fhir.stale_retries_max",
        Form::Count,
        "10",
        "how often a write is prepared again whose criteria match anew meanwhile",
    ),
    key(
        "jobs.step_resources",
        Form::Count,
        "500",
        "resources that a background job works on between two notes of its progress",
    ),
    key(
        "jobs.pause_ms",
        Form::Milliseconds,
        "0",
        "time that a background job leaves to others between two steps",
    ),
    key(
        "convert.timeout_ms",
        Form::Milliseconds,
        "30000",
        "how long one conversion may take",
    ),
    key(
        "convert.libraries_bytes_max",
        Form::Bytes,
        "256M",
        "bytes of compiled template libraries that are kept",
    ),
    key(
        "limits.body_bytes_max",
        Form::Bytes,
        "64M",
        "bytes of a request's body, decompressed",
    ),
    key(
        "limits.bodies_in_memory_bytes_max",
        Form::Bytes,
        "256M",
        "bytes of all requests' bodies at one time",
    ),
    key("limits.url_bytes_max", Form::Bytes, "16k", "bytes of a URL"),
    key(
        "limits.header_bytes_max",
        Form::Bytes,
        "32k",
        "bytes of a request's headers",
    ),
    key(
        "limits.connections_max",
        Form::Count,
        "1024",
        "open connections",
    ),
    key(
        "limits.requests_max",
        Form::Count,
        "512",
        "requests under way",
    ),
    key(
        "limits.header_read_timeout_ms",
        Form::Milliseconds,
        "10000",
        "time to send the headers",
    ),
    key(
        "limits.body_read_timeout_ms",
        Form::Milliseconds,
        "30000",
        "time between parts of a body",
    ),
    key(
        "limits.idle_timeout_ms",
        Form::Milliseconds,
        "75000",
        "time a connection may be idle",
    ),
    key(
        "limits.response_write_timeout_ms",
        Form::Milliseconds,
        "30000",
        "time a client may take nothing of its answer",
    ),
    key(
        "limits.request_timeout_ms",
        Form::Milliseconds,
        "300000",
        "time for one request",
    ),
    key(
        "limits.shutdown_grace_ms",
        Form::Milliseconds,
        "30000",
        "time to finish when stopping",
    ),
    key(
        "store.cache_bytes",
        Form::Bytes,
        "64M",
        "cache of the embedded store",
    ),
    key(
        "store.record_cache_bytes",
        Form::Bytes,
        "64M",
        "records read lately, of all tenants",
    ),
    key(
        "store.search_steps_max",
        Form::Count,
        "200000000",
        "work of one search: postings read, and records looked at, each as several of them",
    ),
    key(
        "store.criteria_steps_max",
        Form::Count,
        "20000000",
        "the same of criteria that are checked again in a commit",
    ),
    key(
        "store.write_buffer_bytes",
        Form::Bytes,
        "32M",
        "unflushed writes of all tenants",
    ),
    key(
        "store.open_tenants_max",
        Form::Count,
        "256",
        "tenants kept open at one time",
    ),
];
