//! Definitions of channels and destinations, and where they come from: the configuration file, which
//! is only read here, or the interface, where each is a named row of its tenant.

use std::collections::BTreeMap;

use fhir::{Fault, Issue};
use store::{At, NamedChange, NamedKey, NamedRow, TenantId};

use super::{Channel, ChannelName, DefinitionFault, Destination};
use crate::{InteractionError, Interactions};

/// Definitions that a tenant may have.
const DEFINITIONS_MAX: usize = 10_000;

/// The channels and destinations of the configuration file, each with its tenant.
#[derive(Debug, Clone, Default)]
pub struct Configured {
    /// The channels.
    pub channels: Vec<(TenantId, Channel)>,
    /// The destinations.
    pub destinations: Vec<(TenantId, Destination)>,
}

/// Where a definition comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file: it cannot be changed by request.
    File,
    /// The interface.
    Interface,
}

/// What is defined by fields: a channel or a destination.
pub trait Definition: Sized + Clone + Send + Sync {
    /// The word for it, which is also the folder of its rows.
    const KIND: &'static str;

    /// Reads a definition; every fault at once.
    fn read(
        name: ChannelName,
        given: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<DefinitionFault>>;

    /// Its name.
    fn name(&self) -> &ChannelName;

    /// What was given, by field, secrets included.
    fn fields(&self) -> &BTreeMap<String, String>;

    /// The one field whose value is shown to nobody.
    const SECRET: Option<&'static str> = None;

    /// Those of the file.
    fn configured(all: &Configured) -> &[(TenantId, Self)];

    /// The name of its log.
    fn log(&self) -> ChannelName;

    /// What was given, by field; of a secret, that there is one.
    fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields().iter().map(|(name, text)| {
            let is_secret = Self::SECRET == Some(name.as_str());
            (name.as_str(), if is_secret { "(set)" } else { text })
        })
    }
}

/// The definition as text: a line for each field that was given.
fn encode(definition: &impl Definition) -> String {
    let line = |text: String, (name, value): (&String, &String)| text + name + "\t" + value + "\n";
    definition.fields().iter().fold(String::new(), line)
}

/// Reads what [`encode`] wrote.
fn decode<D: Definition>(name: ChannelName, text: &str) -> Result<D, Vec<DefinitionFault>> {
    let fields = text.lines().filter_map(|line| line.split_once('\t'));
    D::read(
        name,
        fields.map(|(name, text)| (name.to_owned(), text.to_owned())),
    )
}

fn key<D: Definition>(name: &str) -> NamedKey {
    NamedKey(format!("hl7v2/{}/{name}", D::KIND).into())
}

fn read_row<D: Definition>(name: ChannelName, row: &NamedRow) -> Result<D, Vec<DefinitionFault>> {
    let text = std::str::from_utf8(&row.value);
    let damaged = |_| vec![DefinitionFault::new("", "is damaged")];
    decode(name, text.map_err(damaged)?)
}

fn conflict(what: String, remedy: &str) -> InteractionError {
    Issue::error(Fault::Conflict, what).mend(remedy).into()
}

fn of_faults(faults: &[DefinitionFault]) -> InteractionError {
    let issues: Vec<Issue> = faults.iter().map(DefinitionFault::issue).collect();
    issues.into()
}

impl Interactions {
    /// The same interactions, told what the configuration file defines.
    #[must_use]
    pub fn with_configured(mut self, configured: Configured) -> Self {
        self.configured = configured.into();
        self
    }

    /// The channels or destinations of the file, of all tenants.
    pub fn configured<D: Definition>(&self) -> &[(TenantId, D)] {
        D::configured(&self.configured)
    }

