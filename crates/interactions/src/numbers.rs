//! The numbers of names, asked of the store: its dictionary is per tenant.

use std::collections::{BTreeSet, HashMap};

use search::compile::{Names, Numbers};
use store::{NameKind, ParameterNumber, SystemNumber, TenantId, TypeNumber, UnitNumber};

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
        let (kind, slot) = (NameKind::Type, NameKind::Parameter);
        let types = self.look_up(tenant, kind, &names.types, unknown).await?;
        let parameters = self
            .look_up(tenant, slot, &names.parameters, unknown)
            .await?;
        let (system, unit) = (NameKind::System, NameKind::Unit);
        let systems = self
            .look_up(tenant, system, &names.systems, unknown)
            .await?;
        let units = self.look_up(tenant, unit, &names.units, unknown).await?;
        Ok(Numbers {
            types: typed(types, TypeNumber),
            parameters: typed(parameters, ParameterNumber),
            systems: typed(systems, SystemNumber),
            units: typed(units, UnitNumber),
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

fn typed<N>(numbers: Vec<(Box<str>, u32)>, number: fn(u32) -> N) -> HashMap<Box<str>, N> {
    let typed = numbers.into_iter().map(|(name, it)| (name, number(it)));
    typed.collect()
}
