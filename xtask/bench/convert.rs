//! C1 to C4: conversions, each converter a process of its own on one core: `bench convert TASK …`.
//! Peers are packages from PyPI, installed where the build lies; without them there are no ratios.
//!
//! A converter goes through its files until [`TURN`] of processor time is used, after one pass that is
//! not counted, and prints what it did: inputs, seconds of processor time, megabytes at the most.

use std::path::{Path, PathBuf};
use std::process::Command;

use ::convert::{Library, Processor, Settings, Sources};
use anyhow::{Context, Result, bail, ensure};
use fhir::Instant;

use crate::Setup;
use crate::bundles::data_folder;
use crate::process::{cpu_seconds, status_mb};
use crate::table::Sample;

/// The first argument that makes this program a converter.
pub(crate) const MODE: &str = "convert";

/// Processor time of a measurement.
const TURN: f64 = 3.0;

/// Loads of a library of which the median counts.
const LOADS: usize = 5;

/// What the peers are run by, and what they are.
const PEERS: &str = include_str!("peers/convert.py");
const PACKAGES: [&str; 3] = [
    "python-fhir-converter==0.3.0",
    "hl7==0.4.5",
    "hl7apy==1.3.5",
];

/// Templates of the peer, which we run, too.
const TEMPLATES: &str = "fhir_converter/templates";

const MESSAGES: &str = "15-hl7v2/ms-fhir-converter/samples";

/// A measurement, and the peers that do the same.
struct Task {
    workload: &'static str,
    what: &'static str,
    unit: &'static str,
    name: &'static str,
    inputs: &'static str,
    /// What the name of an input begins with.
    prefixes: &'static [&'static str],
    peers: &'static [&'static str],
}

const TASKS: &[Task] = &[
    Task {
        workload: "C1",
        what: "HL7 v2, our library: ADT, ORU",
        unit: "messages/s·core",
        name: "hl7v2",
        inputs: MESSAGES,
        prefixes: &["ADT", "ORU", "LAB-ORU"],
        peers: &[],
    },
    Task {
        workload: "C1",
        what: "HL7 v2, our library: all samples",
        unit: "messages/s·core",
        name: "hl7v2",
        inputs: MESSAGES,
        prefixes: &[""],
        peers: &[],
    },
    Task {
        workload: "C2",
        what: "C-CDA, templates of python-fhir-converter",
        unit: "documents/s·core",
        name: "ccda",
        inputs: "16-ccda",
        prefixes: &[""],
        peers: &["python-fhir-converter"],
    },
    Task {
        workload: "C2",
        what: "C-CDA, our library",
        unit: "documents/s·core",
        name: "ccda-ours",
        inputs: "16-ccda",
        prefixes: &[""],
        peers: &[],
    },
    Task {
        workload: "C2",
        what: "STU3, templates of python-fhir-converter",
        unit: "resources/s·core",
        name: "stu3",
        inputs: "15-hl7v2/ms-fhir-converter/stu3-to-r4/input",
        prefixes: &[""],
        peers: &["python-fhir-converter"],
    },
    Task {
        workload: "C3",
        what: "HL7 v2, parse only",
        unit: "messages/s·core",
        name: "parse",
        inputs: MESSAGES,
        prefixes: &[""],
        peers: &["hl7", "hl7apy"],
    },
];

/// The tasks of one workload.
pub(crate) fn measure(setup: &Setup, workload: &str) -> Result<Vec<Sample>> {
    let python = peers(setup)?;
    let python = python.as_deref();
    let mut samples = Vec::new();
    for task in TASKS.iter().filter(|it| it.workload == workload) {
        let files = task.files()?;
        let mut ours = Command::new(std::env::current_exe()?);
        ours.args([MODE, task.name, templates(python, task.name)]);
        let ours = run(ours.args(&files))?;
        let sample = |what: &str, unit, it| {
            Sample::new(task.workload, format!("{}{what}", task.what), unit, it)
        };
        samples.push(sample("", task.unit, ours.rate()));
        samples.push(sample(", CPU", "ms/input", 1e3 / ours.rate()));
        samples.push(sample(", peak memory", "MB", ours.megabytes));
        for peer in task.peers {
            let Some(python) = python else { continue };
            let mut theirs = Command::new(python.join("bin/python"));
            theirs.args(["-c", PEERS, peer, task.name]);
            let theirs = run(theirs.args(&files))?;
            let beside = |what: &str| format!(", beside {peer}{what}");
            samples.push(sample(&beside(""), task.unit, ours.rate()).beside(theirs.rate()));
            let megabytes = sample(&beside(", peak memory"), "MB", ours.megabytes);
            samples.push(megabytes.beside(theirs.megabytes));
        }
    }
    if workload == "C4" {
        samples.extend(cold_load(python)?);
    }
    Ok(samples)
}

/// The folder of templates that a task is run with; empty for our own.
fn templates<'p>(python: Option<&'p Path>, task: &str) -> &'p str {
    let package = match task {
        "ccda" | "stu3" => python,
        _ => None,
    };
    package.and_then(Path::to_str).unwrap_or_default()
}

impl Task {
    fn files(&self) -> Result<Vec<PathBuf>> {
        let folder = data_folder()?.join(self.inputs);
        let mut files = below(&folder)?;
        files.retain(|it| {
            let name = it
                .file_name()
                .and_then(|it| it.to_str())
                .unwrap_or_default();
            self.prefixes.iter().any(|prefix| name.starts_with(prefix)) && self.takes(it)
        });
        ensure!(!files.is_empty(), "{}: no inputs", folder.display());
        Ok(files)
    }

