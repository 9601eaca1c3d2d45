//! The integration tests of extraction: from resources to index entries.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod data;
#[cfg(test)]
mod given;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod indexes;
#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod printed;
