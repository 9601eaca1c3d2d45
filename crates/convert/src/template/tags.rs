//! The tags: DotLiquid's own and the three that Microsoft adds (`evaluate`, `mergeDiff`,
//! `validate`), each a row of one table.

#![expect(
    clippy::unnecessary_wraps,
    reason = "every tag has the type that the table's rows have"
)]

use super::SyntaxFault;
use super::condition;
use super::expression::{self, Operand};
use super::fragment;
use super::parse::{Opening, Parser};
use super::syntax::{Branch, Case, For, Include, Node, NodeKind, Offset, Test};

type Read =
    for<'p, 't> fn(&mut Parser<'p, 't>, Opening<'t>) -> Result<Option<NodeKind>, SyntaxFault>;

/// Every tag and how it is read.
pub(super) const TAGS: &[(&str, Read)] = &[
    ("assign", assign),
    ("block", block),
    ("break", |_, _| Ok(Some(NodeKind::Break))),
    ("capture", capture),
    ("case", case),
    ("comment", comment),
    ("continue", |_, _| Ok(Some(NodeKind::Continue))),
    ("cycle", cycle),
    ("decrement", decrement),
    ("evaluate", evaluate),
    ("extends", extends),
    ("for", for_),
    ("if", if_),
    ("ifchanged", ifchanged),
    ("include", include),
    ("increment", increment),
    ("literal", raw),
    ("mergeDiff", merge_diff),
    ("param", |_, _| Ok(None)),
    ("raw", raw),
    ("tablerow", tablerow),
    ("unless", unless),
    ("validate", validate),
];

/// The tags that stand inside of others.
const INNER: &[&str] = &["else", "elsif", "elseif", "when"];

/// What to say of a tag that does not exist.
pub(super) fn unknown(name: &str) -> String {
    if name.is_empty() {
        return "a tag has no name".to_owned();
    }
    if INNER.contains(&name) {
        return format!("`{name}` belongs to nothing that is open here");
    }
    if let Some(opened) = name.strip_prefix("end")
        && TAGS.iter().any(|(it, _)| *it == opened)
    {
        return format!("`{name}` closes nothing that is open here");
    }
    let nearest = fhir::suggest::nearest(name, TAGS.iter().map(|(it, _)| *it));
    let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
    format!("`{name}` is no tag{hint}")
}

type Parsed = Result<Option<NodeKind>, SyntaxFault>;

fn comment<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    parser.raw(tag)?;
    Ok(None)
}

fn raw<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    Ok(Some(NodeKind::Raw(parser.raw(tag)?.into())))
}

fn assign<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let is_in_name = |c: char| fragment::is_word(c) || "-.[]()".contains(c);
    // The name stands before the first `=` that has one; what is before that is ignored.
    let mut signs = tag.markup.match_indices('=');
    let found = signs.find_map(|(at, _)| {
        let before = tag.markup[..at].trim_end();
        let name = &before[before.trim_end_matches(is_in_name).len()..];
        (!name.is_empty()).then(|| (name, &tag.markup[at + 1..]))
    });
    let Some((name, value)) = found else {
        return Err(tag.fault("`assign` is written `assign name = value`"));
    };
    Ok(Some(NodeKind::Assign {
        to: parser.names.number(name),
        value: expression::chain(value, parser.names),
    }))
}

fn capture<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut rest = tag.markup.trim_start_matches(|c| !fragment::is_word(c));
    let name = fragment::take_run(&mut rest, fragment::is_word);
    if name.is_empty() {
        return Err(tag.fault("`capture` is written `capture name`"));
    }
    let to = parser.names.number(name);
    let body = parser.body(tag)?;
    Ok(Some(NodeKind::Capture { to, body }))
}

fn evaluate<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut rest = tag.markup;
    let name = fragment::take(&mut rest);
    let using = fragment::take(&mut rest);
    if using != "using" {
        return Err(tag.fault("`evaluate` is written `evaluate name using 'Template' a: value`"));
    }
    let to = parser.names.number(name);
    let include = included(parser, rest).ok_or_else(|| tag.fault("a template is missing"))?;
    let include = Box::new(include);
    Ok(Some(NodeKind::Evaluate { to, include }))
}

fn include<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let include = included(parser, tag.markup);
    let include = include.ok_or_else(|| tag.fault("`include` names no template"))?;
    Ok(Some(NodeKind::Include(Box::new(include))))
}

