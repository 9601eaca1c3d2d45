//! Expressions that nobody would write: they may fail, and must neither panic nor take long.

use fhir::fhirpath::{Environment, FhirPath, Item, Limits, Node, check};
use fhir::{Definitions, FhirVersion, Instant};

use crate::data::parse;

const PATIENT: &str = r##"{"resourceType": "Patient", "id": "p", "active": true, "name": [
    {"family": "A", "given": ["B", null], "_given": [null, {"id": "x"}]}, {"given": ["D"]}],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "é"}],
    "birthDate": "1970-02", "deceasedDateTime": "2020-01-01T10:00:00Z", "multipleBirthInteger": 2,
    "extension": [{"url": "u", "valueQuantity": {"value": 1.50, "code": "mg",
        "system": "http://unitsofmeasure.org"}}], "managingOrganization": {"reference": "#o"}}"##;

/// Pieces that are put together at random.
const PIECES: &[&str] = &[
    "name",
    "given",
    ".",
    ".",
    ".",
    "(",
    ")",
    "(",
    ")",
    "[0]",
    "[",
    "]",
    ",",
    "'a'",
    "'",
    "`",
    "1",
    "-",
    "+",
    "*",
    "/",
    "div",
    "mod",
    "|",
    "&",
    "=",
    "~",
    "!=",
    "<",
    ">=",
    "in",
    "contains",
    "and",
    "or",
    "xor",
    "implies",
    "is",
    "as",
    "{}",
    "%resource",
    "%factory",
    "%",
    "$this",
    "$index",
    "$total",
    "@2020-02-29",
    "@T23:59:60",
    "@2020-01-01T00:00:00.000+14:00",
    "@",
    "2 days",
    "1 'mg'",
    "1 'Cel'",
    "9223372036854775807L",
    "2147483648",
    "0.000000000000000000000000001",
    "9999999999999999999999999999999999999.9",
    "birthDate",
    "deceased",
    "extension('u').value",
    "Patient",
    "where(",
    "select(",
    "repeat($this)",
    "descendants()",
    "children()",
    "toString()",
    "toQuantity('g')",
    "lowBoundary(",
    "highBoundary()",
    "round(",
    "power(",
    "sqrt()",
    "ln()",
    "substring(",
    "replace('', 'xy')",
    "matches('(a|b)*c')",
    "replaceMatches('(.)', '$1$1')",
    "sort(-$this)",
    "aggregate(",
    "resolve()",
    "ofType(Quantity)",
    "is(System.String)",
    "type()",
    "encode('base64')",
    "decode('hex')",
    "split('')",
    "join(',')",
    "toChars()",
    "iif(",
    "first()",
    "combine(",
    "distinct()",
    "count()",
    "sum()",
    "min()",
    "trace('t')",
    "defineVariable('v')",
    "%v",
    "now()",
    "yearOf()",
    "timezoneOffsetOf()",
    "// x\n",
    "/*",
    "*/",
    "\u{e9}",
    "\\u00e9",
];

/// A generator of numbers; its seed is printed where something fails.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn expression(&mut self) -> String {
        let length = 1 + self.below(14);
        let mut text = String::new();
        for _ in 0..length {
            text.push_str(PIECES[self.below(PIECES.len())]);
            if self.below(2) == 0 {
                text.push(' ');
            }
        }
        let open = text
            .matches('(')
            .count()
            .saturating_sub(text.matches(')').count());
        text + &")".repeat(open)
    }
}

#[test]
fn nothing_panics() {
    let document = parse(PATIENT);
    let definitions = Definitions::of(FhirVersion::R4);
    let limits = Limits {
        steps_max: 20_000,
        items_max: 500,
        ..Limits::DEFAULT
    };
    let mut numbers = Numbers(0x5eed_1234_abcd_0001);
    let (mut compiled, mut evaluated) = (0, 0);
    for _ in 0..60_000 {
        let text = numbers.expression();
        for version in [Some(FhirVersion::R4), None] {
            let Ok(path) = FhirPath::compile(&text, version) else {
                continue;
            };
            compiled += 1;
            let _ = check::check(&path, "Patient");
            let mut environment = Environment::new(Instant::from_micros(0));
            environment.limits = limits;
            let node = match version {
                Some(_) => Node::resource(definitions, document.root()),
                None => Node::untyped(document.root()),
            };
            let items = path.evaluate(Item::Node(node), &environment);
            evaluated += usize::from(items.is_ok());
            for item in items.iter().flatten() {
                item.to_json();
                item.to_text();
            }
        }
    }
    assert!(
        compiled > 5_000 && evaluated > 1_000,
        "{compiled} compiled, {evaluated} evaluated"
    );
    println!("isthmus-suite: fhirpath-hostile: {compiled} cases");
}

/// Each would take hours or gigabytes if nothing were counted.
#[test]
fn abuse_ends_soon() {
    let many = "(1|2|3|4|5|6|7|8|9|10)";
    let thousand = format!("{many}.select({many}.select({many}.select($this)))");
    let long = "'0123456789abcdef'".to_owned() + &".replaceMatches('(.)', '$1$1$1$1')".repeat(6);
    for abuse in [
        format!("{thousand}.select({thousand}.select({thousand}))"),
        format!("{thousand}.defineVariable('v').select(%v.where(%v.count() > 0).count())"),
        format!("{long}.defineVariable('s').combine({thousand}).select(%s)"),
        format!("{long}.defineVariable('s').select({thousand}.select(%s.matches('(a|aa)+$')))"),
        format!("{long}.matches('((((a{{30}}){{30}}){{30}}){{30}})')"),
        format!("{thousand}.select({thousand}.sort(-$this).distinct().count())"),
        format!("{thousand}.select({thousand}.select(%factory.string('a')))"),
        format!("{thousand}.aggregate($total & $total & 'x', 'x').length()"),
        "repeatAll(combine($this))".to_owned(),
        "9.9.power(9999).power(9999)".to_owned(),
    ] {
        let document = parse(PATIENT);
        let path = FhirPath::compile(&abuse, Some(FhirVersion::R4)).unwrap();
        let environment = Environment::new(Instant::from_micros(0));
        let node = Node::resource(Definitions::of(FhirVersion::R4), document.root());
        let items = path.evaluate(Item::Node(node), &environment);
        let is_small = items.as_ref().is_ok_and(|it| it.len() < 2);
        let is_limited = items
            .as_ref()
            .is_err_and(|it| it.to_string().contains("exceeds the limit"));
        assert!(is_small || is_limited, "{abuse:.100}: {items:?}");
    }
}
