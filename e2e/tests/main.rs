//! The promises of the README, checked on the real binary.

mod backup;
mod crash;
mod demo;
mod full_disk;
mod load;
mod logs;
mod power;
