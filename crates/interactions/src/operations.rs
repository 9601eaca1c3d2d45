//! The registry of operations: what follows `$` in a URL, on what it may be called, and what does it.
//!
//! A row says which definition an operation has and which function does it; its name, levels, types
//! and parameters are facts of that definition, the standard's or ours (`data/*.tsv`, in the format
//! of the standard's tables). Routing, the rules for GET and POST, the CapabilityStatement and
//! `docs/operations.md` come from here. An operation is one file of this folder; it gets checked
//! arguments and gives a resource. <https://hl7.org/fhir/R4/operations.html>

mod arguments;
mod convert_data;
mod fhirpath;
mod parameters;
mod reference;

use std::pin::Pin;
use std::sync::LazyLock;

pub use arguments::{Argument, Arguments, Input};
use bytes::Bytes;
use fhir::definitions::{Operation as Facts, OperationLevel};
use fhir::{Definitions, Fault, FhirVersion, Issue};
pub use reference::reference;

use crate::{Caller, InteractionError, Interactions, ResourceKey};

/// An operation that is offered.
pub struct Operation {
    /// The canonical URL of its definition.
    pub url: &'static str,
    /// Whether it changes what is stored: then it is called by POST only.
    pub effect: Effect,
    /// What clients are told of it besides its definition.
    pub documentation: &'static str,
    run: Run,
}

/// Whether an operation changes what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only tells.
    Reads,
    /// It may write.
    Changes,
}

/// What an operation is called on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CalledOn {
    /// The whole system.
    System,
    /// A type.
    Type(&'static str),
    /// A resource.
    Instance(ResourceKey),
}

/// A call: what on, and with what.
pub struct Call {
    /// What it is called on.
    pub on: CalledOn,
    /// What it is given, checked against its definition.
    pub arguments: Arguments,
}

/// What came of an operation: a resource in JSON.
type Outcome = Result<Bytes, InteractionError>;

type Run = for<'c> fn(
    &'c Interactions,
    &'c Caller,
    Call,
) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'c>>;

/// Every operation that is offered.
static OPERATIONS: &[Operation] = &[
    Operation {
        url: "urn:isthmus:operation:convert-data",
        effect: Effect::Changes,
        documentation: convert_data::DOCUMENTATION,
        run: |it, caller, call| Box::pin(it.convert_data(caller, call)),
    },
    Operation {
        url: "urn:isthmus:operation:fhirpath",
        effect: Effect::Reads,
        documentation: fhirpath::DOCUMENTATION,
        run: |it, caller, call| Box::pin(it.fhirpath(caller, call)),
    },
];

/// Definitions of operations that no publication of FHIR has.
static OURS: LazyLock<Vec<Facts>> = LazyLock::new(|| {
    Facts::from_tables(
        include_str!("../data/operations.tsv"),
        include_str!("../data/operation-parameters.tsv"),
    )
});

/// The operations of a FHIR version, each with the facts of its definition.
pub fn operations(
    version: FhirVersion,
) -> impl Iterator<Item = (&'static Operation, &'static Facts)> {
    OPERATIONS
        .iter()
        .filter_map(move |it| Some((it, it.facts(version)?)))
}

/// The operation that a URL asks for by what follows `$`.
pub fn find(version: FhirVersion, on: &CalledOn, code: &str) -> Result<&'static Operation, Issue> {
    let named: Vec<_> = operations(version).filter(|it| it.1.code == code).collect();
    if named.is_empty() {
        return Err(not_offered(version, code));
    }
    let fitting = named.iter().find(|(_, facts)| fits(facts, on));
    fitting.map(|it| it.0).ok_or_else(|| {
        let what = format!("the operation is not called on {}", on.describe());
        let urls: Vec<String> = named.iter().flat_map(|(_, facts)| urls(facts)).collect();
        Issue::error(Fault::NotSupported, what).mend(format!("its URLs are {}", urls.join(", ")))
    })
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.url)
    }
}

impl Operation {
    /// The facts of its definition; `None` where the version does not have it.
    pub fn facts(&self, version: FhirVersion) -> Option<&'static Facts> {
        let standard = Definitions::of(version).operations();
        let ours: &'static [Facts] = &OURS;
        standard.iter().chain(ours).find(|it| it.url == self.url)
    }
}

