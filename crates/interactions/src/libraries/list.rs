//! The list of a library's versions, as it is kept: a line for what is in use, newest first, and
//! one for each version.

use fhir::{Fault, Issue};
use store::Instant;

use super::{LIBRARY_VERSIONS_MAX, no_version};

/// How many activations can be taken back.
const ACTIVATIONS_MAX: usize = 20;

/// A library of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its versions, oldest first.
    pub versions: Vec<LibraryVersion>,
    /// The numbers that were in use, the present one last.
    activations: Vec<u32>,
    /// The number of the newest version that there ever was.
    last_number: u32,
}

/// A version of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryVersion {
    /// Its number, from 1; never given twice.
    pub number: u32,
    /// SHA-256 of its archive, in hexadecimal digits.
    pub sha256: String,
    /// The size of its archive.
    pub bytes: u64,
    /// The library that it lies over.
    pub base: Option<String>,
    /// When it came.
    pub uploaded: Instant,
}

impl Library {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            versions: Vec::new(),
            activations: Vec::new(),
            last_number: 0,
        }
    }

    /// The version in use.
    pub fn in_use(&self) -> Option<&LibraryVersion> {
        self.version(*self.activations.last()?)
    }

    /// The version of that number.
    pub fn version(&self, number: u32) -> Option<&LibraryVersion> {
        self.versions.iter().find(|it| it.number == number)
    }

    /// Adds a version and gives it its number.
    pub(super) fn add(&mut self, version: LibraryVersion) -> Result<u32, Issue> {
        if self.versions.len() >= LIBRARY_VERSIONS_MAX {
            let what =
                format!("the library has `library_versions_max` ({LIBRARY_VERSIONS_MAX}) versions");
            return Err(Issue::error(Fault::TooLarge, what).mend("delete some that are not used"));
        }
        self.last_number += 1;
        self.versions.push(LibraryVersion {
            number: self.last_number,
            ..version
        });
        Ok(self.last_number)
    }

    pub(super) fn activate(&mut self, number: u32) -> Result<(), Issue> {
        self.version(number).ok_or_else(|| no_version(number))?;
        if self.activations.last() != Some(&number) {
            self.activations.push(number);
        }
        let surplus = self.activations.len().saturating_sub(ACTIVATIONS_MAX);
        self.activations.drain(..surplus);
        Ok(())
    }

    pub(super) fn roll_back(&mut self) -> Result<(), Issue> {
        if self.activations.len() < 2 {
            let what = "no other version was in use before";
            return Err(Issue::error(Fault::Conflict, what).mend("activate one by its number"));
        }
        self.activations.pop();
        Ok(())
    }

    pub(super) fn remove(&mut self, number: u32) -> Result<(), Issue> {
        self.version(number).ok_or_else(|| no_version(number))?;
        if self.activations.last() == Some(&number) {
            let issue = Issue::error(Fault::Conflict, "the version is in use");
            return Err(issue.mend("activate another first, or delete the library"));
        }
        self.versions.retain(|it| it.number != number);
        self.activations.retain(|it| *it != number);
        self.activations.dedup();
        Ok(())
    }

    pub(super) fn encode(&self) -> String {
        let activations: Vec<String> = self.activations.iter().map(u32::to_string).collect();
        let mut text = format!("{} {}\n", self.last_number, activations.join(","));
        for it in &self.versions {
            let base = it.base.as_deref().unwrap_or("");
            let (number, sha256, bytes, Instant(uploaded)) =
                (it.number, &it.sha256, it.bytes, it.uploaded);
            let line = [number.to_string(), bytes.to_string(), uploaded.to_string()].join(" ");
            text.extend([&line, " ", sha256, " ", base, "\n"]);
        }
        text
    }

    pub(super) fn decode(name: &str, text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (last_number, activations) = lines.next()?.split_once(' ')?;
        let activations = activations.split(',').filter(|it| !it.is_empty());
        let version = |line: &str| {
            let mut words = line.splitn(5, ' ');
            Some(LibraryVersion {
                number: words.next()?.parse().ok()?,
                bytes: words.next()?.parse().ok()?,
                uploaded: Instant(words.next()?.parse().ok()?),
                sha256: words.next()?.to_owned(),
                base: words.next().filter(|it| !it.is_empty()).map(str::to_owned),
            })
        };
        Some(Self {
            name: name.to_owned(),
            last_number: last_number.parse().ok()?,
            activations: activations.map(str::parse).collect::<Result<_, _>>().ok()?,
            versions: lines.map(version).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> LibraryVersion {
        LibraryVersion {
            number: 0,
            sha256: "ab".into(),
            bytes: 7,
            base: None,
            uploaded: Instant(5),
        }
    }

    #[test]
    fn a_list_survives_its_text() {
        let mut list = Library::named("a");
        assert_eq!(Library::decode("a", &list.encode()), Some(list.clone()));
        list.add(version()).unwrap();
        list.activate(1).unwrap();
        let base = Some("b.c-d".to_owned());
        list.add(LibraryVersion { base, ..version() }).unwrap();
        list.activate(2).unwrap();
        assert_eq!(Library::decode("a", &list.encode()), Some(list));
        for text in ["", "x", "1 2\nx", "1 2\n1 a b c d", "1 a\n"] {
            assert_eq!(Library::decode("a", text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_never_given_twice_and_the_way_back_is_kept() {
        let mut list = Library::named("a");
        for expected in 1..=3 {
            assert_eq!(list.add(version()), Ok(expected));
            list.activate(expected).unwrap();
        }
        let in_use = |list: &Library| list.in_use().map(|it| it.number);
        assert!(list.remove(3).is_err());
        list.remove(2).unwrap();
        list.roll_back().unwrap();
        assert_eq!(in_use(&list), Some(1));
        assert!(list.roll_back().is_err());
        list.remove(3).unwrap();
        assert_eq!(list.add(version()), Ok(4));
        assert!(list.activate(3).is_err());
        assert_eq!(in_use(&list), Some(1));
    }
}
