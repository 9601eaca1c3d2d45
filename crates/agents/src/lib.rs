//! Everything that runs without a waiting client: the loader, the job engine, and the MLLP agent; and
//! conversion, with which messages become resources.
//!
//! Agents call the same `interactions` as the HTTP server and never know it.

pub mod client;
pub mod conversion;
pub mod jobs;
pub mod load;
pub mod mllp;
pub mod stream;
