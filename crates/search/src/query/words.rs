//! What `_text` and `_content` search for: words that all must be there.
//!
//! `a b` and `a and b` want both words, `a or b` one of them, `not a` none; parentheses group, and
//! a comma separates alternatives as everywhere. The operators may be written in either case.
//! Phrases in quotes are refused: which word follows which is not indexed.
//! <https://hl7.org/fhir/R4/search.html#content>

use super::fault::{Refused, faulty};
use crate::text::{fold, words};

/// A condition on the words of a text.
#[derive(Clone, PartialEq, Eq)]
pub enum Words {
    /// It has this one, folded.
    Has(Box<str>),
    /// All of these.
    All(Vec<Words>),
    /// One of these.
    Any(Vec<Words>),
    /// Not this.
    Not(Box<Words>),
}

/// How deep parentheses may be nested.
const DEPTH_MAX: usize = 16;

/// How many words a value may have.
const WORDS_MAX: usize = 200;

impl Words {
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Refused> {
        if text.contains('"') {
            let remedy = "leave the quotes out: then the words may stand in any order";
            return Err(faulty(name, "a phrase, which is not offered", remedy));
        }
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let terms: Vec<&str> = spaced.split_whitespace().collect();
        let parsed = (terms.len() <= WORDS_MAX).then(|| {
            let mut reader = Reader {
                terms: &terms,
                depth: 0,
            };
            reader.any().filter(|_| reader.terms.is_empty())
        });
        parsed.flatten().ok_or_else(|| {
            let what = "a value that is no search for words";
            faulty(
                name,
                what,
                "write words, `and`, `or`, `not` and parentheses, up to 200 and 16 deep",
            )
        })
    }
}

struct Reader<'t> {
    terms: &'t [&'t str],
    depth: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<Words> {
        let mut any = vec![self.all()?];
        while self.take("or") {
            any.push(self.all()?);
        }
        Some(one_or(any, Words::Any))
    }

    fn all(&mut self) -> Option<Words> {
        let mut all = vec![self.single()?];
        loop {
            let is_joined = self.take("and");
            let goes_on = self
                .terms
                .first()
                .is_some_and(|it| *it != ")" && !is(it, "or"));
            if !goes_on {
                return (!is_joined).then(|| one_or(all, Words::All));
            }
            all.push(self.single()?);
        }
    }

    fn single(&mut self) -> Option<Words> {
        let mut negations = 0;
        while self.take("not") {
            negations += 1;
        }
        let word = if self.take("(") {
            self.depth += 1;
            let inner = (self.depth <= DEPTH_MAX).then(|| self.any())??;
            self.depth -= 1;
            self.take(")").then_some(inner)?
        } else {
            self.word()?
        };
        Some(if negations % 2 == 1 {
            Words::Not(Box::new(word))
        } else {
            word
        })
    }

    fn word(&mut self) -> Option<Words> {
        let (first, rest) = self.terms.split_first()?;
        if *first == ")" || is(first, "or") || is(first, "and") {
            return None;
        }
        self.terms = rest;
        let folded = fold(first);
        let all: Vec<_> = words(&folded).map(|it| Words::Has(it.into())).collect();
        (!all.is_empty()).then(|| one_or(all, Words::All))
    }

    fn take(&mut self, operator: &str) -> bool {
        let Some((_, rest)) = self.terms.split_first().filter(|it| is(it.0, operator)) else {
            return false;
        };
        self.terms = rest;
        true
    }
}

fn is(term: &str, operator: &str) -> bool {
    term.eq_ignore_ascii_case(operator)
}

fn one_or(mut words: Vec<Words>, many: fn(Vec<Words>) -> Words) -> Words {
    if words.len() == 1 {
        words.remove(0)
    } else {
        many(words)
    }
}
