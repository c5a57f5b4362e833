//! The files of a new service. They are code that compiles, of a service called `widgets`.

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/service/", $file))
    };
}

/// Where each goes, and what is in it.
pub(super) const FILES: &[(&str, &str)] = &[
    ("contract/src/widgets.rs", template!("contract/widgets.rs")),
    ("contract/src/widgets/described.rs", template!("contract/described.rs")),
    ("contract/src/widgets/port.rs", template!("contract/port.rs")),
    ("contract/src/widgets/routes.rs", template!("contract/routes.rs")),
    ("contract/src/widgets/types.rs", template!("contract/types.rs")),
    ("migration/src/widgets.rs", template!("migration/widgets.rs")),
    ("migration/src/widgets/m20261125_000001_widgets.rs", template!("migration/m20261125_000001_widgets.rs")),
    ("widgets/Cargo.toml", template!("crate/Cargo.toml")),
    ("widgets/src/lib.rs", template!("crate/src/lib.rs")),
    ("widgets/src/api.rs", template!("crate/src/api.rs")),
    ("widgets/src/domain.rs", template!("crate/src/domain.rs")),
    ("widgets/src/service.rs", template!("crate/src/service.rs")),
    ("widgets/src/store.rs", template!("crate/src/store.rs")),
    ("widgets/tests/widgets/main.rs", template!("crate/tests/widgets/main.rs")),
    ("widgets/tests/widgets/document.rs", template!("crate/tests/widgets/document.rs")),
    ("widgets/tests/widgets/service.rs", template!("crate/tests/widgets/service.rs")),
    ("widgets/tests/widgets/operations.rs", template!("crate/tests/widgets/operations.rs")),
];

/// Its container.
pub(super) const CONTAINER: &str = template!("container.yml");

/// Its requests in the Postman collection.
pub(super) const POSTMAN: &str = template!("postman.json");

/// Its rows of the table of settings.
pub(super) const SETTINGS: &str = template!("settings.txt");
