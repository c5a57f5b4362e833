//! The pages behind the links that are sent out, for an installation that has none of its own (`mail.link_url` names others).

use poem::Route;

use super::fixed::Fixed;

/// Nothing but what comes from here, not even inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Their paths.
pub(crate) const PATHS: [&str; 5] = [
    "/account/reset-password",
    "/account/accept-invitation",
    "/account/verify-address",
    "/account/account.js",
    "/account/account.css",
];

/// Adds the pages to a router.
pub(crate) fn routes(route: Route) -> Route {
    let [reset, invitation, verification, script, style] = PATHS;
    let page = || Fixed::new("text/html; charset=utf-8", POLICY, include_str!("account_pages/page.html"));
    route
        .at(reset, page())
        .at(invitation, page())
        .at(verification, page())
        .at(
            script,
            Fixed::new("text/javascript; charset=utf-8", POLICY, include_str!("account_pages/account.js")),
        )
        .at(style, Fixed::new("text/css; charset=utf-8", POLICY, include_str!("account_pages/account.css")))
}
