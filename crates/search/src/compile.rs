//! From typed criteria to a plan in names, and from names to the numbers of a tenant.
//!
//! A plan in names is built by [`Builder`]: it chooses slots, puts the visibility of a type around
//! every condition on records of that type, and says what has to be looked up first (value sets,
//! lists: [`Need`]). Which number a name has is the store's to say: the names of a plan are
//! collected ([`Names`]), looked up, and put in ([`Numbers`]). A name without a number is on no
//! entry, so that it matches nothing.

mod bounds;
mod build;
mod include;
mod needs;
mod numbers;
mod scope;
mod sort;
mod visibility;

pub use build::{Builder, Built};
pub use include::{Reach, Referred};
pub use needs::{Answer, Answers, Need};
pub use numbers::{Names, Numbers};
pub use visibility::Visibility;
