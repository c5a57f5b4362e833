//! The repository that a new service is written into: found, looked over, and put in form afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kit::config::table;

use super::names::{Names, titled};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// What must be there for a folder to be the platform's source.
const MARKS: [&str; 4] =
    ["Cargo.toml", "cli/src/services.rs", "contract/src/lib.rs", "gateway/src/services/typed.rs"];

/// Ports that services listen on by default; those of others begin above.
const LAST_PORT: u16 = 8999;

/// The platform's source.
pub(super) struct Checkout {
    pub(super) root: PathBuf,
}

/// Numbers that no other service has.
pub(super) struct Numbers {
    /// Its port.
    pub(super) port: u16,
    /// Its advisory lock.
    pub(super) lock: u32,
}

impl Checkout {
    /// The one that holds this folder.
    ///
    /// # Errors
    /// No folder above is the platform's source.
    pub(super) fn around(folder: &Path) -> Outcome<Self> {
        let root = folder.ancestors().find(|folder| MARKS.iter().all(|mark| folder.join(mark).is_file()));
        root.map(|root| Self { root: root.to_owned() }).ok_or_else(|| {
            Failure::failed("this is no checkout of the platform's source")
                .because(format!("neither {} nor a folder above it holds {}", folder.display(), MARKS[1]))
                .next("Go to the repository and call it there; `platform service add` needs none.")
        })
    }

    /// The text of a file of it.
    pub(super) fn read(&self, path: &str) -> Outcome<String> {
        fs::read_to_string(self.root.join(path))
            .map_err(|error| Failure::failed(format!("can't read {path}")).caused_by(&error))
    }

    /// Refuses a name that something else has already.
    pub(super) fn refuse_taken(&self, names: &Names) -> Outcome {
        let Names { service, item } = names;
        let taken = |by: &str| {
            Err(Failure::failed(format!("the name {service} is taken"))
                .because(by.to_owned())
                .next("Take another; for another --item, say that."))
        };
        for path in
            [service.clone(), format!("contract/src/{service}.rs"), format!("migration/src/{service}.rs")]
        {
            if self.root.join(&path).exists() {
                return taken(&format!("{path} is there already"));
            }
        }
        if table::SECTIONS.iter().any(|(section, _)| section == service) {
            return taken(&format!("[{service}] is a section of the settings"));
        }
        if self.read("docker-compose.yml")?.contains(&format!("\n  {service}:")) {
            return taken(&format!("docker-compose.yml has a {service} already"));
        }
        let packages = self.read("Cargo.lock")?;
        if packages.lines().any(|line| line == format!("name = \"{service}\"")) {
            return taken(&format!("the crate {service} is a dependency"));
        }
        let document = gateway::public_document()
            .map_err(|error| Failure::failed("the document can't be made").caused_by(&error))?;
        let path = format!("/api_v1/{service}");
        let below = format!("{path}/");
        let paths = document["paths"].as_object().into_iter().flat_map(serde_json::Map::keys);
        if let Some(path) = paths.clone().find(|known| **known == path || known.starts_with(&below)) {
            return taken(&format!("{path} is a path of the gateway"));
        }
        for component in [titled(item), format!("New{}", titled(item))] {
            if document["components"]["schemas"].get(&component).is_some() {
                return taken(&format!("{component} is a component of the document"));
            }
        }
        let ids = document["paths"].as_object().into_iter().flat_map(serde_json::Map::values);
        let mut ids = ids.filter_map(serde_json::Value::as_object).flat_map(serde_json::Map::values);
        let own = [
            format!("list_{service}"),
            format!("create_{item}"),
            format!("get_{item}"),
            format!("delete_{item}"),
        ];
        if let Some(id) = ids.find_map(|operation| {
            own.iter().find(|own| operation["operationId"].as_str() == Some(own.as_str()))
        }) {
            return taken(&format!("{id} is an operation of the gateway"));
        }
        Ok(())
    }

