//! The tags of the strict dialect, each a row of one table.

#![expect(
    clippy::unnecessary_wraps,
    reason = "every tag has the type that the table's rows have"
)]

use super::super::SyntaxFault;
use super::super::condition::Condition;
use super::super::expression::Operand;
use super::super::parse::{Opening, Parser};
use super::super::syntax::{Branch, Case, For, Include, NodeKind, Offset, Test};
use super::super::{NameId, Parameter};
use super::expression::Reader;

type Read =
    for<'p, 't> fn(&mut Parser<'p, 't>, Opening<'t>) -> Result<Option<NodeKind>, SyntaxFault>;

/// Every tag and how it is read.
pub(in crate::template) const TAGS: &[(&str, Read)] = &[
    ("assign", assign),
    ("break", |_, tag| alone(tag, NodeKind::Break)),
    ("capture", capture),
    ("case", case),
    ("comment", comment),
    ("continue", |_, tag| alone(tag, NodeKind::Continue)),
    ("for", for_),
    ("if", if_),
    ("include", include),
    ("parameters", parameters),
    ("raw", raw),
];

/// What to say of a tag that does not exist.
pub(in crate::template) fn unknown(name: &str) -> String {
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

/// Reads a markup; what is wrong is noted, so that all faults of a template are found at once.
fn read<'t, T>(
    parser: &mut Parser<'_, 't>,
    tag: Opening<'t>,
    markup: &'t str,
    read: impl FnOnce(&mut Reader<'_, 't>) -> Result<T, String>,
) -> Option<T> {
    let mut reader = Reader::new(markup, parser.names);
    let result = read(&mut reader).and_then(|it| reader.end().map(|()| it));
    match result {
        Ok(read) => Some(read),
        Err(what) => {
            parser.faults.push(tag.fault(what));
            None
        }
    }
}

fn alone(tag: Opening<'_>, kind: NodeKind) -> Parsed {
    if tag.markup.trim().is_empty() {
        return Ok(Some(kind));
    }
    Err(tag.fault(format!("`{}` stands alone", tag.name)))
}

fn comment<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    parser.raw(tag)?;
    Ok(None)
}

fn raw<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    Ok(Some(NodeKind::Raw(parser.raw(tag)?.into())))
}

/// `parameters a, b, c?`: what includes must and may give.
fn parameters<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let read = read(parser, tag, tag.markup, |reader| {
        let mut found = Vec::new();
        loop {
            let text = reader.name("a parameter")?;
            found.push(Parameter {
                name: reader.number(text),
                text: text.into(),
                is_optional: reader.accept("?"),
            });
            if !reader.accept(",") {
                return Ok(found);
            }
        }
    });
    parser.parameters.extend(read.into_iter().flatten());
    Ok(None)
}

fn assign<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let read = read(parser, tag, tag.markup, |reader| {
        let name = reader.name("a variable")?;
        let to = reader.number(name);
        reader.expect("=", "after the variable's name")?;
        let value = reader.chain()?;
        Ok(NodeKind::Assign { to, value })
    });
    Ok(read)
}

fn capture<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let to = read(parser, tag, tag.markup, |reader| {
        let name = reader.name("a variable")?;
        Ok(reader.number(name))
    });
    let body = parser.body(tag)?;
    Ok(to.map(|to| NodeKind::Capture { to, body }))
}

fn include<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let read = read(parser, tag, tag.markup, |reader| {
        let template = reader.text("a template")?;
        let mut attributes = Vec::new();
        while reader.accept(",") {
            attributes.push(attribute(reader)?);
        }
        Ok(NodeKind::Include(Box::new(Include {
            template: Operand::Text(template.into()),
            subject: Operand::Null,
            variable: reader.number(""),
            attributes,
        })))
    });
    Ok(read)
}

fn attribute(reader: &mut Reader<'_, '_>) -> Result<(NameId, Operand), String> {
    let name = reader.name("a parameter")?;
    let name = reader.number(name);
    reader.expect(":", "after the parameter's name")?;
    Ok((name, reader.operand()?))
}

fn if_<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let ends = ["elsif", "else", "endif"];
    let mut branches = Vec::new();
    let mut opening = tag;
    loop {
        let condition = match opening.name {
            "else" => None,
            _ => read(parser, opening, opening.markup, condition),
        };
        let (body, ending) = parser.block(Some(tag), &ends)?;
        match (opening.name, condition) {
            ("else", _) => branches.push(Branch {
                test: Test::Else,
                body,
            }),
            (_, Some(condition)) => branches.push(Branch {
                test: Test::If(condition),
                body,
            }),
            (_, None) => {}
        }
        let Some(ending) = ending.filter(|it| it.name != "endif") else {
            return Ok(Some(NodeKind::If(branches)));
        };
        if opening.name == "else" {
            return Err(opening.fault("`else` is the last branch"));
        }
        opening = Opening {
            name: ending.name,
            markup: ending.markup,
            at: ending.at,
        };
    }
}

fn condition(reader: &mut Reader<'_, '_>) -> Result<Condition, String> {
    reader.condition()
}

fn operand(reader: &mut Reader<'_, '_>) -> Result<Operand, String> {
    reader.operand()
}

fn case<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let subject = read(parser, tag, tag.markup, operand);
    let ends = ["when", "else", "endcase"];
    let (_, mut ending) = parser.block(Some(tag), &ends)?;
    let mut branches = Vec::new();
    while let Some(this) = ending.filter(|it| it.name != "endcase") {
        let opening = Opening {
            name: this.name,
            markup: this.markup,
            at: this.at,
        };
        let values = match this.name {
            "when" => read(parser, opening, this.markup, values),
            _ => None,
        };
        let (body, next) = parser.block(Some(tag), &ends)?;
        branches.push((values, body));
        ending = next;
    }
    let case = |subject| NodeKind::Case(Box::new(Case { subject, branches }));
    Ok(subject.map(case))
}

fn values(reader: &mut Reader<'_, '_>) -> Result<Vec<Operand>, String> {
    let mut values = vec![reader.operand()?];
    while reader.accept(",") {
        values.push(reader.operand()?);
    }
    Ok(values)
}

fn for_<'t>(parser: &mut Parser<'_, 't>, tag: Opening<'t>) -> Parsed {
    let header = read(parser, tag, tag.markup, loop_header);
    let (body, ending) = parser.block(Some(tag), &["else", "endfor"])?;
    let mut otherwise = Vec::new();
    if ending.is_some_and(|it| it.name == "else") {
        otherwise = parser.body(tag)?;
    }
    Ok(header.map(|header| {
        NodeKind::For(Box::new(For {
            body,
            otherwise,
            ..header
        }))
    }))
}

fn loop_header(reader: &mut Reader<'_, '_>) -> Result<For, String> {
    let variable = reader.name("a variable")?;
    let mut header = For {
        variable: reader.number(variable),
        name: variable.into(),
        collection: Operand::Null,
        limit: None,
        offset: None,
        columns: None,
        is_reversed: false,
        body: Vec::new(),
        otherwise: Vec::new(),
    };
    if !reader.accept_word("in") {
        return Err("`for` is written `for item in items`".to_owned());
    }
    header.collection = reader.operand()?;
    while !reader.is_at_end() {
        let word = reader.name("an option")?;
        if word == "reversed" {
            header.is_reversed = true;
            continue;
        }
        reader.expect(":", "after the option's name")?;
        let value = reader.operand()?;
        match word {
            "limit" => header.limit = Some(value),
            "offset" => header.offset = Some(Offset::At(value)),
            _ => return Err(format!("`{word}` is none of reversed, limit, offset")),
        }
    }
    Ok(header)
}
