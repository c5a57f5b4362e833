//! `platform service`: what is behind the gateway, as the configuration declares it.

mod add;
mod new;
mod pins;

use contract::compare::Weight;
use kit::config::{Composed, ContractMode, Declared, Settings};
use serde_json::{Value, json};
use url::Url;

use crate::api::{Api, Bearer, Peer};
use crate::arguments::{Global, ServiceCommand};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, many};
use crate::run_file::RunFile;
use crate::settings;
use pins::Compared;

/// Runs one command.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: ServiceCommand) -> Outcome {
    match verb {
        ServiceCommand::List => {
            let settings = settings::load(context, global, &[])?.settings;
            list(context, &settings).await
        }
        ServiceCommand::Check { service, changes, pin } => {
            let settings = settings::load(context, global, &[])?.settings;
            check(context, &settings, service.as_deref(), changes, pin).await
        }
        ServiceCommand::Add { name, openapi, urls, prefix, access, contract, health, dry_run } => {
            let wanted = add::Wanted { name, openapi, urls, prefix, access, contract, health };
            add::run(context, global, &wanted, dry_run).await
        }
        ServiceCommand::New { name, item, dry_run, allow_dirty } => {
            new::run(context, &name, item.as_deref(), dry_run, allow_dirty)
        }
    }
}

async fn list(context: &mut Context, settings: &Settings) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column::new("SERVICE", "service"),
        Column::new("PREFIX", "prefix"),
        Column::new("URLS", "urls"),
        Column::with("HEALTHY", "instances", healthy),
        Column::with("SERVES", "agreement", served),
        Column::new("CONTRACT", "contract"),
        Column::new("DOCUMENT", "document"),
    ];
    let urls = settings::service_urls(settings, &[]);
    let own = urls.iter().map(|(service, url)| {
        json!({
            "service": service, "prefix": "/api_v1", "urls": [url], "contract": "enforce", "document": "built in",
        })
    });
    let declared = settings.services.iter().map(|declared| {
        let service = &declared.settings;
        let urls: Vec<&str> = service.urls.iter().map(|url| url.as_str().trim_end_matches('/')).collect();
        json!({
            "service": service.name.as_str(),
            "prefix": service.prefix.clone().unwrap_or_else(|| format!("/api/{}", service.name)),
            "urls": urls,
            "contract": mode(service.contract),
            "document": service.openapi,
        })
    });
    let mut rows: Vec<Value> = own.chain(declared).collect();
    let standings = standings(context, settings).await;
    for row in &mut rows {
        let known = standings.as_deref();
        let standing =
            known.unwrap_or_default().iter().find(|standing| standing["service"] == row["service"]);
        // A port of 0 in the settings is one that was picked.
        if let Some(running) = standing.and_then(|standing| standing["instances"].as_array()) {
            let urls = running.iter().map(|instance| instance["url"].clone());
            let picked = |url: &Value| url.as_str().is_some_and(|url| url.ends_with(":0"));
            if row["urls"].as_array().is_some_and(|urls| urls.iter().any(picked)) {
                row["urls"] = urls.collect();
            }
        }
        for name in ["instances", "agreement", "breaks"] {
            row[name] = standing.map_or(Value::Null, |standing| standing[name].clone());
        }
        row["in_force"] = known.map_or(Value::Null, |_| standing.is_some().into());
    }
    many(context, COLUMNS, &rows)
}

/// How the services of the platform that runs here stand, by its operations listener; nothing where that can't be known.
async fn standings(context: &mut Context, settings: &Settings) -> Option<Vec<Value>> {
    let Some(ops) = RunFile::of_running(&settings.run_file()).and_then(|run| run.ops) else {
        context.note("No platform runs here: how the instances stand is not known.");
        return None;
    };
    let asked = async {
        let base = Url::parse(&settings::local_url(ops))
            .map_err(|error| Failure::failed("the operations listener has no address").caused_by(&error))?;
        Api::new(base, Bearer::Nobody, Peer::Certified)?.get("services").await
    };
    match asked.await {
        Ok(mut answer) => match answer.body["services"].take() {
            Value::Array(standings) => Some(standings),
            _ => None,
        },
        Err(failure) => {
            context.note(&format!("How the instances stand is not known: {}.", failure.what));
            None
        }
    }
}

/// How many of a service's instances take calls.
fn healthy(row: &Value) -> String {
    let Some(instances) = row["instances"].as_array() else { return "-".to_owned() };
    let count = instances.iter().filter(|instance| instance["healthy"] == true).count();
    format!("{count} of {}", instances.len())
}

/// How the contract that a service serves stands to the one it was bound by; of a broken one, where. Of a service that the running
/// platform has not read yet, that.
fn served(row: &Value) -> String {
    if row["in_force"] == false {
        return "not in force: platform reload".to_owned();
    }
    let pointers = row["breaks"].as_array().into_iter().flatten().filter_map(|one| one["pointer"].as_str());
    let pointers: Vec<&str> = pointers.collect();
    match row["agreement"].as_str() {
        Some("breaking") => format!("breaking: {}", pointers.join(", ")),
        Some("unknown") | None => "-".to_owned(),
        Some(agreement) => agreement.to_owned(),
    }
}

