//! `platform login` and `logout`: a session that later commands use, and its end.

use url::{Host, Url};

use crate::api::{Api, Bearer};
use crate::arguments::{Global, LoginArguments};
use crate::connection::{Connection, given_token};
use crate::context::Context;
use crate::contexts::{ContextName, Contexts, Entry, Store, Tokens};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::safe;
use crate::prompt;

use super::sign_in;

/// Signs in, keeps the session, and makes its context the current one.
pub(crate) async fn login(context: &mut Context, global: &Global, arguments: LoginArguments) -> Outcome {
    let (mut connection, name) = Connection::to_sign_in(context, global)?;
    let before = connection.contexts.get(&name).cloned();
    // Who was signed in at another address need not be anybody here.
    let same = before.as_ref().filter(|entry| entry.url == connection.url);
    let email = arguments.email.or_else(|| same.and_then(|entry| entry.user.clone()));
    let email = prompt::value(context, email, "E-mail address", "--email ADDRESS")?;
    if in_the_clear(&connection.url) {
        context.warn(&format!(
            "{} is not encrypted: whoever is on the way reads the password and the tokens",
            connection.url
        ));
    }
    let api = connection.anonymous()?;
    let answer = sign_in::by_password(context, &api, &email, arguments.password, &arguments.files).await?;
    let tokens = Tokens::of_answer(&answer, (context.now)())?;
    if let Some(before) = &before {
        end(context, &connection, &name, before).await?;
    }
    let mut entry = Entry { url: connection.url.clone(), user: Some(email), tokens: None };
    let shelf = connection.contexts.shelf(context)?;
    let (store, refused) = if arguments.no_keyring {
        shelf.put(&name, &entry, Store::File, &tokens)?;
        (Store::File, None)
    } else {
        shelf.place(&name, &entry, &tokens)?
    };
    entry.tokens = Some(store);
    connection.contexts.put(name.clone(), entry.clone());
    connection.contexts.make_current(Some(name.clone()));
    connection.contexts.save()?;
    if let Some(reason) = refused {
        context.note(&format!("The keyring can't be used: {}.", safe(&reason)));
    }
    let place = match store {
        Store::Keyring => "in the keyring".to_owned(),
        Store::File => format!("in {}", shelf.file(&name).display()),
    };
    context.note(&format!(
        "Signed in at {} as {}: context {name}, tokens kept {place}.",
        entry.url,
        safe(entry.user.as_deref().unwrap_or_default())
    ));
    if given_token(context)?.is_some() {
        context.warn("PLATFORM_TOKEN is set, and is used before this session.");
    }
    Ok(())
}

/// Whether what is sent there can be read on the way: this machine's own addresses have no way.
fn in_the_clear(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    url.scheme() == "http" && !local
}

/// Ends the session of a context, or of all.
pub(crate) async fn logout(context: &mut Context, global: &Global, all: bool) -> Outcome {
    let mut connection = Connection::find(context, global)?;
    let names: Vec<ContextName> = if all {
        connection.contexts.all().map(|(name, _)| name.clone()).collect()
    } else {
        // Nothing was named, and nothing is current: the platform of this machine.
        vec![connection.name.clone().unwrap_or_else(ContextName::local)]
    };
    let mut ended = 0;
    for name in names {
        let Some(entry) = connection.contexts.get(&name).filter(|entry| entry.tokens.is_some()).cloned()
        else {
            continue;
        };
        end(context, &connection, &name, &entry).await?;
        connection.contexts.put(name.clone(), Entry { tokens: None, ..entry.clone() });
        connection.contexts.save()?;
        context.note(&format!("Signed out at {} (context {name}).", entry.url));
        ended += 1;
    }
    if ended == 0 {
        context.note("Nobody is signed in there.");
    }
    Ok(())
}

/// Ends a session at its platform and forgets its tokens. One that the platform can't be told of is forgotten all the same:
/// then nobody has its tokens any more.
pub(super) async fn end(
    context: &mut Context,
    connection: &Connection,
    name: &ContextName,
    entry: &Entry,
) -> Outcome {
    let Some(store) = entry.tokens else { return Ok(()) };
    let shelf = connection.contexts.shelf(context)?;
    let told = told(context, connection, name, entry).await;
    shelf.forget(name, entry, store)?;
    match told {
        // A session that has ended already is as wanted.
        Ok(()) => {}
        Err(failure) if failure.exit == Exit::NotAllowed => {}
        Err(failure) => context.warn(&format!(
            "the session at {} was forgotten here, but goes on there until it expires: {}",
            entry.url,
            safe(&failure.what)
        )),
    }
    Ok(())
}

async fn told(
    context: &Context,
    connection: &Connection,
    name: &ContextName,
    entry: &Entry,
) -> Result<(), Failure> {
    let shelf = connection.contexts.shelf(context)?;
    let session = crate::contexts::Session::open(name.clone(), entry.clone(), shelf, context.now)?;
    let Some(session) = session else { return Ok(()) };
    let api =
        Api::new(entry.url.clone(), Bearer::Session(Box::new(session)), connection.peer_at(&entry.url))?;
    api.post_nothing("/api_v1/auth/logout").await.map(|_| ())
}

/// What `platform context remove` does.
pub(super) async fn remove(
    context: &mut Context,
    connection: &mut Connection,
    name: &ContextName,
) -> Outcome {
    let entry = connection.contexts.get(name).cloned().ok_or_else(|| Contexts::unknown(name))?;
    end(context, connection, name, &entry).await?;
    connection.contexts.remove(name);
    connection.contexts.save()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_clear_is_warned_of_unless_it_stays_on_this_machine() {
        for (url, clear) in [
            ("http://staging.example.com/", true),
            ("http://10.0.0.1:8001/", true),
            ("https://staging.example.com/", false),
            ("http://127.0.0.1:8001/", false),
            ("http://[::1]:8001/", false),
            ("http://localhost:8001/", false),
        ] {
            assert_eq!(in_the_clear(&Url::parse(url).unwrap()), clear, "{url}");
        }
    }
}