/// A template's name, `with x` or `for x`, and attributes.
fn included(parser: &mut Parser<'_, '_>, markup: &str) -> Option<Include> {
    let mut rest = markup;
    let template = fragment::take(&mut rest);
    if template.is_empty() {
        return None;
    }
    let mut after = rest;
    let word = fragment::take(&mut after);
    let named = without_ends(template);
    let names = &mut *parser.names;
    let subject = match word {
        "with" | "for" => expression::operand(fragment::take(&mut after), names),
        _ => Operand::Path(expression::path(named, names)),
    };
    let attributes = fragment::attributes(rest).into_iter();
    Some(Include {
        template: expression::operand(template, names),
        subject,
        variable: names.number(named),
        attributes: attributes
            .map(|(name, value)| (names.number(name), expression::operand(value, names)))
            .collect(),
    })
}

/// The name that a template has inside: DotLiquid cuts the first and last character off, which
/// are quotes unless the name is computed.
fn without_ends(template: &str) -> &str {
    let mut characters = template.chars();
    characters.next();
    characters.next_back();
    characters.as_str()
}

fn if_<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    branches(parser, tag, Test::If)
}

fn unless<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    branches(parser, tag, Test::Unless)
}

fn branches<'t>(
    parser: &mut Parser<'_, 't>,
    tag: Opening<'t>,
    first: fn(condition::Condition) -> Test,
) -> Parsed {
    let end = format!("end{}", tag.name);
    let ends = ["elsif", "elseif", "else", &end];
    let mut branches = Vec::new();
    let mut test = first(parsed_condition(parser, tag.markup, tag)?);
    loop {
        let (body, ending) = parser.block(Some(tag), &ends)?;
        branches.push(Branch { test, body });
        let ending = ending.expect("a body without an end is a fault");
        test = match ending.name {
            "else" => Test::Else,
            "elsif" | "elseif" => {
                let here = Opening {
                    at: ending.at,
                    ..tag
                };
                Test::If(parsed_condition(parser, ending.markup, here)?)
            }
            _ => return Ok(Some(NodeKind::If(branches))),
        };
    }
}

fn parsed_condition(
    parser: &mut Parser<'_, '_>,
    markup: &str,
    tag: Opening<'_>,
) -> Result<condition::Condition, SyntaxFault> {
    condition::parse(markup, parser.names).map_err(|what| tag.fault(what))
}

fn case<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut rest = tag.markup;
    let subject = fragment::take(&mut rest);
    if subject.is_empty() {
        return Err(tag.fault("`case` is written `case value`"));
    }
    let subject = expression::operand(subject, parser.names);
    let ends = ["when", "else", "endcase"];
    // What stands before the first `when` is never rendered.
    let (_, mut ending) = parser.block(Some(tag), &ends)?;
    let mut branches = Vec::new();
    while let Some(this) = ending.filter(|it| it.name != "endcase") {
        let values = (this.name == "when").then(|| when(parser, this.markup));
        if values.as_ref().is_some_and(Vec::is_empty) {
            let here = Opening { at: this.at, ..tag };
            return Err(here.fault("`when` names no value"));
        }
        let (body, next) = parser.block(Some(tag), &ends)?;
        branches.push((values, body));
        ending = next;
    }
    Ok(Some(NodeKind::Case(Box::new(Case { subject, branches }))))
}

/// The values of a `when`, between commas or `or`; what follows anything else is ignored.
fn when(parser: &mut Parser<'_, '_>, markup: &str) -> Vec<Operand> {
    let (mut values, mut rest) = (Vec::new(), markup);
    loop {
        let value = fragment::take(&mut rest);
        if value.is_empty() {
            return values;
        }
        values.push(expression::operand(value, parser.names));
        let next = rest.trim_start();
        let is_apart = |it: &&str| next.len() < rest.len() && it.starts_with(char::is_whitespace);
        let after_or = next.strip_prefix("or").filter(is_apart);
        match next.strip_prefix(',').or(after_or) {
            Some(after) => rest = after,
            None => return values,
        }
    }
}

fn for_<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut header = loop_header(parser, tag)?;
    let (body, ending) = parser.block(Some(tag), &["else", "endfor"])?;
    header.body = body;
    if ending.is_some_and(|it| it.name == "else") {
        header.otherwise = parser.body(tag)?;
    }
    Ok(Some(NodeKind::For(Box::new(header))))
}

fn tablerow<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut header = loop_header(parser, tag)?;
    header.body = parser.body(tag)?;
    Ok(Some(NodeKind::TableRow(Box::new(header))))
}

