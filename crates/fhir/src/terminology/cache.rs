//! What was read and evaluated, kept within a limit of bytes; the least recently used goes first.
//!
//! An entry holds as long as every definition that it came from is the one it came from. The caller
//! says what the current ones are, so nothing has to be told here when a resource changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::canonical::{Canonical, Source};
use super::code_set::CodeSet;
use super::content::Stored;

/// What an entry is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A stored definition.
    Definition(Source),
    /// The members of a value set.
    Members(Canonical),
    /// The codes that a concept subsumes: its system and code.
    Below(Box<str>, Box<str>),
    /// The codes that subsume a concept.
    Above(Box<str>, Box<str>),
}

/// What is kept.
#[derive(Debug, Clone)]
pub enum Cached {
    /// A stored definition, read.
    Definition(Stored),
    /// Codes: the members of a value set, or those above or below one.
    Members(Arc<CodeSet>),
}

/// What tells a stored version of a resource from all others: its id and `versionId`, say.
/// A definition that is not stored has no stamp.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stamp(pub Box<str>);

/// Definitions and results of one tenant and FHIR version, or of several told apart by `scope`.
#[derive(Debug)]
pub struct Cache {
    bytes_max: usize,
    bytes: usize,
    /// Counts uses.
    clock: u64,
    entries: HashMap<(Box<str>, Key), Entry>,
    /// By the clock of the last use.
    order: BTreeMap<u64, (Box<str>, Key)>,
}

#[derive(Debug)]
struct Entry {
    cached: Cached,
    sources: Vec<(Source, Option<Stamp>)>,
    bytes: usize,
    used: u64,
    /// The caller's mark of when it was last found to hold.
    held: Option<u64>,
}

/// What an entry needs besides what it holds, roughly.
const ENTRY_BYTES: usize = 256;

/// What a source of an entry needs, roughly.
const SOURCE_BYTES: usize = 128;

impl Cache {
    /// An empty one that never holds more than `terminology_cache_bytes`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            clock: 0,
            entries: HashMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// How many bytes it holds, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is kept under a key, if it was noted to hold with a mark from which the caller can tell
    /// that it still does, without looking at its sources.
    pub fn recent(
        &mut self,
        scope: &str,
        key: &Key,
        still: impl FnOnce(u64) -> bool,
    ) -> Option<Cached> {
        let place = (scope.into(), key.clone());
        let held = self.entries.get(&place)?.held?;
        still(held).then(|| self.touch(place))?
    }

    /// Notes that what is kept under a key holds, with a mark for [`Cache::recent`].
    pub fn note(&mut self, scope: &str, key: &Key, mark: u64) {
        if let Some(entry) = self.entries.get_mut(&(scope.into(), key.clone())) {
            entry.held = Some(mark);
        }
    }

    /// What an entry came from, to look up the stamps for [`Cache::get`].
    pub fn sources(&self, scope: &str, key: &Key) -> Option<Vec<Source>> {
        let entry = self.entries.get(&(scope.into(), key.clone()))?;
        Some(entry.sources.iter().map(|it| it.0.clone()).collect())
    }

    /// Forgets everything of a scope.
    pub fn forget(&mut self, scope: &str) {
        let places: Vec<_> = self
            .entries
            .keys()
            .filter(|it| &*it.0 == scope)
            .cloned()
            .collect();
        for place in &places {
            self.remove(place);
        }
    }

    /// What is kept under a key, if the stamps of all its sources are those that `current` tells; if
    /// not, it is forgotten. `current` gives `None` for what is not stored.
    pub fn get<E>(
        &mut self,
        scope: &str,
        key: &Key,
        mut current: impl FnMut(&Source) -> Result<Option<Stamp>, E>,
    ) -> Result<Option<Cached>, E> {
        let place = (scope.into(), key.clone());
        let Some(entry) = self.entries.get(&place) else {
            return Ok(None);
        };
        for (source, stamp) in &entry.sources {
            if current(source)? != *stamp {
                self.remove(&place);
                return Ok(None);
            }
        }
        Ok(self.touch(place))
    }

    /// Keeps something, with what it came from; what is too large for the limit is not kept.
    pub fn put(
        &mut self,
        scope: &str,
        key: Key,
        cached: Cached,
        sources: Vec<(Source, Option<Stamp>)>,
    ) {
        let place = (Box::<str>::from(scope), key);
        self.remove(&place);
        let bytes = cached.memory() + sources.len() * SOURCE_BYTES + ENTRY_BYTES;
        if bytes > self.bytes_max {
            return;
        }
        while self.bytes + bytes > self.bytes_max {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.remove(&oldest);
        }
        self.clock += 1;
        self.bytes += bytes;
        self.order.insert(self.clock, place.clone());
        let used = self.clock;
        self.entries.insert(
            place,
            Entry {
                cached,
                sources,
                bytes,
                used,
                held: None,
            },
        );
    }

