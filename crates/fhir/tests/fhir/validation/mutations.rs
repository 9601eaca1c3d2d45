//! Resources with parts exchanged at random: always an answer, with places that make sense.

use std::ops::Range;

use fhir::FhirVersion;
use fhir::json::{Document, Limits, Splice, Value, splice};

use super::{issues, parse, rules};

const ROUNDS: u64 = 40;

const REPLACEMENTS: [&str; 18] = [
    "null",
    "true",
    "0",
    "-1.5e3",
    "\"\"",
    "\"x\"",
    "\"#\"",
    "\"2020-02-30\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "[]",
    "[null]",
    "[[]]",
    "{}",
    "{\"id\":\"x\"}",
    "{\"resourceType\":\"Patient\"}",
    "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":7}]}",
    "[{\"extension\":[{\"url\":\"x\"}]},null]",
];

const NAMES: [&str; 8] = [
    "\"_id\"",
    "\"extension\"",
    "\"_extension\"",
    "\"contained\"",
    "\"value\"",
    "\"resourceType\"",
    "\"_\"",
    "\"\"",
];

/// A linear congruential generator (Knuth's constants): the seed tells the whole run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

/// The spans of all values and of all names.
fn spans(value: Value<'_>, values: &mut Vec<Range<usize>>, names: &mut Vec<Range<usize>>) {
    values.push(value.span());
    for member in value.members() {
        names.push(member.name_span);
        spans(member.value, values, names);
    }
    for item in value.items() {
        spans(item, values, names);
    }
}

fn mutated(json: &str, random: &mut Random) -> String {
    let document = parse(json);
    let (mut values, mut names) = (Vec::new(), Vec::new());
    spans(document.root(), &mut values, &mut names);
    let (span, with) = if names.is_empty() || random.below(3) > 0 {
        let with = REPLACEMENTS[random.below(REPLACEMENTS.len())];
        (values.swap_remove(random.below(values.len())), with)
    } else {
        let with = NAMES[random.below(NAMES.len())];
        (names.swap_remove(random.below(names.len())), with)
    };
    let with = with.to_owned();
    splice(json, vec![Splice { span, with }])
}

#[test]
fn whatever_is_exchanged_there_is_an_answer() {
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        for json in rules::resources() {
            let changed = mutated(&json, &mut random);
            // A name that is there twice is the parser's to refuse.
            let Ok(document) = Document::parse(changed.into(), &Limits::DEFAULT) else {
                continue;
            };
            for issue in FhirVersion::ALL
                .into_iter()
                .flat_map(|it| issues(it, &document))
            {
                let place = issue.expression.first().expect("a place");
                assert!(
                    place.starts_with(|it: char| it.is_ascii_uppercase()),
                    "seed {seed}"
                );
                assert!(issue.remedy.is_some(), "seed {seed}: {}", issue.what);
            }
        }
    }
}
