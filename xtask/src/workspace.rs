//! Where things lie: the root of the repository, its text files, the data sets, and what
//! `cargo metadata` knows. Reads only; judges nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Folders that hold nothing of ours: build results, version control, a server's data.
const FOREIGN_FOLDERS: &[&str] = &["target", ".git", "isthmus-data"];

/// The root of the repository; xtask is compiled inside it.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask lies one level below the root")
        .to_path_buf()
}

/// The cargo that started us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Where tests look for data sets: `$ISTHMUS_DATA`, else `isthmus-data` in the user's cache.
pub(crate) fn data_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    let cache = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    set("ISTHMUS_DATA").or_else(|| Some(cache()?.join("isthmus-data")))
}

/// A text file of the repository. The path is relative to the root, with `/` between its parts.
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All Rust and Markdown files below `root`, sorted by path.
pub(crate) fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !FOREIGN_FOLDERS.contains(&name.as_str()) {
                    folders.push(entry.path());
                }
            } else if matches!(name.rsplit_once('.'), Some((_, "rs" | "md"))) {
                files.push(read(root, &entry.path())?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read(root: &Path, file: &Path) -> Result<TextFile> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let relative = file
        .strip_prefix(root)
        .expect("the walk starts at the root");
    Ok(TextFile {
        path: relative.to_string_lossy().replace('\\', "/"),
        text,
    })
}

/// What cargo knows of our crates and of everything they are built from on this platform.
pub(crate) struct Metadata {
    pub(crate) members: Vec<Member>,
    /// What `cargo run` starts.
    pub(crate) default_runs: Vec<String>,
    pub(crate) built: Vec<Built>,
}

/// A crate of this workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line of a `Cargo.toml`.
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether only tests are built with it.
    pub(crate) for_tests: bool,
}

/// A version of a crate that is compiled, ours or not.
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; empty if it has none.
    pub(crate) licence: String,
}

/// Asks cargo. What is built comes from `cargo tree`: the graph of `cargo metadata` also holds
/// optional crates that nobody switched on.
pub(crate) fn metadata() -> Result<Metadata> {
    let declared = ask(&["metadata", "--format-version", "1", "--no-deps"])?;
    let declared: Value = serde_json::from_str(&declared)?;
    let members = parse_members(&declared).context("cargo metadata answered in an unknown form")?;
    let whole = ["tree", "--workspace", "--features", "xtask/bench"];
    let built = ask(&[&whole[..], &["--prefix", "none", "--format", "{p}|{l}|"]].concat())?;
    let packages = declared["packages"].as_array().into_iter().flatten();
    let default_runs = packages.filter_map(|it| it["default_run"].as_str());
    Ok(Metadata {
        members,
        default_runs: default_runs.map(str::to_owned).collect(),
        built: parse_built(&built),
    })
}

fn ask(arguments: &[&str]) -> Result<String> {
    let output = cargo()
        .args(arguments)
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        let fault = String::from_utf8_lossy(&output.stderr);
        bail!("cargo {}: {}", arguments[0], fault.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn parse_members(metadata: &Value) -> Option<Vec<Member>> {
    metadata["packages"]
        .as_array()?
        .iter()
        .map(parse_member)
        .collect()
}

fn parse_member(package: &Value) -> Option<Member> {
    let dependency = |it: &Value| {
        let name = it["name"].as_str()?.to_owned();
        Some(Dependency {
            name,
            for_tests: it["kind"] == "dev",
        })
    };
    let listed = package["dependencies"].as_array()?;
    let dependencies = listed.iter().map(dependency).collect::<Option<_>>()?;
    Some(Member {
        name: package["name"].as_str()?.to_owned(),
        dependencies,
    })
}

/// Reads lines such as `syn v2.0.1 (proc-macro)|MIT OR Apache-2.0|`, each crate once.
fn parse_built(tree: &str) -> Vec<Built> {
    let mut lines: Vec<(&str, &str, &str)> = tree.lines().filter_map(parse_built_line).collect();
    lines.sort_unstable();
    lines.dedup();
    let built = |(name, version, licence): (&str, &str, &str)| Built {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: licence.to_owned(),
    };
    lines.into_iter().map(built).collect()
}

fn parse_built_line(line: &str) -> Option<(&str, &str, &str)> {
    let (package, licence) = line.split_once('|')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?);
    Some((name, version.strip_prefix('v')?, licence.split('|').next()?))
}

#[cfg(test)]
mod tests {
    use super::parse_built;

    #[test]
    fn each_version_is_listed_once() {
        let tree = "a v0.1.0 (/x/a)|Apache-2.0|\nsyn v2.0.1 (proc-macro)|MIT OR Apache-2.0|\n\n\
            syn v2.0.1 (proc-macro)|MIT OR Apache-2.0| (*)\nsyn v3.0.0|| (*)\n";
        let built = parse_built(tree);
        let found: Vec<_> = built
            .iter()
            .map(|it| format!("{} {} {}", it.name, it.version, it.licence))
            .collect();
        assert_eq!(
            found,
            [
                "a 0.1.0 Apache-2.0",
                "syn 2.0.1 MIT OR Apache-2.0",
                "syn 3.0.0 "
            ]
        );
    }
}
