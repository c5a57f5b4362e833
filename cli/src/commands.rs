//! One function a command. Here the parsed arguments are handed to them, as plain values.

mod audit;
mod backup;
mod completions;
mod config;
mod context;
mod doctor;
mod key;
mod login;
mod man;
mod migrate;
mod openapi;
mod reload;
mod role;
mod routes;
pub(crate) mod serve;
mod service;
mod service_account;
mod session;
mod sign_in;
mod status;
mod token;
mod top;
mod user;
mod whoami;

use crate::arguments::{Arguments, Verb};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Runs the command that was named.
pub(crate) fn run(arguments: Arguments, context: &mut Context) -> Outcome {
    let Arguments { global, verb } = arguments;
    match verb {
        Verb::Serve(serve) => serve::run(context, &global, &serve),
        Verb::Reload => small(reload::run(context, &global)),
        Verb::Migrate { verb } => small(migrate::run(context, &global, verb)),
        Verb::Login(arguments) => small(login::login(context, &global, arguments)),
        Verb::Logout { all } => small(login::logout(context, &global, all)),
        Verb::Whoami => small(whoami::run(context, &global)),
        Verb::Context { verb } => small(context::run(context, &global, verb)),
        Verb::User { verb } => small(user::run(context, &global, verb)),
        Verb::Role { verb } => small(role::run(context, &global, verb)),
        Verb::Session { verb } => small(session::run(context, &global, verb)),
        Verb::ServiceAccount { verb } => small(service_account::run(context, &global, verb)),
        Verb::Audit { verb } => small(audit::run(context, &global, verb)),
        Verb::Key { verb } => small(key::run(context, &global, verb)),
        Verb::Token { verb } => small(token::run(context, &global, verb)),
        Verb::Config { verb } => small(config::run(context, &global, verb)),
        Verb::Service { verb } => small(service::run(context, &global, verb)),
        Verb::Routes { verb: None } => small(routes::run(context, &global)),
        Verb::Routes { verb: Some(verb) } => small(routes::explain::run(context, &global, verb)),
        Verb::Backup { folder, with_master_key } => {
            small(backup::run(context, &global, folder, with_master_key))
        }
        Verb::Restore { folder, service, yes } => {
            small(backup::restore::run(context, &global, &folder, &service, yes))
        }
        Verb::Top { every } => small(top::run(context, &global, every)),
        Verb::Status => small(status::run(context, &global)),
        Verb::Doctor { services, free } => small(doctor::run(context, &global, &services, free)),
        Verb::OpenApi { file } => small(openapi::run(context, &global, file.as_deref())),
        Verb::Completions { shell } => completions::run(context, shell),
        Verb::Man { command, folder, markdown } => man::run(context, &command, folder.as_deref(), markdown),
    }
}

/// Runs a command that waits for others, on one thread.
fn small(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("the command can't start").caused_by(&error))?
        .block_on(work)
}
