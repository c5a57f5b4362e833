//! Rules that hold for the whole tree of commands.

use clap::Command;

use super::{Arguments, command, known_variables};
use clap::CommandFactory as _;

fn walk(command: &Command, path: &str, visit: &mut impl FnMut(&str, &Command)) {
    let path = format!("{path} {}", command.get_name());
    visit(path.trim(), command);
    for inner in command.get_subcommands() {
        walk(inner, &path, visit);
    }
}

#[test]
fn the_tree_is_sound() {
    command().debug_assert();
}

#[test]
fn no_argument_shows_the_value_of_its_variable() {
    walk(&command(), "", &mut |path, command| {
        for argument in command.get_arguments() {
            let shown = argument.get_env().is_some() && !argument.is_hide_env_values_set();
            assert!(!shown, "{path}: {} shows its variable's value", argument.get_id());
        }
    });
}

#[test]
fn every_flag_has_a_variable() {
    walk(&Arguments::command(), "", &mut |path, command| {
        for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let has = argument.get_env().is_some() || help.contains("[env: PLATFORM__");
            let of_clap = matches!(argument.get_id().as_str(), "help" | "version");
            assert!(has || of_clap, "{path}: {} has none", argument.get_id());
        }
    });
}

#[test]
fn no_flag_takes_a_secret_as_its_value() {
    walk(&command(), "", &mut |path, command| {
        for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
            let name = argument.get_id().as_str();
            let secret = ["password", "token", "secret", "key"].iter().any(|word| name.contains(word));
            assert!(!secret || name.ends_with("_file"), "{path}: {name} takes a secret");
        }
    });
}

#[test]
fn every_command_and_argument_is_described() {
    walk(&command(), "", &mut |path, command| {
        assert!(command.get_about().is_some(), "{path} is not described");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path}: {} is not described", argument.get_id());
        }
    });
}

#[test]
fn the_help_texts_are_as_reviewed() {
    let mut all = String::new();
    let mut root = command();
    root.build();
    walk(&root, "", &mut |path, command| {
        let help = command.clone().term_width(100).render_help();
        all.extend(["===== ", path, " =====\n", &help.to_string(), "\n"]);
    });
    insta::assert_snapshot!("help", all);
}

#[test]
fn variables_that_commands_read_are_known() {
    let names = known_variables();
    for name in [
        "PLATFORM_TOKEN",
        "PLATFORM_URL",
        "PLATFORM_USER_PASSWORD",
        "PLATFORM_USER_PASSWORD_FILE",
        "PLATFORM_YES",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}
