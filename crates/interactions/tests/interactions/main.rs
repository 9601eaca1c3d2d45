//! Interactions over the embedded store, as data: what is sent, and what comes of it.
//!
//! Without HTTP, which is the server's; without the store's own promises, which `store::conformance`
//! checks.

#[cfg(test)]
mod bundles;
#[cfg(test)]
mod changed_sources;
#[cfg(test)]
mod conditional;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod history;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod large_codes;
#[cfg(test)]
mod lenient;
#[cfg(test)]
mod libraries;
#[cfg(test)]
mod pages_under_writers;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod races;
#[cfg(test)]
mod reindexing;
#[cfg(test)]
mod searching;
mod single;
#[cfg(test)]
mod synthea;
#[cfg(test)]
mod terminology;
#[cfg(test)]
mod visibility;
#[cfg(test)]
mod yardstick;
