//! What a shell is told when a person presses Tab: commands and flags from the tree, and users, roles, services, service
//! accounts and contexts from where they are. Whatever can't be asked in time is silently not offered.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use clap::{Arg, Command, Parser as _, ValueHint};
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, PathCompleter, ValueCompleter as _};
use clap_complete::env::Shells;
use serde_json::Value;
use url::form_urlencoded;

use crate::arguments::{Arguments, Global, command};
use crate::connection::Connection;
use crate::context::Context;
use crate::contexts::{ContextName, Contexts};
use crate::services;
use crate::settings;

/// The variable by which a shell's script asks, with the shell's name.
pub(crate) const VARIABLE: &str = "_PLATFORM_COMPLETE";

/// Nobody waits longer for a Tab.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most that is offered.
const MOST: usize = 50;

/// Answers a shell that asks for completions; false where none does. `asked` is the value of [`VARIABLE`].
pub(crate) fn answer(asked: &OsStr, words: Vec<OsString>, out: &mut dyn io::Write) -> bool {
    let shells = Shells::builtins();
    let Some(shell) = asked.to_str().and_then(|name| shells.completer(name)) else { return false };
    // What stands before `--` is the script's own.
    let words: Vec<OsString> = words.into_iter().skip_while(|word| word != "--").skip(1).collect();
    let mut tree = with_values(command());
    tree.build();
    let folder = std::env::current_dir().ok();
    let mut text = Vec::new();
    // A line that can't be completed offers nothing.
    if shell.write_complete(&mut tree, words, folder.as_deref(), &mut text).is_ok() {
        let _ = out.write_all(&text).and_then(|()| out.flush());
    }
    true
}

/// The script of a shell that asks this command.
pub(crate) fn script(shell: &str) -> io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(shell) else {
        return Err(io::Error::other("there is no such shell"));
    };
    let mut text = Vec::new();
    shell.write_registration(VARIABLE, "platform", "platform", "platform", &mut text)?;
    Ok(text)
}

/// The tree, with what is asked for each argument whose values are kept somewhere.
fn with_values(command: Command) -> Command {
    let name = command.get_name().to_owned();
    command.mut_args(|argument| with_value(&name, argument)).mut_subcommands(with_values)
}

fn with_value(command: &str, argument: Arg) -> Arg {
    type Values = fn(&str) -> Vec<String>;
    // A new one is completed from nothing that is there.
    let makes = matches!(command, "create" | "invite" | "new" | "add");
    let positional = argument.is_positional();
    let values: Values = match argument.get_id().as_str() {
        "user" => users,
        "email" if !makes && command != "update" => users,
        "roles" | "second_factor_roles" => roles,
        "role" if !makes => roles,
        "context" => contexts,
        "name" if matches!(command, "use" | "remove") => contexts,
        "service" if positional => declared,
        "audience" | "audiences" => every_service,
        "service_account" => accounts,
        "name" if !makes => accounts,
        _ if argument.get_value_hint() == ValueHint::AnyPath => {
            return argument.add(ArgValueCompleter::new(paths));
        }
        _ => return argument,
    };
    argument.add(ArgValueCompleter::new(move |typed: &OsStr| {
        let Some(typed) = typed.to_str() else { return Vec::new() };
        let fits =
            |value: &String| value.to_lowercase().starts_with(&typed.to_lowercase()) && is_harmless(value);
        values(typed).into_iter().filter(fits).take(MOST).map(CompletionCandidate::new).collect()
    }))
}

/// Whether a shell takes these characters for a word and nothing else. What is offered stands unquoted in the line, and whoever
/// registers chooses an address: `` `…` `` in it would be run. The first character is that of no flag.
fn is_harmless(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '_' | '+' | '-'))
}

/// The same of a path, whose letters may be of any script: a file's name comes from an archive, or from who else may write here.
fn is_harmless_path(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('-')
        && path.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '@' | '.' | '_' | '+' | '-'))
}

fn paths(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = PathCompleter::any().complete(typed);
    // The home that a person has typed is theirs; a file of that name is not offered.
    let home = typed.to_str().is_some_and(|typed| typed.starts_with("~/"));
    found.retain(|one| {
        let path = one.get_value().to_str().unwrap_or_default();
        is_harmless_path(path.strip_prefix('~').filter(|_| home).unwrap_or(path))
    });
    found
}

