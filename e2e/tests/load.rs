//! The main job: bundles of synthetic patients, loaded, counted, read back; killed in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use e2e::data;
use e2e::http::{Connection, next_page};
use e2e::process::{Server, isthmus, run, succeed};
use e2e::random::Random;
use serde_json::{Value, json};

type Counts = BTreeMap<String, u64>;

/// The bundles of a folder as an independent reader sees them.
fn bundles(folder: &Path) -> Vec<(PathBuf, Value)> {
    let texts = data::files_below(folder)
        .into_iter()
        .filter_map(|path| Some((text(&path)?, path)));
    texts
        .map(|(text, path)| (path, serde_json::from_slice(&text).expect("JSON")))
        .collect()
}

fn text(path: &Path) -> Option<Vec<u8>> {
    let ending = path.extension().and_then(|it| it.to_str());
    if ending == Some("bz2") {
        let mut text = Vec::new();
        let file = std::fs::File::open(path).expect("opened");
        bzip2::read::MultiBzDecoder::new(file)
            .read_to_end(&mut text)
            .expect("read");
        return Some(text);
    }
    (ending == Some("json")).then(|| std::fs::read(path).expect("read"))
}

fn entries(bundle: &Value) -> impl Iterator<Item = &Value> {
    bundle["entry"].as_array().into_iter().flatten()
}

/// What names the resource that an entry makes, where sending it twice makes one.
fn identity(entry: &Value) -> Option<String> {
    let kind = entry["resource"]["resourceType"].as_str()?;
    if let Some(criteria) = entry["request"]["ifNoneExist"].as_str() {
        return Some(format!("{kind}?{criteria}"));
    }
    let is_put = entry["request"]["method"] == "PUT" || entry["request"].is_null();
    let id = entry["resource"]["id"].as_str().filter(|_| is_put)?;
    Some(format!("{kind}/{id}"))
}

/// Counts by type: entries sent, less those of refused files, less repeats.
fn expected(bundles: &[(PathBuf, Value)], refused: &BTreeSet<PathBuf>) -> Counts {
    let mut counts = Counts::new();
    let mut seen = BTreeSet::new();
    for (_, bundle) in bundles.iter().filter(|(path, _)| !refused.contains(path)) {
        for entry in entries(bundle) {
            if identity(entry).is_some_and(|it| !seen.insert(it)) {
                continue;
            }
            let kind = entry["resource"]["resourceType"].as_str().expect("a type");
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
    }
    counts
}

fn stored(connection: &mut Connection, base: &str, kinds: impl Iterator<Item = String>) -> Counts {
    kinds
        .map(|kind| {
            let answer = connection
                .get(&format!("{base}/{kind}?_summary=count"))
                .expect("an answer");
            (kind, answer.json()["total"].as_u64().expect("a total"))
        })
        .collect()
}

/// The files that were refused, with the reasons given.
fn rejects(file: &Path) -> BTreeMap<PathBuf, String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| {
            let reject: Value = serde_json::from_str(line).expect("JSON");
            let reason = reject["outcome"]["issue"][0]["details"]["text"].as_str();
            let reason = reason
                .expect("an OperationOutcome says what is wrong")
                .to_owned();
            (
                PathBuf::from(reject["source"].as_str().expect("a source")),
                reason,
            )
        })
        .collect()
}

struct Set {
    name: String,
    folder: PathBuf,
    version: &'static str,
}

fn sets(suite: &str) -> Vec<Set> {
    let mut sets = Vec::new();
    for (set, version) in [("05-synthea-r4", "r4"), ("06-synthea-stu3", "stu3")] {
        let Some(folder) = data::set(suite, set) else {
            continue;
        };
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let folder = entry.expect("an entry").path();
            if folder.is_dir() {
                let name = folder
                    .file_name()
                    .and_then(|it| it.to_str())
                    .expect("UTF-8")
                    .to_owned();
                sets.push(Set {
                    name,
                    folder,
                    version,
                });
            }
        }
    }
    sets
}

/// Folders with bundles that are refused whole: how many, and why.
const REFUSED: &[(&str, usize, &str)] = &[
    ("openhack-sync", 10, "a conditional reference matches no"),
    (
        "pathling-json-xml-twins",
        4,
        "a conditional reference matches no",
    ),
];

