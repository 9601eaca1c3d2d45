//! Libraries of templates: names and texts, read once, shared by all conversions.
//!
//! `X` is `X.liquid`, `A/B/C` is `A/B/_C.liquid`; `CodeSystem/CodeSystem.json` and
//! `ValueSet/ValueSet.json` map codes, `*.schema.json` are schemas, `metadata.json` names the
//! processor. Other files are no matter. A library may lie over others.

mod check;
mod code_map;
mod root;
mod strict;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use fhir::json::{Document, Limits};

use crate::budget::Budgets;
use crate::data;
use crate::error::{ConvertError, ErrorKind, Result, line_and_column};
use crate::source::{METADATA, Sources};
use crate::template::{Mode, Names, Template, parse};
use crate::unread::Unread;
use crate::value::{Arena, Value};
pub use check::{Finding, Level};
use code_map::CodeMaps;

/// What kind of input a library is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Processor {
    /// HL7 v2 messages.
    Hl7v2,
    /// C-CDA documents.
    Ccda,
    /// JSON.
    Json,
    /// FHIR of another version.
    Fhir,
    /// FHIR, into HL7 v2.
    FhirToHl7v2,
}

/// Every processor by its name in `metadata.json`.
const PROCESSORS: &[(&str, Processor)] = &[
    ("hl7v2", Processor::Hl7v2),
    ("ccda", Processor::Ccda),
    ("json", Processor::Json),
    ("fhir", Processor::Fhir),
    ("fhir-to-hl7v2", Processor::FhirToHl7v2),
];

impl Processor {
    /// The processor of that name; case makes no difference.
    pub fn from_name(name: &str) -> Option<Self> {
        let row = PROCESSORS
            .iter()
            .find(|(it, _)| it.eq_ignore_ascii_case(name));
        row.map(|(_, processor)| *processor)
    }

    /// The names of all processors.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PROCESSORS.iter().map(|it| it.0)
    }
}

/// Names, the first of which is added if none of them is there, and JSON.
pub(crate) type DefaultMember = (String, String);

/// What a type of resource must have (`defaults.json`).
#[derive(Default)]
pub(crate) struct Defaults {
    /// Its own members (`Encounter`).
    pub(crate) own: Vec<DefaultMember>,
    /// Those of the elements of a member (`Encounter.location`).
    pub(crate) inside: Vec<(String, Vec<DefaultMember>)>,
}

/// A library that was read.
pub struct Library {
    names: Names,
    templates: Vec<Template>,
    /// Templates by the name that includes them.
    by_name: HashMap<String, usize>,
    code_maps: CodeMaps,
    schemas: HashMap<String, String>,
    processor: Option<Processor>,
    mode: Mode,
    zone_offset_minutes: Option<i32>,
    /// Reasons to leave parts of inputs away, see [`Unread::reason`].
    ignored: HashMap<String, String>,
    /// What stands in members that nothing gave a value, by type.
    defaults: HashMap<String, Defaults>,
    faults: Vec<Finding>,
    overlay: Option<Overlay>,
}

/// A library that lies over another.
struct Overlay {
    /// The files of the uppermost layer.
    files: HashSet<String>,
    /// The names by which the layers below have templates.
    below: HashSet<String>,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[library of {} templates]", self.templates.len())
    }
}

impl Library {
    /// Reads all files; what is wrong with them is told by [`Library::check`], and by conversions
    /// that come across it.
    pub fn load(sources: &Sources) -> Self {
        Self::load_layers(std::slice::from_ref(sources))
    }

    /// Reads layers, the lowest first: a file replaces that of its name below, a template the one
    /// that is included by its name, and of the maps of codes each code is replaced by itself.
    pub fn load_layers(layers: &[Sources]) -> Self {
        let mut library = Self {
            names: Names::default(),
            templates: Vec::new(),
            by_name: HashMap::new(),
            code_maps: CodeMaps::default(),
            schemas: HashMap::new(),
            processor: None,
            mode: Mode::Compatible,
            zone_offset_minutes: None,
            ignored: HashMap::new(),
            defaults: HashMap::new(),
            faults: Vec::new(),
            overlay: overlay(layers),
        };
        // What conversions set themselves has a number even if no template names it.
        for name in ["msg", "hl7v2Data", "forloop"] {
            library.names.number(name);
        }
        for name in strict::GLOBALS {
            library.names.number(name);
        }
        for (path, text) in laid_over(layers) {
            library.add(path, text);
        }
        if library.mode == Mode::Strict {
            let found = strict::check(&library);
            library.faults.extend(found);
        }
        library
    }

