//! `cargo xtask codegen`: makes the definition tables of `fhir` from the official packages.
//!
//! The packages are fetched with the `npm` client, or taken from a folder
//! (`--from DIR`, packed or unpacked); the tables are the same either way. Their form is defined
//! in `fhir::definitions::table`. The tables of units are made beside them, where their source is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use fhir::FhirVersion;

mod codes;
mod input;
mod operations;
mod provenance;
mod search;
mod sheet;
mod terminology;
mod types;
mod ucum;

use input::Input;
use sheet::Written;

/// Makes the tables of all versions.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let folder = match arguments {
        [] => None,
        [flag, folder] if flag == "--from" => Some(Path::new(folder)),
        _ => bail!("usage: cargo xtask codegen [--from DIR]"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let scratch = std::env::temp_dir().join(format!("isthmus-codegen-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let done = FhirVersion::ALL
        .into_iter()
        .try_for_each(|version| write(version, &root, &Input::load(version, folder, &scratch)?));
    fs::remove_dir_all(&scratch)?;
    done.and_then(|()| ucum::write(&root, folder))?;
    Ok(ExitCode::SUCCESS)
}

fn write(version: FhirVersion, root: &Path, input: &Input) -> Result<()> {
    let mut tables = tables(input)?;
    let source = provenance::source(version, &tables, root)?;
    tables.push(source);
    let folder: PathBuf = root.join("crates/fhir/data").join(version.slug());
    fs::create_dir_all(&folder)?;
    for table in tables {
        fs::write(folder.join(table.file), &table.text)?;
        println!("{version} {}: {} rows", table.file, table.rows);
    }
    Ok(())
}

fn tables(input: &Input) -> Result<Vec<Written>> {
    let types::Structures {
        mut tables,
        required,
    } = types::tables(input)?;
    tables.extend(codes::tables(input, &required)?);
    tables.extend(terminology::tables(input, &required)?);
    tables.extend(search::parameters(input)?);
    tables.push(search::compartments(input)?);
    tables.extend(operations::tables(input)?);
    Ok(tables)
}
