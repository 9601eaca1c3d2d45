//! Sets of concepts by number: one bit for each concept of a system.

/// A set of numbers below a fixed one.
#[derive(Clone)]
pub(super) struct Bits {
    words: Box<[u64]>,
}

impl Bits {
    pub(super) fn none(below: u32) -> Self {
        let words = below.div_ceil(64) as usize;
        Self {
            words: vec![0; words].into(),
        }
    }

    pub(super) fn all(below: u32) -> Self {
        let mut bits = Self::none(below);
        bits.words.fill(u64::MAX);
        let beyond = below % 64;
        if let Some(last) = bits.words.last_mut().filter(|_| beyond > 0) {
            *last = (1 << beyond) - 1;
        }
        bits
    }

    pub(super) fn has(&self, number: u32) -> bool {
        let word = self.words.get((number / 64) as usize);
        word.is_some_and(|it| it >> (number % 64) & 1 == 1)
    }

    /// Adds a number; false if it was there, or is beyond the end.
    pub(super) fn add(&mut self, number: u32) -> bool {
        let bit = 1_u64 << (number % 64);
        match self.words.get_mut((number / 64) as usize) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    pub(super) fn remove(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut((number / 64) as usize) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Keeps what is in the other as well.
    pub(super) fn and(&mut self, other: &Self) {
        let both = self.words.iter_mut().zip(&other.words);
        both.for_each(|(own, other)| *own &= other);
    }

    /// Keeps what is not in the other.
    pub(super) fn and_not(&mut self, other: &Self) {
        let both = self.words.iter_mut().zip(&other.words);
        both.for_each(|(own, other)| *own &= !other);
    }

    pub(super) fn count(&self) -> usize {
        let ones = self.words.iter().map(|it| it.count_ones() as usize);
        ones.sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|it| *it == 0)
    }

    /// The least number in it that is not below that one.
    pub(super) fn next(&self, from: u32) -> Option<u32> {
        let first = (from / 64) as usize;
        let mut masked = self.words.get(first)? & (u64::MAX << (from % 64));
        for (place, _) in self.words.iter().enumerate().skip(first) {
            let word = if place == first {
                std::mem::take(&mut masked)
            } else {
                self.words[place]
            };
            if word != 0 {
                let place = u32::try_from(place).ok()?;
                return Some(place * 64 + word.trailing_zeros());
            }
        }
        None
    }

    /// The only number in it.
    pub(super) fn only(&self) -> Option<u32> {
        let first = self.next(0)?;
        match self.next(first + 1) {
            None => Some(first),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_order() {
        for below in [0, 1, 63, 64, 65, 200] {
            let all = Bits::all(below);
            assert_eq!(all.count(), below as usize);
            let mut some = Bits::none(below);
            for number in (0..below).step_by(7) {
                assert!(some.add(number) && !some.add(number));
            }
            let mut found = Vec::new();
            let mut at = 0;
            while let Some(number) = some.next(at) {
                found.push(number);
                at = number + 1;
            }
            assert!(found.into_iter().eq((0..below).step_by(7)));
            let mut rest = all.clone();
            rest.and_not(&some);
            assert_eq!(rest.count() + some.count(), all.count());
            rest.and(&some);
            assert!(rest.is_empty());
            assert_eq!(some.only(), (below == 1).then_some(0));
            assert!(!some.add(below + 64) && !some.has(below + 64));
            some.remove(0);
            assert!(!some.has(0));
        }
    }
}
