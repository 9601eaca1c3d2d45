//! Drives the real binary: starts it, talks to it over sockets, kills it, cuts its power.
//!
//! The tests under `tests/` are the promises of the README, checked from outside.

pub mod data;
pub mod http;
pub mod power_loss;
pub mod process;
pub mod random;
