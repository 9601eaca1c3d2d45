//! The definition tables: a few exact facts.

use fhir::FhirVersion::{R4, Stu3};
use fhir::definitions::{Definitions, TypeKind};

/// The names of the concrete resource types are as many as the publications have.
#[test]
fn resource_types() {
    assert_eq!(Definitions::of(R4).resources().count(), 146);
    assert_eq!(Definitions::of(Stu3).resources().count(), 117);
}

fn types_of(version: fhir::FhirVersion, type_name: &str, element: &str) -> Vec<&'static str> {
    let definitions = Definitions::of(version);
    let shape = definitions.type_named(type_name).expect("a type").shape;
    let element = definitions
        .elements(shape)
        .iter()
        .find(|it| it.name == element)
        .expect("an element");
    element.types.iter().map(|it| it.name).collect()
}

#[test]
fn choices_in_order() {
    let r4 = types_of(R4, "Observation", "value");
    assert_eq!(
        r4.join(" "),
        "Quantity CodeableConcept string boolean integer Range Ratio SampledData time dateTime Period"
    );
    let definitions = Definitions::of(R4);
    let child = definitions
        .child(
            definitions.resource("Observation").unwrap().shape,
            "valueQuantity",
        )
        .unwrap();
    assert_eq!(
        (child.element.path, child.chosen.name, child.definition.kind),
        ("Observation.value[x]", "Quantity", TypeKind::Complex)
    );
}
