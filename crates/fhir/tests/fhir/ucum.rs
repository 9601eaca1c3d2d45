//! Units: facts as tables, what is refused, FHIR's own codes, and the tables' checksums.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use expect_test::expect_file;
use fhir::decimal::{Decimal, Rounding};
use fhir::definitions::table;
use fhir::ucum::{self, CODE_BYTES_MAX, ConversionError, DEPTH_MAX, EXPONENT_MAX, Unit};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::data;

const CONVERSIONS: &str = include_str!("../cases/ucum/conversions.txt");
const CONVERSIONS_MIN: usize = 200;
const CANONICAL: &str = include_str!("../cases/ucum/canonical.txt");
const UNITS: &str = include_str!("../../data/ucum/units.tsv");
const PREFIXES: &str = include_str!("../../data/ucum/prefixes.tsv");
const SOURCE: &str = include_str!("../../data/ucum/SOURCE.md");

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn unit(code: &str) -> Unit {
    Unit::parse(code).unwrap_or_else(|error| panic!("{code}: {error}"))
}

/// The lines of a table of cases, in words.
fn cases(table: &str) -> Vec<Vec<&str>> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines.map(|line| line.split(' ').collect()).collect()
}

#[test]
fn amounts_that_are_the_same() {
    let cases = cases(CONVERSIONS);
    let mut wrong = String::new();
    for case in &cases {
        let [value, from, sign, expected, to] = case[..] else {
            panic!("{case:?}")
        };
        let converted = unit(from).convert(number(value), &unit(to));
        let expected = number(expected);
        let fits = converted.is_ok_and(|it| match sign {
            "~" => it.significant(expected.precision()) == expected,
            _ => it == expected,
        });
        if !fits {
            writeln!(wrong, "{}: {converted:?}", case.join(" ")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(cases.len() >= CONVERSIONS_MIN, "only {} cases", cases.len());
}

/// The same amounts are the same numbers in the canonical unit, unless a scale is in the way.
#[test]
fn the_same_amounts_are_equal_numbers() {
    for case in cases(CONVERSIONS) {
        let [value, from, "=", expected, to] = case[..] else {
            continue;
        };
        let [one, other] = [(value, from), (expected, to)]
            .map(|(value, code)| ucum::canonical(number(value), code).unwrap());
        if one.1 == other.1 {
            assert_eq!(one, other, "{case:?}");
        } else {
            assert!(!unit(from).comparable(&unit(to)), "{case:?}");
        }
    }
}

#[test]
fn canonical_units() {
    for case in cases(CANONICAL) {
        let [code, canonical, amount] = case[..] else {
            panic!("{case:?}")
        };
        let found =
            ucum::canonical(Decimal::ONE, code).map(|(amount, unit)| (amount, unit.into_string()));
        assert_eq!(
            found,
            Some((number(amount), canonical.to_owned())),
            "{code}"
        );
    }
}

/// Every unit, with every prefix that it takes: the canonical unit is a code that means itself,
/// larger numbers stay larger, and amounts come back.
#[test]
fn all_units_of_the_table() {
    let prefixes: Vec<&str> = ucum::PREFIXES
        .rows(PREFIXES)
        .map(|[code, _]| code)
        .collect();
    for [code, _, metric, ..] in ucum::UNITS.rows(UNITS) {
        let prefixes = prefixes.iter().filter(|_| metric == "metric");
        let codes = prefixes.map(|prefix| format!("{prefix}{code}"));
        for code in codes.chain([code.to_owned()]) {
            let unit = unit(&code);
            let canonical = Unit::parse(unit.canonical()).unwrap();
            assert_eq!(canonical.canonical(), unit.canonical(), "{code}");
            let amounts = ["1", "2.5", "40"].map(|it| unit.to_canonical(number(it)).unwrap());
            assert!(amounts.is_sorted(), "{code}: {amounts:?}");
            for value in ["1", "2.5"] {
                let there = unit.convert(number(value), &canonical).unwrap();
                let back = canonical.convert(there, &unit).unwrap();
                assert_eq!(back.round(25, Rounding::HalfEven), number(value), "{code}");
            }
        }
    }
}

/// What the table of codes says of each; of those that are units, their canonical one.
#[test]
fn what_is_no_unit_is_refused() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/ucum/refused.txt");
    let table = std::fs::read_to_string(path).unwrap();
    let mut written = String::new();
    for line in table.lines().filter(|line| !line.starts_with("    ")) {
        writeln!(written, "{line}").unwrap();
        let code = line.strip_prefix('`').and_then(|it| it.strip_suffix('`'));
        match code.map(Unit::parse) {
            Some(Ok(unit)) => writeln!(written, "    is {}", unit.canonical()).unwrap(),
            Some(Err(error)) => writeln!(written, "    {error}").unwrap(),
            None => {}
        }
    }
    expect_file![path].assert_eq(&written);
}

/// Long and deep codes cost no more than their limit.
#[test]
fn hostile_codes() {
    let nested = |depth: usize| "(".repeat(depth) + "m" + &")".repeat(depth);
    let deepest = usize::try_from(DEPTH_MAX).unwrap();
    assert!(Unit::parse(&nested(deepest)).is_ok());
    for (code, error) in [
        (
            nested(deepest + 1),
            "more than 16 nested parentheses at character 17",
        ),
        (
            nested(10_000),
            "a code of more than 1000 characters at character 1",
        ),
        (
            "(".repeat(CODE_BYTES_MAX),
            "more than 16 nested parentheses at character 17",
        ),
        (
            "{".repeat(CODE_BYTES_MAX),
            "a character that cannot stand here at character 2",
        ),
        (
            "[".repeat(CODE_BYTES_MAX),
            "`[` is not closed at character 1",
        ),
        (
            "/".repeat(CODE_BYTES_MAX),
            "a unit is expected at character 2",
        ),
        (
            "9".repeat(CODE_BYTES_MAX),
            "a factor that is zero, too large or too small at character 1",
        ),
        (
            format!("m{}", "9".repeat(900)),
            "an exponent above 999 at character 2",
        ),
        ("x".repeat(CODE_BYTES_MAX), "an unknown unit at character 1"),
        (
            "é".repeat(CODE_BYTES_MAX / 2),
            "an unknown unit at character 1",
        ),
        (
            "m999.m999".to_owned(),
            "a factor that is zero, too large or too small at character 6",
        ),
    ] {
        assert_eq!(Unit::parse(&code).unwrap_err().to_string(), error);
        assert_eq!(Unit::read(&code), None);
    }
    let long = vec!["m"; CODE_BYTES_MAX / 2].join("/");
    assert_eq!(
        unit(&long).canonical(),
        format!("m-{}", CODE_BYTES_MAX / 2 - 2)
    );
    assert!(Unit::parse(&format!("m{EXPONENT_MAX}")).is_ok());
}

#[test]
fn amounts_out_of_range() {
    let huge = number("9e10000");
    assert_eq!(ucum::canonical(huge, "Ym9"), None);
    assert_eq!(
        unit("km").convert(huge, &unit("ym9/m8")),
        Err(ConversionError::OutOfRange)
    );
    assert_eq!(
        unit("1").convert(number("-1"), &unit("[pH]")),
        Err(ConversionError::NotComparable)
    );
    assert_eq!(
        unit("mol/L").convert(number("-1"), &unit("[pH]")),
        Err(ConversionError::OutOfRange)
    );
    assert_eq!(
        unit("B").convert(number("1e9"), &unit("1")),
        Err(ConversionError::OutOfRange)
    );
}

#[test]
fn units_that_measure_different_things() {
    for (one, other) in [
        ("m", "s"),
        ("mg/dL", "mmol/L"),
        ("[iU]", "[arb'U]"),
        ("[iU]", "1"),
        ("Cel", "m"),
        ("rad", "1"),
        ("m", "m2"),
        ("[CFU]/mL", "/mL"),
        ("kg", "[lbf_av]"),
    ] {
        let refused = unit(one).convert(Decimal::ONE, &unit(other));
        assert_eq!(
            refused,
            Err(ConversionError::NotComparable),
            "{one} {other}"
        );
        assert!(!unit(one).comparable(&unit(other)), "{one} {other}");
    }
}

#[test]
fn products_and_quotients() {
    for (one, sign, other, result, same) in [
        ("cm", "*", "cm", "cm.cm", "cm2"),
        ("m", "*", "/s", "m.(/s)", "m/s"),
        ("1", "*", "mg", "mg", "mg"),
        ("mg", "*", "1", "mg", "mg"),
        ("mg", "/", "dL", "mg/dL", "g.m-3.10"),
        ("mg/dL", "/", "mg/dL", "mg/dL/(mg/dL)", "1"),
        ("1", "/", "s", "/s", "Hz"),
        ("m", "/", "1", "m", "m"),
        ("1", "/", "m/s", "/(m/s)", "s/m"),
        ("Cel", "*", "{x}", "Cel.{x}", "Cel"),
        ("2", "*", "Cel", "2.Cel", "2.Cel"),
    ] {
        let (one, other) = (unit(one), unit(other));
        let made = if sign == "*" {
            one.multiply(&other)
        } else {
            one.divide(&other)
        }
        .unwrap();
        assert_eq!(made.code(), result);
        assert_eq!(
            unit(result),
            made,
            "the code of a product means the product"
        );
        assert_eq!(made, unit(same));
    }
    let special = Err(ConversionError::Special { unit: "Cel" });
    assert_eq!(unit("Cel").multiply(&unit("m")), special);
    assert_eq!(unit("m").divide(&unit("mCel")), special);
    assert_eq!(unit("mL"), unit("cm3"));
    assert_ne!(unit("Cel"), unit("K"));
}

/// Every text is either a unit, whose amounts have a canonical form, or refused.
fn codes() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "m", "kg", "mm[Hg]", "Cel", "dB", "10*", "[iU]", "{x}", "(", ")", ".", "/", "2", "-3", "+",
        "999", "[", "}", "é", " ", "%",
    ]);
    prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn every_text_is_a_unit_or_refused(code in codes()) {
        match Unit::parse(&code) {
            Ok(unit) => {
                prop_assert!(unit.to_canonical(Decimal::ONE).is_some());
                prop_assert_eq!(unit.convert(number("1.5"), &unit).map(Decimal::normalized), Ok(number("1.5")));
            }
            Err(error) => prop_assert!(error.at <= code.len() && code.is_char_boundary(error.at)),
        }
    }
}

