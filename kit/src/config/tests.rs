//! Loading as a whole: layers, faults, hints, secrets, and that the table and the typed settings agree.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::table::{SETTINGS, Setting};
use super::*;

struct Place {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { folder: folder.path().to_owned(), ..Sources::default() };
        Self { folder, sources }
    }

    fn file(self, text: &str) -> Self {
        fs::write(self.folder.path().join(DEFAULT_FILE), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        self.sources.flags.push((key.to_owned(), value.to_owned(), format!("--set {key}")));
        self
    }

    fn strict(mut self) -> Self {
        self.sources.strict = true;
        self
    }

    fn load(&self) -> Loaded {
        load(&self.sources).unwrap()
    }

    fn faults(&self) -> Vec<String> {
        load(&self.sources)
            .err()
            .map_or_else(Vec::new, |faults| faults.0.iter().map(ToString::to_string).collect())
    }
}

const KEY: &str = "VGhpcyBpcyBhIGtleSBvZiAzMiBieXRlcyBsZW5ndGg=";

#[test]
fn an_empty_machine_gets_the_defaults() {
    let loaded = Place::new().load();
    let settings = loaded.settings;
    assert_eq!(settings.gateway.listen.to_string(), "127.0.0.1:8001");
    assert_eq!(settings.gateway.access_token_ttl, Duration::from_mins(15));
    assert_eq!(settings.gateway.request_body_limit, 1 << 20);
    assert_eq!(settings.users.registration, Registration::Open);
    assert_eq!(settings.database_url("gateway").expose_secret(), "sqlite:./platform-data/gateway.db");
    assert!(settings.gateway.trusted_proxies.is_empty() && settings.hash_workers() >= 1);
    assert!(loaded.warnings.is_empty() && loaded.file.is_none());
}

#[test]
fn every_default_of_the_table_is_allowed_by_its_own_kind_and_has_a_shown_value() {
    let entries = Place::new().load().settings.entries();
    assert_eq!(entries.len(), SETTINGS.len());
    assert!(entries.iter().all(|entry| !entry.value.is_empty()), "{entries:#?}");
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let place = Place::new().file("[users]\nlisten = \"127.0.0.1:1\"\n[gateway]\nlisten = \"127.0.0.1:2\"\n[ops]\nlisten = \"127.0.0.1:3\"\n");
    let place = place
        .variable("PLATFORM__GATEWAY__LISTEN", "127.0.0.1:22")
        .variable("PLATFORM__OPS__LISTEN", "127.0.0.1:33");
    let settings = place.flag("ops.listen", "127.0.0.1:333").load().settings;
    let of = |key: &str| {
        (settings.entries().into_iter().find(|entry| entry.key == key).unwrap(), settings.origin(key))
    };
    let (users, _) = of("users.listen");
    assert_eq!((users.value.as_str(), users.origin.as_str()), ("127.0.0.1:1", "platform.toml:2"));
    let (gateway, _) = of("gateway.listen");
    assert_eq!(
        (gateway.value.as_str(), gateway.origin.as_str()),
        ("127.0.0.1:22", "PLATFORM__GATEWAY__LISTEN")
    );
    let (ops, origin) = of("ops.listen");
    assert_eq!(ops.value, "127.0.0.1:333");
    assert_eq!(origin, Origin::Flag("--set ops.listen".to_owned()));
}

#[test]
fn everything_wrong_is_told_at_once_with_line_range_and_suggestion() {
    let faults = Place::new()
        .file("dat_dir = \"x\"\n\n[gateway]\nlisen = \"127.0.0.1:1\"\naccess_token_ttl = \"1s\"\ndocs = \"yes\"\n\n[usres]\nlisten = 1\n[log]\nformat = \"xml\"\n[users]\naccess_token_ttl = \"1h\"\nhash_queue = 1.5\n")
        .variable("PLATFORM__OPS__LISTEN", "70000")
        .faults();
    let all = faults.join("\n");
    for expected in [
        "platform.toml:1: dat_dir is not a setting; did you mean data_dir?",
        "platform.toml:4: gateway.lisen is not a setting; did you mean gateway.listen?",
        "platform.toml:5: gateway.access_token_ttl is \"1s\", out of range; it takes 30s to 1d (units ms, s, m, h, d)",
        "platform.toml:6: gateway.docs is \"yes\"; it takes true or false",
        "platform.toml:8: usres is not a section; did you mean users?",
        "platform.toml:11: log.format is \"xml\"; it takes auto or pretty or json",
        "platform.toml:13: users.access_token_ttl is not a setting; did you mean gateway.access_token_ttl?",
        "platform.toml:14: users.hash_queue is a number with a fraction; it takes 1 to 100000 requests",
        "PLATFORM__OPS__LISTEN: ops.listen is \"70000\"; it takes an IP address and a port",
    ] {
        assert!(all.contains(expected), "missing: {expected}\nin:\n{all}");
    }
    assert_eq!(faults.len(), 9, "{all}");
}

