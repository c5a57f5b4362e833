//! What users do by links sent to their address, and how admins have such links sent.

use std::sync::Arc;

use contract::{
    Email, Problem, ProblemKind, Role, Secret, Timestamp, UserId,
    caller::CallerOf,
    document::Policy,
    operation::Access,
    payload::{Json, OptionalJson},
    secret::NewPassword,
    users::{Clearable, NewUser, PasswordReset, User, types::Nullable},
};
use poem::Request;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, Tags, param::Path};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::audit_trail::AuditTrail;
use crate::{
    identity::{
        audit::Act,
        authenticate::Authenticator,
        links::{Links, Purpose, Taken},
        random_secret,
        sessions::Sessions,
        throttle::Throttle,
    },
    mail::{Delivered, Delivery, Errand, Outbox, Postman},
    services::proxied::request_id,
    upstream::UsersClient,
};

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    let admin = || Access::Role(Role::ADMIN);
    vec![
        Policy::new("request_password_reset", Access::Public, &[409, 429, 503]),
        Policy::new("confirm_password_reset", Access::Public, &[400, 502, 503, 504]),
        Policy::new("request_address_verification", Access::SignedIn, &[403, 409, 429, 503])
            .scope("users:write"),
        Policy::new("confirm_address", Access::Public, &[400, 502, 503, 504]),
        Policy::new("start_password_reset", admin(), &[403, 404, 409, 502, 503, 504])
            .scope("users:write")
            .recent(),
        Policy::new("invite_user", admin(), &[400, 403, 409, 502, 503, 504]).scope("users:write").recent(),
    ]
}

#[derive(Tags)]
enum Tag {
    /// What is done by links sent to a user's address.
    Account,
}

/// An address whose owner forgot the password.
#[derive(Debug, Deserialize, Serialize, Object)]
struct ForgottenPassword {
    /// The user's address.
    email: Email,
}

/// A link that was followed, and the new password.
#[derive(Debug, Deserialize, Serialize, Object)]
struct NewPasswordByLink {
    /// What stands after `#token=` in the link.
    token: Secret,
    /// The new password.
    password: NewPassword,
}

/// A link that was followed.
#[derive(Debug, Deserialize, Serialize, Object)]
struct FollowedLink {
    /// What stands after `#token=` in the link.
    token: Secret,
}

/// How a link reaches its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, Enum)]
#[serde(rename_all = "lowercase")]
#[oai(rename_all = "lowercase")]
enum By {
    /// Sent to their address.
    Mail,
    /// In this answer, for the admin to pass on.
    Link,
}

/// How a link is to be brought.
#[derive(Debug, Default, Deserialize, Serialize, Object)]
#[serde(default)]
struct Bring {
    /// By mail where the platform sends mail, else in the answer.
    deliver: Option<By>,
}

/// A user to invite.
#[derive(Debug, Deserialize, Serialize, Object)]
struct NewInvitation {
    /// The address.
    email: Email,
    /// The given name.
    #[serde(default)]
    #[oai(validator(max_length = 255))]
    first_name: Clearable<String>,
    /// The family name.
    #[serde(default)]
    #[oai(validator(max_length = 255))]
    last_name: Clearable<String>,
    /// What the user may do.
    #[serde(default)]
    #[oai(validator(max_items = 32))]
    roles: Clearable<Vec<Role>>,
    /// By mail where the platform sends mail, else in the answer.
    #[serde(default)]
    deliver: Option<By>,
}

/// A link that is on its way.
#[derive(Debug, Serialize, Deserialize, Object)]
struct BroughtLink {
    /// Whether it was sent to the user's address.
    sent: bool,
    /// The link, where it was not sent; shown once.
    link: Nullable<Secret>,
    /// Until when it is good.
    expires_at: Timestamp,
}

/// An invited user and the link.
#[derive(Debug, Serialize, Deserialize, Object)]
struct Invited {
    /// The user, who has no password yet.
    user: User,
    /// The link to set it.
    invitation: BroughtLink,
}

#[derive(ApiResponse)]
enum Accepted {
    /// If there is such a user, a link is on its way
    #[oai(status = 202)]
    Accepted,
}

#[derive(ApiResponse)]
enum Done {
    /// Done
    #[oai(status = 204)]
    NoContent,
}

