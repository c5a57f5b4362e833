//! Brings a link to its user: by mail, or, where no mail is sent, by the admin who asked for it.

use std::time::Duration;

use contract::{Email, Problem, ProblemKind, Timestamp, users::User};
use secrecy::{ExposeSecret, SecretString};

use super::{
    letter::{BadTemplate, Occasion, Templates, Values},
    transport::{SendFault, Transport},
};
use crate::identity::links::{Link, LinkFault, Links, Purpose};

/// How a link reaches its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Sent to their address.
    Mail,
    /// Given to the admin who asked.
    Link,
}

/// A link that is on its way.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// The link, where it was not sent.
    pub(crate) link: Option<SecretString>,
    pub(crate) expires_at: Timestamp,
}

/// A link could not be brought.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostFault {
    #[error("no mail is sent: mail.smtp_url is not set")]
    NoMail,
    #[error(transparent)]
    Link(#[from] LinkFault),
    #[error(transparent)]
    Template(#[from] BadTemplate),
    #[error(transparent)]
    Send(#[from] SendFault),
}

impl From<PostFault> for Problem {
    fn from(fault: PostFault) -> Self {
        match fault {
            PostFault::NoMail => {
                Self::new(ProblemKind::Conflict, "This platform sends no mail: mail.smtp_url is not set")
            }
            PostFault::Link(fault) => fault.into(),
            PostFault::Send(fault) if fault.passes() => {
                Self::unavailable("The mail server does not take letters now", Duration::from_secs(30))
                    .because(fault)
            }
            PostFault::Send(fault) => {
                Self::new(ProblemKind::Conflict, "The mail server does not take a letter to this address")
                    .because(fault)
            }
            fault @ PostFault::Template(_) => Self::internal(fault),
        }
    }
}

/// Writes and sends letters.
pub(crate) struct Postman {
    pub(crate) links: Links,
    pub(crate) templates: Templates,
    /// `None`: no mail is sent.
    pub(crate) transport: Option<Transport>,
    /// How letters call this platform.
    pub(crate) platform: String,
}

impl Postman {
    /// How a link goes out, unless the admin asks otherwise.
    pub(crate) fn usual(&self) -> Delivery {
        if self.transport.is_some() { Delivery::Mail } else { Delivery::Link }
    }

    /// Makes a link for a user and brings it.
    pub(crate) async fn deliver(
        &self,
        purpose: Purpose,
        user: &User,
        delivery: Delivery,
    ) -> Result<Delivered, PostFault> {
        match (delivery, &self.transport) {
            (Delivery::Link, _) => {
                let link = self.links.make(purpose, user.id, &user.email).await?;
                Ok(Delivered { link: Some(link.url), expires_at: link.expires_at })
            }
            (Delivery::Mail, None) => Err(PostFault::NoMail),
            (Delivery::Mail, Some(transport)) => {
                let link = self.links.make(purpose, user.id, &user.email).await?;
                self.send(transport, purpose, user, &link).await?;
                Ok(Delivered { link: None, expires_at: link.expires_at })
            }
        }
    }

    async fn send(
        &self,
        transport: &Transport,
        purpose: Purpose,
        user: &User,
        link: &Link,
    ) -> Result<(), PostFault> {
        let values = Values {
            link: Some((link.url.expose_secret(), purpose.life())),
            email: user.email.as_written(),
            first_name: user.first_name.0.as_deref(),
            platform: &self.platform,
        };
        let letter = self.templates.write(Occasion::Link(purpose), &values)?;
        Ok(transport.send(&user.email, letter).await?)
    }

    /// Tells an address that it is no longer this user's.
    pub(crate) async fn tell_left(&self, user: &User, address: &Email) -> Result<(), PostFault> {
        let transport = self.transport.as_ref().ok_or(PostFault::NoMail)?;
        let values = Values {
            link: None,
            email: address.as_written(),
            first_name: user.first_name.0.as_deref(),
            platform: &self.platform,
        };
        let letter = self.templates.write(Occasion::AddressLeft, &values)?;
        Ok(transport.send(address, letter).await?)
    }
}
