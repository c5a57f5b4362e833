//! Which header fields cross the gateway, and which it writes itself (RFC 9110 §7.6, RFC 7239).

mod claims;

use std::net::IpAddr;

use contract::users::{ADDRESS_LEFT, ADDRESS_UNPROVED, SESSIONS_ENDED, TOKENS_ENDED};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kit::{
    request_id::{self, RequestId},
    trace,
};

use crate::policy::hop_by_hop;

/// Fields for one connection only.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields of a request that the gateway writes itself, or that are for it alone.
static OWN: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::HOST,
    header::CONTENT_LENGTH,
    header::EXPECT,
    request_id::HEADER,
    header::FORWARDED,
    header::VIA,
    // Told anew with each call.
    trace::PARENT,
    trace::STATE,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Fields of an answer that tell of the service's own server, that the gateway writes itself, that are for it alone, or that are not
/// the service's to say.
static NOT_THE_CLIENTS: [HeaderName; 20] = [
    header::SERVER,
    header::DATE,
    header::CONTENT_LENGTH,
    header::VIA,
    HeaderName::from_static("x-powered-by"),
    SESSIONS_ENDED,
    TOKENS_ENDED,
    ADDRESS_UNPROVED,
    ADDRESS_LEFT,
    // What speaks for the whole origin, of which a service has a part. Whoever runs the gateway can set it (`response.headers`).
    HeaderName::from_static("accept-ch"),
    header::ALT_SVC,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("expect-ct"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("origin-agent-cluster"),
    header::PUBLIC_KEY_PINS,
    HeaderName::from_static("report-to"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("set-login"),
    header::STRICT_TRANSPORT_SECURITY,
];

/// What the gateway tells a service of a request.
pub(crate) struct Told<'t> {
    pub(crate) request_id: &'t RequestId,
    pub(crate) authorization: HeaderValue,
    /// The client's address, seen through trusted proxies.
    pub(crate) client: IpAddr,
    /// Whether the client speaks TLS with the gateway itself.
    pub(crate) secure: bool,
    /// The host the client asked for.
    pub(crate) host: Option<HeaderValue>,
}

/// A request's fields as a service gets them: what the client sent, without what is hop-by-hop, nominated in `Connection`
/// or the gateway's own, and with the gateway's own written last, so that a client can't have them dropped.
pub(crate) fn to_service(mut headers: HeaderMap, told: Told<'_>) -> HeaderMap {
    hop_by_hop::remove(&mut headers, |name| HOP_BY_HOP.contains(name) || is_refused(name));
    headers.insert(header::AUTHORIZATION, told.authorization);
    headers.insert(request_id::HEADER, told.request_id.header_value());
    if let Ok(client) = HeaderValue::try_from(told.client.to_string()) {
        headers.insert(FORWARDED_FOR, client);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if told.secure { "https" } else { "http" }));
    if let Some(host) = told.host {
        headers.insert(FORWARDED_HOST, host);
    }
    headers
}

/// An answer's fields as a client gets them.
pub(crate) fn to_client(headers: &mut HeaderMap) {
    hop_by_hop::remove(headers, |name| {
        HOP_BY_HOP.contains(name)
            || NOT_THE_CLIENTS.contains(name)
            || name.as_str().starts_with("access-control-")
    });
}

