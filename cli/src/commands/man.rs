//! `platform man`: man pages and the reference in docs/CLI.md, made of the same tree that takes the arguments.

mod reference;

use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::arguments::command;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Writes one page, all of them into a folder, or the reference.
pub(crate) fn run(context: &mut Context, words: &[String], folder: Option<&Path>, markdown: bool) -> Outcome {
    let tree = tree();
    if markdown {
        let text = reference::text(&tree);
        context.stdout.write_all(text.as_bytes())?;
        return Ok(());
    }
    if let Some(folder) = folder {
        let folder = context.folder.join(folder);
        let failed = |error: &std::io::Error| {
            Failure::failed(format!("can't write in {}", folder.display())).caused_by(error)
        };
        std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
        let mut count = 0;
        pages(&tree, &mut |command| {
            count += 1;
            let (name, text) = (page_name(command), page(command)?);
            std::fs::write(folder.join(name), text).map_err(|error| failed(&error))
        })?;
        context.note(&format!("Wrote {count} pages to {}.", folder.display()));
        return Ok(());
    }
    let mut found = &tree;
    for word in words {
        found = found.find_subcommand(word).ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no command platform {}", words.join(" ")))
                .next("`platform --help` lists the commands.")
        })?;
    }
    let text = page(found)?;
    context.stdout.write_all(&text)?;
    Ok(())
}

/// The tree with the names that pages and headings have, and without `help`, which needs no page.
fn tree() -> Command {
    fn without_help(command: Command) -> Command {
        command.disable_help_subcommand(true).mut_subcommands(without_help)
    }
    let mut tree = without_help(command());
    tree.build();
    tree
}

fn pages(command: &Command, write: &mut impl FnMut(&Command) -> Outcome) -> Outcome {
    write(command)?;
    command.get_subcommands().try_for_each(|inner| pages(inner, write))
}

fn page_name(command: &Command) -> String {
    format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name()))
}

fn page(command: &Command) -> Outcome<Vec<u8>> {
    let mut text = Vec::new();
    let title = page_name(command).trim_end_matches(".1").to_uppercase();
    let man = Man::new(command.clone().version(env!("CARGO_PKG_VERSION")))
        .title(title)
        .source("platform")
        // Where others have a date: without one the version would be taken for it.
        .date(concat!("version ", env!("CARGO_PKG_VERSION")))
        .manual("Platform");
    man.render(&mut text).map_err(|error| Failure::failed("the page can't be made").caused_by(&error))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_in_the_documents_is_that_of_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CLI.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == reference::text(&tree()),
            "docs/CLI.md is another: write it by `platform man --markdown > docs/CLI.md`"
        );
    }

    #[test]
    fn every_command_has_a_page_that_names_it_and_its_variables() {
        let mut names = Vec::new();
        pages(&tree(), &mut |command| {
            let text = String::from_utf8(page(command)?).unwrap();
            let about = command.get_about().unwrap().to_string();
            let first = about.split([' ', '-']).next().unwrap();
            assert!(text.contains(".SH NAME") && text.contains(first), "{}:\n{text}", page_name(command));
            for variable in command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()) {
                assert!(text.contains(variable), "{} does not name {variable}", page_name(command));
            }
            names.push(page_name(command));
            Ok(())
        })
        .unwrap();
        for name in ["platform.1", "platform-user.1", "platform-user-list.1", "platform-routes-explain.1"] {
            assert!(names.iter().any(|known| known == name), "{name} is not in {names:?}");
        }
    }
}