/// Loads a folder over HTTP; gives what was refused.
fn load(server: &Server, set: &Set, base: &str, rejected: &Path) -> BTreeMap<PathBuf, String> {
    let folder = set.folder.to_str().expect("UTF-8");
    let url = server.base(base);
    let rejected_text = rejected.to_str().expect("UTF-8");
    // The STU3 sets hold content that is not valid STU3: single values where arrays belong.
    let output = run(&[
        "load",
        folder,
        "--to",
        &url,
        "--lenient",
        "--rejects",
        rejected_text,
        "--json",
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}: {said}",
        set.name
    );
    rejects(rejected)
}

#[test]
fn every_folder_loads_into_its_own_tenant_and_counts_are_exact() {
    let sets = sets("load");
    if sets.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"));
    let mut connection = server.connect();
    for set in &sets {
        succeed(&["tenant", "create", &set.name, "--server", &server.base("")]);
        let base = format!("/t/{}/fhir/{}", set.name, set.version);
        let refused = load(&server, set, &base, &folder.path().join(&set.name));
        let expected_refusal = REFUSED.iter().find(|(name, ..)| *name == set.name);
        let (_, count, reason) = expected_refusal.unwrap_or(&("", 0, ""));
        assert_eq!(refused.len(), *count, "{}: {refused:?}", set.name);
        for (path, given) in &refused {
            assert!(given.contains(reason), "{}: {given}", path.display());
        }
        for (path, reason) in &refused {
            let name = path.file_name().expect("a name").to_string_lossy();
            println!("{}: {name} refused: {reason}", set.name);
        }
        let sent = bundles(&set.folder);
        let refused: BTreeSet<_> = refused.into_keys().collect();
        let expected = expected(&sent, &refused);
        let kinds: BTreeSet<String> = all_kinds(&sent);
        let mut stored = stored(&mut connection, &base, kinds.into_iter());
        stored.retain(|_, count| *count > 0);
        assert_eq!(stored, expected, "{}", set.name);
        let sum: u64 = expected.values().sum();
        println!(
            "isthmus-suite: load {}: {sum} resources counted cases",
            set.name
        );
    }
    read_back(&mut connection, &sets);
}

fn all_kinds(bundles: &[(PathBuf, Value)]) -> BTreeSet<String> {
    let kinds = bundles.iter().flat_map(|(_, bundle)| entries(bundle));
    kinds
        .filter_map(|entry| Some(entry["resource"]["resourceType"].as_str()?.to_owned()))
        .collect()
}

/// A sample of resources read back equals what was sent, apart from id, meta and references.
fn read_back(connection: &mut Connection, sets: &[Set]) {
    let Some(set) = sets.iter().find(|set| set.name == "smart") else {
        return;
    };
    let sent: Vec<Value> = bundles(&set.folder)
        .iter()
        .flat_map(|(_, bundle)| {
            entries(bundle)
                .map(|it| it["resource"].clone())
                .collect::<Vec<_>>()
        })
        .collect();
    let base = format!("/t/{}/fhir/{}", set.name, set.version);
    let mut left: BTreeMap<String, u64> = BTreeMap::new();
    for resource in &sent {
        *left.entry(comparable(resource)).or_default() += 1;
    }
    let mut compared = 0;
    let mut next = Some(format!("{base}/_history?_count=200"));
    while let Some(path) = next.filter(|_| compared < 1_000) {
        let page = connection.get(&path).expect("an answer").json();
        for resource in entries(&page).map(|entry| &entry["resource"]) {
            let count = left
                .get_mut(&comparable(resource))
                .filter(|count| **count > 0);
            *count.expect("what is stored is what was sent") -= 1;
            compared += 1;
            references_resolve(connection, &base, resource);
        }
        next = next_page(&page);
    }
    assert!(compared >= 1_000, "only {compared} were compared");
    println!("isthmus-suite: read back: {compared} cases");
}

/// A resource without id and meta, references reduced to "there is one".
fn comparable(resource: &Value) -> String {
    let mut resource = resource.clone();
    let object = resource.as_object_mut().expect("a resource");
    object.shift_remove("id");
    object.shift_remove("meta");
    blank_references(&mut resource);
    resource.to_string()
}

fn blank_references(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get_mut("reference").filter(|it| it.is_string()) {
                *reference = json!("-");
            }
            members.values_mut().for_each(blank_references);
        }
        Value::Array(items) => items.iter_mut().for_each(blank_references),
        _ => {}
    }
}

