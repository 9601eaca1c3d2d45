//! The HL7 v2 channels and destinations of the configuration file: `[[hl7v2.channel]]` and
//! `[[hl7v2.destination]]`, each with a name, a tenant if it is not the default one, and the fields of
//! its definition.

use interactions::channel::{Channel, ChannelName, Configured, Definition as _, Destination};
use store::TenantId;

use super::ConfigFault;

/// The name under which channels stand in the file.
pub(super) const KEY: &str = "hl7v2.channel";

/// The name under which destinations stand in the file.
pub(super) const DESTINATION_KEY: &str = "hl7v2.destination";

/// Reads all channels, and tells all faults.
pub(super) fn read(
    source: &str,
    tables: &[toml::Value],
    faults: &mut Vec<ConfigFault>,
) -> Vec<(TenantId, Channel)> {
    let mut channels: Vec<(TenantId, Channel)> = Vec::new();
    for (place, table) in (1..).zip(tables) {
        let mut fault = faults_of(source, KEY, place, faults);
        let Some(Table {
            name,
            tenant,
            given,
        }) = Table::read(table, place, &mut fault)
        else {
            continue;
        };
        match Channel::read(name, given) {
            Err(found) => found.into_iter().for_each(|it| fault(&it.field, it.what)),
            Ok(channel) => {
                if channels
                    .iter()
                    .any(|(_, it)| it.listen == channel.listen && it.listen.port() != 0)
                {
                    fault("listen", "is the address of another channel".to_owned());
                }
                if channels.iter().any(|(_, it)| it.name == channel.name) {
                    fault("name", "is the name of another channel".to_owned());
                }
                channels.push((tenant, channel));
            }
        }
    }
    channels
}

/// Reads all destinations, and tells all faults.
pub(super) fn read_destinations(
    source: &str,
    tables: &[toml::Value],
    faults: &mut Vec<ConfigFault>,
) -> Vec<(TenantId, Destination)> {
    let mut destinations: Vec<(TenantId, Destination)> = Vec::new();
    for (place, table) in (1..).zip(tables) {
        let mut fault = faults_of(source, DESTINATION_KEY, place, faults);
        let Some(Table {
            name,
            tenant,
            given,
        }) = Table::read(table, place, &mut fault)
        else {
            continue;
        };
        if destinations
            .iter()
            .any(|it| it.0 == tenant && it.1.name == name)
        {
            fault(
                "name",
                "is the name of another destination of the tenant".to_owned(),
            );
        }
        match Destination::read(name, given) {
            Err(found) => found.into_iter().for_each(|it| fault(&it.field, it.what)),
            Ok(destination) => destinations.push((tenant, destination)),
        }
    }
    destinations
}

/// Takes what is wrong with the fields of the table at a place.
fn faults_of<'f>(
    source: &'f str,
    key: &'f str,
    place: usize,
    faults: &'f mut Vec<ConfigFault>,
) -> impl FnMut(&str, String) + 'f {
    move |field, what| {
        let key = match field {
            "" => format!("{key} {place}"),
            field => format!("{key} {place}: {field}"),
        };
        faults.push(ConfigFault {
            source: source.to_owned(),
            key,
            what,
        });
    }
}

/// What every table has: a name, a tenant and fields.
struct Table {
    name: ChannelName,
    tenant: TenantId,
    given: Vec<(String, String)>,
}

impl Table {
    /// Reads a table. After a fault, names stand in for those that are none, so that the fields are
    /// looked at all the same.
    fn read(
        table: &toml::Value,
        place: usize,
        fault: &mut impl FnMut(&str, String),
    ) -> Option<Self> {
        let Some(table) = table.as_table() else {
            fault("", "is not a table".to_owned());
            return None;
        };
        let text = |name: &str| table.get(name).and_then(toml::Value::as_str);
        let name = text("name").and_then(ChannelName::parse);
        if name.is_none() {
            let what = "is not a name of lower-case letters, digits and `-`";
            fault("name", what.to_owned());
        }
        let tenant = TenantId::parse(text("tenant").unwrap_or(TenantId::DEFAULT));
        if let Err(error) = &tenant {
            fault("tenant", format!("is no tenant's name: {error}"));
        }
        let mut given = Vec::new();
        let fields = table
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "name" | "tenant"));
        for (name, value) in fields {
            match value {
                toml::Value::String(text) => given.push((name.clone(), text.clone())),
                toml::Value::Integer(number) => given.push((name.clone(), number.to_string())),
                _ => fault(name, "is neither text nor a whole number".to_owned()),
            }
        }
        let unnamed = || ChannelName::parse(&format!("unnamed-{place}")).expect("it is a name");
        Some(Self {
            name: name.unwrap_or_else(unnamed),
            tenant: tenant.unwrap_or_default(),
            given,
        })
    }
}

/// Channels and destinations as TOML.
pub(super) fn print(configured: &Configured) -> String {
    let channels = configured
        .channels
        .iter()
        .map(|(tenant, it)| print_table(KEY, &it.name, tenant, it.given()));
    let destinations = configured
        .destinations
        .iter()
        .map(|(tenant, it)| print_table(DESTINATION_KEY, &it.name, tenant, it.given()));
    channels.chain(destinations).collect()
}

fn print_table<'g>(
    key: &str,
    name: &ChannelName,
    tenant: &TenantId,
    given: impl Iterator<Item = (&'g str, &'g str)>,
) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let (name, tenant) = (quoted(name.as_str()), quoted(tenant.as_str()));
    let head = format!("\n[[{key}]]\nname = {name}\ntenant = {tenant}\n");
    given.fold(head, |text, (field, value)| {
        text + field + " = " + &quoted(value) + "\n"
    })
}
