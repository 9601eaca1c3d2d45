//! Tests of the conversion engine: the dialect as cases, a template library of others on official
//! samples, and hostile inputs.

#[cfg(test)]
mod archives;
#[cfg(test)]
mod back;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod ccda;
#[cfg(test)]
mod ccda_own;
#[cfg(test)]
mod check;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod data;
#[cfg(test)]
mod dialect;
#[cfg(test)]
mod er7;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod mutator;
#[cfg(test)]
mod ours;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod source;
#[cfg(test)]
mod stu3;
#[cfg(test)]
mod types;
