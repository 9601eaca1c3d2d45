//! The files of a load: finding, ordering, decompressing and splitting them into units.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Bytes of one file or line, decompressed.
pub const SOURCE_BYTES_MAX: u64 = 1 << 30;

/// Lines of NDJSON that travel as one transaction, and their bytes.
const GROUP_LINES: usize = 200;
const GROUP_BYTES: usize = 1 << 20;

/// A file to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// How its text is written.
    pub form: Form,
    /// How it is compressed.
    pub compression: Compression,
    /// Its length on disk.
    pub bytes: u64,
    /// Files of a lower rank are loaded before those of a higher one.
    pub rank: u8,
}

/// How a file's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One resource or bundle as JSON.
    Json,
    /// A resource per line.
    Ndjson,
    /// One resource or bundle as XML.
    Xml,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip
    Gzip,
    /// bzip2
    Bzip2,
    /// Zstandard
    Zstd,
}

impl Compression {
    /// What the ending of a file's name says, and the name without it.
    pub fn of(name: &str) -> (Self, &str) {
        let found = name.rsplit_once('.').and_then(|(rest, ending)| {
            let ending = ending.to_ascii_lowercase();
            Some((lookup(COMPRESSIONS, &ending)?, rest))
        });
        found.unwrap_or((Self::None, name))
    }

    /// What is in a compressed stream.
    pub fn reader<R: BufRead + 'static>(self, stream: R) -> io::Result<Box<dyn BufRead>> {
        let plain: Box<dyn Read> = match self {
            Self::None => return Ok(Box::new(stream)),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(stream)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(stream)?),
        };
        Ok(Box::new(BufReader::with_capacity(1 << 16, plain)))
    }
}

const COMPRESSIONS: &[(&str, Compression)] = &[
    ("gz", Compression::Gzip),
    ("bz2", Compression::Bzip2),
    ("zst", Compression::Zstd),
];

const FORMS: &[(&str, Form)] = &[
    ("json", Form::Json),
    ("ndjson", Form::Ndjson),
    ("jsonl", Form::Ndjson),
    ("xml", Form::Xml),
];

/// Beginnings of file names that others depend on, with their rank; everything else comes last.
/// Synthea writes `hospitalInformation…` and `practitionerInformation…`, bulk exports a file per type.
const RANKS: &[(&str, u8)] = &[
    ("hospital", 0),
    ("organization", 0),
    ("location", 0),
    ("practitioner", 1),
    ("healthcareservice", 1),
    ("patient.", 2),
];
const RANK_LAST: u8 = 3;

/// All files of these paths in the order in which they are loaded: folders are walked, files in
/// them without a known ending are left out; a file named outright must have one.
pub fn find(paths: &[PathBuf]) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut sources)?;
        } else {
            let source = recognise(path)?.ok_or_else(|| unknown_ending(path))?;
            sources.push(source);
        }
    }
    sources.sort_by(|a, b| (a.rank, &a.path).cmp(&(b.rank, &b.path)));
    sources.dedup();
    Ok(sources)
}

fn walk(folder: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(source) = recognise(&path)? {
                sources.push(source);
            }
        }
    }
    Ok(())
}

fn recognise(path: &Path) -> io::Result<Option<Source>> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let (compression, rest) = Compression::of(&name);
    let Some(form) = rest
        .rsplit_once('.')
        .and_then(|(_, ending)| lookup(FORMS, ending))
    else {
        return Ok(None);
    };
    let bytes = std::fs::metadata(path)?.len();
    Ok(Some(Source {
        path: path.to_owned(),
        form,
        compression,
        bytes,
        rank: rank(&name),
    }))
}

fn lookup<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, it)| *it)
}

fn rank(name: &str) -> u8 {
    let plain = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let known = RANKS
        .iter()
        .find(|(beginning, _)| plain.starts_with(beginning));
    known.map_or(RANK_LAST, |(_, rank)| *rank)
}

fn unknown_ending(path: &Path) -> io::Error {
    let what = format!(
        "{}: a file to load ends in .json, .ndjson or .xml, and may end in .gz, .bz2 or .zst after that",
        path.display()
    );
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// A piece of a file: one text, or some lines, with its place.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Number of the first line, or zero.
    pub position: u64,
    /// The texts with their lines: one, or one each.
    pub texts: Vec<(u64, Bytes)>,
}

