//! The official packages: fetched or taken from a folder, checked against their checksums,
//! unpacked and read. Only the facts of a resource are of interest; what it says of them is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use fhir::FhirVersion;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A package that tables are made from.
pub(super) struct Package {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// SHA-256 of the packed archive.
    pub(super) sha256: &'static str,
    /// Where a folder of unpacked data has the same content.
    unpacked: &'static str,
}

/// The two packages of a version: the definitions, and the expanded value sets.
pub(super) fn packages(version: FhirVersion) -> [Package; 2] {
    match version {
        FhirVersion::R4 => [
            Package {
                name: "hl7.fhir.r4.examples",
                version: "4.0.1",
                sha256: "dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682",
                unpacked: "01-fhir-r4-definitions/core",
            },
            Package {
                name: "hl7.fhir.r4.expansions",
                version: "4.0.1",
                sha256: "18b2b00a6e26328bdbe4b2e273de5be32dfce21be37e0f582d18882bbce24e69",
                unpacked: "01-fhir-r4-definitions/expansions",
            },
        ],
        FhirVersion::Stu3 => [
            Package {
                name: "hl7.fhir.r3.examples",
                version: "3.0.2",
                sha256: "ebe6e5220a6aff2da952f3bc0fe1c83122d38dde2de0ae020a0337b45824ba78",
                unpacked: "02-fhir-stu3-definitions/core",
            },
            Package {
                name: "hl7.fhir.r3.expansions",
                version: "3.0.2",
                sha256: "4c5bbe5fe4467a6053367b0a59f433a1259f8013645cb14837f9ac85223c30e6",
                unpacked: "02-fhir-stu3-definitions/expansions",
            },
        ],
    }
}

/// The resources of a version's two packages that tables are made from, by type and file name.
pub(super) struct Input {
    definitions: BTreeMap<String, Value>,
    expansions: BTreeMap<String, Value>,
}

impl Input {
    /// Reads a version's packages from `folder` (packed or unpacked), or fetches them into
    /// `scratch`.
    pub(super) fn load(
        version: FhirVersion,
        folder: Option<&Path>,
        scratch: &Path,
    ) -> Result<Self> {
        let [definitions, expansions] = packages(version);
        let read = |package: &Package| read_folder(&locate(package, folder, scratch)?);
        Ok(Self {
            definitions: read(&definitions)?,
            expansions: read(&expansions)?,
        })
    }

    /// The definitions of a type, ordered by file name.
    pub(super) fn all<'i>(
        &'i self,
        resource_type: &'i str,
    ) -> impl Iterator<Item = &'i Value> + 'i {
        let prefix = format!("{resource_type}-");
        let of_type = move |name: &String| name.starts_with(&prefix);
        self.definitions
            .iter()
            .filter(move |(name, _)| of_type(name))
            .map(|(_, it)| it)
    }

    /// The expanded value sets by URL.
    pub(super) fn expansions(&self) -> BTreeMap<&str, &Value> {
        self.expansions
            .values()
            .map(|it| (text(it, "url"), it))
            .collect()
    }
}

/// The text at a key, or nothing.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The items at a key, or none.
pub(super) fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The texts at a key, whether it holds one or a list.
pub(super) fn texts<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    match &value[key] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The folder with a package's files.
fn locate(package: &Package, folder: Option<&Path>, scratch: &Path) -> Result<PathBuf> {
    if let Some(folder) = folder {
        let unpacked = folder.join(package.unpacked);
        if unpacked.is_dir() {
            return Ok(unpacked);
        }
    }
    let archive = format!("{}-{}.tgz", package.name, package.version);
    let packed = match folder {
        Some(folder) => folder.join(&archive),
        None => fetch(package, scratch)?.join(&archive),
    };
    unpack(package, &packed, scratch)
}

fn fetch(package: &Package, scratch: &Path) -> Result<PathBuf> {
    let wanted = format!("{}@{}", package.name, package.version);
    run(Command::new("npm")
        .args(["pack", "--silent", &wanted])
        .current_dir(scratch))?;
    Ok(scratch.to_owned())
}

fn unpack(package: &Package, packed: &Path, scratch: &Path) -> Result<PathBuf> {
    let bytes = fs::read(packed).with_context(|| packed.display().to_string())?;
    let found = hex(&Sha256::digest(bytes));
    ensure!(
        found == package.sha256,
        "{}: its SHA-256 is {found}",
        packed.display()
    );
    let folder = scratch.join(package.name);
    fs::create_dir_all(&folder)?;
    run(Command::new("tar")
        .arg("-xzf")
        .arg(packed)
        .arg("-C")
        .arg(&folder))?;
    Ok(folder.join("package"))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// How the names of the files begin that are read; the others hold nothing that a table has.
const TYPES: [&str; 6] = [
    "StructureDefinition-",
    "SearchParameter-",
    "CompartmentDefinition-",
    "OperationDefinition-",
    "ValueSet-",
    "CodeSystem-",
];

fn read_folder(folder: &Path) -> Result<BTreeMap<String, Value>> {
    let mut resources = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_json = path.extension().is_some_and(|it| it == "json");
        if is_json && TYPES.iter().any(|it| name.starts_with(it)) {
            let resource = read_file(&path).with_context(|| name.clone())?;
            resources.insert(name, resource);
        }
    }
    ensure!(
        !resources.is_empty(),
        "{} holds no definitions",
        folder.display()
    );
    Ok(resources)
}

/// Some files of the STU3 package begin with a byte-order mark.
fn read_file(path: &Path) -> Result<Value> {
    let bytes = fs::read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(serde_json::from_slice(bytes)?)
}

/// Bytes in hexadecimal, as `sha256sum` prints them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
