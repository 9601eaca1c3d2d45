//! `for` and `tablerow`.

use super::expression::whole;
use super::{Flow, Renderer, Sink};
use crate::error::Result;
use crate::template::Mode;
use crate::template::syntax::{For, Offset};
use crate::value::{Text, Value};

impl<'a> Renderer<'a> {
    pub(super) fn for_loop(&mut self, header: &'a For, out: &mut Sink<'a>) -> Result<Flow> {
        let segment = self.segment(header)?;
        if segment.is_empty() {
            return self.in_block(|renderer| renderer.render(&header.otherwise, out));
        }
        self.scopes.enter_loop(&header.name, segment.len());
        let result = self.in_block(|renderer| {
            for (index, item) in segment.iter().enumerate() {
                renderer.meter.iteration()?;
                renderer.scopes.at_index(index);
                renderer.set(header.variable, *item);
                if renderer.render(&header.body, out)? == Flow::Break {
                    break;
                }
            }
            Ok(Flow::Next)
        });
        self.scopes.leave_loop();
        result
    }

    /// The elements of a value; in strict mode an element of a message has some too, and one of a
    /// document is a list of one.
    pub(crate) fn elements(&self, value: Value<'a>) -> Option<&'a [Value<'a>]> {
        match (self.mode, value) {
            (Mode::Strict, Value::Hl7(element)) => element.strict_elements(self.arena),
            _ if value.as_element().is_some() => Some(self.arena.alloc_slice_copy(&[value])),
            _ => value.elements(self.arena),
        }
    }

    /// The elements that a loop goes through.
    fn segment(&mut self, header: &'a For) -> Result<Vec<Value<'a>>> {
        let collection = self.operand(&header.collection)?;
        let Some(elements) = self.elements(collection) else {
            return Ok(Vec::new());
        };
        let from = match &header.offset {
            None => 0,
            Some(Offset::At(operand)) => count(self.operand(operand)?),
            Some(Offset::Continue) => self.loop_ends.get(&*header.name).copied().unwrap_or(0),
        };
        let length = match &header.limit {
            Some(operand) => count(self.operand(operand)?),
            None => usize::MAX,
        };
        let elements = elements.iter().skip(from).take(length);
        let mut segment: Vec<Value<'a>> = elements.copied().collect();
        if header.is_reversed {
            segment.reverse();
        }
        self.loop_ends.insert(&header.name, from + segment.len());
        Ok(segment)
    }

    pub(super) fn table_row(&mut self, header: &'a For, out: &mut Sink<'a>) -> Result<Flow> {
        let segment = self.segment(header)?;
        let columns = match &header.columns {
            Some(operand) => count(self.operand(operand)?).max(1),
            None => segment.len().max(1),
        };
        out.markup("<tr class=\"row1\">\n")?;
        self.scopes.enter_loop(&header.name, segment.len());
        let result = self.scoped(|renderer| renderer.cells(header, &segment, columns, out));
        self.scopes.leave_loop();
        result?;
        out.markup("</tr>\n")?;
        Ok(Flow::Next)
    }

    fn cells(
        &mut self,
        header: &'a For,
        segment: &[Value<'a>],
        columns: usize,
        out: &mut Sink<'a>,
    ) -> Result<()> {
        for (index, item) in segment.iter().enumerate() {
            self.meter.iteration()?;
            self.scopes.at_index(index);
            self.set(header.variable, *item);
            let column = index % columns + 1;
            out.push(Text::Markup(
                self.arena.alloc_str(&format!("<td class=\"col{column}\">")),
            ))?;
            let flow = self.render(&header.body, out)?;
            out.markup("</td>")?;
            if flow == Flow::Break {
                break;
            }
            if column == columns && index + 1 < segment.len() {
                let row = (index + 1) / columns + 1;
                let text = format!("</tr>\n<tr class=\"row{row}\">");
                out.push(Text::Markup(self.arena.alloc_str(&text)))?;
            }
        }
        Ok(())
    }
}

/// A count; a negative one is none.
fn count(value: Value<'_>) -> usize {
    usize::try_from(whole(value)).unwrap_or(0)
}
