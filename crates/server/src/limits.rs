//! The limits of the HTTP surface, by name; each protects the process from slow or huge clients.

use std::time::Duration;

/// Limits with names. The binary fills them from its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request's body, decompressed.
    pub body_bytes_max: usize,
    /// Bytes of all requests' bodies in memory at one time.
    pub bodies_in_memory_bytes_max: usize,
    /// Bytes of a URL.
    pub url_bytes_max: usize,
    /// Bytes of a request's headers, names and values together.
    pub header_bytes_max: usize,
    /// Open connections; further ones wait to be accepted.
    pub connections_max: usize,
    /// Requests under way; further ones are refused with 503 and `Retry-After`.
    pub requests_max: usize,
    /// Time to send a request's headers, from their first byte.
    pub header_read_timeout_ms: u64,
    /// Time between two parts of a request's body.
    pub body_read_timeout_ms: u64,
    /// Time that a client may refuse to take bytes of an answer.
    pub response_write_timeout_ms: u64,
    /// Time that a connection may lie idle.
    pub idle_timeout_ms: u64,
    /// Time for one request, its body included.
    pub request_timeout_ms: u64,
    /// Time to finish what was begun when the server stops.
    pub shutdown_grace_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 << 20,
            bodies_in_memory_bytes_max: 256 << 20,
            url_bytes_max: 16 << 10,
            header_bytes_max: 32 << 10,
            connections_max: 1_024,
            requests_max: 512,
            header_read_timeout_ms: 10_000,
            body_read_timeout_ms: 30_000,
            response_write_timeout_ms: 30_000,
            idle_timeout_ms: 75_000,
            request_timeout_ms: 300_000,
            shutdown_grace_ms: 30_000,
        }
    }
}

impl Limits {
    pub(crate) fn body_read_timeout(&self) -> Duration {
        Duration::from_millis(self.body_read_timeout_ms)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    pub(crate) fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}
