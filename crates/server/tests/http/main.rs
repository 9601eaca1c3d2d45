//! The server behind a real socket on the loopback, over the embedded store.

mod abuse;
mod cases;
mod codes;
mod limits;
mod messages;
mod protocol;
mod site;
