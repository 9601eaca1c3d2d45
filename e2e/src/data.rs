//! The data sets that tests use where they are there.

use std::path::{Path, PathBuf};

/// A data set's folder; where it is missing, says so in the run's last lines.
pub fn set(suite: &str, name: &str) -> Option<PathBuf> {
    let folder = root().join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("isthmus-skipped: {suite}: {name} is not there");
    None
}

fn root() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("ISTHMUS_DATA").unwrap_or_else(|| {
        let home = || variable("HOME").unwrap_or_default().join(".cache");
        variable("XDG_CACHE_HOME")
            .unwrap_or_else(home)
            .join("isthmus-data")
    })
}

/// Whether the longer sweeps are wanted.
pub fn is_long() -> bool {
    std::env::var_os("ISTHMUS_LONG").is_some()
}

/// Every file in a folder and the folders in it, in order.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let list = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            list.push(path);
        }
    }
    files.sort();
    files
}
