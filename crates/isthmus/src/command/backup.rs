//! `isthmus backup` and `isthmus restore`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use store::{ArchiveReader, Store, StoreError, TenantId};

use super::load::{tenant, tenant_argument};
use super::print;
use crate::config::Config;
use crate::wire::{self, Admin};

/// Items restored at one time.
const RESTORE_ITEMS: usize = 500;

fn file_argument() -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
}

pub(crate) fn backup_arguments(command: Command) -> Command {
    let server = Arg::new("server")
        .long("server")
        .value_name("URL")
        .help("a running server, e.g. http://127.0.0.1:8080; without it the data directory");
    command
        .arg(file_argument())
        .arg(server)
        .arg(tenant_argument())
}

pub(crate) fn restore_arguments(command: Command) -> Command {
    command.arg(file_argument()).arg(tenant_argument())
}

/// Writes a backup beside its final name, syncs it and reads it once more before it gets the name.
pub(crate) fn backup(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let path = arguments.get_one::<PathBuf>("file").expect("required");
    let part = path.with_extension("part");
    let tenant = tenant(arguments)?;
    let server = arguments.get_one::<String>("server").map(String::as_str);
    wire::runtime()?.block_on(async {
        let admin = Admin::of(config, server).await?;
        let mut file = BufWriter::new(File::create(&part)?);
        admin.backup(&tenant, &mut file).await?;
        file.flush()?;
        file.get_ref().sync_all()?;
        admin.close().await
    })?;
    let items = count(&part)?;
    std::fs::rename(&part, path)?;
    sync_folder_of(path)?;
    print(&format!(
        "{items} items of tenant {tenant} in {}",
        path.display()
    ));
    Ok(crate::DONE)
}

fn count(path: &Path) -> anyhow::Result<usize> {
    let mut items = 0;
    for item in ArchiveReader::new(BufReader::new(File::open(path)?))? {
        item.context("what was written cannot be read again")?;
        items += 1;
    }
    Ok(items)
}

fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Restores into an empty tenant. The whole file is checked before anything is written.
pub(crate) fn restore(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let path = arguments.get_one::<PathBuf>("file").expect("required");
    let tenant = tenant(arguments)?;
    let items = count(path).with_context(|| path.display().to_string())?;
    wire::runtime()?.block_on(async {
        let store = wire::store(config).await?;
        match store.create_tenant(&tenant).await {
            Ok(()) | Err(StoreError::TenantExists) => {}
            Err(error) => return Err(error.into()),
        }
        restore_into(store.as_ref(), &tenant, path).await?;
        anyhow::Ok(store.close().await?)
    })?;
    print(&format!("{items} items restored into tenant {tenant}"));
    Ok(crate::DONE)
}

async fn restore_into(store: &dyn Store, tenant: &TenantId, path: &Path) -> anyhow::Result<()> {
    let mut archive = ArchiveReader::new(BufReader::new(File::open(path)?))?;
    loop {
        let items: Vec<_> = archive
            .by_ref()
            .take(RESTORE_ITEMS)
            .collect::<Result<_, _>>()?;
        if items.is_empty() {
            return Ok(store.finish_restore(tenant).await?);
        }
        store.restore(tenant, items).await?;
    }
}
