//! Archives and image layouts that mean well; those that do not are in `cases/bad/archives.txt`.

use convert::source::archive;
use convert::{Library, Sources};

use super::archives::{Entry, LIMITS, Layout, file, gzip, shown, tagged, tar};

#[test]
fn archives_become_files() {
    let long = format!("{}/_C.liquid", "ab/".repeat(3) + &"x".repeat(120));
    let pax = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length = rest.len() + 3;
        Entry(b'x', "p".into(), format!("{length}{rest}").into_bytes())
    };
    let gnu = Entry(
        b'L',
        "././@LongLink".into(),
        [long.as_bytes(), b"\0"].concat(),
    );
    let folder = |name: &str| Entry(b'5', name.into(), Vec::new());
    let metadata = || file("lib/metadata.json", "{}");
    for (entries, expected) in [
        (vec![file("A.liquid", "a")], "A.liquid=a".to_owned()),
        (
            vec![folder("./"), file("./A.liquid", "a")],
            "A.liquid=a".to_owned(),
        ),
        (vec![file("A.liquid", "\u{feff}a")], "A.liquid=a".to_owned()),
        (
            vec![folder("B"), file("B/_C.liquid", "")],
            "B/_C.liquid=".to_owned(),
        ),
        (
            vec![file("README.md", "x"), file("._A.liquid", "\u{0}")],
            String::new(),
        ),
        (
            vec![pax("path", &long), file("x", "c")],
            format!("{long}=c"),
        ),
        (vec![gnu, file("x", "c")], format!("{long}=c")),
        (
            vec![pax("comment", &"c".repeat(100)), file("A.liquid", "a")],
            "A.liquid=a".to_owned(),
        ),
        (
            vec![metadata(), file("lib/A.liquid", "a")],
            "A.liquid=a metadata.json={}".to_owned(),
        ),
        (vec![file("lib/A.liquid", "a")], "lib/A.liquid=a".to_owned()),
        (
            vec![metadata(), file("A.liquid", "a")],
            "A.liquid=a lib/metadata.json={}".to_owned(),
        ),
        (Vec::new(), String::new()),
    ] {
        let bytes = tar(&entries);
        assert_eq!(shown(archive::read(&bytes, &LIMITS)), expected);
        assert_eq!(shown(archive::read(&gzip(&bytes), &LIMITS)), expected);
    }
}

