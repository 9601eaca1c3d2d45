//! Choosing codes of a large system, page by page of its table.
//!
//! The walk says which bytes it wants and is given them; it reads nothing itself, and holds one page,
//! a few sets of a bit per concept and what it found. First the concepts that are named are looked
//! up, then one filter after the other narrows what is chosen, at last the codes are listed.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::bits::Bits;
use super::form::Reader;
use super::{CodeTable, Section};
use crate::terminology::Limits;
use crate::terminology::canonical::Canonical;
use crate::terminology::code_system::CodeSystem;
use crate::terminology::content::Spent;
use crate::terminology::error::TerminologyError;
use crate::terminology::filter::{Asks, Filter, Order, Predicate, added};
use crate::terminology::selection::{Among, Only, Selection};

/// Going through a page takes as long as looking at so many codes.
const PAGE_WORK: usize = 100;

/// A selection that is being made.
pub struct Walk {
    table: Arc<CodeTable>,
    supplements: Vec<Arc<CodeSystem>>,
    limits: Limits,
    among: Among,
    /// What is still to be done to what is chosen.
    tasks: VecDeque<Task>,
    chosen: Bits,
    doing: Doing,
    wanted: Option<(Section, usize)>,
    /// What was spent on it, and on the answer's other selections before.
    work: usize,
    /// How many codes these found.
    codes_before: usize,
    found: BTreeSet<Box<str>>,
    /// The concepts that were named.
    named: HashMap<Box<str>, u32>,
}

enum Task {
    /// Keeps what stands so to the filter's concept.
    Order(Filter, Order),
    /// Keeps what has a concept right above (`parent`) or below (`child`) that fits.
    Beside(Section, Predicate),
    /// Keeps what has values that fit.
    Values(Property, Predicate),
    OutOfUse,
}

/// A property, by how a row has it.
enum Property {
    Code,
    Display,
    /// By the place of its name, unless only supplements have it.
    Own(Option<u32>, Box<str>),
}

enum Doing {
    /// Looks up codes, in order, from this one.
    Locate {
        codes: Vec<Box<str>>,
        next: usize,
    },
    /// Goes from concepts to those beside them, step by step.
    Spread(Spread),
    /// Goes through the rows of what is chosen.
    Sift {
        task: Task,
        at: u32,
    },
    /// Goes through all rows for the concepts whose codes fit.
    Seek {
        beside: Section,
        predicate: Predicate,
        fitting: Bits,
        at: u32,
    },
    /// Goes through the rows of what was chosen.
    List {
        at: u32,
    },
    Done,
}

struct Spread {
    section: Section,
    /// From where the next step is taken, and how far that is.
    frontier: Bits,
    at: u32,
    /// Where it leads.
    next: Bits,
    seen: Bits,
    /// How many of these were charged for.
    charged: usize,
    end: End,
}

/// What is done with what was reached.
enum End {
    /// It is what stands in that order to the first.
    Order(Order, u32),
    /// It is all above the only one that is chosen: whether that stands in that order to this one.
    OfOne { one: u32, order: Order, other: u32 },
    /// It was one step; whether to keep it or the rest.
    Beside { keep: bool },
}

impl Walk {
    pub(in crate::terminology) fn new(
        table: Arc<CodeTable>,
        supplements: Vec<Arc<CodeSystem>>,
        selection: &Selection,
        limits: Limits,
        spent: Spent,
    ) -> Result<Self, TerminologyError> {
        let mut tasks = VecDeque::new();
        let mut codes: BTreeSet<Box<str>> = match &selection.among {
            Among::All => BTreeSet::new(),
            Among::These(codes) => codes.clone(),
        };
        for filter in &selection.filters {
            filter.check_property(table.url(), table.property_names(), &supplements)?;
            let task = task(&table, filter)?;
            // What costs little and leaves little to do comes first.
            match task {
                Task::Order(..) => {
                    codes.insert(filter.value().into());
                    tasks.push_front(task);
                }
                task => tasks.push_back(task),
            }
        }
        if selection.only == Only::OutOfUse {
            tasks.push_back(Task::OutOfUse);
        }
        let mut walk = Self {
            chosen: Bits::none(table.concepts),
            doing: Doing::Locate {
                codes: codes.into_iter().collect(),
                next: 0,
            },
            table,
            supplements,
            limits,
            among: selection.among.clone(),
            tasks,
            wanted: None,
            work: spent.work,
            codes_before: spent.codes,
            found: BTreeSet::new(),
            named: HashMap::new(),
        };
        walk.proceed()?;
        Ok(walk)
    }

