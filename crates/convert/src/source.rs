//! Where a library's files come from: layers of names and texts, read from folders, archives
//! ([`archive`]) and OCI image layouts ([`layout`]). What is read here may come from anybody, so a
//! name that leads out of its library, a link, a name that is there twice, or more than
//! [`SourceLimits`] allow is an error that says which file and why.
//!
//! Pure: bytes come in, names and texts go out. Who reads files is the caller.

pub mod archive;
pub mod layout;
mod tar;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use fhir::json::{Document, Limits, Value};

/// The files of a library: paths with `/` from its folder, and texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The files.
    pub files: Vec<(String, String)>,
}

/// What the files of a library may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLimits {
    /// Greatest size of an archive or of a layer as it comes.
    pub packed_bytes_max: u64,
    /// Greatest size of all files together, those that are no part of a library included.
    pub bytes_max: u64,
    /// Greatest size of one file.
    pub file_bytes_max: u64,
    /// How many times its packed size an archive may become, beyond its first mebibyte.
    pub ratio_max: u64,
    /// Greatest number of files and folders of all layers.
    pub files_max: usize,
    /// Greatest length of a file's path.
    pub path_bytes_max: usize,
    /// Greatest number of folders in a path.
    pub path_depth_max: usize,
    /// Greatest number of layers of an image.
    pub layers_max: usize,
}

impl Default for SourceLimits {
    /// A hundred times what the largest known library needs.
    fn default() -> Self {
        Self {
            packed_bytes_max: 64 << 20,
            bytes_max: 256 << 20,
            file_bytes_max: 32 << 20,
            ratio_max: 200,
            files_max: 50_000,
            path_bytes_max: 512,
            path_depth_max: 16,
            layers_max: 64,
        }
    }
}

/// Why the files of a library could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A file's name, or what it is, is not accepted.
    #[error("`{file}`: {what}")]
    File {
        /// The file, as it is named where it comes from.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The whole is not of its format.
    #[error("{0}")]
    Format(String),
    /// A limit was exceeded.
    #[error("more than {max} (`{name}`){}", shown_file(.file))]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// Its value.
        max: u64,
        /// The file at which it was exceeded, if it was one.
        file: String,
    },
}

fn shown_file(file: &str) -> String {
    if file.is_empty() {
        String::new()
    } else {
        format!(" at `{file}`")
    }
}

impl SourceError {
    /// Something wrong with a file.
    pub fn file(file: &str, what: impl Into<String>) -> Self {
        Self::File {
            file: shown(file),
            what: what.into(),
        }
    }

    fn format(what: impl Into<String>) -> Self {
        Self::Format(what.into())
    }

    /// The same, of that layer of an image.
    fn in_layer(self, number: usize) -> Self {
        match self {
            Self::File { file, what } => Self::File {
                file,
                what: format!("{what} (layer {number})"),
            },
            Self::Format(what) => Self::Format(format!("{what} (layer {number})")),
            limit @ Self::Limit { .. } => limit,
        }
    }

    fn limit(name: &'static str, max: impl TryInto<u64>, file: &str) -> Self {
        Self::Limit {
            name,
            max: max.try_into().unwrap_or(u64::MAX),
            file: shown(file),
        }
    }
}

