//! The reference of all commands as Markdown: what `--help` tells, with links between them.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

const BEGINNING: &str = "# The command\n\n\
    Every command of `platform` with its arguments, as `--help` and the man pages tell them. Written by `platform man --markdown`;\n\
    a test keeps it equal to the code.\n";

/// The whole reference.
pub(super) fn text(tree: &Command) -> String {
    let mut text = BEGINNING.to_owned();
    text.push_str("\n| command | does |\n| --- | --- |\n");
    contents(tree, "platform", &mut text);
    let _ = writeln!(text, "\n## Options of every command\n");
    table(tree.get_arguments().filter(|argument| is_global(argument)), &mut text);
    if let Some(after) = tree.get_after_help() {
        let _ = writeln!(text, "\n```\n{after}\n```");
    }
    for inner in tree.get_subcommands() {
        section(inner, "platform", 2, &mut text);
    }
    text
}

/// What is told once for all, or by clap itself.
fn is_global(argument: &Arg) -> bool {
    argument.is_global_set() && !is_of_clap(argument)
}

fn is_of_clap(argument: &Arg) -> bool {
    matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn contents(command: &Command, path: &str, text: &mut String) {
    for inner in command.get_subcommands() {
        let path = format!("{path} {}", inner.get_name());
        if inner.has_subcommands() && inner.is_subcommand_required_set() {
            contents(inner, &path, text);
        } else {
            let _ = writeln!(text, "| [`{path}`](#{}) | {} |", path.replace(' ', "-"), about(inner));
            contents(inner, &path, text);
        }
    }
}

fn about(command: &Command) -> String {
    cell(&command.get_about().map(ToString::to_string).unwrap_or_default())
}

fn section(command: &Command, path: &str, level: usize, text: &mut String) {
    let path = format!("{path} {}", command.get_name());
    let _ = writeln!(text, "\n{} {path}\n\n{}", "#".repeat(level), about(command));
    let is_group = command.has_subcommands() && command.is_subcommand_required_set();
    if !is_group {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        let _ = writeln!(text, "\n```\n{usage}\n```");
    }
    let own = |argument: &&Arg| !argument.is_global_set() && !is_of_clap(argument) && !argument.is_hide_set();
    if command.get_arguments().any(|argument| own(&argument)) {
        text.push('\n');
        table(command.get_arguments().filter(own), text);
    }
    if let Some(after) = command.get_after_help() {
        let _ = writeln!(text, "\n```\n{after}\n```");
    }
    for inner in command.get_subcommands() {
        section(inner, &path, level + 1, text);
    }
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>, text: &mut String) {
    text.push_str("| argument | variable | what it is |\n| --- | --- | --- |\n");
    for argument in arguments {
        let variable = argument.get_env().map(|name| format!("`{}`", name.to_string_lossy()));
        let mut help = cell(&argument.get_help().map(ToString::to_string).unwrap_or_default());
        let takes_values = argument.get_action().takes_values();
        let defaults: Vec<String> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        if takes_values && !defaults.is_empty() {
            let _ = write!(help, " [default: {}]", cell(&defaults.join(", ")));
        }
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|value| takes_values && !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() {
            let _ = write!(help, " One of {}.", values.join(", "));
        }
        let _ = writeln!(text, "| {} | {} | {help} |", shape(argument), variable.unwrap_or_default());
    }
}

/// `-o`, `--output FORM`; a positional one is its name.
fn shape(argument: &Arg) -> String {
    let names: Vec<String> =
        argument.get_value_names().into_iter().flatten().map(ToString::to_string).collect();
    let value = names.join(" ");
    if argument.is_positional() {
        let several = argument.get_num_args().is_some_and(|range| range.max_values() > 1);
        return format!("`{value}{}`", if several { "…" } else { "" });
    }
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let long = argument.get_long().unwrap_or_default();
    let value = if argument.get_action().takes_values() { format!(" {value}") } else { String::new() };
    format!("{short}`--{long}{}`", value.replace('|', "\\|"))
}

/// Text as it stands in a cell: one line, nothing that Markdown would take for its own.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}
