//! A hundred kinds of bad input for each parser: all end in an error that says what is wrong, or in
//! output that is JSON, within small budgets; none in a panic. A case is a line of a table, and some
//! are made by rule.

use std::time::{Duration, Instant};

use convert::{Budgets, ConvertError, Library, Output, Processor};

use super::data;

/// No case may take longer, in a build without optimisation on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(10);

fn budgets() -> Budgets {
    Budgets {
        input_bytes_max: 1 << 20,
        steps_max: 200_000,
        iterations_max: 10_000,
        output_bytes_max: 1 << 20,
        memory_bytes_max: 64 << 20,
        ..Budgets::default()
    }
}

fn convert(library: &Library, processor: Processor, input: &str) -> Result<Output, ConvertError> {
    let began = Instant::now();
    let result = data::convert_within(library, "r", processor, input, budgets());
    assert!(began.elapsed() < TIME_MAX, "{}", brief(input));
    if let Ok(output) = &result {
        let parsed = serde_json::from_str::<serde_json::Value>(&output.text);
        assert!(parsed.is_ok(), "{}", brief(input));
    }
    result
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

/// All must fail, and each error must say something.
fn all_fail(suite: &str, library: &Library, processor: Processor, inputs: &[String]) {
    let wrong: Vec<String> = inputs
        .iter()
        .filter(|input| match convert(library, processor, input) {
            Ok(_) => true,
            Err(error) => error.what.is_empty(),
        })
        .map(|input| brief(input))
        .collect();
    println!(
        "isthmus-suite: convert bad {suite}: {} refused",
        inputs.len() - wrong.len()
    );
    assert!(wrong.is_empty(), "not refused: {wrong:#?}");
    assert!(inputs.len() >= 100, "{suite}: only {} kinds", inputs.len());
}

fn lines(table: &str) -> Vec<String> {
    let lines = table.lines().filter(|it| !it.is_empty());
    lines.map(str::to_owned).collect()
}

const XML: &str = include_str!("../cases/bad/xml.txt");
const JSON: &str = include_str!("../cases/bad/json.txt");
const WRITTEN: &str = include_str!("../cases/bad/written.txt");
const TEMPLATES: &str = include_str!("../cases/bad/templates.txt");

/// Each entity of nine stands for ten of the one before.
fn laughs() -> String {
    let entities = (1..10).map(|n| {
        let parts = format!("&l{};", n - 1).repeat(10);
        format!("<!ENTITY l{n} \"{parts}\">")
    });
    let entities: String = entities.collect();
    format!("<!DOCTYPE a [<!ENTITY l0 \"ha\">{entities}]><a>&l9;</a>")
}

#[test]
fn xml() {
    let library = data::library(&[("r.liquid", "{\"a\":\"{{ msg.a._ }}\"}")]);
    let mut inputs = lines(XML);
    inputs.push(laughs());
    inputs.push("<a>".repeat(200_000));
    inputs.push(format!("<a>{}</a>", "<b>".repeat(5_000)));
    inputs.push("<a/>".repeat(50_000));
    inputs.push(format!("<a b=\"{}\"/>", "x".repeat(2 << 20)));
    for end in 1..GOOD_XML.len() {
        inputs.push(GOOD_XML[..end].to_owned());
    }
    all_fail("xml", &library, Processor::Ccda, &inputs);
    assert!(convert(&library, Processor::Ccda, GOOD_XML).is_ok());
}

/// No beginning of it is a document.
const GOOD_XML: &str = "<a b=\"1\"><c>x &amp; y</c><d e='2'/></a>";

#[test]
fn json() {
    let library = data::library(&[("r.liquid", "{\"a\":\"{{ msg.a }}\"}")]);
    let mut inputs = lines(JSON);
    inputs.push("[".repeat(100_000));
    inputs.push("{\"a\":".repeat(100_000));
    inputs.push(format!("\"{}", "x".repeat(100_000)));
    for end in 1..GOOD_JSON.len() {
        inputs.push(GOOD_JSON[..end].to_owned());
    }
    all_fail("json", &library, Processor::Json, &inputs);
    assert!(convert(&library, Processor::Json, GOOD_JSON).is_ok());
}

const GOOD_JSON: &str = r#"{"a":[1,2.5e3,"x\n\u00e9",null],"b":{"c":true}}"#;

#[test]
fn messages() {
    let library = data::library(&[(
        "r.liquid",
        "{\"a\":\"{{ hl7v2Data.Value }}{{ hl7v2Data.Data[1][3].Value }}\"}",
    )]);
    let good = "MSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.5\rPID|1||5^^^M||N^V\r";
    let mut inputs = Vec::new();
    // A header that is cut short before its separators, or is none.
    for end in 1..8 {
        inputs.push(good[..end].to_owned());
    }
    for name in [
        "PID", "msh", "MSG", " ", "\r", "\n\r\n", "\u{feff}", "EVN", "M", "{}", "<a/>",
    ] {
        inputs.push(format!("{name}{}", &good[3..]).replacen("MSH", "XSH", 1));
    }
    // Separators that are not distinct, or not there.
    for one in 0..5 {
        for other in 0..5 {
            if one != other {
                let mut separators: Vec<char> = "|^~\\&".chars().collect();
                separators[one] = separators[other];
                let separators: String = separators.into_iter().collect();
                inputs.push(good.replacen("|^~\\&", &separators, 1));
            }
        }
    }
    for missing in ["", "|", "|^", "|^~", "|^~\\"] {
        inputs.push(format!("MSH{missing}"));
        inputs.push(format!("MSH{missing}\rPID|1"));
        inputs.push(format!("MSH{missing}\u{0}\rPID|1"));
    }
    // Escape sequences that are not closed or not hexadecimal, in every place.
    for sequence in [
        "\\", "\\F", "\\X", "\\X4\\", "\\XZZ\\", "\\X4G\\", "\\X+1\\", "\\Xé\\",
    ] {
        for at in ["5^^^M", "N^V", "|1||"] {
            inputs.push(good.replacen(at, &format!("{at}{sequence}"), 1));
        }
    }
    for sequence in ["\\F\\\\", "\\T\\x\\", "a\\b\\c\\"] {
        for at in ["5^^^M", "N^V", "20200101", "ADT", "P|2.5", "|1||"] {
            inputs.push(good.replacen(at, &format!("{at}{sequence}"), 1));
        }
    }
    let long = good.replacen("5^^^M", &"x".repeat(2 << 20), 1);
    inputs.extend([String::new(), " ".into(), "\u{0}".into(), long]);
    inputs.push("MSH".repeat(1000));
    all_fail("hl7v2", &library, Processor::Hl7v2, &inputs);
    assert!(convert(&library, Processor::Hl7v2, good).is_ok());
}

/// What templates write that is no JSON, however leniently it is read.
#[test]
fn written_json() {
    let inputs = lines(WRITTEN);
    let mut wrong = Vec::new();
    for text in &inputs {
        let library = data::library(&[("r.liquid", text)]);
        match convert(&library, Processor::Json, "{}") {
            Err(error) if !error.what.is_empty() => {}
            _ => wrong.push(text.clone()),
        }
    }
    println!(
        "isthmus-suite: convert bad written: {} refused",
        inputs.len() - wrong.len()
    );
    assert!(wrong.is_empty(), "not refused: {wrong:#?}");
}

/// Templates that are not well formed, or ask for too much: told with their place.
#[test]
fn templates() {
    let mut inputs = lines(TEMPLATES);
    for tag in [
        "if a",
        "unless a",
        "for a in b",
        "case a",
        "capture a",
        "comment",
        "raw",
        "ifchanged",
        "tablerow a in b",
        "mergeDiff a",
        "block 'a'",
    ] {
        inputs.push(format!("{{% {tag} %}}"));
        inputs.push(format!("{{\"a\":1}}{{% {tag} %}}{{% {tag} %}}"));
        inputs.push(format!("{{% {tag}"));
        inputs.push(format!("{{% {tag} %}}{{% endwhile %}}"));
        inputs.push(format!("{{% {tag} %}}").repeat(3_000));
    }
    let mut wrong = Vec::new();
    for text in &inputs {
        let library = data::library(&[("r.liquid", text)]);
        let findings = library.check();
        let result = convert(&library, Processor::Json, r#"{"a":"x","b":[1,2]}"#);
        match result {
            Err(error) if error.place.is_some() || !findings.is_empty() => {}
            _ => wrong.push(brief(text)),
        }
    }
    println!(
        "isthmus-suite: convert bad templates: {} refused",
        inputs.len() - wrong.len()
    );
    assert!(wrong.is_empty(), "not refused: {wrong:#?}");
    assert!(inputs.len() >= 100, "only {} kinds", inputs.len());
}
