//! From tokens to the syntax tree (<https://hl7.org/fhirpath/N1/grammar.html>).
//!
//! Precedence climbing over one table of operators. What the grammar of 3.0 adds and costs nothing
//! is taken too: `1L`, `sort(x desc)`. After a dot every word is a name (`text.div`).

use super::Limits;
use super::ast::{Expression, ExpressionKind, Literal, Operator, Sign, Special, TypeOperator};
use super::fault::{ParseError, ParseFault, Place, Span};
use super::function::{self, Function};
use super::lexer::{self, Faulty, Token, TokenKind};
use super::moment;
use super::quantity::{CalendarUnit, Quantity, Unit};
use super::types::TypeSpecifier;
use crate::decimal::Decimal;
use crate::definitions::Definitions;

/// Parses a whole text.
pub(super) fn expression(
    text: &str,
    definitions: Option<&'static Definitions>,
    limits: &Limits,
) -> Result<Expression, ParseError> {
    parse(text, definitions, limits).map_err(|(fault, span)| ParseError {
        fault,
        place: Place::of(text, span),
    })
}

fn parse(
    text: &str,
    definitions: Option<&'static Definitions>,
    limits: &Limits,
) -> Result<Expression, Faulty> {
    if text.len() > limits.text_bytes_max {
        let fault = ParseFault::Limit {
            name: "text_bytes_max",
            limit: limits.text_bytes_max,
        };
        return Err((fault, Span::default()));
    }
    let tokens = lexer::tokens(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        nesting: 0,
        definitions,
        limits,
    };
    let tree = parser.binary(0)?;
    match parser.peek() {
        TokenKind::End => Ok(tree.expression),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

/// The operators from the loosest to the tightest; all are left associative.
const LEVELS: [&[(&str, Operator)]; 10] = [
    &[("implies", Operator::Implies)],
    &[("or", Operator::Or), ("xor", Operator::Xor)],
    &[("and", Operator::And)],
    &[("in", Operator::In), ("contains", Operator::Contains)],
    &[
        ("=", Operator::Equal),
        ("~", Operator::Equivalent),
        ("!=", Operator::NotEqual),
        ("!~", Operator::NotEquivalent),
    ],
    &[
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
    ],
    &[("|", Operator::Union)],
    // `is` and `as` stand here.
    &[],
    &[
        ("+", Operator::Add),
        ("-", Operator::Subtract),
        ("&", Operator::Concatenate),
    ],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("div", Operator::Div),
        ("mod", Operator::Mod),
    ],
];

const TYPE_LEVEL: usize = 7;

const TYPE_OPERATORS: [(&str, TypeOperator); 3] = [
    ("is", TypeOperator::Is),
    ("as", TypeOperator::As),
    ("ofType", TypeOperator::OfType),
];

/// An expression with its height, which is limited: others recurse over it.
struct Tree {
    expression: Expression,
    height: usize,
}

struct Parser<'l> {
    tokens: Vec<Token>,
    at: usize,
    /// How deep the parser itself is.
    nesting: usize,
    definitions: Option<&'static Definitions>,
    limits: &'l Limits,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at].kind
    }

    fn span(&self) -> Span {
        self.tokens[self.at].span
    }

    /// The end of what was taken last.
    fn since(&self, start: Span) -> Span {
        start.to(self.tokens[self.at.saturating_sub(1)].span)
    }

    /// The end is never passed.
    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), TokenKind::Symbol(it) if *it == symbol)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is_it = self.is_symbol(symbol);
        if is_it {
            self.advance();
        }
        is_it
    }

    fn demand(&mut self, symbol: &str, expected: &'static str) -> Result<(), Faulty> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    fn unexpected(&self, expected: &'static str) -> Faulty {
        let found = match self.peek() {
            TokenKind::Word(word) | TokenKind::Delimited(word) => format!("`{word}`"),
            TokenKind::String(_) => "a string".to_owned(),
            TokenKind::Number(number) => format!("`{number}`"),
            TokenKind::Long(number) => format!("`{number}L`"),
            TokenKind::Moment(moment) => format!("`@{moment}`"),
            TokenKind::Dollar(name) => format!("`${name}`"),
            TokenKind::Percent(name) => format!("`%{name}`"),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::End => "the end".to_owned(),
        };
        (ParseFault::Unexpected { expected, found }, self.span())
    }

    fn leaf(&self, kind: ExpressionKind, start: Span) -> Tree {
        Tree {
            expression: Expression {
                kind,
                span: self.since(start),
            },
            height: 1,
        }
    }

    fn tree(&self, kind: ExpressionKind, span: Span, below: usize) -> Result<Tree, Faulty> {
        let height = below + 1;
        if height > self.limits.depth_max {
            return Err(self.too_deep(span));
        }
        Ok(Tree {
            expression: Expression { kind, span },
            height,
        })
    }

    fn too_deep(&self, span: Span) -> Faulty {
        let limit = self.limits.depth_max;
        (
            ParseFault::Limit {
                name: "depth_max",
                limit,
            },
            span,
        )
    }

    fn binary(&mut self, level: usize) -> Result<Tree, Faulty> {
        self.nesting += usize::from(level == 0);
        if self.nesting > self.limits.depth_max {
            return Err(self.too_deep(self.span()));
        }
        let tree = match LEVELS.get(level) {
            Some(_) if level == TYPE_LEVEL => self.type_operators(),
            Some(operators) => self.operators(level, operators),
            None => self.polarity(),
        };
        self.nesting -= usize::from(level == 0);
        tree
    }

    fn operators(&mut self, level: usize, operators: &[(&str, Operator)]) -> Result<Tree, Faulty> {
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            self.advance();
            let right = self.binary(level + 1)?;
            let span = left.expression.span.to(right.expression.span);
            let below = left.height.max(right.height);
            let kind = ExpressionKind::Binary {
                operator,
                left: Box::new(left.expression),
                right: Box::new(right.expression),
            };
            left = self.tree(kind, span, below)?;
        }
        Ok(left)
    }

    fn operator(&self, operators: &[(&str, Operator)]) -> Option<Operator> {
        let written = match self.peek() {
            TokenKind::Symbol(symbol) => symbol,
            TokenKind::Word(word) => word.as_str(),
            _ => return None,
        };
        operators
            .iter()
            .find(|(symbol, _)| *symbol == written)
            .map(|(_, it)| *it)
    }

    fn type_operators(&mut self) -> Result<Tree, Faulty> {
        let mut left = self.binary(TYPE_LEVEL + 1)?;
        loop {
            let operator = match self.peek() {
                TokenKind::Word(word) if word == "is" => TypeOperator::Is,
                TokenKind::Word(word) if word == "as" => TypeOperator::As,
                _ => return Ok(left),
            };
            self.advance();
            let specifier = self.type_specifier()?;
            let span = self.since(left.expression.span);
            let of = Some(Box::new(left.expression));
            let kind = ExpressionKind::Type {
                operator,
                of,
                specifier,
            };
            left = self.tree(kind, span, left.height)?;
        }
    }

    fn polarity(&mut self) -> Result<Tree, Faulty> {
        let start = self.span();
        let mut signs = Vec::new();
        loop {
            if self.take_symbol("-") {
                signs.push(Sign::Minus);
            } else if self.take_symbol("+") {
                signs.push(Sign::Plus);
            } else {
                break;
            }
        }
        let mut tree = self.invocations()?;
        for sign in signs.into_iter().rev() {
            let span = start.to(tree.expression.span);
            let operand = Box::new(tree.expression);
            tree = self.tree(
                ExpressionKind::Polarity { sign, operand },
                span,
                tree.height,
            )?;
        }
        Ok(tree)
    }

    fn invocations(&mut self) -> Result<Tree, Faulty> {
        let mut tree = self.term()?;
        loop {
            if self.take_symbol(".") {
                tree = self.invocation(Some(tree))?;
            } else if self.take_symbol("[") {
                let index = self.binary(0)?;
                self.demand("]", "`]`")?;
                let span = self.since(tree.expression.span);
                let below = tree.height.max(index.height);
                let of = Box::new(tree.expression);
                let index = Box::new(index.expression);
                tree = self.tree(ExpressionKind::Indexer { of, index }, span, below)?;
            } else {
                return Ok(tree);
            }
        }
    }

    /// What may stand after a dot, or alone.
    fn invocation(&mut self, of: Option<Tree>) -> Result<Tree, Faulty> {
        let start = of.as_ref().map_or(self.span(), |it| it.expression.span);
        let (token, name_span) = (self.peek().clone(), self.span());
        let name = match token {
            TokenKind::Dollar(_) if of.is_none() => return self.special(),
            TokenKind::Word(name) | TokenKind::Delimited(name) => name,
            _ => return Err(self.unexpected("a name or function")),
        };
        self.advance();
        let (of, below) = of.map_or((None, 0), |it| (Some(Box::new(it.expression)), it.height));
        if !self.take_symbol("(") {
            return self.tree(
                ExpressionKind::Member { of, name },
                self.since(start),
                below,
            );
        }
        if let Some((_, operator)) = TYPE_OPERATORS.iter().find(|(it, _)| *it == name) {
            let specifier = self.type_specifier()?;
            self.demand(")", "`)`")?;
            let kind = ExpressionKind::Type {
                operator: *operator,
                of,
                specifier,
            };
            return self.tree(kind, self.since(start), below);
        }
        let function = Self::function(&name, name_span)?;
        let (arguments, height) = self.arguments(function)?;
        let given = arguments.len();
        if !function.takes(given) {
            let fault = ParseFault::Arguments {
                name: function.name,
                takes: function.takes_text(),
                given,
            };
            return Err((fault, name_span));
        }
        let call_span = self.since(name_span);
        let kind = ExpressionKind::Call {
            of,
            function,
            arguments,
            call_span,
        };
        self.tree(kind, self.since(start), below.max(height))
    }

    fn function(name: &str, span: Span) -> Result<&'static Function, Faulty> {
        function::named(name).ok_or_else(|| {
            let suggestion = crate::suggest::nearest(name, function::names());
            let fault = ParseFault::Function {
                name: name.to_owned(),
                suggestion: suggestion.map(str::to_owned),
            };
            (fault, span)
        })
    }

    fn arguments(&mut self, function: &Function) -> Result<(Vec<Expression>, usize), Faulty> {
        let (mut arguments, mut height) = (Vec::new(), 0);
        if self.take_symbol(")") {
            return Ok((arguments, height));
        }
        loop {
            let mut argument = self.binary(0)?;
            if function.name == "sort" {
                argument = self.direction(argument)?;
            }
            height = height.max(argument.height);
            arguments.push(argument.expression);
            if !self.take_symbol(",") {
                self.demand(")", "`,` or `)`")?;
                return Ok((arguments, height));
            }
        }
    }

    /// `desc` after a key is what a minus before it is.
    fn direction(&mut self, key: Tree) -> Result<Tree, Faulty> {
        let is_word = |it: &TokenKind, name| matches!(it, TokenKind::Word(word) if word == name);
        if is_word(self.peek(), "asc") {
            self.advance();
        } else if is_word(self.peek(), "desc") {
            self.advance();
            let span = self.since(key.expression.span);
            let operand = Box::new(key.expression);
            let kind = ExpressionKind::Polarity {
                sign: Sign::Minus,
                operand,
            };
            return self.tree(kind, span, key.height);
        }
        Ok(key)
    }

    fn special(&mut self) -> Result<Tree, Faulty> {
        let start = self.span();
        let special = match self.peek() {
            TokenKind::Dollar(name) => match name.as_str() {
                "this" => Some(Special::This),
                "index" => Some(Special::Index),
                "total" => Some(Special::Total),
                _ => None,
            },
            _ => None,
        };
        let special = special.ok_or_else(|| self.unexpected("`$this`, `$index` or `$total`"))?;
        self.advance();
        Ok(self.leaf(ExpressionKind::Special(special), start))
    }

    fn term(&mut self) -> Result<Tree, Faulty> {
        let start = self.span();
        match self.peek() {
            TokenKind::Symbol("(") => {
                self.advance();
                let mut inner = self.binary(0)?;
                self.demand(")", "`)`")?;
                inner.expression.span = self.since(start);
                Ok(inner)
            }
            TokenKind::Symbol("{") => {
                self.advance();
                self.demand("}", "`}`")?;
                Ok(self.leaf(ExpressionKind::Empty, start))
            }
            TokenKind::Percent(name) => {
                let name = name.clone();
                self.variable(name)
            }
            TokenKind::Word(word) if word == "true" || word == "false" => {
                let literal = Literal::Boolean(word == "true");
                self.advance();
                Ok(self.leaf(ExpressionKind::Literal(literal), start))
            }
            TokenKind::Word(_) | TokenKind::Delimited(_) | TokenKind::Dollar(_) => {
                self.invocation(None)
            }
            TokenKind::Symbol(_) | TokenKind::End => Err(self.unexpected("an expression")),
            _ => self.literal(),
        }
    }

    fn variable(&mut self, name: String) -> Result<Tree, Faulty> {
        let start = self.advance().span;
        if !name.is_empty() {
            return Ok(self.leaf(ExpressionKind::Variable(name), start));
        }
        match self.peek().clone() {
            TokenKind::Word(name) | TokenKind::Delimited(name) | TokenKind::String(name) => {
                self.advance();
                Ok(self.leaf(ExpressionKind::Variable(name), start))
            }
            _ => Err(self.unexpected("the name of a variable")),
        }
    }

    fn literal(&mut self) -> Result<Tree, Faulty> {
        let Token { kind, span } = self.advance();
        let literal = match kind {
            TokenKind::String(text) => Literal::String(text),
            TokenKind::Long(digits) => {
                let number = digits.parse();
                Literal::Long(number.map_err(|_| (too_large("a Long has 64 bits"), span))?)
            }
            TokenKind::Moment(text) => moment::literal(&text)
                .ok_or_else(|| (ParseFault::Calendar(format!("@{text}")), span))?,
            TokenKind::Number(digits) => self.number(&digits, span)?,
            _ => return Err(self.unexpected("a literal")),
        };
        Ok(self.leaf(ExpressionKind::Literal(literal), span))
    }

    fn number(&mut self, digits: &str, span: Span) -> Result<Literal, Faulty> {
        let fault = || (too_large("a number has too many digits"), span);
        let decimal: Decimal = digits.parse().map_err(|_| fault())?;
        if let Some(unit) = self.unit() {
            return Ok(Literal::Quantity(Quantity {
                value: decimal,
                unit,
            }));
        }
        if digits.contains('.') {
            return Ok(Literal::Decimal(decimal));
        }
        let number: Option<i64> = digits.parse().ok();
        // One more than the greatest, because the sign of the least is an operator.
        let number = number.filter(|it| *it <= i64::from(i32::MAX) + 1);
        let fault = too_large("an Integer has 32 bits; write `L` after a Long");
        number.map(Literal::Integer).ok_or((fault, span))
    }

    fn unit(&mut self) -> Option<Unit> {
        let unit = match self.peek() {
            TokenKind::String(code) => Unit::of(code),
            TokenKind::Word(word) => Unit::Calendar(CalendarUnit::named(word)?),
            _ => return None,
        };
        self.advance();
        Some(unit)
    }

    fn type_specifier(&mut self) -> Result<TypeSpecifier, Faulty> {
        let start = self.span();
        let mut names = vec![self.identifier()?];
        while self.take_symbol(".") {
            names.push(self.identifier()?);
        }
        let span = self.since(start);
        TypeSpecifier::resolve(self.definitions, &names).map_err(|fault| (fault, span))
    }

    fn identifier(&mut self) -> Result<String, Faulty> {
        match self.peek().clone() {
            TokenKind::Word(name) | TokenKind::Delimited(name) => {
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected("the name of a type")),
        }
    }
}

fn too_large(what: &'static str) -> ParseFault {
    ParseFault::Number(what)
}