/// The gateway's own fields, those by which a client would speak as a proxy does, and every field with `_` or `.` in its name: CGI
/// and its heirs fold these to `-` (RFC 3875 §4.1.18).
fn is_refused(name: &HeaderName) -> bool {
    let text = name.as_str();
    OWN.contains(name)
        || text.bytes().any(|byte| matches!(byte, b'_' | b'.'))
        || text.starts_with("platform-")
        || claims::is_one(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        to_service(
            headers,
            Told {
                request_id: &RequestId::fresh(),
                authorization: HeaderValue::from_static("Bearer internal"),
                secure: false,
                client: "192.0.2.7".parse().unwrap(),
                host: None,
            },
        )
    }

    #[test]
    fn a_client_can_t_have_the_gateway_s_fields_dropped() {
        let got = sent(&[
            ("connection", "close, authorization, x-forwarded-for, x-request-id, x-custom"),
            ("authorization", "Bearer client"),
            ("x-custom", "z"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
        ]);
        assert_eq!(got["authorization"], "Bearer internal");
        assert_eq!(got["x-forwarded-for"], "192.0.2.7");
        assert!(got.contains_key("x-request-id"));
        for name in ["connection", "x-custom", "keep-alive", "te", "upgrade"] {
            assert!(!got.contains_key(name), "{name}");
        }
    }

    #[test]
    fn look_alike_fields_do_not_reach_a_service() {
        let got = sent(&[
            ("x_forwarded_for", "1.1.1.1"),
            ("x.forwarded.for", "1.1.1.1"),
            ("X-FORWARDED-FOR", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1"),
            ("platform-sessions-ended", "7"),
            ("x_trace", "1"),
            ("x-trace", "1"),
        ]);
        assert_eq!(got.get_all("x-forwarded-for").iter().count(), 1);
        assert!(got.values().all(|value| value != "1.1.1.1"));
        assert!(
            got.contains_key("x-trace")
                && !got.contains_key("x_trace")
                && !got.contains_key("platform-sessions-ended")
        );
    }

    #[test]
    fn whatever_a_client_says_in_a_proxy_s_place_reaches_no_service() {
        let said = [
            // Another method, path or host than was authorised.
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "X-Original-URL",
            "X-Original-URI",
            "X-Original-Host",
            "X-Rewrite-URL",
            "X-Host",
            "X-HTTP-Host-Override",
            "X-Proxy-URL",
            "X-Envoy-Original-Path",
            "X-Middleware-Subrequest",
            // Another address.
            "X-Forwarded",
            "X-Forwarded-By",
            "X-Forwarded-Server",
            "X-Forwarded-Scheme",
            "X-Forwarded-Ssl",
            "X-Forwarded-Port",
            "X-Forwarded-Prefix",
            "X-Forwarded-Path",
            "X-Forwarded-Uri",
            "X-Forwarded-Method",
            "X-Forwarded-User",
            "X-Forwarded-Client-Cert",
            "X-Forwarded-Anything",
            "Forwarded-For",
            "Forwarded",
            "X-Original-Forwarded-For",
            "X-Real-IP",
            "X-Client-IP",
            "Client-IP",
            "X-Cluster-Client-IP",
            "CF-Connecting-IP",
            "CF-Connecting-IPv6",
            "True-Client-IP",
            "Fastly-Client-IP",
            "X-ProxyUser-Ip",
            "X-Originating-IP",
            "X-Remote-IP",
            "X-Remote-Addr",
            "Remote-Addr",
            "X-Azure-ClientIP",
            "X-Envoy-External-Address",
            "X-Custom-IP-Authorization",
            // Somebody else.
            "X-Remote-User",
            "Remote-User",
            "Remote-Groups",
            "X-WebAuth-User",
            "X-Auth-Request-Email",
            "X-Consumer-Username",
            "X-Authenticated-Userid",
            "X-MS-Client-Principal",
            "X-Goog-Authenticated-User-Email",
            "X-Amzn-Oidc-Identity",
            "Cf-Access-Authenticated-User-Email",
            "Client-Cert",
            "Client-Cert-Chain",
            "X-SSL-Client-Verify",
            "SSL-Client-Verify",
            "X-ARR-ClientCert",
            // TLS where there was none; a proxy for the service's own calls.
            "Front-End-Https",
            "X-Url-Scheme",
            "X-Scheme",
            "Proxy",
        ];
        for name in said {
            for spelling in
                [name.to_owned(), name.to_ascii_uppercase(), name.replace('-', "_"), name.replace('-', ".")]
            {
                let got = sent(&[(&spelling, "said"), ("x-kept", "1")]);
                assert!(
                    got.values().all(|value| value != "said") && got.contains_key("x-kept"),
                    "{spelling}"
                );
            }
        }
    }

    #[test]
    fn a_client_s_own_fields_reach_the_service() {
        let own = [
            "accept",
            "cookie",
            "origin",
            "referer",
            "user-agent",
            "x-api-key",
            "x-requested-with",
            "x-csrf-token",
            "x-tenant",
            "x-hub-signature-256",
            "idempotency-key",
            "content-type",
            "if-match",
            "range",
            "sec-fetch-site",
            "x-custom",
            "x-original-filename",
            "x-hostname",
            "x-client-version",
            "x-user-agent",
            "prefer",
            "x-http-client",
            "client-id",
            "x-ssl",
            "x-scheme-version",
        ];
        for name in own {
            assert!(sent(&[(name, "1")]).contains_key(name), "{name}");
        }
    }

    #[test]
    fn what_speaks_for_the_whole_origin_is_not_a_service_s_to_say() {
        let mut headers = HeaderMap::new();
        for name in [
            "service-worker-allowed",
            "alt-svc",
            "strict-transport-security",
            "clear-site-data",
            "public-key-pins",
            "expect-ct",
            "report-to",
            "nel",
            "origin-agent-cluster",
            "accept-ch",
            "set-login",
            "content-security-policy",
            "set-cookie",
            "link",
        ] {
            headers.append(name, HeaderValue::from_static("x"));
        }
        to_client(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-security-policy", "link", "set-cookie"]);
    }

    #[test]
    fn what_is_between_services_never_reaches_a_client() {
        let mut headers = HeaderMap::new();
        for name in ["server", "connection", "access-control-allow-origin", "etag"] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        for name in [SESSIONS_ENDED, TOKENS_ENDED, ADDRESS_UNPROVED, ADDRESS_LEFT] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        to_client(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["etag"]);
    }
}