#[test]
fn a_file_that_is_not_toml_is_told_with_its_line() {
    let faults = Place::new().file("[gateway]\nlisten = \n").faults();
    assert!(faults.len() == 1 && faults[0].starts_with("platform.toml:2: is not TOML"), "{faults:?}");
}

#[test]
fn a_named_file_must_be_there() {
    let faults = Place::new().variable("PLATFORM_CONFIG", "/no/such.toml").faults();
    assert!(faults[0].contains("PLATFORM_CONFIG") && faults[0].contains("does not exist"), "{faults:?}");
}

#[test]
fn variables_of_kubernetes_are_passed_over_and_typos_are_not() {
    let kubernetes = [
        ("PLATFORM_PORT", "tcp://10.1.2.3:8080"),
        ("PLATFORM_SERVICE_HOST", "10.1.2.3"),
        ("PLATFORM_SERVICE_PORT_HTTP", "80"),
        ("PLATFORM_PORT_8080_TCP", "tcp://10.1.2.3:8080"),
        ("PLATFORM_PORT_8080_TCP_PROTO", "tcp"),
        ("PLATFORM_USERS_PORT_80_TCP_ADDR", "10.1.2.3"),
    ];
    let mut place = Place::new().strict();
    for (name, value) in kubernetes {
        place = place.variable(name, value);
    }
    assert!(place.load().warnings.is_empty());

    for (typo, meant) in [
        ("PLATFORM__GATEWAY__LISEN", "PLATFORM__GATEWAY__LISTEN"),
        ("PLATFORM_GATEWAY_LISTEN", "PLATFORM__GATEWAY__LISTEN"),
        ("PLATFORM_DATA_DIR", "PLATFORM__DATA_DIR"),
    ] {
        let place = Place::new().variable(typo, "x");
        let warnings = place.load().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].to_string().contains(&format!("did you mean {meant}?")),
            "{warnings:?}"
        );
        assert_eq!(place.strict().faults().len(), 1);
    }
    let unknown = Place::new().variable("PLATFORM_RATE_LIMT", "1");
    assert_eq!(unknown.load().warnings.len(), 1);
}

#[test]
fn a_value_of_kubernetes_in_our_own_variable_gets_a_hint() {
    let faults = Place::new().variable("PLATFORM__GATEWAY__LISTEN", "tcp://10.1.2.3:8080").faults();
    assert!(faults[0].contains("enableServiceLinks"), "{faults:?}");
    let faults = Place::new().variable("PLATFORM__GATEWAY__LISTEN", "").faults();
    assert!(faults[0].contains("gateway.listen is empty"), "{faults:?}");
}

#[test]
fn a_secret_can_stand_in_a_file_but_not_twice() {
    let place = Place::new();
    let path = place.folder.path().join("key");
    fs::write(&path, format!("{KEY}\r\n")).unwrap();
    let shown = path.display().to_string();
    let place = place.variable("PLATFORM__GATEWAY__MASTER_KEY_FILE", &shown);
    let settings = place.load().settings;
    assert_eq!(settings.gateway.master_key.as_ref().unwrap().expose_secret(), KEY);
    assert!(settings.origin("gateway.master_key").to_string().contains(&shown));

    let faults = place.variable("PLATFORM__GATEWAY__MASTER_KEY", KEY).faults();
    assert!(
        faults.len() == 1 && faults[0].contains("set only one") && !faults[0].contains(KEY),
        "{faults:?}"
    );

    let faults = Place::new().variable("PLATFORM__USERS__DATABASE_URL_FILE", "/no/such").faults();
    assert!(
        faults[0].contains("PLATFORM__USERS__DATABASE_URL_FILE") && faults[0].contains("/no/such"),
        "{faults:?}"
    );

    let place = Place::new();
    let file = format!("[gateway]\nmaster_key_file = {shown:?}\n");
    fs::write(place.folder.path().join("key"), KEY).unwrap();
    assert!(place.file(&file).faults()[0].contains("does not exist"), "the first folder is gone");
}

