//! W3 and W4: searches with values that occur in the store, beside a limit that has every answer in
//! memory. W3 is simple searches, W4 mixed ones, measured class by class.

use anyhow::Result;

use crate::Setup;
use crate::harvest::Harvest;
use crate::limit;
use crate::load::{BASE, Loaded};
use crate::table::Sample;
use crate::turns::{Pair, Shown, answers};

const CLIENTS: usize = 8;

/// How often each template of W3 and W4 is filled in, each time with other values.
const SIMPLE_FILLED: usize = 200;
const MIXED_FILLED: usize = 40;

const SIMPLE_TURNS: usize = 10;
const MIXED_TURNS: usize = 3;

/// A search, with placeholders, and the class in which it is shown.
type Template = (&'static str, &'static str);

/// `{part-of-…}` is some letters of it, `{prefix}` a comparator.
const SIMPLE: &[Template] = &[
    ("name", "Patient?name={family}&_count=20"),
    ("name", "Patient?name={given}&_count=20"),
    (
        "name:contains",
        "Patient?name:contains={part-of-family}&_count=20",
    ),
    ("address", "Patient?address={city}&_count=20"),
    (
        "address:contains",
        "Patient?address:contains={part-of-city}&_count=20",
    ),
    (
        "Organization name",
        "Organization?name={organization}&_count=20",
    ),
    (
        "birthdate",
        "Patient?birthdate={prefix}{birthdate}&_count=20",
    ),
    (
        "Observation date",
        "Observation?date={prefix}{observed}&_count=20",
    ),
    (
        "Encounter date",
        "Encounter?date={prefix}{encountered}&_count=20",
    ),
    ("category", "Observation?category={category}&_count=20"),
    (
        "category",
        "Observation?category={category-system}%7C{category}&_count=20",
    ),
];

const MIXED: &[Template] = &[
    (
        "chains",
        "Observation?subject:Patient.family={family}&_count=20",
    ),
    (
        "chains",
        "Encounter?patient.birthdate=ge{birthdate}&_count=20",
    ),
    (
        "chains",
        "Observation?encounter.service-provider.name={organization}&_count=20",
    ),
    (
        "_has",
        "Patient?_has:Observation:patient:code={code}&_count=20",
    ),
    (
        "_has",
        "Patient?_has:Condition:patient:code={condition}&_count=20",
    ),
    (
        "_has",
        "Patient?_has:Observation:patient:_has:DiagnosticReport:result:code={report}&_count=20",
    ),
    (
        "_include",
        "Observation?code={code}&_include=Observation:patient&_include=Observation:encounter&_count=20",
    ),
    (
        "_include",
        "MedicationRequest?code={medication}&_include=MedicationRequest:encounter&_include:iterate=Encounter:service-provider&_count=20",
    ),
    (
        "_revinclude",
        "Patient?family={family}&_revinclude=Condition:patient&_count=5",
    ),
    (
        "_revinclude",
        "Encounter?date={encountered}&_revinclude=Observation:encounter&_count=10",
    ),
    ("sorts", "Patient?_sort=-birthdate,family&_count=20"),
    ("sorts", "Observation?code={code}&_sort=-date&_count=20"),
    ("sorts", "Encounter?_sort=status,-date&_count=20"),
    (
        "sorts",
        "Observation?patient={patient}&_sort=code,-date&_count=20",
    ),
    ("compartments", "Patient/{patient}/Observation?_count=20"),
    (
        "compartments",
        "Patient/{patient}/Condition?clinical-status=active&_count=20",
    ),
    ("compartments", "Patient/{patient}/*?_count=20"),
    (
        "composites",
        "Observation?code-value-quantity=http%3A%2F%2Floinc.org%7C{code}$gt10&_count=20",
    ),
    (
        "composites",
        "Observation?component-code-value-quantity=8480-6$gt120&_count=20",
    ),
    (
        "value sets",
        "Observation?category:in=http%3A%2F%2Fhl7.org%2Ffhir%2FValueSet%2Fobservation-category&_count=20",
    ),
    (
        "value sets",
        "Condition?clinical-status:in=http%3A%2F%2Fhl7.org%2Ffhir%2FValueSet%2Fcondition-clinical&patient={patient}&_count=20",
    ),
    (":missing", "Patient?death-date:missing=false&_count=20"),
    (
        ":missing",
        "Observation?value-concept:missing=true&code={code}&_count=20",
    ),
    (":not", "Encounter?class:not=AMB&_count=20"),
    (":not", "Observation?status:not=final&_count=20"),
    (
        "token and date",
        "Observation?patient={patient}&code={code}&date=ge{observed}&_sort=-date&_count=10",
    ),
    (
        "token and date",
        "Observation?category={category}&date=lt{observed}&_sort=-date&_count=20",
    ),
    (
        "totals",
        "Observation?code={code}&date=ge{observed}&_summary=count",
    ),
    (
        "totals",
        "Condition?code={condition}&_total=accurate&_count=20",
    ),
    ("all types", "?_lastUpdated=gt2020-01-01&_count=20"),
];

