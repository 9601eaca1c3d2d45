//! One conversion: input to data, data through the root template, what comes out made whole.

use fhir::Instant;

use crate::budget::{Budgets, Meter};
use crate::data::hl7v2::{Hl7, StrictMessage};
use crate::data::{self, hl7v2};
use crate::error::{ConvertError, ErrorKind, Result, line_and_column};
use crate::json::{Leniency, entries, merge, write};
use crate::library::{Library, Processor};
use crate::render::{Renderer, Sink};
use crate::template::{Mode, Template};
use crate::unread::{self, Notation, Unread};
use crate::value::{Arena, Map, Value};

/// What a conversion depends on besides its library and its input.
pub struct Settings<'s> {
    /// The time that `now` shows.
    pub now: Instant,
    /// Where the filter `random` begins.
    pub seed: u64,
    /// The zone of times that name none, in minutes east of UTC. A strict library takes that of
    /// MSH-7 before it; without it, it takes its own, as every other takes UTC.
    pub zone_offset_minutes: Option<i32>,
    /// How the filter `id` of strict libraries makes ids.
    pub ids: IdStrategy<'s>,
    /// What the conversion may use.
    pub budgets: Budgets,
    /// Whether the conversion took long enough; asked every few hundred steps.
    pub time_is_up: &'s dyn Fn() -> bool,
}

/// How ids are made, so that what arrives twice is stored once.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum IdStrategy<'s> {
    /// A hash of the keys, the same everywhere.
    #[default]
    Hash,
    /// A hash of a secret and the keys, so that nobody can tell keys from ids.
    Salted(&'s str),
    /// The server's: entries are looked for by their identifiers (`PUT Type?identifier=…`).
    Conditional,
}

impl IdStrategy<'_> {
    /// Its name, as templates see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Salted(_) => "salted",
            Self::Conditional => "conditional",
        }
    }
}

impl<'s> Settings<'s> {
    /// What most conversions are made with: nothing said about zones, hashed ids, the usual budgets.
    pub fn new(now: Instant, time_is_up: &'s dyn Fn() -> bool) -> Self {
        Self {
            now,
            seed: 0,
            zone_offset_minutes: None,
            ids: IdStrategy::Hash,
            budgets: Budgets::default(),
            time_is_up,
        }
    }
}

/// What came of a conversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// JSON, or an HL7 v2 message.
    pub text: String,
    /// The parts of the input with content that no template read.
    pub unread: Vec<Unread>,
    /// Those that the library leaves away on purpose, see [`Library::reason_to_ignore`].
    pub ignored: Vec<Unread>,
}

impl Library {
    /// Converts an input with the root template of that name.
    pub fn convert(
        &self,
        root: &str,
        processor: Processor,
        input: &str,
        settings: &Settings<'_>,
    ) -> Result<Output> {
        let arena = Arena::new();
        convert(self, root, processor, input, settings, &arena)
    }
}

fn convert<'a>(
    library: &'a Library,
    root: &'a str,
    processor: Processor,
    input: &'a str,
    settings: &'a Settings<'a>,
    arena: &'a Arena,
) -> Result<Output> {
    let budgets = &settings.budgets;
    if input.len() > budgets.input_bytes_max {
        return Err(ConvertError::limit(
            "input_bytes_max",
            budgets.input_bytes_max,
        ));
    }
    library.must_be_sound()?;
    let data = read(library.mode(), processor, input, budgets, arena)?;
    let template = library.root(root)?;
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let meter: &'a Meter<'a> = arena.alloc(Meter::new(budgets, settings.time_is_up, arena));
    let mut renderer = Renderer::new(library, template, folder, arena, meter, settings);
    renderer.set_input(data.name, data.value);
    if let Some(message) = data.strict {
        renderer.message_offset = message.offset();
        renderer.set_data("structure", Value::plain(message.structure));
        renderer.set_data("source", Value::plain(message.message.text));
    }
    if library.mode() == Mode::Strict {
        renderer.set_data("ids", Value::plain(settings.ids.name()));
        if processor == Processor::Ccda {
            renderer.message_offset = document_offset(data.value);
            renderer.set_data("source", Value::plain(input));
        }
    }
    let mut sink = Sink::json(arena, Leniency::DropEmpty, budgets.depth_max);
    renderer.root(&mut sink)?;
    let written = match sink {
        Sink::Json(builder) => builder.finish()?,
        Sink::Text(_) => None,
    };
    let value = written.ok_or_else(|| nothing_written(template))?;
    let unread = match (data.value, data.strict) {
        (_, Some(message)) => hl7v2::unread(message.message),
        (Value::Hl7(Hl7::Message(message)), _) => hl7v2::unread(message),
        (document, _) if processor == Processor::Ccda => unread::nodes(document, Notation::Xml),
        (document, _) => unread::nodes(document, Notation::Json),
    };
    let (ignored, unread) = unread
        .into_iter()
        .partition(|it| library.reason_to_ignore(it).is_some());
    Ok(Output {
        text: finished(library, processor, value, settings, arena)?,
        unread,
        ignored,
    })
}

