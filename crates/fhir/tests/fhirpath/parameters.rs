//! The expressions of the standard's search parameters: which compile, which can give something,
//! and that all evaluate on every official example that they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use expect_test::expect_file;
use fhir::definitions::SearchParameter;
use fhir::fhirpath::{AsOperator, Environment, FhirPath, Item, Node, check};
use fhir::{Definitions, FhirVersion, Instant};

use crate::data::{files, folder, parse, read};

/// The parameters with their expressions, those of examples left out.
fn expressions(
    version: FhirVersion,
) -> impl Iterator<Item = (&'static SearchParameter, &'static str)> {
    let all = Definitions::of(version).search_parameters().iter();
    all.filter(|it| !it.is_example)
        .filter_map(|it| Some((it, it.expression?)))
}

/// What is wrong with an expression on each of its base types.
fn faults(version: FhirVersion, parameter: &SearchParameter, expression: &str) -> BTreeSet<String> {
    let path = match FhirPath::compile(expression, Some(version)) {
        Ok(path) => path,
        Err(error) => return BTreeSet::from([error.fault.to_string()]),
    };
    let fault = |base: &&str| match check::check_shared(&path, base) {
        Err(error) => Some(format!("{base}: {}", error.fault)),
        Ok(types) if types.is_never() => Some(format!("{base}: gives nothing")),
        Ok(_) => None,
    };
    parameter.base.iter().filter_map(fault).collect()
}

/// A changed line is a changed engine or table; corrections of the expressions are not ours.
#[test]
fn what_is_wrong_with_the_expressions() {
    let (mut list, mut count) = (String::new(), 0);
    for version in FhirVersion::ALL {
        for (parameter, expression) in expressions(version) {
            count += 1;
            for fault in faults(version, parameter, expression) {
                writeln!(list, "{version} {}: {fault}", parameter.id).unwrap();
            }
        }
    }
    expect_file!["../official/fhirpath-search-parameters.txt"].assert_eq(&list);
    println!("isthmus-suite: fhirpath-search-parameters: {count} cases");
}

#[test]
fn every_expression_evaluates_on_the_examples() {
    let sets = [
        (FhirVersion::R4, "03-fhir-r4-examples"),
        (FhirVersion::Stu3, "04-fhir-stu3-examples"),
    ];
    for (version, set) in sets {
        let suite = format!("fhirpath-examples-{}", version.slug());
        let Some(folder) = folder(&suite, set) else {
            continue;
        };
        let definitions = Definitions::of(version);
        let mut paths: BTreeMap<&str, Vec<FhirPath>> = BTreeMap::new();
        for resource in definitions.resources() {
            let parameters = definitions.search_parameters_of(resource.name);
            let expressions = parameters.iter().filter_map(|it| it.expression);
            let compiled = expressions.filter_map(|it| FhirPath::compile(it, Some(version)).ok());
            paths.insert(resource.name, compiled.collect());
        }
        let mut environment = Environment::new(Instant::from_micros(0));
        environment.as_operator = AsOperator::EachItem;
        let (mut cases, mut found) = (0, 0);
        for file in files(&folder, "json") {
            let document = parse(read(&file));
            let node = Node::resource(definitions, document.root());
            let name = node.type_name().unwrap_or_default();
            for path in paths.get(&*name).into_iter().flatten() {
                let items = path.evaluate(Item::Node(node), &environment);
                let items =
                    items.unwrap_or_else(|it| panic!("{}: {}", file.display(), it.render()));
                cases += 1;
                found += usize::from(!items.is_empty());
            }
        }
        assert!(
            found > 1000,
            "{suite}: only {found} of {cases} gave something"
        );
        println!("isthmus-suite: {suite}: {cases} cases, {found} with values");
    }
}