    /// The bytes of the table that it needs next; `None` once it is finished.
    pub fn wants(&self) -> Option<Range<u64>> {
        let (section, page) = self.wanted?;
        Some(self.table.pages(section).get(page)?.bytes.clone())
    }

    /// The table.
    pub fn table(&self) -> &CodeTable {
        &self.table
    }

    /// Goes on with the bytes that it wanted.
    pub fn give(&mut self, bytes: &[u8]) -> Result<(), TerminologyError> {
        let Some((section, page)) = self.wanted.take() else {
            return Ok(());
        };
        let rows = self.table.rows(section, page);
        self.charge(PAGE_WORK)?;
        let read = match section {
            Section::Concepts => self.concepts(rows, bytes),
            Section::Up | Section::Down => self.edges(rows, bytes),
        };
        read.ok_or_else(|| self.table.damaged())?;
        self.proceed()
    }

    pub(in crate::terminology) fn work(&self) -> usize {
        self.work
    }

    /// The codes that were chosen, in order.
    pub(in crate::terminology) fn finish(self) -> BTreeSet<Box<str>> {
        self.found
    }

    fn charge(&mut self, work: usize) -> Result<(), TerminologyError> {
        self.work += work;
        let max = self.limits.expansion_work_max;
        if self.work > max {
            return Err(self.exceeded("expansion_work_max", max));
        }
        Ok(())
    }

    fn exceeded(&self, limit: &'static str, max: usize) -> TerminologyError {
        TerminologyError::LimitExceeded {
            canonical: Canonical::new(&self.table.url, None),
            limit,
            max,
        }
    }

    /// Goes through rows of concepts; `None` if they are damaged.
    fn concepts(&mut self, rows: Range<u32>, bytes: &[u8]) -> Option<()> {
        let mut from = Reader::new(bytes);
        let supplements = &self.supplements;
        let end = rows.end;
        for concept in rows {
            let row = Row::read(&mut from)?;
            match &mut self.doing {
                Doing::Locate { codes, next } => {
                    while codes.get(*next).is_some_and(|it| **it < *row.code) {
                        *next += 1;
                    }
                    if codes.get(*next).is_some_and(|it| **it == *row.code) {
                        self.named.insert(row.code.into(), concept);
                        *next += 1;
                    }
                }
                Doing::Sift { task, .. }
                    if self.chosen.has(concept) && !row.keeps(task, supplements)? =>
                {
                    self.chosen.remove(concept);
                }
                Doing::Seek {
                    predicate, fitting, ..
                } if predicate.fits(row.code) => {
                    fitting.add(concept);
                }
                Doing::List { .. } if self.chosen.has(concept) => {
                    self.found.insert(row.code.into());
                }
                _ => {}
            }
        }
        match &mut self.doing {
            Doing::Sift { at, .. } | Doing::Seek { at, .. } | Doing::List { at } => *at = end,
            // What comes before the next page's first code and was not found is nowhere.
            Doing::Locate { codes, next } => {
                let after = self.table.page_of(Section::Concepts, end);
                let is_before = |it: &str| {
                    end == self.table.concepts
                        || self.table.page_of_code(it).is_none_or(|page| page < after)
                };
                while codes.get(*next).is_some_and(|it| is_before(it)) {
                    *next += 1;
                }
            }
            Doing::Spread(_) | Doing::Done => {}
        }
        from.is_empty().then_some(())
    }

    /// Goes through rows of neighbours; `None` if they are damaged.
    fn edges(&mut self, rows: Range<u32>, bytes: &[u8]) -> Option<()> {
        let Doing::Spread(spread) = &mut self.doing else {
            return Some(());
        };
        let mut from = Reader::new(bytes);
        let goes_on = !matches!(spread.end, End::Beside { .. });
        spread.at = rows.end;
        for concept in rows {
            let is_on_the_way = spread.frontier.has(concept);
            let mut neighbour = 0_u32;
            for _ in 0..from.number()? {
                neighbour = neighbour.checked_add(from.small()?)?;
                if is_on_the_way && spread.seen.add(neighbour) {
                    // What lies ahead is gone on from in the same step.
                    let is_ahead = goes_on && neighbour > concept;
                    let step = if is_ahead {
                        &mut spread.frontier
                    } else {
                        &mut spread.next
                    };
                    step.add(neighbour);
                }
            }
        }
        from.is_empty().then_some(())
    }