fn mode(mode: ContractMode) -> &'static str {
    match mode {
        ContractMode::Enforce => "enforce",
        ContractMode::Report => "report",
        ContractMode::Off => "off",
    }
}

async fn check(
    context: &mut Context,
    settings: &Settings,
    named: Option<&str>,
    changes: bool,
    pin: bool,
) -> Outcome {
    let wanted: Vec<Declared> = settings
        .services
        .iter()
        .filter(|declared| named.is_none_or(|named| declared.settings.name.as_str() == named))
        .cloned()
        .collect();
    if let (Some(named), true) = (named, wanted.is_empty()) {
        return Err(Failure::failed(format!("no service called {named} is declared"))
            .next("`platform service list` lists them; [[service]] in platform.toml declares one."));
    }
    // Of one service, what is composed of that alone.
    let is_wanted = |service: &str| wanted.iter().any(|declared| declared.settings.name.as_str() == service);
    let composed: Vec<Composed> = settings
        .composed
        .iter()
        .filter(|composed| {
            named.is_none() || composed.settings.parts.iter().all(|part| is_wanted(part.service.as_str()))
        })
        .cloned()
        .collect();
    let published = gateway::published(&wanted, &composed).await.map_err(|error| refused(&error))?;
    let mut compared = Vec::new();
    for declared in &wanted {
        compared.extend(pins::compared(declared).await?);
    }
    if changes {
        show_changes(context, &compared)?;
    } else {
        show(context, &published, &wanted)?;
    }
    if pin {
        for declared in &wanted {
            pins::pin(declared, &pins::current(declared).await?)?;
            context.note(&format!("Pinned {}.", declared.pinned_document().display()));
        }
        return Ok(());
    }
    told(context, &compared)
}

/// The operations of these services.
fn show(context: &mut Context, published: &gateway::Published, wanted: &[Declared]) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column::new("SERVICE", "service"),
        Column::new("METHOD", "method"),
        Column::new("PATH", "path"),
        Column::new("WHO", "access"),
        Column::new("OPERATION", "operation"),
    ];
    let rows: Vec<Value> = published
        .operations
        .iter()
        .filter(|(service, _)| {
            let is_wanted = |declared: &Declared| declared.settings.name.as_str() == service;
            wanted.iter().any(is_wanted) || service == gateway::COMPOSED
        })
        .map(|(service, operation)| {
            json!({
                "service": service,
                "method": operation.method.as_str(),
                "path": operation.path,
                "access": operation.access.text(),
                "operation": operation.id,
                "summary": operation.summary,
            })
        })
        .collect();
    many(context, COLUMNS, &rows)
}

fn show_changes(context: &mut Context, compared: &[Compared]) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column::new("SERVICE", "service"),
        Column::new("WEIGHT", "weight"),
        Column::new("POINTER", "pointer"),
        Column::new("CHANGE", "change"),
        Column::new("OPERATIONS", "operations"),
    ];
    let rows: Vec<Value> = compared
        .iter()
        .flat_map(|one| one.comparison.changes.iter().map(|change| pins::row(&one.service, change)))
        .collect();
    many(context, COLUMNS, &rows)
}

/// Fails where a change breaks clients; tells of the others.
fn told(context: &mut Context, compared: &[Compared]) -> Outcome {
    let mut breaking = Vec::new();
    for Compared { service, comparison } in compared {
        let count =
            |weight: Weight| comparison.changes.iter().filter(|change| change.weight == weight).count();
        let compatible = count(Weight::Compatible);
        if compatible > 0 {
            context.note(&format!(
                "{service}: {compatible} compatible change(s) since it was pinned (--changes lists them)."
            ));
        }
        let broken = comparison.changes.iter().filter(|change| change.weight == Weight::Breaking);
        breaking.extend(broken.map(|change| format!("{service}: {} {}", change.pointer, change.told)));
    }
    match breaking.len() {
        0 => Ok(()),
        count => Err(Failure::failed(format!("{count} change(s) break clients of what was pinned"))
            .because(breaking.join("\n  "))
            .next("Take them back, or pin the document as it is by `platform service check --pin`.")),
    }
}

/// One declared service that can't be bound.
fn refused_fault(fault: &gateway::BindFault) -> Failure {
    Failure::failed("a declared service can't be bound").because(fault.to_string())
}

/// Declared services that can't be bound, a line each.
pub(crate) fn refused(error: &gateway::StartError) -> Failure {
    match error {
        gateway::StartError::Services(_) => Failure::failed("what is declared can't be bound")
            .because(error.to_string())
            .next("Mend the document, its [[service]] or the [[compose]], then `platform service check`."),
        _ => Failure::failed("the document can't be made").caused_by(error),
    }
}
