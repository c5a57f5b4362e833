//! Looking at tokens (RFC 7662) and ending them (RFC 7009).

use std::sync::Arc;

use contract::{
    Problem, ProblemKind, Role, Scope, Secret, Subject,
    caller::CallerOf,
    document::Policy,
    operation::Access,
    payload::{Json, form::Form},
};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};
use serde::{Deserialize, Serialize};

use super::client_door::{ClientDoor, target};
use crate::{
    identity::{
        access_token::AccessClaims,
        audit::{Act, Outcome},
        client_credentials::ClientCredentials,
        introspection::{Good, Introspection, audiences},
        refresh_token,
        service_accounts::Proved,
        sessions::{Reason, SessionFault},
    },
    services::proxied::request_id,
};

/// What looking at others' tokens needs.
const INTROSPECT: Scope = Scope::named("tokens:introspect");

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![
        Policy::new("introspect_token", Access::Client, &[]).scope("tokens:introspect").oauth(),
        Policy::new("revoke_token", Access::Client, &[]).oauth(),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Tokens of service accounts, as OAuth 2.0 has them.
    #[oai(rename = "OAuth")]
    OAuth,
}

/// A token to look at or to end.
#[derive(Debug, Serialize, Deserialize, Object)]
struct PresentedToken {
    /// An access token or a refresh token.
    token: Secret,
    /// Not needed: what it is shows.
    #[oai(validator(max_length = 100))]
    token_type_hint: Option<String>,
    /// The name of a service account, where it is not sent by HTTP Basic.
    #[oai(validator(max_length = 512))]
    client_id: Option<String>,
    /// A secret of the account, where it is not sent by HTTP Basic.
    client_secret: Option<Secret>,
}

/// What a token is worth; `active` alone for one that is not good.
#[derive(Debug, Default, Serialize, Deserialize, Object)]
#[serde(default)]
struct Introspected {
    /// Whether it is good at this moment.
    active: bool,
    /// What it may be used for, where scopes limit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The service account that it was given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// `Bearer`, for an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<String>,
    /// The second at which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// The second at which it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// The second from which on it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    /// Whom it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// For whom it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// Its own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// The session that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// What its bearer may do, for an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<Role>>,
}