    /// Goes on until another page is needed or all is done.
    fn proceed(&mut self) -> Result<(), TerminologyError> {
        loop {
            self.wanted = self.next_page();
            if self.wanted.is_some() {
                return Ok(());
            }
            match std::mem::replace(&mut self.doing, Doing::Done) {
                Doing::Locate { .. } => self.located()?,
                Doing::Spread(spread) => self.spread(spread)?,
                Doing::Sift { .. } => {}
                Doing::Seek {
                    beside,
                    predicate,
                    fitting,
                    ..
                } => {
                    let keep = predicate.wants_some();
                    self.doing = self.step(beside, fitting, End::Beside { keep });
                    continue;
                }
                Doing::List { .. } | Doing::Done => return Ok(()),
            }
            if matches!(self.doing, Doing::Done) {
                self.begin_next()?;
            }
        }
    }

    /// The page that what is being done needs next.
    fn next_page(&self) -> Option<(Section, usize)> {
        let page = |section, bits: &Bits, at| {
            let concept = bits.next(at)?;
            Some((section, self.table.page_of(section, concept)))
        };
        match &self.doing {
            Doing::Locate { codes, next } => {
                let mut rest = codes.iter().skip(*next);
                let place = rest.find_map(|it| self.table.page_of_code(it))?;
                Some((Section::Concepts, place))
            }
            Doing::Spread(spread) => page(spread.section, &spread.frontier, spread.at),
            Doing::Sift { at, .. } | Doing::List { at } => {
                page(Section::Concepts, &self.chosen, *at)
            }
            Doing::Seek { at, .. } => (*at < self.table.concepts).then(|| {
                let page = self.table.page_of(Section::Concepts, *at);
                (Section::Concepts, page)
            }),
            Doing::Done => None,
        }
    }

    /// The concepts that are named are found: what comes into question is known.
    fn located(&mut self) -> Result<(), TerminologyError> {
        for task in &self.tasks {
            if let Task::Order(filter, _) = task
                && !self.named.contains_key(filter.value())
            {
                return Err(filter.unknown_concept(&self.table.url));
            }
        }
        match &self.among {
            Among::All => self.chosen = Bits::all(self.table.concepts),
            Among::These(codes) => {
                for concept in codes.iter().filter_map(|it| self.named.get(it)) {
                    self.chosen.add(*concept);
                }
            }
        }
        Ok(())
    }

    /// Begins the next task, or to list what is left.
    fn begin_next(&mut self) -> Result<(), TerminologyError> {
        if self.chosen.is_empty() {
            self.tasks.clear();
        }
        self.doing = match self.tasks.pop_front() {
            Some(Task::Order(filter, order)) => self.order(&filter, order),
            Some(Task::Beside(beside, predicate)) => {
                self.charge(self.table.concept_count())?;
                Doing::Seek {
                    beside,
                    predicate,
                    fitting: Bits::none(self.table.concepts),
                    at: 0,
                }
            }
            Some(task) => {
                self.charge(self.chosen.count())?;
                Doing::Sift { task, at: 0 }
            }
            None => {
                let (count, max) = (self.chosen.count(), self.limits.selection_codes_max);
                if self.codes_before + count > max {
                    return Err(self.exceeded("selection_codes_max", max));
                }
                self.charge(count)?;
                Doing::List { at: 0 }
            }
        };
        Ok(())
    }

    /// From the filter's concept to all above or below; of a single concept to all above it, which
    /// are few.
    fn order(&self, filter: &Filter, order: Order) -> Doing {
        let other = self.named.get(filter.value()).copied().unwrap_or(u32::MAX);
        let (section, from, end) = match (order, self.chosen.only()) {
            (Order::Above, _) => (Section::Up, other, End::Order(order, other)),
            (_, Some(one)) => (Section::Up, one, End::OfOne { one, order, other }),
            (_, None) => (Section::Down, other, End::Order(order, other)),
        };
        let mut frontier = Bits::none(self.table.concepts);
        frontier.add(from);
        let mut doing = self.step(section, frontier, end);
        if let Doing::Spread(spread) = &mut doing {
            spread.seen.add(from);
        }
        doing
    }