fn references_resolve(connection: &mut Connection, base: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("reference").and_then(Value::as_str)
                && !reference.starts_with('#')
            {
                let answer = connection.ask("HEAD", &format!("{base}/{reference}"), &[], b"");
                assert_eq!(
                    answer.expect("an answer").status,
                    200,
                    "a reference leads nowhere"
                );
            }
            members
                .values()
                .for_each(|it| references_resolve(connection, base, it));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|it| references_resolve(connection, base, it)),
        _ => {}
    }
}

/// A few bundles of our own, with everything a loader meets.
fn own_files(folder: &Path) -> (Counts, u64) {
    std::fs::create_dir_all(folder).expect("a folder");
    let organization = json!({"resourceType": "Bundle", "type": "batch", "entry": [{
        "fullUrl": "urn:uuid:0b1f2f0e-4c8e-4c3c-9d6a-000000000001",
        "resource": {"resourceType": "Organization", "identifier": [{"system": "http://e2e.isthmus.invalid/o", "value": "o1"}], "name": "North"},
        "request": {"method": "POST", "url": "Organization", "ifNoneExist": "identifier=http://e2e.isthmus.invalid/o|o1"}
    }]});
    std::fs::write(
        folder.join("hospitalInformation1.json"),
        organization.to_string(),
    )
    .expect("written");
    let bundles = 60;
    for number in 0..bundles {
        std::fs::write(
            folder.join(format!("p{number}.json")),
            patient_bundle(number).to_string(),
        )
        .expect("written");
    }
    let lines: Vec<String> = (0..500)
        .map(|number| format!("{}\n", json!({"resourceType": "Location", "id": format!("l{number}"), "name": format!("Room {number}")})))
        .collect();
    std::fs::write(folder.join("rooms.ndjson"), lines.concat()).expect("written");
    let counts = [
        ("Organization", 1),
        ("Patient", bundles),
        ("Observation", bundles * 5),
        ("Location", 500),
    ];
    let counts: Counts = counts.map(|(kind, count)| (kind.to_owned(), count)).into();
    let sum = counts.values().sum();
    (counts, sum)
}

fn patient_bundle(number: u64) -> Value {
    let full_url = format!("urn:uuid:0b1f2f0e-4c8e-4c3c-9d6a-{number:012}");
    let mut entries = vec![json!({
        "fullUrl": full_url,
        "resource": {"resourceType": "Patient", "name": [{"family": format!("F{number}")}],
            "managingOrganization": {"reference": "Organization?identifier=http://e2e.isthmus.invalid/o|o1"}},
        "request": {"method": "POST", "url": "Patient"}
    })];
    for count in 0..5 {
        entries.push(json!({
            "resource": {"resourceType": "Observation", "status": "final", "code": {"text": format!("c{count}")},
                "subject": {"reference": full_url}},
            "request": {"method": "POST", "url": "Observation"}
        }));
    }
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

#[test]
fn direct_and_over_http_store_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    let (counts, _) = own_files(&files);
    let files = files.to_str().expect("UTF-8");
    let [over_http, direct] = ["http", "direct"].map(|name| folder.path().join(name));
    let server = Server::start(&over_http);
    succeed(&["load", files, "--to", &server.base("/fhir/r4")]);
    succeed(&["load", files, "--data", direct.to_str().expect("UTF-8")]);
    let other = Server::start(&direct);
    let contents = [&server, &other].map(|server| {
        let mut connection = server.connect();
        let stored = stored(&mut connection, "/fhir/r4", counts.keys().cloned());
        assert_eq!(stored, counts);
        contents(&mut connection)
    });
    assert_eq!(contents[0], contents[1]);
}

/// Everything stored, without what differs from load to load.
fn contents(connection: &mut Connection) -> Vec<String> {
    let mut contents = Vec::new();
    let mut next = Some("/fhir/r4/_history?_count=500".to_owned());
    while let Some(path) = next {
        let page = connection.get(&path).expect("an answer").json();
        contents.extend(entries(&page).map(|entry| comparable(&entry["resource"])));
        next = next_page(&page);
    }
    contents.sort();
    contents
}

#[test]
fn loading_a_second_time_is_a_new_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    let (counts, _) = own_files(&files);
    let files = files.to_str().expect("UTF-8");
    let data = folder.path().join("data");
    for _ in 0..2 {
        succeed(&["load", files, "--data", data.to_str().expect("UTF-8")]);
    }
    let server = Server::start(&data);
    let stored = stored(&mut server.connect(), "/fhir/r4", counts.keys().cloned());
    assert_eq!(
        stored["Patient"],
        2 * counts["Patient"],
        "POST makes new ones"
    );
    assert_eq!(stored["Location"], counts["Location"], "PUT does not");
    assert_eq!(stored["Organization"], 1, "ifNoneExist does not");
}

