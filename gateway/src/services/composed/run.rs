//! Asks for the parts: each as soon as what it waits for is there, all of them within one time and one number of bytes. What comes
//! of it depends on the parts' declared order and never on which answered first.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use contract::{
    Problem, ProblemKind,
    operation::content_type,
    schema::{Compiler, NodeId, Schema},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::{HeaderMap, StatusCode, header, response};
use http_body_util::BodyExt;
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use super::{
    Part,
    address::{self, Address, Unasked, Values},
    order::Progress,
};
use crate::{
    cache::CacheBody,
    services::declared::{Asker, Shared},
    upstream::UpstreamFault,
};

/// Fields of a request that mean the composed answer and no part of it.
const OF_THE_WHOLE: [header::HeaderName; 12] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::TRANSFER_ENCODING,
];

/// Holds JSON to nothing but its own grammar: no key twice, nothing after the end.
static GRAMMAR: LazyLock<Option<(Schema, NodeId)>> = LazyLock::new(|| {
    let anything = Value::Bool(true);
    let mut compiler = Compiler::new(&anything);
    let node = compiler.compile(&anything, "").ok()?;
    Some((compiler.finish(), node))
});

/// A part's answer.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) headers: HeaderMap,
    pub(super) text: Box<RawValue>,
}

/// Why a part is missing.
#[derive(Debug)]
pub(super) enum Missing {
    /// The gateway's word for what its service did, or for who calls.
    Problem(Problem),
    /// An error that its document declares.
    Declared(Box<response::Parts>, Bytes),
    /// It waits for a part that is missing itself.
    Waits,
}

impl Missing {
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Problem(problem) => Some(problem.kind.status()),
            Self::Declared(head, _) => Some(head.status),
            Self::Waits => None,
        }
    }
}

impl From<Unasked> for Missing {
    fn from(fault: Unasked) -> Self {
        let detail = "A service's answer gives no fitting parameter";
        Self::Problem(Problem::new(ProblemKind::BadUpstream, detail).because(fault))
    }
}

/// What came of all parts.
pub(super) enum Outcome {
    /// An answer, of which optional parts may be missing.
    Answered(Vec<Result<Got, Missing>>),
    /// A required part is missing: the first of these, in their order.
    Failed(usize, Missing),
}

/// What parts are asked with.
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    pub(super) asker: &'a Asker,
    pub(super) values: Values<'a>,
    /// Those of the client's request.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) bytes: usize,
}

