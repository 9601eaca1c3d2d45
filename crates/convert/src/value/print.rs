//! How values print: null as nothing, booleans in lower case, decimals without zeros at their end,
//! lists as their items one after the other, objects as nothing.

use std::fmt::Write;

use fhir::Decimal;

use super::{Arena, Text, TextBuilder, TextKind, Value};

/// Greatest nesting of lists that is printed.
const LIST_DEPTH_MAX: usize = 128;

/// The printed value.
pub(crate) fn text<'a>(value: Value<'a>, arena: &'a Arena) -> Text<'a> {
    match value {
        Value::Text(text) => text,
        Value::Null => Text::Markup(""),
        Value::Bool(true) => Text::Markup("true"),
        Value::Bool(false) => Text::Markup("false"),
        other => {
            let mut builder = TextBuilder::default();
            print(other, LIST_DEPTH_MAX, &mut builder);
            builder.finish(arena)
        }
    }
}

fn print(value: Value<'_>, depth: usize, into: &mut TextBuilder) {
    match value {
        Value::Text(text) => into.push_text(text),
        Value::List(items) if depth > 0 => {
            for item in items {
                print(*item, depth - 1, into);
            }
        }
        Value::Bool(truth) => into.push(TextKind::Markup, if truth { "true" } else { "false" }),
        Value::Int(_) | Value::Decimal(_) | Value::Double(_) => {
            into.push(TextKind::Markup, &number(value));
        }
        _ => {}
    }
}

/// A number as templates print it; nothing for what is none.
pub(crate) fn number(value: Value<'_>) -> String {
    match value {
        Value::Int(whole) => whole.to_string(),
        Value::Decimal(decimal) => plain(decimal.normalized()),
        Value::Double(double) => Decimal::from_f64(double)
            .map_or_else(|| double.to_string(), |decimal| plain(decimal.normalized())),
        _ => String::new(),
    }
}

/// The printed value, a number with the digits that it was given with: they are its precision.
pub(crate) fn exact<'a>(value: Value<'a>, arena: &'a Arena) -> Text<'a> {
    match value {
        Value::Decimal(decimal) => Text::Markup(arena.alloc_str(&plain(*decimal))),
        other => text(other, arena),
    }
}

fn plain(decimal: Decimal) -> String {
    decimal.expanded().unwrap_or(decimal).to_string()
}

/// A number as JSON keeps it: with the digits that were given.
pub(crate) fn write_number(value: Value<'_>, into: &mut String) {
    let written = match value {
        Value::Int(whole) => write!(into, "{whole}"),
        Value::Decimal(decimal) => write!(into, "{decimal}"),
        Value::Double(double) => write!(into, "{double:e}"),
        _ => Ok(()),
    };
    written.expect("writing to a string cannot fail");
}
