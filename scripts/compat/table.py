"""What this system answers to each recorded request: the same, or, where the replaced one was wrong, the right answer.

A line of the recording without an entry here is sent as the recording's own user and must be answered as recorded.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """How one line is sent, and what must come back."""

    #: Why the answer differs from the recording; None where it must not.
    reason: str | None = None
    #: Whose token is sent: a name of the runner's users, or one of the runner's forged tokens.
    actor: str | None = None
    #: The right status, where it differs.
    status: int | None = None
    #: Fields the answer must hold (a subset), where it differs.
    fields: dict = field(default_factory=dict)
    #: Exact pointers of a 422, where the recording doesn't tell.
    pointers: frozenset | None = None
    #: Words that the detail must hold.
    naming: str | None = None
    #: Media type sent with the body.
    media: str | None = None
    #: Names of extra steps of the runner, before and after the request.
    before: str | None = None
    after: str | None = None
    #: Refused with 403 to this user first, then sent as `actor`.
    refused_to: str | None = None
    #: The password is sent as recorded: it is the point of the case.
    raw_password: bool = False


def kept(**rest):
    """Answered as recorded."""
    return Entry(**rest)


def deliberate(reason, status, **rest):
    """Answered otherwise, on purpose."""
    return Entry(reason=reason, status=status, **rest)


EXISTS = {"detail": "The user with this username already exists in the system"}
OTHERS = "only an administrator changes or deletes another user; any signed-in user could"
BAD_TOKEN = "a bad token is 401 with a challenge, not 422"
FORGED = "a token this gateway did not sign is 401, whatever it claims"
ENDED = "tokens end with the password change, the disabling or the deletion of their user"
GONE = "the token of a user that is gone is 401, not 404"
WRONG_TYPE = "a value of the wrong type is refused, not converted"
FORM = "a body that is not JSON by its media type is 415"
NOT_JSON = "broken JSON is 400"
NUL = "U+0000 in a JSON string is 400: no database keeps it; it was a 500"
NAMED = "a field the caller may not set is refused by name, never dropped in silence"
SLASH = "a trailing slash answers; a redirect would lose the body or the token"
CANONICAL = "e-mail addresses are compared without regard to case"

TABLE = {
    2: kept(after="make_admin"),
    4: deliberate(CANONICAL + ": this one is taken", 400, fields=EXISTS),
    7: kept(pointers=frozenset({""})),
    9: deliberate("an empty password is refused", 422, raw_password=True, pointers=frozenset({"/password"})),
    10: deliberate(NAMED, 403, naming="is_active"),
    11: deliberate(NAMED, 403, naming="id"),
    12: kept(after="remember_third"),
    13: deliberate(WRONG_TYPE, 422, pointers=frozenset({"/first_name"})),
    14: deliberate(NOT_JSON, 400),
    15: deliberate(FORM, 415, media="application/x-www-form-urlencoded"),
    16: deliberate(FORM, 415, media="text/plain"),
    17: kept(pointers=frozenset({""})),
    18: deliberate(SLASH, 201, fields={"email": "zz@example.com", "is_active": True}),
    21: deliberate(CANONICAL, 200, fields={"token_type": "bearer"}),
    25: deliberate(NOT_JSON, 400),
    26: deliberate(FORM, 415, media="application/x-www-form-urlencoded"),
    28: kept(actor="a refresh", before="sign_in_a_b"),
    29: deliberate("an access token at refresh is 401; it was a 500", 401, actor="a"),
    30: deliberate("refresh without a token is 401; it was a 500", 401),
    31: deliberate("a garbage refresh token is 401; it was a 500", 401, actor="garbage"),
    32: kept(actor="a refresh", after="keep_refreshed_a"),
    34: kept(actor="a"),
    36: deliberate(BAD_TOKEN, 401, actor="garbage"),
    37: deliberate(BAD_TOKEN, 401, actor="garbage in three parts"),
    38: deliberate(BAD_TOKEN, 401),
    39: deliberate("the scheme's name has no case (RFC 9110)", 200, actor="a", fields={"email": "a@example.com"}),
    40: deliberate(BAD_TOKEN, 401, actor="a"),
    41: deliberate(BAD_TOKEN, 401, actor="a refresh"),
    42: deliberate(BAD_TOKEN, 401, actor="expired"),
    43: deliberate(BAD_TOKEN, 401, actor="not yet valid"),
    44: deliberate(BAD_TOKEN, 401, actor="wrong key"),
    45: deliberate(BAD_TOKEN, 401, actor="HS512"),
    46: deliberate("`alg: none` is 401; it was a 500", 401, actor="unsigned"),
    47: deliberate("a token without an expiry is refused", 401, actor="no expiry"),
    48: deliberate(GONE, 401, actor="unknown subject"),
    49: deliberate(FORGED + "; it was a 500", 401, actor="integer subject"),
    50: deliberate("an expired token at refresh is 401; it was a 500", 401, actor="expired refresh"),
    51: deliberate(FORGED, 401, actor="self-made refresh"),
    52: deliberate(BAD_TOKEN, 401, actor="no type"),
    53: kept(actor="a"),
    54: kept(actor="a"),
    55: kept(actor="a"),
    56: kept(actor="a"),
    57: deliberate("a duplicate e-mail is 400; it was a 500", 400, actor="a", fields=EXISTS),
    58: deliberate(NAMED, 403, actor="a", naming="is_active"),
    59: kept(actor="a"),
    61: kept(actor="a"),
    62: kept(actor="a"),
    63: kept(actor="a"),
    64: kept(actor="a"),
    65: kept(actor="a"),
    66: kept(actor="a"),
    67: kept(actor="a"),
    68: kept(actor="a"),
    70: deliberate(SLASH, 200, actor="a", fields={"id": 1, "first_name": "Anna"}),
    71: deliberate(
        "PATCH exists now, and takes application/merge-patch+json", 415, actor="a", media="application/json", after="merge_patch"
    ),
    72: kept(actor="a"),
    74: kept(actor="a"),
    75: deliberate("an encoded slash in a path is 400: no two parties may read it differently", 400, actor="a"),
    76: deliberate("OPTIONS answers, with Allow", 204, after="check_allow"),
    77: deliberate(OTHERS, 200, actor="admin", refused_to="b", fields={"id": 1, "first_name": "Renamed", "last_name": "A"}),
    78: kept(actor="a"),
    79: kept(actor="admin"),
    80: kept(actor="a"),
    81: deliberate("a duplicate e-mail is 400; it was a 500", 400, actor="a", fields=EXISTS),
    82: deliberate("null leaves the e-mail as it is; it was a 500", 200, actor="a", fields={"email": "a@example.com"}),
    83: kept(actor="a"),
    85: deliberate(OTHERS, 200, actor="admin", refused_to="a", fields={"id": 2, "email": "b@example.com", "is_active": False}),
    86: deliberate(ENDED, 401, actor="b"),
    87: deliberate(ENDED, 401, actor="b"),
    90: deliberate(ENDED, 401, actor="b refresh"),
    91: deliberate("null leaves is_active as it is; it was stored", 200, actor="admin", fields={"is_active": True}),
    92: deliberate(WRONG_TYPE, 422, actor="admin", pointers=frozenset({"/is_active"}), after="enable_b"),
    93: deliberate(OTHERS, 200, actor="admin", refused_to="a", fields={"id": 2, "is_active": True}),
    94: deliberate(ENDED, 401, actor="b"),
    95: deliberate(ENDED, 401, actor="b refresh"),
    96: deliberate(NAMED, 403, actor="admin", naming="id"),
    97: deliberate(
        "an empty password is refused", 422, actor="admin", raw_password=True, pointers=frozenset({"/password"})
    ),
    98: kept(actor="admin"),
    99: kept(actor="a"),
    100: deliberate(ENDED + ", one's own as well", 401, actor="a", after="sign_in_a_again"),
    101: kept(actor="a"),
    102: deliberate("a user is the id: a changed e-mail moves no token", 200, actor="a", fields={"id": 1, "email": "a2@example.com"}),
    103: kept(after="remember_ninth"),
    104: deliberate(
        "whoever registers a freed address inherits nothing", 200, actor="a", fields={"id": 1, "email": "a2@example.com"}
    ),
    105: deliberate(OTHERS, 204, actor="admin", refused_to="a", before="sign_in_b_again"),
    106: kept(actor="a"),
    107: deliberate(GONE, 401, actor="b"),
    108: deliberate(ENDED, 401, actor="b refresh"),
    109: kept(actor="admin"),
    110: kept(actor="admin"),
    111: kept(actor="a"),
    112: deliberate("DELETE is no method of /users/me: 405 with Allow", 405, actor="a"),
    114: kept(actor="ninth"),
    115: kept(actor="ninth"),
    116: deliberate(GONE, 401, actor="ninth"),
    117: kept(after="check_long_password"),
    118: deliberate(NUL, 400, raw_password=True, naming="U+0000"),
    119: deliberate(NUL, 400, naming="U+0000"),
    122: deliberate("a name beside the address is refused: what is stored is what was sent", 422, pointers=frozenset({"/email"})),
    126: deliberate(GONE + "; a valid token hears of the body, 422", 401, actor="ninth", after="scalar_by_a"),
}
