//! HL7 v2 messages read without the engine, to compare what it makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The text of a segment's part; repeats are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) segment: String,
    pub(crate) field: usize,
    pub(crate) repeat: usize,
    pub(crate) component: usize,
    pub(crate) subcomponent: usize,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segment, field, component) = (&self.segment, self.field, self.component);
        write!(f, "{segment}-{field}.{component}")?;
        if self.subcomponent > 1 {
            write!(f, ".{}", self.subcomponent)?;
        }
        if self.repeat > 1 {
            write!(f, " (repeat {})", self.repeat)?;
        }
        Ok(())
    }
}

pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) parts: BTreeMap<Part, String>,
}

pub(crate) struct Message {
    pub(crate) segments: Vec<Segment>,
}

impl Message {
    pub(crate) fn read(text: &str) -> Self {
        let separators: Vec<char> = text.chars().skip(3).take(5).collect();
        let lines = text.split(['\r', '\n']).filter(|it| !it.trim().is_empty());
        let segments = lines.map(|line| {
            let mut fields = line.split(separators[0]);
            let name = fields.next().unwrap_or_default().to_owned();
            let first = if name == "MSH" { 2 } else { 1 };
            let skipped = usize::from(name == "MSH");
            let mut parts = BTreeMap::new();
            for (at, field) in fields.enumerate().skip(skipped) {
                read_field(&name, first + at, field, &separators, &mut parts);
            }
            Segment { name, parts }
        });
        Self {
            segments: segments.collect(),
        }
    }

    /// Every part that is valued, and what the other message has in its place. Segments are compared
    /// with those of their name with which they have most in common, and so are repeats of fields.
    pub(crate) fn compared<'m>(&'m self, other: &'m Self) -> Vec<Compared<'m>> {
        let mut scores = Vec::new();
        for (own, segment) in self.segments.iter().enumerate() {
            let others = other.segments.iter().enumerate();
            for (there, it) in others.filter(|it| it.1.name == segment.name) {
                let count = segment
                    .compared(it)
                    .iter()
                    .filter(|it| Some(it.1) == it.2)
                    .count();
                scores.push((count, own, there));
            }
        }
        let pairs = best(scores);
        let mut found = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let pair = pairs.get(&at).map(|it| &other.segments[*it]);
            let parts = match pair {
                Some(pair) => segment.compared(pair),
                None => segment
                    .parts
                    .iter()
                    .map(|it| (it.0, it.1.as_str(), None))
                    .collect(),
            };
            found.extend(parts.into_iter().map(|(part, text, there)| Compared {
                position: at + 1,
                part,
                text,
                has_segment: pair.is_some(),
                there: there.map(str::to_owned),
            }));
        }
        found
    }
}

/// A part of a message and what another message has in its place.
pub(crate) struct Compared<'m> {
    /// Of the segment, from 1.
    pub(crate) position: usize,
    pub(crate) part: &'m Part,
    pub(crate) text: &'m str,
    /// Whether the other message has such a segment.
    pub(crate) has_segment: bool,
    pub(crate) there: Option<String>,
}

/// Pairs of the most in common, each of either side once.
fn best(mut scores: Vec<(usize, usize, usize)>) -> BTreeMap<usize, usize> {
    scores.sort_by_key(|(count, own, there)| (std::cmp::Reverse(*count), *own, *there));
    let (mut pairs, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, own, there) in scores {
        if !pairs.contains_key(&own) && taken.insert(there) {
            pairs.insert(own, there);
        }
    }
    pairs
}

impl Segment {
    /// The parts of a repeat: component and subcomponent.
    fn repeat(&self, field: usize, repeat: usize) -> BTreeMap<(usize, usize), &String> {
        let parts = self.parts.iter();
        let of_it = parts.filter(|it| it.0.field == field && it.0.repeat == repeat);
        of_it
            .map(|(part, text)| ((part.component, part.subcomponent), text))
            .collect()
    }

    fn repeats(&self) -> BTreeSet<(usize, usize)> {
        self.parts.keys().map(|it| (it.field, it.repeat)).collect()
    }

    /// The parts with their texts, and the texts of the other.
    fn compared<'t>(&'t self, other: &'t Self) -> Vec<(&'t Part, &'t str, Option<&'t str>)> {
        let there = other.repeats();
        let mut pairs: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let fields: BTreeSet<usize> = self.parts.keys().map(|it| it.field).collect();
        for field in fields {
            let mut scores = Vec::new();
            for own in self
                .repeats()
                .iter()
                .filter(|it| it.0 == field)
                .map(|it| it.1)
            {
                let parts = self.repeat(field, own);
                for at in there.iter().filter(|it| it.0 == field).map(|it| it.1) {
                    let found = other.repeat(field, at);
                    let count = parts
                        .iter()
                        .filter(|it| found.get(it.0) == Some(it.1))
                        .count();
                    scores.push((count, own, at));
                }
            }
            pairs.extend(best(scores).into_iter().map(|(own, at)| ((field, own), at)));
        }
        let parts = self.parts.iter().map(|(part, text)| {
            let repeat = pairs.get(&(part.field, part.repeat));
            let there = repeat.and_then(|repeat| {
                let wanted = Part {
                    repeat: *repeat,
                    ..part.clone()
                };
                other.parts.get(&wanted)
            });
            (part, text.as_str(), there.map(String::as_str))
        });
        parts.collect()
    }
}

fn read_field(
    name: &str,
    number: usize,
    text: &str,
    separators: &[char],
    parts: &mut BTreeMap<Part, String>,
) {
    for (repeat, text) in text.split(separators[2]).enumerate() {
        for (component, text) in text.split(separators[1]).enumerate() {
            for (subcomponent, text) in text.split(separators[4]).enumerate() {
                let part = Part {
                    segment: name.to_owned(),
                    field: number,
                    repeat: repeat + 1,
                    component: component + 1,
                    subcomponent: subcomponent + 1,
                };
                let text = unescaped(text, separators);
                if !text.trim().is_empty() && text != "\"\"" {
                    parts.insert(part, text);
                }
            }
        }
    }
}

/// The escape sequences that stand for separators and line breaks; others as they are.
fn unescaped(text: &str, separators: &[char]) -> String {
    let escape = separators[3];
    let mut text = text.to_owned();
    let sequences = [
        ("F", separators[0]),
        ("S", separators[1]),
        ("R", separators[2]),
        ("T", separators[4]),
        (".br", '\n'),
        ("E", escape),
    ];
    for (sequence, stands_for) in sequences {
        let written = format!("{escape}{sequence}{escape}");
        text = text.replace(&written, &stands_for.to_string());
    }
    text
}