#[test]
fn a_secret_is_never_shown_and_no_flag_takes_one() {
    let place = Place::new()
        .variable("PLATFORM__GATEWAY__MASTER_KEY", KEY)
        .variable("PLATFORM__USERS__DATABASE_URL", "postgres://S3NT:S3NT@db:5433/users?password=S3NT");
    let loaded = place.load();
    let shown = format!("{:?} {:?}", loaded.settings.entries(), loaded.settings.gateway);
    assert!(!shown.contains("S3NT") && !shown.contains(KEY), "{shown}");
    assert!(shown.contains("postgres://********@db:5433/users"), "{shown}");
    let faults = Place::new().flag("gateway.master_key", "S3NT").faults();
    assert!(faults[0].contains("every user of the machine") && !faults[0].contains("S3NT"), "{faults:?}");
}

#[test]
fn settings_that_exclude_each_other_are_told() {
    let faults = Place::new()
        .variable("PLATFORM__GATEWAY__REFRESH_ABSOLUTE", "1d")
        .variable("PLATFORM__USERS__LISTEN", "0.0.0.0:8001")
        .variable("PLATFORM__USERS__DATABASE_URL", "postgres://h/d")
        .variable("PLATFORM__GATEWAY__DATABASE_URL", "postgres://h/d")
        .faults();
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn the_written_file_sets_nothing_and_each_line_of_it_can_be_uncommented() {
    let text = commented_file();
    let loaded = Place::new().file(&text).load();
    assert!(SETTINGS.iter().all(|setting| loaded.settings.origin(setting.key) == Origin::Default));
    let uncommented = text
        .lines()
        .filter(|line| !line.starts_with("# ") && !line.ends_with("= ") && !line.contains("_file"))
        .map(|line| line.trim_start_matches('#'))
        .collect::<Vec<_>>()
        .join("\n");
    let loaded = Place::new().file(&uncommented).load();
    let set =
        SETTINGS.iter().filter(|setting| loaded.settings.origin(setting.key) != Origin::Default).count();
    let plain =
        SETTINGS.iter().filter(|setting| matches!(setting.fallback, table::Fallback::Value(_))).count();
    assert_eq!(set, plain);
}

#[test]
fn the_schema_names_every_setting_and_every_secret_file() {
    let schema = json_schema();
    for setting in SETTINGS {
        let place = setting.section().map_or_else(
            || schema["properties"].clone(),
            |section| schema["properties"][section]["properties"].clone(),
        );
        assert!(place[setting.name()].is_object(), "{}", setting.key);
        assert_eq!(place[format!("{}_file", setting.name())].is_object(), setting.secret, "{}", setting.key);
    }
}

#[test]
fn the_schema_tells_of_services_issuers_and_composed_operations_with_every_setting_explained() {
    let schema = json_schema();
    for (table, shape) in
        [("service", "ServiceSettings"), ("issuer", "IssuerSettings"), ("compose", "ComposedSettings")]
    {
        let named = schema["properties"][table]["items"]["$ref"].as_str().unwrap();
        assert_eq!(named, format!("#/$defs/{shape}"));
    }
    for (name, shape) in schema["$defs"].as_object().unwrap() {
        for (property, inner) in shape["properties"].as_object().into_iter().flatten() {
            let text = inner["description"].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{name}.{property}");
        }
    }
    let service = &schema["$defs"]["ServiceSettings"];
    assert_eq!(service["required"], serde_json::json!(["name", "openapi", "urls"]));
    assert_eq!(service["additionalProperties"], false);
}

#[test]
fn keys_are_unique_and_their_sections_known() {
    let keys: std::collections::BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    assert_eq!(keys.len(), SETTINGS.len());
    let known: BTreeMap<_, _> = table::SECTIONS.iter().copied().collect();
    assert!(SETTINGS.iter().filter_map(Setting::section).all(|section| known.contains_key(section)));
}

#[test]
fn a_declared_service_can_not_have_the_name_of_one_of_the_platform_s_own() {
    for name in ["users", "gateway"] {
        let text = format!(
            "[[service]]\nname = \"{name}\"\nopenapi = \"o.yaml\"\nurls = [\"http://127.0.0.1:1\"]\n"
        );
        let faults = with_services(&text).unwrap_err();
        assert!(faults.0[0].to_string().contains("of the platform's own"), "{faults:?}");
    }
}

fn with_services(text: &str) -> Result<Loaded, Faults> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(DEFAULT_FILE), text).unwrap();
    load(&Sources { folder: folder.path().to_owned(), ..Sources::default() })
}