fn contexts(_: &str) -> Vec<String> {
    let known = Contexts::load(&silent()).ok();
    let names = known.iter().flat_map(Contexts::all).map(|(name, _)| name.clone());
    let mut names: Vec<ContextName> = names.chain([ContextName::local()]).collect();
    names.sort();
    names.dedup();
    names.iter().map(ToString::to_string).collect()
}

/// The declared services.
fn declared(_: &str) -> Vec<String> {
    let Some(settings) = global().and_then(|global| settings::load(&mut silent(), &global, &[]).ok()) else {
        return Vec::new();
    };
    settings.settings.services.iter().map(|one| one.settings.name.to_string()).collect()
}

fn every_service(typed: &str) -> Vec<String> {
    let own = services::NAMES.iter().map(ToString::to_string);
    own.chain(declared(typed)).collect()
}

fn users(typed: &str) -> Vec<String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("sort", "email").append_pair("limit", "200");
    if !typed.is_empty() {
        query.append_pair("q", typed);
    }
    asked(&format!("/api_v1/users?{}", query.finish()), "email")
}

fn roles(_: &str) -> Vec<String> {
    asked("/api_v1/roles", "name")
}

fn accounts(_: &str) -> Vec<String> {
    asked("/api_v1/service-accounts", "name")
}

/// One field of each thing that the platform lists, as whoever is signed in.
fn asked(path: &str, field: &str) -> Vec<String> {
    let Some(global) = global() else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let mut context = silent();
    let listed = runtime.block_on(async {
        let work = async {
            let api = Connection::find(&mut context, &global)?.signed_in(&context).await?;
            api.get(path).await
        };
        tokio::time::timeout(PATIENCE, work).await.ok()?.ok()
    });
    let rows = listed.map(|answer| answer.body).unwrap_or_default();
    let text = |row: &Value| row[field].as_str().map(str::to_owned);
    rows.as_array().into_iter().flatten().filter_map(text).collect()
}

/// The flags of the line so far that say which platform is meant; the variables count as always.
fn global() -> Option<Global> {
    const FLAGS: [&str; 5] = ["--url", "--context", "--config", "--data-dir", "--set"];
    let words: Vec<String> = std::env::args().skip_while(|word| word != "--").skip(1).collect();
    let mut line = vec!["platform".to_owned(), "whoami".to_owned()];
    for (index, word) in words.iter().enumerate() {
        let joined = FLAGS.iter().any(|flag| word.starts_with(&format!("{flag}=")));
        if joined {
            line.push(word.clone());
        } else if FLAGS.contains(&word.as_str())
            && let Some(value) = words.get(index + 1)
        {
            line.extend([word.clone(), value.clone()]);
        }
    }
    Arguments::try_parse_from(line).ok().map(|arguments| arguments.global)
}

/// The surroundings of a command that tells nobody anything.
fn silent() -> Context {
    let mut context = Context::of_process();
    context.stdout = Box::new(io::sink());
    context.stderr = Box::new(io::sink());
    context.interactive = false;
    context.error_colour = false;
    context
}

/// Whether a shell asks, by the environment of this process.
pub(crate) fn asked_by_a_shell() -> Option<OsString> {
    std::env::var_os(VARIABLE).filter(|name| !name.is_empty() && Path::new(name).components().count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_harmless_that_a_shell_does_more_with_than_to_take_it_as_a_word() {
        for value in ["ada@example.com", "ada.l+x-y_z@a-b.example", "users", "service-account_1"] {
            assert!(is_harmless(value), "{value}");
            assert!(is_harmless_path(value), "{value}");
        }
        assert!(is_harmless_path("../Übersicht/2026.csv"));
        let harmless = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
        for c in ('\0'..='\u{ff}').chain(['\u{2018}', '\u{2028}', '\u{3000}', '\u{ff40}', '\u{feff}']) {
            for value in [format!("a{c}"), format!("a{c}b"), format!("a{c}b@example.com")] {
                assert_eq!(is_harmless(&value), harmless(c), "{value:?}");
                let of_a_path = harmless(c) || c == '/' || c.is_alphanumeric();
                assert_eq!(is_harmless_path(&value), of_a_path, "{value:?}");
            }
        }
        for value in ["", "-x@example.com", "--yes", "@file", "+x", ".", "~root", "=ls"] {
            assert!(!is_harmless(value), "{value}");
        }
        assert!(!is_harmless_path("--yes") && !is_harmless_path("~root"));
    }
}
