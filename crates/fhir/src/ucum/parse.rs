//! The grammar of unit codes (§4 to §12).
//!
//! ```text
//! code       = ["/"] component *(("." / "/") component)       from left to right
//! component  = (symbol [exponent] / digits / "(" code ")" / annotation) *annotation
//! symbol     = [prefix] unit
//! exponent   = ["+" / "-"] digits
//! annotation = "{" *character "}"
//! ```
//!
//! The standard lets an annotation follow symbols only, and have no blanks. FHIR's value set of
//! common units has `g/(8.h){shift}` and `{# of fetuses}`, so both are let through here.

use super::error::{UcumError, UcumFault};
use super::table::{Atoms, Symbol};
use super::{CODE_BYTES_MAX, ConversionError, DEPTH_MAX, EXPONENT_MAX, Meaning, Power};
use crate::decimal::{DIGITS_MAX, Decimal};

/// Units that begin with digits; all other symbols have digits in brackets only.
const TENS: [&[u8]; 2] = [b"10*", b"10^"];

/// Reads a code with the units of a table. Suggestions are left to the caller.
pub(super) fn parse(code: &str, atoms: &Atoms) -> Result<Meaning, UcumError> {
    let mut parser = Parser {
        code,
        atoms,
        at: 0,
        depth: 0,
    };
    if code.len() > CODE_BYTES_MAX {
        return Err(parser.fault(UcumFault::TooLong));
    }
    let meaning = parser.term()?;
    match parser.peek() {
        None => Ok(meaning),
        Some(_) => Err(parser.fault(UcumFault::Unexpected)),
    }
}

/// The symbol that begins at a byte of a code, with what follows it up to an operator or digit.
pub(super) fn symbol_at(code: &str, at: usize) -> &str {
    let rest = code.get(at..).unwrap_or_default();
    &rest[..symbol_length(rest.as_bytes()).unwrap_or(rest.len())]
}

struct Parser<'c> {
    code: &'c str,
    atoms: &'c Atoms,
    at: usize,
    depth: u32,
}

impl<'c> Parser<'c> {
    fn term(&mut self) -> Result<Meaning, UcumError> {
        let mut term = match self.peek() {
            Some(b'/') => Meaning::number(Decimal::ONE),
            _ => self.component()?,
        };
        loop {
            let power = match self.peek() {
                Some(b'.') => Power::Product,
                Some(b'/') => Power::Quotient,
                _ => return Ok(term),
            };
            self.at += 1;
            let start = self.at;
            let component = self.component()?;
            let product = term.times(&component, power);
            term = product.map_err(|error| fault(start, error.into()))?;
        }
    }

    fn component(&mut self) -> Result<Meaning, UcumError> {
        let component = match self.peek() {
            Some(b'(') => self.parenthesis()?,
            Some(b'{') => Meaning::number(Decimal::ONE),
            Some(b'0'..=b'9') if !self.is_ten() => self.number()?,
            Some(b')' | b'.' | b'/') | None => return Err(self.fault(UcumFault::UnitExpected)),
            Some(_) => self.unit()?,
        };
        while self.peek() == Some(b'{') {
            self.annotation()?;
        }
        Ok(component)
    }

    fn parenthesis(&mut self) -> Result<Meaning, UcumError> {
        let start = self.at;
        if self.depth == DEPTH_MAX {
            return Err(self.fault(UcumFault::TooDeep));
        }
        self.depth += 1;
        self.at += 1;
        let term = self.term()?;
        self.depth -= 1;
        match self.peek() {
            Some(b')') => self.at += 1,
            None => return Err(fault(start, UcumFault::Unclosed('('))),
            Some(_) => return Err(self.fault(UcumFault::Unexpected)),
        }
        Ok(term)
    }