    fn add(&mut self, path: &str, text: &str) {
        if let Some(name) = path.strip_suffix(".liquid") {
            self.add_template(path, name, text);
        } else if path.ends_with(".schema.json") {
            self.json(path, text);
            self.schemas.insert(path.to_owned(), text.to_owned());
        } else if is_code_map(path) {
            if let Some(document) = self.json(path, text) {
                self.code_maps.add(document.root());
            }
        } else if path == METADATA
            && let Some(document) = self.json(path, text)
        {
            self.read_metadata(path, &document);
        } else if path == "defaults.json"
            && let Some(document) = self.json(path, text)
        {
            for row in document.root().members() {
                let members = row.value.members();
                let members = members.map(|it| (it.name.into_owned(), it.value.raw().to_owned()));
                let (kind, member) = row.name.split_once('.').unwrap_or((&row.name, ""));
                let defaults = self.defaults.entry(kind.to_owned()).or_default();
                if member.is_empty() {
                    defaults.own = members.collect();
                } else {
                    let inside = (member.to_owned(), members.collect());
                    defaults.inside.push(inside);
                }
            }
        } else if path == "ignored.json"
            && let Some(document) = self.json(path, text)
        {
            for row in document.root().members() {
                let reason = row.value.as_str().unwrap_or_default();
                self.ignored
                    .insert(row.name.into_owned(), reason.into_owned());
            }
        }
    }

    /// A partial is found without its underscore; where both are there, as a partial.
    fn add_template(&mut self, path: &str, name: &str, text: &str) {
        let at = self.templates.len();
        self.templates
            .push(parse(path, text, &mut self.names, self.mode));
        let included_by = include_name(name);
        if included_by == name && name.contains('/') {
            self.by_name.entry(included_by).or_insert(at);
        } else {
            self.by_name.insert(included_by, at);
        }
    }

    fn json(&mut self, path: &str, text: &str) -> Option<Document> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        match Document::parse(bytes, &Limits::DEFAULT) {
            Ok(document) => Some(document),
            Err(error) => {
                let what = error.what.clone();
                self.faults
                    .push(Finding::of_file(path, error.line, error.column, what));
                None
            }
        }
    }

    fn read_metadata(&mut self, path: &str, document: &Document) {
        let root = document.root();
        let mut refuse = |name: &str, what: String| {
            let (line, column) = place_in(document, root.get(name));
            self.faults.push(Finding::of_file(path, line, column, what));
        };
        let text = |name: &str| {
            let value = root.get(name)?;
            Some(value.as_str().unwrap_or_default().into_owned())
        };
        // What lies over another library is what that is.
        let named = text("type").and_then(|it| Processor::from_name(&it));
        let is_inherited = root.get("type").is_none() && self.processor.is_some();
        self.processor = named.or(self.processor);
        if named.is_none() && !is_inherited {
            let known: Vec<&str> = Processor::names().collect();
            refuse("type", format!("`type` is none of {}", known.join(", ")));
        }
        match text("mode").as_deref() {
            None | Some("compatible") => {}
            Some("strict") => self.mode = Mode::Strict,
            Some(_) => refuse("mode", "`mode` is none of compatible, strict".to_owned()),
        }
        if let Some(zone) = text("zone") {
            let offset = crate::filter::offset(&zone);
            self.zone_offset_minutes = offset.and_then(|it| i32::try_from(it).ok());
            if self.zone_offset_minutes.is_none() {
                refuse("zone", "`zone` is written as `+01:00`".to_owned());
            }
        }
    }

    /// How its templates are read.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The zone of times when neither they nor the message nor the channel name one.
    pub(crate) fn zone_offset_minutes(&self) -> Option<i32> {
        self.zone_offset_minutes
    }

    /// What stands in members of a type that nothing gave a value (`defaults.json`).
    pub(crate) fn defaults(&self, kind: &str) -> Option<&Defaults> {
        self.defaults.get(kind)
    }

    /// Why the library leaves such a part of an input away on purpose (`ignored.json`).
    pub fn reason_to_ignore(&self, part: &Unread) -> Option<&str> {
        part.reason(&self.ignored)
    }

    /// A strict library with faults converts nothing.
    pub(crate) fn must_be_sound(&self) -> Result<()> {
        let errors = || self.faults.iter().filter(|it| it.level == Level::Error);
        match errors().next() {
            Some(first) if self.mode == Mode::Strict => {
                let what = format!(
                    "the library has {} faults, the first: {first}",
                    errors().count()
                );
                Err(ConvertError::new(ErrorKind::Syntax, what))
            }
            _ => Ok(()),
        }
    }

    /// The processor that `metadata.json` names.
    pub fn processor(&self) -> Option<Processor> {
        self.processor
    }

    /// The names of the templates outside of folders: those that conversions begin with.
    pub fn roots(&self) -> Vec<&str> {
        let names = self.by_name.keys().map(String::as_str);
        let mut roots: Vec<&str> = names
            .filter(|it| !it.contains('/') && !it.starts_with('_'))
            .collect();
        roots.sort_unstable();
        roots
    }

    /// How many templates it has.
    pub fn template_count(&self) -> usize {
        self.templates.len()
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The template that a conversion begins with.
    pub(crate) fn root(&self, name: &str) -> Result<&Template> {
        self.partial(name).ok_or_else(|| {
            let nearest = self.nearest(name);
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let what = format!("the library has no root template `{name}`{hint}");
            ConvertError::new(ErrorKind::RootNotFound, what)
        })
    }

    /// The template that is included by that name.
    pub(crate) fn partial(&self, name: &str) -> Option<&Template> {
        self.by_name.get(name).map(|at| &self.templates[*at])
    }

    /// The template whose name is nearest to one that does not exist.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        fhir::suggest::nearest(name, names)
    }

    /// A property of a code in the map of that name.
    pub(crate) fn mapped(&self, map: &str, code: &str, property: &str) -> Option<&str> {
        self.code_maps.get(map, code, property)
    }

    /// The schema in that file.
    pub(crate) fn schema<'a>(&self, path: &str, arena: &'a Arena) -> Result<Value<'a>> {
        let Some(text) = self.schemas.get(path) else {
            let nearest = fhir::suggest::nearest(path, self.schemas.keys().map(String::as_str));
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let what = format!("the library has no schema `{path}`{hint}");
            return Err(ConvertError::new(ErrorKind::TemplateNotFound, what));
        };
        data::json::read(text, &Budgets::default(), arena)
            .map_err(|error| ConvertError::new(ErrorKind::Schema, error.what))
    }
}

