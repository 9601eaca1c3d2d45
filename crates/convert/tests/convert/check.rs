//! What `check` finds in a library, with file and line.

use expect_test::{Expect, expect};

use super::data;

fn check(files: &[(&str, &str)], expected: &Expect) {
    let findings = data::library(files).check();
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn everything_wrong_is_found_at_once() {
    check(
        &[
            (
                "A.liquid",
                "{% include 'B/C' -%}\n{{ x | apend: 'y' | upcase: 1 }}\n{% assign z = 1 %}\n{% include 'B/X' %}{{ a | get_property: 'Gendr' }}",
            ),
            ("B/_C.liquid", "{% include 'A' %}"),
            ("D.liquid", "{% if a %}\n{% for b in c %}{% endfor %}"),
            ("E.liquid", "{{ a }\n"),
            ("F.liquid", "{% if a === b %}{% endif %}"),
            ("H.liquid", "{% if a | size > 1 %}{% endif %}"),
            ("G.liquid", "{% if a %}{% include 'G' %}{% endif %}"),
            (
                "ValueSet/ValueSet.json",
                r#"{"Mapping":{"Gender":{"M":{"code":"male"}}}}"#,
            ),
            ("metadata.json", "{\"type\":\n\"hl7\"}"),
            ("x.schema.json", "{"),
        ],
        &expect![[r#"
            A.liquid:1:1: error: the template includes itself without any condition or loop on the way
            A.liquid:2:1: warning: `apend` is no filter; did you mean `append`?
            A.liquid:2:1: error: the filter `upcase` takes no argument, not 1
            A.liquid:3:1: warning: what is assigned here is never read
            A.liquid:4:1: warning: the library has no template `B/X`; did you mean `B/C`?
            A.liquid:4:20: warning: the library maps no codes as `Gendr`; did you mean `Gender`?
            B/_C.liquid:1:1: error: the template includes itself without any condition or loop on the way
            D.liquid:1:1: error: `if` is not closed with `endif`
            E.liquid:1:1: error: the output is not closed with `}}` on its line
            F.liquid:1:1: error: `===` is no operator; did you mean `==`?
            H.liquid:1:1: warning: no operator, so it is ignored: `| size > 1`
            metadata.json:2:1: error: `type` is none of hl7v2, ccda, json, fhir, fhir-to-hl7v2
            x.schema.json:1:2: error: the text ends where a name in double quotes is expected"#]],
    );
}

#[test]
fn a_library_without_faults_has_no_findings() {
    check(
        &[
            ("A.liquid", "{% include 'B/C' with msg.a -%}"),
            ("B/_C.liquid", "{{ msg | to_json_string }}"),
            ("metadata.json", "{\"type\": \"json\"}"),
            ("README.md", "{% nothing"),
        ],
        &expect![[""]],
    );
}
