//! `[[issuer]]`: other issuers whose access tokens services may take, as the configuration file declares them.

use std::{collections::BTreeMap, net::IpAddr};

use contract::{Role, ServiceName};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::{Host, Url};

/// One `[[issuer]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// Its name: in `issuers` of a service, and in the subject that services are told (`external:<name>:<sub>`).
    #[schemars(with = "String")]
    pub name: ServiceName,
    /// The `iss` of its tokens, to the letter.
    #[serde(deserialize_with = "some_text")]
    pub issuer: String,
    /// What the `aud` of its tokens must hold: the name under which it knows this platform, never that of a web page, for
    /// which it makes ID tokens.
    #[serde(deserialize_with = "some_text")]
    pub audience: String,
    /// Where its JWK set is: `jwks_uri` of its `/.well-known/openid-configuration`. `http://` on loopback only.
    #[serde(deserialize_with = "keys")]
    #[schemars(with = "String")]
    pub keys: Url,
    /// Where a token lists its roles: a JSON Pointer into the claims, such as `/realm_access/roles`.
    #[serde(default, deserialize_with = "pointer")]
    pub roles_claim: Option<String>,
    /// What its roles are called here; what is not named gives no role. None gives `admin`.
    #[serde(default, deserialize_with = "roles")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub roles: BTreeMap<String, Role>,
}

fn some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("an empty text would take every token")) } else { Ok(text) }
}

/// Whoever answers in the place of the issuer signs as anybody: keys come over TLS.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let url = Url::deserialize(deserializer)?;
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(D::Error::custom(format!("keys: {url} is not https://, and not on this machine"))),
    }
}

fn pointer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.starts_with('/') {
        Ok(Some(text))
    } else {
        Err(D::Error::custom(format!("roles_claim: {text:?} is no JSON Pointer; write /{text}")))
    }
}

fn roles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Role>, D::Error> {
    let roles = BTreeMap::<String, Role>::deserialize(deserializer)?;
    match roles.iter().find(|(_, role)| **role == Role::ADMIN) {
        Some((name, _)) => Err(D::Error::custom(format!(
            "roles: {name:?} can't be admin, whom this platform alone makes; name another role"
        ))),
        None => Ok(roles),
    }
}
