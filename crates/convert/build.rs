//! Lists the libraries below `templates/`, so that the program carries them: a folder each, its
//! files by their paths.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=templates");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut list = String::from("&[\n");
    for library in entries(&root.join("templates")) {
        let name = library
            .file_name()
            .expect("it was listed")
            .to_string_lossy();
        // The library for HL7 v2 is listed by who generates it.
        if !library.is_dir() || name == "hl7v2" {
            continue;
        }
        writeln!(list, "({name:?}, &[").expect("text takes all");
        files(&library, &library, &mut list);
        list.push_str("]),\n");
    }
    list.push(']');
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(target.join("own.rs"), list).expect("the folder is cargo's");
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = found.map(|it| it.path()).collect();
    found.sort();
    found
}

fn files(root: &Path, folder: &Path, list: &mut String) {
    for path in entries(folder) {
        if path.is_dir() {
            files(root, &path, list);
            continue;
        }
        let is_of_library = path
            .extension()
            .is_some_and(|it| it == "liquid" || it == "json");
        if is_of_library {
            let name = path.strip_prefix(root).expect("it lies below");
            let name = name.to_string_lossy().replace('\\', "/");
            let place = path.to_string_lossy();
            writeln!(list, "({name:?}, include_str!({place:?})),").expect("text takes all");
        }
    }
}
