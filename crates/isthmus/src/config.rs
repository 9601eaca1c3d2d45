//! Configuration: one table of keys, each settable in the TOML file, by environment and by flag.
//!
//! `a.b` in the table is `b` below `[a]` in the file, `ISTHMUS_A_B` in the environment and `--a-b`
//! on the command line; a flag wins over the environment, that over the file, that over the
//! default. All faults are reported at once, each with its source, key and expected form.

mod channels;
mod keys;
mod tenants;
mod value;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use interactions::Salts;
use interactions::channel::Configured;
pub(crate) use keys::KEYS;
pub(crate) use value::policy;
use value::{Form, parse};

/// A setting: its name, form, default and meaning.
pub(crate) struct Key {
    /// `section.name`, or `name` for one outside a section.
    pub(crate) name: &'static str,
    /// How its value is written.
    pub(crate) form: Form,
    /// The value when nothing sets it.
    pub(crate) default: &'static str,
    /// What it does, with its unit.
    pub(crate) doc: &'static str,
}

impl Key {
    /// The flag, without dashes in front.
    pub(crate) fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }

    /// The environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("ISTHMUS_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// Where values come from.
pub(crate) struct Sources {
    /// The configuration file's name and text.
    pub(crate) file: Option<(PathBuf, String)>,
    /// The environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags: key name and value.
    pub(crate) flags: Vec<(&'static str, String)>,
}

/// One thing wrong with the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigFault {
    /// File, variable or flag.
    pub(crate) source: String,
    /// The key.
    pub(crate) key: String,
    /// What is wrong and what is expected.
    pub(crate) what: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.source, self.key, self.what)
    }
}

/// The effective configuration: every key's value, and where it came from.
pub(crate) struct Config {
    values: BTreeMap<&'static str, (String, String)>,
    configured: Configured,
    tenants: Vec<tenants::Tenant>,
}

/// The tables of the file that are lists.
#[derive(Default)]
struct Lists {
    configured: Configured,
    tenants: Vec<tenants::Tenant>,
}

impl Config {
    /// Resolves and checks every key.
    pub(crate) fn load(sources: &Sources) -> Result<Self, Vec<ConfigFault>> {
        let mut faults = Vec::new();
        let mut values: BTreeMap<_, _> = KEYS
            .iter()
            .map(|key| (key.name, (key.default.to_owned(), "default".to_owned())))
            .collect();
        let mut lists = Lists::default();
        for (source, name, text) in given(sources, &mut lists, &mut faults) {
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                faults.push(unknown(source, &name));
                continue;
            };
            match parse(&key.form, &text) {
                Ok(()) => {
                    values.insert(key.name, (text, source));
                }
                Err(expected) => faults.push(ConfigFault {
                    source,
                    key: name,
                    what: format!("is not {expected}"),
                }),
            }
        }
        if faults.is_empty() {
            Ok(Self {
                values,
                configured: lists.configured,
                tenants: lists.tenants,
            })
        } else {
            Err(faults)
        }
    }

    /// A key's text.
    pub(crate) fn text(&self, key: &str) -> &str {
        &self
            .values
            .get(key)
            .expect("every key asked for stands in the table")
            .0
    }

    /// The HL7 v2 channels and destinations of the file, each with its tenant.
    pub(crate) fn configured(&self) -> &Configured {
        &self.configured
    }

    /// The secrets of tenants' ids.
    pub(crate) fn ids_salts(&self) -> Salts {
        tenants::salts(&self.tenants)
    }

    /// A number: a count, bytes, milliseconds or days.
    pub(crate) fn number(&self, key: &str) -> u64 {
        value::number(self.text(key)).expect("checked when loaded")
    }

    /// A number as a size.
    pub(crate) fn size(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.text(key) == "true"
    }

    /// The effective configuration as TOML, each line with its source.
    pub(crate) fn print(&self) -> String {
        let mut sections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for key in KEYS {
            let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
            let (text, source) = &self.values[key.name];
            sections.entry(section).or_default().push(format!(
                "{name} = {}  # {source}; {}",
                value::as_toml(&key.form, text),
                key.doc
            ));
        }
        let mut out = String::new();
        for (section, lines) in sections {
            if !section.is_empty() {
                let _ = writeln!(out, "\n[{section}]");
            }
            out.push_str(&lines.join("\n"));
            out.push('\n');
        }
        out + &tenants::print(&self.tenants) + &channels::print(&self.configured)
    }
}

/// All values that anything sets, weakest source first: (source, key, text).
fn given(
    sources: &Sources,
    lists: &mut Lists,
    faults: &mut Vec<ConfigFault>,
) -> Vec<(String, String, String)> {
    let mut given = Vec::new();
    if let Some((path, text)) = &sources.file {
        let source = path.display().to_string();
        match text.parse::<toml::Table>() {
            Ok(mut table) => {
                if let Some(toml::Value::Table(convert)) = table.get_mut("convert")
                    && let Some(tables) = convert.remove("tenants")
                {
                    lists.tenants = tenants::read(&source, &tables, faults);
                }
                if let Some(toml::Value::Table(hl7v2)) = table.get_mut("hl7v2") {
                    if let Some(toml::Value::Array(tables)) = hl7v2.remove("channel") {
                        lists.configured.channels = channels::read(&source, &tables, faults);
                    }
                    if let Some(toml::Value::Array(tables)) = hl7v2.remove("destination") {
                        lists.configured.destinations =
                            channels::read_destinations(&source, &tables, faults);
                    }
                }
                flatten(&source, "", &table, &mut given, faults);
            }
            Err(error) => faults.push(ConfigFault {
                source,
                key: "(file)".to_owned(),
                what: format!("is not TOML: {}", error.message()),
            }),
        }
    }
    for (variable, text) in &sources.environment {
        let key = KEYS.iter().find(|key| key.variable() == *variable);
        let name = key.map_or(variable.as_str(), |key| key.name);
        given.push((
            format!("environment {variable}"),
            name.to_owned(),
            text.clone(),
        ));
    }
    for (name, text) in &sources.flags {
        given.push(("flag".to_owned(), (*name).to_owned(), text.clone()));
    }
    given
}

fn flatten(
    source: &str,
    prefix: &str,
    table: &toml::Table,
    given: &mut Vec<(String, String, String)>,
    faults: &mut Vec<ConfigFault>,
) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        let text = match value {
            toml::Value::Table(inner) if prefix.is_empty() => {
                flatten(source, &format!("{name}."), inner, given, faults);
                continue;
            }
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(on) => on.to_string(),
            _ => {
                let what = "is neither text nor a whole number nor true or false".to_owned();
                faults.push(ConfigFault {
                    source: source.to_owned(),
                    key,
                    what,
                });
                continue;
            }
        };
        given.push((source.to_owned(), key, text));
    }
}

fn unknown(source: String, name: &str) -> ConfigFault {
    let nearest = fhir::suggest::nearest(name, KEYS.iter().map(|key| key.name));
    let what = match nearest {
        Some(nearest) => format!("is not a key; did you mean `{nearest}`?"),
        None => "is not a key; `isthmus config` lists them".to_owned(),
    };
    ConfigFault {
        source,
        key: name.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests;