fn nothing_written(template: &Template) -> ConvertError {
    ConvertError {
        place: Some(template.place(0)),
        ..ConvertError::new(ErrorKind::Json, "the template wrote no JSON object")
    }
}

/// The data and its name in templates.
struct Data<'a> {
    name: &'static str,
    value: Value<'a>,
    strict: Option<&'a StrictMessage<'a>>,
}

fn read<'a>(
    mode: Mode,
    processor: Processor,
    input: &'a str,
    budgets: &Budgets,
    arena: &'a Arena,
) -> Result<Data<'a>> {
    if input.trim().is_empty() {
        return Err(ConvertError::new(ErrorKind::Input, "the input is empty"));
    }
    let mut strict = None;
    let (name, value) = match processor {
        Processor::Hl7v2 if mode == Mode::Strict => {
            let message = hl7v2::read_strict(input, budgets, arena)?;
            strict = Some(message);
            ("message", Value::Hl7(Hl7::Group(message.root)))
        }
        Processor::Hl7v2 => {
            let message = hl7v2::read(input, budgets, arena)?;
            ("hl7v2Data", Value::Hl7(Hl7::Message(message)))
        }
        Processor::Ccda => {
            let document = data::xml::read(input, mode, budgets, arena)?;
            if mode == Mode::Strict {
                must_be_clinical(document, input)?;
            }
            ("msg", document)
        }
        Processor::Json | Processor::Fhir | Processor::FhirToHl7v2 => {
            ("msg", data::json::read(input, budgets, arena)?)
        }
    };
    Ok(Data {
        name,
        value,
        strict,
    })
}

fn must_be_clinical(document: Value<'_>, input: &str) -> Result<()> {
    let mut members = document.as_map().into_iter().flat_map(Map::peek);
    match members.next() {
        Some((name, Value::Map(root), _)) if name != "ClinicalDocument" => {
            let at = root.source().as_ptr().addr() - input.as_ptr().addr();
            let (line, column) = line_and_column(input, at);
            let what = format!(
                "the root element is not `ClinicalDocument` of `urn:hl7-org:v3`, at line {line}, \
                 column {column}"
            );
            Err(ConvertError::new(ErrorKind::Input, what))
        }
        _ => Ok(()),
    }
}

/// The zone of the time at which a clinical document was written, in minutes east of UTC.
fn document_offset(root: Value<'_>) -> Option<i64> {
    let path = ["ClinicalDocument", "effectiveTime", "value"];
    let mut value = root;
    for name in path {
        value = value.as_map()?.get(name)?;
    }
    let Value::Text(time) = value else {
        return None;
    };
    let time = time.peek();
    let zone = time.rfind(['+', '-'])?;
    crate::filter::offset(&time[zone..])
}

fn finished<'a>(
    library: &Library,
    processor: Processor,
    value: Value<'a>,
    settings: &Settings<'_>,
    arena: &'a Arena,
) -> Result<String> {
    if processor == Processor::FhirToHl7v2 {
        return match library.mode() {
            Mode::Compatible => data::outbound::message(value, arena),
            Mode::Strict => data::outbound::structured(value, arena),
        };
    }
    let merged = merge::entries(value, arena, settings.budgets.depth_max)?;
    let finished = match library.mode() {
        Mode::Compatible => merged,
        Mode::Strict => entries::finish(merged, library, settings, arena)?,
    };
    Ok(write::to_string(finished))
}
