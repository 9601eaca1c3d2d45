//! Scopes: a stack of the inner ones, the outermost, and the data below all.

use crate::error::{ConvertError, Result};
use crate::template::{Mode, NameId, Names};
use crate::value::{MapBuilder, Value};

use crate::value::Arena;

/// Everything that has a name.
pub(super) struct Scopes<'a> {
    /// What the inner scopes hold, the innermost last.
    inner: Vec<(NameId, Value<'a>)>,
    /// Where each inner scope begins.
    starts: Vec<usize>,
    /// The outermost scope, by number.
    outermost: Vec<Option<Value<'a>>>,
    /// The data, and what `increment` counts.
    data: Vec<(NameId, Value<'a>)>,
    loops: Vec<Loop<'a>>,
    forloop: Option<NameId>,
    mode: Mode,
}

/// Where a loop is.
#[derive(Clone, Copy)]
pub(super) struct Loop<'a> {
    pub(super) name: &'a str,
    pub(super) index: usize,
    pub(super) length: usize,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(names: &Names, mode: Mode) -> Self {
        Self {
            inner: Vec::new(),
            starts: Vec::new(),
            outermost: Vec::new(),
            data: Vec::new(),
            loops: Vec::new(),
            forloop: names.find("forloop"),
            mode,
        }
    }

    pub(super) fn push(&mut self, scopes_max: usize) -> Result<()> {
        if self.starts.len() >= scopes_max {
            return Err(ConvertError::limit("scopes_max", scopes_max));
        }
        self.starts.push(self.inner.len());
        Ok(())
    }

    pub(super) fn pop(&mut self) {
        if let Some(start) = self.starts.pop() {
            self.inner.truncate(start);
        }
    }

    /// Sets a variable of the innermost scope.
    pub(super) fn set_inner(&mut self, name: NameId, value: Value<'a>) {
        let start = self.starts.last().copied();
        if start.is_none() && self.mode == Mode::Compatible {
            self.set_outermost(name, value);
            return;
        }
        let start = start.unwrap_or(0);
        match self.inner[start..].iter_mut().find(|it| it.0 == name) {
            Some(found) => found.1 = value,
            None => self.inner.push((name, value)),
        }
    }

    /// Sets a variable of the outermost scope.
    pub(super) fn set_outermost(&mut self, name: NameId, value: Value<'a>) {
        let at = name.0 as usize;
        if self.outermost.len() <= at {
            self.outermost.resize(at + 1, None);
        }
        self.outermost[at] = Some(value);
    }

    pub(super) fn set_data(&mut self, name: NameId, value: Value<'a>) {
        match self.data.iter_mut().find(|it| it.0 == name) {
            Some(found) => found.1 = value,
            None => self.data.push((name, value)),
        }
    }

    /// What `increment` and `decrement` count.
    pub(super) fn counter(&self, name: NameId) -> i64 {
        match self.data.iter().find(|it| it.0 == name) {
            Some((_, Value::Int(count))) => *count,
            _ => 0,
        }
    }

    /// The value of a name: the innermost one there is, null ones included.
    pub(super) fn get(&self, name: NameId, arena: &'a Arena) -> Value<'a> {
        // A strict template sees its own variables and the data only.
        let from = match self.mode {
            Mode::Compatible => 0,
            Mode::Strict => self.starts.last().copied().unwrap_or(0),
        };
        if let Some(found) = self.inner[from..].iter().rev().find(|it| it.0 == name) {
            return found.1;
        }
        if Some(name) == self.forloop
            && let Some(innermost) = self.loops.last()
        {
            return innermost.map(arena);
        }
        if let Some(Some(value)) = self.outermost.get(name.0 as usize) {
            return *value;
        }
        let found = self.data.iter().find(|it| it.0 == name);
        found.map_or(Value::Null, |it| it.1)
    }

    /// Enters a scope that has these variables only.
    pub(super) fn enter(
        &mut self,
        variables: &[(NameId, Value<'a>)],
        scopes_max: usize,
    ) -> Result<()> {
        self.push(scopes_max)?;
        self.inner.extend_from_slice(variables);
        Ok(())
    }

    pub(super) fn enter_loop(&mut self, name: &'a str, length: usize) {
        self.loops.push(Loop {
            name,
            index: 0,
            length,
        });
    }

    pub(super) fn at_index(&mut self, index: usize) {
        if let Some(innermost) = self.loops.last_mut() {
            innermost.index = index;
        }
    }

    pub(super) fn leave_loop(&mut self) {
        self.loops.pop();
    }
}

impl<'a> Loop<'a> {
    /// `forloop`, made when somebody asks.
    fn map(&self, arena: &'a Arena) -> Value<'a> {
        let number = |it: usize| Value::Int(i64::try_from(it).unwrap_or(i64::MAX));
        let mut map = MapBuilder::default();
        map.set("name", Value::plain(self.name));
        map.set("length", number(self.length));
        map.set("index", number(self.index + 1));
        map.set("index0", number(self.index));
        map.set("rindex", number(self.length - self.index));
        map.set("rindex0", number(self.length - self.index - 1));
        map.set("first", Value::Bool(self.index == 0));
        map.set("last", Value::Bool(self.index + 1 == self.length));
        Value::Map(map.finish(arena))
    }
}
