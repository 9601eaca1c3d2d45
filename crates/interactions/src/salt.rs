//! Secrets of ids: what is put before the keys from which strict libraries make ids of resources, so
//! that nobody can tell keys from ids. A tenant has one for all its conversions.

use std::collections::BTreeMap;

use store::TenantId;

/// A secret of ids. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(Box<str>);

impl Salt {
    /// Its least length, in characters.
    pub const CHARACTERS_MIN: usize = 16;
    /// How it is written.
    pub const EXPECTED: &str = "a text of at least 16 characters";

    /// The salt, if the text is long enough for one.
    pub fn parse(text: &str) -> Option<Self> {
        (text.chars().count() >= Self::CHARACTERS_MIN).then(|| Self(text.into()))
    }

    /// As text, for whoever makes ids with it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(set)")
    }
}

/// The salts of tenants that have one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salts(BTreeMap<TenantId, Salt>);

impl Salts {
    /// The salt of a tenant.
    pub fn of(&self, tenant: &TenantId) -> Option<&Salt> {
        self.0.get(tenant)
    }
}

impl FromIterator<(TenantId, Salt)> for Salts {
    fn from_iter<I: IntoIterator<Item = (TenantId, Salt)>>(salts: I) -> Self {
        Self(salts.into_iter().collect())
    }
}
