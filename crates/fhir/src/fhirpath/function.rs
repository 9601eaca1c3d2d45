//! The functions: one table of names, arguments and implementations.

pub use super::eval::table::FUNCTIONS;
use super::eval::{Call, Outcome};
use super::item::Collection;
use super::types::SystemType;

/// A function of FHIRPath or of FHIR.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The least number of arguments.
    pub arguments_min: usize,
    /// The greatest number of arguments.
    pub arguments_max: usize,
    /// What its input must be.
    pub input: Input,
    /// What it gives.
    pub gives: Gives,
    pub(super) run: for<'c, 'd> fn(&Call<'c, 'd>, Collection<'d>) -> Outcome<'d>,
}

/// What the input of a function must be, as far as it can be seen without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Anything; a function may still demand a single item.
    Any,
    /// A single string.
    Text,
    /// A single number or quantity.
    Number,
    /// Anything in a known order: not what `children()` gives.
    Ordered,
}

/// What a function gives, as far as it can be seen without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// A value of that type.
    System(SystemType),
    /// Items of the input.
    Input,
    /// Items of the input and of the first argument, which is evaluated beside it.
    InputAndArgument,
    /// What the first argument gives for the items of the input.
    Projection,
    /// What the arguments from that place on give.
    Arguments(usize),
    /// Anything.
    Unknown,
}

impl Function {
    /// Whether it takes that many arguments.
    pub fn takes(&self, count: usize) -> bool {
        (self.arguments_min..=self.arguments_max).contains(&count)
    }

    pub(super) fn takes_text(&self) -> String {
        let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
        match (self.arguments_min, self.arguments_max) {
            (0, 0) => "no arguments".to_owned(),
            (min, max) if min == max => format!("{min} {}", plural(min)),
            (min, usize::MAX) => format!("{min} {} or more", plural(min)),
            (min, max) => format!("{min} to {max} {}", plural(max)),
        }
    }
}

/// The function of that exact name.
pub fn named(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|it| it.name == name)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|it| it.name)
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}()", self.name)
    }
}
