//! Maps of codes: `{"Mapping": {"name": {"code": {"property": "value"}}}}`.

use std::collections::HashMap;

use fhir::json::Value;

/// The code whose properties hold for codes that are not listed.
const DEFAULT: &str = "__default__";

type Properties = HashMap<String, String>;

/// All maps of a library.
#[derive(Default)]
pub(super) struct CodeMaps {
    maps: HashMap<String, HashMap<String, Properties>>,
}

impl CodeMaps {
    /// Adds the maps of a file. Where a map or a code is there already, what comes later counts.
    pub(super) fn add(&mut self, root: Value<'_>) {
        let maps = root
            .members()
            .find(|it| it.name.eq_ignore_ascii_case("mapping"));
        for map in maps.iter().flat_map(|it| it.value.members()) {
            let codes = map.value.members().map(|code| {
                let properties = code.value.members().filter_map(|property| {
                    let value = property.value.as_str()?.into_owned();
                    Some((property.name.into_owned(), value))
                });
                (code.name.into_owned(), properties.collect::<Properties>())
            });
            let known = self.maps.entry(map.name.into_owned()).or_default();
            known.extend(codes);
        }
    }

    /// A property of a code, or of the default.
    pub(super) fn get(&self, map: &str, code: &str, property: &str) -> Option<&str> {
        let map = self.maps.get(map)?;
        let properties = map.get(code).or_else(|| map.get(DEFAULT))?;
        properties.get(property).map(String::as_str)
    }

    /// The names of all maps.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.maps.keys().map(String::as_str)
    }
}
