"""Three Python libraries, each used as its documentation says, to verify one access token by a JWK set that is fetched anew."""

import importlib.metadata
import json
import urllib.request
import warnings

# Of Authlib, that joserfc follows it (which is asked as well); of joserfc, that RFC 9864 has a newer name for "EdDSA", which few
# libraries know yet.
warnings.filterwarnings("ignore", message=".*(authlib.jose module|EdDSA) is deprecated.*")

import authlib.jose.errors  # noqa: E402
import joserfc.errors  # noqa: E402
import joserfc.jwk  # noqa: E402
import joserfc.jwt  # noqa: E402
import jwt  # noqa: E402
from authlib.jose import JsonWebKey, JsonWebToken  # noqa: E402

ALGORITHMS = ["EdDSA", "ES256"]
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]
KIND = "at+jwt"


class WrongKind(Exception):
    """Another `typ` than that of access tokens (RFC 9068 §2.1)."""


def fetched(url):
    """The JWK set as it is served now."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def with_pyjwt(question):
    """https://pyjwt.readthedocs.io/en/stable/usage.html#retrieve-rsa-signing-keys-from-a-jwks-endpoint"""
    token = question["token"]
    key = jwt.PyJWKClient(question["jwks"]).get_signing_key_from_jwt(token)
    if jwt.get_unverified_header(token)["typ"] != KIND:
        raise WrongKind
    return jwt.decode(
        token, key, algorithms=ALGORITHMS, issuer=question["issuer"], audience=question["audience"], options={"require": REQUIRED}
    )


def with_authlib(question):
    """https://docs.authlib.org/en/latest/jose/jwt.html"""
    options = {name: {"essential": True} for name in REQUIRED}
    options["iss"]["value"] = question["issuer"]
    options["aud"]["value"] = question["audience"]
    keys = JsonWebKey.import_key_set(fetched(question["jwks"]))
    claims = JsonWebToken(ALGORITHMS).decode(question["token"], keys, claims_options=options)
    if claims.header["typ"] != KIND:
        raise WrongKind
    claims.validate(leeway=0)
    return dict(claims)


def with_joserfc(question):
    """https://jose.authlib.org/en/guide/jwt/"""
    keys = joserfc.jwk.KeySet.import_key_set(fetched(question["jwks"]))
    token = joserfc.jwt.decode(question["token"], keys, algorithms=ALGORITHMS)
    if token.header["typ"] != KIND:
        raise WrongKind
    rules = {name: {"essential": True} for name in REQUIRED}
    rules["iss"]["value"] = question["issuer"]
    rules["aud"]["value"] = question["audience"]
    joserfc.jwt.JWTClaimsRegistry(leeway=0, **rules).validate(token.claims)
    return token.claims


ALL = {"PyJWT": with_pyjwt, "Authlib": with_authlib, "joserfc": with_joserfc}


def verdict(error):
    """Why a library refuses; `failed` for whatever is no refusal of a token."""
    match error:
        case jwt.InvalidSignatureError() | authlib.jose.errors.BadSignatureError() | joserfc.errors.BadSignatureError():
            return "signature"
        case jwt.InvalidAudienceError():
            return "audience"
        case authlib.jose.errors.InvalidClaimError() if error.claim_name == "aud":
            return "audience"
        case joserfc.errors.InvalidClaimError() if error.claim == "aud":
            return "audience"
        case jwt.ExpiredSignatureError() | authlib.jose.errors.ExpiredTokenError() | joserfc.errors.ExpiredTokenError():
            return "expired"
        case jwt.PyJWKClientError() if "Unable to find a signing key" in str(error):
            return "key"
        case joserfc.errors.InvalidKeyIdError():
            return "key"
        # Authlib has no class of its own for it.
        case ValueError() if str(error) == "Key not found":
            return "key"
    return "failed"


def answer(verify, question):
    """What a library says to a token."""
    try:
        return {"verdict": "good", "claims": verify(question)}
    except Exception as error:  # noqa: BLE001 - whatever is raised is the answer
        return {"verdict": verdict(error), "error": f"{type(error).__module__}.{type(error).__name__}: {error}"}


def versions():
    """Which versions answered."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ALL)
