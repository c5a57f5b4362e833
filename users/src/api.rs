//! Between the wire and the domain: takes requests apart, puts answers together, and decides nothing.

mod conditions;
mod import;
mod once;
mod problem;
mod roles;

use std::sync::Arc;

use contract::{
    Caller, Email, Problem, ProblemKind, Role, UserId,
    users::{
        Addressed, Clearable, Credentials, IdempotencyKey, Identity, InternalPort, LeftAddress, ListUsers,
        NewCredentials, NewUser, Page, PasswordReset, Tagged, User as WireUser, UserPatch, UserUpdate,
        UsersPort,
        port::{Conditions, Fetched},
        types::Nullable,
    },
};
use kit::internal_token::is_gateway;

use crate::{
    domain::{
        Actor, Changed, Changes, CreatedOnce, Edit, Fault, Filters, Listing, NewAccount, User, Users,
        UsersError, cursor::Cursor, listing::Order, user::with_user_role,
    },
    store::SqlStore,
};

/// Rows a page, unless the client says otherwise.
const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 1000;

/// The service's operations.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    users: Arc<Users<SqlStore>>,
}

impl Api {
    pub(crate) fn new(users: Arc<Users<SqlStore>>) -> Self {
        Self { users }
    }

    async fn change(
        &self,
        caller: &Caller,
        id: UserId,
        changes: Changes,
        conditions: &Conditions,
    ) -> Result<Tagged, Problem> {
        let precondition = conditions::of_change(conditions);
        let outcome =
            self.users.update(Actor::of(caller), id, changes, precondition).await.map_err(problem::of)?;
        Ok(tagged(outcome))
    }
}

impl UsersPort for Api {
    async fn list_users(&self, caller: &Caller, query: ListUsers) -> Result<Page, Problem> {
        let listing = listing(&query).map_err(problem::of_query)?;
        let page = self.users.list(Actor::of(caller), listing).await.map_err(problem::of_query)?;
        Ok(Page { users: page.users.into_iter().map(wire).collect(), total: page.total, next: page.next })
    }

    async fn create_user(
        &self,
        caller: &Caller,
        user: NewUser,
        key: Option<IdempotencyKey>,
    ) -> Result<Tagged, Problem> {
        let actor = Actor::of(caller);
        let once = key.map(|key| once::of(caller, &key, &user)).transpose()?;
        let account = account(user);
        let user = match once {
            None => self.users.create(actor, account).await.map_err(problem::of)?,
            Some(once) => match self.users.create_once(actor, account, once).await.map_err(problem::of)? {
                CreatedOnce::Now(user) => user,
                CreatedOnce::Before(answer) => return once::answered(&answer),
            },
        };
        Ok(created(user))
    }

    async fn get_user(
        &self,
        caller: &Caller,
        id: UserId,
        conditions: Conditions,
    ) -> Result<Fetched, Problem> {
        let user = self.users.get(Actor::of(caller), id).await.map_err(problem::of)?;
        if conditions::is_current(&conditions, &user) {
            return Ok(Fetched::NotModified(conditions::etag(&user)));
        }
        Ok(Fetched::Found(tagged(Changed::unchanged(user))))
    }

    async fn update_user(
        &self,
        caller: &Caller,
        id: UserId,
        update: UserUpdate,
        conditions: Conditions,
    ) -> Result<Tagged, Problem> {
        // PUT as the old clients know it: what is left out or null stays.
        let changes = Changes {
            email: update.email.value(),
            first_name: named(update.first_name),
            last_name: named(update.last_name),
            is_active: update.is_active.value(),
            roles: update.roles.value().map(with_user_role),
            password: update.password.value().map(Into::into),
            must_change_password: update.must_change_password.value(),
            current_password: update.current_password.value(),
            id: update.id.value(),
        };
        self.change(caller, id, changes, &conditions).await
    }

    async fn patch_user(
        &self,
        caller: &Caller,
        id: UserId,
        patch: UserPatch,
        conditions: Conditions,
    ) -> Result<Tagged, Problem> {
        let changes = Changes {
            email: patch.email,
            first_name: cleared(patch.first_name),
            last_name: cleared(patch.last_name),
            is_active: patch.is_active,
            roles: patch.roles.map(with_user_role),
            password: patch.password.map(Into::into),
            must_change_password: patch.must_change_password,
            current_password: patch.current_password,
            id: patch.id,
        };
        self.change(caller, id, changes, &conditions).await
    }

    async fn delete_user(&self, caller: &Caller, id: UserId, conditions: Conditions) -> Result<(), Problem> {
        let precondition = conditions::of_change(&conditions);
        self.users.delete(Actor::of(caller), id, precondition).await.map_err(problem::of)
    }
}

impl InternalPort for Api {
    async fn verify_credentials(
        &self,
        caller: &Caller,
        credentials: Credentials,
    ) -> Result<Identity, Problem> {
        gateway_alone(caller)?;
        let user =
            self.users.authenticate(&credentials.email, &credentials.password).await.map_err(problem::of)?;
        Ok(identity(user))
    }

