//! One tunnel, from the 101 to its last line in the log.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use contract::{Problem, ProblemKind};
use hyper_util::rt::TokioIo;
use kit::{metrics, operation_name::OperationName, request_id::RequestId, trace::Trace};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::pump::{Activity, Carried, Farewell, GOING_AWAY, Pump, Way};
use crate::{
    identity::authenticate::{Authenticator, Verified},
    policy::websocket::frames::{NO_CODE, Scanner},
    upstream::Place,
};

/// How often the token of a tunnel is looked at: what is revoked ends a request as soon.
const LOOK: Duration = Duration::from_secs(1);

/// How long both sides have to answer a farewell.
const FAREWELL_TIME: Duration = Duration::from_secs(5);

/// The codes that the registry of RFC 6455 §11.7 has for these.
const UNAUTHORIZED: u16 = 3000;
const TIMEOUT: u16 = 3008;
const TRY_AGAIN_LATER: u16 = 1013;

/// Whose token keeps a tunnel open.
pub(crate) struct Watched {
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) caller: Arc<Verified>,
}

/// What a tunnel is, for the log and the metrics.
pub(crate) struct Account {
    pub(crate) service: String,
    pub(crate) operation: OperationName,
    pub(crate) request_id: RequestId,
    pub(crate) trace: Option<Trace>,
}

/// A tunnel whose two ends are about to be upgraded.
pub(crate) struct Tunnel {
    pub(crate) client: poem::OnUpgrade,
    pub(crate) service: hyper::upgrade::OnUpgrade,
    /// The longest silence.
    pub(crate) idle: Duration,
    pub(crate) watched: Watched,
    pub(crate) account: Account,
    /// Both are given back at the end.
    pub(crate) place: Place,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Who ended a tunnel, and with which code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    by: &'static str,
    code: Option<u16>,
}

impl Tunnel {
    /// Carries bytes both ways until a side ends it, the token does, silence does, or the gateway does.
    pub(super) async fn run(self, ending: CancellationToken, cut: CancellationToken) {
        let Self { client, service, idle, watched, account, place, permit } = self;
        let upgraded = async { Some((client.await.ok()?, service.await.ok()?)) };
        let both = tokio::select! {
            both = upgraded => both,
            () = cut.cancelled() => None,
        };
        let Some((client, service)) = both else { return };
        metrics::tunnel_opened(&account.service);
        let begun = StdInstant::now();
        let (mut up, mut down) = (Carried::default(), Carried::default());
        let told = {
            let carrying = carry(client, TokioIo::new(service), (&mut up, &mut down), |activity| {
                watch(activity, idle, &watched, &ending)
            });
            tokio::select! {
                told = carrying => told,
                () = cut.cancelled() => Some(GOING_AWAY),
            }
        };
        drop((place, permit));
        account.write(begun, &up, &down, told);
    }
}

/// Carries bytes both ways; tells the farewell, where it was the gateway that ended the tunnel.
async fn carry<C, S, F>(
    client: C,
    service: S,
    carried: (&mut Carried, &mut Carried),
    watching: impl FnOnce(Arc<Activity>) -> F,
) -> Option<Farewell>
where
    C: AsyncRead + AsyncWrite,
    S: AsyncRead + AsyncWrite,
    F: Future<Output = Farewell>,
{
    let (from_client, to_client) = tokio::io::split(client);
    let (from_service, to_service) = tokio::io::split(service);
    let activity = Arc::new(Activity::new());
    let (say, farewell) = watch::channel(None);
    let up = Pump {
        from: from_client,
        to: to_service,
        way: Way::ToService,
        activity: &activity,
        farewell: farewell.clone(),
        carried: carried.0,
        scanner: Scanner::default(),
    };
    let down = Pump {
        from: from_service,
        to: to_client,
        way: Way::ToClient,
        activity: &activity,
        farewell,
        carried: carried.1,
        scanner: Scanner::default(),
    };
    let pumping = async {
        tokio::pin! {
            let up = up.run();
            let down = down.run();
        }
        tokio::select! {
            is_over = up.as_mut() => last(is_over, down).await,
            is_over = down.as_mut() => last(is_over, up).await,
        }
    };
    tokio::pin!(pumping);
    let told = tokio::select! {
        () = pumping.as_mut() => return None,
        told = watching(Arc::clone(&activity)) => told,
    };
    say.send_replace(Some(told));
    // Who does not listen is not waited for.
    let _ = tokio::time::timeout(FAREWELL_TIME, pumping).await;
    Some(told)
}

/// A side that fails, or ends after both have closed, takes the other with it; one that has only ended lets the other say its
/// last, and not for ever: there is no half of a WebSocket.
async fn last(is_over: bool, other: Pin<&mut impl Future<Output = bool>>) {
    if !is_over {
        let _ = tokio::time::timeout(FAREWELL_TIME, other).await;
    }
}

/// Ends when the gateway has to end the tunnel.
async fn watch(
    activity: Arc<Activity>,
    idle: Duration,
    watched: &Watched,
    ending: &CancellationToken,
) -> Farewell {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let silent_at = activity.last() + idle;
        tokio::select! {
            biased;
            () = ending.cancelled() => return GOING_AWAY,
            () = sleep_until(silent_at) => {
                if activity.last() + idle <= Instant::now() {
                    return Farewell { code: TIMEOUT, words: "nothing was sent for too long" };
                }
            }
            _ = look.tick() => {
                if let Err(problem) = watched.authenticator.still_good(&watched.caller) {
                    return unfit(&problem);
                }
            }
        }
    }
}

fn unfit(problem: &Problem) -> Farewell {
    match problem.kind {
        ProblemKind::Unavailable => {
            Farewell { code: TRY_AGAIN_LATER, words: "it is not known whether the token is still good" }
        }
        _ => Farewell { code: UNAUTHORIZED, words: "the token has expired or was revoked" },
    }
}

/// Whoever sent the first Close, or was the first to go.
fn end(up: &Carried, down: &Carried, told: Option<Farewell>) -> End {
    if let Some(told) = told {
        return End { by: "gateway", code: Some(told.code) };
    }
    let is_first = match (up.ended, down.ended) {
        (Some(up), Some(down)) => up <= down,
        (up, _) => up.is_some(),
    };
    let (by, first) = if is_first { ("client", up) } else { ("service", down) };
    End { by, code: first.close.filter(|code| *code != NO_CODE) }
}

impl Account {
    /// The last line of a tunnel, beside the first that tells of its 101.
    fn write(self, begun: StdInstant, up: &Carried, down: &Carried, told: Option<Farewell>) {
        let end = end(up, down, told);
        metrics::tunnel_closed(&self.service, end.by, up.bytes, down.bytes);
        let failed = up.failed.or(down.failed).map(|kind| kind.to_string());
        tracing::info!(
            target: "access",
            service = "gateway",
            request_id = self.request_id.as_str(),
            trace_id = self.trace.as_ref().map(Trace::trace_id),
            operation = &*self.operation.0,
            upstream = self.service,
            duration_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            bytes_in = up.bytes,
            bytes_out = down.bytes,
            closed_by = end.by,
            close_code = end.code,
            failed,
            "a tunnel ended"
        );
    }
}
