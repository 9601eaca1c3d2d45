//! Archives and image layouts: those that mean well and those that mean harm.

use std::collections::HashMap;
use std::io::Write;

use convert::source::{archive, layout};
use convert::{Library, SourceError, SourceLimits, Sources};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

const LIMITS: SourceLimits = SourceLimits {
    packed_bytes_max: 1 << 20,
    bytes_max: 8 << 20,
    file_bytes_max: 4 << 20,
    ratio_max: 100,
    files_max: 100,
    path_bytes_max: 200,
    path_depth_max: 8,
    layers_max: 4,
};

/// An entry of an archive: its kind, its name, its content.
#[derive(Clone)]
struct Entry(u8, String, Vec<u8>);

fn file(name: &str, content: &str) -> Entry {
    Entry(b'0', name.to_owned(), content.as_bytes().to_vec())
}

fn header(entry: &Entry, size: &str) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, entry.1.as_bytes());
    put(100, b"0000644\0");
    put(124, size.as_bytes());
    put(148, b"        ");
    put(156, &[entry.0]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|it| u32::from(*it)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn open_tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend(header(entry, &format!("{:011o}\0", entry.2.len())));
        bytes.extend(&entry.2);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes
}

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = open_tar(entries);
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn shown(read: Result<Sources, SourceError>) -> String {
    match read {
        Ok(sources) => {
            let files = sources.files.iter();
            let files: Vec<_> = files.map(|(path, text)| format!("{path}={text}")).collect();
            files.join(" ")
        }
        Err(error) => format!("error: {error}"),
    }
}

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

/// Archives that mean harm, each with a part of what is said about it.
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn hostile_archives() -> Vec<(Vec<u8>, &'static str)> {
    let one = |name: &str| tar(&[file(name, "a")]);
    let of_kind = |kind: u8| tar(&[Entry(kind, "A.liquid".into(), Vec::new())]);
    let pax = |records: &str| {
        let header = Entry(b'x', "p".into(), records.as_bytes().to_vec());
        tar(&[header, file("A.liquid", "a")])
    };
    let sized = |size: &str| {
        let mut bytes = header(&file("A.liquid", ""), size).to_vec();
        bytes.resize(2048, 0);
        bytes
    };
    let many = (0..200).map(|n| file(&format!("{n}.liquid"), ""));
    let big = file("A.liquid", &"a".repeat(5 << 20));
    let megabytes = |count: usize| {
        let part = "a".repeat(3 << 20);
        let files = (0..count).map(|n| file(&format!("{n}.liquid"), &part));
        tar(&files.collect::<Vec<_>>())
    };
    let mut broken_sum = one("A.liquid");
    broken_sum[0] = b'B';
    let mut broken_gzip = gzip(&one("A.liquid"));
    let end = broken_gzip.len() - 6;
    broken_gzip[end] ^= 1;
    let whole = gzip(&one("A.liquid"));
    let trailing = [one("A.liquid"), b"x".to_vec()].concat();
    let global = Entry(b'g', "g".into(), b"15 path=/etc/x\n".to_vec());
    vec![
        (one("../A.liquid"), "dot segment"),
        (one("B/../../A.liquid"), "dot segment"),
        (one("B/./A.liquid"), "dot segment"),
        (one("././A.liquid"), "dot segment"),
        (one("/etc/A.liquid"), "absolute"),
        (one(".//A.liquid"), "absolute"),
        (one("B//A.liquid"), "empty segment"),
        (one("..\\A.liquid"), "backslash"),
        (one("C:A.liquid"), "colon"),
        (one("A\n.liquid"), "control character"),
        (
            one(&format!("{}A.liquid", "b/".repeat(9))),
            "`path_depth_max`",
        ),
        (
            tar(&[file("A.liquid", ""), file("A.liquid", "")]),
            "two files",
        ),
        (
            tar(&[file("A.liquid", ""), file("./A.liquid", "")]),
            "two files",
        ),
        (
            tar(&[file("A.liquid", ""), file("A.liquid/B.liquid", "")]),
            "is a file",
        ),
        (
            tar(&[Entry(b'0', "A.liquid".into(), vec![b'\n', 0xff])]),
            "UTF-8 in line 2",
        ),
        (of_kind(b'1'), "hard link"),
        (of_kind(b'2'), "symbolic link"),
        (of_kind(b'3'), "device"),
        (of_kind(b'4'), "device"),
        (of_kind(b'6'), "named pipe"),
        (of_kind(b'7'), "neither file nor folder"),
        (of_kind(b'S'), "sparse"),
        (of_kind(b'K'), "symbolic link"),
        (tar(&[Entry(b'5', "..".into(), Vec::new())]), "dot segment"),
        (tar(&[Entry(b'5', "/".into(), Vec::new())]), "absolute"),
        (tar(&[Entry(b'5', "B".into(), b"x".to_vec())]), "no content"),
        (tar(&[global, file("A.liquid", "")]), "global header"),
        (pax("18 path=../B.liquid\n"), "not well formed"),
        (pax("20 path=../B.liquid\n"), "dot segment"),
        (pax("99999 path=a\n"), "not well formed"),
        (pax("x path=a\n"), "not well formed"),
        (pax("0 path=a\n"), "not well formed"),
        (pax("9 size=x\n"), "not well formed"),
        (pax("29 size=9999999999999999999\n"), "not well formed"),
        (pax("29 size=999999999999999999\n"), "not well formed"),
        (pax("28 size=9999999999999999999\n"), "`file_bytes_max`"),
        (pax("22 GNU.sparse.major=1\n"), "sparse"),
        (pax(&"13 comment=a\n".repeat(6000)), "extended header"),
        (tar(&[Entry(b'L', "l".into(), vec![0xff])]), "UTF-8"),
        (sized("77777777777\0"), "`file_bytes_max`"),
        (sized("-0000000001\0"), "no size"),
        (sized("\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}"), "no size"),
        (sized("00000004000\0"), "cut short"),
        (tar(&many.collect::<Vec<_>>()), "`files_max`"),
        (gzip(&tar(&[big])), "`file_bytes_max`"),
        (gzip(&megabytes(1)), "`ratio_max`"),
        (megabytes(3), "`packed_bytes_max`"),
        (vec![0; 2 << 20], "`packed_bytes_max`"),
        (gzip(&vec![0; 50 << 20]), "`ratio_max`"),
        (open_tar(&[file("A.liquid", "a")]), "cut short"),
        (one("A.liquid")[..700].to_vec(), "cut short"),
        (Vec::new(), "cut short"),
        (trailing, "follows the archive's end"),
        (broken_sum, "does not add up"),
        (broken_gzip, "unpacked"),
        (whole[..whole.len() - 3].to_vec(), "unpacked"),
        (whole[..12].to_vec(), "cut short"),
        ([&whole[..], b"x"].concat(), "unpacked"),
        (b"\x28\xb5\x2f\xfd...".to_vec(), "Zstandard"),
        (b"PK\x03\x04...".to_vec(), "ZIP"),
        (b"{\"a\":1}".repeat(100), "does not add up"),
    ]
}

