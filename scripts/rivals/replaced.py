"""The stand-in for the replaced system: a gateway of our own writing on FastAPI and aiohttp, one worker of uvicorn."""

import base64
import hashlib
import hmac
import json
import pathlib
import time

from measuring.process import Process
from rivals.tools import PYTHON, python_version

APP = pathlib.Path(__file__).with_name("replaced_app.py")
SECRET = "a secret of the bench that is as long as HS256 wants it"


def versions():
    return {name: python_version(name) for name in ("fastapi", "uvicorn", "aiohttp", "PyJWT", "pydantic")}


def token():
    """An HS256 token of this secret that lives for an hour."""

    def coded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": "1", "exp": int(time.time()) + 3600}
    signed = b".".join(coded(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + coded(hmac.digest(SECRET.encode(), signed, hashlib.sha256))).decode()


def gateway(upstream):
    """Checks the token, asks `host:port`, holds the answer to a model."""
    return Process("fastapi", lambda server: [PYTHON / "bin/python", APP, server.port, upstream, SECRET])
