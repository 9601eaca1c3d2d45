//! The integration tests of `search`, one module per concept.

#[cfg(test)]
mod data;
#[cfg(test)]
mod extraction;
