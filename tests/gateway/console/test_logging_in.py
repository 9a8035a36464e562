"""Who may come in, by what, and where they then are; and that no other site's page can write for them."""

from __future__ import annotations

from tests.gateway.api.gate import Gate
from tests.gateway.api.people import PASSWORD, Browser, user
from tests.gateway.api.test_people_api import shown
from tests.gateway.console.visitor import Visitor, open_cover, visitor


async def test_a_stranger_logs_in_and_comes_to_where_they_wanted(gate: Gate) -> None:
    await user(gate, "wang")
    number = await open_cover(gate)
    async with Visitor(gate) as person:
        page = await person.open(f"/cases/{number}")
        assert page.where == "/login"
        form = page.form("/login")
        assert form["next"] == f"/cases/{number}"
        page = await person.send("/login", {**form, "name": "wang", "password": PASSWORD})
        assert (page.status, page.where) == (200, f"/cases/{number}")
        assert (await person.open("/login")).where == "/", "who is logged in already goes on"
        page = await person.send("/logout", page.form("/logout"))
        assert page.where == "/login"
        assert (await person.open("/")).where == "/login"


async def test_logging_in_leads_nowhere_else(gate: Gate) -> None:
    await user(gate, "wang")
    for where in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        async with Visitor(gate) as person:
            page = await person.log_in("wang", next=where)
            assert (page.status, page.where) == (200, "/")


async def test_a_wrong_password_says_so_and_keeps_the_name(gate: Gate) -> None:
    await user(gate, "wang")
    async with Visitor(gate, "zh") as person:
        page = await person.log_in("wang", "wrong words here")
        assert (page.status, page.form("/login")["name"]) == (401, "wang")
        assert "用户名或密码错误" in page.text
        assert "wrong words here" not in page.source
        for _ in range(10):
            page = await person.log_in("wang", "wrong words here")
        assert page.status == 429
        assert "秒后再试" in page.text


async def test_a_second_factor_is_asked_for(gate: Gate) -> None:
    await user(gate, "wang")
    async with Browser(gate) as browser:
        await browser.log_in("wang")
        uri = (await browser.ok("POST", "/session/totp"))["uri"]
        await browser.ok("POST", "/session/totp/confirm", json={"code": shown(uri, gate)})
    async with Visitor(gate) as person:
        page = await person.log_in("wang")
        assert (page.status, "code" in page.form("/login")) == (401, True)
        assert "with the code that your phone shows" in page.text
        page = await person.log_in("wang", code="000000")
        assert "The code is wrong" in page.text
        page = await person.log_in("wang", code=shown(uri, gate, 1))
        assert page.where == "/"


async def test_the_language_is_switched_for_this_browser(gate: Gate) -> None:
    await user(gate, "wang", language="zh")
    async with Visitor(gate, "en") as person:
        assert "Password" in (await person.open("/login")).text
        page = await person.log_in("wang")
        assert "总览" in page.text, "the user's own wish goes before the browser's"
        page = await person.send("/language", {**page.form("/language"), "lang": "en"})
        assert (page.where, "Overview" in page.text) == ("/", True)
        page = await person.send("/language", {"next": "/", "lang": "xx"})
        assert "Overview" in page.text


async def test_a_write_without_the_sessions_token_is_refused(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    (alarm,) = (await gate.ok("viewer", "GET", "/alarms"))["items"]
    async with await visitor(gate, "supervisor") as person:
        for token in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
            for where, event in ((path, "void"), (f"/alarms/{alarm['id']}", "acknowledge"), ("/logout", "")):
                page = await person.send(where, {"event": event, "note": "x", **token})
                assert page.status == 403, where
        form = (await person.open(path)).form(path, "accept")
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            assert (await person.send(path, form, headers=headers)).status == 403
            assert (await person.send("/language", {"lang": "zh"}, headers=headers)).status == 403
        assert (await person.open(path)).status == 200, "and nobody was logged out"
    assert (await gate.ok("viewer", "GET", path))["case"]["state"] == "dispatched"
    async with Visitor(gate) as stranger:
        evil = {"name": "a-supervisor", "password": PASSWORD}
        page = await stranger.send("/login", evil, headers={"Sec-Fetch-Site": "cross-site"})
        assert (page.status, len(stranger.cookies)) == (403, 0)


async def test_a_link_on_another_site_is_asked_for_once_more_by_our_own_page(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}?done=<x>"
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    async with Visitor(gate) as stranger:
        page = await stranger.open(path, headers=elsewhere)
        (refresh,) = [given["content"] for _, given in page.tags if given.get("http-equiv") == "refresh"]
        assert refresh == f"0;url=/cases/{number}?done=%3Cx%3E"
        page = await stranger.open(path)
        assert page.where == "/login"
