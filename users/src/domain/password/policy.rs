//! Which new passwords are good enough. Signing in never asks this: what is set, is set.

use contract::{Email, Secret};
use secrecy::{ExposeSecret, SecretString};
use zxcvbn::{Score, zxcvbn};

use super::{LONGEST_PASSWORD, normalised};
use crate::domain::error::UsersError;

/// The rules a new password must meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// OWASP ASVS 5: 8 characters at least, and not easily guessed.
    #[default]
    Asvs,
    /// NIST SP 800-63B-4 for a password that is the only factor: 15 characters at least, and not easily guessed.
    Nist,
}

/// What is known of a password's owner, and must not be the password.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The address.
    pub email: Email,
    /// The names, where known.
    pub names: Vec<String>,
}

impl Policy {
    fn shortest(self) -> usize {
        match self {
            Self::Asvs => 8,
            Self::Nist => 15,
        }
    }

    /// Checks what can be seen at once, and gives the password in NFC.
    pub(super) fn check_form(self, password: &Secret) -> Result<SecretString, UsersError> {
        check_length(password)?;
        // RFC 8265 §4.2: an OpaqueString holds no control characters.
        if password.expose().chars().any(char::is_control) {
            return Err(UsersError::invalid("password", "holds a control character"));
        }
        let normal = normalised(password.expose());
        let shortest = self.shortest();
        if normal.expose_secret().chars().count() < shortest {
            return Err(UsersError::invalid("password", format!("must have {shortest} characters at least")));
        }
        Ok(normal)
    }

    /// Checks how easily the password is guessed by somebody who knows its owner. Every policy asks the same.
    pub(super) fn check_strength(password: &SecretString, owner: &Owner) -> Result<(), UsersError> {
        let password = password.expose_secret();
        let folded = password.to_lowercase();
        let local = owner.email.canonical().split('@').next().unwrap_or_default();
        let spellings = [owner.email.canonical(), &owner.email.as_written().to_lowercase(), local];
        if spellings.contains(&folded.as_str()) {
            return Err(UsersError::invalid("password", "must not be the e-mail address"));
        }
        let mut known: Vec<&str> = vec!["platform", owner.email.canonical(), owner.email.as_written(), local];
        known.extend(owner.names.iter().map(String::as_str));
        let estimate = zxcvbn(password, &known);
        if estimate.score() >= Score::Two {
            return Ok(());
        }
        let reason = estimate
            .feedback()
            .and_then(zxcvbn::feedback::Feedback::warning)
            .map(|warning| warning.to_string());
        let reason = reason.unwrap_or_else(|| "Add a word or two that do not belong together.".to_owned());
        Err(UsersError::invalid("password", format!("is too easily guessed: {reason}")))
    }
}

/// Refuses a password too long to be hashed, before any work is done on it.
pub(super) fn check_length(password: &Secret) -> Result<(), UsersError> {
    if password.expose().len() > LONGEST_PASSWORD {
        return Err(UsersError::invalid("password", format!("must have {LONGEST_PASSWORD} bytes at most")));
    }
    Ok(())
}
