//! Interactions over the embedded store, as data: what is sent, and what comes of it.
//!
//! Without HTTP, which is the server's; without the store's own promises, which `store::conformance`
//! checks.

mod bundles;
mod conditional;
mod harness;
mod history;
mod hostile;
mod idempotency;
mod paging;
mod races;
mod single;
mod synthea;
