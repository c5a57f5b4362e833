//! The lists of the repository that a new service is put into. Each is found by what stands there for `users`; what is not
//! found, or more than once, is refused before anything is written.

use super::templates;
use crate::failure::{Failure, Outcome};

/// What changes in one file.
pub(super) struct Edit {
    pub(super) path: &'static str,
    changes: Vec<Change>,
}

enum Change {
    /// Text goes behind this, which stands once in the file.
    Behind(&'static str, String),
    /// Text goes before it.
    Before(&'static str, String),
}

impl Edit {
    /// The file's text with everything put in.
    ///
    /// # Errors
    /// A place that is not as this version of the command knows it.
    pub(super) fn made(&self, text: &str, filled: &impl Fn(&str) -> String) -> Outcome<String> {
        let mut text = text.to_owned();
        for change in &self.changes {
            let (Change::Behind(place, new) | Change::Before(place, new)) = change;
            let mut found = text.match_indices(place);
            let (Some((at, _)), None) = (found.next(), found.next()) else {
                return Err(Failure::failed(format!("{} is not as this command knows it", self.path))
                    .because(format!("`{}` does not stand there once", place.trim()))
                    .next("Build the command from this checkout (`cargo build`), or put the place back."));
            };
            let at = if matches!(change, Change::Behind(..)) { at + place.len() } else { at };
            text.insert_str(at, &filled(new));
        }
        Ok(text)
    }
}

fn edit<const N: usize>(path: &'static str, changes: [Change; N]) -> Edit {
    Edit { path, changes: changes.into() }
}

fn behind(place: &'static str, new: &str) -> Change {
    Change::Behind(place, new.to_owned())
}

fn before(place: &'static str, new: &str) -> Change {
    Change::Before(place, new.to_owned())
}

/// Every list.
pub(super) fn all() -> Vec<Edit> {
    let mut edits = code();
    edits.extend(settings());
    edits.extend(deployment());
    edits.extend(documents());
    edits
}

fn code() -> Vec<Edit> {
    vec![
        edit(
            "Cargo.toml",
            [
                behind("members = [\"cli\", \"gateway\", \"users\"", ", \"widgets\""),
                behind("users = { path = \"users\" }\n", "widgets = { path = \"widgets\" }\n"),
            ],
        ),
        edit("cli/Cargo.toml", [behind("users.workspace = true\n", "widgets.workspace = true\n")]),
        edit(
            "cli/src/services.rs",
            [behind("    users: Users, settings::users;\n", "    widgets: Widgets;\n")],
        ),
        edit("contract/src/lib.rs", [behind("pub mod users;\n", "pub mod widgets;\n")]),
        edit("gateway/src/services/typed.rs", [behind("bind!(users", ", widgets")]),
        edit("migration/src/lib.rs", [behind("mod users;\n", "mod widgets;\n")]),
        edit(
            "migration/src/service.rs",
            [
                behind("use crate::{MigrationError, gateway, users", ", widgets"),
                behind("    Users = users, 1;\n", "    /// Widgets.\n    Widgets = widgets, LOCK;\n"),
            ],
        ),
    ]
}

fn settings() -> Vec<Edit> {
    vec![
        edit("kit/src/config/own.rs", [behind("services!(users", ", widgets")]),
        edit(
            "kit/src/config/settings.rs",
            [behind(
                "    pub users: UsersSettings,\n",
                "    /// `[widgets]`\n    pub widgets: super::OwnSettings,\n",
            )],
        ),
        edit(
            "kit/src/config/table.rs",
            [
                behind(
                    "    (\"users\", \"The service that owns users and their passwords.\"),\n",
                    "    (\"widgets\", \"The service that keeps widgets.\"),\n",
                ),
                before("    secret(\n        \"mail.smtp_url\",", templates::SETTINGS),
            ],
        ),
    ]
}

fn deployment() -> Vec<Edit> {
    vec![
        edit("deny.toml", [behind("{ name = \"sea-orm\", wrappers = [\"kit\", \"users\"", ", \"widgets\"")]),
        edit("deploy/postgres/10-databases.sh", [behind("for service in users", " widgets")]),
        edit(
            "deploy/make-secrets",
            [
                behind("keep users_password \"$(word)\"\n", "keep widgets_password \"$(word)\"\n"),
                before(
                    "keep gateway_database_url ",
                    "keep widgets_database_url \"postgres://widgets:$(cat widgets_password)@postgres:5432/widgets\"\n",
                ),
            ],
        ),
        edit(
            "deploy/prometheus/prometheus.yml",
            [behind(
                "      - targets: [users:8002]\n",
                "  - job_name: widgets\n    static_configs:\n      - targets: [widgets:PORT]\n",
            )],
        ),
        edit(
            "docker-compose.yml",
            [
                behind("secrets: [postgres_password, users_password", ", widgets_password"),
                behind(
                    "    command: [migrate, up]\n    environment:\n",
                    "      PLATFORM__WIDGETS__DATABASE_URL_FILE: /run/secrets/widgets_database_url\n",
                ),
                behind("secrets: [users_database_url,", " widgets_database_url,"),
                before("  gateway:\n    <<: *platform\n", templates::CONTAINER),
                behind(
                    "      PLATFORM__USERS__URL: http://users:8002\n",
                    "      PLATFORM__WIDGETS__URL: http://widgets:PORT\n",
                ),
                behind(
                    "      users: {condition: service_healthy}\n",
                    "      widgets: {condition: service_healthy}\n",
                ),
                behind(
                    "  users_password: {file: deploy/secrets/users_password}\n",
                    "  widgets_password: {file: deploy/secrets/widgets_password}\n",
                ),
                behind(
                    "  users_database_url: {file: deploy/secrets/users_database_url}\n",
                    "  widgets_database_url: {file: deploy/secrets/widgets_database_url}\n",
                ),
            ],
        ),
        edit("scripts/check-dependencies", [behind("SERVICES = {\"users\"", ", \"widgets\"")]),
    ]
}

fn documents() -> Vec<Edit> {
    vec![
        edit(
            "README.md",
            [
                before("| `contract/` | what crosses", "| `widgets/` | the widgets service |\n"),
                before(
                    "| `mail.smtp_url` |",
                    "| `widgets.listen` | `127.0.0.1:PORT` | Address of the widgets service. |\n\
                     | `widgets.database_url` | sqlite file widgets.db in data_dir | Database of the widgets service. |\n\
                     | `widgets.url` | http://&lt;widgets.listen> | Where the gateway finds the widgets service. |\n\
                     | `widgets.gateway_url` | http://&lt;gateway.listen> | Where the widgets service fetches the gateway's internal keys. |\n",
                ),
            ],
        ),
        edit(
            "docs/postman_collection.json",
            [before("    {\n      \"name\": \"Documents and health\",", templates::POSTMAN)],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_stands_once_in_this_repository() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for edit in all() {
            let text = std::fs::read_to_string(root.join(edit.path)).unwrap();
            let made = edit.made(&text, &|new: &str| new.to_owned()).unwrap_or_else(|failure| {
                panic!("{}", failure.text(false));
            });
            assert!(made.len() > text.len(), "{}", edit.path);
        }
    }

    #[test]
    fn a_place_that_is_gone_or_there_twice_is_told_with_its_file() {
        let change = edit("a/list", [behind("users", ", widgets")]);
        for text in ["nothing", "users users"] {
            let failure = change.made(text, &|new: &str| new.to_owned()).unwrap_err();
            assert!(failure.text(false).contains("a/list"), "{failure:?}");
        }
        assert_eq!(change.made("[users]", &|new: &str| new.to_owned()).unwrap(), "[users, widgets]");
    }
}
