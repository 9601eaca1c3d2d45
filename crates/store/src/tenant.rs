//! Tenants: the walls between data.

use std::fmt;
use std::sync::Arc;

/// A tenant's name: 1 to 63 of `a-z 0-9 -`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// The text is not a tenant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's name has 1 to 63 characters of `a-z 0-9 -` and does not begin with `-`")]
pub struct InvalidTenantId;

impl TenantId {
    /// The tenant that is there without being created.
    pub const DEFAULT: &'static str = "default";

    /// Checks the text and keeps it.
    pub fn parse(text: &str) -> Result<Self, InvalidTenantId> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid =
            (1..=63).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(allowed);
        valid.then(|| Self(text.into())).ok_or(InvalidTenantId)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
