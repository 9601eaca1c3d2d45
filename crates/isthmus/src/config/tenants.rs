//! What the configuration file says of the conversions of single tenants: `[convert.tenants.NAME]`.

use interactions::{Salt, Salts};
use store::TenantId;

use super::ConfigFault;

/// The name under which the tables stand in the file.
const KEY: &str = "convert.tenants";

/// What a table may hold: the secret, or the file that it stands in.
const FIELDS: [&str; 2] = ["ids_salt", "ids_salt_file"];

/// What is said of a tenant.
pub(super) struct Tenant {
    name: TenantId,
    salt: Option<Salt>,
    /// The field, and what may be shown of it.
    shown: Option<(&'static str, String)>,
}

/// Reads all tables, and tells all faults.
pub(super) fn read(
    source: &str,
    tables: &toml::Value,
    faults: &mut Vec<ConfigFault>,
) -> Vec<Tenant> {
    let mut fault = |key: String, what: String| {
        faults.push(ConfigFault {
            source: source.to_owned(),
            key,
            what,
        });
    };
    let Some(tables) = tables.as_table() else {
        fault(KEY.to_owned(), "is not a table of tenants".to_owned());
        return Vec::new();
    };
    let mut tenants = Vec::new();
    for (name, table) in tables {
        let key = format!("{KEY}.{name}");
        let mut fault = |field: &str, what: String| {
            let dot = if field.is_empty() { "" } else { "." };
            fault(format!("{key}{dot}{field}"), what);
        };
        let tenant = TenantId::parse(name);
        if let Err(error) = &tenant {
            fault("", format!("is no tenant's name: {error}"));
        }
        let Some(table) = table.as_table() else {
            fault("", "is not a table".to_owned());
            continue;
        };
        tenants.push(read_tenant(tenant.unwrap_or_default(), table, &mut fault));
    }
    tenants
}

fn read_tenant(
    name: TenantId,
    table: &toml::Table,
    fault: &mut impl FnMut(&str, String),
) -> Tenant {
    for field in table.keys().filter(|it| !FIELDS.contains(&it.as_str())) {
        let nearest = fhir::suggest::nearest(field, FIELDS);
        let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
        fault(field, format!("is no field of a tenant{hint}"));
    }
    let [given, file] = FIELDS.map(|field| {
        let value = table.get(field)?;
        if value.as_str().is_none() {
            fault(field, "is not a text".to_owned());
        }
        value.as_str()
    });
    let (salt, shown) = match (given, file) {
        (Some(_), Some(_)) => {
            let what = "and `ids_salt_file` exclude each other";
            fault(FIELDS[0], what.to_owned());
            (None, None)
        }
        (Some(text), None) => (salt(FIELDS[0], text, fault), Some("(set)")),
        (None, Some(path)) => (salt_of_file(path, fault), Some(path)),
        (None, None) => (None, None),
    };
    let field = FIELDS[usize::from(file.is_some())];
    Tenant {
        name,
        salt,
        shown: shown.map(|it| (field, it.to_owned())),
    }
}

fn salt(field: &str, text: &str, fault: &mut impl FnMut(&str, String)) -> Option<Salt> {
    let salt = Salt::parse(text);
    if salt.is_none() {
        fault(field, format!("is not {}", Salt::EXPECTED));
    }
    salt
}

/// The secret in a file; the end of its line is none of it.
fn salt_of_file(path: &str, fault: &mut impl FnMut(&str, String)) -> Option<Salt> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            salt(FIELDS[1], text.strip_suffix('\r').unwrap_or(text), fault)
        }
        Err(error) => {
            fault(FIELDS[1], format!("cannot be read: {error}"));
            None
        }
    }
}

/// The salts of those that have one.
pub(super) fn salts(tenants: &[Tenant]) -> Salts {
    let salts = tenants.iter();
    salts
        .filter_map(|it| Some((it.name.clone(), it.salt.clone()?)))
        .collect()
}

/// The tables as TOML, without secrets.
pub(super) fn print(tenants: &[Tenant]) -> String {
    let print = |tenant: &Tenant| {
        let head = format!("\n[{KEY}.{}]\n", tenant.name);
        tenant.shown.iter().fold(head, |text, (field, shown)| {
            let quoted = toml::Value::String(shown.clone()).to_string();
            text + field + " = " + &quoted + "\n"
        })
    };
    tenants.iter().map(print).collect()
}