#[test]
fn archives_that_mean_harm_are_refused() {
    let archives = hostile_archives();
    println!(
        "isthmus-suite: convert hostile archives: {} refused",
        archives.len()
    );
    for (number, (bytes, expected)) in archives.into_iter().enumerate() {
        let said = shown(archive::read(&bytes, &LIMITS));
        let is_expected = said.starts_with("error: ") && said.contains(expected);
        assert!(is_expected, "{number}: {said} instead of {expected}");
    }
}

/// An image layout in memory.
#[derive(Default)]
struct Layout(HashMap<String, Vec<u8>>);

impl Layout {
    fn put(&mut self, bytes: Vec<u8>) -> String {
        let digest = Sha256::digest(&bytes);
        let hex = format!("{digest:x}");
        let length = bytes.len();
        self.0.insert(format!("blobs/sha256/{hex}"), bytes);
        format!(r#"{{"digest":"sha256:{hex}","size":{length}}}"#)
    }

    fn image(&mut self, layers: &[Vec<u8>]) -> String {
        let layers: Vec<String> = layers.iter().map(|it| self.put(it.clone())).collect();
        let manifest = format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, layers.join(","));
        self.put(manifest.into_bytes())
    }

    fn index(mut self, manifests: &[String]) -> Self {
        let index = format!(r#"{{"manifests":[{}]}}"#, manifests.join(","));
        self.0.insert("index.json".into(), index.into_bytes());
        let marker = br#"{"imageLayoutVersion":"1.0.0"}"#;
        self.0.insert("oci-layout".into(), marker.to_vec());
        self
    }

    fn of(layers: &[Vec<u8>]) -> Self {
        let mut layout = Self::default();
        let image = layout.image(layers);
        layout.index(&[image])
    }

    fn read(&self, tag: Option<&str>) -> String {
        let mut fetch = |path: &str, _: u64| {
            let found = self.0.get(path).cloned();
            found.ok_or_else(|| SourceError::file(path, "is not there"))
        };
        shown(layout::read(tag, &LIMITS, &mut fetch))
    }
}

fn tagged(descriptor: &str, tag: &str) -> String {
    let name = r#""org.opencontainers.image.ref.name""#;
    descriptor.replacen('{', &format!(r#"{{"annotations":{{{name}:"{tag}"}},"#), 1)
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

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn layouts_that_mean_harm_are_refused() {
    let good = || tar(&[file("A.liquid", "a")]);
    let of_layer = |descriptor: &str| {
        let mut layout = Layout::default();
        layout.put(good());
        let manifest = format!(r#"{{"layers":[{descriptor}]}}"#);
        let manifest = layout.put(manifest.into_bytes());
        layout.index(&[manifest])
    };
    let of_index = |text: &str| {
        let mut layout = Layout::of(&[good()]);
        layout
            .0
            .insert("index.json".into(), text.as_bytes().to_vec());
        layout
    };
    let descriptor = Layout::default().put(good());
    let digest = &descriptor[descriptor.find("sha256").unwrap()..][..71];
    let other_content = {
        let mut layout = Layout::of(&[good()]);
        let place = format!("blobs/sha256/{}", &digest[7..]);
        layout.0.get_mut(&place).unwrap()[600] ^= 1;
        layout
    };
    let deep = {
        let mut layout = Layout::default();
        let mut at = layout.image(&[good()]);
        for _ in 0..9 {
            at = layout.put(format!(r#"{{"manifests":[{at}]}}"#).into_bytes());
        }
        layout.index(&[at])
    };
    let of_version = |text: &str| {
        let mut layout = Layout::of(&[good()]);
        layout
            .0
            .insert("oci-layout".into(), text.as_bytes().to_vec());
        layout
    };
    let cases = [
        (Layout::default(), "is not there"),
        (of_version("{}"), "imageLayoutVersion"),
        (of_version("x"), "oci-layout"),
        (
            of_version(r#"{"imageLayoutVersion":"2.0.0"}"#),
            "imageLayoutVersion",
        ),
        (of_index("["), "index.json"),
        (of_index("{}"), "no image"),
        (of_index(r#"{"manifests":[{}]}"#), "no digest"),
        (
            of_index(r#"{"manifests":[{"digest":"sha256:../../etc/passwd"}]}"#),
            "no digest",
        ),
        (
            of_index(r#"{"manifests":[{"digest":"md5:1"}]}"#),
            "no digest",
        ),
        (
            of_index(&format!(r#"{{"manifests":[{{"digest":"{digest}"}}]}}"#)),
            "no size",
        ),
        (of_layer("{}"), "no digest"),
        (
            of_layer(&descriptor.replace("\"size\":", "\"size\":9")),
            "bytes, not",
        ),
        (
            of_layer(&descriptor.replace("\"size\":", "\"size\":99999999")),
            "packed_bytes_max",
        ),
        (
            of_layer(&descriptor.replace("\"size\":", "\"size\":-")),
            "no size",
        ),
        (of_layer(&digest.to_uppercase()), "error"),
        (
            of_layer(&descriptor.replace("sha256:", "sha256:f")),
            "no digest",
        ),
        (other_content, "its digest"),
        (deep, "index_depth_max"),
        (Layout::of(&[]), "no layers"),
        (
            Layout::of(&[good(), good(), good(), good(), good()]),
            "layers_max",
        ),
        (
            Layout::of(&[tar(&[file("../A.liquid", "")])]),
            "dot segment",
        ),
        (
            Layout::of(&[good(), tar(&[file(".wh.", "")])]),
            "no file as removed",
        ),
        (
            Layout::of(&[good(), tar(&[file(".wh..wh.x", "")])]),
            "no file as removed",
        ),
        (
            Layout::of(&[good(), tar(&[file("../.wh.A.liquid", "")])]),
            "dot segment",
        ),
        (Layout::of(&[gzip(&vec![0; 50 << 20])]), "ratio_max"),
        (Layout::of(&[b"\x28\xb5\x2f\xfd".to_vec()]), "Zstandard"),
    ];
    println!(
        "isthmus-suite: convert hostile layouts: {} refused",
        cases.len()
    );
    for (number, (layout, expected)) in cases.into_iter().enumerate() {
        let said = layout.read(None);
        let is_expected = said.starts_with("error: ") && said.contains(expected);
        assert!(is_expected, "{number}: {said} instead of {expected}");
    }
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
