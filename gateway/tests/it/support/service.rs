//! A double of the users service: the same contract over a few users in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use contract::{
    Caller, Email, Problem, ProblemKind, Role, Timestamp, UserId,
    users::{
        Addressed, Clearable, Credentials, IdempotencyKey, Identity, InternalApi, InternalPort, LeftAddress,
        ListUsers, NewCredentials, NewUser, Page, PasswordReset, SERVICE, Tagged, User, UserPatch,
        UserUpdate, UsersApi, UsersPort,
        port::{Conditions, Fetched},
        types::Nullable,
    },
};
use kit::{
    edge::{Edge, Trust},
    internal_token::{InternalTokens, RequireInternalToken, is_gateway},
    routes::Routes,
    server::{Limits, Server},
};
use poem::{IntoEndpoint, Route};
use poem_openapi::OpenApiService;
use tokio_util::sync::CancellationToken;

/// Every user's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A running double.
pub(crate) struct UsersDouble {
    url: String,
    server: Mutex<Option<Server>>,
    users: Users,
    checks: Arc<AtomicUsize>,
    shutdown: CancellationToken,
}

type Users = Arc<Mutex<BTreeMap<i64, (User, i64)>>>;

/// Passwords other than [`PASSWORD`].
type Passwords = Arc<Mutex<BTreeMap<i64, String>>>;

#[derive(Clone)]
struct Double(Users, Arc<AtomicUsize>, Passwords);

impl UsersDouble {
    /// Binds a port; it serves once it knows the gateway.
    pub(crate) async fn bind() -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
        let users =
            [(1, "ann@example.com", vec![Role::ADMIN, Role::USER]), (2, "bob@example.com", vec![Role::USER])];
        let users = users.into_iter().map(|(id, email, roles)| (id, (user(id, email, roles), 1))).collect();
        Self {
            url: format!("http://{}", server.address()),
            server: Mutex::new(Some(server)),
            users: Arc::new(Mutex::new(users)),
            checks: Arc::default(),
            shutdown: CancellationToken::new(),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Serves with the internal keys of this gateway.
    pub(crate) fn serve(&self, gateway_url: &str) {
        let server = self.server.lock().unwrap().take().unwrap();
        let tokens = Arc::new(InternalTokens::new(SERVICE, gateway_url).unwrap());
        let double = Double(Arc::clone(&self.users), Arc::clone(&self.checks), Passwords::default());
        let api = OpenApiService::new((UsersApi::new(double.clone()), InternalApi::new(double)), "", "");
        let route = RequireInternalToken::new(Route::new().nest_no_strip("/", api).into_endpoint(), tokens);
        let app = Edge::new(route, SERVICE, Arc::new(Routes::default()), Trust::Peer);
        tokio::spawn(server.run(app, self.shutdown.clone()));
    }

    /// How many passwords it has checked.
    pub(crate) fn checks(&self) -> usize {
        self.checks.load(Ordering::Relaxed)
    }

    /// A user's given name.
    pub(crate) fn name(&self, id: i64) -> Option<String> {
        self.users.lock().unwrap()[&id].0.first_name.0.clone()
    }

    /// Deletes a user behind the gateway's back.
    pub(crate) fn remove(&self, id: i64) {
        self.users.lock().unwrap().remove(&id);
    }

    /// Changes a user behind the gateway's back.
    pub(crate) fn change(&self, id: i64, change: impl FnOnce(&mut User, &mut i64)) {
        let mut users = self.users.lock().unwrap();
        let (user, epoch) = users.get_mut(&id).unwrap();
        change(user, epoch);
    }
}

impl Drop for UsersDouble {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn user(id: i64, email: &str, roles: Vec<Role>) -> User {
    let at: Timestamp = "2026-11-25T08:30:00Z".parse().unwrap();
    User {
        id: UserId(id),
        email: email.parse::<Email>().unwrap(),
        email_verified: id <= 2,
        is_active: true,
        first_name: Nullable(None),
        last_name: Nullable(None),
        roles,
        created_at: at,
        updated_at: at,
        must_change_password: false,
    }
}

/// Of the users here those above 2 are not verified: what is at `moved.example` is so since a change.
fn identity(user: &User, epoch: i64) -> Identity {
    let moved = user.email.canonical().ends_with("@moved.example") && !user.email_verified;
    Identity { user: user.clone(), epoch, address_moved: moved }
}

fn gone() -> Problem {
    Problem::new(ProblemKind::NotFound, "The user with this username does not exist in the system")
}

fn tagged(user: User) -> Tagged {
    Tagged {
        user,
        etag: "\"1\"".to_owned(),
        sessions_ended: false,
        tokens_ended: false,
        address_unproved: false,
        address_left: None,
    }
}

impl UsersPort for Double {
    async fn list_users(&self, _: &Caller, query: ListUsers) -> Result<Page, Problem> {
        let users: Vec<User> = self.0.lock().unwrap().values().map(|(user, _)| user.clone()).collect();
        let total = users.len() as u64;
        let users = users.into_iter().skip(usize::try_from(query.skip.unwrap_or(0)).unwrap()).collect();
        Ok(Page { users, total, next: None })
    }

    async fn create_user(
        &self,
        caller: &Caller,
        new: NewUser,
        _: Option<IdempotencyKey>,
    ) -> Result<Tagged, Problem> {
        let mut users = self.0.lock().unwrap();
        let id = i64::try_from(users.len()).unwrap() + 1;
        let created = user(id, new.email.as_written(), vec![Role::USER]);
        users.insert(id, (created.clone(), 1));
        Ok(Tagged { address_unproved: !caller.is_admin(), ..tagged(created) })
    }

