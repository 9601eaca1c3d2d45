//! `cargo xtask library --from DIR`: makes the segments and code maps of our library of templates for
//! HL7 v2 from the mapping tables of HL7's v2-to-FHIR guide (CSV files), and a list of what became of
//! each of their rows; and the code maps of the library that writes HL7 v2. Data types, groups and
//! roots are written by hand, and so are the deviations.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

mod attribute;
mod codes;
mod condition;
mod csv;
mod row;
mod template;
mod tree;
mod types;

use row::{Deviations, Row};

/// Where the library is.
const LIBRARY: &str = "crates/convert/templates/hl7v2";
/// Where its hand-written deviations and the list of rows are.
const TABLES: &str = "crates/convert/templates";

/// The library that writes HL7 v2, which has the maps of codes turned round.
const BACK: &str = "crates/convert/templates/fhir-to-hl7v2";

/// The list of its files that is compiled into the program.
const LISTING: &str = "crates/convert/src/generated.rs";

/// Makes what is generated of the library.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let [flag, folder] = arguments else {
        bail!("usage: cargo xtask library --from DIR, the folder of the guide's mapping tables");
    };
    anyhow::ensure!(flag == "--from", "usage: cargo xtask library --from DIR");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let made = make(Path::new(folder), &root)?;
    let segments = root.join(LIBRARY).join("Segment");
    if segments.is_dir() {
        fs::remove_dir_all(&segments)?;
    }
    for (path, text) in &made {
        let path = root.join(path);
        fs::create_dir_all(path.parent().context("every file has a folder")?)?;
        fs::write(path, text)?;
    }
    let list = listing(&root.join(LIBRARY))?;
    fs::write(root.join(LISTING), list)?;
    println!("{} files", made.len());
    Ok(ExitCode::SUCCESS)
}

/// The list of all files of the library, for the compiler.
fn listing(library: &Path) -> Result<String> {
    let mut paths = Vec::new();
    let mut open = vec![library.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let path = path.strip_prefix(library)?;
                paths.push(path.to_string_lossy().into_owned());
            }
        }
    }
    paths.sort();
    let mut text = String::from(
        "//! The files of our libraries of templates, listed by `cargo xtask library`.\n\n\
         /// The library for HL7 v2: paths and texts.\n#[rustfmt::skip]\n\
         pub(crate) static HL7V2: &[(&str, &str)] = &[\n",
    );
    text.extend(
        paths.iter().map(|path| {
            format!("    (\"{path}\", include_str!(\"../templates/hl7v2/{path}\")),\n")
        }),
    );
    text.push_str("];\n");
    Ok(text)
}

/// Every file, by its path.
fn make(folder: &Path, root: &Path) -> Result<BTreeMap<String, String>> {
    let tables = root.join(TABLES);
    let deviations = Deviations::read(&fs::read_to_string(tables.join("deviations.tsv"))?)?;
    let partials = partials(&root.join(LIBRARY))?;
    let maps = codes::read(&folder.join("codesystems"), &tables.join("codes.json"))?;
    let mut made = BTreeMap::new();
    let mut listed =
        String::from("map\tfield\tname\ttype\trepeats\tattribute\tcondition\tvocabulary\tresult\n");
    for (map, rows) in segments(&folder.join("segments"))? {
        let rows: Vec<Row> = rows.into_iter().map(|it| deviations.apply(it)).collect();
        let written = template::write(&map, rows, &partials, &maps);
        for line in &written.rows {
            listed.push_str(line);
            listed.push('\n');
        }
        let file = format!("{LIBRARY}/Segment/_{}.liquid", template::file(&map));
        if !written.text.is_empty() {
            made.insert(file, written.text);
        }
    }
    made.insert(format!("{TABLES}/rows.tsv"), listed);
    made.insert(
        format!("{TABLES}/types.tsv"),
        types::types(
            &folder.join("datatypes"),
            &tables.join("type-deviations.tsv"),
        )?,
    );
    made.insert(
        format!("{TABLES}/messages.tsv"),
        types::messages(
            &folder.join("messages"),
            &tables.join("message-deviations.tsv"),
        )?,
    );
    made.insert(
        format!("{LIBRARY}/CodeSystem/CodeSystem.json"),
        codes::write(&maps)?,
    );
    let back = codes::inverted(
        &folder.join("codesystems"),
        &maps,
        &tables.join("codes-back.json"),
    )?;
    made.insert(
        format!("{BACK}/CodeSystem/CodeSystem.json"),
        codes::write(&codes::used(back, &root.join(BACK))?)?,
    );
    Ok(made)
}

/// The tables of segments, by their names: `PID[Patient]`.
fn segments(folder: &Path) -> Result<BTreeMap<String, Vec<Row>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
        let Some((_, name)) = name.split_once("FHIR R4_ ") else {
            continue;
        };
        let map = name.split(" - ").next().unwrap_or(name).to_owned();
        let rows = Row::read(&map, &csv::read(&fs::read_to_string(&path)?))?;
        found.insert(map, rows);
    }
    Ok(found)
}

/// The names of the partials written by hand: `DataType/CX_Identifier`.
fn partials(library: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["DataType", "Resource"] {
        for entry in fs::read_dir(library.join(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let name = name.trim_start_matches('_').trim_end_matches(".liquid");
            found.push(format!("{folder}/{name}"));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    /// Where the guide's tables lie, if they are there.
    fn guide() -> Option<std::path::PathBuf> {
        let variable = |name: &str| env::var_os(name).map(std::path::PathBuf::from);
        let cache =
            || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        let data = variable("ISTHMUS_DATA").or_else(|| Some(cache()?.join("isthmus-data")))?;
        let folder = data.join("15-hl7v2/hl7-v2-to-fhir-ig/mappings");
        folder.is_dir().then_some(folder)
    }

    #[test]
    fn what_is_generated_is_up_to_date() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        assert_eq!(
            read(LISTING),
            listing(&root.join(LIBRARY)).unwrap(),
            "{LISTING}"
        );
        let Some(folder) = guide() else {
            println!("isthmus-skipped: library: the guide's tables are not there");
            return;
        };
        let made = make(&folder, &root).unwrap();
        let stale: Vec<&String> = made
            .iter()
            .filter(|(path, text)| read(path) != **text)
            .map(|it| it.0)
            .collect();
        assert!(stale.is_empty(), "run `cargo xtask library`: {stale:?}");
    }
}
