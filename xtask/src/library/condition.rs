//! Conditions of the guide's tables (its ANTLR grammar, as leniently as it is used) as conditions of
//! the strict dialect.

/// A condition with `s` for the segment; none if it is prose.
pub(super) fn translate(text: &str, segment: &str) -> Option<String> {
    let tokens = tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        segment,
    };
    let read = reader.any()?;
    (reader.at == tokens.len()).then_some(read)
}

fn tokens(text: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), text.trim());
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' | '\'' | '\u{201c}' => {
                let inner = &rest[c.len_utf8()..];
                let close = inner.find(['"', '\'', '\u{201d}']).unwrap_or(inner.len());
                let text = &inner[..close];
                found.push(format!("\"{text}"));
                rest = inner[close..]
                    .trim_start_matches(['"', '\'', '\u{201d}'])
                    .trim_start();
                continue;
            }
            '(' | ')' | ',' | '=' | '>' | '<' => 1,
            _ => rest
                .find(|c: char| {
                    c.is_whitespace() || matches!(c, '(' | ')' | ',' | '=' | '>' | '<' | '"')
                })
                .unwrap_or(rest.len())
                .max(1),
        };
        let word = rest[..length].to_uppercase();
        if word != "IF" {
            found.push(word);
        }
        rest = rest[length..].trim_start();
    }
    found
}

struct Reader<'t> {
    tokens: &'t [String],
    at: usize,
    segment: &'t str,
}

impl Reader<'_> {
    fn accept(&mut self, word: &str) -> bool {
        let is_next = self.tokens.get(self.at).is_some_and(|it| it == word);
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Option<String> {
        let mut read = self.all()?;
        while self.accept("OR") {
            read = format!("{read} or {}", self.all()?);
        }
        Some(read)
    }

    fn all(&mut self) -> Option<String> {
        let mut read = self.one()?;
        while self.accept("AND") {
            read = format!("{read} and {}", self.one()?);
        }
        Some(read)
    }

    fn one(&mut self) -> Option<String> {
        if self.accept("(") {
            let inner = self.any()?;
            // One of the tables lacks the bracket.
            self.accept(")");
            return Some(format!("({inner})"));
        }
        let mut references = vec![self.reference()?];
        let begin = self.at;
        let mut joined = "and";
        // `PID-33 AND PID-34 VALUED` says of both that they are.
        loop {
            let before = self.at;
            let or = self.accept("OR");
            if !or && !self.accept("AND") {
                break;
            }
            let Some(next) = self.reference() else {
                self.at = before;
                break;
            };
            references.push(next);
            if or {
                joined = "or";
            }
        }
        let is_predicate = |it: &str| !matches!(it, "AND" | "OR" | ")");
        if !self.tokens.get(self.at).is_some_and(|it| is_predicate(it)) {
            // No predicate: what was read ahead was not of this one.
            self.at = begin;
            references.truncate(1);
            return Some(references.remove(0));
        }
        let predicate = self.predicate()?;
        let each: Vec<String> = references.iter().map(|it| predicate.of(it)).collect();
        match each.len() {
            1 => Some(each[0].clone()),
            _ => Some(format!("({})", each.join(&format!(" {joined} ")))),
        }
    }

    /// `PID-11.9`, `CX.5`: a path from the segment `s`.
    fn reference(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at)?;
        let (name, rest) = token.split_at_checked(3)?;
        let numbers = rest.strip_prefix(['-', '.'])?;
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        if !numbers.split('.').all(is_number) {
            return None;
        }
        self.at += 1;
        match name {
            _ if name == self.segment => Some(format!("s.{numbers}")),
            "MSH" => Some(format!("message.MSH.{numbers}")),
            _ => None,
        }
    }

    fn predicate(&mut self) -> Option<Predicate> {
        let is_count = self.accept("LST.COUNT") || self.accept("COUNT");
        let is_length = self.accept("LENGTH");
        if is_count || is_length {
            let property = if is_count { "size" } else { "length" };
            return Some(Predicate::Property(property, self.measure()?));
        }
        while self.accept("IS") || self.accept("ARE") || self.accept("DOES") {}
        let mut is_not = self.accept("NOT");
        while self.accept("IS") {}
        if self.accept("VALUED") || self.accept("VALUE") || self.accept("EXIST") {
            // `IS VALUED AND NOT "x"`, `IS VALUED NOT EQUAL PID-12`
            return Some(Predicate::Valued(!is_not));
        }
        if self.accept("EMPTY") {
            return Some(Predicate::Valued(is_not));
        }
        if self.accept("IN") {
            return Some(Predicate::In(!is_not, self.list()?));
        }
        let _ = self.accept("EQUALS") || self.accept("EQUAL") || self.accept("=");
        self.accept("TO");
        is_not |= self.accept("NOT");
        let text = self.tokens.get(self.at)?.strip_prefix('"')?.to_owned();
        self.at += 1;
        Some(Predicate::In(!is_not, vec![text]))
    }

    fn measure(&mut self) -> Option<String> {
        let operator = match () {
            () if self.accept("GREATER") || self.accept(">") => ">",
            () if self.accept("LESS") || self.accept("<") => "<",
            () => "==",
        };
        self.accept("THAN");
        let or_equal = self.accept("OR");
        let equals = self.accept("EQUALS") || self.accept("EQUAL") || self.accept("=");
        let operator = match (operator, or_equal && equals) {
            (">", true) => ">=",
            ("<", true) => "<=",
            (other, _) => other,
        };
        let number: usize = self.tokens.get(self.at)?.parse().ok()?;
        self.at += 1;
        Some(format!("{operator} {number}"))
    }

    fn list(&mut self) -> Option<Vec<String>> {
        self.accept("(").then_some(())?;
        let mut found = Vec::new();
        while !self.accept(")") {
            let text = self.tokens.get(self.at)?.trim_start_matches('"').to_owned();
            self.at += 1;
            found.push(text);
            self.accept(",");
        }
        Some(found)
    }
}

