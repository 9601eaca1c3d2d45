//! The load generator of the benchmarks: drives the release binary as a client would, beside a
//! limit that does only the unavoidable work, and prints one table. Start it by
//! `cargo xtask bench [--runs N] [WORKLOAD…]`, which builds the binary first. Absolute figures
//! belong to one machine; ratios from one run are what counts.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to its user"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "figures of a benchmark have fewer digits than an f64 holds"
)]

mod bundles;
mod client;
mod convert;
mod crash;
mod harvest;
mod limit;
mod load;
mod machine;
mod mllp;
mod process;
mod read;
mod search;
mod start;
mod table;
mod turns;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use table::{Sample, Table};

/// How often each workload runs; the table shows the median, the lowest and the highest.
const RUNS_DEFAULT: usize = 3;

/// A workload by its number in the list of benchmarks.
struct Workload {
    id: &'static str,
    about: &'static str,
}

const WORKLOADS: &[Workload] = &[
    Workload {
        id: "W1",
        about: "transaction bundles over HTTP, 1, 4 and 16 clients",
    },
    Workload {
        id: "W3",
        about: "searches by name, address, date and category, 8 clients",
    },
    Workload {
        id: "W4",
        about: "thirty mixed searches by class, 8 clients",
    },
    Workload {
        id: "W6",
        about: "single reads, 1, 16 and 64 connections",
    },
    Workload {
        id: "W9",
        about: "start to first answer, idle memory",
    },
    Workload {
        id: "W10",
        about: "kill -9 while loading, restart, recount",
    },
    Workload {
        id: "M1",
        about: "HL7 v2 messages by MLLP, 1, 10 and 50 connections",
    },
    Workload {
        id: "C1",
        about: "HL7 v2 messages with our library",
    },
    Workload {
        id: "C2",
        about: "C-CDA and STU3 with templates of others, beside python-fhir-converter",
    },
    Workload {
        id: "C3",
        about: "HL7 v2 messages parsed only, beside hl7 and hl7apy",
    },
    Workload {
        id: "C4",
        about: "libraries of templates loaded",
    },
];

/// What every run needs.
struct Setup {
    /// The release binary of isthmus.
    binary: PathBuf,
    /// Where stores are created: on the disk of the build, not in memory.
    scratch: PathBuf,
}

impl Setup {
    fn new() -> Result<Setup> {
        let own = std::env::current_exe()?;
        let folder = own.parent().context("the program lies in a folder")?;
        let binary = folder.join("isthmus");
        if !binary.is_file() {
            bail!(
                "{} is not there: start by `cargo xtask bench`",
                binary.display()
            );
        }
        let scratch = folder.join("bench-data");
        std::fs::create_dir_all(&scratch)?;
        Ok(Setup { binary, scratch })
    }

    /// An empty folder that goes away when it is dropped.
    fn folder(&self) -> Result<TempDir> {
        tempfile::tempdir_in(&self.scratch).context("no place for a store")
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if let [mode, folder, address] = &arguments[..]
        && mode == limit::MODE
    {
        return runtime.block_on(limit::serve(Path::new(folder), address.parse()?));
    }
    if let [mode, rest @ ..] = &arguments[..]
        && mode == convert::MODE
    {
        return convert::serve(rest);
    }
    let (runs, chosen) = parse(&arguments)?;
    let setup = Setup::new()?;
    let mut table = Table::default();
    for run in 1..=runs {
        for workload in WORKLOADS.iter().filter(|it| chosen.contains(&it.id)) {
            eprintln!("run {run} of {runs}: {} {}", workload.id, workload.about);
            table.add(runtime.block_on(measure(workload, &setup, run))?);
        }
    }
    println!("{}\n\n{table}", machine::describe(&setup.scratch));
    Ok(())
}

/// The number of runs and the ids of the workloads, all of them if none is named.
fn parse(arguments: &[String]) -> Result<(usize, Vec<&'static str>)> {
    let (runs, names) = match arguments {
        [flag, number, names @ ..] if flag == "--runs" => (number.parse()?, names),
        names => (RUNS_DEFAULT, names),
    };
    let all = || WORKLOADS.iter().map(|it| it.id);
    let find = |name: &String| {
        let known = || all().collect::<Vec<_>>().join(", ");
        all()
            .find(|id| id == name)
            .with_context(|| format!("`{name}` is none of {}", known()))
    };
    let chosen: Vec<_> = names.iter().map(find).collect::<Result<_>>()?;
    Ok((
        runs,
        if chosen.is_empty() {
            all().collect()
        } else {
            chosen
        },
    ))
}

async fn measure(workload: &Workload, setup: &Setup, run: usize) -> Result<Vec<Sample>> {
    match workload.id {
        "W1" => load::measure(setup).await,
        "W3" => search::simple(setup).await,
        "W4" => search::mixed(setup).await,
        "W6" => read::measure(setup).await,
        "W9" => start::measure(setup).await,
        "M1" => mllp::measure(setup).await,
        id if id.starts_with('C') => convert::measure(setup, id),
        _ => crash::measure(setup, run).await,
    }
}
