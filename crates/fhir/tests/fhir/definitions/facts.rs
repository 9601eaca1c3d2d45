//! A few exact facts of each kind, as the published pages show them.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use fhir::FhirVersion::{self, R4, Stu3};
use fhir::definitions::{Binding, Definitions, ElementDefinition, ElementType, OperationLevel};

fn element(version: FhirVersion, path: &str) -> &'static ElementDefinition {
    let definitions = Definitions::of(version);
    let (type_name, _) = path.split_once('.').expect("a path names an element");
    let definition = definitions.type_named(type_name).expect("a type");
    let mut elements = super::elements_of(definitions, definition).into_iter();
    elements.find(|it| it.path == path).expect("an element")
}

fn binding(version: FhirVersion, path: &str) -> &'static Binding {
    element(version, path).binding.as_ref().expect("a binding")
}

fn spell_type(it: &ElementType) -> String {
    if it.targets.is_empty() {
        return it.name.to_owned();
    }
    format!("{}({})", it.name, it.targets.join(" "))
}

fn spell(element: &ElementDefinition) -> String {
    let types: Vec<_> = element.types.iter().map(spell_type).collect();
    let max = element.max.map_or("*".to_owned(), |max| max.to_string());
    let mut text = format!(
        "{} {}..{max} {}",
        element.path,
        element.min,
        types.join(" | ")
    );
    let flags = [
        (element.is_summary, "summary"),
        (element.is_modifier, "modifier"),
        (element.is_attribute, "attribute"),
    ];
    for (_, flag) in flags.into_iter().filter(|(is, _)| *is) {
        write!(text, ", {flag}").expect("a string takes all");
    }
    if let Some(binding) = &element.binding {
        write!(text, ", {:?} {}", binding.strength, binding.value_set).expect("a string takes all");
    }
    text
}

fn check_element(version: FhirVersion, path: &str, expected: &Expect) {
    expected.assert_eq(&spell(element(version, path)));
}

/// The children of what is at a path, one line each.
fn check_children(version: FhirVersion, path: &str, expected: &Expect) {
    let shape = element(version, path).types[0].shape;
    let children = Definitions::of(version).elements(shape).iter().map(spell);
    expected.assert_eq(&children.collect::<Vec<_>>().join("\n"));
}

/// What a name under a type means: its element's path and the type chosen.
fn check_child(version: FhirVersion, type_name: &str, name: &str, expected: &Expect) {
    let definitions = Definitions::of(version);
    let shape = definitions.type_named(type_name).expect("a type").shape;
    let child = definitions.child(shape, name);
    let text = child.map(|it| format!("{} as {}", it.element.path, it.definition.name));
    expected.assert_eq(&text.unwrap_or_default());
}

#[test]
fn choices_keep_their_order() {
    check_element(
        R4,
        "Observation.value[x]",
        &expect![
            "Observation.value[x] 0..1 Quantity | CodeableConcept | string | boolean | integer | Range | Ratio | SampledData | time | dateTime | Period, summary"
        ],
    );
    check_element(
        Stu3,
        "Observation.value[x]",
        &expect![
            "Observation.value[x] 0..1 Quantity | CodeableConcept | string | boolean | Range | Ratio | SampledData | Attachment | time | dateTime | Period, summary"
        ],
    );
}

