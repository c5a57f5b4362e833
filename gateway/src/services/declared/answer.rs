//! What a declared service answers: held to its document, and passed on.

use contract::{
    Problem, ProblemKind,
    operation::{Breach, Media, content_type},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use kit::config::ContractMode;

use super::{forward::Target, trailers};
use crate::{
    cache::CacheBody,
    upstream::{Upstream, UpstreamBody, headers::to_client},
};

impl Target {
    /// Whether the bodies of answers are looked at.
    pub(super) fn holds_answers(&self) -> bool {
        self.rules.mode != ContractMode::Off && self.operation.answers_json()
    }

    /// Whether an answer with this head is read whole, to be held to its schema.
    pub(super) fn reads_whole(&self, head: &http::response::Parts, asked: Conditions) -> bool {
        self.holds_answers()
            && !asked.allow(head.status)
            && !head.headers.contains_key(header::CONTENT_ENCODING)
            && self
                .operation
                .answer_media(head.status, content_type(&head.headers))
                .is_ok_and(|media| media == Media::Json)
    }

    /// Holds an answer to the document, and passes it on.
    pub(super) async fn answer(
        &self,
        mut head: http::response::Parts,
        body: UpstreamBody,
        conditions: Conditions,
        asked_for_head: bool,
    ) -> Result<http::Response<CacheBody>, Problem> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody asked for it: what follows is no HTTP, whatever the document says.
            let breach = Breach::UndeclaredStatus(head.status);
            self.broken(breach.rule(), &breach, true)?;
            return Err(Problem::new(ProblemKind::BadUpstream, "The service's answer breaks its contract"));
        }
        let media = if conditions.allow(head.status) {
            Ok(Media::Opaque)
        } else {
            self.operation.answer_media(head.status, content_type(&head.headers))
        };
        let media = match media {
            // There is no body that could be of the wrong kind.
            Err(Breach::MediaType(..)) if asked_for_head || is_empty(&head.headers) => Media::Opaque,
            Err(breach) => {
                self.broken(breach.rule(), &breach, matches!(breach, Breach::UndeclaredStatus(_)))?;
                Media::Opaque
            }
            Ok(media) => media,
        };
        let whole = media == Media::Json && self.holds_answers() && !asked_for_head;
        let body = if whole { self.held(&mut head, body).await? } else { BoxBody::new(body) };
        let length = head.headers.get(header::CONTENT_LENGTH).cloned();
        let date = head.headers.get(header::DATE).cloned();
        let trailers = trailers::announced(&head.headers).filter(|_| !whole && !self.rules.cache);
        to_client(&mut head.headers);
        if !whole && let Some(length) = length {
            head.headers.insert(header::CONTENT_LENGTH, length);
        }
        if let Some(trailers) = trailers {
            head.headers.insert(header::TRAILER, trailers);
        }
        if self.rules.cache
            && let Some(date) = date
        {
            // The age of an answer counts from it.
            head.headers.insert(header::DATE, date);
        }
        self.rules.response.headers(&mut head.headers);
        self.confine(head.status, &mut head.headers);
        Ok(http::Response::from_parts(head, body))
    }

    /// Reads a JSON answer whole and holds it to its schema.
    async fn held(&self, head: &mut http::response::Parts, body: UpstreamBody) -> Result<CacheBody, Problem> {
        if let Some(coding) = head.headers.get(header::CONTENT_ENCODING) {
            self.broken("coding", &format_args!("content coding {coding:?} was not asked for"), false)?;
            return Ok(BoxBody::new(body));
        }
        let bytes = Upstream::whole(body).await?;
        if let Err(breach) = self.operation.check_answer(head.status, content_type(&head.headers), &bytes) {
            self.broken(breach.rule(), &breach, false)?;
        }
        let changed = self.rules.response.body(&bytes);
        if changed.is_some() {
            for name in [header::ETAG, header::CONTENT_LENGTH] {
                head.headers.remove(name);
            }
        }
        Ok(Full::new(changed.unwrap_or(bytes)).map_err(|never| match never {}).boxed())
    }

    /// Counts a breach of the contract and refuses the answer, or lets it pass where the mode says so. A status that is not
    /// declared passes in the mode `report` only.
    pub(super) fn broken(
        &self,
        rule: &'static str,
        breach: &dyn std::fmt::Display,
        always: bool,
    ) -> Result<(), Problem> {
        kit::metrics::contract_violated(&self.service.name, &self.name.0, rule);
        tracing::error!(
            service = self.service.name,
            operation = &*self.name.0,
            %breach,
            "a service's answer breaks its contract"
        );
        match self.rules.mode {
            ContractMode::Report => Ok(()),
            ContractMode::Off if !always => Ok(()),
            _ => Err(Problem::new(ProblemKind::BadUpstream, "The service's answer breaks its contract")
                .because(breach)),
        }
    }
}

/// An answer that has no body says so, or has no type either.
fn is_empty(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0")
}

/// What a request asks for beside the plain answer: statuses that follow from it need no declaration (RFC 9110 §13, §14).
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    not_modified: bool,
    precondition: bool,
    range: bool,
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            not_modified: headers.contains_key(header::IF_NONE_MATCH)
                || headers.contains_key(header::IF_MODIFIED_SINCE),
            precondition: headers.contains_key(header::IF_MATCH)
                || headers.contains_key(header::IF_UNMODIFIED_SINCE)
                || headers.contains_key(header::IF_NONE_MATCH),
            range: headers.contains_key(header::RANGE),
        }
    }

    fn allow(self, status: StatusCode) -> bool {
        match status {
            StatusCode::NOT_MODIFIED => self.not_modified,
            StatusCode::PRECONDITION_FAILED => self.precondition,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => self.range,
            _ => false,
        }
    }
}
