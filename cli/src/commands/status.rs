//! `platform status`: how the platform stands that runs here, in one look.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use kit::config::Settings;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arguments::Global;
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::metrics::{self, Metrics};
use crate::ops::{Ops, Readiness};
use crate::output::{Column, one, plain, safe};
use crate::run_file::RunFile;
use crate::services;
use crate::settings;

const COLUMNS: &[Column] = &[
    Column::with("State", "state", state),
    Column::with("Process", "pid", |row| format!("{}, version {}", row["pid"], plain(&row["version"]))),
    Column::with("Running for", "uptime_seconds", |row| {
        span(row["uptime_seconds"].as_i64().unwrap_or_default())
    }),
    Column::new("API", "api"),
    Column::new("Data", "data_dir"),
    Column::with("Databases", "databases", databases),
    Column::with("Services", "services", standings),
    Column::with("Requests", "requests", requests),
    Column::new("Sessions", "sessions"),
    Column::with("Cache", "cache", cache),
    Column::with("Memory", "memory_bytes", |row| mebibytes(&row["memory_bytes"])),
    Column::with("Open files", "open_files", |row| {
        format!("{} of {}", row["open_files"], row["open_files_limit"])
    }),
];

/// Tells it; exit code 1 where it can't serve, 5 where none runs.
pub(crate) async fn run(context: &mut Context, global: &Global) -> Outcome {
    let connection = Connection::find(context, global)?;
    if !connection.own {
        return elsewhere(context, &connection).await;
    }
    let settings = &connection.settings;
    let own = settings.run_file();
    let found = RunFile::of_running(&own).or_else(|| {
        RunFile::of_running(&own.with_file_name(format!("platform-{}.run", services::NAMES.join("-"))))
    });
    let Some(run) = found else {
        return Err(Failure::new(Exit::Unreachable, "no platform runs here")
            .because(RunFile::absence(&own))
            .next("Start it with `platform serve`; `platform doctor` tells what keeps it from starting."));
    };
    let asked = ask(&run).await?;
    let faults = asked.readiness.faults.clone();
    let told = told(context, settings, &run, &asked);
    one(context, COLUMNS, &told)?;
    if asked.readiness.ready {
        return Ok(());
    }
    Err(Failure::failed("the platform can't serve")
        .because(safe(&faults.join("; ")))
        .next("`platform doctor` tells more."))
}

/// What a platform of another machine tells everybody.
async fn elsewhere(context: &mut Context, connection: &Connection) -> Outcome {
    const COLUMNS: &[Column] = &[Column::new("State", "state"), Column::new("API", "api")];
    connection.anonymous()?.get("healthz").await?;
    context.note("It is another machine's: only whether it lives can be known from here.");
    one(context, COLUMNS, &json!({"state": "alive", "api": connection.url.as_str().trim_end_matches('/')}))
}

/// What the process told.
struct Asked {
    readiness: Readiness,
    metrics: Metrics,
    services: Vec<Value>,
}

async fn ask(run: &RunFile) -> Outcome<Asked> {
    let ops = Ops::new(listener(run).ok_or_else(|| Failure::failed("the process tells no address"))?)?;
    let readiness = ops.readiness().await.map_err(|failure| {
        failure.next(format!("Process {} hangs or was stopped: `platform doctor` tells more.", run.pid))
    })?;
    let metrics = ops.metrics().await?;
    // A service alone has none behind it.
    let services = if run.ops.is_some() { ops.services().await? } else { Vec::new() };
    Ok(Asked { readiness, metrics, services })
}

/// Where readiness and metrics are told: the gateway's own listener, else that of the first service.
pub(super) fn listener(run: &RunFile) -> Option<SocketAddr> {
    run.ops.or_else(|| run.services.values().next().copied())
}

