//! What each node does.

use super::{Flow, Renderer, Sink};
use crate::error::{ConvertError, ErrorKind, Result};
use crate::filter;
use crate::json::{Leniency, merge, schema};
use crate::template::expression::{Chain, Operand};
use crate::template::syntax::{Branch, Case, Node, NodeKind, Test};
use crate::template::{Mode, NameId};
use crate::value::{Map, Text, Value, compare, print};

impl<'a> Renderer<'a> {
    pub(super) fn node(&mut self, node: &'a Node, out: &mut Sink<'a>) -> Result<Flow> {
        out.is_from(self.origin(matches!(node.kind, NodeKind::Text(_))));
        match &node.kind {
            NodeKind::Text(text) | NodeKind::Raw(text) => {
                self.meter.text(text.len())?;
                out.markup(text)?;
            }
            NodeKind::Output(chain) => self.output(chain, out)?,
            NodeKind::Assign { to, value } => {
                let value = self.chain(value)?;
                self.assign(*to, value);
            }
            NodeKind::Capture { to, body } => {
                let mut captured = Sink::text();
                let flow = self.render(body, &mut captured)?;
                if flow == Flow::Next {
                    let text = self.captured(&captured)?;
                    self.assign(*to, Value::Text(text));
                }
                return Ok(flow);
            }
            NodeKind::Evaluate { to, include } => return self.evaluate(*to, include),
            NodeKind::Include(include) => return self.include(include, out),
            NodeKind::If(branches) => {
                return self.in_block(|renderer| renderer.branches(branches, out));
            }
            NodeKind::Case(case) => return self.in_block(|renderer| renderer.case(case, out)),
            NodeKind::For(header) => return self.for_loop(header, out),
            NodeKind::TableRow(header) => return self.table_row(header, out),
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
            NodeKind::MergeDiff { subject, body } => self.merge_diff(subject, body, out)?,
            NodeKind::Validate { schema, body } => self.validate(schema, body, out)?,
            _ => return self.rare_node(node, out),
        }
        Ok(Flow::Next)
    }

    /// The tags that hardly any template uses.
    fn rare_node(&mut self, node: &'a Node, out: &mut Sink<'a>) -> Result<Flow> {
        match &node.kind {
            NodeKind::Cycle { key, values } => self.cycle(key, values, out)?,
            NodeKind::IfChanged(body) => self.if_changed(body, out)?,
            NodeKind::Increment(name) => {
                let count = self.scopes.counter(*name);
                self.scopes.set_data(*name, Value::Int(count + 1));
                self.print(Value::Int(count), out)?;
            }
            NodeKind::Decrement(name) => {
                let count = self.scopes.counter(*name) - 1;
                self.scopes.set_data(*name, Value::Int(count));
                self.print(Value::Int(count), out)?;
            }
            NodeKind::Block { name, body } => {
                let named = self.overrides.iter().find(|it| *it.0 == **name);
                let body = named.map_or(&body[..], |it| it.1);
                return self.render(body, out);
            }
            NodeKind::Extends { base, blocks } => self.extends(base, blocks, out)?,
            _ => {}
        }
        Ok(Flow::Next)
    }

    /// In strict mode a variable belongs to its template.
    fn assign(&mut self, to: NameId, value: Value<'a>) {
        match self.mode {
            Mode::Compatible => self.scopes.set_outermost(to, value),
            Mode::Strict => self.set(to, value),
        }
    }

    fn output(&mut self, chain: &'a Chain, out: &mut Sink<'a>) -> Result<()> {
        // A list that is rendered last goes straight out instead of through a text.
        if let Some((last, before)) = chain.filters.split_last()
            && last.filter.is_some_and(filter::is_batch)
            && let [template, variable, ..] = &last.arguments[..]
        {
            let value = self.operand(&chain.operand)?;
            let value = self.filtered(value, before)?;
            let (template, variable) = (self.operand(template)?, self.operand(variable)?);
            return self.batch(value, template, variable, out);
        }
        let value = self.chain(chain)?;
        let value = self.compared_value(value);
        self.print(value, out)
    }

    fn print(&mut self, value: Value<'a>, out: &mut Sink<'a>) -> Result<()> {
        let text = match self.mode {
            Mode::Compatible => print::text(value, self.arena),
            Mode::Strict => print::exact(value, self.arena),
        };
        self.meter.text(text.as_str().len())?;
        out.push(text)
    }

    fn branches(&mut self, branches: &'a [Branch], out: &mut Sink<'a>) -> Result<Flow> {
        for branch in branches {
            let taken = match &branch.test {
                Test::If(condition) => self.holds(condition)?,
                Test::Unless(condition) => !self.holds(condition)?,
                Test::Else => true,
            };
            if taken {
                return self.render(&branch.body, out);
            }
        }
        Ok(Flow::Next)
    }

