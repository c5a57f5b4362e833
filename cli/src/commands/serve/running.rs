//! From the first request to the last: serve, stop on a signal, drain, and end at once on a second one.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::reloading::Reloading;
use super::start::Started;
use crate::failure::{Failure, Outcome};

/// The signals that stop: Ctrl-C, and what `kill` and containers send. And the one that asks for a reload.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
}

impl Signals {
    /// Installs the handlers, explicitly: a process with number 1 has no default ones.
    pub(super) fn new() -> Outcome<Self> {
        let install = |kind| {
            signal(kind).map_err(|error| Failure::failed("signals can't be handled").caused_by(&error))
        };
        Ok(Self {
            interrupt: install(SignalKind::interrupt())?,
            terminate: install(SignalKind::terminate())?,
            hang_up: install(SignalKind::hangup())?,
        })
    }

    /// Waits for one of any kind.
    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// Waits for one that stops.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// How a process ends that a second signal hurried.
const HURRIED: i32 = 130;

/// Serves until a signal, then drains.
pub(super) async fn until_stopped(
    started: Started,
    mut signals: Signals,
    mut reloading: Reloading,
) -> Outcome {
    // The gateway drains first: its last requests still need the services.
    let (stop_gateway, stop_services) = (CancellationToken::new(), CancellationToken::new());
    let mut gateway = started.gateway.map(|service| {
        let stop = stop_gateway.clone();
        tokio::spawn(async move {
            service.run(stop).await;
            Ok(())
        })
    });
    let mut services = JoinSet::new();
    for (name, service) in started.services {
        let stop = stop_services.clone();
        services.spawn(async move { (name, service.run(stop).await.map_err(|error| error.to_string())) });
    }
    let ended = loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            ended = end_of(&mut gateway) => break Some(("the gateway".to_owned(), ended)),
            Some(ended) = services.join_next() => break Some(named(ended)),
        };
        match asked {
            Asked::Stop => break None,
            // A document that is slow to come must not hold up a stop.
            Asked::Reload => tokio::select! {
                () = reloading.reload() => {}
                () = signals.stop() => break None,
            },
        }
    };
    if let Some((name, ended)) = ended {
        drop(reloading);
        let failure = Failure::failed(format!("{name} stopped by itself"));
        return Err(match ended {
            Ok(()) => failure,
            Err(reason) => failure.because(reason),
        });
    }
    tracing::info!("stopping: requests in flight are finished, a second signal ends at once");
    // From here on nobody should find it.
    drop(reloading);
    let drained = async {
        stop_gateway.cancel();
        let gateway = stopped(gateway).await;
        stop_services.cancel();
        let mut outcome = gateway;
        while let Some(ended) = services.join_next().await {
            outcome = outcome.and(named(ended).1);
        }
        outcome
    };
    let drained = tokio::select! {
        drained = drained => drained,
        () = signals.stop() => {
            tracing::warn!("ended at once by a second signal");
            std::process::exit(HURRIED);
        }
    };
    drained.map_err(|reason| Failure::failed("the platform did not stop in order").because(reason))?;
    tracing::info!("stopped");
    Ok(())
}

/// How a service ended, with its name.
fn named(ended: Result<(&'static str, Result<(), String>), JoinError>) -> (String, Result<(), String>) {
    match ended {
        Ok((name, ended)) => (format!("the {name} service"), ended),
        Err(error) => ("a service".to_owned(), Err(format!("it failed: {error}"))),
    }
}

/// A gateway that runs.
type Running = JoinHandle<Result<(), String>>;

/// Waits for the gateway to end by itself; one that is not there never does.
async fn end_of(service: &mut Option<Running>) -> Result<(), String> {
    match service {
        Some(running) => result(running.await),
        None => std::future::pending().await,
    }
}

/// Waits for the gateway, which was told to stop.
async fn stopped(service: Option<Running>) -> Result<(), String> {
    match service {
        Some(running) => result(running.await),
        None => Ok(()),
    }
}

fn result(ended: Result<Result<(), String>, JoinError>) -> Result<(), String> {
    ended.map_err(|error| format!("it failed: {error}")).and_then(|ended| ended)
}
