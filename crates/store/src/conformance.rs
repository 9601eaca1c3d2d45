//! The suite that every provider runs: a case for each promise of the contract.
