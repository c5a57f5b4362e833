//! Signing in, staying signed in, signing out.

use std::{net::IpAddr, sync::Arc};

use contract::{
    Problem, ProblemKind, Secret, Subject, UserId,
    caller::CallerOf,
    document::Policy,
    operation::Access,
    payload::{Json, OptionalJson},
    users::{Clearable, Credentials, Identity},
};
use kit::{request_id::RequestId, token::bearer};
use poem::{Request, http::header};
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{audit_trail::AuditTrail, guess::Guess};
use crate::{
    identity::{
        audit::{Act, Outcome},
        refresh_token,
        second_factor::SecondFactors,
        sessions::{Origin, Proved, Reason, SessionFault, Sessions, Tokens, own_session},
        throttle::Throttle,
    },
    mail::{Errand, Outbox},
    services::proxied::request_id,
    upstream::UsersClient,
};

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![
        Policy::new("create_access_token", Access::Public, &[403]),
        Policy::new("refresh_access_token", Access::Public, &[401]),
        Policy::new("log_out", Access::SignedIn, &[403]).scope("sessions:write"),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Signing in and out.
    Auth,
}

/// An address and a password.
#[derive(Debug, Deserialize, Serialize, Object)]
struct AccessRequest {
    /// The user's address.
    #[oai(validator(max_length = 1024))]
    email: String,
    /// The user's password.
    password: Secret,
    /// A code of the second factor, or a recovery code, where the user has a second factor.
    code: Option<Secret>,
}

/// A refresh token, where it is not sent as `Authorization: Bearer`.
#[derive(Debug, Default, Deserialize, Serialize, Object)]
#[serde(default)]
struct RefreshRequest {
    /// The refresh token.
    refresh_token: Clearable<Secret>,
}

/// Tokens for a client.
#[derive(Debug, Serialize, Deserialize, Object)]
pub(super) struct TokenAnswer {
    /// Sent as `Authorization: Bearer` with every request.
    access_token: Secret,
    /// Exchanged for new tokens once the access token has expired; good for one use.
    refresh_token: Secret,
    /// Always `bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    expires_in: u32,
}

