//! Damage by seed: a generator of our own, so that a seed means the same everywhere, and what it does
//! to bytes.
//!
//! `ISTHMUS_LONG=1` damages fifty times as often; `ISTHMUS_SEED` repeats the one round of that seed.

use std::time::{Duration, Instant};

/// Far more than one round takes even on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(20);

/// How many times as often the long run damages.
const LONG: u64 = 50;

/// xorshift64*
pub(crate) struct Mutator(u64);

/// Says which round it was that panicked.
struct Round(u64);

impl Drop for Round {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("ISTHMUS_SEED={}", self.0);
        }
    }
}

/// Does something so many times, each with a mutator of another seed; says how often it held.
pub(crate) fn run(suite: &str, rounds: u64, round: impl Fn(&mut Mutator) -> bool) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|it| it.parse::<u64>().ok())
    };
    let seeds = match (number("ISTHMUS_SEED"), number("ISTHMUS_LONG")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(1)) => 0..rounds * LONG,
        (None, _) => 0..rounds,
    };
    let (count, mut held) = (seeds.end - seeds.start, 0_u64);
    for seed in seeds {
        let _told = Round(seed);
        let began = Instant::now();
        held += u64::from(round(&mut Mutator::new(seed)));
        assert!(began.elapsed() < TIME_MAX, "too slow");
    }
    println!("isthmus-suite: convert mutated {suite}: {count} runs, {held} converted");
}

impl Mutator {
    fn new(seed: u64) -> Self {
        // Seeds that are near each other begin far from each other; zero would stay zero.
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        usize::try_from(drawn >> 33).unwrap() % bound.max(1)
    }

    pub(crate) fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }

    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let width = 1 << self.below(8);
        start..(start + self.below(width)).min(length)
    }

    /// The bytes with one to four things done to them.
    pub(crate) fn damaged(&mut self, bytes: &[u8], pieces: &[&str]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let span = self.span(damaged.len());
            match self.below(6) {
                0 => {
                    damaged.drain(span);
                }
                1 => {
                    let part = damaged[span.clone()].to_vec();
                    damaged.splice(span.start..span.start, part);
                }
                2 => {
                    let piece = self.one_of(pieces);
                    damaged.splice(span, piece.bytes());
                }
                3 => {
                    let byte = u8::try_from(self.below(256)).unwrap();
                    damaged.insert(span.start, byte);
                }
                4 => {
                    if let Some(byte) = damaged.get_mut(span.start) {
                        *byte ^= 1 << self.below(8);
                    }
                }
                _ => damaged.truncate(span.end.max(damaged.len() / 2)),
            }
        }
        damaged
    }

    /// The same with a text: what is no longer UTF-8 is a replacement character.
    pub(crate) fn damaged_text(&mut self, text: &str, pieces: &[&str]) -> String {
        let damaged = self.damaged(text.as_bytes(), pieces);
        String::from_utf8_lossy(&damaged).into_owned()
    }

    /// A text with others in place of some that stand between these two: what divides a document
    /// stays whole.
    pub(crate) fn other_values(
        &mut self,
        text: &str,
        between: (&str, &str),
        values: &[&str],
    ) -> String {
        let places = text.match_indices(between.0);
        let places: Vec<usize> = places.map(|(at, _)| at + between.0.len()).collect();
        let mut changed = text.to_owned();
        let mut chosen: Vec<usize> = (0..=self.below(4)).map(|_| *self.one_of(&places)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        // From the end, so that the places before stay where they are.
        for at in chosen.into_iter().rev() {
            if let Some(length) = text[at..].find(between.1) {
                let value: &&str = self.one_of(values);
                changed.replace_range(at..at + length, value);
            }
        }
        changed
    }
}
