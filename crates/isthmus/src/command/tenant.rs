//! `isthmus tenant create|list|delete`, on a data directory or a running server.

use clap::{Arg, ArgMatches, Command};
use store::TenantId;

use super::print;
use crate::config::Config;
use crate::wire::{self, Admin};

pub(crate) fn arguments(command: Command) -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true);
    let server = Arg::new("server")
        .long("server")
        .global(true)
        .value_name("URL")
        .help("a running server, e.g. http://127.0.0.1:8080; without it the data directory");
    command
        .subcommand_required(true)
        .arg(server)
        .subcommand(
            Command::new("create")
                .about("Create an empty tenant")
                .arg(name()),
        )
        .subcommand(Command::new("list").about("List all tenants"))
        .subcommand(
            Command::new("delete")
                .about("Delete a tenant with everything in it")
                .arg(name()),
        )
}

/// Runs it.
pub(crate) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let (action, inner) = arguments.subcommand().expect("clap demands one");
    let server = inner.get_one::<String>("server");
    let name = || -> anyhow::Result<TenantId> {
        Ok(TenantId::parse(
            inner.get_one::<String>("name").expect("clap demands it"),
        )?)
    };
    wire::runtime()?.block_on(async {
        let admin = Admin::of(config, server.map(String::as_str)).await?;
        match action {
            "create" => admin.create_tenant(&name()?).await?,
            "delete" => admin.delete_tenant(&name()?).await?,
            _ => {
                for tenant in admin.tenants().await? {
                    print(&tenant);
                }
            }
        }
        admin.close().await
    })?;
    Ok(crate::DONE)
}