/// The codes of UCUM in a resource.
fn collect_codes(value: &Value, codes: &mut BTreeSet<String>) {
    if value["system"] == ucum::SYSTEM {
        let concepts = value["concept"].as_array().into_iter().flatten();
        let texts = concepts.chain([value]).filter_map(|it| it["code"].as_str());
        codes.extend(texts.map(str::to_owned));
    }
    match value {
        Value::Array(items) => items.iter().for_each(|it| collect_codes(it, codes)),
        Value::Object(members) => members.values().for_each(|it| collect_codes(it, codes)),
        _ => {}
    }
}

/// The units of FHIR's definitions and examples, less those listed with a reason.
#[test]
fn codes_that_fhir_uses() {
    let listed = include_str!("../official/ucum-codes.txt");
    let listed: BTreeSet<&str> = listed
        .lines()
        .filter_map(|it| it.split_once('\t'))
        .map(|it| it.0)
        .collect();
    let suite = "UCUM codes of FHIR";
    let sets = [
        "01-fhir-r4-definitions",
        "02-fhir-stu3-definitions",
        "03-fhir-r4-examples",
        "04-fhir-stu3-examples",
    ];
    let mut codes = BTreeSet::new();
    for set in sets {
        let Some(folder) = data::folder(suite, set) else {
            return;
        };
        for file in data::files(&folder, "json") {
            let bytes = data::read(&file);
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            if String::from_utf8_lossy(bytes).contains(ucum::SYSTEM) {
                collect_codes(&serde_json::from_slice(bytes).unwrap(), &mut codes);
            }
        }
    }
    let refused: BTreeSet<&str> = codes
        .iter()
        .filter(|it| Unit::read(it).is_none())
        .map(String::as_str)
        .collect();
    assert_eq!(refused, listed);
    println!(
        "isthmus-suite: {suite}: {} cases, {} known failures",
        codes.len(),
        listed.len()
    );
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[test]
fn tables_are_unchanged() {
    let tables = [("units.tsv", UNITS), ("prefixes.tsv", PREFIXES)];
    let mut all = String::new();
    for (file, text) in tables {
        let digest = sha256(text);
        assert!(SOURCE.contains(&format!(
            "| {file} | {} | `{digest}` |",
            text.lines().count() - 1
        )));
        writeln!(all, "{digest}  {file}").unwrap();
    }
    let fingerprint = sha256(&all);
    assert!(SOURCE.contains(&format!("{}`{fingerprint}`", table::FINGERPRINT)));
    assert_eq!(UNITS.lines().next(), Some(ucum::UNITS.header().as_str()));
    assert_eq!(
        PREFIXES.lines().next(),
        Some(ucum::PREFIXES.header().as_str())
    );
}

/// The value of the first attribute of that name.
fn attribute<'t>(text: &'t str, name: &str) -> &'t str {
    let rest = text
        .split_once(&format!(" {name}=\""))
        .map_or("", |it| it.1);
    rest.split('"').next().unwrap_or("")
}

