//! JSON and FHIR as data. The text is read strictly: what comes in is not a template's output.

use bytes::Bytes;
use fhir::json::{Document, Kind, Limits};

use crate::budget::Budgets;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::value::{Arena, MapBuilder, Value};

/// Reads JSON text.
pub(crate) fn read<'a>(text: &str, budgets: &Budgets, arena: &'a Arena) -> Result<Value<'a>> {
    let limits = Limits {
        bytes_max: budgets.input_bytes_max,
        depth_max: budgets.depth_max,
        ..Limits::DEFAULT
    };
    let text = Bytes::copy_from_slice(text.as_bytes());
    let document = Document::parse(text, &limits)
        .map_err(|error| ConvertError::new(ErrorKind::Input, error.to_string()))?;
    Ok(value(document.root(), arena))
}

fn value<'a>(from: fhir::json::Value<'_>, arena: &'a Arena) -> Value<'a> {
    match from.kind() {
        Kind::Null => Value::Null,
        Kind::Boolean => Value::Bool(from.as_bool().unwrap_or_default()),
        Kind::Number => Value::number(from.raw(), arena).unwrap_or(Value::Null),
        Kind::String => {
            let text = from.as_str().unwrap_or_default();
            Value::given(arena.alloc_str(&text), arena)
        }
        Kind::Array => {
            let items: Vec<Value<'a>> = from.items().map(|it| value(it, arena)).collect();
            Value::List(arena.alloc_slice_copy(&items))
        }
        Kind::Object => {
            let mut map = MapBuilder::default();
            for member in from.members() {
                map.set(arena.alloc_str(&member.name), value(member.value, arena));
            }
            Value::Map(map.finish_given("", arena))
        }
    }
}
