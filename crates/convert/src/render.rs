//! Rendering: the tree of a template against the data, in scopes, under a meter.
//!
//! `assign`, `capture` and `evaluate` write the outermost scope; `include`, `for`, `if`, `case` and
//! `batch_render` push one; attributes and loop variables live in the innermost and shadow.

mod condition;
mod expression;
mod include;
mod loops;
mod nodes;
mod scope;
mod sink;

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::budget::Meter;
use crate::data::bundle::Bundle;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::filter::regex::Regexes;
use crate::json::Origin;
use crate::library::Library;
use crate::process::Settings;
use crate::template::syntax::Node;
use crate::template::{Mode, NameId, Template};
use crate::value::{Arena, Map, Text, Value};
pub(crate) use condition::contains;
pub(crate) use expression::{byte_at, utf16_length, whole};
pub(crate) use include::trimmed;
pub(crate) use nodes::markup;
use scope::Scopes;
pub(crate) use sink::Sink;

/// Greatest nesting of bodies inside each other, over all templates: each takes room on the stack.
const RENDER_DEPTH_MAX: usize = 500;

/// Renders one conversion.
pub(crate) struct Renderer<'a> {
    pub(crate) library: &'a Library,
    pub(crate) mode: Mode,
    /// The offset that MSH-7 names, in minutes east of UTC; strict HL7 v2 only.
    pub(crate) message_offset: Option<i64>,
    pub(crate) arena: &'a Arena,
    pub(crate) meter: &'a Meter<'a>,
    pub(crate) settings: &'a Settings<'a>,
    pub(crate) regexes: Regexes<'a>,
    /// What `gzip` compressed last: templates write the data and then its hash.
    pub(crate) compressed: Option<(&'a str, Value<'a>)>,
    /// Numbers given out by `random`.
    pub(crate) drawn: u64,
    /// The input as a bundle; read when a filter asks for it.
    bundle: OnceCell<Bundle<'a>>,
    /// The elements of the input that have an `ID`; looked for when a filter asks.
    identified: OnceCell<HashMap<&'a str, &'a Map<'a>>>,
    input: Value<'a>,
    scopes: Scopes<'a>,
    /// The folder of the root template, which is put before the name of every other.
    folder: &'a str,
    template: &'a Template,
    /// Where in the template, for faults.
    at: u32,
    /// How many bodies are being rendered inside each other.
    depth: usize,
    /// Where each `cycle` is.
    cycles: HashMap<String, usize>,
    /// Where each loop ended, for `offset: continue`.
    loop_ends: HashMap<&'a str, usize>,
    /// What `ifchanged` rendered last.
    last_unchanged: Option<String>,
    /// The blocks that templates override, those of the outermost template first.
    overrides: Vec<(&'a str, &'a [Node])>,
}

