//! Versioned references (`Patient/1/_history/2`): they include the version that they name, while
//! that is kept; chains and criteria are about the current one.
//! <https://hl7.org/fhir/R4/search.html#include>

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fhir::Definitions;
use fhir::json::{Document, Limits, Value};
use search::reference::{Bases, Target};
use store::{Operation, Record, TypeNumber, VersionNumber, View};

use super::Source;
use crate::{Caller, InteractionError};

/// What the text of a resource must hold for a versioned reference to be in it.
const MARK: &str = "/_history/";

/// The versions that references name, by type and id; `None` where one names none.
#[derive(Default)]
pub(super) struct Versions(BTreeMap<(String, String), BTreeSet<Option<u64>>>);

impl Versions {
    /// Those in these texts. Mostly there are none, and no text is looked into.
    pub(super) fn of(caller: &Caller, bases: &Bases, sources: &[Source]) -> Self {
        let mut versions = Self::default();
        let definitions = Definitions::of(caller.version);
        let is_marked =
            |it: &Source| std::str::from_utf8(&it.text).is_ok_and(|it| it.contains(MARK));
        if !sources.iter().any(is_marked) {
            return versions;
        }
        for source in sources {
            if let Ok(document) = Document::parse(source.text.clone(), &Limits::DEFAULT) {
                versions.walk(definitions, bases, document.root());
            }
        }
        versions
    }

    /// As deep as a resource may be nested.
    fn walk(&mut self, definitions: &Definitions, bases: &Bases, value: Value<'_>) {
        value
            .items()
            .for_each(|it| self.walk(definitions, bases, it));
        for member in value.members() {
            self.walk(definitions, bases, member.value);
            let text = (member.name == "reference").then(|| member.value.as_str());
            let Some(text) = text.flatten() else { continue };
            if let Target::Local {
                resource_type,
                id,
                version,
            } = bases.target(definitions, &text)
            {
                let key = (resource_type.to_owned(), id.to_owned());
                let version = version.and_then(|it| it.parse().ok());
                self.0.entry(key).or_default().insert(version);
            }
        }
    }

    /// In place of the current versions of these records those that are named.
    pub(super) async fn chosen(
        &self,
        view: &Arc<dyn View>,
        names: &HashMap<TypeNumber, Box<str>>,
        records: Vec<Record>,
    ) -> Result<Vec<Record>, InteractionError> {
        if self.0.is_empty() {
            return Ok(records);
        }
        let mut chosen = Vec::with_capacity(records.len());
        for record in records {
            let name = names.get(&record.key.kind).map_or("", |it| it);
            let key = (name.to_owned(), record.key.id.0.to_string());
            let mut kept = Vec::new();
            for version in self.0.get(&key).into_iter().flatten().flatten() {
                let version = VersionNumber(*version);
                let found = view.read_version(&record.key, version).await?;
                kept.extend(found.filter(|it| it.operation != Operation::Delete));
            }
            let names_current = self.0.get(&key).is_none_or(|it| it.contains(&None));
            if names_current || kept.is_empty() {
                kept.retain(|it| it.version != record.version);
                kept.push(record);
            }
            chosen.extend(kept);
        }
        Ok(chosen)
    }
}