#[derive(ApiResponse)]
enum IntrospectionResponse {
    /// What the token is worth
    #[oai(status = 200)]
    Ok(
        Json<Introspected>,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Revoked {
    /// The token is good no more, if it ever was
    #[oai(status = 200)]
    Ok(
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

/// The operations.
pub(crate) struct TokensApi {
    pub(crate) door: Arc<ClientDoor>,
    pub(crate) introspection: Arc<Introspection>,
}

#[OpenApi]
impl TokensApi {
    /// Look at a token
    ///
    /// For admins, and for service accounts with the scope, by their own credentials or by a token. A token whose user, account or
    /// session does not stand any more is not active, whatever it says of itself.
    #[oai(
        path = "/api_v1/auth/introspect",
        method = "post",
        operation_id = "introspect_token",
        tag = "Tag::OAuth"
    )]
    async fn introspect_token(
        &self,
        caller: CallerOf,
        request: &Request,
        body: Form<PresentedToken>,
    ) -> Result<IntrospectionResponse, Problem> {
        let PresentedToken { token, client_id, client_secret, .. } = body.0;
        if caller.0.is_signed_in() {
            // A service account's scope was asked for already; people need the role.
            if !matches!(caller.0.subject, Subject::Service(_)) && !caller.0.is_admin() {
                return Err(Problem::insufficient_role(&Role::ADMIN));
            }
        } else {
            let credentials = ClientCredentials::of(request.headers(), client_id, client_secret)?
                .ok_or_else(|| Problem::invalid_client("The client's credentials are missing"))?;
            let proved = self.door.authenticate(request, "introspect_token", &credentials).await?;
            if !proved.account.scopes.contains(&INTROSPECT) {
                return Err(Problem::insufficient_scope(&INTROSPECT));
            }
        }
        let found = self.introspection.look_at(token.expose(), &request_id(request)?).await?;
        let issuer = &self.door.grants.issuer;
        let answer = found.map_or_else(Introspected::default, |good| introspected(good, issuer));
        Ok(IntrospectionResponse::Ok(Json(answer), "no-store".to_owned()))
    }

    /// End a token
    ///
    /// A token of a user ends its whole session: whoever holds it may do that. A token of a service account ends alone, and only that
    /// account may end it, by its own credentials.
    #[oai(path = "/api_v1/auth/revoke", method = "post", operation_id = "revoke_token", tag = "Tag::OAuth")]
    async fn revoke_token(&self, request: &Request, body: Form<PresentedToken>) -> Result<Revoked, Problem> {
        let PresentedToken { token, client_id, client_secret, .. } = body.0;
        let account = match ClientCredentials::of(request.headers(), client_id, client_secret)? {
            Some(credentials) => Some(self.door.authenticate(request, "revoke_token", &credentials).await?),
            None => None,
        };
        if let Some(presented) = refresh_token::parse(token.expose()) {
            match self.introspection.sessions.of_token(&presented).await {
                Ok(session) => {
                    only_by_people(account.as_ref())?;
                    let subject = Subject::User(session.user);
                    self.end_session(request, subject, &session.id).await?;
                }
                Err(SessionFault::Ended) => {}
                Err(fault) => return Err(fault.into()),
            }
        } else {
            match self.introspection.authenticator.examine(token.expose()) {
                Ok(claims) => self.end_access(request, &claims, account.as_ref()).await?,
                Err(problem) if problem.kind == ProblemKind::InvalidToken => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(Revoked::Ok("no-store".to_owned()))
    }
}

impl TokensApi {
    async fn end_access(
        &self,
        request: &Request,
        claims: &AccessClaims,
        account: Option<&Proved>,
    ) -> Result<(), Problem> {
        let subject: Subject = claims.sub.parse().map_err(Problem::internal)?;
        match (&subject, account) {
            (Subject::Service(name), Some(proved)) if proved.account.name.as_str() == name => {
                self.introspection.accounts.end_token(&claims.jti).await?;
                let act = Act::done(subject.clone(), "revoke_token", target(&proved.account.name))
                    .with(Some(format!("token {}", claims.jti)));
                self.door.trail.record(request, act).await
            }
            (Subject::Service(_), None) => {
                Err(Problem::invalid_client("Only the account that the token was given to may end it"))
            }
            (Subject::Service(_), Some(_)) => Err(anothers()),
            _ => {
                only_by_people(account)?;
                if let Some(session) = &claims.sid {
                    return self.end_session(request, subject, session).await;
                }
                self.introspection.accounts.end_token(&claims.jti).await?;
                let act = Act {
                    actor: subject,
                    action: "revoke_token",
                    target: None,
                    outcome: Outcome::Done,
                    detail: Some(format!("token {}", claims.jti)),
                };
                self.door.trail.record(request, act).await
            }
        }
    }

    async fn end_session(
        &self,
        request: &Request,
        actor: Subject,
        session: &contract::SessionId,
    ) -> Result<(), Problem> {
        self.introspection.sessions.end(session, Reason::Revoked).await?;
        let act = Act::done(actor, "revoke_token", format!("sessions/{session}"));
        self.door.trail.record(request, act).await
    }
}

/// A service account ends no token of a person.
fn only_by_people(account: Option<&Proved>) -> Result<(), Problem> {
    if account.is_some() { Err(anothers()) } else { Ok(()) }
}

fn anothers() -> Problem {
    Problem::oauth("invalid_grant", "The token was not given to this client")
}

fn introspected(good: Good, issuer: &str) -> Introspected {
    match good {
        Good::Access(claims) => Introspected {
            active: true,
            scope: (!claims.scope.is_empty()).then(|| claims.scope.to_string()),
            client_id: claims.client_id,
            token_type: Some("Bearer".to_owned()),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            nbf: Some(claims.nbf),
            sub: Some(claims.sub),
            aud: Some(audiences(&claims.aud)),
            iss: Some(claims.iss),
            jti: Some(claims.jti),
            sid: claims.sid.map(|session| session.to_string()),
            roles: Some(claims.roles.into_iter().collect()),
        },
        Good::Refresh(session, expires) => Introspected {
            active: true,
            exp: Some(expires),
            sub: Some(session.user.to_string()),
            iss: Some(issuer.to_owned()),
            sid: Some(session.id.to_string()),
            ..Introspected::default()
        },
    }
}
