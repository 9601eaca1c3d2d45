//! Limits of a query, by name. Whoever sends more is told which one.

/// What a query may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Parameters in one query.
    pub criteria_max: usize,
    /// Values of one parameter, separated by commas.
    pub or_values_max: usize,
    /// Bytes of a parameter's name.
    pub name_bytes_max: usize,
    /// Bytes of a parameter's value, after decoding.
    pub value_bytes_max: usize,
    /// Steps of a chain, those of `_has` included.
    pub chain_depth_max: usize,
    /// `_include` and `_revinclude` together.
    pub includes_max: usize,
    /// Keys of `_sort`.
    pub sort_keys_max: usize,
    /// Single tests of the compiled plan over all types.
    pub tests_max: usize,
}

impl QueryLimits {
    /// The limits where nobody set others.
    pub const DEFAULT: Self = Self {
        criteria_max: 100,
        or_values_max: 1_000,
        name_bytes_max: 1_000,
        value_bytes_max: 256 * 1024,
        chain_depth_max: 8,
        includes_max: 20,
        sort_keys_max: 8,
        tests_max: 50_000,
    };
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
