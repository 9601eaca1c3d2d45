//! Archives and image layouts made in memory, and read out of a text that says what they are made of.

use std::collections::BTreeMap;
use std::io::Write;

use convert::source::layout;
use convert::{SourceError, SourceLimits, Sources};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

pub(crate) const LIMITS: SourceLimits = SourceLimits {
    packed_bytes_max: 1 << 20,
    bytes_max: 8 << 20,
    file_bytes_max: 4 << 20,
    ratio_max: 100,
    files_max: 100,
    path_bytes_max: 200,
    path_depth_max: 8,
    layers_max: 4,
};

/// An entry of an archive: its kind, its name, its content.
#[derive(Clone)]
pub(crate) struct Entry(pub(crate) u8, pub(crate) Vec<u8>, pub(crate) Vec<u8>);

pub(crate) fn file(name: &str, content: &str) -> Entry {
    Entry(b'0', name.into(), content.into())
}

fn header(entry: &Entry, size: &[u8]) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, &entry.1);
    put(100, b"0000644\0");
    put(124, size);
    put(148, b"        ");
    put(156, &[entry.0]);
    put(257, b"ustar\x0000");
    add_up(&mut block);
    block
}

/// Writes the sum of a header, its own field counted as blanks.
fn add_up(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|it| u32::from(*it)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// Makes every header add up that is where one was.
pub(crate) fn with_sums(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            add_up(block);
        }
    }
}

