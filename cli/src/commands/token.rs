//! `platform token`: get, explain and check access tokens.

use kit::token::{Expected, KeySet};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::sign_in;
use crate::api::Api;
use crate::arguments::{Global, ServiceAccountGrant, ServiceAccountLogin, TokenArguments, TokenCommand};
use crate::connection::{Connection, given_token};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, Format, many, one, plain, safe};
use crate::prompt::{self, SecretSource, secret_from_file, secret_from_stdin};
use crate::token::{absolute, explain};

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: TokenCommand) -> Outcome {
    match verb {
        TokenCommand::Issue { operator: true, .. } => {
            let token = Connection::find(context, global)?.operator_token().await?;
            let seconds = gateway::OPERATOR_TOKEN_TIME.as_secs();
            let answer =
                json!({"access_token": token.expose_secret(), "token_type": "bearer", "expires_in": seconds});
            issued(context, &answer)
        }
        TokenCommand::Issue {
            grant:
                ServiceAccountGrant {
                    account: ServiceAccountLogin { service_account: Some(name), from_stdin, secret_file },
                    scopes,
                    audience,
                },
            ..
        } => {
            let api = Connection::find(context, global)?.anonymous()?;
            let source = SecretSource { from_stdin, file: secret_file };
            let secret = prompt::service_account_secret(context, &source)?;
            let mut fields = vec![("grant_type", "client_credentials")];
            fields.extend([("client_id", name.as_str()), ("client_secret", secret.expose_secret())]);
            let scope = scopes.join(" ");
            fields.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
            fields.extend(audience.as_deref().map(|audience| ("audience", audience)));
            issued(context, &api.post_form("/api_v1/auth/token", &fields).await?.body)
        }
        TokenCommand::Issue { email, password, files, .. } => {
            let api = Connection::find(context, global)?.anonymous()?;
            let email = prompt::value(context, email, "E-mail address", "--email ADDRESS (or --operator)")?;
            let answer = sign_in::by_password(context, &api, &email, password, &files).await?;
            issued(context, &answer)
        }
        TokenCommand::Revoke { token, account } => revoke(context, global, token, account).await,
        TokenCommand::Inspect { token } => inspect(context, token),
        TokenCommand::Verify { token, audience } => verify(context, global, token, audience).await,
    }
}

/// The token alone for people and shells; the whole answer in the other forms.
fn issued(context: &mut Context, answer: &Value) -> Outcome {
    if context.format != Format::Table {
        const COLUMNS: &[Column] = &[
            Column::new("", "access_token"),
            Column::new("", "refresh_token"),
            Column::new("", "token_type"),
            Column::new("", "expires_in"),
            Column::new("", "scope"),
        ];
        return one(context, COLUMNS, answer);
    }
    context.line(&plain(&answer["access_token"]))?;
    if context.stdout_terminal
        && let Some(seconds) = answer["expires_in"].as_u64()
    {
        context.note(&format!("Good for {} min. --output json shows the whole answer.", seconds / 60));
    }
    Ok(())
}

/// The token to look at: a file, standard input, a variable, or a person who is asked.
fn token(context: &mut Context, source: TokenArguments) -> Outcome<SecretString> {
    let trimmed = |secret: SecretString| SecretString::from(secret.expose_secret().trim());
    if let Some(path) = source.token_file {
        return if path.as_os_str() == "-" {
            secret_from_stdin(context, "token").map(trimmed)
        } else {
            secret_from_file(&path, "--token-file").map(trimmed)
        };
    }
    if !context.stdin_terminal {
        match (secret_from_stdin(context, "token"), given_token(context)?) {
            (Ok(token), _) => return Ok(trimmed(token)),
            (Err(_), Some(token)) => return Ok(token),
            (Err(_), None) => {
                return Err(Failure::usage("no token is given").because(
                    "it comes from standard input, from --token-file FILE, or from PLATFORM_TOKEN",
                ));
            }
        }
    }
    if let Some(token) = given_token(context)? {
        return Ok(token);
    }
    prompt::hidden(context, "Token").map(trimmed)
}