fn loop_header(parser: &mut Parser<'_, '_>, tag: Opening<'_>) -> Result<For, SyntaxFault> {
    let Some((variable, collection, rest)) = loop_parts(tag.markup) else {
        let name = tag.name;
        return Err(tag.fault(format!("`{name}` is written `{name} item in items`")));
    };
    let names = &mut *parser.names;
    let mut header = For {
        variable: names.number(variable),
        name: format!("{variable}-{collection}").into(),
        collection: expression::operand(collection, names),
        limit: None,
        offset: None,
        columns: None,
        is_reversed: rest.split_whitespace().next() == Some("reversed"),
        body: Vec::new(),
        otherwise: Vec::new(),
    };
    for (name, value) in fragment::attributes(rest) {
        let operand = expression::operand(value, names);
        match name {
            "limit" => header.limit = Some(operand),
            "offset" if value == "continue" => header.offset = Some(Offset::Continue),
            "offset" => header.offset = Some(Offset::At(operand)),
            "cols" => header.columns = Some(operand),
            _ => {}
        }
    }
    Ok(header)
}

/// The variable, the collection and what follows: the first word with ` in ` behind it counts.
fn loop_parts(markup: &str) -> Option<(&str, &str, &str)> {
    let mut rest = markup;
    loop {
        rest = rest.trim_start_matches(|c| !fragment::is_word(c));
        let variable = fragment::take_run(&mut rest, fragment::is_word);
        if variable.is_empty() {
            return None;
        }
        let mut after = rest.strip_prefix(char::is_whitespace).unwrap_or_default();
        if fragment::take_run(&mut after, fragment::is_word) == "in" {
            let collection = fragment::take(&mut after);
            return (!collection.is_empty()).then_some((variable, collection, after));
        }
    }
}

fn cycle<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let (key, values) = match fragment::split(tag.markup, ':')[..] {
        [values] => (None, values),
        [key, values, ..] => (Some(key), values),
        [] => (None, ""),
    };
    let values: Vec<&str> = fragment::split(values, ',');
    let values: Vec<&str> = values.iter().map(|it| it.trim()).collect();
    if values.iter().all(|it| it.is_empty()) {
        return Err(tag.fault("`cycle` is written `cycle name: 'a', 'b'`"));
    }
    let key = match key {
        Some(key) => expression::operand(key, parser.names),
        None => Operand::Text(values.concat().into()),
    };
    let values = values.iter();
    Ok(Some(NodeKind::Cycle {
        key,
        values: values
            .map(|it| expression::operand(it, parser.names))
            .collect(),
    }))
}

fn ifchanged<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    Ok(Some(NodeKind::IfChanged(parser.body(tag)?)))
}

fn increment<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    Ok(Some(NodeKind::Increment(
        parser.names.number(tag.markup.trim()),
    )))
}

fn decrement<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    Ok(Some(NodeKind::Decrement(
        parser.names.number(tag.markup.trim()),
    )))
}

/// DotLiquid's expression wants one white space after the variable; more or less does no harm here.
fn merge_diff<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut rest = tag.markup;
    let subject = fragment::take(&mut rest);
    if subject.is_empty() || !rest.trim().is_empty() {
        return Err(tag.fault("`mergeDiff` is written `mergeDiff variable`"));
    }
    let subject = expression::operand(subject, parser.names);
    let body = parser.body(tag)?;
    Ok(Some(NodeKind::MergeDiff { subject, body }))
}

fn validate<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut rest = tag.markup;
    let schema = fragment::take(&mut rest);
    if schema.is_empty() || !rest.trim().is_empty() {
        return Err(tag.fault("`validate` is written `validate 'name.schema.json'`"));
    }
    let schema = expression::operand(schema, parser.names);
    let body = parser.body(tag)?;
    Ok(Some(NodeKind::Validate { schema, body }))
}

fn block<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let name = tag.markup.trim().trim_matches(['\'', '"']);
    let body = parser.body(tag)?;
    Ok(Some(NodeKind::Block {
        name: name.into(),
        body,
    }))
}

/// The rest of the template are the blocks that it overrides; all else is not rendered.
fn extends<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let mut rest = tag.markup;
    let base = fragment::take(&mut rest);
    if base.is_empty() {
        return Err(tag.fault("`extends` names no template"));
    }
    let base = expression::operand(base, parser.names);
    let (nodes, _) = parser.block(None, &[])?;
    let is_block = |node: &Node| matches!(node.kind, NodeKind::Block { .. });
    let blocks = nodes.into_iter().filter(is_block).collect();
    Ok(Some(NodeKind::Extends { base, blocks }))
}