/// How rendering goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        library: &'a Library,
        root: &'a Template,
        folder: &'a str,
        arena: &'a Arena,
        meter: &'a Meter<'a>,
        settings: &'a Settings<'a>,
    ) -> Self {
        Self {
            library,
            mode: library.mode(),
            message_offset: None,
            arena,
            meter,
            settings,
            regexes: Regexes::default(),
            compressed: None,
            drawn: 0,
            bundle: OnceCell::new(),
            identified: OnceCell::new(),
            input: Value::Null,
            scopes: Scopes::new(library.names(), library.mode()),
            folder,
            template: root,
            at: 0,
            depth: 0,
            cycles: HashMap::new(),
            loop_ends: HashMap::new(),
            last_unchanged: None,
            overrides: Vec::new(),
        }
    }

    /// Gives the input its name.
    pub(crate) fn set_input(&mut self, name: &str, value: Value<'a>) {
        self.input = value;
        self.set_data(name, value);
    }

    /// The input as a bundle of resources.
    pub(crate) fn bundle(&self) -> &Bundle<'a> {
        self.bundle.get_or_init(|| Bundle::read(self.input))
    }

    /// The element of the input with that `ID`; of several the first.
    pub(crate) fn element_with(&self, id: &str) -> Option<&'a Map<'a>> {
        let identified = self.identified.get_or_init(|| {
            let mut found = HashMap::new();
            identified(self.input, &mut found);
            found
        });
        identified.get(id).copied()
    }

    /// Gives more data a name.
    pub(crate) fn set_data(&mut self, name: &str, value: Value<'a>) {
        if let Some(name) = self.library.names().find(name) {
            self.scopes.set_data(name, value);
        }
    }

    /// Renders the root template.
    pub(crate) fn root(&mut self, out: &mut Sink<'a>) -> Result<()> {
        let body = body(self.template)?;
        self.render(body, out)?;
        Ok(())
    }

    /// Renders nodes one after the other; a fault gets its place here.
    pub(crate) fn render(&mut self, nodes: &'a [Node], out: &mut Sink<'a>) -> Result<Flow> {
        if self.depth >= RENDER_DEPTH_MAX {
            return Err(ConvertError::limit("render_depth_max", RENDER_DEPTH_MAX));
        }
        self.depth += 1;
        let result = self.render_each(nodes, out);
        self.depth -= 1;
        result
    }

    fn render_each(&mut self, nodes: &'a [Node], out: &mut Sink<'a>) -> Result<Flow> {
        for node in nodes {
            self.at = node.at;
            let result = self.meter.step().and_then(|()| self.node(node, out));
            match result {
                Ok(Flow::Next) => {}
                Ok(interrupted) => return Ok(interrupted),
                Err(error) => return Err(self.placed(error, node.at)),
            }
        }
        Ok(Flow::Next)
    }

    /// Where what is written now is from.
    fn origin(&self, is_verbatim: bool) -> Origin<'a> {
        Origin {
            template: self.template,
            at: self.at,
            is_verbatim,
        }
    }

    fn placed(&self, mut error: ConvertError, at: u32) -> ConvertError {
        if error.place.is_none() {
            error.place = Some(self.template.place(at));
        }
        error
    }

    /// Does something inside a scope of its own.
    fn scoped<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.scopes.push(self.meter.budgets().scopes_max)?;
        let result = inside(self);
        self.scopes.pop();
        result
    }

    /// Does something inside the body of a tag: in strict mode that is no scope.
    fn in_block<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        match self.mode {
            Mode::Compatible => self.scoped(inside),
            Mode::Strict => inside(self),
        }
    }

    /// Renders another template in its place; `break` ends only that.
    fn partial(&mut self, template: &'a Template, out: &mut Sink<'a>) -> Result<()> {
        let (outer, at) = (self.template, self.at);
        let body = body(template)?;
        self.template = template;
        let result = self.render(body, out);
        self.template = outer;
        self.at = at;
        match result {
            Ok(_) => Ok(()),
            Err(mut error) => {
                error.included_at.push(outer.place(at));
                Err(error)
            }
        }
    }

    /// The template of that name, as the root's folder sees it.
    pub(crate) fn find_template(&self, name: &str) -> Result<&'a Template> {
        let found = if self.folder.is_empty() {
            self.library.partial(name)
        } else {
            self.library.partial(&format!("{}/{name}", self.folder))
        };
        found.ok_or_else(|| {
            let nearest = self.library.nearest(name);
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let what = format!("the library has no template `{name}`{hint}");
            ConvertError::new(ErrorKind::TemplateNotFound, what)
        })
    }

    fn set(&mut self, name: NameId, value: Value<'a>) {
        self.scopes.set_inner(name, value);
    }
}

fn body(template: &Template) -> Result<&[Node]> {
    match &template.body {
        Ok(nodes) => Ok(nodes),
        Err(fault) => Err(ConvertError {
            place: Some(template.place(fault.at)),
            ..ConvertError::new(ErrorKind::Syntax, fault.what.clone())
        }),
    }
}

/// The elements with an `ID`, in the order of the document; depth is that of the input.
fn identified<'a>(value: Value<'a>, into: &mut HashMap<&'a str, &'a Map<'a>>) {
    match value {
        Value::List(items) => items.iter().for_each(|it| identified(*it, into)),
        Value::Map(map) => {
            for (name, value, _) in map.peek() {
                match value {
                    Value::Text(id @ Text::Given(_)) if name == "ID" => {
                        into.entry(id.peek()).or_insert(map);
                    }
                    other => identified(other, into),
                }
            }
        }
        _ => {}
    }
}