#[test]
fn faulty_lines_are_refused_alone_and_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("rooms.ndjson");
    let lines = "{\"resourceType\":\"Location\",\"id\":\"a\"}\n{\"resourceType\":\"Location\",\"nmae\":\"x\"}\nnonsense\n{\"resourceType\":\"Location\",\"id\":\"b\"}\n";
    std::fs::write(&files, lines).expect("written");
    let [data, rejected] = ["data", "rejects"].map(|it| folder.path().join(it));
    let arguments = [
        "load",
        files.to_str().expect("UTF-8"),
        "--data",
        data.to_str().expect("UTF-8"),
        "--rejects",
        rejected.to_str().expect("UTF-8"),
        "--json",
    ];
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&summary["resources"], &summary["refused"]),
        (&json!(2), &json!(2))
    );
    let text = std::fs::read_to_string(&rejected).expect("rejects");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains("`name`"),
        "the right name is suggested: {text}"
    );
}

fn start_load(files: &str, arguments: &[&str]) -> Child {
    isthmus()
        .args(["load", files])
        .args(arguments)
        .args(["--workers", "2", "--patience", "120"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs")
}

#[test]
fn loader_and_server_killed_at_random_leave_exact_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    let (counts, _) = own_files(&files);
    let files = files.to_str().expect("UTF-8");
    let data = folder.path().join("data");
    let mut random = Random::seeded("kills during a load");
    let mut server = Server::start(&data);
    let address = server.address.to_string();
    let url = server.base("/fhir/r4");
    let (mut loader_kills, mut server_kills, mut finished) = (0, 0, 0);
    while loader_kills < 10 || server_kills < 10 {
        let mut loader = start_load(files, &["--to", &url, "--rejects", "/dev/null"]);
        // tidy: sleep: the moment of the kill is random
        thread::sleep(Duration::from_millis(random.below(250)));
        if server_kills < 10 && random.below(2) == 0 {
            server.kill();
            server_kills += 1;
            server = Server::start_at(&data, &address);
        }
        // tidy: sleep: the moment of the kill is random
        thread::sleep(Duration::from_millis(random.below(150)));
        if loader_kills < 10 && loader.try_wait().expect("our child").is_none() {
            loader.kill().expect("our child");
            loader_kills += 1;
        }
        finished += u64::from(loader.wait().expect("our child").success());
    }
    succeed(&["load", files, "--to", &url]);
    finished += 1;
    let stored = stored(&mut server.connect(), "/fhir/r4", counts.keys().cloned());
    whole_runs(&stored, &counts, finished..=finished + loader_kills);
    assert_eq!((stored["Location"], stored["Organization"]), (500, 1));
    println!(
        "isthmus-suite: kills during a load: {} cases",
        loader_kills + server_kills
    );
}

#[test]
fn a_direct_load_killed_at_random_leaves_exact_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    let (counts, _) = own_files(&files);
    let files = files.to_str().expect("UTF-8");
    let data = folder.path().join("data");
    let data_text = data.to_str().expect("UTF-8");
    let mut random = Random::seeded("kills during a direct load");
    let (mut finished, kills) = (0, 10);
    for _ in 0..kills {
        let mut loader = start_load(files, &["--data", data_text]);
        // tidy: sleep: the moment of the kill is random
        thread::sleep(Duration::from_millis(random.below(400)));
        let _ = loader.kill();
        finished += u64::from(loader.wait().expect("our child").success());
    }
    succeed(&["load", files, "--data", data_text]);
    finished += 1;
    let server = Server::start(&data);
    let stored = stored(&mut server.connect(), "/fhir/r4", counts.keys().cloned());
    whole_runs(&stored, &counts, finished..=finished + kills);
}

/// What was stored is that of whole runs: those that ended, and perhaps some that were killed
/// between their end and that of their process.
fn whole_runs(stored: &Counts, counts: &Counts, runs: std::ops::RangeInclusive<u64>) {
    let number = stored["Patient"] / counts["Patient"];
    assert!(
        runs.contains(&number),
        "{number} runs are stored, not {runs:?}"
    );
    assert_eq!(stored["Patient"], counts["Patient"] * number);
    assert_eq!(stored["Observation"], counts["Observation"] * number);
}
