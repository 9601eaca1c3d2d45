//! Why what is defined is not open: an agent notes it, and whoever asks for the definition is told.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use store::TenantId;

use super::ChannelName;
use crate::Interactions;

/// What keeps channels and destinations from being opened, by the names of their logs.
#[derive(Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<(TenantId, ChannelName), String>>);

impl Interactions {
    /// Notes why a channel or destination cannot be opened, or that it is open.
    pub fn note_trouble(&self, tenant: &TenantId, log: ChannelName, what: Option<String>) {
        let mut troubles = self
            .troubles
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let place = (tenant.clone(), log);
        match what {
            Some(what) => drop(troubles.insert(place, what)),
            None => drop(troubles.remove(&place)),
        }
    }

    /// Why a channel or destination is not open.
    pub fn trouble(&self, tenant: &TenantId, log: ChannelName) -> Option<String> {
        let troubles = self
            .troubles
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        troubles.get(&(tenant.clone(), log)).cloned()
    }
}
