//! Conversion with the libraries of tenants: [`Conversions`] keeps the promise that interactions
//! make ([`Converter`]), and gives compiled libraries to whoever converts by itself.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use convert::source::archive;
use convert::{
    Budgets, ConvertError, ErrorKind, Finding, IdStrategy, Level, Processor, Settings,
    SourceLimits, Sources, Unread, own,
};
use fhir::{Fault, Issue};
use interactions::conversion::{Conversion, Converted, Converter};
use interactions::libraries::{Compiled, Layers, Libraries};
use interactions::{InteractionError, Interactions, Salt, Salts};
use store::TenantId;

/// How many bytes a library is taken to need in memory for each byte of its templates: an estimate
/// on the safe side.
const BYTES_PER_TEXT_BYTE: usize = 12;

/// How many faults of a library are told.
const FINDINGS_MAX: usize = 50;

/// What conversions may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long one may take.
    pub timeout: Duration,
    /// Bytes of compiled libraries that are kept.
    pub libraries_bytes_max: usize,
    /// What one may use.
    pub budgets: Budgets,
}

/// Converts with the libraries of tenants.
#[derive(Clone)]
pub struct Conversions {
    libraries: Arc<Libraries<convert::Library>>,
    limits: Arc<Limits>,
    salts: Salts,
}

impl Conversions {
    /// Conversions with the libraries that these interactions keep.
    pub fn new(interactions: Interactions, limits: Limits) -> Self {
        let bytes_max = limits.libraries_bytes_max;
        let salts = interactions.settings().ids_salts.clone();
        let libraries = Libraries::new(interactions, bytes_max, Arc::new(compile));
        Self {
            libraries: Arc::new(libraries),
            limits: Arc::new(limits),
            salts,
        }
    }

    /// The library of that name that the tenant uses now, compiled.
    pub async fn active(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<Arc<convert::Library>, InteractionError> {
        self.libraries.active(tenant, name).await
    }
}

/// Reads the layers of a library.
fn compile(layers: &Layers) -> Result<Compiled<convert::Library>, Issue> {
    let mut all = Vec::new();
    if let Some(name) = &layers.built_in {
        all.push(own::sources(name).ok_or_else(|| unknown(name))?);
    }
    for bytes in &layers.archives {
        all.push(unpacked(bytes)?);
    }
    let texts = all.iter().flat_map(|it| &it.files).map(|it| it.1.len());
    Ok(Compiled {
        bytes: texts.sum::<usize>() * BYTES_PER_TEXT_BYTE,
        library: convert::Library::load_layers(&all),
    })
}

fn unknown(name: &str) -> Issue {
    let issue = Issue::error(Fault::NotFound, format!("there is no library `{name}`"));
    match fhir::suggest::nearest(name, own::names()) {
        Some(nearest) => issue.mend(format!("did you mean `{nearest}`?")),
        None => issue.mend(format!(
            "upload it, or use one of ours: {}",
            own::names().collect::<Vec<_>>().join(", ")
        )),
    }
}

fn unpacked(bytes: &[u8]) -> Result<Sources, Issue> {
    archive::read(bytes, &SourceLimits::default()).map_err(|error| {
        Issue::error(Fault::Value, format!("the library cannot be read: {error}"))
            .mend("send a `.tar.gz` of templates")
    })
}

#[async_trait]
impl Converter for Conversions {
    async fn convert(
        &self,
        tenant: &TenantId,
        conversion: Conversion,
    ) -> Result<Converted, InteractionError> {
        let given = conversion.data_type.as_deref();
        let given = given.map(data_type).transpose()?;
        let (name, number) = match &conversion.library {
            Some(reference) => reference_of(reference)?,
            None => (default_library(given)?.to_owned(), None),
        };
        let library = self.libraries.library(tenant, &name, number).await?;
        let (limits, salt) = (Arc::clone(&self.limits), self.salts.of(tenant).cloned());
        let converted = tokio::task::spawn_blocking(move || {
            let processor = processor_of(given, library.processor()).ok_or_else(no_data_type)?;
            converted(&library, processor, &conversion, &limits, salt.as_ref())
        });
        let failed = |_| Issue::error(Fault::Internal, "the conversion failed");
        Ok(converted.await.map_err(failed)??)
    }

