//! Products of base units, without a factor.

use std::fmt;

use super::EXPONENT_MAX;

/// Base units with their exponents, in the order of their codes; none has the exponent 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dimension(Vec<(&'static str, i32)>);

impl Dimension {
    pub(super) fn of(base: &'static str) -> Self {
        Self(vec![(base, 1)])
    }

    /// The product with a power of another; `None` beyond [`EXPONENT_MAX`].
    pub(super) fn times(&self, other: &Self, exponent: i32) -> Option<Self> {
        let mut product = self.0.clone();
        for (base, own) in &other.0 {
            let added = own.checked_mul(exponent)?;
            match product.binary_search_by(|it| it.0.cmp(base)) {
                Ok(at) => product[at].1 = product[at].1.checked_add(added)?,
                Err(at) => product.insert(at, (base, added)),
            }
        }
        product.retain(|(_, exponent)| *exponent != 0);
        let fits = |(_, exponent): &(&str, i32)| exponent.abs() <= EXPONENT_MAX;
        product.iter().all(fits).then_some(Self(product))
    }
}

/// `g.m2.s-2`; `1` for nothing.
impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("1");
        }
        for (at, (base, exponent)) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            match exponent {
                1 => write!(f, "{dot}{base}")?,
                _ => write!(f, "{dot}{base}{exponent}")?,
            }
        }
        Ok(())
    }
}