    /// Printable ASCII without braces (§6); blanks too.
    fn annotation(&mut self) -> Result<(), UcumError> {
        let start = self.at;
        self.at += 1;
        let is_inside = |byte: &u8| matches!(byte, b' '..=b'~') && !b"{}".contains(byte);
        self.at += self
            .rest()
            .iter()
            .take_while(|byte| is_inside(byte))
            .count();
        match self.peek() {
            Some(b'}') => self.at += 1,
            None => return Err(fault(start, UcumFault::Unclosed('{'))),
            Some(_) => return Err(self.fault(UcumFault::Unexpected)),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Meaning, UcumError> {
        let start = self.at;
        let digits = self.digits();
        let number = digits
            .parse::<Decimal>()
            .ok()
            .filter(|it| !it.is_zero() && digits.len() <= DIGITS_MAX as usize);
        number
            .map(Meaning::number)
            .ok_or(fault(start, UcumFault::FactorOutOfRange))
    }

    fn unit(&mut self) -> Result<Meaning, UcumError> {
        let start = self.at;
        let symbol = self.symbol()?;
        let exponent = self.exponent()?;
        let meaning = match self.atoms.symbol(symbol) {
            Symbol::Unit(meaning) => meaning.raised(exponent),
            Symbol::Prefixed(prefix, meaning) => {
                meaning.prefixed(prefix).and_then(|it| it.raised(exponent))
            }
            Symbol::NotMetric(unit) => return Err(fault(start, UcumFault::NotMetric { unit })),
            Symbol::Unknown => return Err(fault(start, UcumFault::UnknownUnit { nearest: None })),
        };
        meaning.map_err(|error| fault(start, error.into()))
    }

    fn symbol(&mut self) -> Result<&'c str, UcumError> {
        let (code, start) = (self.code, self.at);
        let length = if self.is_ten() {
            Ok(TENS[0].len())
        } else {
            symbol_length(self.rest())
        };
        let length = length.map_err(|at| fault(start + at, UcumFault::Unclosed('[')))?;
        if length == 0 {
            return Err(self.fault(UcumFault::Unexpected));
        }
        self.at += length;
        Ok(&code[start..self.at])
    }

    fn exponent(&mut self) -> Result<i32, UcumError> {
        let (start, sign) = (self.at, self.peek());
        if matches!(sign, Some(b'+' | b'-')) {
            self.at += 1;
        }
        let digits = self.digits();
        if digits.is_empty() {
            let bare = self.at == start;
            return if bare {
                Ok(1)
            } else {
                Err(self.fault(UcumFault::ExponentExpected))
            };
        }
        let significant = digits.trim_start_matches('0');
        let exponent = if significant.is_empty() {
            Ok(0)
        } else {
            significant.parse::<i32>()
        };
        let fits = exponent.ok().filter(|it| *it <= EXPONENT_MAX);
        let exponent = fits.ok_or(fault(start, UcumFault::ExponentTooLarge))?;
        Ok(if sign == Some(b'-') {
            -exponent
        } else {
            exponent
        })
    }

    fn digits(&mut self) -> &'c str {
        let (code, start) = (self.code, self.at);
        self.at += self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        &code[start..self.at]
    }

    /// Whether one of [`TENS`] begins here.
    fn is_ten(&self) -> bool {
        TENS.iter().any(|ten| self.rest().starts_with(ten))
    }

    fn rest(&self) -> &[u8] {
        &self.code.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.code.as_bytes().get(self.at).copied()
    }

    fn fault(&self, fault: UcumFault) -> UcumError {
        UcumError { at: self.at, fault }
    }
}

fn fault(at: usize, fault: UcumFault) -> UcumError {
    UcumError { at, fault }
}

impl From<ConversionError> for UcumFault {
    fn from(error: ConversionError) -> Self {
        match error {
            ConversionError::Special { unit } => Self::Special { unit },
            ConversionError::OutOfRange | ConversionError::NotComparable => Self::FactorOutOfRange,
        }
    }
}

/// The bytes of the symbol that a text begins with: everything up to an operator, digit, brace or
/// blank, brackets with all that is in them. `Err` has the place of a bracket that is not closed.
fn symbol_length(text: &[u8]) -> Result<usize, usize> {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'[' => {
                let closing = text[at..].iter().position(|it| *it == b']');
                at += closing.ok_or(at)? + 1;
            }
            0..=b' ' | b'0'..=b'9' | 0x7F => break,
            other if b"./+-=()]{}\"".contains(other) => break,
            _ => at += 1,
        }
    }
    Ok(at)
}
