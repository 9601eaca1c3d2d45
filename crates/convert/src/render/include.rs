//! `include`, `evaluate` and `batch_render`: templates inside templates.

use super::{Flow, Renderer, Sink};
use crate::error::{ConvertError, ErrorKind, Result};
use crate::template::expression::Operand;
use crate::template::syntax::Include;
use crate::template::{Mode, NameId, Template};
use crate::value::{Text, TextKind, Value, print};

impl<'a> Renderer<'a> {
    /// The attributes are evaluated one by one in the new scope. With a subject that has elements
    /// the template is rendered once for each; a variable named like the template is a subject.
    pub(super) fn include(&mut self, include: &'a Include, out: &mut Sink<'a>) -> Result<Flow> {
        if self.mode == Mode::Strict {
            return self.include_strictly(include, out);
        }
        let name = self.operand(&include.template)?;
        let template = self.named(name)?;
        let subject = self.operand(&include.subject)?;
        self.scoped(|renderer| {
            renderer.attributes(&include.attributes)?;
            let Some(elements) = subject.elements(renderer.arena) else {
                renderer.set(include.variable, subject);
                return renderer.partial(template, out);
            };
            for element in elements {
                renderer.meter.iteration()?;
                renderer.set(include.variable, *element);
                renderer.partial(template, out)?;
            }
            Ok(())
        })?;
        Ok(Flow::Next)
    }

    /// The template sees its parameters and nothing else of the one that includes it.
    fn include_strictly(&mut self, include: &'a Include, out: &mut Sink<'a>) -> Result<Flow> {
        let Operand::Text(name) = &include.template else {
            return Ok(Flow::Next);
        };
        let template = self.find_template(name)?;
        let mut given = Vec::with_capacity(include.attributes.len());
        for (name, operand) in &include.attributes {
            given.push((*name, self.operand(operand)?));
        }
        self.scopes.enter(&given, self.meter.budgets().scopes_max)?;
        let result = self.partial(template, out);
        self.scopes.pop();
        result?;
        Ok(Flow::Next)
    }

    /// Renders a template into a variable of the outermost scope; null if nothing comes of it.
    pub(super) fn evaluate(&mut self, to: NameId, include: &'a Include) -> Result<Flow> {
        let name = self.operand(&include.template)?;
        let template = self.named(name)?;
        let mut captured = Sink::text();
        self.scoped(|renderer| {
            renderer.attributes(&include.attributes)?;
            renderer.partial(template, &mut captured)
        })?;
        let text = self.captured(&captured)?;
        let text = trimmed(text, self.arena);
        let value = if text.as_str().is_empty() {
            Value::Null
        } else {
            Value::Text(text)
        };
        self.scopes.set_outermost(to, value);
        Ok(Flow::Next)
    }

    /// A captured text; it counts as output.
    pub(super) fn captured(&mut self, sink: &Sink<'a>) -> Result<Text<'a>> {
        let text = sink.captured(self.arena);
        self.meter.text(text.as_str().len())?;
        Ok(text)
    }

    /// Renders a template for every element, each followed by a comma.
    pub(crate) fn batch(
        &mut self,
        input: Value<'a>,
        template: Value<'a>,
        variable: Value<'a>,
        out: &mut Sink<'a>,
    ) -> Result<()> {
        let template = self.named(template)?;
        let elements = match input {
            Value::Null => &[],
            other => other.elements(self.arena).ok_or_else(|| {
                let what = "`batch_render` takes a list";
                ConvertError::new(ErrorKind::Rendering, what)
            })?,
        };
        let variable = variable.as_text().unwrap_or_default();
        // A name that no template uses cannot be read either.
        let variable = self.library.names().find(variable);
        for element in elements {
            self.meter.iteration()?;
            self.scoped(|renderer| {
                if let Some(variable) = variable {
                    renderer.set(variable, *element);
                }
                renderer.partial(template, out)
            })?;
            out.is_from(self.origin(false));
            out.markup(",")?;
        }
        Ok(())
    }

    fn attributes(&mut self, attributes: &'a [(NameId, Operand)]) -> Result<()> {
        for (name, operand) in attributes {
            let value = self.operand(operand)?;
            self.set(*name, value);
        }
        Ok(())
    }

    fn named(&self, name: Value<'a>) -> Result<&'a Template> {
        self.find_template(print::text(name, self.arena).as_str())
    }
}

/// A text without white space around it.
pub(crate) fn trimmed<'a>(text: Text<'a>, arena: &'a crate::value::Arena) -> Text<'a> {
    let whole = text.as_str();
    let start = whole.len() - whole.trim_start().len();
    let end = start + whole.trim().len();
    if start == 0 && end == whole.len() {
        return text;
    }
    if start == end {
        return Text::of(TextKind::Markup, "");
    }
    text.cut(start..end, arena)
}