#[derive(ApiResponse)]
pub(super) enum TokenResponse {
    /// The tokens
    #[oai(status = 200)]
    Ok(
        Json<TokenAnswer>,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum LoggedOut {
    /// The session and all its tokens have ended
    #[oai(status = 204)]
    NoContent,
}

/// The operations.
pub(crate) struct AuthApi {
    pub(crate) users: Arc<UsersClient>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) require_verified_address: bool,
    pub(crate) factors: Arc<SecondFactors>,
    pub(crate) trail: AuditTrail,
}

#[OpenApi]
impl AuthApi {
    /// Sign in
    ///
    /// A first-party login: it takes a user's own password, and is no OAuth grant for other applications. 403
    /// `password-change-required`, `second-factor-required` or `second-factor-enrolment-required`: the password is right, and
    /// something more is needed first.
    #[oai(
        path = "/api_v1/auth/access",
        method = "post",
        operation_id = "create_access_token",
        tag = "Tag::Auth"
    )]
    async fn create_access_token(
        &self,
        request: &Request,
        body: Json<AccessRequest>,
    ) -> Result<TokenResponse, Problem> {
        let AccessRequest { email, password, code } = body.0;
        self.trail.audit.require_writable()?;
        let source = self.trail.source(request)?;
        let client = source.address;
        let (users, outbox, request_id) =
            (Arc::clone(&self.users), Arc::clone(&self.outbox), source.request_id.clone());
        let (needs_proof, factors) = (self.require_verified_address, Arc::clone(&self.factors));
        let guess = Guess { action: "create_access_token", email: email.clone(), source };
        let check = async move {
            let identity = users.verify(&Credentials { email, password }, &request_id).await?;
            if needs_proof && !identity.user.email_verified {
                return Err(unverified(&outbox, identity.user.id, &request_id));
            }
            let identity = tokens_allowed(identity)?;
            let second_factor = factors.check(&identity, code.as_ref()).await?;
            Ok(Proved { identity, second_factor })
        };
        let proved = guess.checked(&self.throttle, &self.trail.audit, check).await?;
        let tokens = self.sessions.begin(&proved, origin(request, client)).await?;
        Ok(answer(&tokens))
    }

    /// Get new tokens
    ///
    /// The refresh token is sent as `Authorization: Bearer`, or in the body. It is good for one use; a lost answer can be asked
    /// for again. One that was replaced longer ago ends the session.
    #[oai(
        path = "/api_v1/auth/refresh",
        method = "post",
        operation_id = "refresh_access_token",
        tag = "Tag::Auth"
    )]
    async fn refresh_access_token(
        &self,
        request: &Request,
        body: OptionalJson<RefreshRequest>,
    ) -> Result<TokenResponse, Problem> {
        let token = match (bearer(request.headers())?, body.0.refresh_token) {
            (_, Clearable::Set(token)) => token,
            (Some(token), _) => token.to_owned().into(),
            (None, _) => return Err(Problem::missing_credentials()),
        };
        let presented = refresh_token::parse(token.expose())
            .ok_or_else(|| Problem::invalid_token("Only refresh tokens are allowed"))?;
        let session = self.sessions.of_token(&presented).await?;
        let identity = self.users.identify(session.user, &request_id(request)?).await?;
        let Some(identity) = identity.filter(|now| now.user.is_active && now.epoch == session.epoch) else {
            self.sessions.end(&session.id, Reason::CredentialsChanged).await?;
            return Err(SessionFault::Ended.into());
        };
        // A role given since the sign-in may ask for more than was shown then.
        if !session.second_factor && self.factors.is_required_of(&identity.user) {
            self.sessions.end(&session.id, Reason::SecondFactorMissing).await?;
            return Err(SessionFault::Ended.into());
        }
        let refreshed = self.sessions.refresh(&presented, &identity).await;
        if matches!(refreshed, Err(SessionFault::Reused)) {
            let act = Act {
                actor: Subject::User(session.user),
                action: "refresh_access_token",
                target: Some(format!("sessions/{}", session.id)),
                outcome: Outcome::Refused,
                detail: Some("an old refresh token was presented; the session has ended".to_owned()),
            };
            self.trail.record(request, act).await?;
        }
        Ok(answer(&refreshed?))
    }

    /// Sign out
    ///
    /// Ends the session and all its tokens.
    #[oai(path = "/api_v1/auth/logout", method = "post", operation_id = "log_out", tag = "Tag::Auth")]
    async fn log_out(&self, caller: CallerOf, request: &Request) -> Result<LoggedOut, Problem> {
        let session = own_session(&caller.0)?;
        self.sessions.end(session, Reason::Logout).await?;
        let act = Act::done(caller.0.subject.clone(), "log_out", format!("sessions/{session}"));
        self.trail.record(request, act).await?;
        Ok(LoggedOut::NoContent)
    }
}

/// Where a session begins.
pub(super) fn origin(request: &Request, client: IpAddr) -> Origin {
    Origin {
        device: request.header(header::USER_AGENT).map(|agent| agent.chars().take(256).collect()),
        address: client.to_string(),
    }
}

/// Refuses a user whose password is right and must be changed before anything else.
fn tokens_allowed(identity: Identity) -> Result<Identity, Problem> {
    if identity.user.must_change_password {
        let detail = "Set a new password first: POST /api_v1/auth/password";
        return Err(Problem::new(ProblemKind::PasswordChangeRequired, detail));
    }
    Ok(identity)
}

/// The password was right; a letter is sent once more, so that nobody is stuck without one.
pub(super) fn unverified(outbox: &Outbox, user: UserId, request_id: &RequestId) -> Problem {
    if outbox.sends()
        && let Err(problem) = outbox.add(Errand::VerifyAddress(user), request_id.clone())
    {
        return problem;
    }
    Problem::new(
        ProblemKind::Forbidden,
        "The e-mail address is not confirmed yet: follow the link in the letter",
    )
}

pub(super) fn answer(tokens: &Tokens) -> TokenResponse {
    TokenResponse::Ok(
        Json(TokenAnswer {
            access_token: tokens.access.expose_secret().to_owned().into(),
            refresh_token: tokens.refresh.expose_secret().to_owned().into(),
            token_type: "bearer".to_owned(),
            expires_in: u32::try_from(tokens.expires_in.as_secs()).unwrap_or(u32::MAX),
        }),
        "no-store".to_owned(),
    )
}
