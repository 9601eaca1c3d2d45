//! `isthmus convert library push|list|activate|rollback`: the libraries of a tenant, in a data
//! directory or a running server.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use convert::source::archive;
use store::TenantId;

use super::sources;
use crate::command::print;
use crate::config::Config;
use crate::wire::{self, Admin};

pub(super) fn arguments() -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true);
    let number = Arg::new("version")
        .value_name("VERSION")
        .required(true)
        .value_parser(value_parser!(u32));
    Command::new("library")
        .about("Upload, list, activate and roll back the libraries of a tenant")
        .subcommand_required(true)
        .arg(
            Arg::new("server")
                .long("server")
                .global(true)
                .value_name("URL")
                .help("a running server; without it the data directory"),
        )
        .arg(
            Arg::new("tenant")
                .long("tenant")
                .global(true)
                .value_name("TENANT")
                .default_value("default")
                .help("whose libraries"),
        )
        .subcommand(
            Command::new("push")
                .about("Upload a library as its next version, and use it")
                .arg(
                    Arg::new("library")
                        .value_name("PATH")
                        .required(true)
                        .value_parser(value_parser!(PathBuf))
                        .help("a folder, a .tar.gz or an OCI image layout"),
                )
                .arg(name().long("name"))
                .arg(
                    Arg::new("later")
                        .long("later")
                        .action(ArgAction::SetTrue)
                        .help("keep the version, to be activated later"),
                ),
        )
        .subcommand(Command::new("list").about("List the libraries and their versions"))
        .subcommand(
            Command::new("activate")
                .about("Use that version from now on")
                .arg(name())
                .arg(number),
        )
        .subcommand(
            Command::new("rollback")
                .about("Use the version that was in use before")
                .arg(name()),
        )
}

