//! Queries as data: what each is understood as, or why it is refused.

use super::*;

fn parse(types: &[&str], text: &str, handling: Handling) -> Result<Query, Vec<Issue>> {
    let bases = Bases::new(["http://here"]);
    let limits = QueryLimits {
        criteria_max: 4,
        or_values_max: 3,
    };
    let version = FhirVersion::R4;
    Query::parse(
        text,
        &Context {
            version,
            types,
            bases: &bases,
            handling,
            limits,
        },
    )
}

fn shown_test(test: &NamedTest) -> String {
    match test {
        NamedTest::Code(code) => format!("code {code}"),
        NamedTest::System(system) => format!("system {system}"),
        NamedTest::Is(NamedValue::Token { system, code }) => format!("{system:?} {code}"),
        NamedTest::Is(NamedValue::Reference { resource_type, id }) => {
            format!("{resource_type}/{id}")
        }
        NamedTest::Is(NamedValue::Uri(uri)) => format!("<{uri}>"),
    }
}

fn understood(types: &[&str], text: &str) -> String {
    let query = match parse(types, text, Handling::Strict) {
        Ok(query) => query,
        Err(issues) => {
            let shown = issues.iter().map(|it| match &it.remedy {
                Some(remedy) => format!("{:?}: {}; {remedy}", it.fault, it.what),
                None => format!("{:?}: {}", it.fault, it.what),
            });
            return shown.collect::<Vec<_>>().join(" + ");
        }
    };
    let criteria = query.criteria.iter().map(|it| match &it.condition {
        Condition::Ids(ids) => format!("ids {}", ids.join(" ")),
        Condition::Missing(presence) => format!("{presence:?}"),
        Condition::AnyOf(tests) => tests
            .iter()
            .map(shown_test)
            .collect::<Vec<_>>()
            .join(" or "),
    });
    criteria.collect::<Vec<_>>().join(" and ")
}

const CRITERIA: &[(&str, &str)] = &[
    ("_id=a,b", "ids a b"),
    ("identifier=1", "code 1"),
    ("identifier=http%3A%2F%2Fs%7C1", r#"Some("http://s") 1"#),
    ("identifier=|1", "None 1"),
    ("identifier=http://s|", "system http://s"),
    (r"identifier=a\|b,c\,d", "code a|b or code c,d"),
    ("identifier=1&identifier=2", "code 1 and code 2"),
    ("subject=Patient/1", "Patient/1"),
    ("subject=http://here/Patient/1", "Patient/1"),
    ("subject=http://there/Patient/1", "<http://there/Patient/1>"),
    (
        "subject=1",
        "Group/1 or Device/1 or Patient/1 or Location/1",
    ),
    ("subject:Patient=1", "Patient/1"),
    ("patient:missing=true", "Absent"),
    ("patient:missing=false&_count=3&_format=json", "Present"),
    (
        "identifier=a|b|c",
        r"Invalid: the parameter `identifier` has a token that is not `code`, `system|code`, `|code` or `system|`; write a `|` inside a value as `\|`",
    ),
    (
        "identifier=|",
        "Invalid: the parameter `identifier` has a token that is not `code`, `system|code`, `|code` or `system|`; write a `|` inside a value as `\\|`",
    ),
    (
        "identifier=",
        "Invalid: the parameter `identifier` has no value",
    ),
    (
        "identifier=a,,b",
        "Invalid: the parameter `identifier` has an empty value between its commas",
    ),
    (
        "subject=a_b",
        "Invalid: the parameter `subject` has a value that is no reference; write `Type/id`, an id or an absolute URL",
    ),
    (
        "identifer=1",
        "Invalid: the search parameter `identifer` does not exist here; did you mean `identifier`?",
    ),
    (
        "subject:Patien=1",
        "Invalid: the modifier `:Patien` of `subject` does not exist here; did you mean `:Patient`?",
    ),
    (
        "identifier:text=1",
        "NotSupported: the modifier `:text` of `identifier` is not offered yet",
    ),
    (
        "code=1",
        "NotSupported: the search parameter `code` is not offered yet",
    ),
    (
        "subject.name=x",
        "NotSupported: the search parameter `subject.name` is not offered yet",
    ),
    (
        "_sort=date",
        "NotSupported: the search parameter `_sort` is not offered yet",
    ),
    (
        "_count=x",
        "Invalid: the parameter `_count` has a value that it does not allow",
    ),
    (
        "_id=%zz",
        "Invalid: the query is not percent-encoded UTF-8; write a `%` as `%25`, and other characters as the bytes of their UTF-8 form",
    ),
    (
        "_id=1&_id=1&_id=1&_id=1&_id=1",
        "TooLarge: the query has more than `criteria_max` (4) parameters",
    ),
    (
        "_id=1,2,3,4",
        "TooLarge: the parameter `_id` has more than `or_values_max` (3) values",
    ),
];

#[test]
fn criteria_are_understood_or_refused_by_name() {
    for (text, expected) in CRITERIA {
        assert_eq!(understood(&["Observation"], text), *expected, "{text}");
    }
}

#[test]
fn a_parameter_of_several_types_must_be_offered_for_each() {
    assert_eq!(
        understood(&["Patient", "Observation"], "identifier=1"),
        "code 1"
    );
    let query = parse(
        &["Patient", "Observation"],
        "identifier=1",
        Handling::Strict,
    )
    .unwrap();
    assert_eq!(query.criteria[0].parameters.len(), 2);
    assert!(parse(&["Patient", "Observation"], "subject=1", Handling::Strict).is_err());
}

#[test]
fn lenient_ignores_names_and_reports_them_but_not_wrong_values() {
    let query = parse(&["Patient"], "unicorn=1&identifier=2", Handling::Lenient).unwrap();
    assert_eq!((query.criteria.len(), query.ignored.len()), (1, 1));
    assert_eq!(query.understood, "identifier=2");
    assert!(parse(&["Patient"], "identifier=a|b|c", Handling::Lenient).is_err());
}

#[test]
fn result_parameters_are_no_criteria() {
    let text = "_count=3&_total=accurate&_summary=true&_page=t0ken";
    let query = parse(&["Patient"], text, Handling::Strict).unwrap();
    assert_eq!(
        query.result,
        ResultParameters {
            count: Some(3),
            total: WantedTotal::Accurate,
            summary: Summary::True,
            types: None,
            page: Some("t0ken".to_owned()),
        }
    );
    assert_eq!(query.understood, "_count=3&_total=accurate&_summary=true");
}
