//! Setting up a second factor, and taking it away. Each step takes the password anew: a token alone, however it was come by, changes
//! nothing about how its user signs in.

use std::sync::Arc;

use contract::{
    Problem, ProblemKind, Role, Secret, UserId,
    caller::CallerOf,
    document::Policy,
    operation::Access,
    payload::Json,
    users::{Credentials, Identity},
};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags, param::Path};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{audit_trail::AuditTrail, guess::Guess};
use crate::{
    identity::{
        audit::Act,
        second_factor::SecondFactors,
        sessions::{Proved, Sessions},
        throttle::Throttle,
    },
    services::proxied::request_id,
    upstream::UsersClient,
};

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![
        Policy::new("get_second_factor", Access::SignedIn, &[403, 502, 503, 504]).scope("sessions:read"),
        Policy::new("propose_second_factor", Access::Public, &[400, 403, 429, 502, 503, 504]),
        Policy::new("confirm_second_factor", Access::Public, &[400, 403, 429, 502, 503, 504]),
        Policy::new("renew_recovery_codes", Access::Public, &[400, 403, 409, 429, 502, 503, 504]),
        Policy::new("remove_second_factor", Access::Public, &[400, 403, 409, 429, 502, 503, 504]),
        Policy::new("reset_second_factor", Access::Role(Role::ADMIN), &[403, 404])
            .scope("users:write")
            .recent(),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Codes beside the password.
    SecondFactor,
}

/// An address, its password, and a code where there is a second factor already.
#[derive(Debug, Deserialize, Serialize, Object)]
struct Proof {
    /// The user's address.
    #[oai(validator(max_length = 1024))]
    email: String,
    /// The user's password.
    password: Secret,
    /// A code of the second factor there is, or a recovery code.
    code: Option<Secret>,
}

/// An address, its password, and a code of the secret that was proposed.
#[derive(Debug, Deserialize, Serialize, Object)]
struct Confirmation {
    /// The user's address.
    #[oai(validator(max_length = 1024))]
    email: String,
    /// The user's password.
    password: Secret,
    /// The code that the generator shows now.
    code: Secret,
}

/// A secret for a code generator (RFC 6238: SHA-1, 6 digits, 30 seconds).
#[derive(Debug, Serialize, Deserialize, Object)]
struct ProposedSecret {
    /// In base 32, to be typed.
    secret: Secret,
    /// The same as an `otpauth://` address, to be shown as a QR code.
    url: Secret,
}

/// Codes for whoever has lost the generator; each is good once.
#[derive(Debug, Serialize, Deserialize, Object)]
struct RecoveryCodes {
    /// Shown once: to be kept apart from the password.
    recovery_codes: Vec<Secret>,
}

/// How one stands.
#[derive(Debug, Serialize, Deserialize, Object)]
struct SecondFactorState {
    /// Whether signing in asks for a code.
    enabled: bool,
    /// Whether a role of the user's asks for a second factor.
    required: bool,
    /// Recovery codes that were not used.
    recovery_codes_left: u64,
}

#[derive(ApiResponse)]
enum ProposedAnswer {
    /// The secret, shown once
    #[oai(status = 200)]
    Ok(
        Json<ProposedSecret>,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum CodesAnswer {
    /// The recovery codes, shown once
    #[oai(status = 200)]
    Ok(
        Json<RecoveryCodes>,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Removed {
    /// Signing in asks for no code any more
    #[oai(status = 204)]
    NoContent,
}

/// The operations.
pub(crate) struct SecondFactorApi {
    pub(crate) users: Arc<UsersClient>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) factors: Arc<SecondFactors>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) trail: AuditTrail,
}

#[OpenApi]
impl SecondFactorApi {
    /// Whether I have a second factor
    #[oai(
        path = "/api_v1/auth/second-factor",
        method = "get",
        operation_id = "get_second_factor",
        tag = "Tag::SecondFactor"
    )]
    async fn get_second_factor(
        &self,
        caller: CallerOf,
        request: &Request,
    ) -> Result<Json<SecondFactorState>, Problem> {
        let user = caller.0.user().ok_or_else(|| {
            Problem::new(ProblemKind::Forbidden, "This token stands for no user, and has no second factor")
        })?;
        let identity = self.users.identify(user, &request_id(request)?).await?;
        let identity = identity.ok_or_else(|| Problem::invalid_token("The token has been revoked"))?;
        let standing = self.factors.standing(&identity.user).await?;
        Ok(Json(SecondFactorState {
            enabled: standing.enabled,
            required: standing.required,
            recovery_codes_left: standing.recovery_codes_left,
        }))
    }

