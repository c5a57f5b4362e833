//! What a letter says: a template for each purpose, which an operator can replace.
//!
//! A template is a text whose first line is `Subject: …`, and, if there is one, an HTML form of the same name. It is tried at start with
//! made-up values, so that a fault in it is found before a user waits for a letter.

use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use time::Duration;

use crate::identity::links::Purpose;

/// The built-in templates.
const BUILT_IN: [(Purpose, &str); 3] = [
    (Purpose::ResetPassword, include_str!("templates/reset-password.txt")),
    (Purpose::Invitation, include_str!("templates/accept-invitation.txt")),
    (Purpose::VerifyAddress, include_str!("templates/verify-address.txt")),
];

/// A template that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTemplate {
    /// The file can't be read.
    #[error("{path} can't be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It does not parse, or uses what is not there.
    #[error("{name}: {error} (there are: link, email, first_name, valid_for, platform)")]
    Faulty {
        /// The template.
        name: String,
        /// What is wrong, and in which line.
        error: Box<minijinja::Error>,
    },
    /// Its first line is no subject.
    #[error("{0}: the first line must be `Subject: …`")]
    NoSubject(String),
}

/// What a letter is written with.
#[derive(Debug, Clone)]
pub(crate) struct Values<'v> {
    pub(crate) link: &'v str,
    pub(crate) email: &'v str,
    pub(crate) first_name: Option<&'v str>,
    pub(crate) valid_for: std::time::Duration,
    pub(crate) platform: &'v str,
}

/// A letter, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
}

/// The templates of all letters.
#[derive(Debug, Clone)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The built-in templates, with those in their place that `folder` holds: `reset-password.txt`, `accept-invitation.txt`,
    /// `verify-address.txt`, and HTML forms beside them.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub fn load(folder: Option<&Path>) -> Result<Self, BadTemplate> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if Path::new(name).extension().is_some_and(|extension| extension == "html") {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        for (purpose, built_in) in BUILT_IN {
            let text = format!("{}.txt", purpose.name());
            let source = replaced(folder, &text)?.unwrap_or_else(|| built_in.to_owned());
            add(&mut environment, &text, source)?;
            let html = format!("{}.html", purpose.name());
            if let Some(source) = replaced(folder, &html)? {
                add(&mut environment, &html, source)?;
            }
        }
        let templates = Self { environment };
        for purpose in Purpose::ALL {
            templates.write(purpose, &Values::made_up(purpose))?;
        }
        Ok(templates)
    }

    /// Writes a letter.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub(crate) fn write(&self, purpose: Purpose, values: &Values<'_>) -> Result<Letter, BadTemplate> {
        let name = format!("{}.txt", purpose.name());
        let whole = self.render(&name, values)?.ok_or_else(|| BadTemplate::NoSubject(name.clone()))?;
        let (first, rest) = whole.split_once('\n').unwrap_or((&whole, ""));
        let subject =
            first.trim_end().strip_prefix("Subject:").map(str::trim).filter(|text| !text.is_empty());
        Ok(Letter {
            subject: subject.ok_or(BadTemplate::NoSubject(name))?.to_owned(),
            text: rest.trim_start_matches(['\r', '\n']).to_owned(),
            html: self.render(&format!("{}.html", purpose.name()), values)?,
        })
    }

    fn render(&self, name: &str, values: &Values<'_>) -> Result<Option<String>, BadTemplate> {
        let Ok(template) = self.environment.get_template(name) else { return Ok(None) };
        let values = context! {
            link => values.link,
            email => values.email,
            first_name => values.first_name,
            valid_for => for_people(values.valid_for),
            platform => values.platform,
        };
        template.render(values).map(Some).map_err(|error| faulty(name, error))
    }
}

impl Values<'static> {
    fn made_up(purpose: Purpose) -> Self {
        Self {
            link: "https://platform.example/account/x#token=plt_x",
            email: "ada@example.com",
            first_name: Some("Ada"),
            valid_for: purpose.life(),
            platform: "platform.example",
        }
    }
}

fn replaced(folder: Option<&Path>, name: &str) -> Result<Option<String>, BadTemplate> {
    let Some(path) = folder.map(|folder| folder.join(name)) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(source) => Ok(Some(source)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BadTemplate::Unreadable { path, error }),
    }
}

fn add(environment: &mut Environment<'static>, name: &str, source: String) -> Result<(), BadTemplate> {
    environment.add_template_owned(name.to_owned(), source).map_err(|error| faulty(name, error))
}

fn faulty(name: &str, error: minijinja::Error) -> BadTemplate {
    BadTemplate::Faulty { name: name.to_owned(), error: Box::new(error) }
}

/// `1 hour`, `7 days`: a link's life is whole hours.
fn for_people(life: std::time::Duration) -> String {
    let hours = Duration::try_from(life).map_or(0, Duration::whole_hours);
    let (count, unit) = if hours % 24 == 0 && hours >= 48 { (hours / 24, "day") } else { (hours, "hour") };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(first_name: Option<&'static str>) -> Values<'static> {
        Values { first_name, ..Values::made_up(Purpose::ResetPassword) }
    }

    #[test]
    fn every_built_in_letter_has_a_subject_the_link_and_how_long_it_is_good() {
        let templates = Templates::load(None).unwrap();
        for (purpose, life) in [
            (Purpose::ResetPassword, "1 hour"),
            (Purpose::Invitation, "7 days"),
            (Purpose::VerifyAddress, "24 hours"),
        ] {
            for first_name in [None, Some("Ada")] {
                let values = Values { first_name, ..Values::made_up(purpose) };
                let letter = templates.write(purpose, &values).unwrap();
                assert!(letter.subject.contains("platform.example"), "{letter:?}");
                assert!(letter.text.contains(values.link) && letter.text.contains(life), "{letter:?}");
                assert_eq!(letter.text.contains("Ada"), first_name.is_some(), "{letter:?}");
            }
        }
    }

    #[test]
    fn a_template_of_the_operator_s_takes_the_place_of_the_built_in_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("reset-password.txt"),
            "Subject: Hello {{ email }}\r\n\r\n{{ link }}",
        )
        .unwrap();
        std::fs::write(folder.path().join("reset-password.html"), "<p>{{ first_name }}</p>").unwrap();
        let templates = Templates::load(Some(folder.path())).unwrap();
        let letter = templates.write(Purpose::ResetPassword, &values(Some("<script>"))).unwrap();
        assert_eq!(letter.subject, "Hello ada@example.com");
        assert!(letter.text.starts_with("https://"));
        assert_eq!(letter.html.unwrap(), "<p>&lt;script&gt;</p>");
        assert!(templates.write(Purpose::VerifyAddress, &values(None)).unwrap().html.is_none());
    }

    #[test]
    fn a_faulty_template_is_found_at_start_and_named_with_its_line() {
        for (source, said) in [
            ("Subject: x\n\n{{ lnk }}", "reset-password.txt"),
            ("Subject: x\n\n{{ link", "reset-password.txt:3"),
            ("no subject\n{{ link }}", "must be `Subject: …`"),
            ("", "must be `Subject: …`"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("reset-password.txt"), source).unwrap();
            let error = Templates::load(Some(folder.path())).unwrap_err().to_string();
            assert!(error.contains(said), "{source:?}: {error}");
        }
    }
}
