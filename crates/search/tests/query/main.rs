//! Queries: what each is understood as, how it is compiled, and what abuse costs.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod compartments;
#[cfg(test)]
mod includes;
#[cfg(test)]
mod matching;
#[cfg(test)]
mod numbers;
#[cfg(test)]
mod printer;
#[cfg(test)]
mod table;
#[cfg(test)]
mod visibility;
