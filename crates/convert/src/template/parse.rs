//! From tokens to the tree: text, output and tags; a tag with a body reads on until its end.

use super::names::Names;
use super::syntax::{Node, NodeKind};
use super::tags::{self, TAGS};
use super::token::{self, Located, Prepared, Token};
use super::{Mode, Parameter, SyntaxFault, Template, expression, strict};

/// Greatest nesting of tags with bodies.
const NESTING_MAX: usize = 100;

/// Reads a template; what is wrong with it is kept in it.
pub(crate) fn parse(file: &str, source: &str, names: &mut Names, mode: Mode) -> Template {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    // A strict template that gives a text gives no line break at its end.
    let source = match mode {
        Mode::Compatible => source,
        Mode::Strict => source.trim_end(),
    };
    let prepared = Prepared::new(source);
    let tokens = token::tokens(&prepared.text);
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        names,
        depth: 0,
        mode,
        faults: Vec::new(),
        parameters: Vec::new(),
    };
    let body = parser.block(None, &[]).map(|(nodes, _)| nodes);
    let (faults, parameters) = (parser.faults, parser.parameters);
    drop(tokens);
    Template {
        file: file.to_owned(),
        prepared,
        body,
        faults,
        parameters,
    }
}

/// Reads the tokens of one template.
pub(super) struct Parser<'p, 't> {
    tokens: &'p [Located<'t>],
    next: usize,
    pub(super) names: &'p mut Names,
    depth: usize,
    mode: Mode,
    pub(super) faults: Vec<SyntaxFault>,
    pub(super) parameters: Vec<Parameter>,
}

/// The tag that ended a body, with its markup.
#[derive(Clone, Copy)]
pub(super) struct Ending<'t> {
    pub(super) name: &'t str,
    pub(super) markup: &'t str,
    pub(super) at: u32,
}

/// A tag that was met.
#[derive(Clone, Copy)]
pub(super) struct Opening<'t> {
    pub(super) name: &'t str,
    pub(super) markup: &'t str,
    pub(super) at: u32,
}

impl Opening<'_> {
    /// A fault at this tag.
    pub(super) fn fault(&self, what: impl Into<String>) -> SyntaxFault {
        SyntaxFault {
            at: self.at,
            what: what.into(),
        }
    }
}

impl<'t> Parser<'_, 't> {
    /// Reads what stands before one of these tags, or before the end of the template.
    pub(super) fn block(
        &mut self,
        opening: Option<Opening<'t>>,
        ends: &[&str],
    ) -> Result<(Vec<Node>, Option<Ending<'t>>), SyntaxFault> {
        self.enter(opening)?;
        let mut nodes = Vec::new();
        while let Some(located) = self.tokens.get(self.next) {
            self.next += 1;
            let at = located.at;
            let kind = match located.token {
                Token::Text(text) => Some(NodeKind::Text(text.into())),
                Token::Output(markup) => self.output(markup, at),
                Token::Tag(name, markup) if ends.contains(&name) => {
                    self.depth -= 1;
                    return Ok((nodes, Some(Ending { name, markup, at })));
                }
                Token::Unclosed => return Err(token::unclosed(located)),
                Token::Tag(name, markup) => self.tag(Opening { name, markup, at })?,
            };
            nodes.extend(kind.map(|kind| Node { at, kind }));
        }
        self.depth -= 1;
        match opening {
            None => Ok((nodes, None)),
            Some(opening) => Err(not_closed(opening)),
        }
    }

    fn enter(&mut self, opening: Option<Opening<'t>>) -> Result<(), SyntaxFault> {
        self.depth += 1;
        if self.depth <= NESTING_MAX {
            return Ok(());
        }
        let before = self.next.saturating_sub(1);
        let at = opening.map_or(self.tokens[before].at, |it| it.at);
        let what = format!("more than {NESTING_MAX} tags inside each other");
        Err(SyntaxFault { at, what })
    }

    fn output(&mut self, markup: &str, at: u32) -> Option<NodeKind> {
        if self.mode == Mode::Compatible {
            return Some(NodeKind::Output(expression::chain(markup, self.names)));
        }
        match strict::chain(markup, self.names) {
            Ok(chain) => Some(NodeKind::Output(chain)),
            Err(what) => {
                self.faults.push(SyntaxFault { at, what });
                None
            }
        }
    }

    fn tag(&mut self, opening: Opening<'t>) -> Result<Option<NodeKind>, SyntaxFault> {
        let (tags, unknown): (&[(_, _)], fn(&str) -> String) = match self.mode {
            Mode::Compatible => (TAGS, tags::unknown),
            Mode::Strict => (strict::TAGS, strict::unknown),
        };
        let row = tags.iter().find(|(name, _)| *name == opening.name);
        match row {
            Some((_, read)) => read(self, opening),
            None => Err(opening.fault(unknown(opening.name))),
        }
    }

    /// The body of a tag that has no other parts.
    pub(super) fn body(&mut self, opening: Opening<'t>) -> Result<Vec<Node>, SyntaxFault> {
        let end = format!("end{}", opening.name);
        let (nodes, _) = self.block(Some(opening), &[&end])?;
        Ok(nodes)
    }

    /// The body of a tag as it stands in the source.
    pub(super) fn raw(&mut self, opening: Opening<'t>) -> Result<String, SyntaxFault> {
        let mut text = String::new();
        while let Some(located) = self.tokens.get(self.next) {
            self.next += 1;
            match located.token {
                Token::Tag(name, _) if name.strip_prefix("end") == Some(opening.name) => {
                    return Ok(text);
                }
                _ => text.push_str(located.source),
            }
        }
        Err(not_closed(opening))
    }
}

fn not_closed(opening: Opening<'_>) -> SyntaxFault {
    opening.fault(format!("`{0}` is not closed with `end{0}`", opening.name))
}
