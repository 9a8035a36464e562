"""An OpenID provider, asked as OpenID Connect Core 1.0 says: discovery, code with PKCE (RFC 7636), keys, ID token.

Only the configured issuer is believed, its signature algorithms are a closed list, and every answer is bounded in bytes and time.
"""

from __future__ import annotations

import asyncio
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
from msgspec import Struct

from drivers.telemetry import MINUTE, SECOND
from gateway import foreign
from gateway.api.oidc_settings import OidcSettings
from gateway.clock import Clock
from gateway.errors import Forbidden, LinkError, Unauthorized
from gateway.notify.channels.outgoing import Guarded, Resolve, resolve
from gateway.registry.roles import RANK, Role

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")  # never none, never a shared secret
LARGEST: Final = 256 * 1024  # bytes of an answer
LEEWAY: Final = 60  # seconds that its clock may be off
FRESH: Final = 60 * MINUTE  # how long what it says of itself is believed
SAID: Final = "the provider's answer"
AGAIN: Final = MINUTE  # between two looks for a key that is not known


class Journey(Struct, frozen=True):
    """A log-in that has begun: what its end must bring along."""

    state: str
    nonce: str
    verifier: str
    redirect: str


class Person(Struct, frozen=True):
    """Who the provider says it is. areas: None = it does not say."""

    subject: str
    name: str
    role: Role
    areas: list[str] | None


class _Metadata(Struct):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Answer(Struct):
    id_token: str


