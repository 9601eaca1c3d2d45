//! Whether the tables are what the generator makes: `SOURCE.md` holds the checksums of both.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fhir::FhirVersion;
use fhir::definitions::{Definitions, table};
use sha2::{Digest, Sha256};

fn data(version: FhirVersion) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(version.slug())
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(bytes);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// The tables in the order in which `SOURCE.md` names them, each with the checksum given.
fn listed(source: &str) -> Vec<(String, String)> {
    let rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let tables = rows.filter(|(file, _)| Path::new(file).extension().is_some_and(|it| it == "tsv"));
    let digest = |rest: &str| rest.split('`').nth(1).unwrap_or("").to_owned();
    tables
        .map(|(file, rest)| (file.to_owned(), digest(rest)))
        .collect()
}

#[test]
fn tables_are_unchanged() {
    for version in FhirVersion::ALL {
        let folder = data(version);
        let source = fs::read_to_string(folder.join(table::SOURCE)).unwrap();
        let mut all = String::new();
        for (file, digest) in listed(&source) {
            assert_eq!(
                hex(fs::read(folder.join(&file)).unwrap()),
                digest,
                "{version} {file}"
            );
            writeln!(all, "{digest}  {file}").unwrap();
        }
        assert_eq!(hex(all), Definitions::of(version).fingerprint());
        let tables = fs::read_dir(&folder).unwrap().count() - 1;
        assert_eq!(listed(&source).len(), tables, "every table is listed");
    }
}

#[test]
fn generator_is_the_one_that_made_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = fs::read_dir(root.join("xtask/src/codegen")).unwrap();
    let mut paths: Vec<_> = folder.map(|it| it.unwrap().path()).collect();
    paths.sort();
    paths.push(root.join("crates/fhir/src/definitions/table.rs"));
    let generator = hex(paths
        .iter()
        .flat_map(|it| fs::read(it).unwrap())
        .collect::<Vec<u8>>());
    for version in FhirVersion::ALL {
        let source = fs::read_to_string(data(version).join(table::SOURCE)).unwrap();
        let line = format!("Generator: `{generator}`");
        assert!(
            source.lines().any(|it| it == line),
            "run `cargo xtask codegen` for {version}"
        );
    }
}

#[test]
fn headers_name_the_columns() {
    fn check<const N: usize>(it: table::Table<N>) {
        for version in FhirVersion::ALL {
            let text = fs::read_to_string(data(version).join(it.file)).unwrap();
            let mut lines = text.lines();
            assert_eq!(
                lines.next(),
                Some(it.header().as_str()),
                "{version} {}",
                it.file
            );
            assert!(
                lines.all(|line| line.split('\t').count() == N),
                "{version} {}",
                it.file
            );
        }
    }
    check(table::TYPES);
    check(table::ELEMENTS);
    check(table::CODES);
    check(table::OPEN_VALUE_SETS);
    check(table::SEARCH_PARAMETERS);
    check(table::SEARCH_COMPONENTS);
    check(table::COMPARTMENTS);
    check(table::OPERATIONS);
    check(table::OPERATION_PARAMETERS);
    check(table::CODE_SYSTEMS);
    check(table::CONCEPTS);
    check(table::VALUE_SETS);
    check(table::EXPANSIONS);
}