enum Predicate {
    Valued(bool),
    In(bool, Vec<String>),
    Property(&'static str, String),
}

impl Predicate {
    fn of(&self, reference: &str) -> String {
        match self {
            Self::Valued(true) => reference.to_owned(),
            Self::Valued(false) => format!("not {reference}"),
            Self::In(is, values) => {
                let values: Vec<String> = values.iter().map(|it| format!("'{it}'")).collect();
                match (&values[..], is) {
                    ([one], true) => format!("{reference} == {one}"),
                    ([one], false) => format!("{reference} != {one}"),
                    (_, true) => format!("{reference} in ({})", values.join(", ")),
                    (_, false) => format!("not {reference} in ({})", values.join(", ")),
                }
            }
            Self::Property(name, measure) => format!("{reference}.{name} {measure}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_those_of_the_dialect() {
        for (text, expected) in [
            ("IF PID-25 NOT VALUED", Some("not s.25")),
            ("IF PID-33 AND PID-34 VALUED", Some("(s.33 and s.34)")),
            ("IF PID-11 LST.COUNT GREATER THAN 1", Some("s.11.size > 1")),
            ("IF PID-7 LENGTH GREATER THAN 8", Some("s.7.length > 8")),
            (
                "IF PID-8 IN (\"A\", \"B\") AND PID-3.5 IS NOT \"x\"",
                Some("s.8 in ('A', 'B') and s.3.5 != 'x'"),
            ),
            (
                "IF (PID-8 EQUALS \"A\" OR PID-9 VALUED) AND PID-1 = \"1\"",
                Some("(s.8 == 'A' or s.9) and s.1 == '1'"),
            ),
            (
                "IF MSH-24 NOT VALUED AND PID-3 NOT VALUED",
                Some("not message.MSH.24 and not s.3"),
            ),
            ("if it is so", None),
        ] {
            assert_eq!(translate(text, "PID").as_deref(), expected, "{text}");
        }
    }
}