impl Interactions {
    /// Calls an operation: a resource in JSON.
    pub async fn operate(
        &self,
        caller: &Caller,
        operation: &'static Operation,
        on: CalledOn,
        input: Input,
    ) -> Result<Bytes, InteractionError> {
        let facts = operation.facts(caller.version);
        let facts =
            facts.ok_or_else(|| InteractionError::internal("an operation without facts"))?;
        let arguments = Arguments::read(input, facts, caller.version)?;
        (operation.run)(self, caller, Call { on, arguments }).await
    }
}

impl CalledOn {
    /// Its level.
    pub fn level(&self) -> OperationLevel {
        match self {
            Self::System => OperationLevel::System,
            Self::Type(_) => OperationLevel::Type,
            Self::Instance(_) => OperationLevel::Instance,
        }
    }

    fn resource_type(&self) -> Option<&str> {
        match self {
            Self::System => None,
            Self::Type(name) => Some(name),
            Self::Instance(key) => Some(&key.resource_type),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::System => "the system".to_owned(),
            Self::Type(name) => format!("the type `{name}`"),
            Self::Instance(key) => format!("a single `{}`", key.resource_type),
        }
    }
}

/// Whether the definition has the operation on a level, and there on a type.
pub fn is_on(facts: &Facts, level: OperationLevel, resource_type: &str) -> bool {
    let of_type = |it: &str| matches!(it, "Resource" | "DomainResource") || it == resource_type;
    facts.levels.contains(&level) && facts.resources.iter().any(|it| of_type(it))
}

fn fits(facts: &Facts, on: &CalledOn) -> bool {
    match on.resource_type() {
        None => facts.levels.contains(&OperationLevel::System),
        Some(name) => is_on(facts, on.level(), name),
    }
}

/// The URLs of an operation, below the FHIR base.
fn urls(facts: &Facts) -> Vec<String> {
    let code = facts.code;
    let types = facts.resources.iter().map(|name| match *name {
        "Resource" | "DomainResource" => "[type]",
        name => name,
    });
    let types: Vec<&str> = types.collect();
    let mut urls = Vec::new();
    for level in &facts.levels {
        match level {
            OperationLevel::System => urls.push(format!("`/${code}`")),
            OperationLevel::Type => urls.extend(types.iter().map(|it| format!("`/{it}/${code}`"))),
            OperationLevel::Instance => {
                urls.extend(types.iter().map(|it| format!("`/{it}/[id]/${code}`")));
            }
        }
    }
    urls
}

fn not_offered(version: FhirVersion, code: &str) -> Issue {
    let standard = Definitions::of(version).operations();
    let real = |it: &&Facts| !it.is_example && it.code == code;
    if let Some(known) = standard.iter().find(real) {
        let what = format!("the operation `${}` is not offered yet", known.code);
        return Issue::error(Fault::NotSupported, what);
    }
    let issue = Issue::error(Fault::UnknownPath, "there is no operation of that name");
    let codes = operations(version).map(|it| it.1.code);
    let codes = codes.chain(
        standard
            .iter()
            .filter(|it| !it.is_example)
            .map(|it| it.code),
    );
    match fhir::suggest::nearest(code, codes) {
        Some(nearest) => issue.mend(format!("did you mean `${nearest}`?")),
        None => issue.mend("the CapabilityStatement lists what is offered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_definition_and_agrees_with_it() {
        for operation in OPERATIONS {
            let versions = FhirVersion::ALL.into_iter();
            let facts: Vec<_> = versions.filter_map(|it| operation.facts(it)).collect();
            assert!(!facts.is_empty(), "{}", operation.url);
            for facts in facts {
                let changes = facts.affects_state;
                assert!(changes.is_none_or(|it| it == (operation.effect == Effect::Changes)));
                assert!(!facts.levels.is_empty() && !facts.resources.is_empty());
            }
        }
        let used = |it: &Facts| OPERATIONS.iter().any(|row| row.url == it.url);
        assert!(OURS.iter().all(used), "a definition that nothing does");
    }

    #[test]
    fn what_is_not_offered_says_what_is() {
        let find = |on: CalledOn, code| {
            let found = find(FhirVersion::R4, &on, code);
            found
                .map(|it| it.url)
                .map_err(|it| (it.fault, it.remedy.unwrap_or_default()))
        };
        let url = "urn:isthmus:operation:fhirpath";
        assert_eq!(find(CalledOn::Type("Patient"), "fhirpath"), Ok(url));
        let meant = (Fault::UnknownPath, "did you mean `$fhirpath`?".to_owned());
        assert_eq!(find(CalledOn::System, "fihrpath"), Err(meant));
        let known = (Fault::NotSupported, String::new());
        assert_eq!(find(CalledOn::System, "closure"), Err(known));
    }
}
