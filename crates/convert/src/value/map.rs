//! Objects: members in order, found by name. Small ones are searched in order; large ones by a
//! sorted index, so that hostile input cannot make look-ups quadratic.

use std::cell::Cell;
use std::collections::HashMap;

use super::{Arena, Value};

/// From this many members on, an index pays.
const INDEXED_FROM: usize = 24;

/// An object.
pub(crate) struct Map<'a> {
    members: &'a [(&'a str, Value<'a>)],
    /// Positions in the order of names, of large maps only.
    index: &'a [u32],
    /// Of an object of the input.
    given: Option<&'a GivenMap<'a>>,
}

/// What is known of an object of the input.
struct GivenMap<'a> {
    /// Which members were asked for: numbers and booleans cannot tell by themselves.
    asked: &'a [Cell<bool>],
    /// How it is written, if it is XML.
    source: &'a str,
}

impl<'a> Map<'a> {
    /// The members in order.
    pub(crate) fn members(&self) -> &'a [(&'a str, Value<'a>)] {
        for asked in self.given.map_or(&[][..], |it| it.asked) {
            asked.set(true);
        }
        self.members
    }

    /// The members in order, without their counting as asked for; each with whether it was.
    pub(crate) fn peek(&self) -> impl Iterator<Item = (&'a str, Value<'a>, bool)> {
        let asked = self.given.map_or(&[][..], |it| it.asked);
        let members = self.members.iter().enumerate();
        members.map(move |(at, it)| (it.0, it.1, asked.get(at).is_some_and(Cell::get)))
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// How it is written in the input; nothing for what is no XML.
    pub(crate) fn source(&self) -> &'a str {
        self.given.map_or("", |it| it.source)
    }

    /// The value of that name; names are told apart by case.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        let at = self.place(name)?;
        if let Some(asked) = self.given.and_then(|it| it.asked.get(at)) {
            asked.set(true);
        }
        Some(self.members[at].1)
    }

    fn place(&self, name: &str) -> Option<usize> {
        if self.index.is_empty() {
            return self.members.iter().position(|(key, _)| *key == name);
        }
        let key = |&at: &u32| self.members[at as usize].0;
        let found = self.index.binary_search_by(|at| key(at).cmp(name)).ok()?;
        Some(self.index[found] as usize)
    }
}

/// Collects members; of those with one name the last counts, at the place of the first.
#[derive(Default)]
pub(crate) struct MapBuilder<'a> {
    members: Vec<(&'a str, Value<'a>)>,
    places: HashMap<&'a str, usize>,
}

impl<'a> MapBuilder<'a> {
    /// The value of that name so far.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.place(name).map(|at| self.members[at].1)
    }

    /// Sets a member.
    pub(crate) fn set(&mut self, name: &'a str, value: Value<'a>) {
        if let Some(at) = self.place(name) {
            self.members[at].1 = value;
            return;
        }
        self.members.push((name, value));
        if self.members.len() == INDEXED_FROM {
            let places = self.members.iter().enumerate();
            self.places = places.map(|(at, (name, _))| (*name, at)).collect();
        } else if self.members.len() > INDEXED_FROM {
            self.places.insert(name, self.members.len() - 1);
        }
    }

    /// The members so far.
    pub(crate) fn members(&self) -> &[(&'a str, Value<'a>)] {
        &self.members
    }

    /// The finished map.
    pub(crate) fn finish(&mut self, arena: &'a Arena) -> &'a Map<'a> {
        self.build(None, arena)
    }

    /// The finished map, an object of the input; `source` is how it is written, if it is XML.
    pub(crate) fn finish_given(&mut self, source: &'a str, arena: &'a Arena) -> &'a Map<'a> {
        let asked = arena.alloc_slice_fill_with(self.members.len(), |_| Cell::new(false));
        let given = arena.alloc(GivenMap { asked, source });
        self.build(Some(given), arena)
    }

    fn build(&mut self, given: Option<&'a GivenMap<'a>>, arena: &'a Arena) -> &'a Map<'a> {
        let members: &'a [(&'a str, Value<'a>)] = arena.alloc_slice_copy(&self.members);
        let mut index = Vec::new();
        if members.len() >= INDEXED_FROM {
            index.extend(0..u32::try_from(members.len()).unwrap_or(u32::MAX));
            index.sort_unstable_by_key(|at| members[*at as usize].0);
        }
        self.members.clear();
        self.places.clear();
        arena.alloc(Map {
            members,
            index: arena.alloc_slice_copy(&index),
            given,
        })
    }

    fn place(&self, name: &str) -> Option<usize> {
        if self.members.len() >= INDEXED_FROM {
            return self.places.get(name).copied();
        }
        self.members.iter().position(|(key, _)| *key == name)
    }
}
