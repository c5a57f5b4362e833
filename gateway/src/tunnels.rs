//! Tunnels between clients and services (WebSocket): what is open, what each has carried, and how all of them end when the
//! gateway does.

mod handshake_token;
mod pump;
mod tunnel;

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::{
    handshake_token::{HandshakeToken, TokenAmongProtocols},
    tunnel::{Account, Tunnel, Watched},
};

/// Every open tunnel.
#[derive(Debug, Default)]
pub(crate) struct Tunnels {
    tasks: TaskTracker,
    /// Both sides are told that the gateway goes away.
    ending: CancellationToken,
    /// What is still open is cut.
    cut: CancellationToken,
}

impl Tunnels {
    /// Lets a tunnel run by itself until one of its sides ends it, or the gateway does.
    pub(crate) fn open(&self, tunnel: Tunnel) {
        let (ending, cut) = (self.ending.clone(), self.cut.clone());
        self.tasks.spawn(tunnel.run(ending, cut));
    }

    /// Ends all of them once `shutdown` is told: Close 1001 to both sides of each, and whatever is left after `time` is cut.
    pub(crate) async fn run(&self, shutdown: CancellationToken, time: Duration) {
        shutdown.cancelled().await;
        self.ending.cancel();
        self.tasks.close();
        if tokio::time::timeout(time, self.tasks.wait()).await.is_err() {
            tracing::warn!(tunnels = self.tasks.len(), "the drain time is over; tunnels are cut");
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}
