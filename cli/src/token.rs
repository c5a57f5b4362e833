//! Reads a token without trusting it, and explains what each part says and whether it looks good.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::output::plain;

/// How refresh tokens of the platform begin.
const REFRESH_PREFIX: &str = "prt_";

/// One line of the explanation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    /// `header` or `claims`.
    pub(crate) part: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// Its value as it stands.
    pub(crate) value: Value,
    /// What it means.
    pub(crate) meaning: String,
}

/// A token taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explained {
    /// Every field of header and claims.
    pub(crate) claims: Vec<Claim>,
    /// Why it is not good; nothing where it looks good.
    pub(crate) faults: Vec<String>,
}

impl Explained {
    /// As JSON: header and claims as they stand, and the verdict.
    #[must_use]
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .claims
            .iter()
            .map(|claim| json!({"part": claim.part, "name": claim.name, "value": claim.value, "meaning": claim.meaning}))
            .collect();
        json!({"fields": rows, "faults": self.faults, "verified": false})
    }
}

/// Takes a token apart; the error says why that can't be done.
pub(crate) fn explain(token: &str, now: OffsetDateTime) -> Result<Explained, String> {
    if token.starts_with(REFRESH_PREFIX) {
        return Err("this is a refresh token: it holds nothing to read, only the gateway knows its session"
            .to_owned());
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return Err(format!(
            "it has {} part(s) where a signed token has three, separated by dots",
            parts.len()
        ));
    };
    let header = object(header, "header")?;
    let claims = object(claims, "claims")?;
    let mut faults = Vec::new();
    if URL_SAFE_NO_PAD.decode(signature).map_or(true, |bytes| bytes.is_empty()) {
        faults.push("it has no readable signature".to_owned());
    }
    check_header(&header, &mut faults);
    check_claims(&claims, now, &mut faults);
    let fields = |part: &'static str, value: &Value| -> Vec<Claim> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| Claim {
                part,
                name: name.clone(),
                value: value.clone(),
                meaning: if part == "header" {
                    header_meaning(name, value)
                } else {
                    claim_meaning(name, value, now)
                },
            })
            .collect()
    };
    let claims = [fields("header", &header), fields("claims", &claims)].concat();
    Ok(Explained { claims, faults })
}

fn object(part: &str, name: &str) -> Result<Value, String> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| format!("its {name} is not Base64url"))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| format!("its {name} is not JSON"))?;
    if value.is_object() { Ok(value) } else { Err(format!("its {name} is no JSON object")) }
}

fn check_header(header: &Value, faults: &mut Vec<String>) {
    match header["alg"].as_str() {
        Some("EdDSA" | "ES256") => {}
        Some(other) => faults.push(format!("its algorithm is {other}, not EdDSA or ES256")),
        None => faults.push("it names no algorithm".to_owned()),
    }
    match header["typ"].as_str() {
        Some("at+jwt") => {}
        Some("int+jwt") => {
            faults.push("it is an internal token: services take it, the gateway does not".to_owned());
        }
        other => faults.push(format!("its type is {}, not at+jwt", other.unwrap_or("missing"))),
    }
    if !header["kid"].is_string() {
        faults.push("it names no key (kid)".to_owned());
    }
    for name in ["crit", "jku", "jwk", "x5u", "x5c"] {
        if !header[name].is_null() {
            faults.push(format!("its header has {name}, which is refused"));
        }
    }
}

fn check_claims(claims: &Value, now: OffsetDateTime, faults: &mut Vec<String>) {
    let seconds = now.unix_timestamp();
    match claims["exp"].as_i64() {
        Some(time) if time <= seconds => faults.push(format!("it expired {}", relative(time - seconds))),
        Some(_) => {}
        None => faults.push("it never expires (exp)".to_owned()),
    }
    if let Some(time) = claims["nbf"].as_i64()
        && time > seconds
    {
        faults.push(format!("it is good only {}", relative(time - seconds)));
    }
    for name in ["iss", "sub", "aud"] {
        if claims[name].is_null() {
            faults.push(format!("it has no {name}"));
        }
    }
}

fn header_meaning(name: &str, value: &Value) -> String {
    match (name, value.as_str().unwrap_or_default()) {
        ("alg", "EdDSA") => "signed with Ed25519",
        ("alg", "ES256") => "signed with ECDSA on P-256",
        ("alg", "none") => "not signed at all",
        ("alg", text) if text.starts_with("HS") => "signed with a shared secret, never taken here",
        ("alg", _) => "how it is signed",
        ("typ", "at+jwt") => "an access token (RFC 9068)",
        ("typ", "int+jwt") => "an internal token from the gateway to a service",
        ("typ", _) => "what kind of token it is",
        ("kid", _) => "which of the platform's keys signed it",
        _ => "",
    }
    .to_owned()
}

