//! Structures of messages: which segments and groups follow each other, as tables of facts
//! (`data/message-structures.txt`), and which event has which structure.

use std::collections::HashMap;
use std::sync::LazyLock;

const STRUCTURES: &str = include_str!("../../../data/message-structures.txt");
const EVENTS: &str = include_str!("../../../data/message-events.txt");

/// A place in a structure: a segment, or a group with places of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The segment's name, several where any of them may stand, or the group's.
    pub(super) names: Vec<&'static str>,
    pub(super) is_optional: bool,
    pub(super) repeats: bool,
    /// What a group consists of; nothing for a segment.
    pub(super) items: Vec<Item>,
}

impl Item {
    /// Whether it is a segment of that name.
    pub(super) fn is_segment(&self, name: &str) -> bool {
        self.items.is_empty() && self.names.contains(&name)
    }

    /// Whether it is a group that such a segment may begin.
    pub(super) fn is_group_begun_by(&self, name: &str) -> bool {
        for item in &self.items {
            if item.is_segment(name) || item.is_group_begun_by(name) {
                return true;
            }
            if !item.is_optional {
                break;
            }
        }
        false
    }

    /// Whether it is a group that has such a segment somewhere.
    pub(super) fn is_group_with(&self, name: &str) -> bool {
        let has = |it: &Item| it.is_segment(name) || it.is_group_with(name);
        self.items.iter().any(has)
    }
}

/// All structures, by name.
static BY_NAME: LazyLock<HashMap<&str, Item>> = LazyLock::new(|| {
    let rows = rows(STRUCTURES);
    rows.map(|(name, row)| (name, structure(name, row)))
        .collect()
});

/// The name of the structure of each event, `ADT^A04`.
static BY_EVENT: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let rows = rows(EVENTS);
    let events = rows.flat_map(|(name, row)| row.split(' ').map(move |event| (event, name)));
    events.collect()
});

fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' '))
}

/// The structure that MSH-9.3 names, or else that of the event in MSH-9.1 and MSH-9.2.
pub(super) fn find(code: &str, event: &str, named: &str) -> Option<(&'static str, &'static Item)> {
    let of_event = || {
        let both = BY_EVENT.get(&*format!("{code}^{event}"));
        let named = both.or_else(|| BY_EVENT.get(code))?;
        BY_NAME.get_key_value(named)
    };
    let found = of_event().or_else(|| BY_NAME.get_key_value(named));
    found.map(|(name, item)| (*name, item))
}

/// Whether some structure has a segment or a group of that name.
pub(crate) fn is_known(name: &str) -> bool {
    static NAMES: LazyLock<std::collections::HashSet<&str>> = LazyLock::new(|| {
        let words = STRUCTURES.lines().filter(|line| !line.starts_with('#'));
        let words = words.flat_map(|line| line.split([' ', '(', ')', '?', '*', '+', '|']));
        words.filter(|it| !it.is_empty()).collect()
    });
    NAMES.contains(name)
}

fn structure(name: &'static str, row: &'static str) -> Item {
    let mut rest = row;
    Item {
        names: vec![name],
        is_optional: false,
        repeats: false,
        items: items(&mut rest),
    }
}

/// Reads places up to the bracket that closes their group.
fn items(rest: &mut &'static str) -> Vec<Item> {
    let mut found = Vec::new();
    loop {
        *rest = rest.trim_start();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '|')))
            .unwrap_or(rest.len());
        let (names, after) = rest.split_at(end);
        *rest = after;
        if names.is_empty() {
            *rest = rest.strip_prefix(')').unwrap_or(rest);
            return found;
        }
        let mut inner = Vec::new();
        if let Some(after) = rest.strip_prefix('(') {
            *rest = after;
            inner = items(rest);
        }
        let count = rest.chars().next().filter(|c| matches!(c, '?' | '*' | '+'));
        *rest = &rest[count.map_or(0, char::len_utf8)..];
        found.push(Item {
            names: names.split('|').collect(),
            is_optional: matches!(count, Some('?' | '*')),
            repeats: matches!(count, Some('*' | '+')),
            items: inner,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(item: &Item) -> String {
        let count = match (item.is_optional, item.repeats) {
            (true, true) => "*",
            (true, false) => "?",
            (false, true) => "+",
            (false, false) => "",
        };
        let names = item.names.join("|");
        if item.items.is_empty() {
            return format!("{names}{count}");
        }
        let items: Vec<String> = item.items.iter().map(shown).collect();
        format!("{names}({}){count}", items.join(" "))
    }

    #[test]
    fn the_table_is_read_whole() {
        for (name, row) in rows(STRUCTURES) {
            let items: Vec<String> = BY_NAME[name].items.iter().map(shown).collect();
            assert_eq!(items.join(" "), row, "{name}");
        }
    }

    #[test]
    fn every_event_has_a_structure() {
        for (event, name) in &*BY_EVENT {
            assert!(BY_NAME.contains_key(name), "{event}");
        }
        assert_eq!(find("ADT", "A04", "").unwrap().0, "ADT_A01");
        assert_eq!(find("ADT", "A31", "ADT_A05").unwrap().0, "ADT_A05");
        assert_eq!(find("ACK", "A01", "").unwrap().0, "ACK");
        assert!(find("QBP", "Q11", "QBP_Q11").is_none());
    }
}
