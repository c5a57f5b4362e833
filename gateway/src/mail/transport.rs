//! Hands letters to an SMTP server (RFC 5321), over TLS where the URL says so.

use std::{fmt, time::Duration};

use contract::Email;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
    transport::smtp,
};
use secrecy::{ExposeSecret, SecretString};

use super::letter::Letter;

/// How long one exchange with the server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The settings are no way to send mail.
#[derive(Debug, thiserror::Error)]
pub enum BadTransport {
    /// The URL can't be used. It may hold a password: it is not repeated.
    #[error("mail.smtp_url is no smtp:// or smtps:// URL")]
    Url,
    /// The sender's address can't be used.
    #[error("mail.from: {0}")]
    From(#[from] lettre::address::AddressError),
}

/// A letter was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendFault {
    /// Trying again can help.
    #[error("the mail server does not take letters now: {0}")]
    Passing(smtp::Error),
    /// It can't.
    #[error("the mail server refused the letter: {0}")]
    Refused(smtp::Error),
    #[error("the letter can't be written: {0}")]
    Letter(#[from] lettre::error::Error),
    #[error("no mail can be sent to this address")]
    Address,
}

impl SendFault {
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Passing(_))
    }
}

/// An SMTP server and the sender's address.
#[derive(Clone)]
pub struct Transport {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Transport(from {})", self.from)
    }
}

impl Transport {
    /// The server at `url`: `smtps://user:password@host` (TLS from the start), `smtp://host?tls=required` (STARTTLS) or
    /// `smtp://host` (in clear: for this machine). `from` is an address or `Name <address>`.
    ///
    /// # Errors
    /// [`BadTransport`].
    pub fn new(url: &SecretString, from: &str) -> Result<Self, BadTransport> {
        let smtp = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| BadTransport::Url)?
            .timeout(Some(PATIENCE))
            .build();
        Ok(Self { smtp, from: from.parse()? })
    }

    /// Whether the server is there and lets us in; no letter is sent.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), String> {
        match self.smtp.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it closed the connection".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The sender's name, where there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.from.name.as_deref()
    }

    /// Sends a letter.
    pub(crate) async fn send(&self, to: &Email, letter: Letter) -> Result<(), SendFault> {
        let id = format!("<{}@{}>", uuid::Uuid::new_v4(), self.from.email.domain());
        let message = Message::builder()
            .message_id(Some(id))
            .header(AutoSubmitted)
            .from(self.from.clone())
            .to(mailbox(to)?)
            .subject(letter.subject);
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text);
        let message = match letter.html {
            Some(html) => {
                let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html);
                message.multipart(MultiPart::alternative().singlepart(text).singlepart(html))?
            }
            None => message.singlepart(text)?,
        };
        match self.smtp.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(SendFault::Refused(error)),
            Err(error) => Err(SendFault::Passing(error)),
        }
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834 §5): no out-of-office note answers it.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The address as its owner writes it, its domain as the DNS has it.
fn mailbox(email: &Email) -> Result<Mailbox, SendFault> {
    let (local, _) = email.as_written().rsplit_once('@').ok_or(SendFault::Address)?;
    let (_, domain) = email.canonical().rsplit_once('@').ok_or(SendFault::Address)?;
    let address = lettre::Address::new(local, domain).map_err(|_| SendFault::Address)?;
    Ok(Mailbox::new(None, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_or_sender_that_can_t_be_used_is_refused_without_repeating_a_password() {
        for url in ["", "http://a:hunter2@b", "smtp:", "hunter2"] {
            let error = Transport::new(&url.into(), "a@example.com").unwrap_err();
            assert!(matches!(error, BadTransport::Url) && !error.to_string().contains("hunter2"), "{url}");
        }
        let url = SecretString::from("smtps://ann:hunter2@mail.example");
        assert!(matches!(Transport::new(&url, "nobody"), Err(BadTransport::From(_))));
        let transport = Transport::new(&url, "Platform <no-reply@example.com>").unwrap();
        assert!(!format!("{transport:?}").contains("hunter2"));
    }

    #[test]
    fn a_domain_is_written_as_the_dns_has_it() {
        let address = mailbox(&"Änne@Bücher.example".parse().unwrap()).unwrap();
        assert_eq!(address.email.to_string(), "Änne@xn--bcher-kva.example");
    }
}
