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
    pub(crate) packages: Vec<Package>,
}

/// One crate, ours or a dependency.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    /// Whether it belongs to this workspace.
    pub(crate) ours: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line of a `Cargo.toml`.
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether only tests are built with it.
    pub(crate) for_tests: bool,
}

/// Asks cargo, for the platform we run on: crates that only other platforms use are not shipped.
pub(crate) fn metadata() -> Result<Metadata> {
    let host = host_platform()?;
    let mut command = cargo();
    command.args([
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        &host,
    ]);
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let value: Value = serde_json::from_slice(&output.stdout)?;
    parse_metadata(&value).context("cargo metadata answered in an unknown form")
}

fn host_platform() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("cannot start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

fn parse_metadata(value: &Value) -> Option<Metadata> {
    let members = value["workspace_members"].as_array()?;
    // Packages of other platforms are listed too; only the resolved graph is ours.
    let nodes = value["resolve"]["nodes"].as_array()?;
    let used: Vec<&Value> = nodes.iter().map(|node| &node["id"]).collect();
    let listed = value["packages"].as_array()?.iter();
    let packages = listed
        .filter(|package| used.contains(&&package["id"]))
        .map(|package| parse_package(package, members))
        .collect::<Option<_>>()?;
    Some(Metadata { packages })
}

fn parse_package(package: &Value, members: &[Value]) -> Option<Package> {
    let dependency = |it: &Value| {
        let name = it["name"].as_str()?.to_owned();
        Some(Dependency {
            name,
            for_tests: it["kind"] == "dev",
        })
    };
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        version: package["version"].as_str()?.to_owned(),
        licence: package["license"].as_str().map(str::to_owned),
        ours: members.contains(&package["id"]),
        dependencies: package["dependencies"]
            .as_array()?
            .iter()
            .map(dependency)
            .collect::<Option<_>>()?,
    })
}