    /// Refuses a checkout whose changes would mix with what is written to these paths. Files that git does not know are no such changes
    /// elsewhere: a data folder, notes.
    pub(super) fn refuse_dirty(&self, written: &[&Path]) -> Outcome {
        let of_git = self.changes(&["--untracked-files=no"], &[])?;
        let told = of_git + &self.changes(&["--untracked-files=all"], written)?;
        match told.lines().next() {
            None => Ok(()),
            Some(first) => Err(Failure::failed("the checkout has changes that are not committed")
                .because(format!("{} in all, the first: {}", told.lines().count(), first.trim()))
                .next(
                    "Commit or stash them, so that `git diff` shows what is written; or add --allow-dirty.",
                )),
        }
    }

    /// What git tells of these paths, or of all, a line each.
    fn changes(&self, flags: &[&str], paths: &[&Path]) -> Outcome<String> {
        let mut git = Command::new("git");
        git.args(["--literal-pathspecs", "status", "--porcelain"]).args(flags).arg("--").args(paths);
        let told = git.current_dir(&self.root).output().ok().filter(|told| told.status.success());
        let told = told.ok_or_else(|| {
            Failure::failed(
                "this checkout is in no git repository, so what is written could not be taken back",
            )
            .next("Commit it first (`git init`, `git add`, `git commit`), or add --allow-dirty.")
        })?;
        Ok(String::from_utf8_lossy(&told.stdout).into_owned())
    }

    /// Numbers that are free.
    ///
    /// # Errors
    /// The lists are not as this version knows them.
    pub(super) fn numbers(&self) -> Outcome<Numbers> {
        let unknown = |path: &str| Failure::failed(format!("{path} is not as this command knows it"));
        let table = self.read("kit/src/config/table.rs")?;
        let ports =
            table.split("\"127.0.0.1:").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok());
        let port = ports.filter(|port: &u16| *port <= LAST_PORT).max();
        let services = self.read("migration/src/service.rs")?;
        let locks = services.lines().filter_map(|line| {
            let (_, number) = line.strip_suffix(';')?.rsplit_once(", ")?;
            line.contains(" = ").then(|| number.parse().ok())?
        });
        Ok(Numbers {
            port: port.ok_or_else(|| unknown("kit/src/config/table.rs"))? + 1,
            lock: locks.max().map(|lock: u32| lock + 1).ok_or_else(|| unknown("migration/src/service.rs"))?,
        })
    }

    /// Brings what was written into the repository's form: lines that a longer or shorter name wraps otherwise, and the lock file.
    pub(super) fn finish(&self, context: &mut Context) {
        for arguments in [&["fmt", "--all"][..], &["update", "--workspace", "--offline", "--quiet"]] {
            let ran = Command::new("cargo").args(arguments).current_dir(&self.root).output();
            let fault = match ran {
                Ok(ran) if ran.status.success() => continue,
                Ok(ran) => String::from_utf8_lossy(&ran.stderr).lines().last().unwrap_or_default().to_owned(),
                Err(error) => error.to_string(),
            };
            context.warn(&format!("`cargo {}` has yet to be run: {fault}", arguments.join(" ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_that_would_mix_with_what_is_written_are_in_the_way() {
        let place = tempfile::tempdir().unwrap();
        let checkout = Checkout { root: place.path().to_owned() };
        let written = [place.path().join("orders/src/lib.rs"), place.path().join("Cargo.toml")];
        let written: Vec<&Path> = written.iter().map(PathBuf::as_path).collect();
        let git = |arguments: &[&str]| {
            let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
            let done =
                Command::new("git").args(who).args(arguments).current_dir(place.path()).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        let put = |path: &str| {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        assert!(checkout.refuse_dirty(&written).is_err(), "no repository");
        git(&["init", "--quiet"]);
        put("README.md");
        git(&["add", "README.md"]);
        git(&["commit", "--quiet", "--message", "x"]);
        put("platform-backup-1/manifest.json");
        put("orders/notes.txt");
        assert!(checkout.refuse_dirty(&written).is_ok());
        put("orders/src/lib.rs");
        assert!(checkout.refuse_dirty(&written).unwrap_err().text(false).contains("orders/src/lib.rs"));
        fs::remove_file(place.path().join("orders/src/lib.rs")).unwrap();
        fs::write(place.path().join("README.md"), "y").unwrap();
        assert!(checkout.refuse_dirty(&written).unwrap_err().text(false).contains("README.md"));
    }
}
