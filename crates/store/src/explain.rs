//! What a plan costs, in numbers: for people who ask why a search is slow.

/// What a condition of a plan finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The condition: its kind and the numbers of its slots and types, never a value.
    pub what: String,
    /// How many records the store expects it to find, before it has looked at all of them.
    pub estimate: u64,
    /// How many it finds.
    pub actual: u64,
    /// The conditions it consists of.
    pub parts: Vec<Explanation>,
}