impl Source {
    /// The file's pieces, decompressed, in order.
    pub fn pieces(&self) -> io::Result<Box<dyn Iterator<Item = io::Result<Piece>>>> {
        let reader = self.open()?;
        Ok(match self.form {
            Form::Json | Form::Xml => Box::new(std::iter::once(whole(reader))),
            Form::Ndjson => Box::new(Lines { reader, next: 0 }),
        })
    }

    fn open(&self) -> io::Result<Box<dyn BufRead>> {
        self.compression
            .reader(BufReader::new(File::open(&self.path)?))
    }
}

fn whole(reader: Box<dyn BufRead>) -> io::Result<Piece> {
    let mut text = Vec::new();
    reader.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut text)?;
    within_limit(text.len())?;
    Ok(Piece {
        position: 0,
        texts: vec![(0, text.into())],
    })
}

fn within_limit(length: usize) -> io::Result<()> {
    if length as u64 <= SOURCE_BYTES_MAX {
        return Ok(());
    }
    let what = format!("limit `source_bytes_max` of {SOURCE_BYTES_MAX} exceeded");
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Groups of lines of an NDJSON file; empty lines are passed over.
struct Lines {
    reader: Box<dyn BufRead>,
    next: u64,
}

impl Iterator for Lines {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        self.group().transpose()
    }
}

impl Lines {
    fn group(&mut self) -> io::Result<Option<Piece>> {
        let mut piece = Piece {
            position: self.next,
            texts: Vec::new(),
        };
        let mut bytes = 0;
        while piece.texts.len() < GROUP_LINES && bytes < GROUP_BYTES {
            let mut line = Vec::new();
            let limited = &mut (&mut self.reader).take(SOURCE_BYTES_MAX + 1);
            if limited.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            within_limit(line.len())?;
            bytes += line.len();
            if !line.trim_ascii().is_empty() {
                piece.texts.push((self.next, line.into()));
            }
            self.next += 1;
        }
        Ok((!piece.texts.is_empty() || bytes > 0).then_some(piece))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn files_that_others_depend_on_come_first() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "b.json",
            "a.json.bz2",
            "0-practitionerInformation1.json",
            "hospitalInformation2.json.gz",
            "notes.txt",
        ] {
            std::fs::write(folder.path().join(name), "{}").expect("written");
        }
        let found = find(&[folder.path().to_owned()]).expect("found");
        let names: Vec<_> = found
            .iter()
            .filter_map(|it| it.path.file_name()?.to_str().map(str::to_owned))
            .collect();
        assert_eq!(
            names,
            [
                "hospitalInformation2.json.gz",
                "0-practitionerInformation1.json",
                "a.json.bz2",
                "b.json"
            ]
        );
    }

    #[test]
    fn a_named_file_must_have_a_known_ending() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "").expect("written");
        assert!(find(&[path]).is_err());
    }

    #[test]
    fn every_compression_reads_the_same_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let lines: Vec<_> = (0..450)
            .map(|n| {
                format!(
                    "{{\"n\":{n}}}

"
                )
            })
            .collect();
        let text = lines.concat();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).expect("in memory");
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(text.as_bytes()).expect("in memory");
        let files = [
            ("a.ndjson", text.clone().into_bytes()),
            ("b.ndjson.gz", gzip.finish().expect("in memory")),
            ("c.ndjson.bz2", bzip2.finish().expect("in memory")),
            (
                "d.ndjson.zst",
                zstd::encode_all(text.as_bytes(), 1).expect("in memory"),
            ),
        ];
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            let source = find(&[path]).expect("found").remove(0);
            let pieces: Vec<_> = source
                .pieces()
                .expect("opened")
                .map(|it| it.expect("read"))
                .collect();
            let lines: Vec<_> = pieces.iter().flat_map(|piece| &piece.texts).collect();
            assert_eq!(lines.len(), 450, "{name}");
            assert_eq!(lines[449].1.trim_ascii(), b"{\"n\":449}", "{name}");
            assert_eq!(lines[449].0, 898, "{name}: empty lines count");
            assert_eq!(pieces[1].position, 399, "{name}");
        }
    }
}