    async fn inspect(&self, archive: Bytes) -> Result<Option<String>, InteractionError> {
        let read = tokio::task::spawn_blocking(move || unpacked(&archive));
        let failed = |_| Issue::error(Fault::Internal, "the library cannot be read");
        let sources = read.await.map_err(failed)??;
        if sources.files.is_empty() {
            let what = "the archive holds no file of a library";
            return Err(Issue::error(Fault::Value, what)
                .mend("templates are `.liquid` files")
                .into());
        }
        Ok(sources.base())
    }

    async fn check(
        &self,
        tenant: &TenantId,
        name: &str,
        number: u32,
    ) -> Result<(), InteractionError> {
        let library = self.libraries.library(tenant, name, Some(number)).await?;
        let checked = tokio::task::spawn_blocking(move || library.check());
        let failed = |_| Issue::error(Fault::Internal, "the library cannot be checked");
        let findings = checked.await.map_err(failed)?;
        let errors = findings.iter().filter(|it| it.level == Level::Error);
        let issues: Vec<Issue> = errors.take(FINDINGS_MAX).map(issue_of).collect();
        if issues.is_empty() {
            Ok(())
        } else {
            Err(issues.into())
        }
    }
}

fn issue_of(finding: &Finding) -> Issue {
    Issue::error(Fault::BusinessRule, finding.to_string())
        .mend("the version is kept, but not used; mend it and upload the next")
}

fn data_type(name: &str) -> Result<Processor, Issue> {
    Processor::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Processor::names().collect();
        Issue::error(Fault::Value, "the data type is none that can be converted")
            .mend(format!("it is one of {}", known.join(", ")))
    })
}

fn no_data_type() -> Issue {
    let what = "neither the request nor the library's `metadata.json` says what the input is";
    Issue::error(Fault::Required, what).mend("give `inputDataType`")
}

/// What is converted with a library. FHIR is also what a library into HL7 v2 takes: Microsoft's
/// service calls that `Fhir`.
fn processor_of(given: Option<Processor>, own: Option<Processor>) -> Option<Processor> {
    match (given, own) {
        (Some(Processor::Fhir), Some(Processor::FhirToHl7v2)) => own,
        _ => given.or(own),
    }
}

/// Our own library for a kind of input.
fn default_library(processor: Option<Processor>) -> Result<&'static str, Issue> {
    let ours = match processor {
        Some(Processor::Hl7v2) => Some("hl7v2"),
        Some(Processor::Ccda) => Some("ccda"),
        Some(Processor::Fhir | Processor::FhirToHl7v2) => Some("fhir-to-hl7v2"),
        Some(Processor::Json) | None => None,
    };
    let ours = ours.filter(|name| own::names().any(|it| it == *name));
    ours.ok_or_else(|| {
        let what = "there is no library of ours for such input";
        Issue::error(Fault::Required, what).mend("name one in `templateCollectionReference`")
    })
}

/// The default references of Microsoft's service, by the part before `:`.
const THEIR_DEFAULTS: &[(&str, &str)] = &[
    ("microsofthealth/hl7v2templates", "hl7v2"),
    ("microsofthealth/ccdatemplates", "ccda"),
    ("microsofthealth/fhirtohl7v2templates", "fhir-to-hl7v2"),
];

/// The name and the number in `NAME`, `NAME:NUMBER` or a reference of Microsoft's service.
fn reference_of(reference: &str) -> Result<(String, Option<u32>), Issue> {
    let (name, tag) = match reference.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (reference, None),
    };
    let theirs = THEIR_DEFAULTS.iter().find(|it| it.0 == name);
    if let Some((_, ours)) = theirs {
        return Ok(((*ours).to_owned(), None));
    }
    let number = tag.filter(|it| !matches!(*it, "active" | "default"));
    let number = number.map(str::parse).transpose().map_err(|_| {
        Issue::error(Fault::Value, "the version in the reference is no number")
            .mend("write `NAME` or `NAME:NUMBER`")
    })?;
    Ok((name.to_owned(), number))
}