#[test]
fn children_of_a_backbone_element() {
    check_children(
        R4,
        "Patient.contact",
        &expect![[r#"
        Patient.contact.id 0..1 string, attribute
        Patient.contact.extension 0..* Extension
        Patient.contact.modifierExtension 0..* Extension, summary, modifier
        Patient.contact.relationship 0..* CodeableConcept, Extensible http://hl7.org/fhir/ValueSet/patient-contactrelationship
        Patient.contact.name 0..1 HumanName
        Patient.contact.telecom 0..* ContactPoint
        Patient.contact.address 0..1 Address
        Patient.contact.gender 0..1 code, Required http://hl7.org/fhir/ValueSet/administrative-gender
        Patient.contact.organization 0..1 Reference(Organization)
        Patient.contact.period 0..1 Period"#]],
    );
}

#[test]
fn content_references_share_a_shape() {
    for version in FhirVersion::ALL {
        let link = element(version, "Bundle.link");
        let entry_link = element(version, "Bundle.entry.link");
        assert_eq!(entry_link.content_reference, Some("Bundle.link"));
        assert_eq!(entry_link.types[0].shape, link.types[0].shape);
    }
}

#[test]
fn ids_have_fhir_types() {
    for version in FhirVersion::ALL {
        assert_eq!(element(version, "Patient.id").types[0].name, "id");
        assert_eq!(
            element(version, "Patient.contact.id").types[0].name,
            "string"
        );
        assert_eq!(element(version, "Extension.url").types[0].name, "uri");
    }
}

#[test]
fn targets_of_references() {
    check_element(
        R4,
        "Observation.subject",
        &expect!["Observation.subject 0..1 Reference(Device Group Location Patient), summary"],
    );
    check_element(
        Stu3,
        "Observation.subject",
        &expect!["Observation.subject 0..1 Reference(Device Group Location Patient), summary"],
    );
    check_element(
        R4,
        "PlanDefinition.library",
        &expect!["PlanDefinition.library 0..* canonical(Library)"],
    );
    check_element(
        R4,
        "Provenance.target",
        &expect!["Provenance.target 1..* Reference, summary"],
    );
}

#[test]
fn children_by_name() {
    check_child(
        R4,
        "Observation",
        "valueQuantity",
        &expect!["Observation.value[x] as Quantity"],
    );
    check_child(
        R4,
        "Observation",
        "valueDateTime",
        &expect!["Observation.value[x] as dateTime"],
    );
    check_child(
        R4,
        "Extension",
        "valueUsageContext",
        &expect!["Extension.value[x] as UsageContext"],
    );
    check_child(
        R4,
        "string",
        "extension",
        &expect!["string.extension as Extension"],
    );
    for name in [
        "value",
        "valuequantity",
        "valueAttachment",
        "valueQuantityx",
        "",
        "val",
        "resourceType",
    ] {
        check_child(R4, "Observation", name, &expect![""]);
    }
    check_child(R4, "string", "value", &expect![""]);
}

#[test]
fn every_spelled_name_is_found() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        for definition in definitions.types() {
            for element in definitions.elements(definition.shape) {
                for chosen in element.types {
                    let name = spelled_name(element, chosen.name);
                    let child = definitions.child(definition.shape, &name).expect("a child");
                    assert_eq!(child.element.path, element.path);
                    assert_eq!(child.chosen.name, chosen.name);
                }
            }
        }
    }
}

fn spelled_name(element: &ElementDefinition, type_name: &str) -> String {
    if !element.is_choice {
        return element.name.to_owned();
    }
    let (first, rest) = type_name.split_at(1);
    format!("{}{}{rest}", element.name, first.to_uppercase())
}

#[test]
fn codes_of_required_bindings() {
    for version in FhirVersion::ALL {
        let gender = binding(version, "Patient.gender");
        let codes = gender.codes.expect("it can be enumerated");
        let codes: Vec<_> = codes.iter().map(|it| it.code).collect();
        assert_eq!(codes, ["female", "male", "other", "unknown"]);
        assert_eq!(gender.has_code("male"), Some(true));
        assert_eq!(gender.has_code("Male"), Some(false));
        let system = "http://hl7.org/fhir/administrative-gender";
        assert_eq!(gender.has_coding(system, "male"), Some(true));
        assert_eq!(gender.has_coding("http://example.org", "male"), Some(false));
    }
}

#[test]
fn required_bindings_have_codes_or_a_reason() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        let required = definitions
            .types()
            .iter()
            .flat_map(|it| super::elements_of(definitions, it));
        for binding in required.filter_map(|it| it.binding.as_ref()) {
            let is_required = binding.strength == fhir::definitions::BindingStrength::Required;
            let is_open = definitions.open_value_set(binding.value_set).is_some();
            assert_eq!(
                is_required,
                binding.codes.is_some() || (is_required && is_open)
            );
        }
    }
}

