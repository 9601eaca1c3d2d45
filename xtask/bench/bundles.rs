//! The bundles of the workloads: Synthea patients as transactions, hospitals and practitioners
//! first, because the others refer to them.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use bzip2::read::BzDecoder;
use serde_json::Value;

/// The set of bundles inside the folder of data sets.
const SET: &str = "05-synthea-r4/blaze";

/// How the names of the files begin that the others depend on.
const FIRST: &str = "0-";

/// One transaction, as it is sent.
pub(crate) struct Bundle {
    pub(crate) body: Bytes,
    /// Bytes of each resource as minified JSON, in the order of the entries.
    pub(crate) resources: Vec<usize>,
}

/// All bundles.
pub(crate) struct Bundles {
    /// Sent one after the other.
    pub(crate) first: Vec<Bundle>,
    /// Sent by all clients at once.
    pub(crate) patients: Vec<Bundle>,
}

impl Bundles {
    /// Unpacks the set from the folder of data sets.
    pub(crate) fn read() -> Result<Bundles> {
        let folder = data_folder()?.join(SET);
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("{} is not there: unpack the set", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries
            .map(|it| it.map(|it| it.path()))
            .collect::<Result<_, _>>()?;
        paths.retain(|it| it.to_string_lossy().ends_with(".json.bz2"));
        paths.sort();
        if paths.is_empty() {
            bail!("{} holds no bundle", folder.display());
        }
        let is_first = |it: &PathBuf| {
            it.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(FIRST))
        };
        let (first, patients): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_first);
        let read_all = |paths: Vec<PathBuf>| -> Result<Vec<Bundle>> {
            paths.iter().map(|it| read(it)).collect()
        };
        Ok(Bundles {
            first: read_all(first)?,
            patients: read_all(patients)?,
        })
    }
}

fn read(path: &Path) -> Result<Bundle> {
    let mut body = Vec::new();
    let file = std::fs::File::open(path)?;
    BzDecoder::new(file)
        .read_to_end(&mut body)
        .with_context(|| path.display().to_string())?;
    let bundle: Value = serde_json::from_slice(&body)?;
    let entries = bundle["entry"]
        .as_array()
        .context("a bundle without entries")?;
    let resources = entries
        .iter()
        .map(|it| it["resource"].to_string().len())
        .collect();
    Ok(Bundle {
        body: body.into(),
        resources,
    })
}

/// As in the tests: `$ISTHMUS_DATA`, else `isthmus-data` in the user's cache.
pub(crate) fn data_folder() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    let cache = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let folder = set("ISTHMUS_DATA").or_else(|| Some(cache()?.join("isthmus-data")));
    folder.context("neither ISTHMUS_DATA nor HOME is set")
}
