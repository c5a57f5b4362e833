//! `platform serve`: services in this process, from nothing if need be, until a signal says stop.

pub(crate) mod addresses;
mod banner;
mod reloading;
mod running;
mod start;

use kit::telemetry::LogGuard;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use time::format_description::well_known::Rfc3339;

use crate::arguments::{Global, ServeArguments};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::run_file::{self, RunFile, Written};
use crate::services;
use crate::settings;
use crate::telemetry;
use reloading::{Reloading, RunningGateway};
use running::Signals;
use start::Started;
pub(crate) use start::not_bound;

/// What is served, and how.
struct Plan {
    gateway: bool,
    /// The others, in the order in which they start.
    services: Vec<&'static str>,
    migrate: bool,
}

impl Plan {
    fn of(arguments: &ServeArguments) -> Self {
        let named = |service: &str| {
            arguments.services.is_empty() || arguments.services.iter().any(|named| named == service)
        };
        let gateway = named(services::GATEWAY);
        let services: Vec<&str> = services::NAMES.iter().copied().filter(|service| named(service)).collect();
        // All in one process is one replica: nobody else migrates for it.
        let whole = gateway && services.len() == services::NAMES.len();
        Self { gateway, services, migrate: arguments.migrate || whole }
    }
}

/// Serves until told to stop.
pub(crate) fn run(context: &mut Context, global: &Global, arguments: &ServeArguments) -> Outcome {
    let flags: Vec<(&str, String, &str)> =
        arguments.listen.iter().map(|address| ("gateway.listen", address.clone(), "--listen")).collect();
    let settings = settings::load(context, global, &flags)?.settings;
    let logs = telemetry::start(context, &settings, true);
    raise_descriptor_limit();
    let _spans = telemetry::export_spans(&settings)?;
    let failed = |error: std::io::Error| Failure::failed("the platform can't start").caused_by(&error);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    kit::workers::start().map_err(failed)?;
    let sources = settings::sources(context, global, &flags);
    let level = logs.as_ref().map(LogGuard::level);
    let reloading =
        Reloading { sources, running: settings.clone(), gateway: None, level, written: None, count: 0 };
    let outcome = runtime.block_on(serve(context, global, reloading, &Plan::of(arguments)));
    // A task that hangs must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// As many open files as this process may have: every connection is one, and the limit at first is that of a shell.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit on open files stays as it was");
    }
}

async fn serve(context: &mut Context, global: &Global, mut reloading: Reloading, plan: &Plan) -> Outcome {
    let settings = &reloading.running.clone();
    // First of all: a process with number 1 has no default handlers, and a stop while starting must work too.
    let mut signals = Signals::new()?;
    let started = tokio::select! {
        started = start::start(settings, plan) => started?,
        () = signals.stop() => {
            context.note("Stopped while starting.");
            return Ok(());
        }
    };
    let run = told_of(&started, context);
    let written = Written::new(&start::run_file_path(settings, plan), &run);
    // Services that keep nothing in the folder can do without it.
    reloading.written = if start::needs_folder(settings, plan)? { Some(written?) } else { written.ok() };
    reloading.gateway =
        started.gateway.as_ref().zip(started.of_gateway.clone()).map(|(gateway, (key, service_urls))| {
            RunningGateway { reloader: gateway.reloader(), key, service_urls }
        });
    banner::print(context, global, settings, &run, started.fresh);
    running::until_stopped(started, signals, reloading).await
}

fn told_of(started: &Started, context: &Context) -> RunFile {
    RunFile {
        pid: std::process::id(),
        began_ticks: run_file::began_ticks(std::process::id()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: (context.now)()
            .replace_nanosecond(0)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_default(),
        gateway: started.gateway.as_ref().map(gateway::Service::address),
        ops: started.gateway.as_ref().map(gateway::Service::ops_address),
        reload: None,
        services: started
            .services
            .iter()
            .map(|(name, service)| ((*name).to_owned(), service.address()))
            .collect(),
    }
}
