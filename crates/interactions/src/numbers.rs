//! The numbers of names, asked of the store: its dictionary is per tenant.

use std::collections::{BTreeSet, HashMap};

use search::compile::{Names, Numbers};
use store::{NameKind, ParameterNumber, SystemNumber, TenantId, TypeNumber};

use crate::{InteractionError, Interactions};

/// Whether names without a number get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// They do: something is written under them, or a commit depends on a search for them (a
    /// parallel commit may be the first to use one, so that "has no number" is no safe answer).
    Numbered,
    /// They do not: a query must not fill the dictionary.
    LeftOut,
}

impl Interactions {
    /// The numbers of these names.
    pub(crate) async fn numbers(
        &self,
        tenant: &TenantId,
        names: &Names<'_>,
        unknown: Unknown,
    ) -> Result<Numbers, InteractionError> {
        let types = self
            .look_up(tenant, NameKind::Type, &names.types, unknown)
            .await?;
        let parameters = self
            .look_up(tenant, NameKind::Parameter, &names.parameters, unknown)
            .await?;
        let systems = self
            .look_up(tenant, NameKind::System, &names.systems, unknown)
            .await?;
        Ok(Numbers {
            types: types
                .into_iter()
                .map(|(name, it)| (name, TypeNumber(it)))
                .collect(),
            parameters: parameters
                .into_iter()
                .map(|(name, it)| (name, ParameterNumber(it)))
                .collect(),
            systems: systems
                .into_iter()
                .map(|(name, it)| (name, SystemNumber(it)))
                .collect(),
        })
    }

    /// The names of the tenant's type numbers.
    pub(crate) async fn type_names(
        &self,
        tenant: &TenantId,
    ) -> Result<HashMap<TypeNumber, Box<str>>, InteractionError> {
        let names = self.store.names(tenant, NameKind::Type).await?;
        Ok(names
            .into_iter()
            .map(|(number, name)| (TypeNumber(number), name))
            .collect())
    }

    async fn look_up(
        &self,
        tenant: &TenantId,
        kind: NameKind,
        names: &BTreeSet<&str>,
        unknown: Unknown,
    ) -> Result<Vec<(Box<str>, u32)>, InteractionError> {
        let names: Vec<&str> = names.iter().copied().collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let numbers: Vec<Option<u32>> = match unknown {
            Unknown::Numbered => {
                let numbers = self.store.numbers(tenant, kind, &names).await?;
                numbers.into_iter().map(Some).collect()
            }
            Unknown::LeftOut => self.store.known_numbers(tenant, kind, &names).await?,
        };
        let pairs = names.into_iter().zip(numbers);
        Ok(pairs
            .filter_map(|(name, number)| Some((name.into(), number?)))
            .collect())
    }
}
