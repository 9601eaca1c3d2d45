//! The units and prefixes of the table, each resolved to base units once.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::dimension::Dimension;
use super::factor::Factor;
use super::scale::{Function, Scale};
use super::{Meaning, parse};
use crate::decimal::Decimal;
use crate::definitions::table::Table;
use crate::suggest;

/// The units. `kind` is `base`, `arbitrary`, `special` or empty; `metric` is `metric` for those
/// that take prefixes, or empty. A unit is `value` times `unit`, a code; a special one is reached
/// from there by `function`. A base unit has neither, an arbitrary one only if it is another.
pub const UNITS: Table<6> = Table {
    file: "units.tsv",
    columns: ["code", "kind", "metric", "value", "unit", "function"],
};

/// The prefixes and their factors.
pub const PREFIXES: Table<2> = Table {
    file: "prefixes.tsv",
    columns: ["code", "value"],
};

/// The micro sign and the Greek letter, which UCUM writes `u`.
const MICRO_SIGNS: [char; 2] = ['\u{b5}', '\u{3bc}'];

static ATOMS: LazyLock<Atoms> = LazyLock::new(|| {
    Atoms::read(
        include_str!("../../data/ucum/units.tsv"),
        include_str!("../../data/ucum/prefixes.tsv"),
    )
});

/// Every unit, also with every prefix that it takes; for suggestions only.
static SPELLINGS: LazyLock<Vec<String>> = LazyLock::new(|| ATOMS.spellings());

/// The table, read at the first call.
pub(super) fn atoms() -> &'static Atoms {
    &ATOMS
}

/// Names of daily use, and the codes that they stand for.
const NAMES: [(&str, &str); 20] = [
    ("\u{b0}C", "Cel"),
    ("\u{b0}F", "[degF]"),
    ("celsius", "Cel"),
    ("fahrenheit", "[degF]"),
    ("cc", "mL"),
    ("day", "d"),
    ("drop", "[drp]"),
    ("foot", "[ft_i]"),
    ("gm", "g"),
    ("hour", "h"),
    ("hr", "h"),
    ("inch", "[in_i]"),
    ("lb", "[lb_av]"),
    ("mcg", "ug"),
    ("mcl", "uL"),
    ("month", "mo"),
    ("oz", "[oz_av]"),
    ("sec", "s"),
    ("week", "wk"),
    ("year", "a"),
];

/// The unit that is likely meant by a symbol: one of that name, one whose brackets are missing,
/// or one that is written alike.
pub(super) fn nearest(symbol: &str) -> Option<&'static str> {
    let ascii = symbol.replace(MICRO_SIGNS, "u");
    let named = NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&ascii));
    if let Some((_, code)) = named {
        return Some(code);
    }
    let spellings = || SPELLINGS.iter().map(String::as_str);
    let same = spellings().find(|it| *it == ascii);
    same.or_else(|| spellings().find(|it| is_in_brackets(it, &ascii)))
        .or_else(|| suggest::nearest(&ascii, spellings()))
}

/// Whether a unit has brackets around more than one letter, and is that symbol without them.
fn is_in_brackets(unit: &str, symbol: &str) -> bool {
    let parts = unit.strip_suffix(']').and_then(|it| it.split_once('['));
    parts.is_some_and(|(before, inside)| {
        inside.len() > 1 && symbol.strip_prefix(before) == Some(inside)
    })
}