fn claim_meaning(name: &str, value: &Value, now: OffsetDateTime) -> String {
    let seconds = now.unix_timestamp();
    match name {
        "iss" => "who issued it".to_owned(),
        "sub" => match value.as_str() {
            Some("operator") => "the operator of the platform's machine, no user".to_owned(),
            Some("anonymous") => "nobody signed in".to_owned(),
            Some(text) if text.starts_with("service:") => "a service account".to_owned(),
            _ => "the user's id".to_owned(),
        },
        "aud" => "for whom it is".to_owned(),
        "exp" | "iat" | "nbf" | "auth_time" => value.as_i64().map_or_else(
            || "no time".to_owned(),
            |time| {
                let what = match name {
                    "exp" if time <= seconds => "expired",
                    "exp" => "expires",
                    "iat" => "issued",
                    "auth_time" => "signed in",
                    _ => "good from",
                };
                format!("{what} {}{}", absolute(time), relative_in_brackets(time - seconds))
            },
        ),
        "jti" => "the token's own number".to_owned(),
        "sid" => "the session it belongs to; when that ends, so does it".to_owned(),
        "roles" => match plain(value).as_str() {
            "" => "no roles".to_owned(),
            _ => "what its bearer may do".to_owned(),
        },
        "scope" => "what it may be used for".to_owned(),
        "act" => "who acts for the subject".to_owned(),
        "amr" => "how its bearer signed in: pwd by password, otp with a code beside it".to_owned(),
        "client_id" => "the service account that it was given to".to_owned(),
        "client_secret_id" => "the secret it was got with; when that is revoked, so is it".to_owned(),
        _ => String::new(),
    }
}

/// Seconds since 1970 as a date and time.
pub(crate) fn absolute(time: i64) -> String {
    OffsetDateTime::from_unix_timestamp(time)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| time.to_string())
}

fn relative_in_brackets(seconds: i64) -> String {
    format!(" ({})", relative(seconds))
}

/// "in 14 min", "3 h ago".
fn relative(seconds: i64) -> String {
    let magnitude = seconds.unsigned_abs();
    let amount = match magnitude {
        0..=119 => format!("{magnitude} s"),
        120..=7199 => format!("{} min", magnitude / 60),
        7200..=172_799 => format!("{} h", magnitude / 3600),
        _ => format!("{} days", magnitude / 86_400),
    };
    if seconds >= 0 { format!("in {amount}") } else { format!("{amount} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode("signature"))
    }

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
    }

    fn good() -> (Value, Value) {
        (
            json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"}),
            json!({"iss": "http://h", "sub": "7", "aud": "platform", "exp": 1_800_000_840, "iat": 1_799_999_940, "roles": ["user"]}),
        )
    }

    #[test]
    fn a_good_token_has_no_faults_and_every_field_is_explained() {
        let (header, mut claims) = good();
        for (name, value) in [
            ("auth_time", json!(1_799_999_940)),
            ("amr", json!(["pwd"])),
            ("client_id", json!("orders")),
            ("client_secret_id", json!(1)),
        ] {
            claims[name] = value;
        }
        let explained = explain(&token(&header, &claims), now()).unwrap();
        assert!(explained.faults.is_empty(), "{:?}", explained.faults);
        assert!(explained.claims.iter().all(|claim| !claim.meaning.is_empty()));
        let expiry = explained.claims.iter().find(|claim| claim.name == "exp").unwrap();
        assert_eq!(expiry.meaning, "expires 2027-01-15T08:14:00Z (in 14 min)");
    }

    #[test]
    fn each_fault_is_named() {
        for (name, value, fault) in [
            ("exp", json!(1_799_990_000), "it expired 2 h ago"),
            ("nbf", json!(1_800_000_100), "it is good only in 100 s"),
            ("iss", Value::Null, "it has no iss"),
        ] {
            let (header, mut claims) = good();
            claims[name] = value;
            assert_eq!(explain(&token(&header, &claims), now()).unwrap().faults, [fault]);
        }
        for (name, value, fault) in [
            ("alg", json!("none"), "its algorithm is none, not EdDSA or ES256"),
            ("typ", json!("JWT"), "its type is JWT, not at+jwt"),
            ("jku", json!("http://evil"), "its header has jku, which is refused"),
        ] {
            let (mut header, claims) = good();
            header[name] = value;
            assert_eq!(explain(&token(&header, &claims), now()).unwrap().faults, [fault]);
        }
    }

    #[test]
    fn what_is_no_signed_token_is_told_why() {
        for (text, reason) in [
            ("prt_abc", "refresh token"),
            ("abc", "1 part(s)"),
            ("!.!.!", "header is not Base64url"),
            ("YQ.YQ.YQ", "header is not JSON"),
        ] {
            assert!(explain(text, now()).unwrap_err().contains(reason), "{text}");
        }
    }
}
