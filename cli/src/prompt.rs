//! Questions to a person on a terminal, and secrets from wherever they may come: never from an argument.

use std::io::Read as _;
use std::path::Path;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Password};
use kit::config::{read_secret_file, without_line_break};
use secrecy::{ExposeSecret, SecretString};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Asks; the real one on the terminal, another one in tests.
pub(crate) trait Prompt: Send {
    /// A line of text.
    fn text(&self, question: &str) -> Result<String, String>;
    /// A line that is not shown while it is typed.
    fn hidden(&self, question: &str) -> Result<SecretString, String>;
    /// Yes or no; no is what Enter means.
    fn confirm(&self, question: &str) -> Result<bool, String>;
}

/// Asks on the terminal, by standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TerminalPrompt;

impl Prompt for TerminalPrompt {
    fn text(&self, question: &str) -> Result<String, String> {
        Input::<String>::new()
            .with_prompt(question)
            .interact_text_on(&Term::stderr())
            .map_err(|error| error.to_string())
    }

    fn hidden(&self, question: &str) -> Result<SecretString, String> {
        Password::new()
            .with_prompt(question)
            .allow_empty_password(true)
            .interact_on(&Term::stderr())
            .map(SecretString::from)
            .map_err(|error| error.to_string())
    }

    fn confirm(&self, question: &str) -> Result<bool, String> {
        Confirm::new()
            .with_prompt(question)
            .default(false)
            .interact_on(&Term::stderr())
            .map_err(|error| error.to_string())
    }
}

fn asked<T>(answer: Result<T, String>) -> Outcome<T> {
    answer.map_err(|reason| Failure::failed("the question was not answered").because(reason))
}

/// Asks for a line that is not shown.
pub(crate) fn hidden(context: &Context, question: &str) -> Outcome<SecretString> {
    asked(context.prompt.hidden(question))
}

/// Longest secret read from standard input.
const LONGEST: u64 = 64 * 1024;

/// Reads standard input to its end and removes exactly one line break from its end.
pub(crate) fn secret_from_stdin(context: &mut Context, name: &str) -> Outcome<SecretString> {
    let mut bytes = Vec::new();
    let read = context.stdin.by_ref().take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::failed(format!("can't read the {name} from standard input: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::failed(format!("the {name} on standard input is longer than {LONGEST} bytes")));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::failed(format!("the {name} on standard input is not UTF-8")))?;
    let text = without_line_break(&text);
    if text.is_empty() {
        return Err(Failure::failed(format!("the {name} on standard input is empty")));
    }
    Ok(SecretString::from(text))
}

/// Where a password may come from, as the arguments say.
#[derive(Debug, Clone, Default)]
pub(crate) struct PasswordSource {
    /// `--password-stdin`
    pub(crate) from_stdin: bool,
    /// `--password-file`
    pub(crate) file: Option<std::path::PathBuf>,
}

/// Finds a password: standard input, a file, a variable, or a person who is asked (twice for a new one).
pub(crate) fn password(context: &mut Context, source: &PasswordSource, new: bool) -> Outcome<SecretString> {
    if source.from_stdin {
        return secret_from_stdin(context, "password");
    }
    if context.variable("PLATFORM_USER_PASSWORD").is_some()
        && context.variable("PLATFORM_USER_PASSWORD_FILE").is_some()
    {
        return Err(Failure::failed("PLATFORM_USER_PASSWORD and PLATFORM_USER_PASSWORD_FILE are both set")
            .next("Set only one of them."));
    }
    if let Some(path) = &source.file {
        return secret_from_file(path, "--password-file");
    }
    if let Some(value) = context.variable("PLATFORM_USER_PASSWORD") {
        return Ok(SecretString::from(value));
    }
    if !context.interactive {
        return Err(Failure::usage("no password is given, and this is no terminal to ask on")
            .because(
                "it comes from --password-stdin, from --password-file FILE, or from PLATFORM_USER_PASSWORD",
            )
            .next("For example: printf '%s\\n' \"$PASSWORD\" | platform … --password-stdin"));
    }
    if new {
        return new_password(context, "Password");
    }
    not_empty(asked(context.prompt.hidden("Password"))?)
}

/// Asks for a password to be set, twice.
pub(crate) fn new_password(context: &Context, question: &str) -> Outcome<SecretString> {
    let first = asked(context.prompt.hidden(question))?;
    let second = asked(context.prompt.hidden(&format!("{question}, once more")))?;
    if first.expose_secret() != second.expose_secret() {
        return Err(
            Failure::failed("the two passwords are not the same").next("Nothing was changed: try again.")
        );
    }
    not_empty(first)
}

fn not_empty(password: SecretString) -> Outcome<SecretString> {
    if password.expose_secret().is_empty() {
        return Err(Failure::failed("the password is empty"));
    }
    Ok(password)
}

/// Where a service account's secret may come from, as the arguments say.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretSource {
    /// `--secret-stdin`
    pub(crate) from_stdin: bool,
    /// `--secret-file`
    pub(crate) file: Option<std::path::PathBuf>,
}

/// Finds a service account's secret: standard input, a file, a variable, or a person who is asked.
pub(crate) fn service_account_secret(context: &mut Context, source: &SecretSource) -> Outcome<SecretString> {
    const VARIABLE: &str = "PLATFORM_SERVICE_ACCOUNT_SECRET";
    let secret = match (source.from_stdin, &source.file, context.variable(VARIABLE)) {
        (true, ..) => secret_from_stdin(context, "secret")?,
        (false, Some(path), _) => secret_from_file(path, "--secret-file")?,
        (false, None, Some(value)) => SecretString::from(value),
        (false, None, None) if context.interactive => asked(context.prompt.hidden("Secret"))?,
        (false, None, None) => {
            return Err(Failure::usage("no secret is given, and this is no terminal to ask on").because(
                format!("it comes from --secret-stdin, from --secret-file FILE, or from {VARIABLE}"),
            ));
        }
    };
    Ok(SecretString::from(secret.expose_secret().trim()))
}

/// Reads a secret from a file; `-` is standard input's business, not this function's.
pub(crate) fn secret_from_file(path: &Path, flag: &str) -> Outcome<SecretString> {
    read_secret_file(path).map_err(|reason| Failure::failed(format!("{flag} {reason}")))
}

/// A value that a person can be asked for.
pub(crate) fn value(
    context: &mut Context,
    given: Option<String>,
    question: &str,
    flag: &str,
) -> Outcome<String> {
    match given {
        Some(value) => Ok(value),
        None if context.interactive => asked(context.prompt.text(question)),
        None => Err(Failure::usage(format!("{flag} is missing, and this is no terminal to ask on"))),
    }
}

/// Refuses, before anything is looked at, where a destructive command would ask and nobody could answer.
pub(crate) fn answerable(context: &Context, yes: bool) -> Outcome {
    if yes || context.interactive {
        return Ok(());
    }
    Err(Failure::usage("this needs a yes, and this is no terminal to ask on").next("Add --yes."))
}

/// Lets a destructive command go on: by `--yes`, or by a person.
pub(crate) fn confirmed(context: &mut Context, yes: bool, question: &str) -> Outcome {
    if yes {
        return Ok(());
    }
    answerable(context, yes)?;
    if asked(context.prompt.confirm(question))? {
        Ok(())
    } else {
        Err(Failure::new(Exit::Failed, "not done: the answer was no"))
    }
}