    fn case(&mut self, case: &'a Case, out: &mut Sink<'a>) -> Result<Flow> {
        let mut any = false;
        for (values, body) in &case.branches {
            let values = values.as_ref();
            for at in 0..values.map_or(1, Vec::len) {
                let taken = match values {
                    Some(values) => self.equals(&case.subject, &values[at])?,
                    None => !any,
                };
                if !taken {
                    continue;
                }
                any |= values.is_some();
                let flow = self.render(body, out)?;
                if flow != Flow::Next || self.mode == Mode::Strict {
                    return Ok(flow);
                }
            }
        }
        Ok(Flow::Next)
    }

    fn equals(&mut self, one: &'a Operand, other: &'a Operand) -> Result<bool> {
        let one = self.operand(one)?;
        let other = self.operand(other)?;
        Ok(compare::equal(
            self.compared_value(one),
            self.compared_value(other),
        ))
    }

    fn cycle(&mut self, key: &'a Operand, values: &'a [Operand], out: &mut Sink<'a>) -> Result<()> {
        let key = self.operand(key)?;
        let key = print::text(key, self.arena).as_str().to_owned();
        let at = self.cycles.entry(key).or_insert(0);
        let value = &values[*at % values.len()];
        *at = (*at + 1) % values.len();
        let value = self.operand(value)?;
        self.print(value, out)
    }

    fn if_changed(&mut self, body: &'a [Node], out: &mut Sink<'a>) -> Result<()> {
        let mut captured = Sink::text();
        self.render(body, &mut captured)?;
        let text = self.captured(&captured)?;
        if self.last_unchanged.as_deref() != Some(text.as_str()) {
            self.last_unchanged = Some(text.as_str().to_owned());
            out.push(text)?;
        }
        Ok(())
    }

    fn extends(&mut self, base: &'a Operand, blocks: &'a [Node], out: &mut Sink<'a>) -> Result<()> {
        let base = self.operand(base)?;
        let template = self.find_template(print::text(base, self.arena).as_str())?;
        let before = self.overrides.len();
        for block in blocks {
            if let NodeKind::Block { name, body } = &block.kind {
                self.overrides.push((name, body));
            }
        }
        let result = self.scoped(|renderer| renderer.partial(template, out));
        self.overrides.truncate(before);
        result
    }

    fn merge_diff(
        &mut self,
        subject: &'a Operand,
        body: &'a [Node],
        out: &mut Sink<'a>,
    ) -> Result<()> {
        let subject = self.operand(subject)?;
        if subject.is_null() {
            return out.markup("\"\"");
        }
        let diff = self.object(body, ErrorKind::MergeDiffBody, "mergeDiff")?;
        let merged = match (subject, diff.filter(|it| !it.members().is_empty())) {
            (subject, None) => subject,
            (Value::Map(subject), Some(diff)) => merge::diff(subject, diff, self.arena),
            _ => {
                let what = "`mergeDiff` changes an object";
                return Err(ConvertError::new(ErrorKind::MergeDiffInput, what));
            }
        };
        out.value(merged, self.arena)
    }

    /// Renders a body that is a JSON object; none if nothing is written.
    fn object(
        &mut self,
        body: &'a [Node],
        kind: ErrorKind,
        tag: &str,
    ) -> Result<Option<&'a Map<'a>>> {
        let depth = self.meter.budgets().depth_max;
        let mut sink = Sink::json(self.arena, Leniency::KeepEmpty, depth);
        self.render(body, &mut sink)
            .map_err(|error| of_body(error, kind))?;
        let Sink::Json(builder) = sink else {
            return Ok(None);
        };
        match builder.finish().map_err(|error| of_body(error, kind))? {
            None => Ok(None),
            Some(Value::Map(map)) => Ok(Some(map)),
            Some(_) => {
                let what = format!("the body of `{tag}` is no JSON object");
                Err(ConvertError::new(kind, what))
            }
        }
    }

    fn validate(
        &mut self,
        schema: &'a Operand,
        body: &'a [Node],
        out: &mut Sink<'a>,
    ) -> Result<()> {
        let name = self.operand(schema)?;
        let name = print::text(name, self.arena).as_str();
        let schema = self.library.schema(name, self.arena)?;
        let Some(map) = self.object(body, ErrorKind::ValidateBody, "validate")? else {
            let what = "the body of `validate` is no JSON object";
            return Err(ConvertError::new(ErrorKind::ValidateBody, what));
        };
        let value = Value::Map(map);
        if let Some(fault) = schema::fault(value, schema) {
            let what = format!("against the schema `{name}`: {fault}");
            return Err(ConvertError::new(ErrorKind::ValidateFailed, what));
        }
        out.value(value, self.arena)
    }
}

/// A fault in the JSON of a body has the body's code.
fn of_body(error: ConvertError, kind: ErrorKind) -> ConvertError {
    match error.kind {
        ErrorKind::Json => ConvertError { kind, ..error },
        _ => error,
    }
}

/// A text without any mark.
pub(crate) fn markup(text: &str) -> Value<'_> {
    Value::Text(Text::Markup(text))
}
