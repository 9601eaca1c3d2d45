//! Everything that runs without a waiting client: so far the loader.
//!
//! Agents call the same `interactions` as the HTTP server and never know it.

pub mod client;
pub mod load;