/// A name as a message shows it: it may be as long as its sender likes, and hold what a terminal
/// would obey.
fn shown(file: &str) -> String {
    let mut shown = String::new();
    for c in file.chars().take(200) {
        if c.is_control() || is_invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Files being gathered into layers, each over those before it, within limits.
pub struct Gathered<'l> {
    limits: &'l SourceLimits,
    /// The files of all finished layers.
    below: BTreeMap<String, String>,
    layer: Layer,
    files: usize,
    bytes: u64,
}

/// One layer while it is read.
#[derive(Default)]
struct Layer {
    files: BTreeMap<String, String>,
    /// Every name, those of other files too.
    names: BTreeSet<String>,
    /// What it takes away of the layers below: files, and folders with all in them.
    removed: Vec<String>,
    /// Folders whose content below is hidden.
    opaque: Vec<String>,
}

/// How a layer says that something below is gone (OCI image specification, layers, "Whiteouts").
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

impl<'l> Gathered<'l> {
    /// Nothing yet.
    pub fn new(limits: &'l SourceLimits) -> Self {
        Self {
            limits,
            below: BTreeMap::new(),
            layer: Layer::default(),
            files: 0,
            bytes: 0,
        }
    }

    /// Whether a file of that path and size may be read at all; to be asked before its bytes are.
    pub fn admit(&mut self, path: &str, bytes: u64) -> Result<(), SourceError> {
        self.entry(path)?;
        if bytes > self.limits.file_bytes_max {
            let max = self.limits.file_bytes_max;
            return Err(SourceError::limit("file_bytes_max", max, path));
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes_max {
            let max = self.limits.bytes_max;
            return Err(SourceError::limit("bytes_max", max, path));
        }
        Ok(())
    }

    /// One file or folder more.
    fn entry(&mut self, path: &str) -> Result<(), SourceError> {
        self.files += 1;
        if self.files > self.limits.files_max {
            let max = self.limits.files_max;
            return Err(SourceError::limit("files_max", max as u64, path));
        }
        Ok(())
    }

    /// Adds a file that was admitted.
    pub fn add(&mut self, path: &str, content: &[u8]) -> Result<(), SourceError> {
        let clean = clean_path(path, self.limits)?;
        if !self.layer.names.insert(clean.to_owned()) {
            return Err(SourceError::file(path, "there are two files of this name"));
        }
        let (folder, name) = clean.rsplit_once('/').unwrap_or(("", clean));
        if name == OPAQUE {
            self.layer.opaque.push(folder.to_owned());
        } else if let Some(removed) = name.strip_prefix(WHITEOUT) {
            if matches!(removed, "" | "." | "..") || removed.starts_with(WHITEOUT) {
                return Err(SourceError::file(path, "this marks no file as removed"));
            }
            self.layer.removed.push(joined(folder, removed));
        } else if is_of_library(name) {
            let text = text(path, content)?;
            self.layer.files.insert(clean.to_owned(), text);
        }
        Ok(())
    }

    /// Ends a layer: what it removes goes from those below, and its files are laid over them.
    pub fn end_layer(&mut self) -> Result<(), SourceError> {
        let layer = std::mem::take(&mut self.layer);
        let names = &layer.names;
        let is_in_file = |name: &&String| {
            let mut folders = name.match_indices('/').map(|(at, _)| &name[..at]);
            folders.any(|folder| names.contains(folder))
        };
        if let Some(name) = names.iter().find(is_in_file) {
            return Err(SourceError::file(name, "a part of its path is a file"));
        }
        self.below.retain(|path, _| !layer.hides(path));
        self.below.extend(layer.files);
        Ok(())
    }

    /// The files of all layers. One folder around everything that holds `metadata.json` is left
    /// out: it is what the archive of a folder has.
    pub fn finish(self) -> Sources {
        let around = around(&self.below).map_or(0, |it| it.len() + 1);
        let files = self.below.into_iter();
        Sources {
            files: files
                .map(|(path, text)| (path[around..].to_owned(), text))
                .collect(),
        }
    }

    /// The files of all layers, by the names that they were given.
    pub fn finish_as_is(self) -> Sources {
        Sources {
            files: self.below.into_iter().collect(),
        }
    }
}

impl Layer {
    fn hides(&self, path: &str) -> bool {
        let is_below = |folder: &str| {
            folder.is_empty()
                || path
                    .strip_prefix(folder)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let is_removed = |it: &String| path == it || (!it.is_empty() && is_below(it));
        self.removed.iter().any(is_removed) || self.opaque.iter().any(|it| is_below(it))
    }
}

/// The single folder at the top, if it holds the library.
fn around(files: &BTreeMap<String, String>) -> Option<String> {
    let mut tops = files.keys().map(|path| path.split_once('/'));
    let (top, _) = tops.next()??;
    let is_only = tops.all(|it| it.is_some_and(|(other, _)| other == top));
    (is_only && files.contains_key(&format!("{top}/{METADATA}"))).then(|| top.to_owned())
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Whether a library has files of that name; macOS' companions of files (`._x`) are none.
fn is_of_library(name: &str) -> bool {
    let has = |ending: &str| name.len() > ending.len() && name.ends_with(ending);
    (has(".liquid") || has(".json")) && !name.starts_with("._")
}

fn text(path: &str, content: &[u8]) -> Result<String, SourceError> {
    let content = content
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(content);
    String::from_utf8(content.to_vec()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = memchr::memchr_iter(b'\n', &content[..at]).count() + 1;
        SourceError::file(path, format!("not UTF-8 in line {line}"))
    })
}

/// The path without a `./` before it; refused if it could lead anywhere but into the library.
fn clean_path<'p>(path: &'p str, limits: &SourceLimits) -> Result<&'p str, SourceError> {
    let fault = |what: &str| Err(SourceError::file(path, what));
    if path.len() > limits.path_bytes_max {
        let max = limits.path_bytes_max as u64;
        return Err(SourceError::limit("path_bytes_max", max, path));
    }
    let clean = path.strip_prefix("./").unwrap_or(path);
    if clean.starts_with('/') {
        return fault("the path is absolute");
    }
    if clean.contains(['\\', ':']) || clean.chars().any(char::is_control) {
        return fault("the path holds a backslash, a colon or a control character");
    }
    if clean.contains(is_invisible) {
        return fault("the path holds a character that is not seen");
    }
    for segment in clean.split('/') {
        match segment {
            "" => return fault("the path has an empty segment"),
            "." | ".." => return fault("the path has a dot segment"),
            _ => {}
        }
    }
    if clean.split('/').count() > limits.path_depth_max {
        let max = limits.path_depth_max as u64;
        return Err(SourceError::limit("path_depth_max", max, path));
    }
    Ok(clean)
}

/// Characters without a shape of their own: two names that look the same could differ by them, or be
/// read in another direction than they are shown.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The file that says what a library is.
pub(crate) const METADATA: &str = "metadata.json";

impl Sources {
    /// The text of a file.
    pub fn file(&self, path: &str) -> Option<&str> {
        let found = self.files.iter().find(|(it, _)| it == path);
        found.map(|(_, text)| text.as_str())
    }

    /// The library that this one overlays: `base` in `metadata.json`.
    pub fn base(&self) -> Option<String> {
        let text = Bytes::copy_from_slice(self.file(METADATA)?.as_bytes());
        let document = Document::parse(text, &Limits::DEFAULT).ok()?;
        let base = document.root().get("base").and_then(Value::as_str)?;
        Some(base.into_owned())
    }
}