impl Asked<'_> {
    /// Asks for all parts.
    pub(super) async fn all(mut self, parts: &[Part]) -> Outcome {
        for name in OF_THE_WHOLE {
            self.headers.remove(name);
        }
        self.headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        let asked = &self;
        let end = Instant::now() + asked.timeout;
        let left = AtomicUsize::new(asked.bytes);
        let mut done: Vec<Option<Result<Got, Missing>>> = parts.iter().map(|_| None).collect();
        let mut progress = Progress::new(parts.iter().map(|part| &part.plan.after));
        let mut under_way = FuturesUnordered::new();
        loop {
            let ready = progress.begin();
            let is_any = !ready.is_empty();
            for at in ready {
                match asked.address(&parts[at], &done) {
                    Ok(address) => {
                        let (part, left) = (&parts[at], &left);
                        under_way.push(async move { (at, asked.one(part, address, end, left).await) });
                    }
                    Err(missing) => {
                        done[at] = Some(Err(missing));
                        progress.ended(at);
                    }
                }
            }
            if let Some(failed) = failed(parts, &mut done) {
                return failed;
            }
            // What waited for a part that can't be asked may begin, or be missing, as well.
            if is_any && under_way.is_empty() {
                continue;
            }
            let Some((at, answer)) = under_way.next().await else { break };
            done[at] = Some(answer);
            progress.ended(at);
        }
        Outcome::Answered(done.into_iter().map(|answer| answer.unwrap_or(Err(Missing::Waits))).collect())
    }

    fn address(&self, part: &Part, done: &[Option<Result<Got, Missing>>]) -> Result<Address, Missing> {
        let answer = |at: usize| match &done[at] {
            Some(Ok(got)) => Some(&*got.text),
            _ => None,
        };
        if part.plan.after.iter().any(|at| answer(*at).is_none()) {
            return Err(Missing::Waits);
        }
        Ok(address::of(&part.plan, &self.values, answer)?)
    }

    /// Asks for one part and reads its whole answer.
    async fn one(
        &self,
        part: &Part,
        address: Address,
        end: Instant,
        left: &AtomicUsize,
    ) -> Result<Got, Missing> {
        let begun = Instant::now();
        let end = part.timeout.map_or(end, |time| end.min(begun + time));
        let path: Vec<(&str, String)> =
            address.path.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        let answer = async {
            let headers = self.headers.clone();
            let answer = part.target.ask(self.shared, self.asker, address.uri, &path, headers);
            self.read(part, answer.await.map_err(Missing::Problem)?, left).await
        };
        let late = |_| Missing::Problem(UpstreamFault::Timeout(end - begun).into());
        tokio::time::timeout_at(end, answer).await.map_err(late)?
    }

    async fn read(
        &self,
        part: &Part,
        answer: http::Response<CacheBody>,
        left: &AtomicUsize,
    ) -> Result<Got, Missing> {
        let (head, body) = answer.into_parts();
        let bytes = whole(body, left, self.bytes).await.map_err(|fault| Missing::Problem(fault.into()))?;
        if head.status.is_client_error() || head.status.is_server_error() {
            return Err(Missing::Declared(Box::new(head), bytes.into()));
        }
        let unusable = |cause: &str| {
            let problem = Problem::new(ProblemKind::BadUpstream, "The service's answer can't be used");
            Missing::Problem(problem.because(cause))
        };
        if !head.status.is_success() || bytes.is_empty() {
            return Err(unusable("it is no answer of success with a body"));
        }
        if head.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(unusable("it is encoded"));
        }
        if content_type(&head.headers).is_none_or(|kind| !contract::operation::is_json(kind)) {
            return Err(unusable("it is no JSON"));
        }
        if !part.target.is_enforced()
            && let Some((schema, node)) = &*GRAMMAR
            && let Err(fault) = schema.check(*node, &bytes)
        {
            return Err(unusable(&fault.to_string()));
        }
        let text = String::from_utf8(bytes).map_err(|_| unusable("it is no UTF-8"))?;
        let text = RawValue::from_string(text).map_err(|fault| unusable(&fault.to_string()))?;
        match part.plan.select.find(&text) {
            Some(selected) if part.plan.put.takes(selected) => Ok(Got { headers: head.headers, text }),
            Some(_) => Err(unusable("what is merged is no object")),
            None => Err(unusable("it has nothing where something is selected")),
        }
    }
}

/// The failure that decides, once none before it can come any more. What waits for a failed part is no failure of its own: all
/// that a required part waits for is required.
fn failed(parts: &[Part], done: &mut [Option<Result<Got, Missing>>]) -> Option<Outcome> {
    for (at, _) in parts.iter().enumerate().filter(|(_, part)| part.plan.required) {
        match &done[at] {
            None => return None,
            Some(Ok(_) | Err(Missing::Waits)) => {}
            Some(Err(_)) => {
                return match done[at].take() {
                    Some(Err(missing)) => Some(Outcome::Failed(at, missing)),
                    _ => None,
                };
            }
        }
    }
    None
}

/// Reads a body to its end, as long as there is room for it beside the others.
async fn whole(mut body: CacheBody, left: &AtomicUsize, most: usize) -> Result<Vec<u8>, UpstreamFault> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(UpstreamFault::of_body)?.into_data() else { continue };
        let taken =
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(data.len()));
        if taken.is_err() {
            return Err(UpstreamFault::TooLarge(most));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