/// Runs it.
pub(super) fn run(config: &Config, arguments: &ArgMatches) -> anyhow::Result<u8> {
    let (action, inner) = arguments.subcommand().expect("clap demands one");
    let text = |name: &str| inner.get_one::<String>(name).map(String::as_str);
    let tenant = TenantId::parse(text("tenant").unwrap_or_default())?;
    let name = || text("name").unwrap_or_default();
    wire::runtime()?.block_on(async {
        let admin = Admin::of(config, text("server")).await?;
        let told = match action {
            "push" => {
                let path: &PathBuf = inner.get_one("library").expect("required");
                let archive = archive::write(&sources::read(path)?);
                let later = inner.get_flag("later");
                let pushed = admin.push_library(config, &tenant, name(), archive.into(), later);
                pushed.await
            }
            "activate" => {
                let number = *inner.get_one("version").expect("required");
                admin
                    .activate_library(config, &tenant, name(), number)
                    .await
            }
            "rollback" => admin.roll_back_library(config, &tenant, name()).await,
            _ => admin.libraries(config, &tenant).await,
        };
        let closed = admin.close().await;
        for line in told? {
            print(&line);
        }
        closed
    })?;
    Ok(crate::DONE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fhir::FhirVersion;
    use interactions::operations::{CalledOn, Input, find};
    use interactions::{Caller, Handling, Interactions};
    use store::Origin;

    use super::*;
    use crate::config::Sources;

    const TEMPLATE: &str = r#"{"resourceType":"Bundle","type":"batch","entry":[{
        "fullUrl":"urn:uuid:11111111-1111-1111-1111-111111111111",
        "request":{"method":"PUT","url":"Patient/p"},
        "resource":{"resourceType":"Patient","id":"p","name":[{"family":"{{ msg.name }}"}]}}]}"#;

    fn config(data: &std::path::Path) -> Config {
        let data = data.to_str().unwrap().to_owned();
        let sources = Sources {
            file: None,
            environment: Vec::new(),
            flags: vec![("data", data)],
        };
        Config::load(&sources).map_err(|_| ()).unwrap()
    }

    fn command(config: &Config, line: &[&str]) -> anyhow::Result<u8> {
        let line = ["library"].iter().chain(line);
        let matches = arguments().try_get_matches_from(line)?;
        run(config, &matches)
    }

    /// Calls `$convert-data` with these parameters.
    fn converted(config: &Config, query: &str, message: &str) -> Result<String, String> {
        let texts = vec![("inputData", message.to_owned())];
        let input = Input {
            query: query.to_owned(),
            texts,
            ..Input::default()
        };
        let caller = Caller {
            tenant: TenantId::default(),
            version: FhirVersion::R4,
            identity: "tester".into(),
            origin: Origin(1),
            idempotency: None,
            handling: Handling::Strict,
            visibility: Arc::default(),
        };
        wire::runtime().unwrap().block_on(async {
            let store = wire::store(config).await.unwrap();
            let interactions: Interactions = wire::interactions(config, Arc::clone(&store));
            let operation = find(caller.version, &CalledOn::System, "convert-data").unwrap();
            let told = interactions.operate(&caller, operation, CalledOn::System, input);
            let told = told.await;
            store.close().await.unwrap();
            let text = told.map(|it| String::from_utf8(it.to_vec()).unwrap());
            text.map_err(|error| error.issues[0].what.clone())
        })
    }

    fn write(folder: &std::path::Path, template: &str) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("metadata.json"), r#"{"type":"json"}"#).unwrap();
        std::fs::write(folder.join("R.liquid"), template).unwrap();
    }

    #[test]
    fn a_library_is_pushed_used_and_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let (data, library) = (folder.path().join("data"), folder.path().join("library"));
        let config = config(&data);
        let push = || {
            command(
                &config,
                &["push", library.to_str().unwrap(), "--name", "site"],
            )
        };
        let query = "templateCollectionReference=site&rootTemplate=R";
        write(&library, TEMPLATE);
        assert_eq!(push().unwrap(), crate::DONE);
        let told = converted(&config, query, r#"{"name":"Ada"}"#).unwrap();
        assert!(told.contains(r#""family":"Ada""#), "{told}");
        write(&library, &TEMPLATE.replace("{{ msg.name }}", "changed"));
        assert_eq!(push().unwrap(), crate::DONE);
        let told = converted(&config, query, r#"{"name":"Ada"}"#).unwrap();
        assert!(told.contains(r#""family":"changed""#), "{told}");
        // One with faults is kept, but not used.
        write(&library, "{% if %");
        let error = push().unwrap_err().to_string();
        assert!(error.contains("R.liquid:1:1: error"), "{error}");
        assert_eq!(
            command(&config, &["rollback", "site"]).unwrap(),
            crate::DONE
        );
        let told = converted(&config, query, r#"{"name":"Ada"}"#).unwrap();
        assert!(told.contains(r#""family":"Ada""#), "{told}");
        assert!(command(&config, &["activate", "site", "3"]).is_err());
        assert_eq!(
            command(&config, &["activate", "site", "2"]).unwrap(),
            crate::DONE
        );
        assert_eq!(command(&config, &["list"]).unwrap(), crate::DONE);
    }

    #[test]
    fn what_is_converted_can_be_stored_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        let config = config(&folder.path().join("data"));
        write(&library, TEMPLATE);
        command(
            &config,
            &["push", library.to_str().unwrap(), "--name", "site"],
        )
        .unwrap();
        let query = "templateCollectionReference=site&rootTemplate=R&store=true";
        let told = converted(&config, query, r#"{"name":"Ada"}"#).unwrap();
        let expected = r#"{"name":"effect","valueCode":"created"},{"name":"location","valueUri":"Patient/p/_history/1"}"#;
        assert!(told.contains(expected), "{told}");
        let told = converted(&config, query, r#"{"name":"Eve"}"#).unwrap();
        assert!(told.contains("Patient/p/_history/2"), "{told}");
        for (query, message, expected) in [
            (query, "{", "text ends"),
            (
                "templateCollectionReference=none&rootTemplate=R",
                "{}",
                "no library `none`",
            ),
            (
                "templateCollectionReference=site&rootTemplate=Q",
                "{}",
                "no root template `Q`",
            ),
            (
                "templateCollectionReference=site",
                "{}",
                "no root template for what the input says in `resourceType`",
            ),
            ("inputDataType=x", "{}", "data type"),
            (
                "templateCollectionReference=site&zoneOffsetMinutes=900",
                "{}",
                "zoneOffsetMinutes",
            ),
        ] {
            let error = converted(&config, query, message).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
