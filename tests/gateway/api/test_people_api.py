"""People log in, are who they say, may what their role says, and are gone when they log out."""

from __future__ import annotations

import re
from base64 import b32decode
from urllib.parse import parse_qs, urlsplit

from gateway.registry import totp
from gateway.registry.totp import step_of
from tests.gateway.api.gate import Gate
from tests.gateway.api.people import PASSWORD, Browser, user, word


def shown(uri: str, gate: Gate, later: int = 0) -> str:
    """What a phone with this key shows now, or so many steps later."""
    key = b32decode(parse_qs(urlsplit(uri).query)["secret"][0])
    return totp.code(key, step_of(gate.services.clock.now() / 1e6) + later)


async def test_a_person_logs_in_and_out(gate: Gate) -> None:
    await user(gate, "wang", "operator", language="zh")
    async with Browser(gate) as browser:
        answer = await browser.log_in("wang")
        assert answer.status_code == 200, answer.text
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(
            r"citygate=[A-Za-z0-9_-]{32}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", cookie
        )
        me = await browser.ok("GET", "/session")
        assert (me["actor"], me["role"], me["areas"], me["language"]) == ("user:wang", "operator", [], "zh")
        assert await browser.ok("GET", "/alarms") == {"items": [], "after": ""}
        word_then = browser.cookies["citygate"]
        await browser.ok("DELETE", "/session")
        assert "citygate" not in browser.cookies
        browser.cookies.set("citygate", word_then)
        assert await browser.refused("GET", "/session") == (401, "unauthorized")


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(gate: Gate) -> None:
    await user(gate, "wang")
    async with Browser(gate) as browser:
        known = await browser.log_in("wang", "nine yellow lamp")
        unknown = await browser.log_in("nobody", "nine yellow lamp")
        odd = await browser.log_in("\x00 ' --", "\x00")
    assert {one.status_code for one in (known, unknown, odd)} == {401}
    assert known.json() == unknown.json() == odd.json()


async def test_guesses_are_throttled_also_where_the_right_one_comes_at_last(gate: Gate) -> None:
    await user(gate, "wang")
    async with Browser(gate) as browser:
        statuses = [(await browser.log_in("wang", f"guess number {n}")).status_code for n in range(10)]
        assert statuses == [401] * 10
        answer = await browser.log_in("wang")
        assert (answer.status_code, word(answer)) == (429, "too-many")
        assert int(answer.headers["retry-after"]) > 0
    async with Browser(gate) as browser:
        assert (await browser.log_in("nobody")).status_code == 401, "another name is not locked out"


async def test_right_passwords_are_never_throttled(gate: Gate) -> None:
    await user(gate, "wang")
    async with Browser(gate) as browser:
        assert {(await browser.log_in("wang")).status_code for _ in range(15)} == {200}


