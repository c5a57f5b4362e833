//! Checks signed tokens (JWS, RFC 7515; JWT, RFC 7519), every check by name (RFC 8725).

use std::collections::HashMap;

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde::de::DeserializeOwned;

/// Clock skew allowed on `exp` and `nbf`, in seconds.
pub const LEEWAY: u64 = 30;

/// The longest token looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// What a token must say of itself to be taken.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What the header's `typ` may be, such as `at+jwt`.
    kinds: Vec<&'static str>,
    /// The `iss` claim.
    pub issuer: String,
    /// One of the `aud` claim.
    pub audience: String,
    claims: &'static [&'static str],
}

impl Expected {
    /// A token that this platform signs: `typ` of this one kind, `iss`, one of `aud`, and every claim of time.
    #[must_use]
    pub fn of_ours(kind: &'static str, issuer: &str, audience: &str) -> Self {
        let claims = &["exp", "nbf", "iss", "aud", "sub"];
        Self { kinds: vec![kind], issuer: issuer.to_owned(), audience: audience.to_owned(), claims }
    }

    /// An access token of another issuer, which need not follow RFC 9068: few say `at+jwt`, and few have `nbf`.
    #[must_use]
    pub fn of_issuer(issuer: &str, audience: &str) -> Self {
        let claims = &["exp", "iss", "aud", "sub"];
        let kinds = vec!["at+jwt", "application/at+jwt", "JWT"];
        Self { kinds, issuer: issuer.to_owned(), audience: audience.to_owned(), claims }
    }
}

/// Public keys by `kid`, each with the one algorithm it is for.
#[derive(Clone, Default)]
pub struct KeySet(HashMap<String, (Algorithm, DecodingKey)>);

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is no signed token at all.
    #[error("The token can't be read")]
    Malformed,
    /// No key has this `kid`.
    #[error("The token is signed with a key that is not known")]
    UnknownKey,
    /// Another algorithm than its key's, or a header that asks for more than is understood.
    #[error("The token's header is not taken")]
    Header,
    /// Another kind of token.
    #[error("This kind of token is not taken here")]
    Kind,
    /// The signature is wrong.
    #[error("The token's signature is wrong")]
    Signature,
    /// `exp` has passed.
    #[error("The token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("The token is not valid yet")]
    NotYet,
    /// `iss` is another's, or missing.
    #[error("The token is from another issuer")]
    Issuer,
    /// `aud` is another's, or missing.
    #[error("The token is for another audience")]
    Audience,
    /// A claim is missing or of the wrong type.
    #[error("The token's claims do not fit")]
    Claims,
}

impl KeySet {
    /// The signing keys of a JWK set (RFC 7517 §5). Keys without `kid`, or for algorithms that are not asymmetric, are left out.
    #[must_use]
    pub fn of(set: &JwkSet) -> Self {
        Self(set.keys.iter().filter_map(|jwk| entry(jwk, stated(jwk)?)).collect())
    }

    /// The signing keys of another issuer's set: RSA keys as well, and keys that do not say their algorithm, as RFC 7517 allows;
    /// each is then good for the one that is usual for it. A key that is shared (`oct`) or for encryption is left out.
    #[must_use]
    pub fn of_issuer(set: &JwkSet) -> Self {
        Self(set.keys.iter().filter_map(|jwk| entry(jwk, usual(jwk)?)).collect())
    }

    /// Whether the set holds this key.
    #[must_use]
    pub fn knows(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// Whether it holds no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a token and gives its claims.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify<C: DeserializeOwned>(&self, token: &str, expected: &Expected) -> Result<C, TokenFault> {
        if token.len() > LONGEST {
            return Err(TokenFault::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)?;
        let asks_for_more = header.crit.is_some()
            || header.jku.is_some()
            || header.jwk.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some()
            || header.enc.is_some()
            || header.zip.is_some();
        if asks_for_more {
            return Err(TokenFault::Header);
        }
        let (algorithm, key) =
            header.kid.as_ref().and_then(|kid| self.0.get(kid)).ok_or(TokenFault::UnknownKey)?;
        if header.alg != *algorithm {
            return Err(TokenFault::Header);
        }
        if !header.typ.is_some_and(|kind| expected.kinds.iter().any(|known| kind.eq_ignore_ascii_case(known)))
        {
            return Err(TokenFault::Kind);
        }
        let checks = checks(*algorithm, expected);
        jsonwebtoken::decode(token, key, &checks)
            .map(|token| token.claims)
            .map_err(|error| fault(error.kind()))
    }
}

fn entry(jwk: &Jwk, algorithm: Algorithm) -> Option<(String, (Algorithm, DecodingKey))> {
    let kid = jwk.common.key_id.clone()?;
    Some((kid, (algorithm, DecodingKey::from_jwk(jwk).ok()?)))
}

/// The algorithm of one of the platform's keys, which says it.
fn stated(jwk: &Jwk) -> Option<Algorithm> {
    match jwk.common.key_algorithm? {
        KeyAlgorithm::EdDSA => Some(Algorithm::EdDSA),
        KeyAlgorithm::ES256 => Some(Algorithm::ES256),
        _ => None,
    }
}

/// The algorithm of a key of any issuer.
fn usual(jwk: &Jwk) -> Option<Algorithm> {
    if jwk.common.public_key_use.as_ref().is_some_and(|what| *what != PublicKeyUse::Signature) {
        return None;
    }
    let fits: &[(KeyAlgorithm, Algorithm)] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[
            (KeyAlgorithm::RS256, Algorithm::RS256),
            (KeyAlgorithm::RS384, Algorithm::RS384),
            (KeyAlgorithm::RS512, Algorithm::RS512),
            (KeyAlgorithm::PS256, Algorithm::PS256),
            (KeyAlgorithm::PS384, Algorithm::PS384),
            (KeyAlgorithm::PS512, Algorithm::PS512),
        ],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[(KeyAlgorithm::ES256, Algorithm::ES256)],
            EllipticCurve::P384 => &[(KeyAlgorithm::ES384, Algorithm::ES384)],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(_) => &[(KeyAlgorithm::EdDSA, Algorithm::EdDSA)],
        // Shared keys, and what this crate learns of later.
        _ => &[],
    };
    let stated = jwk.common.key_algorithm;
    fits.iter().find(|(name, _)| stated.is_none_or(|stated| stated == *name)).map(|(_, algorithm)| *algorithm)
}

