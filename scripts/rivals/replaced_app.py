"""A minimal gateway as the replaced system had one, on current versions: FastAPI, aiohttp, PyJWT, one worker of uvicorn.

`python replaced_app.py PORT UPSTREAM SECRET`: checks an HS256 token, asks the service, holds the answer to its model.
"""

import contextlib
import datetime
import sys
from typing import Annotated

import aiohttp
import fastapi
import fastapi.security
import jwt
import pydantic
import uvicorn

PORT, UPSTREAM, SECRET = sys.argv[1:]


class User(pydantic.BaseModel):
    id: int
    email: str
    is_active: bool
    email_verified: bool
    first_name: str | None
    last_name: str | None
    roles: list[str]
    created_at: datetime.datetime
    updated_at: datetime.datetime
    must_change_password: bool


@contextlib.asynccontextmanager
async def lifespan(app):
    async with aiohttp.ClientSession(f"http://{UPSTREAM}", connector=aiohttp.TCPConnector(limit=128)) as session:
        app.state.session = session
        yield


app = fastapi.FastAPI(lifespan=lifespan)
bearer = fastapi.security.HTTPBearer()


async def caller(token: Annotated[fastapi.security.HTTPAuthorizationCredentials, fastapi.Depends(bearer)]):
    try:
        return jwt.decode(token.credentials, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise fastapi.HTTPException(401) from None


@app.get("/api_v1/users/{user_id}")
async def user(user_id: int, request: fastapi.Request, _: Annotated[dict, fastapi.Depends(caller)]) -> User:
    async with request.app.state.session.get(f"/api_v1/users/{user_id}") as answer:
        if answer.status != 200:
            raise fastapi.HTTPException(502)
        return await answer.json()


uvicorn.run(app, host="127.0.0.1", port=int(PORT), access_log=False, log_level="warning", loop="uvloop", http="httptools")