fn add(entry: &Entry, archive: &mut Vec<u8>) {
    let size = format!("{:011o}\0", entry.2.len());
    archive.extend(header(entry, size.as_bytes()));
    archive.extend(&entry.2);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        add(entry, &mut bytes);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn shown(read: Result<Sources, SourceError>) -> String {
    match read {
        Ok(sources) => {
            let files = sources.files.iter();
            let files: Vec<_> = files.map(|(path, text)| format!("{path}={text}")).collect();
            files.join(" ")
        }
        Err(error) => format!("error: {error}"),
    }
}

/// An image layout in memory.
#[derive(Default)]
pub(crate) struct Layout(BTreeMap<String, Vec<u8>>);

impl Layout {
    pub(crate) fn put(&mut self, bytes: Vec<u8>) -> String {
        let digest = Sha256::digest(&bytes);
        let hex = format!("{digest:x}");
        let length = bytes.len();
        self.0.insert(format!("blobs/sha256/{hex}"), bytes);
        format!(r#"{{"digest":"sha256:{hex}","size":{length}}}"#)
    }

    /// The text of a manifest of these layers.
    pub(crate) fn manifest(&mut self, layers: &[Vec<u8>]) -> String {
        let layers: Vec<String> = layers.iter().map(|it| self.put(it.clone())).collect();
        format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, layers.join(","))
    }

    pub(crate) fn image(&mut self, layers: &[Vec<u8>]) -> String {
        let manifest = self.manifest(layers);
        self.put(manifest.into_bytes())
    }

    /// Does something to every file, in the order of their names.
    pub(crate) fn each(&mut self, mut change: impl FnMut(&mut Vec<u8>)) {
        self.0.values_mut().for_each(&mut change);
    }

    pub(crate) fn index(mut self, manifests: &[String]) -> Self {
        let index = format!(r#"{{"manifests":[{}]}}"#, manifests.join(","));
        self.0.insert("index.json".into(), index.into_bytes());
        let marker = br#"{"imageLayoutVersion":"1.0.0"}"#;
        self.0.insert("oci-layout".into(), marker.to_vec());
        self
    }

    pub(crate) fn of(layers: &[Vec<u8>]) -> Self {
        let mut layout = Self::default();
        let image = layout.image(layers);
        layout.index(&[image])
    }

    pub(crate) fn read(&self, tag: Option<&str>) -> String {
        shown(self.sources(tag))
    }

    pub(crate) fn sources(&self, tag: Option<&str>) -> Result<Sources, SourceError> {
        let mut fetch = |path: &str, _: u64| {
            let found = self.0.get(path).cloned();
            found.ok_or_else(|| SourceError::file(path, "is not there"))
        };
        layout::read(tag, &LIMITS, &mut fetch)
    }
}

pub(crate) fn tagged(descriptor: &str, tag: &str) -> String {
    let name = r#""org.opencontainers.image.ref.name""#;
    descriptor.replacen('{', &format!(r#"{{"annotations":{{{name}:"{tag}"}},"#), 1)
}

/// What a text in the form of `cases/bad/archives.txt` makes: steps with `|` between them, each a word
/// and what it is done with.
#[derive(Default)]
pub(crate) struct Made {
    /// The archive at hand.
    pub(crate) bytes: Vec<u8>,
    /// Where its last header begins.
    last: usize,
    layers: Vec<String>,
    images: Vec<String>,
    layout: Layout,
    tag: Option<String>,
}

impl Made {
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut made = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let end = find(rest, b" | ");
            let step = &rest[..end.unwrap_or(rest.len())];
            made.step(step);
            rest = end.map_or(&[], |end| &rest[end + 3..]);
        }
        made
    }

    /// What comes of reading the layout.
    pub(crate) fn read(&self) -> String {
        self.layout.read(self.tag.as_deref())
    }

    #[expect(clippy::too_many_lines, reason = "a flat table")]
    fn step(&mut self, step: &[u8]) {
        let (word, with) = cut(step);
        let (first, second) = cut(with);
        let text = |it: &[u8]| String::from_utf8(it.to_vec()).unwrap();
        let number = || text(first).parse::<usize>().unwrap();
        match text(word).as_str() {
            // Entries, whole or not.
            "file" => self.entry(&Entry(b'0', first.into(), second.into())),
            "entry" => {
                let (name, content) = cut(second);
                self.entry(&Entry(first[0], name.into(), content.into()));
            }
            "pax" => self.entry(&Entry(b'x', b"p".into(), with.into())),
            "global" => self.entry(&Entry(b'g', b"g".into(), with.into())),
            "name" => self.entry(&Entry(b'L', b"l".into(), with.into())),
            "files" => (0..number()).for_each(|n| self.entry(&file(&format!("{n}.liquid"), ""))),
            "long" => {
                let content = vec![b'a'; text(second).parse().unwrap()];
                self.entry(&Entry(b'0', first.into(), content));
            }
            // What compresses to a twentieth.
            "mixed" => {
                let mut seed = 1_u64;
                let mut content = Vec::new();
                while content.len() < text(second).parse().unwrap() {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    content.extend(format!("{seed:016x}").into_bytes());
                    content.resize(content.len() + 300, b'a');
                }
                self.entry(&Entry(b'0', first.into(), content));
            }
            "sized" => {
                self.last = self.bytes.len();
                let header = header(&Entry(b'0', second.into(), Vec::new()), first);
                self.bytes.extend(header);
            }
            // What is done to the last header.
            "put" => {
                let at = self.last + number();
                self.bytes[at..at + second.len()].copy_from_slice(second);
                add_up(&mut self.bytes[self.last..self.last + 512]);
            }
            "sum" => {
                let at = self.last + 148;
                self.bytes[at..at + with.len()].copy_from_slice(with);
            }
            // What is done to the bytes.
            "end" => self.bytes.resize(self.bytes.len() + 1024, 0),
            "zeros" => self.bytes.resize(self.bytes.len() + number(), 0),
            "raw" => self.bytes.extend(with),
            "gzip" => self.bytes = gzip(&self.bytes),
            "cut" => self.bytes.truncate(self.bytes.len() - number()),
            "keep" => self.bytes.truncate(number()),
            "flip" => {
                let at = self.bytes.len() - number();
                self.bytes[at] ^= 1;
            }
            "set" => self.bytes[number()] = second[0],
            // Layouts.
            "layer" => {
                let layer = self.layout.put(std::mem::take(&mut self.bytes));
                self.layers.push(layer);
            }
            "descriptor" => self.layers.push(text(with)),
            "image" => {
                let layers = std::mem::take(&mut self.layers).join(",");
                let manifest = format!(r#"{{"schemaVersion":2,"layers":[{layers}]}}"#);
                let image = self.layout.put(manifest.into_bytes());
                self.images.push(image);
            }
            "manifest" => {
                let image = self.layout.put(with.to_vec());
                self.images.push(image);
            }
            "nest" => {
                let images = std::mem::take(&mut self.images).join(",");
                let list = format!(r#"{{"manifests":[{images}]}}"#);
                let image = self.layout.put(list.into_bytes());
                self.images.push(image);
            }
            "tag" => {
                let image = self.images.pop().unwrap();
                self.images.push(tagged(&image, &text(with)));
            }
            "index" => {
                let layout = std::mem::take(&mut self.layout);
                self.layout = layout.index(&self.images);
            }
            "wanted" => self.tag = Some(text(with)),
            // What is done to a layout.
            "swap-layer" => swap(&mut self.layers, &text(first), &text(second)),
            "swap-image" => swap(&mut self.images, &text(first), &text(second)),
            "text" => {
                self.layout.0.insert(text(first), second.to_vec());
            }
            "remove" => {
                self.layout
                    .0
                    .retain(|path, _| !path.starts_with(&text(with)));
            }
            "damage" => {
                for (path, content) in &mut self.layout.0 {
                    if let Some(last) = content.last_mut().filter(|_| path.starts_with("blobs")) {
                        *last ^= 1;
                    }
                }
            }
            other => panic!("`{other}` is no step"),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        self.last = self.bytes.len();
        add(entry, &mut self.bytes);
    }
}

/// A word, and what follows the blank after it.
fn cut(text: &[u8]) -> (&[u8], &[u8]) {
    match find(text, b" ") {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|it| it == wanted)
}

/// Puts one text in place of another in the last descriptor.
fn swap(descriptors: &mut [String], from: &str, to: &str) {
    let last = descriptors.last_mut().unwrap();
    assert!(last.contains(from), "{last}");
    *last = last.replacen(from, to, 1);
}
