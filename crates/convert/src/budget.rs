//! What a conversion may use. Templates come from users: none may loop for ever, exhaust memory or
//! run a regular expression of exponential cost. Time is the caller's: it is asked now and then
//! whether it is up.

use std::cell::Cell;

use crate::error::{ConvertError, ErrorKind, Result};
use crate::value::Arena;

/// After so many steps the caller is asked whether time is up, and memory is measured.
const STEPS_BETWEEN_CHECKS: u64 = 256;

/// The limits of one conversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budgets {
    /// Greatest length of the input in bytes.
    pub input_bytes_max: usize,
    /// Greatest number of template nodes rendered, expressions and filters included.
    pub steps_max: u64,
    /// Greatest number of passes of one loop, and of all loops together.
    pub iterations_max: u64,
    /// Greatest nesting of scopes, which `include`, `for`, `if` and `case` push.
    pub scopes_max: usize,
    /// Greatest length of all rendered text, captured text included.
    pub output_bytes_max: usize,
    /// Greatest size of what a conversion holds in memory.
    pub memory_bytes_max: usize,
    /// Greatest nesting of JSON and XML, of input and output.
    pub depth_max: usize,
    /// Greatest number of times that a regular expression may go back in one search.
    pub regex_backtracks_max: usize,
}

impl Default for Budgets {
    /// Far above what the largest official documents need.
    fn default() -> Self {
        Self {
            input_bytes_max: 64 << 20,
            steps_max: 100_000_000,
            iterations_max: 100_000,
            scopes_max: 80,
            output_bytes_max: 256 << 20,
            memory_bytes_max: 1 << 30,
            depth_max: 128,
            regex_backtracks_max: 100_000,
        }
    }
}

/// Counts what a conversion uses.
pub(crate) struct Meter<'m> {
    budgets: &'m Budgets,
    time_is_up: &'m dyn Fn() -> bool,
    arena: &'m Arena,
    steps: Cell<u64>,
    iterations: Cell<u64>,
    bytes: Cell<usize>,
}

impl<'m> Meter<'m> {
    pub(crate) fn new(
        budgets: &'m Budgets,
        time_is_up: &'m dyn Fn() -> bool,
        arena: &'m Arena,
    ) -> Self {
        Self {
            budgets,
            time_is_up,
            arena,
            steps: Cell::new(0),
            iterations: Cell::new(0),
            bytes: Cell::new(0),
        }
    }

    pub(crate) fn budgets(&self) -> &'m Budgets {
        self.budgets
    }

    /// One step more.
    pub(crate) fn step(&self) -> Result<()> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps.is_multiple_of(STEPS_BETWEEN_CHECKS) {
            self.check(steps)?;
        }
        Ok(())
    }

    /// As many steps more as there are elements to go through.
    pub(crate) fn steps(&self, count: usize) -> Result<()> {
        let before = self.steps.get();
        let steps = before + count as u64;
        self.steps.set(steps);
        if before / STEPS_BETWEEN_CHECKS != steps / STEPS_BETWEEN_CHECKS {
            self.check(steps)?;
        }
        Ok(())
    }

    fn check(&self, steps: u64) -> Result<()> {
        if steps > self.budgets.steps_max {
            return Err(ConvertError::limit("steps_max", self.budgets.steps_max));
        }
        if self.arena.allocated_bytes() > self.budgets.memory_bytes_max {
            let max = self.budgets.memory_bytes_max;
            return Err(ConvertError::limit("memory_bytes_max", max));
        }
        if (self.time_is_up)() {
            let what = "the conversion took longer than it may";
            return Err(ConvertError::new(ErrorKind::TimedOut, what));
        }
        Ok(())
    }

    /// Whether there is room for so many bytes more.
    pub(crate) fn room(&self, bytes: usize) -> Result<()> {
        let max = self.budgets.memory_bytes_max;
        if self.arena.allocated_bytes().saturating_add(bytes) > max {
            return Err(ConvertError::limit("memory_bytes_max", max));
        }
        Ok(())
    }

    /// One pass of a loop more.
    pub(crate) fn iteration(&self) -> Result<()> {
        let iterations = self.iterations.get() + 1;
        self.iterations.set(iterations);
        if iterations > self.budgets.iterations_max {
            let max = self.budgets.iterations_max;
            return Err(ConvertError::limit("iterations_max", max));
        }
        self.step()
    }

    /// So many bytes of text more.
    pub(crate) fn text(&self, bytes: usize) -> Result<()> {
        let bytes = self.bytes.get() + bytes;
        self.bytes.set(bytes);
        if bytes > self.budgets.output_bytes_max {
            let max = self.budgets.output_bytes_max;
            return Err(ConvertError::limit("output_bytes_max", max));
        }
        Ok(())
    }
}
