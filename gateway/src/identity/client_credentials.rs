//! The client credentials of a request (RFC 6749 §2.3.1): by HTTP Basic or in the form, never by both.

use base64::{Engine, engine::general_purpose::STANDARD};
use contract::{Problem, Secret};
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

/// A name and a secret, as sent; nothing of them is proved yet.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

impl ClientCredentials {
    /// The credentials of a request with these headers and these form fields; `None` where there are none.
    ///
    /// # Errors
    /// 400 `invalid_request` where they stand in two places, 401 `invalid_client` where they can't be read.
    pub(crate) fn of(
        headers: &HeaderMap,
        id: Option<String>,
        secret: Option<Secret>,
    ) -> Result<Option<Self>, Problem> {
        match (basic(headers)?, id, secret) {
            (Some(_), _, Some(_)) => {
                Err(Problem::oauth("invalid_request", "Send the client's credentials in one way only"))
            }
            (Some(basic), Some(id), None) if basic.id != id => Err(Problem::oauth(
                "invalid_request",
                "client_id is another than in the Authorization header",
            )),
            (Some(basic), _, None) => Ok(Some(basic)),
            (None, Some(id), Some(secret)) => Ok(Some(Self { id, secret })),
            (None, None, Some(_)) => {
                Err(Problem::oauth("invalid_request", "client_secret needs a client_id"))
            }
            (None, Some(_), None) => Err(Problem::invalid_client("The client's secret is missing")),
            (None, None, None) => Ok(None),
        }
    }
}

/// The credentials of a `Basic` header: name and secret were each form-encoded before they were joined.
fn basic(headers: &HeaderMap) -> Result<Option<ClientCredentials>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::oauth("invalid_request", "Authorization stands twice"));
    }
    let unreadable = || Problem::invalid_client("The Authorization header can't be read");
    let text = value.to_str().map_err(|_| unreadable())?;
    let (scheme, encoded) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| unreadable())?;
    let joined = String::from_utf8(bytes).map_err(|_| unreadable())?;
    let (id, secret) = joined.split_once(':').ok_or_else(unreadable)?;
    let (id, secret) =
        (form_decoded(id).ok_or_else(unreadable)?, form_decoded(secret).ok_or_else(unreadable)?);
    Ok(Some(ClientCredentials { id, secret: secret.into() }))
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(credentials: &str) -> HeaderMap {
        let value = format!("basic {}", STANDARD.encode(credentials));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    fn read(credentials: &str) -> (String, String) {
        let read = ClientCredentials::of(&headers(credentials), None, None).unwrap().unwrap();
        (read.id, read.secret.expose().to_owned())
    }

    #[test]
    fn name_and_secret_are_form_decoded_each_by_itself() {
        assert_eq!(read("orders:psk_a-b"), ("orders".to_owned(), "psk_a-b".to_owned()));
        assert_eq!(read("my%2Dorders:psk%5Fa%2Db%3Ac+d"), ("my-orders".to_owned(), "psk_a-b:c d".to_owned()));
        assert_eq!(read("orders:a:b"), ("orders".to_owned(), "a:b".to_owned()));
    }

    #[test]
    fn credentials_in_two_places_are_an_invalid_request_and_unreadable_ones_an_invalid_client() {
        let error = |headers: &HeaderMap, id: Option<&str>, secret: Option<&str>| {
            let secret = secret.map(|secret| Secret::from(secret.to_owned()));
            ClientCredentials::of(headers, id.map(str::to_owned), secret).unwrap_err().error.unwrap()
        };
        let good = headers("orders:x");
        assert_eq!(error(&good, Some("orders"), Some("x")), "invalid_request");
        assert_eq!(error(&good, Some("billing"), None), "invalid_request");
        assert!(ClientCredentials::of(&good, Some("orders".to_owned()), None).is_ok());
        let none = HeaderMap::new();
        assert_eq!(error(&none, None, Some("x")), "invalid_request");
        assert_eq!(error(&none, Some("orders"), None), "invalid_client");
        for bad in ["orders", "%FF:x"] {
            assert_eq!(error(&headers(bad), None, None), "invalid_client", "{bad}");
        }
        let raw = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(error(&raw("Basic !"), None, None), "invalid_client");
        assert!(ClientCredentials::of(&raw("Bearer x"), None, None).unwrap().is_none());
    }
}
