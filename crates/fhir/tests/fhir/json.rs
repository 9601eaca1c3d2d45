//! Properties of JSON text: what is printed is read back, what is spliced stands where it should.

use fhir::json::{Splice, minify, pretty, same_content, splice, write_string};
use fhir::xml::{self, Layout};
use fhir::{Definitions, FhirVersion};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::data::parse;

/// JSON texts with white space of all kinds, escapes, and names that differ.
fn json() -> impl Strategy<Value = String> {
    let string = any::<String>().prop_map(|text| {
        let text = text.replace('\0', "");
        let mut written = String::new();
        write_string(&text, &mut written);
        written
    });
    let number = "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?";
    let word = prop_oneof![Just("true"), Just("false"), Just("null")].prop_map(str::to_owned);
    let leaf = prop_oneof![string.clone(), number, word];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let blank = "[ \\n\\r\\t]{0,9}";
        let items = vec((blank, inner.clone(), blank), 0..8).prop_map(|items| {
            let items: Vec<_> = items.into_iter().map(|(a, b, c)| a + &b + &c).collect();
            format!("[{}]", items.join(","))
        });
        let members = vec((blank, inner, blank), 0..8).prop_map(|members| {
            let members = members.into_iter().enumerate();
            let members: Vec<_> = members
                .map(|(at, (a, b, c))| format!("{a}\"n\\u0061{at}\"{c}:{a}{b}{c}"))
                .collect();
            format!("{{{}}}", members.join(","))
        });
        prop_oneof![items, members]
    })
}

/// Texts that FHIR and XML allow in a string.
fn fhir_string() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| {
        let is_bad = |it: char| {
            (it.is_ascii_control() && !"\n\r\t".contains(it)) || "\u{fffe}\u{ffff}".contains(it)
        };
        text.replace(is_bad, "")
    })
}

fn quoted(text: &str) -> String {
    let mut written = String::new();
    write_string(text, &mut written);
    written
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(text in json()) {
        let document = parse(text);
        let minified = minify(&document);
        let again = parse(minified.clone());
        prop_assert!(same_content(document.root(), again.root()));
        prop_assert_eq!(&minify(&again), &minified);
        let printed = parse(pretty(&document));
        prop_assert_eq!(&minify(&printed), &minified);
    }

    #[test]
    fn the_same_text_means_the_same_to_serde(text in json()) {
        let document = parse(text.clone());
        let ours: serde_json::Value = serde_json::from_str(&minify(&document)).unwrap();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn strings_are_read_back(text in any::<String>()) {
        let text = text.replace('\0', "");
        let document = parse(quoted(&text));
        prop_assert_eq!(document.root().as_str().unwrap(), text.as_str());
        prop_assert!(document.root().is_str(&text));
    }

    #[test]
    fn splices_act_as_if_done_from_behind(
        text in "[a-z]{0,40}",
        cuts in vec(0_usize..41, 0..12),
        with in vec("[A-Z]{0,3}", 6),
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|it| it.min(text.len())).collect();
        cuts.sort_unstable();
        let pairs = cuts.chunks_exact(2).zip(with);
        let splices: Vec<_> = pairs
            .map(|(cut, with)| Splice { span: cut[0]..cut[1], with })
            .collect();
        let mut expected = text.clone();
        for it in splices.iter().rev() {
            expected.replace_range(it.span.clone(), &it.with);
        }
        prop_assert_eq!(splice(&text, splices), expected);
    }

    #[test]
    fn strings_survive_xml(first in fhir_string(), second in fhir_string()) {
        let text = format!(
            r#"{{"resourceType":"Patient","name":[{{"given":[{},null],"_given":[null,{{"id":{}}}]}}]}}"#,
            quoted(&first), quoted(&second)
        );
        let definitions = Definitions::of(FhirVersion::R4);
        let document = parse(text);
        for layout in [Layout::Compact, Layout::Indented] {
            let written = xml::write(&document, definitions, layout).unwrap();
            let again = xml::read(written.as_bytes(), definitions, &fhir::json::Limits::DEFAULT);
            prop_assert!(same_content(document.root(), parse(again.unwrap()).root()));
        }
    }
}
