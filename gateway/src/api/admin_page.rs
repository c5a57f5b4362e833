//! The page for administrators: plain modules and styles, served as they are written. It has no way in but the public API, and
//! keeps its tokens in memory alone.

use poem::Route;

use super::fixed::Fixed;

/// Where the page is; what it is made of is below.
const PAGE: &str = "/admin";

/// Nothing but what comes from here, not even inline; and no script may make markup of a text (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What the page is made of: each path, its type and its text.
macro_rules! assets {
    ($($folder:literal as $content_type:literal: [$($name:literal),+ $(,)?]),+ $(,)?) => {
        [$($((
            concat!("/admin/", $folder, $name),
            $content_type,
            include_str!(concat!("admin_page/", $folder, $name)),
        )),+),+]
    };
}

const ASSETS: [(&str, &str, &str); 31] = assets! {
    "style/" as "text/css; charset=utf-8": ["base.css", "shell.css", "parts.css", "tables.css"],
    "" as "text/javascript; charset=utf-8": [
        "main.js",
        "announce.js",
        "dialog.js",
        "dom.js",
        "form.js",
        "format.js",
        "http.js",
        "icons.js",
        "pages.js",
        "parts.js",
        "people.js",
        "problem.js",
        "router.js",
        "session.js",
        "shell.js",
        "table.js",
    ],
    "views/" as "text/javascript; charset=utf-8": [
        "account.js",
        "accounts.js",
        "audit.js",
        "keys.js",
        "overview.js",
        "routes.js",
        "services.js",
        "sessions.js",
        "sign_in.js",
        "user.js",
        "users.js",
    ],
};

/// The paths of the page and of what it is made of.
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    std::iter::once(PAGE).chain(ASSETS.iter().map(|(path, ..)| *path))
}

/// Adds the page to a router.
pub(crate) fn routes(route: Route) -> Route {
    let page = Fixed::new("text/html; charset=utf-8", POLICY, include_str!("admin_page/page.html"));
    ASSETS.into_iter().fold(route.at(PAGE, page), |route, (path, kind, text)| {
        route.at(path, Fixed::new(kind, POLICY, text))
    })
}
