//! `platform service add`: declares a service in the configuration file, after its document was read by the code that serves.

use std::fs;
use std::path::{Path, PathBuf};

use kit::config::{Declared, Origin, ServiceSettings};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};
use url::Url;

use super::{pins, refused, show};
use crate::arguments::Global;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::run_file::RunFile;
use crate::settings;

/// What is asked for.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) openapi: String,
    pub(super) urls: Vec<String>,
    pub(super) prefix: Option<String>,
    pub(super) access: Option<String>,
    pub(super) contract: Option<String>,
    pub(super) health: Option<String>,
}

/// Adds it, or shows the lines.
pub(super) async fn run(context: &mut Context, global: &Global, wanted: &Wanted, dry_run: bool) -> Outcome {
    let loaded = settings::load(context, global, &[])?;
    let file = loaded.file.unwrap_or_else(|| context.folder.join(kit::config::DEFAULT_FILE));
    let file = context.folder.join(file);
    let folder = file.parent().map_or_else(|| context.folder.clone(), Path::to_owned);
    let before = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::failed(format!("can't read {}", file.display())).caused_by(&error)),
    };
    let table = table(wanted, &named(&context.folder, &folder, &wanted.openapi));
    let lines = lines(&table);
    let separator = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let after = format!("{before}{end}{separator}{lines}");
    let line = before.lines().count() + 1 + usize::from(!separator.is_empty());
    let origin = Origin::File { path: file.clone(), line };
    let declared = Declared { settings: read(&table)?, origin, folder };
    check_name(&declared, &loaded.settings)?;
    after.parse::<DocumentMut>().map_err(|error| {
        Failure::failed(format!("{} can't be added to", file.display())).caused_by(&error)
    })?;
    let mut services = loaded.settings.services.clone();
    services.push(declared.clone());
    let published =
        gateway::published(&services, &loaded.settings.composed).await.map_err(|error| refused(&error))?;
    if dry_run {
        return context.line(lines.trim_end());
    }
    let document = pins::current(&declared).await?;
    write(&file, &after)?;
    pins::pin(&declared, &document)?;
    context.note(&format!(
        "{} is declared at {}:{line}, and its document pinned in {}.",
        wanted.name,
        file.display(),
        declared.pinned_document().display()
    ));
    show(context, &published, std::slice::from_ref(&declared))?;
    let verb = if RunFile::of_running(&loaded.settings.run_file()).is_some() { "reload" } else { "serve" };
    context.note(&format!("Next: platform {}{verb}", global.flags()));
    Ok(())
}

/// A document seen from the folder of the configuration; an address stays as it is.
fn named(from: &Path, folder: &Path, openapi: &str) -> String {
    if openapi.parse::<Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return openapi.to_owned();
    }
    let path: PathBuf = from.join(openapi);
    let whole = fs::canonicalize(&path).unwrap_or(path);
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    whole
        .strip_prefix(&folder)
        .map_or_else(|_| whole.display().to_string(), |path| path.display().to_string())
}

fn table(wanted: &Wanted, openapi: &str) -> Table {
    let mut table = Table::new();
    table.insert("name", value(wanted.name.as_str()));
    table.insert("openapi", value(openapi));
    table.insert("urls", value(wanted.urls.iter().map(String::as_str).collect::<Array>()));
    for (key, given) in [
        ("prefix", &wanted.prefix),
        ("access", &wanted.access),
        ("contract", &wanted.contract),
        ("health", &wanted.health),
    ] {
        if let Some(given) = given {
            table.insert(key, value(given.as_str()));
        }
    }
    table
}

/// The table as lines of a file: it goes to the end, so that nothing of what is there moves.
fn lines(table: &Table) -> String {
    let mut services = ArrayOfTables::new();
    services.push(table.clone());
    let mut document = DocumentMut::new();
    document.insert("service", Item::ArrayOfTables(services));
    document.to_string()
}

/// The settings as the loader reads them.
fn read(table: &Table) -> Outcome<ServiceSettings> {
    toml_edit::de::from_str(&table.to_string()).map_err(|error| {
        Failure::usage("a service can't be declared so")
            .because(error.message().trim_end().replace('\n', ", "))
    })
}

fn check_name(declared: &Declared, settings: &kit::config::Settings) -> Outcome {
    let name = declared.settings.name.as_str();
    let own = name == crate::services::GATEWAY || settings.own_service(name).is_some();
    let other = settings.services.iter().find(|other| other.settings.name == declared.settings.name);
    let because = match other {
        _ if own => "it is a service of the platform's own".to_owned(),
        Some(other) => format!("it is declared at {}", other.origin),
        None => return Ok(()),
    };
    Err(Failure::failed(format!("the name {name} is taken"))
        .because(because)
        .next("Give the service another name, or change what is there."))
}

/// Puts the text in the place of the file, whole or not at all, with the rights it has.
fn write(file: &Path, text: &str) -> Outcome {
    let failed =
        |error: std::io::Error| Failure::failed(format!("can't write {}", file.display())).caused_by(&error);
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".new-{}", std::process::id()));
    let temporary = file.with_file_name(name);
    fs::write(&temporary, text).map_err(failed)?;
    if let Ok(known) = fs::metadata(file) {
        fs::set_permissions(&temporary, known.permissions()).map_err(failed)?;
    }
    fs::rename(&temporary, file).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_written_as_one_would_write_it() {
        let wanted = Wanted {
            name: "orders".to_owned(),
            openapi: String::new(),
            urls: vec!["http://127.0.0.1:9000".to_owned(), "http://127.0.0.1:9001".to_owned()],
            prefix: None,
            access: Some("role:clerk".to_owned()),
            contract: None,
            health: Some("/healthz".to_owned()),
        };
        let table = table(&wanted, "orders \"new\".yaml");
        assert_eq!(
            lines(&table),
            "[[service]]\nname = \"orders\"\nopenapi = 'orders \"new\".yaml'\n\
             urls = [\"http://127.0.0.1:9000\", \"http://127.0.0.1:9001\"]\naccess = \"role:clerk\"\nhealth = \"/healthz\"\n"
        );
        assert_eq!(read(&table).unwrap().urls.len(), 2);
        let wrong = Wanted { access: Some("everyone".to_owned()), ..wanted };
        assert!(read(&self::table(&wrong, "o.yaml")).unwrap_err().text(false).contains("everyone"));
    }
}
