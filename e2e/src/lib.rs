//! Drives the real binary: starts it, talks to it over sockets, kills it, cuts its power.
//!
//! The tests under `tests/` are the promises of the README, checked from outside.

#![expect(
    clippy::print_stdout,
    clippy::missing_panics_doc,
    reason = "a driver of tests prints for their reader and panics as they do"
)]

pub mod data;
pub mod fixture;
pub mod http;
pub mod power_loss;
pub mod process;
pub mod random;
