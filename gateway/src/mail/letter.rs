//! What a letter says: a template for each purpose, which an operator can replace.
//!
//! A template is a text whose first line is `Subject: …`, and, if there is one, an HTML form of the same name. It is tried at start with
//! made-up values, so that a fault in it is found before a user waits for a letter.

use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use time::Duration;

use crate::identity::links::Purpose;

/// What a letter is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// It brings a link.
    Link(Purpose),
    /// The address it is sent to is no longer the user's.
    AddressLeft,
}

/// The built-in templates.
const BUILT_IN: [(Occasion, &str); 4] = [
    (Occasion::Link(Purpose::ResetPassword), include_str!("templates/reset-password.txt")),
    (Occasion::Link(Purpose::Invitation), include_str!("templates/accept-invitation.txt")),
    (Occasion::Link(Purpose::VerifyAddress), include_str!("templates/verify-address.txt")),
    (Occasion::AddressLeft, include_str!("templates/address-left.txt")),
];

impl Occasion {
    /// The name of its template.
    fn name(self) -> &'static str {
        match self {
            Self::Link(purpose) => purpose.name(),
            Self::AddressLeft => "address-left",
        }
    }
}

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
    #[error(
        "{name}: {error} (there are: email, first_name, platform, and where a link is sent link, valid_for)"
    )]
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
    /// The link and how long it is good, where one is sent.
    pub(crate) link: Option<(&'v str, std::time::Duration)>,
    pub(crate) email: &'v str,
    pub(crate) first_name: Option<&'v str>,
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
    /// `verify-address.txt`, `address-left.txt`, and HTML forms beside them.
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
        for (occasion, built_in) in BUILT_IN {
            let text = format!("{}.txt", occasion.name());
            let source = replaced(folder, &text)?.unwrap_or_else(|| built_in.to_owned());
            add(&mut environment, &text, source)?;
            let html = format!("{}.html", occasion.name());
            if let Some(source) = replaced(folder, &html)? {
                add(&mut environment, &html, source)?;
            }
        }
        let templates = Self { environment };
        for (occasion, _) in BUILT_IN {
            templates.write(occasion, &Values::made_up(occasion))?;
        }
        Ok(templates)
    }

    /// Writes a letter.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub(crate) fn write(&self, occasion: Occasion, values: &Values<'_>) -> Result<Letter, BadTemplate> {
        let name = format!("{}.txt", occasion.name());
        let whole = self.render(&name, values)?.ok_or_else(|| BadTemplate::NoSubject(name.clone()))?;
        let (first, rest) = whole.split_once('\n').unwrap_or((&whole, ""));
        let subject =
            first.trim_end().strip_prefix("Subject:").map(str::trim).filter(|text| !text.is_empty());
        Ok(Letter {
            subject: subject.ok_or(BadTemplate::NoSubject(name))?.to_owned(),
            text: rest.trim_start_matches(['\r', '\n']).to_owned(),
            html: self.render(&format!("{}.html", occasion.name()), values)?,
        })
    }

    fn render(&self, name: &str, values: &Values<'_>) -> Result<Option<String>, BadTemplate> {
        let Ok(template) = self.environment.get_template(name) else { return Ok(None) };
        let Values { link, email, first_name, platform } = *values;
        let values = if let Some((link, life)) = link {
            context! { link, email, first_name, valid_for => for_people(life), platform }
        } else {
            context! { email, first_name, platform }
        };
        template.render(values).map(Some).map_err(|error| faulty(name, error))
    }
}

impl Values<'static> {
    fn made_up(occasion: Occasion) -> Self {
        Self {
            link: match occasion {
                Occasion::Link(purpose) => {
                    Some(("https://platform.example/account/x#token=plt_x", purpose.life()))
                }
                Occasion::AddressLeft => None,
            },
            email: "ada@example.com",
            first_name: Some("Ada"),
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

    const RESET: Occasion = Occasion::Link(Purpose::ResetPassword);

    fn values(first_name: Option<&'static str>) -> Values<'static> {
        Values { first_name, ..Values::made_up(RESET) }
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
                let values = Values { first_name, ..Values::made_up(Occasion::Link(purpose)) };
                let letter = templates.write(Occasion::Link(purpose), &values).unwrap();
                let (link, _) = values.link.unwrap();
                assert!(letter.subject.contains("platform.example"), "{letter:?}");
                assert!(letter.text.contains(link) && letter.text.contains(life), "{letter:?}");
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
        let letter = templates.write(RESET, &values(Some("<script>"))).unwrap();
        assert_eq!(letter.subject, "Hello ada@example.com");
        assert!(letter.text.starts_with("https://"));
        assert_eq!(letter.html.unwrap(), "<p>&lt;script&gt;</p>");
        assert!(
            templates.write(Occasion::Link(Purpose::VerifyAddress), &values(None)).unwrap().html.is_none()
        );
    }

    #[test]
    fn the_letter_to_an_address_that_was_left_holds_no_link_and_no_new_address() {
        let templates = Templates::load(None).unwrap();
        let letter = templates.write(Occasion::AddressLeft, &Values::made_up(Occasion::AddressLeft)).unwrap();
        assert!(letter.text.contains("ada@example.com") && letter.text.contains("Ada"), "{letter:?}");
        assert!(!letter.text.contains("://"), "{letter:?}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("address-left.txt"), "Subject: x\n\n{{ link }}").unwrap();
        assert!(Templates::load(Some(folder.path())).unwrap_err().to_string().contains("address-left.txt"));
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
