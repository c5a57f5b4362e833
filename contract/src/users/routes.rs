//! The users service's public operations, written once: paths, types, statuses, and what each needs.

use http::HeaderName;
use poem::http::HeaderMap;
use poem_openapi::{
    ApiResponse, OpenApi, Tags,
    param::{Header, Path, Query},
};

use super::{
    IdempotencyKey, NewUser, User, UserPatch, UserUpdate,
    idempotency::IDEMPOTENCY_KEY,
    port::{Conditions, Fetched, Page, Tagged, UsersPort},
};
use crate::{
    Caller, Problem, ProblemKind, Timestamp, UserId,
    caller::CallerOf,
    document::Policy,
    operation::Access,
    payload::{Json, MergePatch, OptionalJson},
};

/// What each operation needs, and the problems it can answer beyond those every operation can.
#[must_use]
pub fn policies() -> Vec<Policy> {
    vec![
        Policy::new("list_users", Access::SignedIn, &[403]).scope("users:read"),
        Policy::new("create_user", Access::Optional, &[401, 403, 409]).scope("users:write").recent(),
        Policy::new("get_me", Access::SignedIn, &[403, 404]).scope("users:read"),
        Policy::new("update_me", Access::SignedIn, &[403, 404, 409, 412]).scope("users:write"),
        Policy::new("patch_me", Access::SignedIn, &[403, 404, 409, 412]).scope("users:write"),
        Policy::new("get_user", Access::SignedIn, &[403, 404]).scope("users:read"),
        Policy::new("update_user", Access::SignedIn, &[403, 404, 409, 412]).scope("users:write").recent(),
        Policy::new("patch_user", Access::SignedIn, &[403, 404, 409, 412]).scope("users:write").recent(),
        Policy::new("delete_user", Access::SignedIn, &[403, 404, 409, 412]).scope("users:write").recent(),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Accounts: who may sign in, and what they may do.
    Users,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListUsers {
    /// Rows to pass over; 0 if unset.
    pub skip: Option<u64>,
    /// Rows a page, 1 to 1000; 100 if unset.
    pub limit: Option<u32>,
    /// The cursor of the page before, from its `Link`.
    pub after: Option<String>,
    /// Only the user with this address.
    pub email: Option<String>,
    /// Only users whose address or name holds this text, without regard to case.
    pub q: Option<String>,
    /// Only active, or only inactive users.
    pub is_active: Option<bool>,
    /// Only users with this role.
    pub role: Option<String>,
    /// Only users created after this moment.
    pub created_after: Option<Timestamp>,
    /// Fields to order by, `-` before one for descending.
    pub sort: Option<String>,
    /// The path and query as sent, for the `Link` of the next page.
    pub path_and_query: String,
}

#[derive(ApiResponse)]
enum Listed {
    /// The users of this page
    #[oai(status = 200)]
    Ok(
        Json<Vec<User>>,
        /// How many users the filters let through in all
        #[oai(header = "X-Total-Count")]
        u64,
        /// The next page, as `<…>; rel="next"`
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum Created {
    /// The user is created
    #[oai(status = 201)]
    Created(
        Json<User>,
        /// Where the user is found
        #[oai(header = "Location")]
        String,
        /// The user's version
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum One {
    /// The user
    #[oai(status = 200)]
    Ok(
        Json<User>,
        /// The user's version
        #[oai(header = "ETag")]
        String,
    ),
    /// The version that the client has is the current one
    #[oai(status = 304)]
    NotModified(
        /// The user's version
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Deleted {
    /// The user is deleted
    #[oai(status = 204)]
    NoContent,
}

/// The users service's operations over whatever implements them.
pub struct UsersApi<P> {
    port: P,
}

impl<P> UsersApi<P> {
    /// The operations, answered by `port`.
    pub fn new(port: P) -> Self {
        Self { port }
    }
}

/// An answer with the headers that tell the gateway what ended.
type Marked<T> = poem_openapi::payload::Response<T>;

#[expect(clippy::too_many_arguments, reason = "one argument a documented query parameter")]
#[OpenApi]
impl<P: UsersPort> UsersApi<P> {
    /// List users
    ///
    /// Admins only, unless `users.visibility` is `members`. In a stable order: by `sort`, then by id.
    #[oai(path = "/api_v1/users", method = "get", operation_id = "list_users", tag = "Tag::Users")]
    async fn list_users(
        &self,
        caller: CallerOf,
        request: &poem::Request,
        /// Rows to pass over
        #[oai(validator(minimum(value = "0"), maximum(value = "1000000000000")))]
        skip: Query<Option<u64>>,
        /// Rows a page
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
        /// The cursor of the page before, from its `Link`
        #[oai(validator(max_length = 512))]
        after: Query<Option<String>>,
        /// Only the user with this address
        #[oai(validator(max_length = 320))]
        email: Query<Option<String>>,
        /// Only users whose address or name holds this text, without regard to case
        #[oai(validator(max_length = 200))]
        q: Query<Option<String>>,
        /// Only active, or only inactive users
        is_active: Query<Option<bool>>,
        /// Only users with this role
        #[oai(validator(max_length = 64, pattern = "^[a-z][a-z0-9_-]*$"))]
        role: Query<Option<String>>,
        /// Only users created after this moment
        created_after: Query<Option<Timestamp>>,
        /// Fields to order by, separated by commas, `-` before one for descending: `id`, `email`, `created_at`, `updated_at`
        #[oai(validator(
            pattern = "^-?(id|email|created_at|updated_at)(,-?(id|email|created_at|updated_at))*$"
        ))]
        sort: Query<Option<String>>,
    ) -> Result<Listed, Problem> {
        let target = request.original_uri();
        let query = ListUsers {
            skip: skip.0,
            limit: limit.0,
            after: after.0,
            email: email.0,
            q: q.0,
            is_active: is_active.0,
            role: role.0,
            created_after: created_after.0,
            sort: sort.0,
            path_and_query: target
                .path_and_query()
                .map_or_else(|| target.path().to_owned(), ToString::to_string),
        };
        let link = next_link(&query);
        let Page { users, total, next } = self.port.list_users(&caller.0, query).await?;
        Ok(Listed::Ok(Json(users), total, next.map(link)))
    }

    /// Create a user
    ///
    /// Open to anybody while `users.registration` is `open`; else to admins.
    #[oai(path = "/api_v1/users", method = "post", operation_id = "create_user", tag = "Tag::Users")]
    async fn create_user(
        &self,
        caller: CallerOf,
        headers: &HeaderMap,
        /// Names the request: sent again within 24 hours with the same body, it gets the same answer and creates nobody twice;
        /// with another body it is 422
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Json<NewUser>,
    ) -> Result<Marked<Created>, Problem> {
        if headers.get_all(IDEMPOTENCY_KEY).iter().count() > 1 {
            return Err(Problem::new(ProblemKind::MalformedRequest, "Idempotency-Key stands twice"));
        }
        let Tagged { user, etag, address_unproved, .. } =
            self.port.create_user(&caller.0, body.0, key.0).await?;
        let id = user.id.to_string();
        let created = Created::Created(Json(user), format!("/api_v1/users/{id}"), etag);
        Ok(marked(Marked::new(created), &[(address_unproved, super::ADDRESS_UNPROVED)], &id))
    }

    /// Who I am
    #[oai(path = "/api_v1/users/me", method = "get", operation_id = "get_me", tag = "Tag::Users")]
    async fn get_me(&self, caller: CallerOf, headers: &HeaderMap) -> Result<One, Problem> {
        let id = own_id(&caller.0)?;
        Ok(fetched(self.port.get_user(&caller.0, id, conditions(headers)).await?))
    }

    /// Change my account
    ///
    /// Fields left out, or null, stay as they are. A new `password`, and another `email`, want `current_password` beside them.
    #[oai(path = "/api_v1/users/me", method = "put", operation_id = "update_me", tag = "Tag::Users")]
    async fn update_me(
        &self,
        caller: CallerOf,
        headers: &HeaderMap,
        body: OptionalJson<UserUpdate>,
    ) -> Result<Marked<One>, Problem> {
        let id = own_id(&caller.0)?;
        Ok(changed(self.port.update_user(&caller.0, id, body.0, conditions(headers)).await?))
    }

    /// Change my account by merge patch
    ///
    /// RFC 7396: null clears a name, what is left out stays. A new `password`, and another `email`, want `current_password` beside
    /// them.
    #[oai(path = "/api_v1/users/me", method = "patch", operation_id = "patch_me", tag = "Tag::Users")]
    async fn patch_me(
        &self,
        caller: CallerOf,
        headers: &HeaderMap,
        body: MergePatch<UserPatch>,
    ) -> Result<Marked<One>, Problem> {
        let id = own_id(&caller.0)?;
        Ok(changed(self.port.patch_user(&caller.0, id, body.0, conditions(headers)).await?))
    }

    /// Fetch a user
    ///
    /// One's own account; any for admins, and for every signed-in user where `users.visibility` is `members`.
    #[oai(path = "/api_v1/users/:user_id", method = "get", operation_id = "get_user", tag = "Tag::Users")]
    async fn get_user(
        &self,
        caller: CallerOf,
        headers: &HeaderMap,
        /// The user's id
        user_id: Path<UserId>,
    ) -> Result<One, Problem> {
        Ok(fetched(self.port.get_user(&caller.0, user_id.0, conditions(headers)).await?))
    }

    /// Change a user
    ///
    /// Fields left out, or null, stay as they are. `is_active` and `roles` are for admins.
    #[oai(path = "/api_v1/users/:user_id", method = "put", operation_id = "update_user", tag = "Tag::Users")]
    async fn update_user(
        &self,
        caller: CallerOf,
        headers: &HeaderMap,
        /// The user's id
        user_id: Path<UserId>,
        body: OptionalJson<UserUpdate>,
    ) -> Result<Marked<One>, Problem> {
        Ok(changed(self.port.update_user(&caller.0, user_id.0, body.0, conditions(headers)).await?))
    }

    /// Change a user by merge patch
    ///
    /// RFC 7396: null clears a name, what is left out stays. `is_active` and `roles` are for admins.
    #[oai(path = "/api_v1/users/:user_id", method = "patch", operation_id = "patch_user", tag = "Tag::Users")]
    async fn patch_user(
        &self,
        caller: CallerOf,
        headers: &HeaderMap,
        /// The user's id
        user_id: Path<UserId>,
        body: MergePatch<UserPatch>,
    ) -> Result<Marked<One>, Problem> {
        Ok(changed(self.port.patch_user(&caller.0, user_id.0, body.0, conditions(headers)).await?))
    }

    /// Delete a user
    ///
    /// One's own account; any for admins. The last active admin stays (409).
    #[oai(
        path = "/api_v1/users/:user_id",
        method = "delete",
        operation_id = "delete_user",
        tag = "Tag::Users"
    )]
    async fn delete_user(
        &self,
        caller: CallerOf,
        headers: &HeaderMap,
        /// The user's id
        user_id: Path<UserId>,
    ) -> Result<Marked<Deleted>, Problem> {
        self.port.delete_user(&caller.0, user_id.0, conditions(headers)).await?;
        Ok(Marked::new(Deleted::NoContent).header(super::SESSIONS_ENDED.as_str(), user_id.0.to_string()))
    }
}

/// The caller's own id; an operator or a service has no account.
fn own_id(caller: &Caller) -> Result<UserId, Problem> {
    caller.user().ok_or_else(|| {
        Problem::new(crate::ProblemKind::Forbidden, "This token stands for no user; name one by id instead")
    })
}

fn conditions(headers: &HeaderMap) -> Conditions {
    let joined = |name: &str| {
        let values: Vec<&str> =
            headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    Conditions { if_match: joined("if-match"), if_none_match: joined("if-none-match") }
}

fn fetched(fetched: Fetched) -> One {
    match fetched {
        Fetched::Found(Tagged { user, etag, .. }) => One::Ok(Json(user), etag),
        Fetched::NotModified(etag) => One::NotModified(etag),
    }
}

fn changed(tagged: Tagged) -> Marked<One> {
    let id = tagged.user.id.to_string();
    let left = tagged.address_left.map(|left| left.to_string());
    let marks = [
        (tagged.sessions_ended, super::SESSIONS_ENDED),
        (tagged.tokens_ended && !tagged.sessions_ended, super::TOKENS_ENDED),
        (tagged.address_unproved, super::ADDRESS_UNPROVED),
    ];
    let answer = marked(Marked::new(One::Ok(Json(tagged.user), tagged.etag)), &marks, &id);
    match left {
        Some(left) => answer.header(super::ADDRESS_LEFT.as_str(), left),
        None => answer,
    }
}

/// The answer with what it tells the gateway alone: each header that applies names the user.
fn marked<T>(answer: Marked<T>, marks: &[(bool, HeaderName)], id: &str) -> Marked<T> {
    marks
        .iter()
        .filter(|(applies, _)| *applies)
        .fold(answer, |answer, (_, name)| answer.header(name.as_str(), id.to_owned()))
}

/// The `Link` to the next page: the request's own query with the cursor in it, and without `skip`.
fn next_link(query: &ListUsers) -> impl FnOnce(String) -> String + use<> {
    let target = query.path_and_query.clone();
    move |cursor| {
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let kept =
            url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "after" && key != "skip");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("after", &cursor)
            .finish();
        format!("<{path}?{query}>; rel=\"next\"")
    }
}
