//! Which reference parameters hold canonical URLs instead of references: these name a definition
//! wherever it lies, so that no record is behind them that a chain could go on from.

use fhir::Definitions;
use fhir::definitions::SearchParameter;

/// Whether the parameter of that type leads to no record: every alternative of its expression that
/// can be followed by names ends in something else than a Reference.
pub(super) fn is_canonical(
    definitions: &Definitions,
    resource_type: &str,
    parameter: &SearchParameter,
) -> bool {
    let Some(expression) = parameter.expression else {
        return false;
    };
    let ends = expression.split('|').map(str::trim).filter_map(|term| {
        let path = term.trim_matches(['(', ')']).strip_prefix(resource_type)?;
        end(definitions, resource_type, path.strip_prefix('.')?)
    });
    let mut ends = ends.peekable();
    ends.peek().is_some() && ends.all(|it| it == End::Other)
}

#[derive(PartialEq, Eq)]
enum End {
    Reference,
    Other,
}

/// What lies at the end of a path of names; `None` for what is no such path.
fn end(definitions: &Definitions, resource_type: &str, path: &str) -> Option<End> {
    let mut shape = definitions.resource(resource_type)?.shape;
    let mut types = None;
    for name in path.split('.') {
        let child = definitions
            .elements(shape)
            .iter()
            .find(|it| it.name == name)?;
        shape = child.types.first()?.shape;
        types = Some(child.types);
    }
    let leads_on = types?
        .iter()
        .any(|it| matches!(it.name, "Reference" | "Resource"));
    Some(if leads_on { End::Reference } else { End::Other })
}

#[cfg(test)]
mod tests {
    use fhir::FhirVersion;

    use super::*;

    #[test]
    fn canonical_urls_are_told_from_references() {
        for (version, resource_type, code, expected) in [
            (
                FhirVersion::R4,
                "QuestionnaireResponse",
                "questionnaire",
                true,
            ),
            (
                FhirVersion::Stu3,
                "QuestionnaireResponse",
                "questionnaire",
                false,
            ),
            (FhirVersion::R4, "CarePlan", "instantiates-canonical", true),
            (FhirVersion::R4, "Observation", "subject", false),
            (FhirVersion::R4, "Observation", "patient", false),
            (FhirVersion::R4, "ValueSet", "reference", true),
            (FhirVersion::R4, "Medication", "ingredient", false),
        ] {
            let definitions = Definitions::of(version);
            let parameter = definitions.search_parameter(resource_type, code).unwrap();
            let found = is_canonical(definitions, resource_type, parameter);
            assert_eq!(found, expected, "{version} {resource_type}.{code}");
        }
    }
}
