//! `platform routes explain`: what would happen to one request, by the code that serves.

use std::fs;
use std::path::PathBuf;

use gateway::{Explain, MasterKey};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use kit::config::Settings;
use kit::database::DatabaseUrl;
use migration::Service as Schema;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use crate::arguments::{Global, RoutesCommand};
use crate::connection::given_token;
use crate::context::Context;
use crate::data_folder;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, Format, many, one, plain};
use crate::run_file::RunFile;
use crate::{services, settings};

/// Explains a request.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: RoutesCommand) -> Outcome {
    let RoutesCommand::Explain { method, target, headers, data } = verb;
    let settings = settings::load(context, global, &[])?.settings;
    let request = request(context, &method, &target, &headers, data.as_deref())?;
    let keys = Keys::at_hand(context, &settings).await?;
    let mut config =
        settings::gateway(&settings, keys.master.clone(), settings::service_urls(&settings, &[]))?;
    config.database_url = keys.database.clone();
    // Where a platform runs on a free port, its tokens name that one.
    if let Some(bound) = RunFile::of_running(&settings.run_file()).and_then(|run| run.gateway) {
        config.listen = bound;
    }
    // What is counted or kept elsewhere is not asked.
    config.valkey = None;
    let told = gateway::explain(&config, request).await;
    drop(keys);
    let told = told.map_err(|error| super::service::refused(&error))?;
    if matches!(context.format, Format::Table | Format::Csv) {
        table(context, &told)
    } else {
        one(context, &[], &Value::Object(told))
    }
}

fn request(
    context: &Context,
    method: &str,
    target: &str,
    fields: &[String],
    data: Option<&str>,
) -> Outcome<Explain> {
    let method: Method = method
        .to_uppercase()
        .parse()
        .map_err(|_| Failure::usage(format!("{method:?} is no method")).next("Write it like GET."))?;
    let uri: Uri = target.parse().map_err(|_| {
        Failure::usage(format!("{target:?} is no path")).next("Write it like '/api_v1/users/7?x=1'.")
    })?;
    if uri.scheme().is_some() || !target.starts_with('/') {
        return Err(Failure::usage(format!("{target:?} is no path that begins with /")));
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("platform"));
    for field in fields {
        let wrong = || {
            Failure::usage(format!("{field:?} is no header field"))
                .next("Write it like 'Accept: application/json'.")
        };
        let (name, value) = field.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let value: HeaderValue = value.trim().parse().map_err(|_| wrong())?;
        if name == header::HOST {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    if let Some(token) = given_token(context)?
        && !headers.contains_key(header::AUTHORIZATION)
    {
        let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
        headers.insert(
            header::AUTHORIZATION,
            value.map_err(|_| Failure::usage("PLATFORM_TOKEN holds no token"))?,
        );
    }
    let body = match data.map(|data| data.strip_prefix('@').ok_or(data)) {
        None => Vec::new(),
        Some(Err(text)) => text.as_bytes().to_vec(),
        Some(Ok(file)) => fs::read(context.folder.join(file))
            .map_err(|error| Failure::failed(format!("can't read {file}")).caused_by(&error))?,
    };
    if !body.is_empty() {
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Ok(Explain { method, target: uri, headers, body })
}

/// The gateway's keys: those of this installation, else some that verify no token of it, in a folder that is removed.
struct Keys {
    master: MasterKey,
    database: DatabaseUrl,
    folder: Option<PathBuf>,
}

impl Keys {
    async fn at_hand(context: &mut Context, settings: &Settings) -> Outcome<Self> {
        let database = settings::database(settings, services::GATEWAY)?;
        let there = database.sqlite_path().is_none_or(std::path::Path::exists);
        if there && let Ok(master) = data_folder::master_key(settings) {
            return Ok(Self { master, database, folder: None });
        }
        context.note(
            "The gateway's keys are not at hand: whether a token is good can't be told, each is refused.",
        );
        let folder = std::env::temp_dir().join(format!("platform-explain-{}", std::process::id()));
        data_folder::prepare(&folder)?;
        let master = MasterKey::generate()
            .map_err(|error| Failure::failed("no key can be made").because(error.to_string()))?;
        let database: DatabaseUrl = format!("sqlite:{}", folder.join("gateway.db").display())
            .parse()
            .map_err(|error| Failure::failed(format!("the folder {} {error}", folder.display())))?;
        let keys = Self { master, database, folder: Some(folder) };
        migration::up(Schema::Gateway, &keys.database, None)
            .await
            .map_err(|error| Failure::failed("a database for the keys can't be made").caused_by(&error))?;
        Ok(keys)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A line for each thing that is told.
fn table(context: &mut Context, told: &Map<String, Value>) -> Outcome {
    const COLUMNS: &[Column] =
        &[Column::new("STAGE", "stage"), Column::new("WHAT", "what"), Column::new("VALUE", "value")];
    let mut rows = Vec::new();
    for (stage, value) in told {
        rows_of(stage, "", value, &mut rows);
    }
    many(context, COLUMNS, &rows)
}

fn rows_of(stage: &str, what: &str, value: &Value, rows: &mut Vec<Value>) {
    let inside = |name: &str| if what.is_empty() { name.to_owned() } else { format!("{what}.{name}") };
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                rows_of(stage, &inside(name), member, rows);
            }
        }
        // A header field.
        Value::Array(pair) if pair.len() == 2 && what.ends_with("headers") && pair[0].is_string() => {
            rows.push(json!({ "stage": stage, "what": inside(&plain(&pair[0])), "value": plain(&pair[1]) }));
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for item in items {
                rows_of(stage, what, item, rows);
            }
        }
        _ => rows.push(json!({ "stage": stage, "what": what, "value": plain(value) })),
    }
}
