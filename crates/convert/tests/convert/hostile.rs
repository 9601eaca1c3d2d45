//! Inputs and templates that mean harm: each ends in an error that says where, or in output, within
//! bounded time and memory, and never in a panic.

use convert::{Budgets, ErrorKind, Processor};

use super::data;

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

/// A generator of its own, so that a failing seed can be run again.
struct Mutator(u64);

impl Mutator {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }

    fn mutate(&mut self, text: &str) -> String {
        const PIECES: &[&str] = &[
            "{%", "%}", "{{", "}}", "'", "\"", "|", ":", ",", "\\", "\r", "[", "]", "{", "}", "<",
            ">", "&", "^", "~", "\u{0}", "é", "😀", "endif", "if", "(1..9)", "\\X", "$",
        ];
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=self.next(4) {
            let at = self.next(characters.len() + 1);
            if self.next(2) == 0 && at < characters.len() {
                let end = (at + 1 + self.next(6)).min(characters.len());
                characters.drain(at..end);
            } else {
                let piece = PIECES[self.next(PIECES.len())];
                characters.splice(at..at, piece.chars());
            }
        }
        characters.into_iter().collect()
    }
}

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
    let mut converted = 0;
    for seed in 0..1500 {
        let mut mutator = Mutator(seed);
        let template = mutator.mutate(TEMPLATE);
        let mutated = data::library(&[("r.liquid", &template), partial]);
        mutated.check();
        let results = [
            data::convert_within(&mutated, "r", Processor::Json, json, budgets()),
            data::convert_within(
                &whole,
                "r",
                Processor::Json,
                &mutator.mutate(json),
                budgets(),
            ),
            data::convert_within(
                &whole,
                "r",
                Processor::Ccda,
                &mutator.mutate(xml),
                budgets(),
            ),
            data::convert_within(
                &of_hl7,
                "r",
                Processor::Hl7v2,
                &mutator.mutate(hl7),
                budgets(),
            ),
        ];
        for output in results.into_iter().flatten() {
            let parsed = serde_json::from_str::<serde_json::Value>(&output.text);
            assert!(parsed.is_ok(), "seed {seed}");
            converted += 1;
        }
    }
    println!("isthmus-suite: convert mutated: 6000 runs, {converted} converted");
}
