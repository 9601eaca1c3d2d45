//! The strict dialect: few tags, expressions that are read whole, and faults that name the nearest
//! thing. What is not understood is a fault of the library; nothing is skipped.

mod expression;
mod tags;

pub(super) use expression::chain;
pub(super) use tags::{TAGS, unknown};