#[test]
fn a_declared_service_is_read_with_its_defaults() {
    let loaded = with_services(
        "[log]\nlevel = \"warn\"\n\n[[service]]\nname = \"orders\"\nopenapi = \"orders.yaml\"\nurls = [\"http://127.0.0.1:9000\"]\n\
         timeout = \"2s\"\nbody_limit = \"1GiB\"\naccess = \"role:clerk\"\n\n[service.operations.getOrder]\naccess = \"public\"\n\
         request.headers.set = { x-tenant = \"a\" }\n",
    )
    .unwrap();
    let [declared] = loaded.settings.services.as_slice() else { panic!("one service") };
    let service = &declared.settings;
    assert_eq!(service.name.as_str(), "orders");
    assert_eq!(service.timeout, Some(std::time::Duration::from_secs(2)));
    assert_eq!(service.body_limit, Some(1 << 30));
    assert_eq!(service.contract, crate::config::ContractMode::Enforce);
    assert_eq!(service.access.text(), "role:clerk");
    assert_eq!(declared.origin.to_string(), "platform.toml:4");
    let operation = &service.operations["getOrder"];
    assert_eq!(operation.access.as_ref().map(contract::operation::Access::text).as_deref(), Some("public"));
    assert_eq!(operation.request.headers.set["x-tenant"], "a");
}

#[test]
fn everything_wrong_with_declared_services_is_told_at_once_with_its_line() {
    let faults = with_services(
        "[[service]]\nname = \"Orders\"\nopenapi = \"o.yaml\"\nurls = []\n\n[[service]]\nname = \"carts\"\nopenapi = \"c.yaml\"\n\
         urls = [\"http://127.0.0.1:1\"]\ntime_out = \"2s\"\n\n[[service]]\nname = \"stock\"\nopenapi = \"s.yaml\"\n\
         urls = [\"http://127.0.0.1:1\"]\naccess = \"everyone\"\n",
    )
    .unwrap_err()
    .to_string();
    for part in [
        "platform.toml:2",
        "not a service's name",
        "platform.toml:10",
        "time_out",
        "platform.toml:16",
        "everyone",
    ] {
        assert!(faults.contains(part), "{part} in {faults}");
    }
}

#[test]
fn everything_wrong_with_other_issuers_is_told_at_once_and_none_may_make_an_admin() {
    let issuer = |name: &str, more: &str| {
        format!(
            "[[issuer]]\nname = \"{name}\"\nissuer = \"https://{name}.example\"\naudience = \"a\"\n\
             keys = \"https://{name}.example/keys\"\n{more}\n"
        )
    };
    let good = issuer("corp", "roles_claim = \"/roles\"\nroles = { Clerk = \"clerk\" }");
    let service = "[[service]]\nname = \"orders\"\nopenapi = \"o.yaml\"\nurls = [\"http://127.0.0.1:1\"]\nissuers = [\"corp\"]\n";
    let loaded = with_services(&format!("{service}{good}")).unwrap();
    let [known] = loaded.settings.issuers.as_slice() else { panic!("one issuer") };
    assert_eq!((known.name.as_str(), known.roles["Clerk"].as_str()), ("corp", "clerk"));

    let faults = with_services(&format!(
        "{}{good}{good}{}{}{}{}",
        service.replace("\"corp\"]", "\"crop\"]"),
        issuer("admins", "roles = { Boss = \"admin\" }"),
        issuer("pointer", "roles_claim = \"roles\""),
        issuer("plain", "").replace("https://plain.example/keys", "http://plain.example/keys"),
        issuer("empty", "").replace("audience = \"a\"", "audience = \"\""),
    ))
    .unwrap_err()
    .to_string();
    for part in [
        "did you mean corp?",
        "corp (https://corp.example) stands twice",
        "\"Boss\" can't be admin",
        "write /roles",
        "http://plain.example/keys is not https://",
        "an empty text would take every token",
    ] {
        assert!(faults.contains(part), "{part} in {faults}");
    }
}
