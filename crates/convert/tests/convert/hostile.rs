//! Inputs and templates that mean harm: each ends in an error that says where, or in output, within
//! bounded time and memory, and never in a panic.

use convert::{Budgets, ErrorKind, Processor};

use super::{data, mutator};

fn budgets() -> Budgets {
    Budgets {
        steps_max: 200_000,
        iterations_max: 10_000,
        output_bytes_max: 1 << 20,
        memory_bytes_max: 64 << 20,
        ..Budgets::default()
    }
}

fn kind(template: &str, input: &str) -> Option<ErrorKind> {
    let library = data::library(&[("r.liquid", template)]);
    let result = data::convert_within(&library, "r", Processor::Json, input, budgets());
    result.err().map(|error| error.kind)
}

#[test]
fn templates_cannot_exhaust_anything() {
    for (template, expected) in [
        ("{% include 'r' %}", ErrorKind::Limit),
        ("{% evaluate a using 'r' %}", ErrorKind::Limit),
        (
            "{% for a in (1..9999999999) %}{% endfor %}",
            ErrorKind::Limit,
        ),
        (
            "{% for a in (1..9000) %}{% for b in (1..9000) %}{% endfor %}{% endfor %}",
            ErrorKind::Limit,
        ),
        (
            "{% assign a = 'xxxxxxxx' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}",
            ErrorKind::Limit,
        ),
        ("{{ 'x' | times: 99999999 }}", ErrorKind::Limit),
        (
            "{% assign a = 'x,y' | split: ',' %}{% for i in (1..99) %}{% assign a = a | concat: a %}{% endfor %}",
            ErrorKind::Limit,
        ),
        (
            r#"{{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" | match: "^(?:(a)|aa|\1)+b" }}"#,
            ErrorKind::Rendering,
        ),
        (
            "{% assign a = '[[[[[[[[' %}{% for i in (1..99) %}{{ a }}{% endfor %}",
            ErrorKind::Limit,
        ),
        ("{% if a %}", ErrorKind::Syntax),
        ("{", ErrorKind::Json),
        ("", ErrorKind::Json),
    ] {
        assert_eq!(kind(template, "{}"), Some(expected), "{template}");
    }
    let captures = "{% capture a %}".repeat(99);
    let deep = format!(
        "{captures}{{% include 'r' %}}{}",
        "{% endcapture %}".repeat(99)
    );
    assert_eq!(kind(&deep, "{}"), Some(ErrorKind::Limit));
    let ranges = format!(
        "{{{{ {}1{} }}}}",
        "(1..".repeat(100_000),
        ")".repeat(100_000)
    );
    assert_eq!(kind(&ranges, "{}"), Some(ErrorKind::Json));
    let conditions = format!("{{% if a{} %}}{{% endif %}}", " or a".repeat(100_000));
    assert_eq!(kind(&conditions, "{}"), Some(ErrorKind::Syntax));
    for endless in ["{% extends 'x' %}", "{{ a[", "{% if", "{% comment %}{{"] {
        let endless = endless.repeat(100_000);
        assert_eq!(kind(&endless, "{}"), Some(ErrorKind::Syntax));
    }
    let nested = "{% if a %}".repeat(5000);
    assert_eq!(kind(&nested, "{}"), Some(ErrorKind::Syntax));
}

#[test]
fn time_ends_a_conversion() {
    let library = data::library(&[("r.liquid", "{% for a in (1..9999) %}{% endfor %}")]);
    let settings = convert::Settings {
        now: fhir::Instant::from_micros(0),
        seed: 0,
        zone_offset_minutes: None,
        ids: convert::IdStrategy::Hash,
        budgets: Budgets::default(),
        time_is_up: &|| true,
    };
    let result = library.convert("r", Processor::Json, "{}", &settings);
    assert_eq!(result.map_err(|error| error.kind), Err(ErrorKind::TimedOut));
}

/// Pieces that parsers stumble over.
const PIECES: &[&str] = &[
    "{%", "%}", "{{", "}}", "'", "\"", "|", ":", ",", "\\", "\r", "[", "]", "{", "}", "<", ">",
    "&", "^", "~", "\u{0}", "é", "😀", "endif", "if", "(1..9)", "\\X", "$",
];

const TEMPLATE: &str = r#"{% assign a = msg.b | split: ',' -%}{"x": "{{ a[0] | replace: '(b)+', '$1' }}",
{% for c in msg.l limit: 2 -%}"{{ c.d | slice: -2, 2 }}": {{ c | to_json_string }},{% endfor -%}
{% if msg.b contains 'x' and msg.l.size > 1 or a == empty -%}"y": [{{ msg.l | batch_render: 'p', 'q' }}],
{% elsif a -%}{% else %}{% endif -%}{% case msg.b %}{% when 'a', 'b' %}"z":1,{% else %}"z":2,{% endcase -%}
"d": "{{ "20200101120000" | format_as_date_time }}" }"#;

#[test]
fn mutated_inputs_never_panic() {
    let partial = (
        "p.liquid",
        "{% mergeDiff q %}{\"e\":\"{{ q.d }}\",}{% endmergeDiff %},",
    );
    let json = r#"{"b":"a,\"b\",x","l":[{"d":"é1"},{"d":2.50}]}"#;
    let xml = "<a b=\"1\">x<c>y &amp; z</c><c/><d:e>1</d:e><!-- f --></a>";
    let hl7 = "MSH|^~\\&|A|B\rPID|1||a^b~c&d\\T\\||x\rOBX|1|ST|\r";
    let whole = data::library(&[("r.liquid", TEMPLATE), partial]);
    let hl7_template =
        "{\"a\":\"{{ hl7v2Data.Data[1][3].Repeats.first[1][1] }}{{ hl7v2Data.Value }}\"}";
    let of_hl7 = data::library(&[("r.liquid", hl7_template)]);
    mutator::run("templates and inputs", 1500, |mutator| {
        let template = mutator.damaged_text(TEMPLATE, PIECES);
        let mutated = data::library(&[("r.liquid", &template), partial]);
        mutated.check();
        let [json_bad, xml_bad, hl7_bad] =
            [json, xml, hl7].map(|it| mutator.damaged_text(it, PIECES));
        let results = [
            (&mutated, Processor::Json, json),
            (&whole, Processor::Json, &*json_bad),
            (&whole, Processor::Ccda, &*xml_bad),
            (&of_hl7, Processor::Hl7v2, &*hl7_bad),
        ];
        let outputs = results
            .into_iter()
            .filter_map(|(library, processor, input)| {
                data::convert_within(library, "r", processor, input, budgets()).ok()
            });
        let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        outputs.inspect(|it| assert!(is_json(&it.text))).count() > 0
    });
}

/// A document of nothing but names that nobody knows is reported within bounds.
#[test]
fn what_is_not_read_is_told_within_bounds() {
    let members: Vec<String> = (0..50_000)
        .map(|at| format!("\"m{at}\":{{\"x\":1}}"))
        .collect();
    let input = format!("{{{}}}", members.join(","));
    let library = data::library(&[("r.liquid", "{\"a\":1}")]);
    let output = data::convert(&library, "r", Processor::Json, &input).unwrap();
    assert_eq!(output.unread.len(), 10_001);
    let count: usize = output.unread.iter().map(convert::Unread::count).sum();
    assert_eq!(count, 50_000);
    assert_eq!(output.unread.last().unwrap().to_string(), "…");
}
