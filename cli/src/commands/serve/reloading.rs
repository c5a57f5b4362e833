//! SIGHUP: the configuration is read again, and takes the place of the running one whole or not at all.

use std::collections::BTreeMap;

use gateway::{MasterKey, Reloader};
use kit::config::{self, Settings, Sources};
use kit::telemetry::LogLevel;

use crate::run_file::{Reload, Written};
use crate::settings;
use crate::telemetry;

/// What a reload needs, and what it leaves behind for those who asked.
pub(super) struct Reloading {
    pub(super) sources: Sources,
    /// As they were loaded last, before a free port was found for them.
    pub(super) running: Settings,
    pub(super) gateway: Option<RunningGateway>,
    pub(super) level: Option<LogLevel>,
    /// The file in which the outcome is told; removed when this is dropped.
    pub(super) written: Option<Written>,
    /// Reloads begun.
    pub(super) count: u64,
}

/// The gateway in this process, and what of its configuration no file holds.
pub(super) struct RunningGateway {
    pub(super) reloader: Reloader,
    pub(super) key: MasterKey,
    pub(super) service_urls: BTreeMap<&'static str, String>,
}

impl Reloading {
    /// Reads the configuration again and serves by it from now on, or changes nothing. The outcome goes to the log and to the
    /// run file.
    pub(super) async fn reload(&mut self) {
        self.count += 1;
        self.tell(Reload { number: self.count, done: false, faults: Vec::new(), warnings: Vec::new() });
        let (faults, warnings) = match self.attempt().await {
            Ok(warnings) => (Vec::new(), warnings),
            Err(faults) => (faults, Vec::new()),
        };
        for warning in &warnings {
            tracing::warn!(warning, "the configuration was read again");
        }
        for fault in &faults {
            tracing::error!(fault, "the configuration was refused; the old one goes on");
        }
        if faults.is_empty() {
            tracing::info!("the configuration was read again");
        }
        self.tell(Reload { number: self.count, done: true, faults, warnings });
    }

    /// What deserves a look nevertheless; or everything that is wrong, a line each.
    async fn attempt(&mut self) -> Result<Vec<String>, Vec<String>> {
        let lines = |faults: config::Faults| faults.0.iter().map(ToString::to_string).collect::<Vec<_>>();
        let loaded = config::load(&self.sources).map_err(lines)?;
        loaded.settings.replaceable(&self.running).map_err(lines)?;
        if let Some(gateway) = &self.gateway {
            let config = settings::checked_gateway(
                &loaded.settings,
                gateway.key.clone(),
                gateway.service_urls.clone(),
            )
            .map_err(lines)?;
            let reloaded = gateway.reloader.reload(&config).await;
            reloaded.map_err(|error| {
                error.to_string().lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
            })?;
        }
        if let Some(level) = &self.level {
            level.set(&telemetry::directives(&loaded.settings));
        }
        self.running = loaded.settings;
        Ok(loaded.warnings.iter().map(ToString::to_string).collect())
    }

    fn tell(&mut self, reload: Reload) {
        let Some(written) = &mut self.written else { return };
        if let Err(failure) = written.tell(reload) {
            tracing::warn!(%failure, "the outcome of the reload can't be told to who asked for it");
        }
    }
}