    async fn change_credentials(
        &self,
        caller: &Caller,
        credentials: NewCredentials,
    ) -> Result<Identity, Problem> {
        gateway_alone(caller)?;
        let NewCredentials { email, password, new_password } = credentials;
        let user = self.users.change_password(&email, &password, &new_password.into()).await;
        user.map(identity).map_err(problem::of)
    }

    async fn identify_user(&self, caller: &Caller, id: UserId) -> Result<Identity, Problem> {
        gateway_alone(caller)?;
        self.users.identify(id).await.map(identity).map_err(problem::of)
    }

    async fn find_user(&self, caller: &Caller, wanted: Addressed) -> Result<Identity, Problem> {
        gateway_alone(caller)?;
        self.users.find_by_email(&wanted.email).await.map(identity).map_err(problem::of)
    }

    async fn reset_password(
        &self,
        caller: &Caller,
        id: UserId,
        reset: PasswordReset,
    ) -> Result<Identity, Problem> {
        gateway_alone(caller)?;
        let changed = self.users.reset_password(id, &reset.password.into(), &reset.email).await;
        changed.map(|changed| identity(changed.user)).map_err(problem::of)
    }

    async fn verify_address(
        &self,
        caller: &Caller,
        id: UserId,
        address: Addressed,
    ) -> Result<Identity, Problem> {
        gateway_alone(caller)?;
        self.users.verify_address(id, &address.email).await.map(identity).map_err(problem::of)
    }
}

fn gateway_alone(caller: &Caller) -> Result<(), Problem> {
    if is_gateway(caller) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Forbidden, "This is for the gateway"))
}

fn identity(user: User) -> Identity {
    Identity { epoch: user.epoch, address_moved: user.address_moved(), user: wire(user) }
}

fn account(user: NewUser) -> NewAccount {
    NewAccount {
        email: user.email,
        password: user.password.into(),
        changes: Changes {
            first_name: named(user.first_name),
            last_name: named(user.last_name),
            is_active: user.is_active.value(),
            roles: user.roles.value().map(with_user_role),
            must_change_password: user.must_change_password.value(),
            id: user.id.value(),
            ..Changes::default()
        },
    }
}

fn created(user: User) -> Tagged {
    tagged(Changed { address_changed: true, ..Changed::unchanged(user) })
}

fn tagged(changed: Changed) -> Tagged {
    Tagged {
        etag: conditions::etag(&changed.user),
        sessions_ended: changed.sessions_ended,
        tokens_ended: changed.tokens_ended,
        address_left: changed
            .address_left
            .map(|(address, proved)| Box::new(LeftAddress { user: changed.user.id, proved, address })),
        address_unproved: changed.address_changed && !changed.user.email_verified(),
        user: wire(changed.user),
    }
}

fn wire(user: User) -> WireUser {
    WireUser {
        email_verified: user.email_verified(),
        id: user.id,
        email: user.email,
        is_active: user.is_active,
        first_name: Nullable(user.first_name),
        last_name: Nullable(user.last_name),
        roles: user.roles.into_iter().collect(),
        created_at: user.created_at,
        updated_at: user.updated_at,
        must_change_password: user.must_change_password,
    }
}

/// A field that null clears.
fn cleared<T>(field: Clearable<T>) -> Edit<T> {
    match field {
        Clearable::Absent => Edit::Keep,
        Clearable::Clear => Edit::Clear,
        Clearable::Set(value) => Edit::Set(value),
    }
}

/// A field that null leaves as it is.
fn named<T>(field: Clearable<T>) -> Edit<T> {
    field.value().map_or(Edit::Keep, Edit::Set)
}

fn listing(query: &ListUsers) -> Result<Listing, UsersError> {
    let mut faults = Vec::new();
    let text = query.q.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.contains('\0')) {
        faults.push(Fault::new("q", "holds a NUL character"));
    }
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        faults.push(Fault::new("limit", format!("must be 1 to {LONGEST_PAGE}")));
    }
    let email = query.email.as_deref().and_then(|email| match email.parse::<Email>() {
        Ok(email) => Some(email),
        Err(error) => {
            faults.push(Fault::new("email", error.to_string()));
            None
        }
    });
    let role = query.role.as_deref().and_then(|role| match role.parse::<Role>() {
        Ok(role) => Some(role),
        Err(error) => {
            faults.push(Fault::new("role", error.to_string()));
            None
        }
    });
    if !faults.is_empty() {
        return Err(UsersError::Invalid(faults));
    }
    let filters = Filters {
        email,
        text: text.map(ToOwned::to_owned),
        is_active: query.is_active,
        role,
        created_after: query.created_after,
    };
    let order = query.sort.as_deref().map_or_else(|| Ok(Order::default()), Order::parse)?;
    let after = query.after.as_deref().map(|text| Cursor::decode(text, &filters, &order)).transpose()?;
    Ok(Listing { filters, order, after, skip: query.skip.unwrap_or(0), limit })
}
