//! Libraries by path: a folder, a `.tar` or `.tar.gz`, or an OCI image layout; and what they lie
//! over. Links that lead out of a folder are refused, as are more files than a library has.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use convert::source::{Gathered, archive, layout};
use convert::{SourceError, SourceLimits, Sources, own};

/// How many libraries may lie over each other.
const BASES_MAX: usize = 8;

/// The library at that path, or ours of that name, and all that it lies over, the lowest first.
pub(crate) fn layers(path: &Path) -> anyhow::Result<Vec<Sources>> {
    if let Some(ours) = path.to_str().and_then(own::sources)
        && !path.exists()
    {
        return Ok(vec![ours]);
    }
    let mut layers = Vec::new();
    let mut at = path.to_owned();
    loop {
        anyhow::ensure!(
            layers.len() < BASES_MAX,
            "{}: more than {BASES_MAX} libraries lie over each other",
            path.display()
        );
        let sources = read(&at)?;
        let base = sources.base();
        layers.push(sources);
        let Some(base) = base else {
            break;
        };
        if let Some(ours) = own::sources(&base) {
            layers.push(ours);
            break;
        }
        let folder = if at.is_dir() {
            Some(at.as_path())
        } else {
            at.parent()
        };
        at = folder.unwrap_or(Path::new(".")).join(base);
    }
    layers.reverse();
    Ok(layers)
}

/// What a library in that folder lies over, the lowest first: one of ours by name, or a path.
pub(crate) fn base(folder: &Path, name: &str) -> anyhow::Result<Vec<Sources>> {
    match own::sources(name) {
        Some(ours) => Ok(vec![ours]),
        None => layers(&folder.join(name)),
    }
}

/// The files of the library at that path alone.
pub(crate) fn read(path: &Path) -> anyhow::Result<Sources> {
    let limits = SourceLimits::default();
    let shown = || path.display().to_string();
    let sources = if path.join("oci-layout").is_file() {
        let mut fetch = |file: &str, bytes_max: u64| blob(path, file, bytes_max);
        layout::read(None, &limits, &mut fetch)
    } else if path.is_dir() {
        folder(path, &limits)
    } else {
        let bytes = bounded(path, limits.packed_bytes_max).with_context(shown)?;
        archive::read(&bytes, &limits)
    };
    sources.with_context(shown)
}

/// At most one byte more than so many, so that what is too large is seen to be.
fn bounded(file: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut opened = File::open(file)?.take(bytes_max.saturating_add(1));
    opened.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn blob(layout: &Path, file: &str, bytes_max: u64) -> Result<Vec<u8>, SourceError> {
    bounded(&layout.join(file), bytes_max)
        .map_err(|error| SourceError::file(file, error.to_string()))
}

/// A folder that is being read.
struct Walk<'l> {
    root: PathBuf,
    limits: &'l SourceLimits,
    gathered: Gathered<'l>,
}

fn folder(path: &Path, limits: &SourceLimits) -> Result<Sources, SourceError> {
    let fault =
        |error: std::io::Error| SourceError::file(&path.display().to_string(), error.to_string());
    let mut walk = Walk {
        root: path.canonicalize().map_err(fault)?,
        limits,
        gathered: Gathered::new(limits),
    };
    walk.below(path, "", 0)?;
    walk.gathered.end_layer()?;
    // Only an archive has a folder around everything.
    Ok(walk.gathered.finish_as_is())
}

impl Walk<'_> {
    fn below(&mut self, folder: &Path, name: &str, depth: usize) -> Result<(), SourceError> {
        let fault = |error: std::io::Error| SourceError::file(name, error.to_string());
        if depth > self.limits.path_depth_max {
            return Err(SourceError::file(
                name,
                "the folders are too deep (`path_depth_max`)",
            ));
        }
        let mut entries: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder).map_err(fault)? {
            entries.push(entry.map_err(fault)?.path());
        }
        entries.sort();
        for path in entries {
            let own = path.file_name().unwrap_or_default().to_string_lossy();
            // Version control, editors, and the real folders behind mounted ones; cases.
            if own.starts_with('.') || (depth == 0 && own == "tests") {
                continue;
            }
            let name = if name.is_empty() {
                own.into_owned()
            } else {
                format!("{name}/{own}")
            };
            self.entry(&path, &name, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &str, depth: usize) -> Result<(), SourceError> {
        let fault = |error: std::io::Error| SourceError::file(name, error.to_string());
        let is_inside = path.canonicalize().map_err(fault)?.starts_with(&self.root);
        if !is_inside {
            return Err(SourceError::file(
                name,
                "a link that leads out of the library",
            ));
        }
        let metadata = path.metadata().map_err(fault)?;
        if metadata.is_dir() {
            return self.below(path, name, depth + 1);
        }
        let is_text = matches!(
            path.extension().and_then(|it| it.to_str()),
            Some("liquid" | "json")
        );
        if !metadata.is_file() || !is_text {
            return Ok(());
        }
        self.gathered.admit(name, metadata.len())?;
        let content = bounded(path, metadata.len()).map_err(fault)?;
        self.gathered.add(name, &content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn names(sources: &Sources) -> Vec<&str> {
        sources.files.iter().map(|it| it.0.as_str()).collect()
    }

    #[test]
    fn a_folder_and_its_archive_are_one_library() {
        let folder = library(&[
            ("metadata.json", "{}"),
            ("A.liquid", "a"),
            ("B/_C.liquid", "c"),
            ("README.md", "x"),
            (".git/D.liquid", "d"),
        ]);
        let sources = read(folder.path()).unwrap();
        assert_eq!(
            names(&sources),
            ["A.liquid", "B/_C.liquid", "metadata.json"]
        );
        let packed = folder.path().join("l.tar.gz");
        fs::write(&packed, archive::write(&sources)).unwrap();
        assert_eq!(read(&packed).unwrap(), sources);
    }

    #[test]
    fn bases_come_first_and_end() {
        let folder = library(&[
            ("a/metadata.json", r#"{"base":"../b"}"#),
            ("b/metadata.json", r#"{"base":"../c"}"#),
            ("c/C.liquid", ""),
            ("d/metadata.json", r#"{"base":"."}"#),
        ]);
        let found = layers(&folder.path().join("a")).unwrap();
        let found: Vec<_> = found.iter().map(names).collect();
        assert_eq!(found, [["C.liquid"], ["metadata.json"], ["metadata.json"]]);
        assert!(layers(&folder.path().join("d")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside() {
        use std::os::unix::fs::symlink;

        let folder = library(&[("..data/A.liquid", "a")]);
        symlink("..data/A.liquid", folder.path().join("A.liquid")).unwrap();
        assert_eq!(names(&read(folder.path()).unwrap()), ["A.liquid"]);
        symlink(".", folder.path().join("loop")).unwrap();
        assert!(read(folder.path()).is_err());
        fs::remove_file(folder.path().join("loop")).unwrap();
        symlink("/etc/hostname", folder.path().join("B.liquid")).unwrap();
        let error = format!("{:#}", read(folder.path()).unwrap_err());
        assert!(error.contains("leads out of the library"), "{error}");
    }
}
