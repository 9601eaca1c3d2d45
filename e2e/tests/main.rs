//! The promises of the README, checked on the real binary.

#![expect(clippy::print_stdout, reason = "suites report how many cases ran")]

mod backup;
mod convert;
mod convert_data;
mod crash;
mod demo;
mod destinations;
mod full_disk;
mod libraries;
mod load;
mod logs;
mod mllp;
mod mllp_destination;
mod mllp_folder;
mod mllp_limits;
mod mllp_logs;
mod paging;
mod power;
mod salts;
mod table;
mod upgrade;