#[test]
fn what_is_packed_comes_back() {
    let long = format!("{}/_C.liquid", "x".repeat(120));
    let files = [
        ("metadata.json", "{}"),
        ("A.liquid", "é"),
        (&*long, "{% if %}"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let mut sources = Sources {
        files: files.into(),
    };
    let packed = archive::write(&sources);
    sources.files.sort();
    assert_eq!(archive::read(&packed, &LIMITS), Ok(sources.clone()));
    assert_eq!(archive::write(&sources), packed);
}

#[test]
fn a_later_layer_lies_over_the_earlier() {
    let base = gzip(&tar(&[
        file("A.liquid", "a1"),
        file("B/_C.liquid", "c1"),
        file("B/_D.liquid", "d1"),
        file("E/_F.liquid", "f1"),
    ]));
    for (upper, expected) in [
        (
            vec![],
            "A.liquid=a1 B/_C.liquid=c1 B/_D.liquid=d1 E/_F.liquid=f1",
        ),
        (
            vec![file("B/_C.liquid", "c2")],
            "A.liquid=a1 B/_C.liquid=c2 B/_D.liquid=d1 E/_F.liquid=f1",
        ),
        (
            vec![file("B/.wh._C.liquid", "")],
            "A.liquid=a1 B/_D.liquid=d1 E/_F.liquid=f1",
        ),
        (vec![file(".wh.B", "")], "A.liquid=a1 E/_F.liquid=f1"),
        (
            vec![file("B/.wh..wh..opq", ""), file("B/_C.liquid", "c2")],
            "A.liquid=a1 B/_C.liquid=c2 E/_F.liquid=f1",
        ),
        (
            vec![file(".wh..wh..opq", ""), file("Z.liquid", "z")],
            "Z.liquid=z",
        ),
        (
            vec![file(".wh.A.liquid", ""), file("A.liquid", "a2")],
            "A.liquid=a2 B/_C.liquid=c1 B/_D.liquid=d1 E/_F.liquid=f1",
        ),
    ] {
        let layout = Layout::of(&[base.clone(), tar(&upper)]);
        assert_eq!(layout.read(None), expected);
    }
}

#[test]
fn an_image_is_found_by_its_tag() {
    let mut layout = Layout::default();
    let one = layout.image(&[tar(&[file("A.liquid", "1")])]);
    let two = layout.image(&[tar(&[file("A.liquid", "2")])]);
    let nested = format!(r#"{{"manifests":[{two}]}}"#);
    let nested = layout.put(nested.into_bytes());
    let layout = layout.index(&[tagged(&one, "v1"), tagged(&nested, "v2")]);
    assert_eq!(layout.read(Some("v1")), "A.liquid=1");
    assert_eq!(layout.read(Some("v2")), "A.liquid=2");
    assert!(layout.read(Some("v3")).contains("no image of that tag"));
    assert!(layout.read(None).contains("2 images"));
}

fn sources(files: &[(&str, &str)]) -> Sources {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    Sources {
        files: files.collect(),
    }
}

#[test]
fn a_library_lies_over_its_base() {
    let base = sources(&[
        ("metadata.json", r#"{"type":"json"}"#),
        ("R.liquid", "{% include 'S/A' %}"),
        (
            "S/_A.liquid",
            r#"{"a":"{{ 'x' | get_property: 'M' }}","b":"{{ 'y' | get_property: 'M' }}"}"#,
        ),
        (
            "ValueSet/ValueSet.json",
            r#"{"Mapping":{"M":{"x":{"code":"1"},"y":{"code":"2"}}}}"#,
        ),
    ]);
    let codes = (
        "CodeSystem/CodeSystem.json",
        r#"{"Mapping":{"M":{"y":{"code":"3"}}}}"#,
    );
    let convert = |overlay: &Sources| {
        let library = Library::load_layers(&[base.clone(), overlay.clone()]);
        let output = super::data::convert(&library, "R", convert::Processor::Json, "{}");
        output.map(|it| it.text)
    };
    assert_eq!(convert(&sources(&[])).unwrap(), r#"{"a":"1","b":"2"}"#);
    assert_eq!(convert(&sources(&[codes])).unwrap(), r#"{"a":"1","b":"3"}"#);
    let changed = sources(&[("S/_A.liquid", r#"{"c":"1"}"#)]);
    assert_eq!(convert(&changed).unwrap(), r#"{"c":"1"}"#);
    // A template without its underscore replaces the one with it: they are included by one name.
    let changed = sources(&[("S/A.liquid", r#"{"d":"1"}"#)]);
    assert_eq!(convert(&changed).unwrap(), r#"{"d":"1"}"#);

    let named = sources(&[("metadata.json", r#"{"base":"hl7v2"}"#)]);
    let layers = [base.clone(), named.clone()];
    let processor = Library::load_layers(&layers).processor();
    assert_eq!(processor, Some(convert::Processor::Json));
    assert_eq!(
        (named.base().as_deref(), base.base()),
        (Some("hl7v2"), None)
    );
    let misspelt = sources(&[
        ("S/_AA.liquid", "{}"),
        ("Q.liquid", "{% include 'S/N' %}"),
        ("S/_N.liquid", ""),
    ]);
    let findings = Library::load_layers(&[base, misspelt]).check();
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let expected = "S/_AA.liquid:1:1: warning: `S/AA` replaces no template of the base, \
                    and none includes it; did you mean `S/A`?";
    assert_eq!(shown, [expected]);
}
