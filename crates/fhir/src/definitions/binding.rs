//! Bindings of elements to value sets, with the codes of those that must be kept to.

use std::collections::HashMap;

use super::read::present;
use super::table::{self, CODES, OPEN_VALUE_SETS};

/// A binding of an element to a value set.
#[derive(Debug)]
pub struct Binding {
    /// How strict.
    pub strength: BindingStrength,
    /// The value set's canonical URL, without version.
    pub value_set: &'static str,
    /// For a required binding on a value set that can be enumerated: its codes with their systems.
    /// `None` where it cannot (media types, UCUM units, languages …): see the list of these.
    /// Ascending by code, then by system.
    pub codes: Option<&'static [Code]>,
    /// The value set that codes must be from although the binding is not required (`language`).
    pub value_set_max: Option<&'static str>,
    /// The codes of that value set, where it can be enumerated; ascending likewise.
    pub codes_max: Option<&'static [Code]>,
}

/// How strict a binding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindingStrength {
    /// The code must be from the value set.
    Required,
    /// It must be, if one fits.
    Extensible,
    /// It should be.
    Preferred,
    /// The value set only illustrates.
    Example,
}

/// A code with its system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// The code system's URL.
    pub system: &'static str,
}

/// A value set that must be kept to but that nobody can enumerate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenValueSet {
    /// Its canonical URL.
    pub url: &'static str,
    /// The grammar that its codes can be checked with: `media-type` (BCP 13), `language-tag`
    /// (BCP 47), `ucum`; `None` where nothing can be checked.
    pub grammar: Option<&'static str>,
    /// Why there is no list.
    pub reason: &'static str,
}

impl Binding {
    /// Whether the value set has that code in some system; `None` where its codes are not known.
    pub fn has_code(&self, code: &str) -> Option<bool> {
        let found = |codes: &[Code]| codes.binary_search_by(|it| it.code.cmp(code)).is_ok();
        self.codes.map(found)
    }

    /// Whether the value set has that code of that system; `None` where its codes are not known.
    pub fn has_coding(&self, system: &str, code: &str) -> Option<bool> {
        let wanted = (code, system);
        let found = |codes: &[Code]| {
            codes
                .binary_search_by(|it| (it.code, it.system).cmp(&wanted))
                .is_ok()
        };
        self.codes.map(found)
    }
}

/// The codes of the value sets that must be kept to.
pub(super) struct CodesByValueSet(HashMap<&'static str, &'static [Code]>);

impl CodesByValueSet {
    pub(super) fn read(text: &'static str) -> Self {
        let mut sets: HashMap<&'static str, Vec<Code>> = HashMap::new();
        for [value_set, system, codes] in CODES.rows(text) {
            let codes = table::list(codes).map(|code| Code { code, system });
            sets.entry(value_set).or_default().extend(codes);
        }
        let sorted = sets.into_iter().map(|(value_set, mut codes)| {
            codes.sort_unstable();
            codes.shrink_to_fit();
            let codes: &'static [Code] = codes.leak();
            (value_set, codes)
        });
        Self(sorted.collect())
    }

    /// The binding that an element's cells describe, if they do.
    pub(super) fn binding(
        &self,
        [strength, value_set, value_set_max]: [&'static str; 3],
    ) -> Option<Binding> {
        let strength = match strength {
            "required" => BindingStrength::Required,
            "extensible" => BindingStrength::Extensible,
            "preferred" => BindingStrength::Preferred,
            "example" => BindingStrength::Example,
            _ => return None,
        };
        let codes_of = |url| self.0.get(url).copied();
        Some(Binding {
            strength,
            value_set,
            codes: codes_of(value_set).filter(|_| strength == BindingStrength::Required),
            value_set_max: present(value_set_max),
            codes_max: codes_of(value_set_max),
        })
    }
}

impl OpenValueSet {
    pub(super) fn read(text: &'static str) -> Vec<Self> {
        let rows = OPEN_VALUE_SETS.rows(text);
        rows.map(|[url, grammar, reason]| Self {
            url,
            grammar: present(grammar),
            reason,
        })
        .collect()
    }
}