#[derive(ApiResponse)]
enum Brought {
    /// The link is on its way, or in this answer
    #[oai(status = 200)]
    Ok(
        Json<BroughtLink>,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum InvitedAnswer {
    /// The user is created, and the link on its way or in this answer
    #[oai(status = 201)]
    Created(
        Json<Invited>,
        /// Where the user is found
        #[oai(header = "Location")]
        String,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

/// The operations.
pub(crate) struct AccountApi {
    pub(crate) users: Arc<UsersClient>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) links: Links,
    pub(crate) postman: Arc<Postman>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) trail: AuditTrail,
}

#[OpenApi]
impl AccountApi {
    /// Forgot the password
    ///
    /// Sends a link to set a new one, if there is such a user; the answer is the same if there is none.
    #[oai(
        path = "/api_v1/auth/password-reset",
        method = "post",
        operation_id = "request_password_reset",
        tag = "Tag::Account"
    )]
    async fn request_password_reset(
        &self,
        request: &Request,
        body: Json<ForgottenPassword>,
    ) -> Result<Accepted, Problem> {
        self.sends_mail()?;
        self.trail.audit.require_writable()?;
        let email = body.0.email;
        self.throttle.spend(email.canonical(), self.trail.source(request)?.address).await?;
        self.outbox.add(Errand::ResetPassword(email), request_id(request)?)?;
        Ok(Accepted::Accepted)
    }

    /// Set a password by a link
    ///
    /// For a forgotten password and for an invitation. All sessions of the user end. The link is good once; a password that is refused
    /// does not use it up.
    #[oai(
        path = "/api_v1/auth/password-reset/confirm",
        method = "post",
        operation_id = "confirm_password_reset",
        tag = "Tag::Account"
    )]
    async fn confirm_password_reset(
        &self,
        request: &Request,
        body: Json<NewPasswordByLink>,
    ) -> Result<Done, Problem> {
        self.trail.audit.require_writable()?;
        let request_id = request_id(request)?;
        let NewPasswordByLink { token, password } = body.0;
        let taken = self.links.take(&[Purpose::ResetPassword, Purpose::Invitation], token.expose()).await?;
        let reset = PasswordReset { password, email: taken.email.clone() };
        let done = self.users.reset_password(taken.user, &reset, &request_id).await;
        self.followed(&taken, done.err()).await?;
        self.sessions.end_all(taken.user).await?;
        self.record(request, &contract::Subject::User(taken.user), "confirm_password_reset", taken.user)
            .await?;
        Ok(Done::NoContent)
    }

    /// Ask for a link that proves my address
    #[oai(
        path = "/api_v1/auth/address-verification",
        method = "post",
        operation_id = "request_address_verification",
        tag = "Tag::Account"
    )]
    async fn request_address_verification(
        &self,
        caller: CallerOf,
        request: &Request,
    ) -> Result<Accepted, Problem> {
        let user = caller.0.user().ok_or_else(|| {
            Problem::new(ProblemKind::Forbidden, "This token stands for no user, and has no address")
        })?;
        self.sends_mail()?;
        self.throttle.spend(&format!("users/{user}"), self.trail.source(request)?.address).await?;
        self.outbox.add(Errand::VerifyAddress(user), request_id(request)?)?;
        Ok(Accepted::Accepted)
    }

    /// Prove my address by a link
    #[oai(
        path = "/api_v1/auth/address-verification/confirm",
        method = "post",
        operation_id = "confirm_address",
        tag = "Tag::Account"
    )]
    async fn confirm_address(&self, request: &Request, body: Json<FollowedLink>) -> Result<Done, Problem> {
        self.trail.audit.require_writable()?;
        let request_id = request_id(request)?;
        let taken = self.links.take(&[Purpose::VerifyAddress], body.0.token.expose()).await?;
        let done = self.users.verify_address(taken.user, &taken.email, &request_id).await;
        self.followed(&taken, done.err()).await?;
        self.record(request, &contract::Subject::User(taken.user), "confirm_address", taken.user).await?;
        Ok(Done::NoContent)
    }

    /// Start a password reset for a user
    ///
    /// Sends the link, or gives it in the answer where the platform sends no mail or `deliver` is `link`. The password until now
    /// stays good until the link is followed.
    #[oai(
        path = "/api_v1/users/:user_id/password-reset",
        method = "post",
        operation_id = "start_password_reset",
        tag = "Tag::Account"
    )]
    async fn start_password_reset(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The user's id
        user_id: Path<UserId>,
        body: OptionalJson<Bring>,
    ) -> Result<Brought, Problem> {
        self.trail.audit.require_writable()?;
        let user = self.users.existing(user_id.0, &request_id(request)?).await?.user;
        if !user.is_active {
            return Err(Problem::new(ProblemKind::Conflict, "Inactive user"));
        }
        let delivered =
            self.postman.deliver(Purpose::ResetPassword, &user, self.delivery(body.0.deliver)).await?;
        self.record(request, &caller.0.subject, "start_password_reset", user.id).await?;
        Ok(Brought::Ok(Json(brought(delivered)), "no-store".to_owned()))
    }

    /// Invite a user
    ///
    /// Creates the user without a password that anybody knows, and sends a link to set one, or gives it in the answer where the
    /// platform sends no mail or `deliver` is `link`.
    #[oai(path = "/api_v1/invitations", method = "post", operation_id = "invite_user", tag = "Tag::Account")]
    async fn invite_user(
        &self,
        request: &Request,
        body: Json<NewInvitation>,
    ) -> Result<InvitedAnswer, Problem> {
        self.trail.audit.require_writable()?;
        // To create the user in their name.
        let admin = self.authenticator.identify(request.headers())?;
        let delivery = self.delivery(body.0.deliver);
        if delivery == Delivery::Mail {
            self.sends_mail()?;
        }
        let new = NewUser {
            email: body.0.email,
            password: unknown_password()?,
            first_name: body.0.first_name,
            last_name: body.0.last_name,
            is_active: Clearable::Absent,
            roles: body.0.roles,
            must_change_password: Clearable::Absent,
            id: Clearable::Absent,
        };
        let user = self.users.create(&admin, &new, &request_id(request)?).await?;
        self.record(request, &admin.caller.subject, "invite_user", user.id).await?;
        let delivered = self.postman.deliver(Purpose::Invitation, &user, delivery).await?;
        let location = format!("/api_v1/users/{}", user.id);
        let invited = Invited { user, invitation: brought(delivered) };
        Ok(InvitedAnswer::Created(Json(invited), location, "no-store".to_owned()))
    }
}