    /// Whether a file is an input: samples lie beside what is expected of them, and beside others.
    fn takes(&self, file: &Path) -> bool {
        let Ok(text) = std::fs::read_to_string(file) else {
            return false;
        };
        match self.name {
            "ccda" | "ccda-ours" => {
                text.contains("<ClinicalDocument") && text.contains("xmlns=\"urn:hl7-org:v3\"")
            }
            "stu3" => true,
            _ => {
                let library = ::convert::hl7v2_library();
                ::convert::root_of(&text, library)
                    .is_ok_and(|root| convert_once(library, &root, Processor::Hl7v2, &text).is_ok())
            }
        }
    }
}

/// The files below a folder.
fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            let list = if path.is_dir() { &mut open } else { &mut found };
            list.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Where the peers are installed, if they can be.
fn peers(setup: &Setup) -> Result<Option<PathBuf>> {
    let folder = setup.scratch.join("peers");
    let done = folder.join("installed");
    if done.is_file() {
        return Ok(Some(folder));
    }
    let venv = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .status();
    let install = || {
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "-q"]).args(PACKAGES);
        pip.status()
    };
    if venv.is_ok_and(|it| it.success()) && install().is_ok_and(|it| it.success()) {
        std::fs::write(done, "")?;
        return Ok(Some(folder));
    }
    eprintln!("the Python packages could not be installed: no peers");
    Ok(None)
}

/// What a converter did.
struct Done {
    inputs: f64,
    seconds: f64,
    megabytes: f64,
}

impl Done {
    fn rate(&self) -> f64 {
        self.inputs / self.seconds
    }
}

fn run(command: &mut Command) -> Result<Done> {
    let output = command.output().context("cannot start a converter")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "a converter failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let last = said.lines().last().unwrap_or_default();
    let numbers: Vec<f64> = last.split(' ').filter_map(|it| it.parse().ok()).collect();
    let [inputs, seconds, megabytes] = numbers[..] else {
        bail!("a converter printed `{last}` instead of three numbers");
    };
    Ok(Done {
        inputs,
        seconds,
        megabytes,
    })
}

/// From files to a library that can convert, for the largest library there is.
fn cold_load(python: Option<&Path>) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for name in ["ccda", "stu3"] {
        let Some(folder) = library_folder(templates(python, name), name)? else {
            continue;
        };
        let mut seconds: Vec<f64> = Vec::new();
        let mut count = 0;
        for _ in 0..LOADS {
            let began = std::time::Instant::now();
            count = Library::load(&sources(&folder)?).template_count();
            seconds.push(began.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let what = format!("cold load of {count} templates");
        samples.push(Sample::new("C4", what, "ms", seconds[LOADS / 2] * 1e3));
    }
    Ok(samples)
}

/// Where the templates of a package lie.
fn library_folder(python: &str, name: &str) -> Result<Option<PathBuf>> {
    if python.is_empty() {
        return Ok(None);
    }
    let found = below(&Path::new(python).join("lib"))?
        .into_iter()
        .find_map(|it| {
            let folder = it.ancestors().find(|it| it.ends_with(TEMPLATES))?;
            Some(folder.join(name))
        });
    Ok(found)
}

fn sources(folder: &Path) -> Result<Sources> {
    let mut files = Vec::new();
    for path in below(folder)? {
        // Beside the templates lie parts of the package.
        if path.extension().is_some_and(|it| it == "py" || it == "pyc") {
            continue;
        }
        let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
        files.push((name, std::fs::read_to_string(&path)?));
    }
    Ok(Sources { files })
}

/// `bench convert TASK PYTHON FILE…`.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let [task, python, files @ ..] = arguments else {
        bail!("a task, a folder and files are wanted");
    };
    let texts = files.iter().map(std::fs::read_to_string);
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    let loaded = match library_folder(python, task)? {
        Some(folder) => Some(Library::load(&sources(&folder)?)),
        None if matches!(task.as_str(), "hl7v2" | "parse") => None,
        None if task == "ccda-ours" => {
            let own = ::convert::own::sources("ccda").context("our library is there")?;
            Some(Library::load(&own))
        }
        None => bail!("there are no templates for {task}"),
    };
    let library = loaded.as_ref().unwrap_or(::convert::hl7v2_library());
    let pass = || -> Result<()> {
        for text in &texts {
            if task == "parse" {
                std::hint::black_box(::convert::hl7v2::segment_count(text)?);
                continue;
            }
            let (root, processor) = route(task, library, text)?;
            convert_once(library, &root, processor, text)?;
        }
        Ok(())
    };
    pass()?;
    let (began, mut count) = (cpu_seconds(std::process::id())?, 0);
    let mut seconds = 0.0;
    while seconds < TURN {
        pass()?;
        count += texts.len();
        seconds = cpu_seconds(std::process::id())? - began;
    }
    let megabytes = status_mb(std::process::id(), "VmHWM:")?;
    println!("{count} {seconds} {megabytes}");
    Ok(())
}

/// The template and the processor of an input.
fn route(task: &str, library: &Library, text: &str) -> Result<(String, Processor)> {
    Ok(match task {
        "ccda" | "ccda-ours" => ("CCD".to_owned(), Processor::Ccda),
        "stu3" => {
            let json: serde_json::Value = serde_json::from_str(text)?;
            let root = json["resourceType"].as_str().context("no resourceType")?;
            (root.to_owned(), Processor::Fhir)
        }
        _ => (::convert::root_of(text, library)?, Processor::Hl7v2),
    })
}

fn convert_once(library: &Library, root: &str, processor: Processor, text: &str) -> Result<()> {
    let now = Instant::parse("2026-11-30T00:00:00Z").context("the time of all conversions")?;
    let never = || false;
    let output = library.convert(root, processor, text, &Settings::new(now, &never))?;
    std::hint::black_box(output);
    Ok(())
}