fn told(context: &Context, settings: &Settings, run: &RunFile, asked: &Asked) -> Value {
    let measured = &asked.metrics;
    let total = |name: &str| measured.sum(name, |_| true).map(whole);
    let failed = measured.sum("platform_requests_total", |sample| sample.label("status") == "5xx");
    let looked = metrics::cache(measured);
    let databases: BTreeMap<String, String> = served(run)
        .filter_map(|service| {
            Some((service.to_owned(), settings::database(settings, service).ok()?.to_string()))
        })
        .collect();
    let standings: Vec<Value> = asked
        .services
        .iter()
        .map(|service| {
            let instances = service["instances"].as_array().map_or(&[][..], Vec::as_slice);
            let healthy = instances.iter().filter(|instance| instance["healthy"] == true).count();
            json!({
                "service": service["service"],
                "healthy": healthy,
                "instances": instances.len(),
                "agreement": service["agreement"],
            })
        })
        .collect();
    json!({
        "state": if asked.readiness.ready { "ready" } else { "not ready" },
        "faults": asked.readiness.faults,
        "pid": run.pid,
        "version": run.version,
        "started_at": run.started_at,
        "uptime_seconds": uptime(context, run),
        "api": run.gateway.map(|address| settings::public_url(settings, address)),
        "data_dir": settings.data_dir,
        "databases": databases,
        "services": standings,
        "requests": {
            "total": total("platform_requests_total").unwrap_or_default(),
            "failed": failed.map(whole).unwrap_or_default(),
            "in_flight": total("platform_requests_in_flight").unwrap_or_default(),
        },
        "sessions": total("platform_sessions_open"),
        "cache": {
            "hits": looked.map(|(hits, _)| whole(hits)),
            "misses": looked.map(|(_, misses)| whole(misses)),
            "bytes": total("platform_cache_bytes"),
        },
        "memory_bytes": memory(run.pid),
        "open_files": fs::read_dir(format!("/proc/{}/fd", run.pid)).ok().map(Iterator::count),
        "open_files_limit": super::doctor::open_files_limit(run.pid),
    })
}

/// A count or a number of bytes, which metrics write as a decimal number.
#[expect(clippy::cast_possible_truncation, reason = "counts are whole and far below what an i64 holds")]
pub(super) fn whole(value: f64) -> i64 {
    value.round() as i64
}

fn served(run: &RunFile) -> impl Iterator<Item = &str> {
    run.gateway.map(|_| services::GATEWAY).into_iter().chain(run.services.keys().map(String::as_str))
}

pub(super) fn uptime(context: &Context, run: &RunFile) -> Option<i64> {
    let started = OffsetDateTime::parse(&run.started_at, &Rfc3339).ok()?;
    Some(((context.now)() - started).whole_seconds().max(0))
}

/// What the process holds in memory.
pub(super) fn memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// A time span as a person says it.
pub(super) fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn state(row: &Value) -> String {
    let faults = plain(&row["faults"]);
    let state = plain(&row["state"]);
    if faults.is_empty() { state } else { format!("{state}: {faults}") }
}

fn databases(row: &Value) -> String {
    let all = row["databases"].as_object().into_iter().flatten();
    all.map(|(service, url)| format!("{service}: {}", plain(url))).collect::<Vec<_>>().join(", ")
}

fn standings(row: &Value) -> String {
    let told = |service: &Value| {
        let agreement = match service["agreement"].as_str() {
            Some("breaking") => ", serves another contract",
            _ => "",
        };
        format!(
            "{}: {} of {} healthy{agreement}",
            plain(&service["service"]),
            service["healthy"],
            service["instances"]
        )
    };
    row["services"].as_array().into_iter().flatten().map(told).collect::<Vec<_>>().join(", ")
}

fn requests(row: &Value) -> String {
    let requests = &row["requests"];
    format!(
        "{} answered, {} failed, {} in flight",
        requests["total"], requests["failed"], requests["in_flight"]
    )
}

fn cache(row: &Value) -> String {
    let number = |name: &str| row["cache"][name].as_f64().unwrap_or_default();
    let (hits, misses) = (number("hits"), number("misses"));
    if hits + misses == 0.0 {
        return "nothing asked of it".to_owned();
    }
    format!(
        "{:.0} % of {:.0} from it, {}",
        hits * 100.0 / (hits + misses),
        hits + misses,
        mebibytes(&row["cache"]["bytes"])
    )
}

fn mebibytes(value: &Value) -> String {
    value.as_f64().map_or_else(String::new, |bytes| format!("{:.1} MiB", bytes / (1024.0 * 1024.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        for (seconds, told) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(span(seconds), told);
        }
    }
}
