//! The tables of datatypes agree with themselves.

use super::*;

#[test]
fn names_ascend() {
    assert!(NAMES.is_sorted_by(|one, other| one.0 < other.0));
}

#[test]
fn every_type_of_parameter_takes_something() {
    for search_type in SearchType::ALL {
        let is_composite = search_type == SearchType::Composite;
        let rows = ACCEPTED.iter().filter(|it| it.0 == search_type).count();
        assert_eq!(rows, usize::from(!is_composite), "{search_type:?}");
    }
}

#[test]
fn money_is_a_quantity_in_stu3_only() {
    let money = |version| Datatype::named("Money", version);
    assert_eq!(money(FhirVersion::Stu3), Some(Datatype::Quantity));
    assert_eq!(money(FhirVersion::R4), Some(Datatype::Money));
}
