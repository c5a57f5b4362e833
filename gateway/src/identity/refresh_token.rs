//! Refresh tokens: opaque to clients, proved by the gateway without keeping any of them.
//!
//! A token is its session, its generation and a 256-bit code made from both with a key from the master key and a salt from
//! the session's row. The database alone makes no token, nor does the master key alone; and a lost successor can be made
//! again, which a stored hash could not give (`identity.md` asks for both at once).

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::SessionId;
use secrecy::SecretString;

/// What every refresh token starts with, so that secret scanners know it.
pub(crate) const PREFIX: &str = "prt_";

/// Bytes of a session's salt.
pub(crate) const SALT: usize = 32;

const CODE: usize = 32;

/// A refresh token taken apart; nothing of it is proved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    pub(crate) session: SessionId,
    pub(crate) generation: i64,
    code: [u8; CODE],
}

/// Takes a token apart; `None` for what is no refresh token.
pub(crate) fn parse(text: &str) -> Option<Presented> {
    let encoded = text.strip_prefix(PREFIX).filter(|encoded| encoded.len() <= 128)?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (session, rest) = bytes.split_first_chunk::<16>()?;
    let (generation, code) = rest.split_first_chunk::<8>()?;
    Some(Presented {
        session: uuid::Uuid::from_bytes(*session).to_string().parse().ok()?,
        generation: i64::from_be_bytes(*generation),
        code: code.try_into().ok()?,
    })
}

/// The token of a session's generation; `None` if the session's id is no UUID.
pub(crate) fn make(
    key: &hmac::Key,
    session: &SessionId,
    salt: &[u8],
    generation: i64,
) -> Option<SecretString> {
    let id = uuid::Uuid::parse_str(session.as_str()).ok()?;
    let code = hmac::sign(key, &message(session, salt, generation));
    let bytes = [id.as_bytes().as_slice(), &generation.to_be_bytes(), code.as_ref()].concat();
    Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}

impl Presented {
    /// Whether the token was made by us for the session with this salt.
    pub(crate) fn is_genuine(&self, key: &hmac::Key, salt: &[u8]) -> bool {
        hmac::verify(key, &message(&self.session, salt, self.generation), &self.code).is_ok()
    }
}

fn message(session: &SessionId, salt: &[u8], generation: i64) -> Vec<u8> {
    [session.as_str().as_bytes(), &generation.to_be_bytes(), salt].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    fn session() -> SessionId {
        "0199f0c2-b1a4-7d3e-9c5f-1e2d3c4b5a69".parse().unwrap()
    }

    #[test]
    fn a_token_is_genuine_for_its_session_generation_and_salt_only() {
        let token = make(&key(), &session(), &[1; SALT], 3).unwrap();
        let presented = parse(token.expose_secret()).unwrap();
        assert_eq!((presented.session.clone(), presented.generation), (session(), 3));
        assert!(presented.is_genuine(&key(), &[1; SALT]));
        assert!(!presented.is_genuine(&key(), &[2; SALT]));
        assert!(!Presented { generation: 4, ..presented }.is_genuine(&key(), &[1; SALT]));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(prt_)?[A-Za-z0-9_=.-]{0,140}") {
            let _ = parse(&text);
        }
    }
}
