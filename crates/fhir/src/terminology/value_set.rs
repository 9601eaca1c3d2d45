//! Value sets: what they are composed of (<https://hl7.org/fhir/R4/valueset.html#compositions>).

use std::collections::BTreeSet;

use super::canonical::Canonical;
use super::code_set::CodeSet;
use super::error::TerminologyError;
use super::filter::Filter;
use crate::json::{Document, Value};

/// A value set, ready to be evaluated.
#[derive(Debug)]
pub struct ValueSet {
    pub(super) canonical: Canonical,
    pub(super) includes: Vec<Part>,
    pub(super) excludes: Vec<Part>,
    /// Whether concepts that are out of use are left out (`compose.inactive` is false).
    pub(super) inactive: Inactive,
    /// Its stored expansion, if that is whole.
    pub(super) expansion: Option<CodeSet>,
    /// The supplements that it asks for: their properties count in its filters.
    pub(super) supplements: Vec<Canonical>,
}

/// The extension by which a value set asks for a supplement
/// (<https://hl7.org/fhir/R4/extension-valueset-supplement.html>).
const SUPPLEMENT: &str = "http://hl7.org/fhir/StructureDefinition/valueset-supplement";

/// What is done with concepts that are out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inactive {
    Kept,
    LeftOut,
}

/// One `include` or `exclude`: codes that are in all that it names.
#[derive(Debug)]
pub(super) struct Part {
    /// The system with its version.
    pub(super) system: Option<Canonical>,
    pub(super) choice: Choice,
    pub(super) value_sets: Vec<Canonical>,
}

/// Which codes of a part's system.
#[derive(Debug)]
pub(super) enum Choice {
    Whole,
    Listed(BTreeSet<Box<str>>),
    Filtered(Vec<Filter>),
}

impl ValueSet {
    /// Takes what evaluation needs from a ValueSet resource.
    pub fn read(resource: &Document) -> Result<Self, TerminologyError> {
        let root = resource.root();
        let canonical = Canonical::new(&text(root, "url"), Some(&text(root, "version")));
        if !root
            .get("resourceType")
            .is_some_and(|it| it.is_str("ValueSet"))
        {
            return Err(malformed(&canonical, "it is no ValueSet"));
        }
        let compose = root.get("compose");
        let parts = |name| {
            let parts = compose.into_iter().flat_map(|it| items(it, name));
            let read = parts.map(|it| Part::read(&canonical, it));
            read.collect::<Result<Vec<_>, _>>()
        };
        let (includes, excludes) = (parts("include")?, parts("exclude")?);
        let expansion = root.get("expansion").and_then(whole_expansion);
        if includes.is_empty() && expansion.is_none() {
            let what = "it has neither `compose.include` nor a whole `expansion`";
            return Err(malformed(&canonical, what));
        }
        let keeps = compose.and_then(|it| it.get("inactive")?.as_bool());
        let inactive = match keeps {
            Some(false) => Inactive::LeftOut,
            _ => Inactive::Kept,
        };
        Ok(Self {
            canonical: canonical.clone(),
            includes,
            excludes,
            inactive,
            expansion,
            supplements: supplements(root),
        })
    }

    /// The value set of all codes of a system.
    pub(super) fn of_system(url: &str, system: Canonical, choice: Choice) -> Self {
        let part = Part {
            system: Some(system),
            choice,
            value_sets: Vec::new(),
        };
        Self {
            canonical: Canonical::new(url, None),
            includes: vec![part],
            excludes: Vec::new(),
            inactive: Inactive::Kept,
            expansion: None,
            supplements: Vec::new(),
        }
    }

    /// Its URL and business version.
    pub fn canonical(&self) -> &Canonical {
        &self.canonical
    }

    /// About how many bytes it holds in memory.
    pub fn memory(&self) -> usize {
        let parts = self.includes.iter().chain(&self.excludes);
        let expansion = self.expansion.as_ref().map_or(0, CodeSet::memory);
        let supplements = self.supplements.len() * size_of::<Canonical>();
        size_of::<Self>() + parts.map(Part::memory).sum::<usize>() + expansion + supplements
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.includes.iter().chain(&self.excludes)
    }
}

