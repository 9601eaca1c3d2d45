//! Pages of a server that is killed between any two of them, while resources change: what matched
//! at the first page and did not change is on exactly one page, in its order; nothing is on two.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::http::{Connection, next_page};
use e2e::process::Server;
use e2e::random::Random;
use serde_json::{Value, json};

const COUNT: u64 = 18;

/// A key of every kind, in both directions, and several.
const SORTS: &[&str] = &[
    "",
    "&_sort=-_lastUpdated",
    "&_sort=value-string",
    "&_sort=-date",
    "&_sort=value-quantity,-code",
    "&_sort=-subject,_id",
];

/// Stands for a patient's data: no token shows it.
const MARKER: &str = "Sonnenblume";

fn observation(id: &str, random: &mut Random) -> Value {
    let mut resource = json!({
        "resourceType": "Observation", "id": id, "status": "final",
        // No two contents are the same: every update is a change.
        "identifier": [{"value": random.next_u64().to_string()}],
        "code": {"coding": [{"system": "http://codes", "code": format!("c{}", random.below(3))}]},
        "subject": {"reference": format!("Patient/{MARKER}{}", random.below(4))},
    });
    match random.below(3) {
        0 => resource["valueString"] = format!("{MARKER} {}", random.below(4)).into(),
        1 => resource["valueQuantity"] = json!({"value": random.below(5), "unit": "kg"}),
        _ => {}
    }
    if random.below(3) > 0 {
        resource["effectiveDateTime"] =
            format!("202{}-0{}", random.below(4), 1 + random.below(9)).into();
    }
    resource
}

fn put(connection: &mut Connection, id: &str, random: &mut Random) {
    let path = format!("/fhir/r4/Observation/{id}");
    let answer = connection.send("PUT", &path, &observation(id, random).to_string());
    let status = answer.expect("an answer").status;
    assert!(matches!(status, 200 | 201), "{status}");
}

/// Creates, updates and deletes; gives the ids.
fn change(connection: &mut Connection, round: u64, random: &mut Random) -> Vec<String> {
    let created = format!("n{round}");
    // What is odd stays as it is.
    let [updated, deleted] = [(); 2].map(|()| format!("o{}", 2 * random.below(COUNT / 2)));
    put(connection, &created, random);
    put(connection, &updated, random);
    let mut changed = vec![created, updated];
    let path = format!("/fhir/r4/Observation/{deleted}");
    if connection.get(&path).expect("an answer").status == 200 {
        let answer = connection.send("DELETE", &path, "").expect("an answer");
        assert!(matches!(answer.status, 200 | 204), "{}", answer.text());
        changed.push(deleted);
    }
    changed
}

fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let ids = entries.filter_map(|it| it["resource"]["id"].as_str());
    ids.map(str::to_owned).collect()
}

fn get(connection: &mut Connection, path: &str) -> Value {
    let answer = connection.get(path).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The link of a relation, as a path.
fn link(bundle: &Value, relation: &str) -> String {
    let links = bundle["link"].as_array().into_iter().flatten();
    let mut urls = links.filter(|it| it["relation"] == *relation);
    let url = urls.next().and_then(|it| it["url"].as_str());
    let url = url.unwrap_or_else(|| panic!("no link `{relation}`"));
    let (_, path) = url.split_once("://").expect("an absolute URL");
    path[path.find('/').expect("a path")..].to_owned()
}

/// Pages through a sorted search, with changes and a kill between any two pages; gives the kills.
fn check(data: &Path, sort: &str, random: &mut Random) -> usize {
    let mut server = Server::start(data);
    let mut connection = server.connect();
    for place in 0..COUNT {
        put(&mut connection, &format!("o{place}"), random);
    }
    let query = format!("/fhir/r4/Observation?status=final{sort}");
    let before = ids(&get(&mut connection, &format!("{query}&_count=1000")));
    let first = get(&mut connection, &format!("{query}&_count=4"));
    let changes = link(&first, "version-history");
    let (mut seen, mut touched) = (ids(&first), BTreeSet::new());
    let (mut page, mut kills) = (first, 0);
    while let Some(next) = next_page(&page) {
        assert!(!next.contains(MARKER), "a token shows what was asked for");
        kills += 1;
        touched.extend(change(&mut connection, kills, random));
        let address = server.address.to_string();
        server.kill();
        server = Server::start_at(data, &address);
        connection = server.connect();
        page = get(&mut connection, &next);
        seen.extend(ids(&page));
    }
    let is_same = |it: &&String| !touched.contains(*it);
    let promised: Vec<&String> = before.iter().filter(is_same).collect();
    let kept: Vec<&String> = seen.iter().filter(|it| promised.contains(it)).collect();
    assert_eq!(kept, promised, "{sort}: what did not change");
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "{sort}: nothing twice in {seen:?}");
    assert!(
        seen.iter().all(|it| before.contains(it)),
        "{sort}: nothing newer"
    );
    let history = get(&mut connection, &format!("{changes}&_count=1000"));
    let entries = history["entry"].as_array().expect("entries").iter();
    let changed = entries.map(|it| {
        let url = it["fullUrl"].as_str().expect("a URL");
        url.rsplit('/').next().unwrap_or_default().to_owned()
    });
    assert_eq!(
        changed.collect::<BTreeSet<_>>(),
        touched,
        "{sort}: the link to what changed"
    );
    usize::try_from(kills).expect("few")
}

#[test]
fn pages_go_on_after_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = Random::seeded("pages and kill -9");
    let mut kills = 0;
    for (place, sort) in SORTS.iter().enumerate() {
        let data = folder.path().join(format!("data{place}"));
        kills += check(&data, sort, &mut random);
    }
    assert!(kills >= 2 * SORTS.len(), "too few pages: {kills}");
    println!("isthmus-suite: pages after kill -9: {kills} cases");
}
