"""Tokens that nobody may be let in with: those of the recorded run (HS256), and what an attacker would make today."""

import base64
import hashlib
import hmac
import json
import time


def part(data):
    """Base64url without padding."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims, algorithm="HS256", secret=b"the old shared secret", **head):
    """A token signed by HMAC, as the replaced system's were."""
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
    text = part({"typ": "JWT", "alg": algorithm, **head}) + "." + part(claims)
    return text + "." + part(hmac.new(secret, text.encode(), digest).digest())


def old_claims(subject, kind="access", **changes):
    """Claims in the form of the replaced system."""
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "nbf": now, "exp": now + 3600, "jti": "1", "type": kind, "fresh": False, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def body_of(token):
    """The claims inside a real token."""
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def head_of(token):
    """The head of a real token."""
    text = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def expired(token):
    """A real token whose expiry was moved to the past: its signature no longer fits either."""
    head, _, signature = token.split(".")
    return ".".join([head, part({**body_of(token), "exp": int(time.time()) - 3600}), signature])


def without(token, claim):
    """A real token less one claim."""
    head, _, signature = token.split(".")
    return ".".join([head, part({name: value for name, value in body_of(token).items() if name != claim}), signature])


def unsigned(token):
    """A real token's claims under `alg: none`."""
    return part({**head_of(token), "alg": "none"}) + "." + part(body_of(token)) + "."


def by_public_key(token, key):
    """A real token's claims signed by HMAC with the public key as the secret (the algorithm confusion attack)."""
    return signed(body_of(token), secret=base64.urlsafe_b64decode(key + "=="), typ="at+jwt", kid=head_of(token).get("kid", ""))
