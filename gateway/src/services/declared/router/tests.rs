//! Paths that are found, those that are not, and how they go on.

use proptest::prelude::*;

use super::*;

impl Guarded for String {
    fn opens(&self, other: &Self) -> bool {
        self.contains("secret") || !other.contains("secret")
    }
}

fn router(paths: &[(&str, Method)]) -> Router<String> {
    let mut router = Router::default();
    for (path, method) in paths {
        router.add(path, method.clone(), format!("{method} {path}")).unwrap();
    }
    router
}

fn found(router: &Router<String>, method: &Method, path: &str) -> String {
    match router.find(path, method) {
        Match::Operation { target, parameters, path: on } => {
            let parameters: Vec<String> =
                parameters.iter().map(|(name, text)| format!(" {name}={text}")).collect();
            let on = if on == path { String::new() } else { format!(" as {on}") };
            format!("{target}{}{on}", parameters.concat())
        }
        Match::OtherMethods(methods) => format!("allow {methods:?}"),
        Match::Nothing => "nothing".to_owned(),
    }
}

const PATHS: [(&str, Method); 9] = [
    ("/users/me", Method::GET),
    ("/users/{id}", Method::GET),
    ("/users/{id}", Method::DELETE),
    ("/p/{id}/{flag}", Method::POST),
    ("/p/{x}/list", Method::GET),
    ("/files/{name}.json", Method::GET),
    ("/files/{name}", Method::GET),
    ("/compare/{base}...{head}", Method::GET),
    ("/items/", Method::GET),
];

proptest! {
    #[test]
    fn the_order_of_the_document_decides_nothing(order in Just(PATHS.to_vec()).prop_shuffle()) {
        let router = router(&order);
        for (method, path, expected) in [
            (Method::GET, "/users/me", "GET /users/me"),
            (Method::DELETE, "/users/me", "allow [GET]"),
            (Method::DELETE, "/users/7", "DELETE /users/{id} id=7"),
            (Method::GET, "/p/1/list", "GET /p/{x}/list x=1"),
            (Method::POST, "/p/1/other", "POST /p/{id}/{flag} id=1 flag=other"),
            (Method::GET, "/files/a.json", "GET /files/{name}.json name=a"),
            (Method::GET, "/files/a%2Fb", "GET /files/{name} name=a%2Fb"),
            (Method::GET, "/compare/v1...v2", "GET /compare/{base}...{head} base=v1 head=v2"),
            (Method::GET, "/items/", "GET /items/"),
            (Method::GET, "/items", "nothing"),
            (Method::GET, "/users/", "nothing"),
            (Method::GET, "/Users/me", "nothing"),
            (Method::GET, "/users/7/8", "nothing"),
        ] {
            prop_assert_eq!(found(&router, &method, path), expected);
        }
    }
}

#[test]
fn paths_that_differ_in_names_only_are_refused() {
    let mut router = router(&[("/users/{id}", Method::GET)]);
    assert!(matches!(router.add("/users/{user}", Method::POST, String::new()), Err(RouteFault::Same(..))));
    assert!(matches!(router.add("/users/{id}", Method::GET, String::new()), Err(RouteFault::Twice(..))));
    for path in ["/a/{b", "/a/b}", "/a/{}", "a"] {
        assert!(
            matches!(router.add(path, Method::GET, String::new()), Err(RouteFault::Template(_))),
            "{path}"
        );
    }
}