/// Line and column of a value, or of the document where there is none.
fn place_in(document: &Document, value: Option<fhir::json::Value<'_>>) -> (usize, usize) {
    let text = std::str::from_utf8(document.text()).unwrap_or_default();
    line_and_column(text, value.map_or(0, |it| it.span().start))
}

/// The name by which templates include the one in that file (without its ending).
fn include_name(name: &str) -> String {
    let partial = name
        .rsplit_once('/')
        .and_then(|(folder, file)| Some((folder, file.strip_prefix('_')?)));
    partial.map_or_else(
        || name.to_owned(),
        |(folder, file)| format!("{folder}/{file}"),
    )
}

/// What a file of an upper layer replaces below.
fn place_of(path: &str) -> String {
    path.strip_suffix(".liquid")
        .map_or_else(|| path.to_owned(), |name| include_name(name) + ".liquid")
}

/// The files that count, in order: metadata and code maps from all layers, the lowest first, of
/// others the uppermost.
fn laid_over(layers: &[Sources]) -> Vec<(&str, &str)> {
    let mut highest: HashMap<String, usize> = HashMap::new();
    for (at, layer) in layers.iter().enumerate() {
        for (path, _) in &layer.files {
            highest.insert(place_of(path), at);
        }
    }
    let counts = |path: &str, at: usize| is_merged(path) || highest[&place_of(path)] == at;
    let mut files = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        let of_layer = layer.files.iter().filter(|it| counts(&it.0, at));
        files.extend(of_layer.map(|(path, text)| {
            let layer = if is_merged(path) { at } else { 0 };
            // What a library is, is known before its templates are read.
            (path != METADATA, layer, path.as_str(), text.as_str())
        }));
    }
    files.sort_unstable();
    files
        .into_iter()
        .map(|(_, _, path, text)| (path, text))
        .collect()
}

/// Files of which every layer says a part.
fn is_merged(path: &str) -> bool {
    matches!(path, METADATA | "defaults.json" | "ignored.json") || is_code_map(path)
}

fn overlay(layers: &[Sources]) -> Option<Overlay> {
    let (top, below) = layers.split_last()?;
    let names = below
        .iter()
        .flat_map(|it| &it.files)
        .filter_map(|(path, _)| path.strip_suffix(".liquid").map(include_name));
    (!below.is_empty()).then(|| Overlay {
        files: top.files.iter().map(|it| it.0.clone()).collect(),
        below: names.collect(),
    })
}

fn is_code_map(path: &str) -> bool {
    path.ends_with("CodeSystem/CodeSystem.json") || path.ends_with("ValueSet/ValueSet.json")
}