/// Comparators of dates.
const PREFIXES: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// W3.
pub(crate) async fn simple(setup: &Setup) -> Result<Vec<Sample>> {
    let store = Loaded::new(setup).await?;
    let harvest = Harvest::of(store.server.address).await?;
    let mut paths = Vec::new();
    for number in 0..SIMPLE_FILLED {
        for (_, template) in SIMPLE {
            paths.push(filled(&harvest, template, number)?);
        }
    }
    let paths = vec![("search".to_owned(), paths)];
    compare(&store, "W3", paths, SIMPLE_TURNS).await
}

/// W4.
pub(crate) async fn mixed(setup: &Setup) -> Result<Vec<Sample>> {
    let store = Loaded::new(setup).await?;
    let harvest = Harvest::of(store.server.address).await?;
    let mut classes: Vec<(String, Vec<String>)> = vec![("all classes".to_owned(), Vec::new())];
    for (class, template) in MIXED {
        if classes.last().is_none_or(|(last, _)| last != class) {
            classes.push(((*class).to_owned(), Vec::new()));
        }
        for number in 0..MIXED_FILLED {
            let path = filled(&harvest, template, number)?;
            classes[0].1.push(path.clone());
            classes.last_mut().expect("one was pushed").1.push(path);
        }
    }
    for (_, paths) in &mut classes {
        shuffle(paths);
    }
    compare(&store, "W4", classes, MIXED_TURNS).await
}

/// Each class of paths for itself.
async fn compare(
    store: &Loaded,
    workload: &'static str,
    classes: Vec<(String, Vec<String>)>,
    turns: usize,
) -> Result<Vec<Sample>> {
    let mut all: Vec<String> = classes
        .iter()
        .flat_map(|(_, paths)| paths.clone())
        .collect();
    all.sort_unstable();
    all.dedup();
    let pages = answers(store.server.address, all).await?;
    let limit = limit::start(&store.folder.path().join("limit"), &pages).await?;
    let pair = Pair {
        ours: &store.server,
        limit: &limit,
    };
    let mut samples = Vec::new();
    for (what, paths) in classes {
        let shown = Shown {
            workload,
            what,
            clients: format!(", {CLIENTS} clients"),
        };
        samples.extend(pair.compare(&paths.into(), CLIENTS, turns, &shown).await?);
    }
    let memory = store.server.memory_peak_mb()?;
    samples.push(Sample::new(
        workload,
        "peak memory".to_owned(),
        "MB",
        memory,
    ));
    Ok(samples)
}

/// The path of a template, filled in for that time.
fn filled(harvest: &Harvest, template: &str, number: usize) -> Result<String> {
    let mut random = Random(number as u64);
    let mut template = template.replace("{prefix}", PREFIXES[random.below(PREFIXES.len())]);
    for name in ["family", "city"] {
        let place = format!("{{part-of-{name}}}");
        if template.contains(&place) {
            let values = harvest.values(name)?;
            let value = &values[random.below(values.len())];
            template = template.replace(&place, &part(value, &mut random));
        }
    }
    // Each placeholder with values that have nothing to do with each other.
    Ok(format!(
        "{BASE}/{}",
        harvest.fill(&template, random.below(1 << 20))?
    ))
}

/// Three letters of the middle, or what there is.
fn part(value: &str, random: &mut Random) -> String {
    let letters: Vec<char> = value.chars().filter(char::is_ascii_alphabetic).collect();
    let from = random.below(letters.len().saturating_sub(3) + 1);
    letters.into_iter().skip(from).take(3).collect()
}

fn shuffle(paths: &mut [String]) {
    let mut random = Random(1);
    for at in (1..paths.len()).rev() {
        paths.swap(at, random.below(at + 1));
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = usize::try_from((mixed ^ (mixed >> 31)) >> 1).expect("63 bits");
        mixed % end.max(1)
    }
}
