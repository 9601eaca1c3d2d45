//! Parameters that the definitions of a version lack and that mean the same in each.

use std::sync::LazyLock;

use fhir::definitions::{SearchParameter, SearchType};

/// R5's, for the language that a resource is written in.
/// <https://hl7.org/fhir/R5/search.html#_language>
pub(super) fn added() -> &'static [SearchParameter] {
    static ADDED: LazyLock<[SearchParameter; 1]> = LazyLock::new(|| {
        [SearchParameter {
            url: "http://hl7.org/fhir/SearchParameter/Resource-language",
            id: "Resource-language",
            code: "_language",
            name: "_language",
            base: &["Resource"],
            search_type: SearchType::Token,
            expression: Some("Resource.language"),
            targets: &[],
            comparators: &[],
            modifiers: &[],
            chains: &[],
            multiple_or: None,
            usage: Some("normal"),
            is_example: false,
            is_experimental: false,
            components: Vec::new(),
        }]
    });
    &*ADDED
}
