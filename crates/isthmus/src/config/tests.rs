//! Configuration: precedence, and every kind of fault at once.

use super::{Config, KEYS, Sources};

fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Config, String> {
    let sources = Sources {
        file: Some(("isthmus.toml".into(), file.to_owned())),
        environment: environment
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
        flags: flags.iter().map(|(a, b)| (*a, (*b).to_owned())).collect(),
    };
    Config::load(&sources).map_err(|faults| {
        faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

#[test]
fn defaults_are_valid() {
    assert!(load("", &[], &[]).is_ok());
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file() {
    let file = "listen = '127.0.0.1:1'\n[limits]\nbody_bytes_max = '1M'\nurl_bytes_max = 10000\n";
    let environment = [
        ("ISTHMUS_LISTEN", "127.0.0.1:2"),
        ("ISTHMUS_LIMITS_BODY_BYTES_MAX", "2M"),
    ];
    let config = load(file, &environment, &[("listen", "127.0.0.1:3")]).expect("valid");
    assert_eq!(config.text("listen"), "127.0.0.1:3");
    assert_eq!(config.number("limits.body_bytes_max"), 2 << 20);
    assert_eq!(config.number("limits.url_bytes_max"), 10_000);
}

#[test]
fn every_fault_is_reported_at_once() {
    let faults = load(
        "lissten = 'x'\n[limits]\nbody_bytes_max = 'many'\nconnections_max = [1]\n",
        &[("ISTHMUS_LISTEN", "8080"), ("ISTHMUS_LITSEN", "x")],
        &[("fhir.update_as_create", "maybe")],
    )
    .err()
    .expect("faulty");
    expect_test::expect![[r"
        isthmus.toml: `limits.connections_max` is neither text nor a whole number nor true or false
        isthmus.toml: `limits.body_bytes_max` is not a number of bytes such as 64M
        isthmus.toml: `lissten` is not a key; did you mean `listen`?
        environment ISTHMUS_LISTEN: `listen` is not an address and port such as 127.0.0.1:8080
        environment ISTHMUS_LITSEN: `ISTHMUS_LITSEN` is not a key; `isthmus config` lists them
        flag: `fhir.update_as_create` is not one of allowed, not-numeric, refused, for single types as in `allowed, Patient=refused`"]]
    .assert_eq(&faults);
}

#[test]
fn what_is_printed_loads_again() {
    let printed = load("", &[], &[("limits.body_bytes_max", "3M")])
        .expect("valid")
        .print();
    let again = load(&printed, &[], &[]).expect("valid");
    assert_eq!(again.number("limits.body_bytes_max"), 3 << 20);
}

#[test]
fn names_are_unique_and_sorted_by_section() {
    let mut flags: Vec<_> = KEYS.iter().map(super::Key::flag).collect();
    flags.sort();
    flags.dedup();
    assert_eq!(flags.len(), KEYS.len());
}

#[test]
fn policies_name_types_that_exist() {
    let load = |text: &str| load("", &[], &[("fhir.update_as_create", text)]);
    let valid = [
        "refused",
        "allowed, Patient=refused,Basic = not-numeric",
        "allowed,",
    ];
    assert!(valid.iter().all(|it| load(it).is_ok()));
    for faulty in [
        "",
        "Patient=refused",
        "allowed, Pation=refused",
        "allowed, Patient=no",
        "allowed, Patient",
    ] {
        assert!(load(faulty).is_err(), "{faulty}");
    }
}

#[test]
fn a_tenants_salt_is_read_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("salt");
    std::fs::write(&path, "sixteen characters\r\n").expect("a file");
    let text = format!(
        "[convert]\ntimeout_ms = 5\n[convert.tenants.north]\nids_salt = 'quite a long secret'\n\
         [convert.tenants.south]\nids_salt_file = {path:?}\n"
    );
    let config = load(&text, &[], &[]).expect("valid");
    assert_eq!(config.number("convert.timeout_ms"), 5);
    let salts = config.ids_salts();
    let of = |name: &str| {
        let tenant = store::TenantId::parse(name).expect("a name");
        salts.of(&tenant).map(|it| it.as_str().to_owned())
    };
    assert_eq!(of("north").as_deref(), Some("quite a long secret"));
    assert_eq!(of("south").as_deref(), Some("sixteen characters"));
    assert_eq!(of("east"), None);
    let shown = config.print() + &format!("{salts:?}");
    assert!(shown.contains("[convert.tenants.north]\nids_salt = \"(set)\"\n"));
    assert!(!shown.contains("secret") && !shown.contains("sixteen"));
}

#[test]
fn every_fault_of_a_tenant_is_told_without_its_salt() {
    let faults = load(
        "[convert.tenants]\nX = {}\nflat = 'x'\nslip = { ids_slat = 'secret' }\n\
         short = { ids_salt = 'secret' }\nnumber = { ids_salt = 5 }\n\
         both = { ids_salt = 'quite a long secret', ids_salt_file = 'x' }\n\
         gone = { ids_salt_file = '/none/such' }\n",
        &[],
        &[],
    )
    .err()
    .expect("faulty");
    expect_test::expect![[r#"
        isthmus.toml: `convert.tenants.X` is no tenant's name: a tenant's name has 1 to 63 characters of `a-z 0-9 -` and does not begin with `-`
        isthmus.toml: `convert.tenants.both.ids_salt` and `ids_salt_file` exclude each other
        isthmus.toml: `convert.tenants.flat` is not a table
        isthmus.toml: `convert.tenants.gone.ids_salt_file` cannot be read: No such file or directory (os error 2)
        isthmus.toml: `convert.tenants.number.ids_salt` is not a text
        isthmus.toml: `convert.tenants.short.ids_salt` is not a text of at least 16 characters
        isthmus.toml: `convert.tenants.slip.ids_slat` is no field of a tenant; did you mean `ids_salt`?"#]].assert_eq(&faults);
}
