//! Data directories of earlier builds, kept as fixtures: `e2e/fixtures/*.files.bz2`.
//!
//! A fixture is files one after the other, compressed with bzip2: for each a line with its length
//! and its path, then its bytes. No program is needed to unpack it.

use std::fs;
use std::io::Read;
use std::path::Path;

/// Unpacks a fixture into a new folder.
pub fn unpack(name: &str, folder: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let packed = fs::read(fixtures.join(format!("{name}.files.bz2"))).expect("a fixture");
    let mut bytes = Vec::new();
    let mut unpacked = bzip2::read::BzDecoder::new(&packed[..]);
    unpacked.read_to_end(&mut bytes).expect("bzip2");
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let end = rest.iter().position(|it| *it == b'\n').expect("a line");
        let line = std::str::from_utf8(&rest[..end]).expect("UTF-8");
        let (length, path) = line.split_once(' ').expect("a length and a path");
        let length: usize = length.parse().expect("a length");
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder");
        fs::write(path, &rest[end + 1..end + 1 + length]).expect("a file");
        rest = &rest[end + 1 + length..];
    }
}
