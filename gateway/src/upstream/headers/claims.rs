//! Request fields by which proxies tell services of a request, and by which a client would tell them in a proxy's place: frameworks
//! believe them for another method, path, host, address or caller than the gateway has authorised. None of them passes; what of them
//! the gateway has to tell it writes itself, afterwards.

/// By their whole names, in order.
const NAMES: [&str; 34] = [
    "client-cert",
    "client-cert-chain",
    "client-ip",
    "fastly-client-ip",
    "forwarded-for",
    "front-end-https",
    "proxy",
    "true-client-ip",
    "x-anonymous-consumer",
    "x-client-cert",
    "x-client-dn",
    "x-client-ip",
    "x-client-verify",
    "x-cluster-client-ip",
    "x-custom-ip-authorization",
    "x-host",
    "x-host-override",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-path",
    "x-original-remote-addr",
    "x-original-remote-user",
    "x-original-uri",
    "x-original-url",
    "x-originating-ip",
    "x-override-url",
    "x-proxyuser-ip",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
    "x-webauth-user",
];

/// By how their names begin: whole families, of which products add members.
const FAMILIES: [&str; 24] = [
    // The address of Cloudflare's client; who passed its Access.
    "cf-access-",
    "cf-connecting-ip",
    "cf-pseudo-",
    // Who signed in at a proxy before a CGI-like service (Authelia, Apache); the address it came from.
    "remote-",
    // A client's certificate that was verified elsewhere (nginx, RFC 9440's forerunners).
    "ssl-client-",
    // Who signed in at AWS's load balancer, at App Engine, at IIS and Azure, at oauth2-proxy, at Kong.
    "x-amzn-oidc-",
    "x-appengine-",
    "x-arr-",
    "x-auth-request-",
    "x-authenticated-",
    "x-azure-",
    "x-consumer-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-ms-client-principal",
    // The path before Envoy changed it, the address it saw.
    "x-envoy-",
    // Address, host, scheme, port, prefix, path, method, user, certificate.
    "x-forwarded",
    // `X-HTTP-Method`, `X-HTTP-Method-Override`.
    "x-http-method",
    // Steps of Next.js that are to be left out, such as the check of the caller (CVE-2025-29927).
    "x-middleware-",
    "x-original-forwarded",
    "x-proxy-",
    "x-real-",
    // Kubernetes and CGI-like services: user, group, address.
    "x-remote-",
    "x-ssl-client-",
];

/// Whether a field of this name, in lower case, is one.
pub(super) fn is_one(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok() || FAMILIES.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order() {
        assert!(NAMES.is_sorted());
    }
}
