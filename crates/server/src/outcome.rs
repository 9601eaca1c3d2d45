//! From fault to answer: the one table of issue codes and HTTP statuses per FHIR version.
//!
//! The status follows the fault, not the issue code alone: an unknown type is 404, a method 405, a
//! body over its limit 413. Codes: <https://hl7.org/fhir/R4/valueset-issue-type.html>,
//! <https://hl7.org/fhir/STU3/valueset-issue-type.html> (which has neither `deleted` nor
//! `multiple-matches`); statuses: <https://hl7.org/fhir/R4/http.html#2.21.0.5>.

use fhir::{Fault, FhirVersion, Issue};
use http::StatusCode;

/// How one fault is told in one FHIR version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// `OperationOutcome.issue.code`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
}

/// A row of the table: a fault, how R4 tells it, and how STU3 does where that differs.
struct Row {
    fault: Fault,
    r4: (&'static str, u16),
    stu3: Option<(&'static str, u16)>,
}

const fn row(fault: Fault, code: &'static str, status: u16) -> Row {
    Row {
        fault,
        r4: (code, status),
        stu3: None,
    }
}

const fn differing(fault: Fault, r4: (&'static str, u16), stu3: (&'static str, u16)) -> Row {
    Row {
        fault,
        r4,
        stu3: Some(stu3),
    }
}

const TABLE: &[Row] = &[
    row(Fault::Structure, "structure", 400),
    row(Fault::Required, "required", 400),
    row(Fault::Value, "value", 400),
    row(Fault::Invalid, "invalid", 400),
    row(Fault::Invariant, "invariant", 422),
    row(Fault::NotSupported, "not-supported", 400),
    row(Fault::UnknownType, "not-supported", 404),
    row(Fault::UnknownPath, "not-found", 404),
    row(Fault::NotFound, "not-found", 404),
    differing(Fault::Deleted, ("deleted", 410), ("not-found", 410)),
    row(Fault::MethodNotAllowed, "not-supported", 405),
    row(Fault::NotAcceptable, "not-supported", 406),
    row(Fault::UnsupportedMediaType, "not-supported", 415),
    row(Fault::TooLarge, "too-long", 413),
    row(Fault::TooCostly, "too-costly", 403),
    row(Fault::Throttled, "throttled", 429),
    row(Fault::Conflict, "conflict", 409),
    differing(Fault::VersionMismatch, ("conflict", 412), ("conflict", 409)),
    differing(
        Fault::MultipleMatches,
        ("multiple-matches", 412),
        ("processing", 412),
    ),
    // http.html#delete demands 409 where a delete would break a reference; a write that would
    // create a broken one contradicts the stored state just the same.
    row(Fault::ReferenceBroken, "conflict", 409),
    row(Fault::KeyReused, "business-rule", 422),
    row(Fault::BusinessRule, "business-rule", 422),
    row(Fault::Unauthenticated, "login", 401),
    row(Fault::Forbidden, "forbidden", 403),
    row(Fault::Unavailable, "transient", 503),
    row(Fault::StorageFull, "no-store", 507),
    row(Fault::Timeout, "timeout", 503),
    row(Fault::Internal, "exception", 500),
    row(Fault::Informational, "informational", 200),
];

/// How that fault is told in that version.
///
/// # Panics
/// Never: a test checks that every fault has a row, and that its statuses are valid.
pub fn told(fault: Fault, version: FhirVersion) -> Told {
    let row = TABLE
        .iter()
        .find(|row| row.fault == fault)
        .expect("a test checks that every fault has a row");
    let (code, status) = match version {
        FhirVersion::Stu3 => row.stu3.unwrap_or(row.r4),
        FhirVersion::R4 => row.r4,
    };
    let status = StatusCode::from_u16(status).expect("the table holds valid statuses");
    Told { code, status }
}

/// The OperationOutcome with these issues, as JSON text.
pub fn operation_outcome(issues: &[Issue], version: FhirVersion) -> String {
    fhir::outcome::operation_outcome(issues, &|fault| told(fault, version).code)
}

/// The OperationOutcome that says nothing is wrong (an issue is mandatory).
pub fn all_ok(version: FhirVersion) -> String {
    operation_outcome(&[Issue::information("the request was fulfilled")], version)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The compiler refuses this when a fault is added, so that the table cannot be forgotten.
    const fn place(fault: Fault) -> usize {
        match fault {
            Fault::Structure => 0,
            Fault::Required => 1,
            Fault::Value => 2,
            Fault::Invalid => 3,
            Fault::Invariant => 4,
            Fault::NotSupported => 5,
            Fault::UnknownType => 6,
            Fault::UnknownPath => 7,
            Fault::NotFound => 8,
            Fault::Deleted => 9,
            Fault::MethodNotAllowed => 10,
            Fault::NotAcceptable => 11,
            Fault::UnsupportedMediaType => 12,
            Fault::TooLarge => 13,
            Fault::TooCostly => 14,
            Fault::Throttled => 15,
            Fault::Conflict => 16,
            Fault::VersionMismatch => 17,
            Fault::MultipleMatches => 18,
            Fault::ReferenceBroken => 19,
            Fault::KeyReused => 20,
            Fault::BusinessRule => 21,
            Fault::Unauthenticated => 22,
            Fault::Forbidden => 23,
            Fault::Unavailable => 24,
            Fault::StorageFull => 25,
            Fault::Timeout => 26,
            Fault::Internal => 27,
            Fault::Informational => 28,
        }
    }

    #[test]
    fn every_fault_has_its_row() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(place(row.fault), at, "{:?}", row.fault);
            for version in FhirVersion::ALL {
                assert!(told(row.fault, version).status.as_u16() >= 200);
            }
        }
        assert_eq!(TABLE.len(), 29);
    }

    #[test]
    fn versions_differ_where_the_standard_does() {
        let status = |fault, version| told(fault, version).status.as_u16();
        assert_eq!(status(Fault::VersionMismatch, FhirVersion::R4), 412);
        assert_eq!(status(Fault::VersionMismatch, FhirVersion::Stu3), 409);
        assert_eq!(told(Fault::Deleted, FhirVersion::R4).code, "deleted");
        assert_eq!(told(Fault::Deleted, FhirVersion::Stu3).code, "not-found");
    }

    #[test]
    fn issue_codes_exist_in_their_version() {
        for version in FhirVersion::ALL {
            let definitions = fhir::Definitions::of(version);
            let outcome = definitions
                .resource("OperationOutcome")
                .expect("is a resource");
            let issue = definitions
                .child(outcome.shape, "issue")
                .expect("has issues");
            let code = definitions
                .child(issue.chosen.shape, "code")
                .expect("has a code");
            let binding = code.element.binding.as_ref().expect("is bound");
            for row in TABLE {
                let code = told(row.fault, version).code;
                assert_eq!(binding.has_code(code), Some(true), "{version} {code}");
            }
        }
    }
}
