//! The dictionary of a tenant, in memory: it is small and asked for all the time.

use std::collections::HashMap;

use store::NameKind;

/// All names with their numbers.
#[derive(Debug, Default)]
pub(crate) struct Names {
    kinds: [Numbered; NameKind::ALL.len()],
}

#[derive(Debug, Default)]
struct Numbered {
    numbers: HashMap<Box<str>, u32>,
    /// The name of number n at n - 1.
    names: Vec<Box<str>>,
}

impl Names {
    pub(crate) fn number(&self, kind: NameKind, name: &str) -> Option<u32> {
        self.kinds[kind as usize].numbers.get(name).copied()
    }

    /// The number that the next new name gets.
    pub(crate) fn next(&self, kind: NameKind) -> u32 {
        u32::try_from(self.kinds[kind as usize].names.len() + 1)
            .expect("every name was given a 32-bit number")
    }

    /// Takes a name in; numbers come in order, 1, 2, 3 …
    pub(crate) fn add(&mut self, kind: NameKind, name: Box<str>) {
        let number = self.next(kind);
        let numbered = &mut self.kinds[kind as usize];
        numbered.names.push(name.clone());
        numbered.numbers.insert(name, number);
    }

    pub(crate) fn all(&self, kind: NameKind) -> Vec<(u32, Box<str>)> {
        (1..)
            .zip(self.kinds[kind as usize].names.iter().cloned())
            .collect()
    }
}