impl AccountApi {
    fn sends_mail(&self) -> Result<(), Problem> {
        match self.postman.usual() {
            Delivery::Mail => Ok(()),
            Delivery::Link => Err(crate::mail::PostFault::NoMail.into()),
        }
    }

    fn delivery(&self, asked: Option<By>) -> Delivery {
        match asked {
            Some(By::Mail) => Delivery::Mail,
            Some(By::Link) => Delivery::Link,
            None => self.postman.usual(),
        }
    }

    /// What came of a link that was taken: it is used up where it did what it was for, and where it never can any more.
    async fn followed(&self, taken: &Taken, refused: Option<Problem>) -> Result<(), Problem> {
        let Some(problem) = refused else { return Ok(()) };
        match problem.kind {
            ProblemKind::NotFound | ProblemKind::PreconditionFailed | ProblemKind::Refused => {
                Err(crate::identity::links::LinkFault::Void.into())
            }
            _ => {
                self.links.give_back(taken).await?;
                Err(problem)
            }
        }
    }

    async fn record(
        &self,
        request: &Request,
        actor: &contract::Subject,
        action: &'static str,
        user: UserId,
    ) -> Result<(), Problem> {
        let act = Act::done(actor.clone(), action, format!("users/{user}"));
        self.trail.record(request, act).await
    }
}

fn brought(delivered: Delivered) -> BroughtLink {
    let link = delivered.link.map(|link| Secret::from(link.expose_secret().to_owned()));
    BroughtLink { sent: link.is_none(), link: Nullable(link), expires_at: delivered.expires_at }
}

/// A password that nobody knows: the account is opened by the link alone.
fn unknown_password() -> Result<NewPassword, Problem> {
    let text = random_secret::with_prefix("").map_err(Problem::internal)?;
    Ok(NewPassword::from(Secret::from(text.expose_secret().to_owned())))
}