class Provider:
    def __init__(self, settings: OidcSettings, clock: Clock, ask: Resolve = resolve) -> None:
        self.settings = settings
        self._clock = clock
        inner = httpx.AsyncHTTPTransport(trust_env=False)
        self._client = httpx.AsyncClient(
            transport=Guarded(settings.allow, ask, inner),
            timeout=settings.timeout,
            follow_redirects=False,
            trust_env=False,
        )
        self._turn = asyncio.Lock()
        self._metadata: tuple[int, _Metadata] | None = None
        self._keys: tuple[int, jwt.PyJWKSet] | None = None

    async def close(self) -> None:
        await self._client.aclose()

    def begin(self, redirect: str) -> Journey:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return Journey(state, nonce, verifier, redirect)

    async def address(self, journey: Journey) -> str:
        """Where the browser goes to log in; raises LinkError."""
        metadata = await self._known()
        challenge = urlsafe_b64encode(sha256(journey.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": journey.redirect,
            "scope": " ".join(self.settings.scopes),
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = metadata.authorization_endpoint
        return f"{where}{'&' if urlsplit(where).query else '?'}{urlencode(query)}"

    async def finish(self, journey: Journey, code: str) -> Person:
        """Who came back with this code; raises LinkError, Unauthorized, Forbidden."""
        metadata = await self._known()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": journey.redirect,
            "code_verifier": journey.verifier,
            "client_id": self.settings.client_id,
        }
        secret = self.settings.client_secret
        auth = httpx.BasicAuth(self.settings.client_id, secret) if secret else None
        body = await self._ask("POST", metadata.token_endpoint, data=form, auth=auth)
        token = foreign.read(body, _Answer, SAID).id_token
        return self._person(await self._claims(token, journey))

    async def _claims(self, token: str, journey: Journey) -> dict[str, Any]:
        """Core 1.0, 3.1.3.7."""
        settings = self.settings
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                issuer=settings.issuer,
                audience=settings.client_id,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "nonce"]} | OUR_CLOCK,
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthorized(f"the provider's token is not valid: {error}") from error
        self._in_time(claims)
        authorized = claims.get("azp", settings.client_id)
        if authorized != settings.client_id or not secrets.compare_digest(
            str(claims["nonce"]).encode(), journey.nonce.encode()
        ):
            raise Unauthorized("the provider's token is of another log-in")
        return claims

    def _in_time(self, claims: dict[str, Any]) -> None:
        """By the city's clock, not the host's."""
        now = self._clock.now() / SECOND
        times = claims["exp"], claims["iat"]
        if not all(isinstance(one, (int, float)) for one in times):
            raise Unauthorized("the provider's token has no times")
        if now > times[0] + LEEWAY or now < times[1] - LEEWAY:
            raise Unauthorized("the provider's token is over, or of the future; compare the clocks")

    def _person(self, claims: dict[str, Any]) -> Person:
        settings = self.settings
        name = claims.get(settings.name_claim)
        roles = [settings.roles[one] for one in _texts(claims, settings.roles_claim) if one in settings.roles]
        if not isinstance(name, str) or not name:
            raise Forbidden(f"the provider does not say the claim {settings.name_claim}")
        if not roles:
            raise Forbidden("the provider gives you no role here; ask who runs citygate for one")
        areas = _texts(claims, settings.areas_claim) if settings.areas_claim else None
        if areas is not None and not areas:
            raise Forbidden("the provider gives you no area here; ask who runs citygate for one")
        subject = f"{settings.issuer} {claims['sub']}"
        return Person(subject[:512], name, max(roles, key=RANK.__getitem__), areas)

    async def _known(self) -> _Metadata:
        async with self._turn:
            now = self._clock.now()
            if self._metadata is None or now - self._metadata[0] > FRESH:
                where = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                found = foreign.read(await self._ask("GET", where), _Metadata, SAID)
                if found.issuer != self.settings.issuer:
                    raise LinkError(f"{where} speaks for {found.issuer:.200}, not for the configured issuer")
                self._metadata = now, found
            return self._metadata[1]

    async def _key(self, header: dict[str, Any]) -> jwt.PyJWK:
        """By its id; an unknown one has the keys read again, once in a while. Raises Unauthorized, LinkError."""
        metadata, wanted = await self._known(), header.get("kid")
        async with self._turn:
            now = self._clock.now()
            found = _chosen(self._keys[1], wanted) if self._keys else None
            if found is None and (self._keys is None or now - self._keys[0] > AGAIN):
                body = await self._ask("GET", metadata.jwks_uri)
                shown = foreign.read(body, dict[str, Any], f"what {metadata.jwks_uri} says")
                try:
                    self._keys = now, jwt.PyJWKSet.from_dict(shown)
                except jwt.PyJWTError as error:
                    raise LinkError(f"{metadata.jwks_uri} has no keys: {error}") from error
                found = _chosen(self._keys[1], wanted)
        if found is None:
            raise Unauthorized("the provider's token is signed by a key that it does not show")
        return found

    async def _ask(self, method: str, url: str, **more: Any) -> bytes:
        """The body of a success; raises LinkError."""
        try:
            async with (
                asyncio.timeout(self.settings.timeout),
                self._client.stream(method, url, headers={"Accept": "application/json"}, **more) as answer,
            ):
                body = b""
                async for portion in answer.aiter_bytes():
                    body += portion
                    if len(body) > LARGEST:
                        raise LinkError(f"{_plain(url)} answers more than {LARGEST} bytes")
                if answer.status_code != httpx.codes.OK:
                    raise LinkError(f"{_plain(url)} answers {answer.status_code}: {body[:200]!r}")
                return body
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise LinkError(f"{_plain(url)} does not answer: {error}") from error


OUR_CLOCK: Final[Any] = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}  # see _in_time


def _chosen(keys: jwt.PyJWKSet, wanted: object) -> jwt.PyJWK | None:
    """A provider with one key need not name it."""
    usable = [key for key in keys.keys if key.public_key_use in {None, "sig"}]
    if wanted is None:
        return usable[0] if len(usable) == 1 else None
    return next((key for key in usable if key.key_id == wanted), None)


def _texts(claims: dict[str, Any], path: str) -> list[str]:
    """A claim's values; "realm_access.roles" is one inside another."""
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return [one for one in values if isinstance(one, str)]


def _plain(url: str) -> str:
    return url.partition("?")[0][:200]