    fn step(&self, section: Section, frontier: Bits, end: End) -> Doing {
        Doing::Spread(Spread {
            section,
            frontier,
            at: 0,
            next: Bits::none(self.table.concepts),
            seen: Bits::none(self.table.concepts),
            charged: 0,
            end,
        })
    }

    /// A step is done: the next one, or what comes of all of them.
    fn spread(&mut self, mut spread: Spread) -> Result<(), TerminologyError> {
        let seen = spread.seen.count();
        self.charge(seen - spread.charged)?;
        spread.charged = seen;
        let is_last = matches!(spread.end, End::Beside { .. }) || spread.next.is_empty();
        if !is_last {
            let next = Bits::none(self.table.concepts);
            spread.frontier = std::mem::replace(&mut spread.next, next);
            spread.at = 0;
            self.doing = Doing::Spread(spread);
            return Ok(());
        }
        let mut reached = spread.seen;
        match spread.end {
            End::Order(Order::IsNotA, _) | End::Beside { keep: false } => {
                self.chosen.and_not(&reached);
            }
            End::Order(order, other) => {
                if order == Order::Below {
                    reached.remove(other);
                }
                self.chosen.and(&reached);
            }
            End::OfOne { one, order, other } => {
                let keeps = match order {
                    Order::IsA => reached.has(other),
                    Order::Below => one != other && reached.has(other),
                    Order::IsNotA => !reached.has(other),
                    Order::Above => false,
                };
                if !keeps {
                    self.chosen.remove(one);
                }
            }
            End::Beside { keep: true } => self.chosen.and(&reached),
        }
        Ok(())
    }
}

fn task(table: &CodeTable, filter: &Filter) -> Result<Task, TerminologyError> {
    let place = |name: &str| {
        let found = table.names.iter().position(|it| &**it == name);
        found.and_then(|it| u32::try_from(it).ok())
    };
    Ok(match filter.asks()? {
        Asks::Order(_) if !table.has_subsumption() => {
            return Err(TerminologyError::NoSubsumption {
                system: table.url.clone(),
                hierarchy: table.hierarchy,
            });
        }
        Asks::Order(order) => Task::Order(filter.clone(), order),
        Asks::Values(predicate) => match filter.property() {
            "parent" => Task::Beside(Section::Down, predicate),
            "child" => Task::Beside(Section::Up, predicate),
            "concept" | "code" => Task::Values(Property::Code, predicate),
            "display" => Task::Values(Property::Display, predicate),
            name => Task::Values(Property::Own(place(name), name.into()), predicate),
        },
    })
}

/// The row of a concept.
struct Row<'b> {
    code: &'b str,
    is_out_of_use: bool,
    display: &'b str,
    /// Places of properties' names, and values.
    values: Vec<(u32, &'b str)>,
}

impl<'b> Row<'b> {
    fn read(from: &mut Reader<'b>) -> Option<Self> {
        let code = from.text()?;
        let is_out_of_use = from.number()? == 1;
        let display = from.text()?;
        let count = from.number()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push((from.small()?, from.text()?));
        }
        Some(Self {
            code,
            is_out_of_use,
            display,
            values,
        })
    }

    /// Whether a task keeps the concept; `None` for a task that does not ask rows.
    fn keeps(&self, task: &Task, supplements: &[Arc<CodeSystem>]) -> Option<bool> {
        let given = if self.display.is_empty() {
            self.code
        } else {
            self.display
        };
        Some(match task {
            Task::OutOfUse => self.is_out_of_use,
            Task::Values(Property::Code, predicate) => predicate.holds([self.code]),
            Task::Values(Property::Display, predicate) => predicate.holds([given]),
            Task::Values(Property::Own(place, name), predicate) => {
                let own = self.values.iter();
                let own = own.filter(|(it, _)| Some(*it) == *place).map(|it| it.1);
                predicate.holds(own.chain(added(supplements, self.code, name)))
            }
            Task::Order(..) | Task::Beside(..) => return None,
        })
    }
}