async def test_a_write_by_cookie_shows_that_our_own_page_asked(gate: Gate) -> None:
    await user(gate, "wang", "admin")
    new = {"id": "A", "product": "generic-manhole"}
    async with Browser(gate) as browser:
        await browser.log_in("wang")
        for headers in (
            {"X-CSRF-Token": ""},
            {"X-CSRF-Token": "guess"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://elsewhere"},
            {"Origin": "null"},
            {"Origin": "http://[x"},
        ):
            assert await browser.refused("POST", "/devices", json=new, headers=headers) == (403, "forbidden")
        assert (await browser.call("GET", "/devices", headers={"Sec-Fetch-Site": "cross-site"})).is_success
        await browser.ok("POST", "/devices", json=new)
    async with Browser(gate) as browser:
        answer = await browser.call(
            "POST", "/session", json={"name": "wang", "password": PASSWORD}, headers={"Origin": "http://evil"}
        )
        assert answer.status_code == 403, "nobody is logged in from another site either"


async def test_a_form_carries_the_token_as_a_field(gate: Gate) -> None:
    await user(gate, "wang", "admin")
    async with Browser(gate) as browser:
        await browser.log_in("wang")
        token, browser.csrf = browser.csrf, ""
        refused = await browser.call("POST", "/config/reload", data={"csrf": "guess"})
        taken = await browser.call("POST", "/config/reload", data={"csrf": token})
    assert (refused.status_code, taken.status_code) == (403, 200)


async def test_a_second_factor_is_asked_for_and_each_code_opens_once(gate: Gate) -> None:
    await user(gate, "wang")
    async with Browser(gate) as browser:
        await browser.log_in("wang")
        uri = (await browser.ok("POST", "/session/totp"))["uri"]
        assert uri.startswith("otpauth://totp/citygate:wang?secret=")
        assert await browser.refused("POST", "/session/totp/confirm", json={"code": "000000x"}) == (
            422,
            "invalid",
        )
        first = shown(uri, gate)
        codes = (await browser.ok("POST", "/session/totp/confirm", json={"code": first}))["codes"]
        assert len(set(codes)) == 10
        assert await browser.refused("POST", "/session/totp") == (409, "conflict")
    async with Browser(gate) as browser:
        without = await browser.log_in("wang")
        assert (without.status_code, word(without)) == (401, "code-required")
        wrong = await browser.log_in("wang", "not the password", first)
        assert word(wrong) == "unauthorized", "who does not know the password learns of no second factor"
        assert (await browser.log_in("wang", code=first)).status_code == 401, "it was used to confirm"
        assert (await browser.log_in("wang", code=shown(uri, gate, 1))).is_success
        assert (await browser.log_in("wang", code=codes[0].upper())).is_success
        assert (await browser.log_in("wang", code=codes[0])).status_code == 401, "a recovery code opens once"
        await browser.log_in("wang", code=codes[1])
        assert (await browser.refused("POST", "/session/totp/remove", json={"password": "?"}))[0] == 401
        await browser.ok("POST", "/session/totp/remove", json={"password": PASSWORD})
        assert (await browser.log_in("wang")).is_success


async def test_sessions_are_listed_and_ended(gate: Gate) -> None:
    await user(gate, "wang")
    await user(gate, "li")
    async with Browser(gate, "phone") as phone, Browser(gate, "desk") as desk, Browser(gate) as other:
        for browser, name in ((phone, "wang"), (desk, "wang"), (other, "li")):
            await browser.log_in(name)
        seen = (await desk.ok("GET", "/session/list"))["items"]
        assert [(one["agent"], one["own"], one["address"]) for one in seen] == [
            ("desk", True, "192.0.2.7"),
            ("phone", False, "192.0.2.7"),
        ]
        theirs = (await other.ok("GET", "/session/list"))["items"][0]["id"]
        assert await desk.refused("DELETE", f"/session/list/{theirs}") == (404, "not-found")
        await desk.ok("DELETE", f"/session/list/{seen[1]['id']}")
        assert (await phone.call("GET", "/session")).status_code == 401
        assert (await gate.ok("admin", "DELETE", "/users/wang/sessions")) == {"sessions": 1}
        assert (await desk.call("GET", "/session")).status_code == 401
        assert (await other.call("GET", "/session")).status_code == 200


async def test_a_new_password_ends_all_other_sessions(gate: Gate) -> None:
    await user(gate, "wang")
    async with Browser(gate) as one, Browser(gate) as two:
        await one.log_in("wang")
        await two.log_in("wang")
        change = {"old": "wrong", "new": "seven green buoys"}
        assert await one.refused("POST", "/session/password", json=change) == (401, "unauthorized")
        weak = {"old": PASSWORD, "new": "wang wang wang wang"}
        assert await one.refused("POST", "/session/password", json=weak) == (422, "invalid")
        await one.ok("POST", "/session/password", json={**change, "old": PASSWORD})
        assert (await one.call("GET", "/session")).status_code == 200
        assert (await two.call("GET", "/session")).status_code == 401
        assert (await two.log_in("wang")).status_code == 401
        assert (await two.log_in("wang", "seven green buoys")).status_code == 200


async def test_what_an_admin_changes_holds_at_once(gate: Gate) -> None:
    await user(gate, "wang", "operator")
    async with Browser(gate) as browser:
        await browser.log_in("wang")
        await gate.ok("admin", "PATCH", "/users/wang", json={"role": "viewer", "areas": ["north", "north/1"]})
        me = await browser.ok("GET", "/session")
        assert (me["role"], me["areas"]) == ("viewer", ["north"])
        assert (await browser.ok("PATCH", "/session", json={"language": "zh"}))["language"] == "zh"
        await gate.ok("admin", "PATCH", "/users/wang", json={"disabled": True})
        assert (await browser.call("GET", "/session")).status_code == 401
        assert (await browser.log_in("wang")).status_code == 401


async def test_users_have_their_conflicts(gate: Gate) -> None:
    await user(gate, "root", "admin")
    await user(gate, "wang", "admin", areas=["north"])
    taken = {"name": "root", "role": "viewer"}
    assert await gate.refused("admin", "POST", "/users", json=taken) == (409, "conflict")
    for change in ({"role": "viewer"}, {"disabled": True}, {"areas": ["north"]}):
        refused = await gate.refused("admin", "PATCH", "/users/root", json=change)
        assert refused == (409, "conflict"), "the last admin of the whole city stays"
    for bad in ({"areas": ["/"]}, {"areas": [""]}, {"role": None}, {"language": "de"}, {"colour": 1}):
        assert (await gate.refused("admin", "PATCH", "/users/wang", json=bad))[0] == 422
    assert await gate.refused("admin", "GET", "/users/nobody") == (404, "not-found")
    assert (await gate.refused("admin", "POST", "/users/nobody/password", json={"password": PASSWORD}))[
        0
    ] == 404
    assert await gate.refused("admin", "POST", "/session/totp") == (409, "conflict"), "a token has no phone"
    names = [one["name"] for one in (await gate.ok("admin", "GET", "/users"))["items"]]
    assert names == ["root", "wang"]


async def test_a_token_of_a_person_is_never_more_than_the_person(gate: Gate) -> None:
    await user(gate, "wang", "operator", areas=["north", "south/1"])
    given = {"name": "script", "role": "admin", "owner": "wang", "areas": ["north/2", "south"]}
    made = await gate.ok("admin", "POST", "/tokens", json=given)
    assert made["token"]["areas"] == ["north/2", "south"]

    async def me() -> tuple[int, dict[str, object]]:
        answer = await gate.call(None, "GET", "/api/v1/session", secret=made["secret"])
        return answer.status_code, answer.json()

    status, said = await me()
    assert (status, said["role"], said["areas"]) == (200, "operator", ["north/2", "south/1"])
    await gate.ok("admin", "PATCH", "/users/wang", json={"areas": ["east"]})
    assert (await me())[0] == 401, "nothing is left that it could open"
    await gate.ok("admin", "PATCH", "/users/wang", json={"areas": []})
    assert (await me())[1]["areas"] == ["north/2", "south"]
    await gate.ok("admin", "PATCH", "/users/wang", json={"disabled": True})
    assert (await me())[0] == 401


async def test_a_token_ends_at_its_time(gate: Gate) -> None:
    past = {"name": "late", "role": "viewer", "expires": 1_000_000}
    assert await gate.refused("admin", "POST", "/tokens", json=past) == (422, "invalid")
    soon = gate.services.clock.now() + 50_000
    made = await gate.ok("admin", "POST", "/tokens", json={**past, "expires": soon})
    while gate.services.clock.now() < soon:
        await gate.services.clock.sleep(0.01)
    assert (await gate.call(None, "GET", "/api/v1/session", secret=made["secret"])).status_code == 401


async def test_logging_in_stands_in_the_audit(gate: Gate) -> None:
    await user(gate, "wang", "supervisor")
    async with Browser(gate) as browser:
        await browser.log_in("wang")
        found = (await browser.ok("GET", "/audit", params={"object": "user:wang"}))["items"]
    assert [(one["actor"], one["action"]) for one in found] == [
        ("user:wang", "logged in"),
        ("token:the-admin", "created"),
    ]
    assert PASSWORD not in str(found)