/// Units by code, and prefixes.
pub(super) struct Atoms {
    units: HashMap<&'static str, Atom>,
    prefixes: Vec<(&'static str, Factor)>,
}

struct Atom {
    code: &'static str,
    metric: bool,
    /// Missing while the table is being read.
    meaning: Option<Meaning>,
}

/// What a symbol of a code is.
pub(super) enum Symbol<'a> {
    Unit(&'a Meaning),
    Prefixed(Factor, &'a Meaning),
    /// A prefix before that unit, which takes none.
    NotMetric(&'static str),
    Unknown,
}

impl Atoms {
    /// The meaning of a symbol: a unit, or a prefix and a metric unit. No symbol can be read both
    /// ways (§12); a test looks at all.
    pub(super) fn symbol(&self, symbol: &str) -> Symbol<'_> {
        if let Some(atom) = self.units.get(symbol) {
            return atom.meaning.as_ref().map_or(Symbol::Unknown, Symbol::Unit);
        }
        let mut found = Symbol::Unknown;
        for (prefix, factor) in &self.prefixes {
            let atom = symbol
                .strip_prefix(prefix)
                .and_then(|it| self.units.get(it));
            match atom {
                Some(Atom {
                    metric: true,
                    meaning: Some(meaning),
                    ..
                }) => {
                    return Symbol::Prefixed(*factor, meaning);
                }
                Some(Atom {
                    metric: false,
                    code,
                    ..
                }) => found = Symbol::NotMetric(code),
                _ => {}
            }
        }
        found
    }
}

/// A row of the table of units that is still to be understood.
struct Row {
    code: &'static str,
    kind: &'static str,
    value: &'static str,
    unit: &'static str,
    function: &'static str,
}

impl Atoms {
    /// Units are defined by others, in no particular order: every round understands those whose
    /// unit is understood already. A test sees that none is left.
    fn read(units: &'static str, prefixes: &'static str) -> Self {
        let mut atoms = Self {
            units: HashMap::new(),
            prefixes: Vec::new(),
        };
        for [code, value] in PREFIXES.rows(prefixes) {
            atoms
                .prefixes
                .extend(decimal(value).map(|value| (code, Factor::from(value))));
        }
        let mut rows = Vec::new();
        for [code, kind, metric, value, unit, function] in UNITS.rows(units) {
            let atom = Atom {
                code,
                metric: metric == "metric",
                meaning: None,
            };
            atoms.units.insert(code, atom);
            rows.push(Row {
                code,
                kind,
                value,
                unit,
                function,
            });
        }
        while !rows.is_empty() {
            let before = rows.len();
            rows.retain(|row| !atoms.understand(row));
            if rows.len() == before {
                break;
            }
        }
        atoms
    }

    /// Finds the meaning of a row, if the units in it have theirs.
    fn understand(&mut self, row: &Row) -> bool {
        let meaning = row.meaning(self);
        let understood = meaning.is_some();
        if let Some(atom) = self.units.get_mut(row.code) {
            atom.meaning = meaning;
        }
        understood
    }

    fn spellings(&self) -> Vec<String> {
        let mut codes: Vec<&str> = self.units.keys().copied().collect();
        codes.sort_unstable();
        let metric = codes.iter().filter(|code| self.units[*code].metric);
        let prefixed = metric.flat_map(|code| {
            self.prefixes
                .iter()
                .map(move |(prefix, _)| format!("{prefix}{code}"))
        });
        codes
            .iter()
            .map(|it| (*it).to_owned())
            .chain(prefixed)
            .collect()
    }
}

impl Row {
    fn meaning(&self, atoms: &Atoms) -> Option<Meaning> {
        if self.unit.is_empty() {
            let dimension = Dimension::of(self.code);
            return Some(Meaning {
                dimension,
                ..Meaning::number(Decimal::ONE)
            });
        }
        let unit = parse::parse(self.unit, atoms).ok()?;
        let meaning = unit
            .times(
                &Meaning::number(decimal(self.value)?),
                super::Power::Product,
            )
            .ok()?;
        let scale = match self.kind {
            "special" => Some(Scale::new(Function::named(self.function)?, self.code)),
            _ => None,
        };
        Some(Meaning { scale, ..meaning })
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::parse_rounded(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_a_meaning() {
        let without: Vec<_> = ATOMS
            .units
            .values()
            .filter(|it| it.meaning.is_none())
            .collect();
        let codes: Vec<_> = without.iter().map(|it| it.code).collect();
        assert!(codes.is_empty(), "{codes:?}");
        assert!(ATOMS.units.len() > 300 && ATOMS.prefixes.len() == 24);
    }

    #[test]
    fn no_symbol_can_be_read_in_two_ways() {
        let spellings = ATOMS.spellings();
        let mut sorted: Vec<&String> = spellings.iter().collect();
        sorted.sort_unstable();
        let twice: Vec<_> = sorted.windows(2).filter(|it| it[0] == it[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
