"""An OpenID provider on loopback, faithful to OpenID Connect Core 1.0 and RFC 7636, with the faults of real ones and of liars."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.clock import CityClock
from gateway.server import Server, listen_tcp
from gateway.tasks import Tasks

CLIENT, SECRET = "citygate", "between us"


@dataclass
class LoginProvider:
    """claims: of who logs in next. alter: what a liar changes of the token's claims. Codes open once."""

    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "wang"})
    alter: dict[str, Any] = field(default_factory=dict)
    kid: str = "k1"
    algorithm: str = "RS256"
    shown: bool = True  # whether its keys are
    status: int = 200
    issuer: str = ""
    speaks_for: str = ""  # "" = itself
    odd: dict[str, bytes] = field(default_factory=dict)  # what it says at metadata, keys or token instead
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys: dict[str, Any] = {"k1": rsa.generate_private_key(65537, 2048)}
        self._codes: dict[str, dict[str, str]] = {}

    def turn_keys(self) -> None:
        self.kid, self.algorithm = "k2", "ES256"
        self.keys["k2"] = ec.generate_private_key(ec.SECP256R1())

    def authorize(self, url: str) -> str:
        """What a person does there; where the browser is sent back to."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert (given["response_type"], given["client_id"]) == ("code", CLIENT)
        assert given["code_challenge_method"] == "S256"
        assert "openid" in given["scope"].split(" ")
        code = secrets.token_urlsafe(16)
        self._codes[code] = given
        return f"{given['redirect_uri']}?code={code}&state={given['state']}"

    def said(self, name: str, say: Callable[[Request], Awaitable[Response]]) -> Callable[..., Any]:
        async def one(request: Request) -> Response:
            return Response(self.odd[name]) if name in self.odd else await say(request)

        return one

    async def metadata(self, _: Request) -> Response:
        self.asked.append("metadata")
        return JSONResponse(
            {
                "issuer": self.speaks_for or self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            },
            self.status,
        )

    async def jwks(self, _: Request) -> Response:
        self.asked.append("keys")
        found = []
        for kid, key in self.keys.items():
            kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            found.append({**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig"})
        return JSONResponse({"keys": found if self.shown else [{**found[0], "kid": "other"}]})

    async def token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form["code"]), None)
        scheme, _, basic = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic" or b64decode(basic).decode() != f"{CLIENT}:{SECRET}":
            return JSONResponse({"error": "invalid_client"}, 401)
        challenge = (
            urlsafe_b64encode(sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=").decode()
        )
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(CityClock().now() / 1e6)
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= {**self.claims, **self.alter}
        key = (
            "" if self.algorithm == "none" else "x" * 64 if self.algorithm == "HS256" else self.keys[self.kid]
        )
        signed = jwt.encode(claims, key, self.algorithm, {"kid": self.kid})
        return JSONResponse({"id_token": signed, "access_token": "a", "token_type": "Bearer"})


@asynccontextmanager
async def serving(provider: LoginProvider) -> AsyncIterator[LoginProvider]:
    routes = [
        Route("/city/.well-known/openid-configuration", provider.said("metadata", provider.metadata)),
        Route("/city/keys", provider.said("keys", provider.jwks)),
        Route("/city/token", provider.said("token", provider.token), methods=["POST"]),
    ]
    server = Server(Starlette(routes=routes), listen_tcp("127.0.0.1", 0))
    provider.issuer = f"http://127.0.0.1:{server.port}/city"
    async with Tasks() as tasks:
        server.start("provider", tasks)
        try:
            yield provider
        finally:
            await server.stop(CityClock())
