//! The template that an input itself asks for: a message by its event, a document by its code, a
//! resource by its type.

use std::collections::HashSet;

use bytes::Bytes;
use fhir::json::{Document, Limits, Value};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Library, Processor};
use crate::budget::Budgets;
use crate::data;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::template::Mode;
use crate::value::Arena;

/// Documents of C-CDA R2.1 by the LOINC code of `ClinicalDocument.code`; several codes name a kind,
/// those here are what its template demands or prefers.
const DOCUMENTS: &[(&str, &str)] = &[
    ("52521-2", "CarePlan"),
    ("34133-9", "CCD"),
    ("11488-4", "ConsultationNote"),
    ("18748-4", "DiagnosticImagingReport"),
    ("18842-5", "DischargeSummary"),
    ("34117-2", "HistoryandPhysical"),
    ("11504-8", "OperativeNote"),
    ("28570-0", "ProcedureNote"),
    ("11506-3", "ProgressNote"),
    ("57133-1", "ReferralNote"),
    ("18761-7", "TransferSummary"),
];

/// The template for documents of no kind that is listed.
const ANY_DOCUMENT: &str = "Document";

/// How deep the code of a document may lie, and how many elements may come before it.
const ELEMENTS_BEFORE_CODE_MAX: usize = 1_000;

impl Library {
    /// The root template that an input asks for, if the library has it.
    pub fn root_for(&self, processor: Processor, input: &str) -> Option<String> {
        self.root_named_by(processor, input).ok()
    }

    /// The same; the error says why there is none: the input is malformed, or the library has nothing
    /// for it.
    pub fn root_named_by(&self, processor: Processor, input: &str) -> Result<String> {
        if input.trim().is_empty() {
            return Err(ConvertError::new(ErrorKind::Input, "the input is empty"));
        }
        let (wanted, by) = match processor {
            Processor::Hl7v2 => return crate::root_of(input, self),
            Processor::Ccda => {
                let code = document_code(input).unwrap_or_default();
                let kind = DOCUMENTS.iter().find(|it| it.0 == code);
                let kind = kind.map(|it| it.1.to_owned());
                let wanted = kind.into_iter().chain([ANY_DOCUMENT.to_owned()]).collect();
                (wanted, "`ClinicalDocument.code`")
            }
            Processor::FhirToHl7v2 => (of_event(input, &self.roots()), "its `MessageHeader`"),
            Processor::Json | Processor::Fhir => (of_resource(input), "`resourceType`"),
        };
        let found = wanted.into_iter().find(|it| self.partial(it).is_some());
        found.ok_or_else(|| {
            readable(processor, input).err().unwrap_or_else(|| {
                let what =
                    format!("the library has no root template for what the input says in {by}");
                ConvertError::new(ErrorKind::RootNotFound, what)
            })
        })
    }
}

/// Whether an input is of its format.
fn readable(processor: Processor, input: &str) -> Result<()> {
    let (budgets, arena) = (Budgets::default(), Arena::new());
    match processor {
        Processor::Ccda => data::xml::read(input, Mode::Compatible, &budgets, &arena).map(|_| ()),
        _ => data::json::read(input, &budgets, &arena).map(|_| ()),
    }
}

/// The roots that write a message of FHIR: that of the event in its `MessageHeader`, in whatever
/// library; without one results if there are any, or else what is new of a patient: of a visit
/// (A08) or of the person (A31).
fn of_event(input: &str, roots: &[&str]) -> Vec<String> {
    let text = Bytes::copy_from_slice(input.as_bytes());
    let Ok(document) = Document::parse(text, &Limits::DEFAULT) else {
        return Vec::new();
    };
    let root = document.root();
    let entries = root.get("entry").into_iter().flat_map(Value::items);
    let resources = entries.filter_map(|it| it.get("resource")).chain([root]);
    let mut kinds = HashSet::new();
    for resource in resources {
        let kind = resource.get("resourceType");
        let kind = kind.and_then(Value::as_str).unwrap_or_default();
        if kind == "MessageHeader" {
            let event = resource.get("eventCoding").and_then(|it| it.get("code"));
            let event = event.and_then(Value::as_str).unwrap_or_default();
            let is_of_event = |it: &&&str| it.rsplit_once('_').is_some_and(|it| it.1 == event);
            if !event.is_empty() && event != "unknown" {
                return roots
                    .iter()
                    .filter(is_of_event)
                    .map(|it| (*it).to_owned())
                    .collect();
            }
        }
        kinds.insert(kind.into_owned());
    }
    let has = |kind: &str| kinds.contains(kind);
    let named = match () {
        () if has("DiagnosticReport") => "ORU_R01",
        () if has("Encounter") => "ADT_A08",
        () if has("Observation") => "ORU_R01",
        () if has("Patient") => "ADT_A31",
        () => return of_resource(input),
    };
    vec![named.to_owned()]
}

fn of_resource(input: &str) -> Vec<String> {
    let text = Bytes::copy_from_slice(input.as_bytes());
    let document = Document::parse(text, &Limits::DEFAULT).ok();
    let kind = document
        .as_ref()
        .and_then(|it| it.root().get("resourceType"));
    let kind = kind.and_then(Value::as_str);
    kind.map(std::borrow::Cow::into_owned).into_iter().collect()
}

/// The code in `ClinicalDocument.code`.
fn document_code(input: &str) -> Option<String> {
    let mut reader = Reader::from_str(input);
    let mut depth = 0_usize;
    for _ in 0..ELEMENTS_BEFORE_CODE_MAX {
        match reader.read_event().ok()? {
            Event::Start(start) | Event::Empty(start)
                if depth == 1 && start.local_name().as_ref() == "code" =>
            {
                let code = start.try_get_attribute("code").ok()??;
                return Some(code.value.clone().into_owned());
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.checked_sub(1)?,
            Event::Eof => return None,
            _ => {}
        }
    }
    None
}