fn converted(
    library: &convert::Library,
    processor: Processor,
    conversion: &Conversion,
    limits: &Limits,
    salt: Option<&Salt>,
) -> Result<Converted, Issue> {
    let input = std::str::from_utf8(&conversion.input)
        .map_err(|_| Issue::error(Fault::Structure, "the input is not UTF-8"))?;
    let named = conversion.root.clone().map(Ok);
    let root = named.unwrap_or_else(|| library.root_named_by(processor, input));
    let root = root.map_err(|error| issue(&error))?;
    let began = Instant::now();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let micros = now.map_or(0, |it| i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
    let is_up = || began.elapsed() > limits.timeout;
    let settings = Settings {
        seed: micros.unsigned_abs(),
        zone_offset_minutes: conversion.zone_offset_minutes,
        ids: strategy(salt),
        budgets: limits.budgets.clone(),
        ..Settings::new(fhir::Instant::from_micros(micros), &is_up)
    };
    let output = library.convert(&root, processor, input, &settings);
    let output = output.map_err(|error| issue(&error))?;
    let unread = output.unread.iter();
    let unread = unread.filter(|it| library.reason_to_ignore(it).is_none());
    let mut unread: Vec<String> = unread.map(Unread::to_string).collect();
    unread.sort();
    unread.dedup();
    Ok(Converted {
        is_fhir: processor != Processor::FhirToHl7v2,
        text: output.text,
        unread,
    })
}

/// How a tenant with that salt, or without one, has its ids made.
pub fn strategy(salt: Option<&Salt>) -> IdStrategy<'_> {
    salt.map_or(IdStrategy::Hash, |it| IdStrategy::Salted(it.as_str()))
}

/// What a client is told of a conversion that failed, with the code of Microsoft's converter.
pub fn issue(error: &ConvertError) -> Issue {
    let fault = match error.kind {
        ErrorKind::Input
        | ErrorKind::Message
        | ErrorKind::Separators
        | ErrorKind::SameSeparators
        | ErrorKind::EscapeCharacter
        | ErrorKind::Hexadecimal => Fault::Structure,
        ErrorKind::RootNotFound => Fault::Invalid,
        ErrorKind::TimedOut => Fault::Timeout,
        ErrorKind::Limit => Fault::TooLarge,
        _ => Fault::BusinessRule,
    };
    let included = error
        .included_at
        .iter()
        .map(|it| format!(", included at {it}"));
    let stack: String = included.collect();
    let remedy = match error.kind {
        ErrorKind::RootNotFound => "give `rootTemplate`; ",
        _ => "",
    };
    let told = format!("{remedy}code {}{stack}", error.kind.code());
    Issue::error(fault, error.to_string()).mend(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fhir_becomes_hl7v2_with_our_library() {
        assert_eq!(
            default_library(Some(Processor::Fhir)).ok(),
            Some("fhir-to-hl7v2")
        );
        let into_hl7v2 = Some(Processor::FhirToHl7v2);
        assert_eq!(processor_of(Some(Processor::Fhir), into_hl7v2), into_hl7v2);
        assert_eq!(
            processor_of(Some(Processor::Fhir), None),
            Some(Processor::Fhir)
        );
        let library = convert::Library::load(&own::sources("fhir-to-hl7v2").unwrap());
        let conversion = Conversion {
            input: r#"{"resourceType": "Patient", "id": "1", "name": [{"family": "Doe"}]}"#.into(),
            data_type: Some("Fhir".into()),
            library: None,
            root: None,
            zone_offset_minutes: None,
        };
        let limits = Limits {
            timeout: Duration::from_secs(10),
            libraries_bytes_max: 0,
            budgets: Budgets::default(),
        };
        let made = converted(&library, Processor::FhirToHl7v2, &conversion, &limits, None).unwrap();
        assert!(!made.is_fhir);
        assert!(made.text.contains("|ADT^A31^"), "{}", made.text);
        assert!(made.text.contains("\rPID|1||||Doe\r"), "{}", made.text);
    }

    #[test]
    fn references_name_a_library_and_perhaps_a_version() {
        for (reference, expected) in [
            ("site", Some(("site", None))),
            ("site:3", Some(("site", Some(3)))),
            ("site:default", Some(("site", None))),
            (
                "microsofthealth/hl7v2templates:default",
                Some(("hl7v2", None)),
            ),
            ("site:x", None),
        ] {
            let found = reference_of(reference).ok();
            let found = found
                .as_ref()
                .map(|(name, number)| (name.as_str(), *number));
            assert_eq!(found, expected, "{reference}");
        }
    }
}