    async fn get_user(&self, caller: &Caller, id: UserId, _: Conditions) -> Result<Fetched, Problem> {
        let users = self.0.lock().unwrap();
        if caller.user() == Some(id) && !users.contains_key(&id.0) {
            return Err(Problem::invalid_token("The user of this token is gone or disabled"));
        }
        Ok(Fetched::Found(tagged(users.get(&id.0).ok_or_else(gone)?.0.clone())))
    }

    async fn update_user(
        &self,
        _: &Caller,
        id: UserId,
        update: UserUpdate,
        _: Conditions,
    ) -> Result<Tagged, Problem> {
        let mut users = self.0.lock().unwrap();
        let (user, epoch) = users.get_mut(&id.0).ok_or_else(gone)?;
        let ends = matches!(update.password, Clearable::Set(_)) || update.is_active == Clearable::Set(false);
        if let Clearable::Set(active) = update.is_active {
            user.is_active = active;
        }
        let mut tokens_ended = false;
        if let Clearable::Set(roles) = update.roles {
            user.roles = roles;
            tokens_ended = true;
        }
        *epoch += i64::from(ends);
        Ok(Tagged { sessions_ended: ends, tokens_ended, ..tagged(user.clone()) })
    }

    async fn patch_user(
        &self,
        _: &Caller,
        id: UserId,
        patch: UserPatch,
        _: Conditions,
    ) -> Result<Tagged, Problem> {
        let mut users = self.0.lock().unwrap();
        let (user, _) = users.get_mut(&id.0).ok_or_else(gone)?;
        let Some(email) = patch.email else { return Ok(tagged(user.clone())) };
        let left = LeftAddress {
            user: id,
            proved: user.email_verified,
            address: std::mem::replace(&mut user.email, email),
        };
        user.email_verified = false;
        Ok(Tagged { address_unproved: true, address_left: Some(Box::new(left)), ..tagged(user.clone()) })
    }

    async fn delete_user(&self, _: &Caller, id: UserId, _: Conditions) -> Result<(), Problem> {
        self.0.lock().unwrap().remove(&id.0).map(|_| ()).ok_or_else(gone)
    }
}

impl InternalPort for Double {
    async fn verify_credentials(&self, caller: &Caller, given: Credentials) -> Result<Identity, Problem> {
        assert!(is_gateway(caller));
        self.1.fetch_add(1, Ordering::Relaxed);
        let users = self.0.lock().unwrap();
        let found = users.values().find(|(user, _)| user.email.as_written() == given.email);
        let passwords = self.2.lock().unwrap();
        let right = |user: &User| {
            passwords.get(&user.id.0).map_or(PASSWORD, String::as_str) == given.password.expose()
        };
        match found.filter(|(user, _)| right(user)) {
            None => Err(Problem::new(ProblemKind::Refused, "Incorrect email or password")),
            Some((user, _)) if !user.is_active => Err(Problem::new(ProblemKind::Refused, "Inactive user")),
            Some((user, epoch)) => Ok(identity(user, *epoch)),
        }
    }

    async fn change_credentials(&self, caller: &Caller, given: NewCredentials) -> Result<Identity, Problem> {
        let NewCredentials { email, password, .. } = given;
        let id = self.verify_credentials(caller, Credentials { email, password }).await?.user.id;
        let mut users = self.0.lock().unwrap();
        let (user, epoch) = users.get_mut(&id.0).unwrap();
        user.must_change_password = false;
        *epoch += 1;
        Ok(identity(user, *epoch))
    }

    async fn identify_user(&self, caller: &Caller, id: UserId) -> Result<Identity, Problem> {
        assert!(is_gateway(caller));
        let users = self.0.lock().unwrap();
        let (user, epoch) = users.get(&id.0).ok_or_else(gone)?;
        Ok(identity(user, *epoch))
    }

    async fn find_user(&self, caller: &Caller, wanted: Addressed) -> Result<Identity, Problem> {
        assert!(is_gateway(caller));
        let users = self.0.lock().unwrap();
        let found = users.values().find(|(user, _)| user.email == wanted.email);
        found.map(|(user, epoch)| identity(user, *epoch)).ok_or_else(gone)
    }

    async fn reset_password(
        &self,
        caller: &Caller,
        id: UserId,
        reset: PasswordReset,
    ) -> Result<Identity, Problem> {
        let password = contract::Secret::from(reset.password).expose().to_owned();
        if password == "password" {
            return Err(Problem::invalid(vec![contract::Violation::body(
                "/password",
                "is too easily guessed",
            )]));
        }
        let identity = self.verify_address(caller, id, Addressed { email: reset.email }).await?;
        self.2.lock().unwrap().insert(id.0, password);
        self.0.lock().unwrap().get_mut(&id.0).unwrap().1 += 1;
        Ok(identity)
    }

    async fn verify_address(
        &self,
        caller: &Caller,
        id: UserId,
        address: Addressed,
    ) -> Result<Identity, Problem> {
        assert!(is_gateway(caller));
        let mut users = self.0.lock().unwrap();
        let (user, epoch) = users.get_mut(&id.0).ok_or_else(gone)?;
        if user.email != address.email {
            return Err(Problem::new(
                ProblemKind::PreconditionFailed,
                "The user was changed in the meantime",
            ));
        }
        user.email_verified = true;
        Ok(identity(user, *epoch))
    }
}
