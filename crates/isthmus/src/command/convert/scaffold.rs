//! `isthmus convert new DIR`: a library that lies over another, so that one template can be changed
//! without a copy of the others.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use convert::{Sources, own};

use super::{folder, path, sources};
use crate::command::print;

pub(super) fn arguments() -> Command {
    Command::new("new")
        .about("Begin a library that lies over another and changes some of its templates")
        .arg(folder("library").required(true))
        .arg(
            Arg::new("base")
                .long("base")
                .value_name("NAME or PATH")
                .required(true)
                .help(format!(
                    "one of ours ({}), or a path seen from the new library",
                    own::names().collect::<Vec<_>>().join(", ")
                )),
        )
        .arg(
            Arg::new("change")
                .long("change")
                .value_name("TEMPLATE")
                .action(ArgAction::Append)
                .help("copy this template of the base, to be changed (may be repeated)"),
        )
}

/// Writes the folder.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<u8> {
    let target = path(arguments, "library").expect("required");
    let base = arguments.get_one::<String>("base").expect("required");
    let is_new = fs::read_dir(target).map_or(true, |mut it| it.next().is_none());
    anyhow::ensure!(is_new, "{}: the folder is not empty", target.display());
    fs::create_dir_all(target.join("tests"))?;
    let layers = sources::base(target, base)?;
    let changed = arguments.get_many::<String>("change");
    for name in changed.into_iter().flatten() {
        copy(&layers, name, target)?;
    }
    let metadata = serde_json::json!({ "base": base });
    write(target, "metadata.json", &format!("{metadata:#}\n"))?;
    write(target, "README.md", README)?;
    print(&format!("{}: lies over `{base}`", target.display()));
    Ok(crate::DONE)
}

const README: &str = "# A library over another

A template here replaces the one of its name in the base that `metadata.json` names; maps of codes
(`CodeSystem/CodeSystem.json`, `ValueSet/ValueSet.json`) add to those of the base, code by code.

- `isthmus convert check .` shows what is wrong, and templates that replace nothing.
- `tests/TEMPLATE/name.hl7` and `name.expected.json` are a case; `isthmus convert test .` runs all,
  with `--update` it writes what is expected.
- `isthmus convert library push . --name NAME` uploads it.
";

fn copy(layers: &[Sources], name: &str, target: &Path) -> anyhow::Result<()> {
    let partial = match name.rsplit_once('/') {
        Some((folder, last)) => format!("{folder}/_{last}.liquid"),
        None => format!("_{name}.liquid"),
    };
    let candidates = [partial, format!("{name}.liquid")];
    let find = |path: &String| {
        let mut upper_first = layers.iter().rev();
        upper_first.find_map(|it| Some((path.clone(), it.file(path)?)))
    };
    let found = candidates.iter().find_map(find);
    let (path, text) = found.with_context(|| {
        let all = layers.iter().flat_map(|it| &it.files);
        let names = all.filter_map(|(path, _)| path.strip_suffix(".liquid"));
        let nearest = fhir::suggest::nearest(name, names);
        let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
        format!("the base has no template `{name}`{hint}")
    })?;
    write(target, &path, text)
}

fn write(target: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path: PathBuf = target.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::run as run_new;
    use super::*;

    #[test]
    fn a_new_library_changes_one_template_of_its_base() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("base");
        write(&base, "metadata.json", r#"{"type":"json"}"#).unwrap();
        write(&base, "R.liquid", "{% include 'S/A' %}").unwrap();
        write(&base, "S/_A.liquid", "{}").unwrap();
        let new = folder.path().join("new");
        let run = |change: &str| {
            let line = [
                "new",
                new.to_str().unwrap(),
                "--base",
                "../base",
                "--change",
                change,
            ];
            run_new(&arguments().try_get_matches_from(line).unwrap())
        };
        let error = run("S/B").unwrap_err().to_string();
        assert!(error.contains("no template `S/B`"), "{error}");
        fs::remove_dir_all(&new).unwrap();
        assert_eq!(run("S/A").unwrap(), crate::DONE);
        assert!(run("S/A").is_err(), "the folder is not empty");
        let library = crate::command::convert::load(&new).unwrap();
        assert_eq!((library.template_count(), library.check().len()), (2, 0));
    }
}
