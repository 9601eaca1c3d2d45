//! Objects: members in order, found by name. Small ones are searched in order; large ones by a
//! sorted index, so that hostile input cannot make look-ups quadratic.

use std::collections::HashMap;

use super::{Arena, Value};

/// From this many members on, an index pays.
const INDEXED_FROM: usize = 24;

/// An object.
pub(crate) struct Map<'a> {
    members: &'a [(&'a str, Value<'a>)],
    /// Positions in the order of names, of large maps only.
    index: &'a [u32],
}

impl<'a> Map<'a> {
    /// The members in order.
    pub(crate) fn members(&self) -> &'a [(&'a str, Value<'a>)] {
        self.members
    }

    /// The value of that name; names are told apart by case.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        if self.index.is_empty() {
            let mut members = self.members.iter();
            return members.find(|(key, _)| *key == name).map(|it| it.1);
        }
        let key = |&at: &u32| self.members[at as usize].0;
        let found = self.index.binary_search_by(|at| key(at).cmp(name)).ok()?;
        Some(self.members[self.index[found] as usize].1)
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
        })
    }

    fn place(&self, name: &str) -> Option<usize> {
        if self.members.len() >= INDEXED_FROM {
            return self.places.get(name).copied();
        }
        self.members.iter().position(|(key, _)| *key == name)
    }
}