/// Ends a token; one that is not good any more is ended already.
async fn revoke(
    context: &mut Context,
    global: &Global,
    source: TokenArguments,
    account: ServiceAccountLogin,
) -> Outcome {
    let api = Connection::find(context, global)?.anonymous()?;
    if account.from_stdin && source.token_file.is_none() {
        return Err(Failure::usage("the token and the secret can't both come from standard input")
            .next("Name a file for the token: --token-file FILE."));
    }
    let secret = match &account.service_account {
        Some(_) => {
            let source = SecretSource { from_stdin: account.from_stdin, file: account.secret_file };
            Some(prompt::service_account_secret(context, &source)?)
        }
        None => None,
    };
    let token = token(context, source)?;
    let mut fields = vec![("token", token.expose_secret())];
    if let (Some(name), Some(secret)) = (&account.service_account, &secret) {
        fields.extend([("client_id", name.as_str()), ("client_secret", secret.expose_secret())]);
    }
    api.post_form("/api_v1/auth/revoke", &fields).await?;
    context.note("The token is good no more. A user's has ended its whole session.");
    Ok(())
}

fn inspect(context: &mut Context, source: TokenArguments) -> Outcome {
    let token = token(context, source)?;
    let explained = explain(token.expose_secret(), (context.now)())
        .map_err(|reason| Failure::failed("this is no access token").because(safe(&reason)))?;
    if matches!(context.format, Format::Table | Format::Csv) {
        const COLUMNS: &[Column] = &[
            Column::new("PART", "part"),
            Column::new("NAME", "name"),
            Column::new("VALUE", "value"),
            Column::new("MEANING", "meaning"),
        ];
        let rows = explained.json()["fields"].as_array().cloned().unwrap_or_default();
        many(context, COLUMNS, &rows)?;
    } else {
        one(context, &[], &explained.json())?;
    }
    if explained.faults.is_empty() {
        context.note("It looks good. Its signature was not checked: `platform token verify` does that.");
    } else {
        context.note(&format!("It is not good: {}.", safe(&explained.faults.join("; "))));
    }
    Ok(())
}

const VERIFIED: &[Column] = &[
    Column::new("Subject", "sub"),
    Column::new("Roles", "roles"),
    Column::new("Issuer", "iss"),
    Column::new("Audience", "aud"),
    Column::with("Expires", "exp", |claims| claims["exp"].as_i64().map(absolute).unwrap_or_default()),
    Column::new("Session", "sid"),
];

async fn verify(
    context: &mut Context,
    global: &Global,
    source: TokenArguments,
    audience: Option<String>,
) -> Outcome {
    let connection = Connection::find(context, global)?;
    let token = token(context, source)?;
    let api = connection.anonymous()?;
    let keys = keys(&api).await?;
    let mut expected = expected(&connection, &api).await;
    expected.audience = audience.unwrap_or(expected.audience);
    let claims: Value = keys.verify(token.expose_secret(), &expected).map_err(|fault| {
        let failure = Failure::failed("the token is not good").because(fault.to_string());
        match explain(token.expose_secret(), (context.now)()) {
            Ok(explained) if !explained.faults.is_empty() => {
                failure.next(format!("In detail: {}.", safe(&explained.faults.join("; "))))
            }
            Ok(_) => failure
                .next(format!("Expected issuer {} and audience {}.", expected.issuer, expected.audience)),
            Err(reason) => failure.next(format!("In detail: {}.", safe(&reason))),
        }
    })?;
    one(context, VERIFIED, &claims)?;
    context.note("The token is good: signature, type, issuer, audience and times were checked. Whether its session was ended only the gateway knows.");
    Ok(())
}

/// The public keys of the platform.
pub(super) async fn keys(api: &Api) -> Outcome<KeySet> {
    let keys = api.get("/.well-known/jwks.json").await?.body;
    serde_json::from_value(keys)
        .map(|set| KeySet::of(&set))
        .map_err(|error| Failure::failed("the platform's public keys can't be read").caused_by(&error))
}

/// What an access token of the platform must say.
pub(super) async fn expected(connection: &Connection, api: &Api) -> Expected {
    let audience = &connection.settings.gateway.audience;
    Expected::of_ours("at+jwt", &issuer(connection, api).await, audience)
}

/// The issuer that the platform says it is (RFC 8414), else the one of the settings, else its address.
async fn issuer(connection: &Connection, api: &Api) -> String {
    let metadata = api.get("/.well-known/oauth-authorization-server").await.ok();
    let told = metadata.and_then(|answer| answer.body["issuer"].as_str().map(str::to_owned));
    told.or_else(|| {
        connection
            .settings
            .gateway
            .public_url
            .as_ref()
            .map(|url| url.as_str().trim_end_matches('/').to_owned())
    })
    .unwrap_or_else(|| connection.url.as_str().trim_end_matches('/').to_owned())
}