#[test]
fn open_value_sets() {
    let open = |version| {
        let sets = Definitions::of(version).open_value_sets().iter();
        let lines = sets.map(|it| format!("{} {}", it.url, it.grammar.unwrap_or("unchecked")));
        lines.collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        http://hl7.org/fhir/ValueSet/all-languages language-tag
        http://hl7.org/fhir/ValueSet/mimetypes media-type
        http://hl7.org/fhir/ValueSet/ucum-units ucum
        http://loinc.org/vs/LL379-9 unchecked
        http://www.rfc-editor.org/bcp/bcp13.txt media-type"#]]
    .assert_eq(&open(R4));
    expect![[r#"
        http://hl7.org/fhir/ValueSet/all-languages language-tag
        http://www.rfc-editor.org/bcp/bcp13.txt media-type"#]]
    .assert_eq(&open(Stu3));
    assert_eq!(
        binding(R4, "Patient.language").value_set_max,
        Some("http://hl7.org/fhir/ValueSet/all-languages")
    );
}

#[test]
fn values_of_primitives() {
    let value = |version, name| {
        Definitions::of(version)
            .type_named(name)
            .expect("a type")
            .value
    };
    expect![[r#"ValueFacts { pattern: Some("[A-Za-z0-9\\-\\.]{1,64}"), length_max: None, min: None, max: None }"#]].assert_eq(&format!("{:?}", value(R4, "id")));
    expect!["ValueFacts { pattern: None, length_max: Some(1048576), min: None, max: None }"]
        .assert_eq(&format!("{:?}", value(Stu3, "string")));
    expect![[r#"ValueFacts { pattern: Some("-?([0]|([1-9][0-9]*))"), length_max: None, min: Some(-2147483648), max: Some(2147483647) }"#]].assert_eq(&format!("{:?}", value(R4, "integer")));
}

#[test]
fn search_parameters_by_type_and_code() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        let url = |type_name, code| {
            definitions
                .search_parameter(type_name, code)
                .map(|it| it.url)
        };
        assert_eq!(
            url("Patient", "_id"),
            Some("http://hl7.org/fhir/SearchParameter/Resource-id")
        );
        assert_eq!(
            url("Patient", "birthdate"),
            Some("http://hl7.org/fhir/SearchParameter/individual-birthdate")
        );
        assert_eq!(
            url("Condition", "subject"),
            Some("http://hl7.org/fhir/SearchParameter/Condition-subject")
        );
        assert_eq!(url("Patient", "code"), None);
        let of_patient = definitions.search_parameters_of("Patient");
        assert!(of_patient.iter().any(|it| it.code == "_lastUpdated"));
        assert!(of_patient.iter().all(|it| !it.is_example));
    }
}

#[test]
fn components_of_composites() {
    let url = "http://hl7.org/fhir/SearchParameter/Observation-component-code-value-quantity";
    let parameter = Definitions::of(R4)
        .search_parameter_at(url)
        .expect("a parameter");
    let components = parameter
        .components
        .iter()
        .map(|it| format!("{} {}", it.definition, it.expression));
    expect![[r#"
        http://hl7.org/fhir/SearchParameter/Observation-component-code code
        http://hl7.org/fhir/SearchParameter/Observation-component-value-quantity value.as(Quantity)"#]].assert_eq(&components.collect::<Vec<_>>().join("\n"));
}

#[test]
fn compartments() {
    let patient = Definitions::of(R4)
        .compartment("Patient")
        .expect("a compartment");
    assert_eq!(patient.parameters("Observation"), ["subject", "performer"]);
    assert_eq!(patient.parameters("Medication"), [""; 0]);
    let encounter = Definitions::of(Stu3)
        .compartment("Encounter")
        .expect("a compartment");
    assert_eq!(encounter.parameters("Encounter"), ["{def}"]);
    for version in FhirVersion::ALL {
        let names: Vec<_> = Definitions::of(version)
            .compartments()
            .iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(
            names,
            [
                "Device",
                "Encounter",
                "Patient",
                "Practitioner",
                "RelatedPerson"
            ]
        );
    }
}

#[test]
fn operations() {
    let mut operations = Definitions::of(R4).operations().iter();
    let everything = operations
        .find(|it| it.url.ends_with("/Patient-everything"))
        .expect("an operation");
    assert_eq!(
        (everything.code, everything.resources),
        ("everything", &["Patient"][..])
    );
    assert_eq!(
        everything.levels,
        [OperationLevel::Type, OperationLevel::Instance]
    );
    let parameters = everything.parameters.iter().map(|it| {
        let max = it.max.map_or("*".to_owned(), |max| max.to_string());
        format!(
            "{:?} {} {}..{max} {}",
            it.parameter_use,
            it.name,
            it.min,
            it.type_name.unwrap_or("parts")
        )
    });
    expect![[r#"
        In start 0..1 date
        In end 0..1 date
        In _since 0..1 instant
        In _type 0..* code
        In _count 0..1 integer
        Out return 1..1 Bundle"#]]
    .assert_eq(&parameters.collect::<Vec<_>>().join("\n"));
}
