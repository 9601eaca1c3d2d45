//! The embedded provider: a store in one directory, without any service.
//!
//! `embedded` knows the tenants, `tenant` is one of them, opened; `committer` orders its commits,
//! `prepare` and `apply` are a commit before and in its turn; `view`, `history` and `search` read.
//! What lies where is [`layout`]'s alone to say, and how it becomes durable the [`engine`]'s. It
//! does not encrypt.

mod apply;
mod backup;
mod blobs;
mod body;
mod check;
mod codec;
mod committer;
mod directory;
mod embedded;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "its own tests look further inside")
)]
mod engine;
mod expiry;
mod fault;
mod history;
mod layout;
mod names;
mod options;
mod preconditions;
mod prepare;
mod recent;
mod restore;
mod search;
mod tenant;
mod view;
mod work;

pub use crate::embedded::EmbeddedStore;
pub use crate::options::{Options, Stats};
