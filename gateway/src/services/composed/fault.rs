//! Why an operation can't be composed: each told with what mends it.

use contract::operation::Access;

use super::pointer::NotAPointer;
use crate::policy::rate_limit::NotARule;

/// Why an operation can't be composed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeFault {
    /// No parts.
    #[error("it has no parts: write [[compose.part]] below it, once for each call")]
    NoParts,
    /// No path.
    #[error("path {0:?} is no path such as /api/order-pages/{{order}}")]
    Path(String),
    /// Among the gateway's own.
    #[error("path {0:?} starts with {1}, which is the gateway's own: choose another")]
    OwnPath(String, String),
    /// The path is another operation's.
    #[error("path: {0}: choose another")]
    TakenPath(String),
    /// The name is another operation's.
    #[error("name: an operation called {0} is there already: choose another")]
    TakenName(String),
    /// Two parts of one name.
    #[error("name: two parts are called {0}: give each a name of its own")]
    SamePart(String),
    /// No such service.
    #[error("service: no service called {0} is declared{1}")]
    Service(String, String),
    /// No such operation.
    #[error("operation: {0} has no operation {1}{2}")]
    Operation(String, String, String),
    /// It changes something.
    #[error("operation: {0} is {1}; parts are GET, which may be asked at once, and again")]
    NotGet(String, String),
    /// Its answer is no JSON.
    #[error("operation: {0} answers no JSON that could be a part")]
    NoJson(String),
    /// No such parameter.
    #[error("parameters.{0}: the operation has no such parameter{1}")]
    Parameter(String, String),
    /// A header field or cookie.
    #[error(
        "parameters.{0} is no parameter of path or query; header fields of a request go on to every part by themselves"
    )]
    Place(String),
    /// Nothing to fill a parameter from.
    #[error(
        "parameters.{0} is required: fill it by {{ path = … }}, {{ query = … }}, {{ from = …, pointer = … }} or {{ value = … }}"
    )]
    Unfilled(String),
    /// No such path parameter.
    #[error("parameters.{0}: the composed path has no {{{1}}}{2}")]
    NoPathParameter(String, String, String),
    /// A path parameter that nothing uses.
    #[error("path: no part uses {{{0}}}: fill a parameter from it, or take it out")]
    UnusedPathParameter(String),
    /// A fixed value that does not fit.
    #[error("parameters.{0}: the value does not fit: {1}")]
    Value(String, String),
    /// No JSON Pointer.
    #[error("{0}: {1:?} {NotAPointer}")]
    Pointer(String, String),
    /// The schema has nothing there.
    #[error("{0}: the answer of {2} has nothing at {1}, as its document describes it")]
    Nothing(String, String, String),
    /// What is there is no text.
    #[error(
        "{0}: what the answer of {2} has at {1} is an object or a list; a parameter takes text, a number, true or false"
    )]
    NoText(String, String, String),
    /// No such part.
    #[error("parameters.{0}: there is no part {1}{2}")]
    NoPart(String, String, String),
    /// Parts that wait for each other.
    #[error("the parts wait for each other: {0}; fill one of them from the request")]
    Cycle(String),
    /// A required part that waits for an optional one.
    #[error(
        "parameters.{0}: the part is required and waits for {1}, which is not: make {1} required, or this one optional"
    )]
    WaitsForOptional(String, String),
    /// Two ways to put one answer.
    #[error("`as` and `merge` are two places for one answer: take one out")]
    TwoPlaces,
    /// What is merged must be an object whose members are known.
    #[error("merge: its document does not name the members of what is merged; put it `as` a member instead")]
    Open,
    /// A member that is there already.
    #[error("the member {0} of the composed answer is there already, by {1}: put one `as` another")]
    Clash(String, String),
    /// Weaker than a part.
    #[error("access: {given} is weaker than {asked}, which the required part {2} asks for", given = .0.text(), asked = .1.text())]
    Weak(Access, Access, String),
    /// A token that a part needs is not looked at.
    #[error("access: public looks at no token, so that {0}, which asks for {asked}, would never be there: set access = \"optional\"", asked = .1.text())]
    Blind(String, Access),
    /// No rule of a rate.
    #[error("rate_limit: {0}")]
    Rate(NotARule),
    /// A schema can't be read.
    #[error("{0}")]
    Schema(String),
}
