//! Following definitions: what is open becomes what is defined, whenever that changes.

use std::collections::HashMap;

use fhir::Fault;
use interactions::channel::{Channel, ChannelName, Definition, Destination};
use store::TenantId;
use tracing::error;

use super::{Open, Place, Sending, Service, StartError};

impl Service {
    /// Makes what is open of a tenant what is defined.
    pub(super) async fn follow(&mut self, tenant: &TenantId) {
        self.follow_destinations(tenant).await;
        self.follow_channels(tenant).await;
    }

    /// What is defined of a tenant and can be read, by name.
    async fn wanted<D: Definition>(&self, tenant: &TenantId) -> Option<HashMap<ChannelName, D>> {
        let defined = match self.interactions.defined::<D>(tenant).await {
            Ok(defined) => defined,
            // The tenant was deleted.
            Err(error) if error.issues.iter().any(|it| it.fault == Fault::UnknownPath) => {
                return Some(HashMap::new());
            }
            Err(error) => {
                error!(%tenant, kind = D::KIND, %error, "definitions cannot be read");
                return None;
            }
        };
        let mut wanted = HashMap::new();
        for definition in defined {
            match definition {
                Ok(it) => drop(wanted.insert(it.name().clone(), it)),
                Err(faults) => {
                    error!(%tenant, kind = D::KIND, fault = %faults[0], "a definition is not understood");
                }
            }
        }
        for (_, it) in self
            .interactions
            .configured::<D>()
            .iter()
            .filter(|it| it.0 == *tenant)
        {
            wanted.remove(it.name());
        }
        Some(wanted)
    }

    /// Tells whoever looks at a definition whether it is open.
    fn note(&self, (tenant, log): &Place, error: Option<&StartError>) {
        if let Some(error) = error {
            error!(%tenant, %log, %error, "what is defined cannot be opened");
        }
        let what = error.map(ToString::to_string);
        self.interactions.note_trouble(tenant, log.clone(), what);
    }

    async fn follow_destinations(&mut self, tenant: &TenantId) {
        let Some(wanted) = self.wanted::<Destination>(tenant).await else {
            return;
        };
        let of_file = self.interactions.configured::<Destination>().iter();
        let of_file = of_file.filter(|it| it.0 == *tenant).map(|it| &it.1);
        let kept: Vec<Destination> = of_file.chain(wanted.values()).cloned().collect();
        let changed = |place: &Place, open: &mut Sending| {
            place.0 == *tenant && !kept.contains(&open.shared.destination)
        };
        let closing: Vec<Sending> = self
            .destinations
            .extract_if(.., changed)
            .map(|it| it.1)
            .collect();
        for mut sending in closing {
            // To the end: two must not send from one log.
            sending.tasks.shutdown().await;
        }
        for destination in wanted.into_values() {
            let place = (tenant.clone(), destination.name.outbound());
            if self.destinations.contains_key(&place) {
                continue;
            }
            let opened = self.send_to(tenant, destination);
            self.note(&place, opened.as_ref().err());
            self.destinations.extend(opened.map(|it| (place, it)));
        }
    }

    async fn follow_channels(&mut self, tenant: &TenantId) {
        let Some(wanted) = self.wanted::<Channel>(tenant).await else {
            return;
        };
        let changed = |place: &Place, open: &mut Open| {
            place.0 == *tenant && wanted.get(&place.1) != Some(&open.channel)
        };
        let closing: Vec<Open> = self
            .defined
            .extract_if(.., changed)
            .map(|it| it.1)
            .collect();
        for mut open in closing {
            // To the end: its address may be wanted again.
            open.tasks.shutdown().await;
        }
        for (name, channel) in wanted {
            let place = (tenant.clone(), name);
            if self.defined.contains_key(&place) {
                continue;
            }
            let opened = self.open(tenant, channel).await;
            self.note(&place, opened.as_ref().err());
            self.defined.extend(opened.map(|it| (place, it)));
        }
    }
}
