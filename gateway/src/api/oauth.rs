//! The OAuth operations for service accounts: their tokens (RFC 6749 §4.4).

use std::sync::Arc;

use contract::{
    Problem, Secret, ServiceName, Subject,
    document::Policy,
    operation::Access,
    payload::{Json, form::Form},
};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::client_door::{ClientDoor, target};
use crate::identity::{
    audit::Act, client_credentials::ClientCredentials, client_grant::Granted, service_accounts::Proved,
};

/// The one grant that there is.
pub(crate) const CLIENT_CREDENTIALS: &str = "client_credentials";

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![Policy::new("create_token", Access::Client, &[]).oauth()]
}

#[derive(Tags)]
enum Tag {
    /// Tokens of service accounts, as OAuth 2.0 has them.
    #[oai(rename = "OAuth")]
    OAuth,
}

/// What a service account asks for.
#[derive(Debug, Serialize, Deserialize, Object)]
struct TokenRequest {
    /// `client_credentials`.
    #[oai(validator(max_length = 100))]
    grant_type: String,
    /// Scopes to narrow the token to, separated by spaces; all of the account's, if unset.
    #[oai(validator(max_length = 4096))]
    scope: Option<String>,
    /// The service to call with the token, such as `users`; the gateway, if unset.
    #[oai(validator(max_length = 512))]
    audience: Option<String>,
    /// The account's name, where it is not sent by HTTP Basic.
    #[oai(validator(max_length = 512))]
    client_id: Option<String>,
    /// A secret of the account, where it is not sent by HTTP Basic.
    client_secret: Option<Secret>,
}

/// A token for a service account.
#[derive(Debug, Serialize, Deserialize, Object)]
struct GrantedToken {
    /// Sent as `Authorization: Bearer` with every request to the gateway, or to the service that was named.
    access_token: Secret,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds until the token expires; then a new one is asked for.
    expires_in: u32,
    /// What the token may be used for, separated by spaces.
    scope: String,
}

#[derive(ApiResponse)]
enum TokenResponse {
    /// The token
    #[oai(status = 200)]
    Ok(
        Json<GrantedToken>,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
        /// Always `no-cache`
        #[oai(header = "Pragma")]
        String,
    ),
}

/// The operations.
pub(crate) struct OAuthApi {
    pub(crate) door: Arc<ClientDoor>,
}

#[OpenApi]
impl OAuthApi {
    /// Get a token for a service account
    ///
    /// The client credentials grant (RFC 6749 §4.4), by HTTP Basic or with `client_id` and `client_secret` in the form. With `audience`
    /// it gives an internal token of one minute, with which a service calls that other service directly.
    #[oai(path = "/api_v1/auth/token", method = "post", operation_id = "create_token", tag = "Tag::OAuth")]
    async fn create_token(
        &self,
        request: &Request,
        body: Form<TokenRequest>,
    ) -> Result<TokenResponse, Problem> {
        let TokenRequest { grant_type, scope, audience, client_id, client_secret } = body.0;
        if grant_type != CLIENT_CREDENTIALS {
            let detail = format!("The only grant type here is {CLIENT_CREDENTIALS}");
            return Err(Problem::oauth("unsupported_grant_type", detail));
        }
        let credentials = ClientCredentials::of(request.headers(), client_id, client_secret)?
            .ok_or_else(|| Problem::invalid_client("The client's credentials are missing"))?;
        let proved = self.door.authenticate(request, "create_token", &credentials).await?;
        let granted = self.door.grants.grant(&proved, scope.as_deref(), audience.as_deref())?;
        let actor = Subject::Service(proved.account.name.to_string());
        let act = Act::done(actor, "create_token", target(&proved.account.name))
            .with(Some(told(&proved, &granted)));
        self.door.trail.record(request, act).await?;
        Ok(answer(&granted))
    }
}

fn told(proved: &Proved, granted: &Granted) -> String {
    let service = granted.service.as_ref().map_or("the gateway", ServiceName::as_str);
    format!("secret {}; for {service}; scopes {}", proved.secret.id, granted.scopes)
}

fn answer(granted: &Granted) -> TokenResponse {
    TokenResponse::Ok(
        Json(GrantedToken {
            access_token: granted.token.expose_secret().to_owned().into(),
            token_type: "Bearer".to_owned(),
            expires_in: u32::try_from(granted.expires_in.as_secs()).unwrap_or(u32::MAX),
            scope: granted.scopes.to_string(),
        }),
        "no-store".to_owned(),
        "no-cache".to_owned(),
    )
}
