"""Log-in at a provider: who comes back with a true token of this very log-in is in, with the role of their groups; nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.api.http import build
from gateway.api.oidc_settings import OidcSettings
from gateway.api.provider import Provider
from gateway.registry.roles import Role
from tests.gateway.api.gate import Gate, open_gate
from tests.gateway.api.login_provider import CLIENT, SECRET, LoginProvider, serving
from tests.gateway.api.people import Browser, user, word

ROLES = {"ops": Role.OPERATOR, "boss": Role.SUPERVISOR}


@asynccontextmanager
async def city(path: Path, provider: LoginProvider, **more: object) -> AsyncIterator[Gate]:
    """A gate that knows this provider, on a private network that is allowed."""
    async with open_gate(path) as gate:
        given = {"allow": (ip_network("127.0.0.0/8"),), "client_secret": SECRET, "client_id": CLIENT} | more
        settings = OidcSettings.model_validate({"issuer": provider.issuer, "roles": ROLES} | given)
        asking = Provider(settings, gate.services.clock)
        try:
            services = replace(gate.services, provider=asking)
            yield replace(gate, services=services, app=build(services))
        finally:
            await asking.close()


async def come(provider: LoginProvider, browser: Browser) -> httpx.Response:
    """There and back."""
    there = await browser.call("GET", "/session/oidc")
    assert there.status_code == 303, there.text
    back = urlsplit(provider.authorize(there.headers["location"]))
    assert (back.netloc, back.path) == ("gate", "/api/v1/session/oidc/callback")
    answer = await browser.call(
        "GET", f"/session/oidc/callback?{back.query}", headers={"Sec-Fetch-Site": "cross-site"}
    )
    if answer.is_success:
        browser.csrf = (await browser.ok("GET", "/session"))["csrf"]
    return answer


async def test_a_person_comes_by_the_provider(tmp_path: Path) -> None:
    provider = LoginProvider()
    provider.claims["groups"] = ["else", "ops", "boss"]
    async with serving(provider), city(tmp_path, provider) as gate, Browser(gate) as browser:
        answer = await come(provider, browser)
        assert answer.status_code == 200, answer.text
        assert 'content="0;url=/"' in answer.text
        assert "SameSite=strict" in answer.headers["set-cookie"]
        me = await browser.ok("GET", "/session")
        assert (me["actor"], me["role"], me["areas"]) == ("user:wang", "supervisor", [])
        provider.claims["groups"] = "ops"
        await come(provider, browser)
        assert (await browser.ok("GET", "/session"))["role"] == "operator", "the role is that of today"
        assert (await browser.refused("POST", "/session/password", json={"old": "x", "new": "y"}))[0] == 409
        assert (await browser.log_in("wang", "anything at all")).status_code == 401
        provider.turn_keys()
        assert gate.services.provider is not None
        gate.services.provider._keys = None  # as after a restart
        assert (await come(provider, browser)).is_success
        assert provider.asked.count("metadata") == 1
        await gate.ok("admin", "PATCH", "/users/wang", json={"disabled": True})
        assert (await come(provider, browser)).status_code == 403


async def test_areas_come_from_a_claim_where_one_is_named(tmp_path: Path) -> None:
    provider = LoginProvider()
    provider.claims |= {"realm": {"roles": ["ops"]}, "area": ["north", "south/1"]}
    names = {"areas_claim": "area", "roles_claim": "realm.roles"}
    async with serving(provider), city(tmp_path, provider, **names) as gate, Browser(gate) as browser:
        await come(provider, browser)
        assert (await browser.ok("GET", "/session"))["areas"] == ["north", "south/1"]
        provider.claims["area"] = []
        assert (await come(provider, browser)).status_code == 403, "no area is not the whole city"
        provider.claims["area"] = ["/"]
        assert (await come(provider, browser)).status_code == 422


Lie = Callable[[LoginProvider], object]
LIES: dict[str, tuple[Lie, int]] = {
    "another issuer": (lambda one: one.alter.update(iss="http://evil"), 401),
    "for another client": (lambda one: one.alter.update(aud="shop"), 401),
    "asked by another": (lambda one: one.alter.update(aud=[CLIENT, "shop"], azp="shop"), 401),
    "another log-in's": (lambda one: one.alter.update(nonce="old"), 401),
    "over": (lambda one: one.alter.update(exp=1_000), 401),
    "of the future": (lambda one: one.alter.update(iat=99_999_999_999, exp=99_999_999_999), 401),
    "no times": (lambda one: one.alter.update(exp=None), 401),
    "no nonce": (lambda one: one.alter.update(nonce=None), 401),
    "unsigned": (lambda one: setattr(one, "algorithm", "none"), 401),
    "signed by a shared secret": (lambda one: setattr(one, "algorithm", "HS256"), 401),
    "a key it does not show": (lambda one: setattr(one, "shown", False), 401),
    "no group": (lambda one: one.alter.update(groups=[]), 403),
    "no name": (lambda one: one.alter.update(preferred_username=""), 403),
    "an odd name": (lambda one: one.alter.update(preferred_username="../root"), 422),
    "a name that is taken": (lambda one: one.alter.update(preferred_username="li"), 409),
}


@pytest.mark.parametrize("lie", LIES)
async def test_nobody_comes_in_by(lie: str, tmp_path: Path) -> None:
    provider = LoginProvider()
    provider.claims["groups"] = ["ops"]
    tell, status = LIES[lie]
    tell(provider)
    async with serving(provider), city(tmp_path, provider) as gate, Browser(gate) as browser:
        await user(gate, "li", "admin")
        answer = await come(provider, browser)
        assert (answer.status_code, "citygate" in browser.cookies) == (status, False), answer.text


async def test_the_way_back_is_of_one_browser_and_goes_once(tmp_path: Path) -> None:
    provider = LoginProvider()
    provider.claims["groups"] = ["ops"]
    async with (
        serving(provider),
        city(tmp_path, provider) as gate,
        Browser(gate) as mine,
        Browser(gate) as other,
    ):
        there = (await mine.call("GET", "/session/oidc")).headers["location"]
        query = urlsplit(provider.authorize(there)).query
        back = f"/session/oidc/callback?{query}"
        assert (await other.refused("GET", back)) == (401, "unauthorized"), "a stranger's browser"
        assert (await mine.refused("GET", f"{back}x")) == (401, "unauthorized"), "another state"
        assert (await mine.refused("GET", back)) == (401, "unauthorized"), "each comes back once"
        await mine.call("GET", "/session/oidc")
        assert (await mine.refused("GET", "/session/oidc/callback?error=access_denied"))[0] == 401
        assert (await come(provider, mine)).is_success


@pytest.mark.parametrize("body", [b"<html>", b'{"keys":' * 10_000, b'{"keys":"\xff"}', b'{"keys":[]}'])
@pytest.mark.parametrize("where", ["metadata", "keys", "token"])
async def test_a_provider_that_cannot_be_understood_is_said_so(
    where: str, body: bytes, tmp_path: Path
) -> None:
    provider = LoginProvider(odd={where: body})
    provider.claims["groups"] = ["ops"]
    async with serving(provider), city(tmp_path, provider) as gate, Browser(gate) as browser:
        if where == "metadata":
            assert await browser.refused("GET", "/session/oidc") == (503, "unavailable")
            return
        answer = await come(provider, browser)
        assert (answer.status_code, word(answer)) == (503, "unavailable")


async def test_a_provider_that_is_away_or_not_allowed_is_said_so(tmp_path: Path) -> None:
    provider = LoginProvider()
    async with serving(provider), city(tmp_path, provider) as gate, Browser(gate) as browser:
        provider.status = 500
        assert await browser.refused("GET", "/session/oidc") == (503, "unavailable")
        provider.status, provider.speaks_for = 200, "http://evil"
        answer = await browser.call("GET", "/session/oidc")
        assert (answer.status_code, "http://evil" in answer.json()["detail"]) == (503, True)
    async with serving(provider), city(tmp_path / "2", provider, allow=()) as gate, Browser(gate) as browser:
        answer = await browser.call("GET", "/session/oidc")
        assert (answer.status_code, word(answer)) == (503, "unavailable")
        assert "not public" in answer.json()["detail"]


def test_settings_that_let_nobody_in_are_refused() -> None:
    with pytest.raises(ValueError, match="which values of the claim give which role"):
        OidcSettings(issuer="https://login.example.org")
    with pytest.raises(ValueError, match='"openid" must be among them'):
        OidcSettings(issuer="https://login.example.org", roles={"a": Role.VIEWER}, scopes=("email",))