#[test]
fn a_path_is_found_as_a_service_reads_it_and_goes_on_so_that_it_can_be_read_in_no_other_way() {
    let router = router(&[
        ("/o/admin", Method::GET),
        ("/o/{id}", Method::GET),
        ("/o/a b", Method::GET),
        ("/o/%C3%A4", Method::GET),
        ("/o/@me", Method::GET),
        ("/o/$count", Method::GET),
        ("/o/{id}:cancel", Method::GET),
        ("/o/{a}-{b}", Method::GET),
    ]);
    for (path, expected) in [
        ("/o/%61dmin", "GET /o/admin as /o/admin"),
        ("/%6F/%61%64min", "GET /o/admin as /o/admin"),
        ("/o/a%20b", "GET /o/a b"),
        ("/o/%61%20b", "GET /o/a b as /o/a%20b"),
        ("/o/%C3%A4", "GET /o/%C3%A4"),
        ("/o/%c3%a4", "GET /o/%C3%A4 as /o/%C3%A4"),
        ("/o/ä", "GET /o/%C3%A4 as /o/%C3%A4"),
        ("/o/%40me", "GET /o/@me as /o/@me"),
        ("/o/%24count", "GET /o/$count as /o/$count"),
        ("/o/7%3Acancel", "GET /o/{id}:cancel id=7 as /o/7:cancel"),
        ("/o/a%3B%37%3acance%6C", "GET /o/{id}:cancel id=a%3B7 as /o/a%3B7:cancel"),
        ("/o/x%2Dy%2F", "GET /o/{a}-{b} a=x b=y%2F as /o/x-y%2F"),
        ("/o/%37%3B%20%2f", "GET /o/{id} id=7%3B%20%2f as /o/7%3B%20%2f"),
        ("/o/%2561dmin", "GET /o/{id} id=%2561dmin"),
        ("/o/a;b=1", "GET /o/{id} id=a;b=1"),
    ] {
        assert_eq!(found(&router, &Method::GET, path), expected, "{path}");
    }
}

#[test]
fn a_hidden_path_is_as_if_it_were_not_there_and_no_other_is_taken_for_it() {
    let mut router = router(&[("/o/{id}", Method::GET), ("/o/{id}", Method::PUT), ("/o/part", Method::PUT)]);
    for path in ["/o/internal", "/o/part", "/o/{other}/log", "/o/{id}"] {
        router.hide(path).unwrap();
    }
    for path in
        ["/o/internal", "/o/%69nternal", "/o/Internal", "/o/internal;v=1", "/o/internal.json", "/o/7/log"]
    {
        for method in [Method::GET, Method::PUT, Method::OPTIONS] {
            assert_eq!(found(&router, &method, path), "nothing", "{method} {path}");
        }
    }
    assert_eq!(found(&router, &Method::GET, "/o/part"), "allow [PUT]");
    assert_eq!(found(&router, &Method::GET, "/o/internals"), "GET /o/{id} id=internals");
    // Something else may be made of the path.
    router.add("/o/{mine}/log", Method::GET, "mine".to_owned()).unwrap();
    assert_eq!(found(&router, &Method::GET, "/o/7/log"), "mine mine=7");
}

#[test]
fn a_path_that_a_lax_service_takes_for_one_with_narrower_rules_is_nobody_s() {
    let router = router(&[
        ("/o/secret", Method::GET),
        ("/o/open", Method::GET),
        ("/o/{id}", Method::GET),
        ("/o/{id}", Method::DELETE),
        ("/o/{id}/", Method::GET),
        ("/o/{name}.secret", Method::GET),
        ("/{a}/{b}/c", Method::GET),
        ("/secret/{b}/c", Method::GET),
        ("/secret/{b}/d", Method::GET),
        ("/{x}/{secret}", Method::GET),
        ("/s/Äsecret", Method::GET),
        ("/s/{id}", Method::GET),
    ]);
    for path in [
        "/o/Secret",
        "/o/SECRET",
        "/o/secret;x=1",
        "/o/secret.json",
        "/o/%73ecret%3Bx",
        "/o/secret/",
        "/o/a.SECRET",
        "/o/a.secret;x",
        "/Secret/1/c",
        "/s/%C3%A4Secret",
    ] {
        assert_eq!(found(&router, &Method::GET, path), "nothing", "{path}");
    }
    for (path, expected) in [
        ("/o/Open", "GET /o/{id} id=Open"),
        ("/o/open;x=1", "GET /o/{id} id=open;x=1"),
        ("/o/secrets", "GET /o/{id} id=secrets"),
        ("/o/7", "GET /o/{id} id=7"),
        ("/o/7/", "GET /o/{id}/ id=7"),
        ("/o/secret", "GET /o/secret"),
        ("/secret/1/c", "GET /secret/{b}/c b=1"),
        ("/x/1/c", "GET /{a}/{b}/c a=x b=1"),
    ] {
        assert_eq!(found(&router, &Method::GET, path), expected, "{path}");
    }
    assert_eq!(found(&router, &Method::DELETE, "/o/Secret"), "DELETE /o/{id} id=Secret");
}