    fn configured_of<'i, D: Definition + 'i>(
        &'i self,
        tenant: &'i TenantId,
    ) -> impl Iterator<Item = &'i D> {
        let of_tenant = self.configured().iter().filter(move |it| it.0 == *tenant);
        of_tenant.map(|it| &it.1)
    }

    /// The channels or destinations that were defined through the interface; faults of one that this
    /// build does not understand.
    pub async fn defined<D: Definition>(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<Result<D, Vec<DefinitionFault>>>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let prefix = key::<D>("");
        let rows = view.named_with_prefix(&prefix.0, None, DEFINITIONS_MAX);
        let rows = rows.await?;
        let read = |(key, row): &(NamedKey, NamedRow)| {
            let name = ChannelName::parse(key.0.strip_prefix(&*prefix.0)?)?;
            Some(read_row(name, row))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// All channels or destinations of a tenant; one of the file goes before another of its name.
    pub async fn known_definitions<D: Definition>(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(D, Origin)>, InteractionError> {
        let configured = self.configured_of::<D>(tenant);
        let mut all: Vec<_> = configured.map(|it| (it.clone(), Origin::File)).collect();
        for definition in self.defined::<D>(tenant).await?.into_iter().flatten() {
            if all.iter().all(|(it, _)| it.name() != definition.name()) {
                all.push((definition, Origin::Interface));
            }
        }
        Ok(all)
    }

    /// The channel or destination of that name.
    pub async fn known_definition<D: Definition>(
        &self,
        tenant: &TenantId,
        name: &ChannelName,
    ) -> Result<(D, Origin), InteractionError> {
        if let Some(found) = self.configured_of::<D>(tenant).find(|it| it.name() == name) {
            return Ok((found.clone(), Origin::File));
        }
        let view = self.store.view(tenant, At::Newest).await?;
        let rows = view.named(&[key::<D>(name.as_str())]).await?;
        match &rows[0] {
            Some(row) => match read_row(name.clone(), row) {
                Ok(found) => Ok((found, Origin::Interface)),
                Err(faults) => Err(of_faults(&faults)),
            },
            None => Err(self.no_definition::<D>(tenant, name).await?.into()),
        }
    }

    /// Why there is no channel or destination of that name.
    async fn no_definition<D: Definition>(
        &self,
        tenant: &TenantId,
        name: &ChannelName,
    ) -> Result<Issue, InteractionError> {
        let what = format!("the tenant has no {} of that name", D::KIND);
        let known = self.known_definitions::<D>(tenant).await?;
        let known = known.iter().map(|(it, _)| it.name().as_str());
        let issue = Issue::error(Fault::NotFound, what);
        Ok(match fhir::suggest::nearest(name.as_str(), known) {
            Some(nearest) => issue.mend(format!("did you mean `{nearest}`?")),
            None => issue,
        })
    }

    /// Defines a channel, or defines it anew; not one of the file.
    pub async fn put_channel(
        &self,
        tenant: &TenantId,
        channel: &Channel,
    ) -> Result<(), InteractionError> {
        let mut faults = Vec::new();
        faults.extend(self.check_door(channel).err());
        faults.extend(channel.ids(self.settings.ids_salts.of(tenant)).err());
        if let Some(name) = &channel.answers_to
            && let Err(error) = self.known_definition::<Destination>(tenant, name).await
        {
            let issue = error
                .issues
                .first()
                .filter(|it| it.fault == Fault::NotFound);
            let Some(issue) = issue else {
                return Err(error);
            };
            let hint = issue.remedy.iter().map(|it| format!("; {it}"));
            let what = format!(
                "names no destination of the tenant{}",
                hint.collect::<String>()
            );
            faults.push(DefinitionFault::new("answers_to", &what));
        }
        if !faults.is_empty() {
            return Err(of_faults(&faults));
        }
        self.define(tenant, channel).await
    }

    /// Refuses a channel that is reached from other machines where nobody is asked who they are, unless
    /// that is allowed.
    pub fn check_door(&self, channel: &Channel) -> Result<(), DefinitionFault> {
        let is_closed = channel.listen.ip().is_loopback() || channel.tls_client_ca.is_some();
        if is_closed || self.settings.allow_unauthenticated {
            return Ok(());
        }
        let what = "is reachable from other machines and nobody is asked who they are: set \
            `tls_client_ca`, or start with --allow-unauthenticated";
        Err(DefinitionFault::new("listen", what))
    }

    /// Defines a destination, or defines it anew; not one of the file. What is queued is then sent
    /// as it says now.
    pub async fn put_destination(
        &self,
        tenant: &TenantId,
        destination: &Destination,
    ) -> Result<(), InteractionError> {
        self.define(tenant, destination).await
    }

    async fn define<D: Definition>(
        &self,
        tenant: &TenantId,
        definition: &D,
    ) -> Result<(), InteractionError> {
        self.check_not_configured::<D>(tenant, definition.name())?;
        let put = NamedChange::Put {
            key: key::<D>(definition.name().as_str()),
            value: encode(definition).into(),
            expires: None,
        };
        self.change_definition(tenant, put).await
    }

    fn check_not_configured<D: Definition>(
        &self,
        tenant: &TenantId,
        name: &ChannelName,
    ) -> Result<(), InteractionError> {
        if self.configured_of::<D>(tenant).all(|it| it.name() != name) {
            return Ok(());
        }
        let what = format!("the {} is one of the configuration file", D::KIND);
        Err(conflict(what, "change it there"))
    }

    /// Ends a channel; its log stays.
    pub async fn delete_channel(
        &self,
        tenant: &TenantId,
        name: &ChannelName,
    ) -> Result<(), InteractionError> {
        self.undefine::<Channel>(tenant, name).await
    }

    /// Ends a destination; its log stays. Not while a channel answers to it, nor while messages wait
    /// to be sent, unless those are to be dismissed.
    pub async fn delete_destination(
        &self,
        tenant: &TenantId,
        name: &ChannelName,
        queued: Queued,
    ) -> Result<(), InteractionError> {
        self.check_not_configured::<Destination>(tenant, name)?;
        let log = name.outbound();
        // Until it is gone, nobody queues another.
        let _turn = self.turns.of_log(tenant, &log).await;
        self.known_definition::<Destination>(tenant, name).await?;
        for (channel, _) in self.known_definitions::<Channel>(tenant).await? {
            if channel.answers_to.as_ref() == Some(name) {
                let what = format!("channel `{}` answers to it (`answers_to`)", channel.name);
                return Err(conflict(what, "change or delete the channel first"));
            }
        }
        match queued {
            Queued::Refuse => {
                if let Some(first) = self.first_queued(tenant, &log).await? {
                    let what = format!("messages wait to be sent, the first is number {first}");
                    let remedy = "wait until they are sent, or say `queued=dismiss`";
                    return Err(conflict(what, remedy));
                }
            }
            Queued::Dismiss => self.dismiss_queued(tenant, &log).await?,
        }
        self.undefine::<Destination>(tenant, name).await
    }

    async fn undefine<D: Definition>(
        &self,
        tenant: &TenantId,
        name: &ChannelName,
    ) -> Result<(), InteractionError> {
        self.check_not_configured::<D>(tenant, name)?;
        let key = key::<D>(name.as_str());
        let view = self.store.view(tenant, At::Newest).await?;
        if view.named(std::slice::from_ref(&key)).await?[0].is_none() {
            return Err(self.no_definition::<D>(tenant, name).await?.into());
        }
        self.change_definition(tenant, NamedChange::Delete { key })
            .await
    }

    async fn change_definition(
        &self,
        tenant: &TenantId,
        change: NamedChange,
    ) -> Result<(), InteractionError> {
        self.change_named(tenant, change).await?;
        self.news.tell(tenant, None);
        Ok(())
    }
}

/// What becomes of messages that wait to be sent when their destination is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// Because of them it is not deleted.
    Refuse,
    /// They are dismissed.
    Dismiss,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_survives_its_text() {
        let name = ChannelName::parse("lab").unwrap();
        let given = [
            ("listen", "127.0.0.1:1"),
            ("zone", "-05:30"),
            ("library", "a b"),
        ];
        let given = given.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let channel = Channel::read(name.clone(), given).unwrap();
        assert_eq!(channel.zone_minutes, Some(-330));
        assert_eq!(decode(name, &encode(&channel)), Ok(channel));
    }
}