impl Part {
    fn read(of: &Canonical, part: Value<'_>) -> Result<Self, TerminologyError> {
        let system = text(part, "system");
        let version = text(part, "version");
        let value_sets: Vec<_> = items(part, "valueSet")
            .filter_map(Value::as_str)
            .map(|it| Canonical::parse(&it))
            .collect();
        let choice = Choice::read(of, part)?;
        let system = (!system.is_empty()).then(|| Canonical::new(&system, Some(&version)));
        match (&system, &choice) {
            (None, Choice::Whole) if !value_sets.is_empty() => {}
            (Some(_), _) => {}
            _ => {
                return Err(malformed(
                    of,
                    "a part has neither a `system` nor a `valueSet`",
                ));
            }
        }
        Ok(Self {
            system,
            choice,
            value_sets,
        })
    }

    fn memory(&self) -> usize {
        let codes = match &self.choice {
            Choice::Listed(codes) => codes
                .iter()
                .map(|it| it.len() + size_of::<usize>() * 4)
                .sum(),
            Choice::Whole => 0,
            Choice::Filtered(filters) => filters.iter().map(Filter::memory).sum(),
        };
        size_of::<Self>() + codes + self.value_sets.len() * size_of::<Canonical>()
    }
}

impl Choice {
    fn read(of: &Canonical, part: Value<'_>) -> Result<Self, TerminologyError> {
        let mut codes = items(part, "concept").map(|it| text(it, "code")).peekable();
        let mut filters = items(part, "filter").peekable();
        match (codes.peek().is_some(), filters.peek().is_some()) {
            (true, true) => Err(malformed(
                of,
                "a part has both `concept` and `filter` (vsd-3)",
            )),
            (true, false) => Ok(Self::Listed(codes.map(|it| it.as_ref().into()).collect())),
            (false, true) => {
                let read =
                    |it| Filter::new(&text(it, "property"), &text(it, "op"), &text(it, "value"));
                Ok(Self::Filtered(filters.map(read).collect::<Result<_, _>>()?))
            }
            (false, false) => Ok(Self::Whole),
        }
    }
}

fn malformed(canonical: &Canonical, what: &str) -> TerminologyError {
    TerminologyError::Malformed {
        canonical: canonical.clone(),
        what: what.to_owned(),
    }
}

fn supplements(root: Value<'_>) -> Vec<Canonical> {
    let asked = items(root, "extension").filter(|it| text(*it, "url") == SUPPLEMENT);
    asked
        .map(|it| text(it, "valueCanonical"))
        .filter(|it| !it.is_empty())
        .map(|it| Canonical::parse(&it))
        .collect()
}

/// An expansion that holds all of its codes: no page of one, nothing cut, nothing left open.
fn whole_expansion(expansion: Value<'_>) -> Option<CodeSet> {
    let cut = ["valueset-toocostly", "valueset-unclosed"];
    let is_cut = items(expansion, "extension").any(|it| {
        let url = text(it, "url");
        cut.iter().any(|end| url.ends_with(end))
    });
    let mut set = CodeSet::default();
    let mut count = 0_usize;
    let mut open = vec![expansion];
    while let Some(holder) = open.pop() {
        for item in items(holder, "contains") {
            count += 1;
            let code = text(item, "code");
            if !code.is_empty() {
                set.union(&CodeSet::listed(&text(item, "system"), [&*code]));
            }
            open.push(item);
        }
    }
    let total = expansion.get("total").and_then(Value::as_number);
    let is_page = total.is_some_and(|it| it != count.to_string());
    (!is_cut && !is_page && !set.is_empty()).then_some(set)
}

fn items<'d>(value: Value<'d>, name: &str) -> impl Iterator<Item = Value<'d>> + use<'d> {
    value.get(name).into_iter().flat_map(Value::items)
}

fn text<'d>(value: Value<'d>, name: &str) -> std::borrow::Cow<'d, str> {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
