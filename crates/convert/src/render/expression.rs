//! The value of an expression: literals, the way into the data, and filters.

use super::Renderer;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::filter::Takes;
use crate::template::Mode;
use crate::template::expression::{Call, Chain, Operand, Part, Path, Root};
use crate::value::{Text, Value, print};

/// Greatest number of elements of a range.
const RANGE_MAX: i64 = 100_000;

impl<'a> Renderer<'a> {
    /// The value after all filters.
    pub(super) fn chain(&mut self, chain: &'a Chain) -> Result<Value<'a>> {
        let value = self.operand(&chain.operand)?;
        self.filtered(value, &chain.filters)
    }

    pub(super) fn filtered(&mut self, value: Value<'a>, calls: &'a [Call]) -> Result<Value<'a>> {
        let mut value = value;
        for call in calls {
            value = self.call(call, value)?;
        }
        Ok(value)
    }

    fn call(&mut self, call: &'a Call, input: Value<'a>) -> Result<Value<'a>> {
        self.meter.step()?;
        // An unknown filter passes its input through.
        let Some(filter) = call.filter else {
            return Ok(input);
        };
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(self.operand(argument)?);
        }
        if self.mode == Mode::Compatible {
            return filter.run(self, input, &arguments);
        }
        let input = self.taken(input, filter.takes());
        for argument in &mut arguments {
            *argument = self.taken(*argument, filter.takes());
        }
        filter.run(self, input, &arguments)
    }

    /// What a filter of a strict library gets.
    fn taken(&self, value: Value<'a>, takes: Takes) -> Value<'a> {
        match (takes, value) {
            (Takes::Elements, _) | (Takes::Lists, Value::Map(_) | Value::List(_)) => value,
            _ => self.compared_value(value),
        }
    }

    /// The value of a fragment.
    pub(super) fn operand(&mut self, operand: &'a Operand) -> Result<Value<'a>> {
        Ok(match operand {
            Operand::Null => Value::Null,
            Operand::Bool(truth) => Value::Bool(*truth),
            Operand::Int(whole) => Value::Int(*whole),
            Operand::Decimal(decimal) => Value::Decimal(decimal),
            Operand::Text(text) => Value::Text(Text::Markup(text)),
            Operand::Empty => Value::Empty,
            Operand::Range(ends) => self.range(&ends.0, &ends.1)?,
            Operand::Path(path) => self.path(path)?,
        })
    }

    fn range(&mut self, from: &'a Operand, to: &'a Operand) -> Result<Value<'a>> {
        let from = whole(self.operand(from)?);
        let to = whole(self.operand(to)?);
        if to.saturating_sub(from) >= RANGE_MAX {
            return Err(ConvertError::limit("iterations_max", RANGE_MAX));
        }
        let numbers: Vec<Value<'a>> = (from..=to).map(Value::Int).collect();
        self.meter.steps(numbers.len())?;
        Ok(Value::List(self.arena.alloc_slice_copy(&numbers)))
    }

    /// Follows a path; what is not there is null.
    pub(super) fn path(&mut self, path: &'a Path) -> Result<Value<'a>> {
        let mut value = match &path.root {
            Root::Name(name) => self.scopes.get(*name, self.arena),
            Root::Computed(operand) => {
                let name = self.operand(operand)?;
                let name = print::text(name, self.arena).as_str();
                let name = self.library.names().find(name);
                name.map_or(Value::Null, |name| self.scopes.get(name, self.arena))
            }
        };
        for part in &path.parts {
            if value.is_null() {
                return Ok(Value::Null);
            }
            value = match part {
                Part::Name(name, number) => self.member(value, name, *number)?,
                Part::Index(operand) => {
                    let key = self.operand(operand)?;
                    self.index(value, key)?
                }
            };
        }
        Ok(value)
    }

    fn member(&self, of: Value<'a>, name: &str, number: Option<usize>) -> Result<Value<'a>> {
        if let (Mode::Strict, Value::Hl7(element)) = (self.mode, of) {
            return match number {
                Some(number) => Ok(element.strict_index(number)),
                None => element.strict_member(name, self.arena),
            };
        }
        match (of, number) {
            (Value::Hl7(element), Some(number)) => return Ok(element.index(number)),
            (Value::Hl7(element), None) => return element.property(name, self.arena),
            (Value::Map(map), _) => {
                if let Some(value) = map.get(name) {
                    return Ok(value);
                }
            }
            // A path goes through the first of several elements.
            (Value::List([first, ..]), _) if first.as_element().is_some() && !is_command(name) => {
                return self.member(*first, name, number);
            }
            (Value::Pair(pair), _) => {
                return Ok(match name {
                    "Key" | "key" | "itemName" => Value::plain(pair.0),
                    "Value" | "value" => pair.1,
                    _ => pair
                        .1
                        .as_map()
                        .and_then(|it| it.get(name))
                        .unwrap_or(Value::Null),
                });
            }
            _ => {}
        }
        self.command(of, name)
    }

    /// `size`, `first` and `last`, of whatever has elements and no member of that name.
    fn command(&self, of: Value<'a>, name: &str) -> Result<Value<'a>> {
        if !is_command(name) {
            return Ok(Value::Null);
        }
        if let (Value::Text(text), "size") = (of, name) {
            return Ok(Value::Int(utf16_length(text.as_str())));
        }
        let Some(elements) = self.elements(of) else {
            return Ok(Value::Null);
        };
        self.meter.steps(elements.len() / 16)?;
        Ok(match name {
            "size" => Value::Int(i64::try_from(elements.len()).unwrap_or(i64::MAX)),
            "first" => elements.first().copied().unwrap_or(Value::Null),
            _ => elements.last().copied().unwrap_or(Value::Null),
        })
    }

    /// `[…]`: a position in a list, a name in a map.
    fn index(&self, of: Value<'a>, key: Value<'a>) -> Result<Value<'a>> {
        match (of, key) {
            (Value::Hl7(element), Value::Int(at)) if self.mode == Mode::Strict => {
                Ok(usize::try_from(at).map_or(Value::Null, |at| element.strict_index(at)))
            }
            (Value::Hl7(element), Value::Int(at)) => {
                Ok(usize::try_from(at).map_or(Value::Null, |at| element.index(at)))
            }
            (Value::Hl7(element), Value::Text(name)) => match name.as_str().parse() {
                Ok(number) => Ok(element.index(number)),
                Err(_) => element.property(name.as_str(), self.arena),
            },
            (Value::List(items), Value::Int(at)) => {
                let item = usize::try_from(at)
                    .ok()
                    .and_then(|at| items.get(at).copied());
                item.ok_or_else(|| {
                    let what = format!("`[{at}]` is out of range");
                    ConvertError::new(ErrorKind::Rendering, what)
                })
            }
            (Value::Pair(pair), Value::Int(0)) => Ok(Value::plain(pair.0)),
            (Value::Pair(pair), Value::Int(1)) => Ok(pair.1),
            (Value::Map(map), key) => {
                let name = print::text(key, self.arena).as_str();
                Ok(map.get(name).unwrap_or(Value::Null))
            }
            _ => Ok(Value::Null),
        }
    }
}

fn is_command(name: &str) -> bool {
    matches!(name, "size" | "first" | "last")
}

/// The length as .NET counts it.
pub(crate) fn utf16_length(text: &str) -> i64 {
    let units = if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    };
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// Where the character is that has that UTF-16 unit.
pub(crate) fn byte_at(text: &str, unit: usize) -> usize {
    if text.is_ascii() {
        return unit.min(text.len());
    }
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units >= unit {
            return at;
        }
        units += c.len_utf16();
    }
    text.len()
}

/// A whole number, as `Convert.ToInt32` would make it; 0 for what is none.
pub(crate) fn whole(value: Value<'_>) -> i64 {
    let decimal = crate::value::compare::decimal(value);
    decimal.and_then(|it| it.trunc().to_i64()).unwrap_or(0)
}
