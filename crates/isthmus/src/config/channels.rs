//! The HL7 v2 channels of the configuration file: `[[hl7v2.channel]]`, each with a name, a tenant if
//! it is not the default one, and the fields of a channel's definition.

use interactions::channel::{Channel, ChannelName};
use store::TenantId;

use super::ConfigFault;

/// The name under which channels stand in the file.
pub(super) const KEY: &str = "hl7v2.channel";

/// Reads all channels, and tells all faults.
pub(super) fn read(
    source: &str,
    tables: &[toml::Value],
    faults: &mut Vec<ConfigFault>,
) -> Vec<(TenantId, Channel)> {
    let mut channels: Vec<(TenantId, Channel)> = Vec::new();
    for (place, table) in (1..).zip(tables) {
        let before = faults.len();
        let mut fault = |field: &str, what: String| {
            let key = if field.is_empty() {
                format!("{KEY} {place}")
            } else {
                format!("{KEY} {place}: {field}")
            };
            faults.push(ConfigFault {
                source: source.to_owned(),
                key,
                what,
            });
        };
        let Some(table) = table.as_table() else {
            fault("", "is not a table".to_owned());
            continue;
        };
        let text = |name: &str| table.get(name).and_then(toml::Value::as_str);
        let name = text("name").and_then(ChannelName::parse);
        if name.is_none() {
            fault(
                "name",
                "is not a name of lower-case letters, digits and `-`".to_owned(),
            );
        }
        let tenant = TenantId::parse(text("tenant").unwrap_or(TenantId::DEFAULT));
        if let Err(error) = &tenant {
            fault("tenant", format!("is no tenant's name: {error}"));
        }
        let mut given = Vec::new();
        for (name, value) in table
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "name" | "tenant"))
        {
            match value {
                toml::Value::String(text) => given.push((name.clone(), text.clone())),
                toml::Value::Integer(number) => given.push((name.clone(), number.to_string())),
                _ => fault(name, "is neither text nor a whole number".to_owned()),
            }
        }
        let unnamed = || ChannelName::parse("unnamed").expect("it is a name");
        match Channel::read(name.unwrap_or_else(unnamed), given) {
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
                if faults.len() == before
                    && let Ok(tenant) = tenant
                {
                    channels.push((tenant, channel));
                }
            }
        }
    }
    channels
}

/// Channels as TOML.
pub(super) fn print(channels: &[(TenantId, Channel)]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (tenant, channel) in channels {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let _ = writeln!(
            out,
            "\n[[{KEY}]]\nname = {}\ntenant = {}",
            quoted(channel.name.as_str()),
            quoted(tenant.as_str())
        );
        for (field, text) in channel.given() {
            let _ = writeln!(out, "{field} = {}", quoted(text));
        }
    }
    out
}
