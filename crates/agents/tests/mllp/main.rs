//! The MLLP agent over the embedded store: messages in, answers out, resources stored.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod destination;
mod hostile;
mod limits;
mod modes;
mod order;
mod receiver;
mod removal;
mod repeated;
mod sending;
mod world;
