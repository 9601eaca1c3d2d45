//! `isthmus config`: the effective configuration.

use clap::ArgMatches;

use super::print;
use crate::config::Config;

/// Prints the configuration as TOML that loads again.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every subcommand has this signature"
)]
pub(crate) fn run(config: &Config, _: &ArgMatches) -> anyhow::Result<u8> {
    print(config.print().trim());
    Ok(crate::DONE)
}
