//! Spans of `serve`, where a collector is named. Logs of the commands that write any: `serve` at the level of the settings, others warnings only.

use kit::config::{LogSettings, Settings};
use kit::spans::{self, SpansGuard};
use kit::telemetry::{LogGuard, Surroundings, start as start_logging};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Starts logging to standard error until the guard is dropped. A second start in one process changes nothing.
pub(crate) fn start(context: &Context, settings: &Settings, serving: bool) -> Option<LogGuard> {
    let surroundings = Surroundings::of_process(|name| context.environment.get(name).cloned());
    let level = match (serving, context.verbose) {
        (true, _) => directives(settings),
        (false, true) => "debug".to_owned(),
        (false, false) => "warn,migration=info".to_owned(),
    };
    let log = LogSettings { level, format: settings.log.format };
    start_logging(&log, &surroundings).ok()
}

/// What `serve` writes, by its settings.
pub(crate) fn directives(settings: &Settings) -> String {
    if settings.log.level.contains([',', '=']) {
        return settings.log.level.clone();
    }
    // Libraries below tell each of their steps; ours are enough.
    format!("{},sea_orm_migration=warn,sqlx=warn", settings.log.level)
}

/// Exports spans until the guard is dropped, where a collector is named.
pub(crate) fn export_spans(settings: &Settings) -> Outcome<Option<SpansGuard>> {
    let endpoint = settings.telemetry.otlp_endpoint.as_ref();
    let started = endpoint.map(|endpoint| spans::start(endpoint.as_str())).transpose();
    started.map_err(|error| Failure::failed("telemetry.otlp_endpoint").caused_by(&error))
}
