//! One conversion: input to data, data through the root template, what comes out made whole.

use fhir::Instant;

use crate::budget::{Budgets, Meter};
use crate::data::hl7v2::{Hl7, Unread};
use crate::data::{self, hl7v2};
use crate::error::{ConvertError, ErrorKind, Result};
use crate::json::{Leniency, merge, write};
use crate::library::{Library, Processor};
use crate::render::{Renderer, Sink};
use crate::value::{Arena, Value};

/// What a conversion depends on besides its library and its input.
pub struct Settings<'s> {
    /// The time that `now` shows.
    pub now: Instant,
    /// Where the filter `random` begins.
    pub seed: u64,
    /// The zone of times that name none, in minutes east of UTC.
    pub zone_offset_minutes: i32,
    /// What the conversion may use.
    pub budgets: Budgets,
    /// Whether the conversion took long enough; asked every few hundred steps.
    pub time_is_up: &'s dyn Fn() -> bool,
}

/// What came of a conversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// JSON, or an HL7 v2 message.
    pub text: String,
    /// The components of an HL7 v2 message with content that no template read.
    pub unread: Vec<Unread>,
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
    let (name, data) = read(processor, input, budgets, arena)?;
    let template = library.root(root)?;
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let meter: &'a Meter<'a> = arena.alloc(Meter::new(budgets, settings.time_is_up, arena));
    let mut renderer = Renderer::new(library, template, folder, arena, meter, settings);
    renderer.set_data(name, data);
    let mut sink = Sink::json(arena, Leniency::DropEmpty, budgets.depth_max);
    renderer.root(&mut sink)?;
    let Sink::Json(builder) = sink else {
        return Err(nothing_written());
    };
    let value = builder.finish()?.ok_or_else(nothing_written)?;
    let unread = match data {
        Value::Hl7(Hl7::Message(message)) => hl7v2::unread(message),
        _ => Vec::new(),
    };
    Ok(Output {
        text: finished(processor, value, arena, budgets)?,
        unread,
    })
}

fn nothing_written() -> ConvertError {
    ConvertError::new(ErrorKind::Json, "the template wrote no JSON object")
}

/// The data and its name in templates.
fn read<'a>(
    processor: Processor,
    input: &'a str,
    budgets: &Budgets,
    arena: &'a Arena,
) -> Result<(&'static str, Value<'a>)> {
    if input.trim().is_empty() {
        return Err(ConvertError::new(ErrorKind::Input, "the input is empty"));
    }
    Ok(match processor {
        Processor::Hl7v2 => {
            let message = hl7v2::read(input, arena)?;
            ("hl7v2Data", Value::Hl7(Hl7::Message(message)))
        }
        Processor::Ccda => ("msg", data::xml::read(input, budgets, arena)?),
        Processor::Json | Processor::Fhir | Processor::FhirToHl7v2 => {
            ("msg", data::json::read(input, budgets, arena)?)
        }
    })
}

fn finished<'a>(
    processor: Processor,
    value: Value<'a>,
    arena: &'a Arena,
    budgets: &Budgets,
) -> Result<String> {
    if processor == Processor::FhirToHl7v2 {
        return data::outbound::message(value, arena);
    }
    let merged = merge::entries(value, arena, budgets.depth_max)?;
    Ok(write::to_string(merged))
}
