//! What came of the comparisons: the table of what was asked, and what must be the case.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Checked;
use super::queries::{Cell, cells};

/// How many differences are shown.
const SHOWN_MAX: usize = 30;

/// Queries, and pairs of a query and a resource that it searches.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) queries: usize,
    pub(super) pairs: usize,
}

impl Count {
    fn add(&mut self, pairs: usize) {
        self.queries += 1;
        self.pairs += pairs;
    }
}

#[derive(Default)]
pub(super) struct Tally {
    /// By cell of the table: the pairs that match, and those that do not.
    pub(super) cells: BTreeMap<Cell, [usize; 2]>,
    /// Parameters that found something and not everything, by type and code.
    pub(super) found: BTreeSet<(&'static str, &'static str)>,
    pub(super) asked: Count,
    /// Of them those of queries that find something and not everything.
    telling: Count,
    pub(super) refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, cell: Option<Cell>, checked: Checked) {
        let (hits, searched, difference) = match checked {
            Checked::Refused(why) => return *self.refused.entry(why).or_default() += 1,
            Checked::Compared {
                hits,
                searched,
                difference,
            } => (hits, searched, difference),
        };
        self.asked.add(searched);
        if hits > 0 && hits < searched {
            self.telling.add(searched);
        }
        if let Some(cell) = cell {
            let [hit, missed] = self.cells.entry(cell).or_default();
            *hit += hits;
            *missed += searched - hits;
        }
        if let Some(difference) = difference {
            println!("{difference}");
            self.wrong.push(difference);
        }
    }

    /// Whether something matched in a cell, and something did not.
    pub(super) fn has_both(&self, cell: Cell) -> bool {
        let counts = self.cells.get(&cell);
        counts.is_some_and(|it| !it.contains(&0))
    }

    /// Nothing differs, every cell of the table has hits and misses, and at least half of the
    /// queries, and of the pairs, tell.
    pub(super) fn demand(&self, suite: &str) {
        let mut cells = cells();
        cells.retain(|it| !self.has_both(*it));
        for (cell, [hits, misses]) in &self.cells {
            println!(
                "{:?} :{} {} {hits} hits {misses} misses",
                cell.kind, cell.modifier, cell.prefix
            );
        }
        for (why, count) in &self.refused {
            println!("refused {count}: {why}");
        }
        let (telling, asked) = (self.telling, self.asked);
        println!(
            "{} of {} queries find some and not all, with {} of {} pairs",
            telling.queries, asked.queries, telling.pairs, asked.pairs
        );
        println!("isthmus-suite: {suite}: {} cases", asked.pairs);
        let shown = self.wrong.iter().take(SHOWN_MAX).cloned();
        let shown = shown.collect::<Vec<_>>().join("\n");
        assert!(shown.is_empty(), "{} differ:\n{shown}", self.wrong.len());
        let tells = |telling, asked| 2 * telling >= asked;
        assert!(
            tells(telling.pairs, asked.pairs) && tells(telling.queries, asked.queries),
            "{telling:?} of {asked:?}"
        );
        assert!(cells.is_empty(), "no hits or no misses: {cells:?}");
    }
}
