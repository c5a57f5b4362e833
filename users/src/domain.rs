//! The rules about users. Knows neither HTTP nor SQL: `api` speaks to it, `store` serves it.

pub mod access;
mod account;
pub mod change;
pub mod cursor;
pub mod error;
pub mod import;
pub mod listing;
pub mod once;
pub mod password;
pub mod roles;
pub mod store;
pub mod user;
pub mod users;

pub use self::{
    access::{Actor, Rules, Visibility},
    change::{Changes, Edit, NewAccount, Precondition},
    error::{Fault, UsersError},
    listing::{Filters, Listed, Listing},
    once::CreatedOnce,
    password::Passwords,
    store::{Decision, Standing, UserStore},
    user::User,
    users::{Changed, Page, Users},
};
