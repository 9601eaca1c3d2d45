//! What the guide's tables say, made into messages: values of data types, and what a condition
//! wants of other parts.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values of data types; of others any word does.
pub(crate) const SAMPLES: &[(&str, &str)] = &[
    ("CQ", "5^mg"),
    ("CX", "ID1^1^M10^AUTH^MR"),
    ("DR", "20260102^20260103"),
    ("DT", "20260102"),
    ("DTM", "20260102030405"),
    ("ED", "A^application^pdf^Base64^JVBERi0="),
    ("EI", "E1^NS"),
    ("EIP", "E1^F1"),
    ("MSG", "ADT^A01^ADT_A01"),
    ("NM", "5"),
    ("NR", "1^2"),
    ("PL", "W^1^B^H"),
    ("RP", "http://example.org/a^B^application^pdf"),
    ("SI", "5"),
    ("SN", ">^5^^7"),
    ("TM", "0304"),
    ("TS", "20260102030405"),
    ("XAD", "1 Main St^^Springfield"),
    ("XCN", "11^Doctor^Dee"),
    ("XON", "Org^^7"),
    ("XPN", "Doe^Jane"),
    ("XTN", "5550100^PRN^PH"),
];

/// What a condition wants of a part.
pub(crate) struct Demand {
    /// The number of the field, or of the component of a data type.
    pub(crate) number: usize,
    /// The component of a field.
    pub(crate) component: usize,
    pub(crate) value: String,
    /// Whether it speaks of that component, and wants something of it.
    pub(crate) is_part: bool,
    quoted: bool,
}

impl Demand {
    /// Whether it names the value.
    pub(crate) fn is_quoted(&self) -> bool {
        self.quoted
    }
}

/// Reads a condition of the tables: of each part that begins with the prefix, what makes it hold.
pub(crate) fn demands(condition: &str, prefix: &str) -> Vec<Demand> {
    let own = format!("{prefix}-");
    let condition = condition.replace(['(', ')', ',', '='], " ");
    let condition = condition.replace(&format!("{prefix}."), &own);
    let words: Vec<&str> = condition.split_whitespace().collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(path) = word.strip_prefix(&own) else {
            continue;
        };
        let mut numbers = path.split('.').map(str::parse);
        let Some(Ok(number)) = numbers.next() else {
            continue;
        };
        let component = numbers.next().and_then(Result::ok);
        let rest = &words[at + 1..];
        let end = rest.iter().position(|it| it.starts_with(&own));
        let rest = &rest[..end.unwrap_or(rest.len())];
        let quoted = rest
            .iter()
            .find_map(|it| it.strip_prefix('"')?.split('"').next());
        let is_not = rest.contains(&"NOT") || rest.contains(&"EMPTY");
        let value = match (quoted, is_not) {
            (Some(text), false) => text,
            (Some(_), true) => "ZZ9",
            (None, true) => "",
            (None, false) => "5",
        };
        found.push(Demand {
            number,
            component: component.unwrap_or(1),
            value: value.to_owned(),
            is_part: component.is_some() && (quoted.is_none() || !is_not),
            quoted: quoted.is_some() && !is_not,
        });
    }
    found
}

/// Whether there is something at that path, in some item of every list.
pub(crate) fn has(value: &Value, steps: &[&str]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    match value {
        Value::Array(items) => items.iter().any(|it| has(it, steps)),
        Value::Object(members) => {
            let beside = format!("_{step}");
            let mut found = [members.get(*step), members.get(&beside)]
                .into_iter()
                .flatten();
            found.any(|it| has(it, rest))
        }
        _ => false,
    }
}

/// A list of what is known, with the reason.
pub(crate) fn listed(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|it| it.split_once('\t')).collect()
}
