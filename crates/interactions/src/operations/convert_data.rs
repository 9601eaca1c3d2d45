//! `$convert-data`: a message or document as FHIR, with the parameters of Microsoft's service and,
//! where `store` is true, stored at once: all entries become one transaction.

use bytes::Bytes;
use fhir::json::{Document, Limits, Value, write_string};
use fhir::{Fault, Issue};

use super::Call;
use crate::conversion::{Conversion, Converted};
use crate::{Bundle, Caller, EntryAnswer, InteractionError, Interactions, WriteEffect};

pub(super) const DOCUMENTATION: &str = "Converts `inputData` with a library of templates and \
     answers with the resource that comes of it, mostly a `Bundle`. The library is the tenant's of \
     that name in `templateCollectionReference` (`site`, or `site:3` for a version), or else ours \
     for the `inputDataType`: `hl7v2` and `ccda` become FHIR, `fhir` becomes an ADT or ORU message of \
     HL7 v2; `json` needs a library. \
     Microsoft's names of default collections stand for ours. `rootTemplate` names the template to begin with; without \
     it the message's event, the document's code or the resource's type does. `zoneOffsetMinutes` \
     is the zone of times that name none. The message may be the body itself, with a media type \
     such as `x-application/hl7-v2+er7`, `text/hl7v2`, `application/hl7-v2` or \
     `application/cda+xml`, and the other parameters in the URL; where they give `inputDataType`, \
     the body may be JSON, XML or text of that type. Its characters are those of the media type's \
     `charset`, or else of MSH-18 or the XML declaration, or else UTF-8. What is no FHIR is answered in a \
     `Parameters`. With `store`, the entries are stored as one transaction, and the answer is a \
     `Parameters` with an `entry` for each.";

/// Conversions and their entries are no larger than any other bundle.
const LIMITS: Limits = Limits::DEFAULT;

impl Interactions {
    /// The operation `$convert-data`.
    pub(super) async fn convert_data(
        &self,
        caller: &Caller,
        call: Call,
    ) -> Result<Bytes, InteractionError> {
        let arguments = call.arguments;
        let text = |name| arguments.text(name).map(std::borrow::Cow::into_owned);
        let raw = |name| {
            arguments
                .each(name)
                .find_map(|it| Some(it.value()?.1.raw()))
        };
        let zone = raw("zoneOffsetMinutes").map(str::parse).transpose();
        let zone_offset_minutes = zone.ok().filter(|it| it.is_none_or(is_zone));
        let zone_offset_minutes = zone_offset_minutes.ok_or_else(|| {
            let what = "`zoneOffsetMinutes` is not between -840 and 840";
            Issue::error(Fault::Value, what)
        })?;
        let conversion = Conversion {
            input: text("inputData").unwrap_or_default().into(),
            data_type: text("inputDataType"),
            library: text("templateCollectionReference"),
            root: text("rootTemplate"),
            zone_offset_minutes,
        };
        let is_stored = raw("store") == Some("true");
        let converted = self
            .converter()?
            .convert(&caller.tenant, conversion)
            .await?;
        match (converted.is_fhir, is_stored) {
            (true, false) => Ok(converted.text.into()),
            (true, true) => self.store_converted(caller, converted).await,
            (false, false) => Ok(message(&converted.text).into()),
            (false, true) => {
                let what = "what the conversion gives is no FHIR, so it cannot be stored";
                Err(Issue::error(Fault::Invalid, what).into())
            }
        }
    }

    /// Stores the entries of a bundle as one transaction.
    pub async fn store_converted(
        &self,
        caller: &Caller,
        converted: Converted,
    ) -> Result<Bytes, InteractionError> {
        let transaction = transaction(&converted.text)?;
        let stored = self.bundle(caller, transaction).await?;
        Ok(told(&stored).into())
    }
}

fn is_zone(minutes: i32) -> bool {
    (-840..=840).contains(&minutes)
}

/// The same bundle as a transaction.
fn transaction(text: &str) -> Result<Document, InteractionError> {
    let parse = |text: String| {
        Document::parse(Bytes::from(text), &LIMITS).map_err(|error| Issue::from(&error))
    };
    let document = parse(text.to_owned())?;
    let root = document.root();
    let is_bundle = root
        .get("resourceType")
        .is_some_and(|it| it.is_str("Bundle"));
    let kind = root.get("type").filter(|_| is_bundle).map(Value::span);
    let Some(kind) = kind else {
        let what = "the conversion gives no `Bundle` with a `type`, so it cannot be stored";
        return Err(Issue::error(Fault::Invalid, what).into());
    };
    let text = [&text[..kind.start], "\"transaction\"", &text[kind.end..]].concat();
    Ok(parse(text)?)
}

/// A `Parameters` with what happened to each entry and where it is.
fn told(stored: &Bundle) -> String {
    let mut text = String::from("{\"resourceType\":\"Parameters\",\"parameter\":[");
    for (number, entry) in stored.entries.iter().enumerate() {
        let (effect, place) = match &entry.answer {
            Ok(EntryAnswer::Written(written)) => {
                let place = written.resource.as_ref().map(|it| {
                    let (key, version) = (&it.key, it.version.0);
                    format!("{}/{}/_history/{version}", key.resource_type, key.id)
                });
                (effect(written.effect), place)
            }
            _ => ("other", None),
        };
        if number > 0 {
            text.push(',');
        }
        text.push_str("{\"name\":\"entry\",\"part\":[{\"name\":\"effect\",\"valueCode\":\"");
        text.extend([effect, "\"}"]);
        if let Some(place) = place {
            text.push_str(",{\"name\":\"location\",\"valueUri\":");
            write_string(&place, &mut text);
            text.push('}');
        }
        text.push_str("]}");
    }
    text.push_str("]}");
    text
}

fn effect(effect: WriteEffect) -> &'static str {
    match effect {
        WriteEffect::Created => "created",
        WriteEffect::Updated => "updated",
        WriteEffect::Unchanged => "unchanged",
        _ => "other",
    }
}

/// A message that is no resource, in one.
fn message(text: &str) -> String {
    let mut told = String::from(
        "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"message\",\"valueString\":",
    );
    write_string(text, &mut told);
    told.push_str("}]}");
    told
}