/// The crate's defaults are not enough: it takes a missing `aud` or `iss`, does not look at `nbf`, and allows 60 seconds.
fn checks(algorithm: Algorithm, expected: &Expected) -> Validation {
    let mut checks = Validation::new(algorithm);
    checks.leeway = LEEWAY;
    checks.validate_exp = true;
    checks.validate_nbf = true;
    checks.validate_aud = true;
    checks.set_issuer(&[&expected.issuer]);
    checks.set_audience(&[&expected.audience]);
    checks.set_required_spec_claims(expected.claims);
    checks
}

fn fault(kind: &ErrorKind) -> TokenFault {
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::Provider(_) => TokenFault::Signature,
        ErrorKind::ExpiredSignature => TokenFault::Expired,
        ErrorKind::ImmatureSignature => TokenFault::NotYet,
        ErrorKind::InvalidIssuer => TokenFault::Issuer,
        ErrorKind::InvalidAudience => TokenFault::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => TokenFault::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => TokenFault::Issuer,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => {
            TokenFault::Claims
        }
        _ => TokenFault::Malformed,
    }
}

/// The key that a token says it is signed with, unchecked; `None` for what is no signed token, or too long for one.
#[must_use]
pub fn kid(token: &str) -> Option<String> {
    if token.len() > LONGEST {
        return None;
    }
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// The issuer that a token says it is from, unchecked; `None` for what is no signed token, or too long for one.
#[must_use]
pub fn issuer(token: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Issuer {
        iss: String,
    }
    if token.len() > LONGEST {
        return None;
    }
    let claims: Issuer = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    Some(claims.iss)
}

/// The bearer token of an `Authorization` header (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1).
///
/// # Errors
/// 400 where the header stands twice, 401 where it holds `Bearer` and no single token.
pub fn bearer(headers: &http::HeaderMap) -> Result<Option<&str>, contract::Problem> {
    use contract::{Problem, ProblemKind};
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::new(ProblemKind::MalformedRequest, "Authorization stands twice"));
    }
    let text = value.to_str().map_err(|_| Problem::invalid_token("The token can't be read"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim();
    if token.is_empty() || memchr::memchr(b' ', token.as_bytes()).is_some() {
        return Err(Problem::invalid_token("The token can't be read"));
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What is taken of a set with this one key.
    fn taken(member: &Value) -> Option<Algorithm> {
        let mut jwk = json!({ "kid": "k" });
        for (name, value) in member.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        let set: JwkSet = serde_json::from_value(json!({ "keys": [jwk] })).unwrap();
        KeySet::of_issuer(&set).0.get("k").map(|(algorithm, _)| *algorithm)
    }

    #[test]
    fn a_key_of_another_issuer_is_good_for_one_algorithm_which_is_the_usual_one_where_it_says_none() {
        let number = "u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u";
        let rsa = |more: Value| {
            let mut key = json!({ "kty": "RSA", "n": number, "e": "AQAB" });
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            taken(&key)
        };
        assert_eq!(rsa(json!({})), Some(Algorithm::RS256));
        assert_eq!(rsa(json!({ "alg": "PS384", "use": "sig" })), Some(Algorithm::PS384));
        assert_eq!(rsa(json!({ "use": "enc" })), None, "not for signatures");
        assert_eq!(rsa(json!({ "alg": "RSA-OAEP" })), None);
        assert_eq!(rsa(json!({ "alg": "ES256" })), None, "of another family");
        let point = "WKn-ZIGevcwGIyyrzFoZNBdaq9_TsqzGl96oc0CWuis";
        assert_eq!(
            taken(&json!({ "kty": "EC", "crv": "P-256", "x": point, "y": point })),
            Some(Algorithm::ES256)
        );
        assert_eq!(taken(&json!({ "kty": "OKP", "crv": "Ed25519", "x": point })), Some(Algorithm::EdDSA));
        assert_eq!(taken(&json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" })), None, "a shared secret");
    }
}