    fn touch(&mut self, place: (Box<str>, Key)) -> Option<Cached> {
        let entry = self.entries.get_mut(&place)?;
        self.order.remove(&entry.used);
        self.clock += 1;
        entry.used = self.clock;
        let cached = entry.cached.clone();
        self.order.insert(self.clock, place);
        Some(cached)
    }

    fn remove(&mut self, place: &(Box<str>, Key)) {
        if let Some(entry) = self.entries.remove(place) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

impl Cached {
    fn memory(&self) -> usize {
        match self {
            Self::Definition(stored) => stored.memory(),
            Self::Members(set) => set.memory(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::Members(Canonical::new(name, None))
    }

    fn cached(codes: usize) -> Cached {
        let codes: Vec<String> = (0..codes).map(|it| format!("{it:04}")).collect();
        let set = CodeSet::listed("s", codes.iter().map(String::as_str));
        Cached::Members(Arc::new(set))
    }

    fn sources(stamp: Option<&str>) -> Vec<(Source, Option<Stamp>)> {
        let source = Source::value_set(&Canonical::new("v", None));
        vec![(source, stamp.map(|it| Stamp(it.into())))]
    }

    fn has(cache: &mut Cache, name: &str, stamp: Option<&str>) -> bool {
        let stamp = stamp.map(|it| Stamp(it.into()));
        let found = cache.get::<()>("t", &key(name), |_| Ok(stamp.clone()));
        found.expect("no fault").is_some()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let one = cached(10).memory() + SOURCE_BYTES + ENTRY_BYTES;
        let mut cache = Cache::new(3 * one);
        for name in ["a", "b", "c"] {
            cache.put("t", key(name), cached(10), sources(None));
        }
        assert_eq!((cache.len(), cache.bytes()), (3, 3 * one));
        assert!(has(&mut cache, "a", None));
        cache.put("t", key("d"), cached(10), sources(None));
        let kept: Vec<bool> = ["a", "b", "c", "d"]
            .map(|it| has(&mut cache, it, None))
            .into();
        assert_eq!(kept, [true, false, true, true]);
        cache.put("t", key("e"), cached(20), sources(None));
        assert!(cache.bytes() <= 3 * one && has(&mut cache, "e", None));
        cache.put("t", key("f"), cached(1000), sources(None));
        assert!(!has(&mut cache, "f", None) && has(&mut cache, "e", None));
    }

    #[test]
    fn entries_end_with_their_sources() {
        let mut cache = Cache::new(1 << 20);
        cache.put("t", key("a"), cached(1), sources(Some("1/1")));
        assert!(has(&mut cache, "a", Some("1/1")));
        assert!(!has(&mut cache, "a", Some("1/2")));
        assert!(cache.is_empty() && cache.bytes() == 0);
        cache.put("t", key("a"), cached(1), sources(None));
        assert!(has(&mut cache, "a", None));
        assert!(!has(&mut cache, "a", Some("1/1")));
    }

    #[test]
    fn scopes_do_not_meet_and_faults_pass_through() {
        let mut cache = Cache::new(1 << 20);
        cache.put("t", key("a"), cached(1), sources(None));
        let other = cache.get::<()>("u", &key("a"), |_| Ok(None));
        assert!(other.expect("no fault").is_none());
        assert_eq!(
            cache.get("t", &key("a"), |_| Err("gone")).err(),
            Some("gone")
        );
        assert!(has(&mut cache, "a", None));
    }

    #[test]
    fn marks_spare_the_look_at_sources() {
        let mut cache = Cache::new(1 << 20);
        cache.put("t", key("a"), cached(1), sources(Some("1/1")));
        assert!(cache.recent("t", &key("a"), |_| true).is_none(), "no mark");
        cache.note("t", &key("a"), 7);
        assert!(cache.recent("t", &key("a"), |mark| mark == 7).is_some());
        assert!(cache.recent("t", &key("a"), |_| false).is_none());
        assert_eq!(cache.sources("t", &key("a")).map(|it| it.len()), Some(1));
        cache.put("t", key("a"), cached(1), sources(Some("1/2")));
        assert!(
            cache.recent("t", &key("a"), |_| true).is_none(),
            "another entry"
        );
        cache.forget("t");
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn replacing_counts_once() {
        let mut cache = Cache::new(1 << 20);
        for _ in 0..100 {
            cache.put("t", key("a"), cached(10), sources(None));
        }
        let bytes = cached(10).memory() + SOURCE_BYTES + ENTRY_BYTES;
        assert_eq!((cache.len(), cache.bytes()), (1, bytes));
    }
}