/// The rows compared with UCUM's own file, taken apart in another way than the generator does.
#[test]
fn tables_are_what_ucum_publishes() {
    let suite = "UCUM table";
    let Some(folder) = data::folder(suite, "11-fhir-patch-graphql") else {
        return;
    };
    let file = std::fs::read_to_string(folder.join("ucum/ucum-essence.xml")).unwrap();
    let file = file.replace('\n', " ");
    let rows = ucum::UNITS.rows(UNITS).map(|row| (row[0], row));
    let mut rows: BTreeMap<&str, [&str; 6]> = rows.collect();
    let mut cases = 0;
    for unit in file.split("<unit ").skip(1) {
        let head = format!(" {}", unit.split('>').next().unwrap());
        let [_, kind, metric, value, of, function] = rows.remove(attribute(&head, "Code")).unwrap();
        assert_eq!(
            metric == "metric",
            attribute(&head, "isMetric") == "yes",
            "{head}"
        );
        assert_eq!(
            kind == "special",
            attribute(&head, "isSpecial") == "yes",
            "{head}"
        );
        assert_eq!(
            kind == "arbitrary",
            attribute(&head, "isArbitrary") == "yes",
            "{head}"
        );
        let definition = unit
            .split_once("<function")
            .or(unit.split_once("<value"))
            .unwrap()
            .1;
        let published = [
            attribute(definition, "value"),
            attribute(definition, "Unit"),
        ];
        match (kind, function) {
            ("arbitrary", _) if of.is_empty() => assert_eq!(published, ["1", "1"], "{head}"),
            (_, "tanTimes100" | "100tan") => assert_eq!((published[1], of), ("deg", "rad")),
            _ => assert_eq!([value, of], published, "{head}"),
        }
        cases += 1;
    }
    assert!(
        rows.values().all(|row| row[1] == "base") && rows.len() == 7,
        "{rows:?}"
    );
    println!("isthmus-suite: {suite}: {cases} cases");
}