    /// Set up a second factor
    ///
    /// Gives the secret for a code generator. It asks for nothing until a code of it is confirmed. Takes the password and no token, so
    /// that it serves who must set one up before signing in.
    #[oai(
        path = "/api_v1/auth/second-factor",
        method = "post",
        operation_id = "propose_second_factor",
        tag = "Tag::SecondFactor"
    )]
    async fn propose_second_factor(
        &self,
        request: &Request,
        body: Json<Proof>,
    ) -> Result<ProposedAnswer, Problem> {
        let proved = self.prove(request, "propose_second_factor", body.0).await?;
        let proposed = self.factors.propose(&proved.identity.user).await?;
        let shown = ProposedSecret { secret: secret(&proposed.secret), url: secret(&proposed.url) };
        Ok(ProposedAnswer::Ok(Json(shown), "no-store".to_owned()))
    }

    /// Confirm the second factor
    ///
    /// From now on signing in asks for a code. All sessions of the user end.
    #[oai(
        path = "/api_v1/auth/second-factor/confirm",
        method = "post",
        operation_id = "confirm_second_factor",
        tag = "Tag::SecondFactor"
    )]
    async fn confirm_second_factor(
        &self,
        request: &Request,
        body: Json<Confirmation>,
    ) -> Result<CodesAnswer, Problem> {
        let Confirmation { email, password, code } = body.0;
        let (users, factors, sessions) =
            (Arc::clone(&self.users), Arc::clone(&self.factors), Arc::clone(&self.sessions));
        let guess = self.guess(request, "confirm_second_factor", &email)?;
        let request_id = guess.source.request_id.clone();
        let check = async move {
            let identity = users.verify(&Credentials { email, password }, &request_id).await?;
            let codes = factors.confirm(identity.user.id, &code).await?;
            let codes = codes.ok_or_else(|| Problem::new(ProblemKind::Refused, "Incorrect code"))?;
            sessions.end_all(identity.user.id).await?;
            Ok(Confirmed { proved: Proved { identity, second_factor: true }, codes })
        };
        let confirmed = guess.checked(&self.throttle, &self.trail.audit, check).await?;
        Ok(recovery_codes(&confirmed.codes))
    }

    /// Get new recovery codes
    ///
    /// The old ones are void.
    #[oai(
        path = "/api_v1/auth/second-factor/recovery-codes",
        method = "post",
        operation_id = "renew_recovery_codes",
        tag = "Tag::SecondFactor"
    )]
    async fn renew_recovery_codes(
        &self,
        request: &Request,
        body: Json<Proof>,
    ) -> Result<CodesAnswer, Problem> {
        let proved = self.prove(request, "renew_recovery_codes", body.0).await?;
        if !proved.second_factor {
            return Err(Problem::new(ProblemKind::Conflict, "There is no second factor to recover"));
        }
        Ok(recovery_codes(&self.factors.new_codes(proved.identity.user.id).await?))
    }

    /// Take my second factor away
    ///
    /// 409 where a role of the user's asks for one.
    #[oai(
        path = "/api_v1/auth/second-factor/remove",
        method = "post",
        operation_id = "remove_second_factor",
        tag = "Tag::SecondFactor"
    )]
    async fn remove_second_factor(&self, request: &Request, body: Json<Proof>) -> Result<Removed, Problem> {
        let proved = self.prove(request, "remove_second_factor", body.0).await?;
        let user = &proved.identity.user;
        if self.factors.is_required_of(user) {
            return Err(Problem::new(ProblemKind::Conflict, "A role of yours asks for a second factor"));
        }
        if !proved.second_factor {
            return Err(Problem::new(ProblemKind::Conflict, "There is no second factor"));
        }
        self.factors.remove(user.id).await?;
        Ok(Removed::NoContent)
    }

    /// Take a user's second factor away
    ///
    /// For who has lost the generator and the recovery codes. All sessions of the user end.
    #[oai(
        path = "/api_v1/users/:user_id/second-factor",
        method = "delete",
        operation_id = "reset_second_factor",
        tag = "Tag::SecondFactor"
    )]
    async fn reset_second_factor(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The user's id
        user_id: Path<UserId>,
    ) -> Result<Removed, Problem> {
        self.trail.audit.require_writable()?;
        if !self.factors.remove(user_id.0).await? {
            return Err(Problem::new(ProblemKind::NotFound, "This user has no second factor"));
        }
        self.sessions.end_all(user_id.0).await?;
        let target = format!("users/{}", user_id.0);
        let act = Act::done(caller.0.subject.clone(), "reset_second_factor", target);
        self.trail.record(request, act).await?;
        Ok(Removed::NoContent)
    }
}

impl SecondFactorApi {
    /// Checks the password, and the code where there is a second factor.
    async fn prove(&self, request: &Request, action: &'static str, proof: Proof) -> Result<Proved, Problem> {
        let Proof { email, password, code } = proof;
        let (users, factors) = (Arc::clone(&self.users), Arc::clone(&self.factors));
        let guess = self.guess(request, action, &email)?;
        let request_id = guess.source.request_id.clone();
        let check = async move {
            let identity: Identity = users.verify(&Credentials { email, password }, &request_id).await?;
            let second_factor = match factors.check(&identity, code.as_ref()).await {
                // To set one up is what whoever must do comes for.
                Err(problem) if problem.kind == ProblemKind::SecondFactorEnrolmentRequired => false,
                other => other?,
            };
            Ok(Proved { identity, second_factor })
        };
        guess.checked(&self.throttle, &self.trail.audit, check).await
    }

    fn guess(&self, request: &Request, action: &'static str, email: &str) -> Result<Guess, Problem> {
        self.trail.audit.require_writable()?;
        Ok(Guess { action, email: email.to_owned(), source: self.trail.source(request)? })
    }
}

/// A user who has confirmed a second factor, and the recovery codes for it.
struct Confirmed {
    proved: Proved,
    codes: Vec<SecretString>,
}

impl AsRef<Proved> for Confirmed {
    fn as_ref(&self) -> &Proved {
        &self.proved
    }
}

fn secret(text: &SecretString) -> Secret {
    text.expose_secret().to_owned().into()
}

fn recovery_codes(codes: &[SecretString]) -> CodesAnswer {
    let codes = RecoveryCodes { recovery_codes: codes.iter().map(secret).collect() };
    CodesAnswer::Ok(Json(codes), "no-store".to_owned())
}
