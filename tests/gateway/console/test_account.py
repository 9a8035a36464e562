"""One's own account before the pages: what proves a person is changed only by who proves it, and ends where it should."""

from __future__ import annotations

import re

from gateway.registry.roles import Role
from tests.gateway.api.gate import Gate
from tests.gateway.api.people import PASSWORD, user
from tests.gateway.api.test_people_api import shown
from tests.gateway.console.visitor import Page, Visitor, visitor

NEW = "seven  green buoys "  # as it is typed, spaces and all
HERE = "/account"
KEY = re.compile(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}")
CODE = re.compile(r"\b[a-z2-9]{5}-[a-z2-9]{5}\b")


async def change(person: Visitor, old: str, new: str, again: str | None = None) -> Page:
    form = (await person.open(HERE)).form("/account/password")
    return await person.send(
        "/account/password", {**form, "old": old, "new": new, "again": new if again is None else again}
    )


async def secured(person: Visitor, gate: Gate) -> tuple[str, list[str]]:
    """Sets the second factor up: the phone's address of it, and the recovery codes."""
    page = await person.send("/account/totp", (await person.open(HERE)).form("/account/totp"))
    (uri,) = [link for link in page.links if link.startswith("otpauth:")]
    form = page.form("/account/totp/confirm")
    page = await person.send("/account/totp/confirm", {**form, "code": shown(uri, gate)})
    assert page.status == 200, page.text
    return uri, CODE.findall(page.text)


async def test_the_name_in_the_header_leads_to_the_account(gate: Gate) -> None:
    async with await visitor(gate, "crew", areas=["xuhui/tianping"]) as person:
        page = await person.open("/")
        assert HERE in page.links
        page = await person.open(HERE)
        assert (page.status, page.where) == (200, HERE)
        for said in ("a-crew", "Crew", "xuhui/tianping"):
            assert said in page.text
    answer = await gate.call("viewer", "GET", "/")
    assert 'href="/account"' not in answer.text, "a token has no account"


async def test_a_new_password_holds_here_and_ends_all_other_sessions(gate: Gate) -> None:
    async with await visitor(gate, "viewer", name="wang") as person, Visitor(gate) as elsewhere:
        await elsewhere.log_in("wang")
        page = await change(person, PASSWORD, NEW)
        assert (page.status, page.where, "The password is changed" in page.text) == (200, HERE, True)
        assert (await elsewhere.open("/")).where == "/login"
        assert (await elsewhere.log_in("wang")).status == 401
        assert (await elsewhere.log_in("wang", NEW.strip())).status == 401, "every character counts"
        assert (await elsewhere.log_in("wang", NEW)).where == "/"


REFUSED: list[tuple[str, str, str, int, str]] = [
    ("not the old one", NEW, NEW, 401, "密码错误"),
    (PASSWORD, NEW, NEW.strip(), 422, "两次输入的新密码不一致"),
    (PASSWORD, NEW, "", 422, "两次输入的新密码不一致"),
    (PASSWORD, "short", "short", 422, "密码过短"),
    (PASSWORD, "wang and his lamps", "wang and his lamps", 422, "容易被猜到"),
    (PASSWORD, "x" * 257, "x" * 257, 422, "提交内容无效"),
]


async def test_a_password_that_cannot_be_taken_is_refused_in_words(gate: Gate) -> None:
    async with await visitor(gate, "viewer", "zh", name="wang") as person, Visitor(gate) as elsewhere:
        await elsewhere.log_in("wang")
        for old, new, again, status, told in REFUSED:
            page = await change(person, old, new, again)
            assert (page.status, told in page.text) == (status, True), page.text
            assert not [said for said in (old, new) if said in page.source], "no password is shown again"
            assert ["open" in given for tag, given in page.tags if tag == "details"] == [True]
        for one in (person, elsewhere):
            assert (await one.open(HERE)).where == HERE, "nobody was logged out"
        assert (await elsewhere.log_in("wang")).where == "/", "the old one still opens"


async def test_guessing_the_present_password_is_throttled_wherever_it_is_asked_for(gate: Gate) -> None:
    async with await visitor(gate, "viewer", name="wang") as person:
        await secured(person, gate)
        remove = (await person.open(HERE)).form("/account/totp/remove")
        for n in range(5):
            assert (await change(person, f"guess number {n}", NEW)).status == 401
            page = await person.send("/account/totp/remove", {**remove, "password": f"guess {n}"})
            assert (page.status, "The password is wrong" in page.text) == (401, True)
        page = await change(person, PASSWORD, NEW)
        assert (page.status, page.headers["cache-control"]) == (429, "no-store")
        assert re.search(r"Too many tries\. Wait \d+ s", page.text)
        page = await person.send("/account/totp/remove", {**remove, "password": PASSWORD})
        assert page.status == 429
        assert "On since" in page.text


async def test_a_second_factor_counts_once_a_code_of_it_was_typed(gate: Gate) -> None:
    async with await visitor(gate, "viewer", name="wang") as person, Visitor(gate) as elsewhere:
        page = await person.send("/account/totp", (await person.open(HERE)).form("/account/totp"))
        (uri,) = [link for link in page.links if link.startswith("otpauth:")]
        assert uri in page.text, "as an address that can be copied"
        key = KEY.findall(page.text)[0].replace(" ", "")
        assert f"secret={key}&" in uri
        assert (await elsewhere.log_in("wang")).where == "/", "not asked for yet"
        form = page.form("/account/totp/confirm")
        for wrong in ("000 00x", "", "¹²³"):
            page = await person.send("/account/totp/confirm", {**form, "code": wrong})
            assert (page.status, "This is not the code" in page.text) == (422, True)
            assert page.form("/account/totp/confirm")["key"] == key, "the key stays in sight"
        now = shown(uri, gate)
        page = await person.send("/account/totp/confirm", {**form, "code": f"{now[:3]} {now[3:]} "})
        assert "The second factor is on" in page.text
        codes = CODE.findall(page.text)
        assert len(set(codes)) == 10
        assert not [link for link in page.links if link.startswith("otpauth:")]
        again = await person.open(HERE)
        assert "On since" in again.text
        assert not CODE.findall(again.text), "they are shown once"
        later = shown(uri, gate, 1)
        assert (await elsewhere.log_in("wang")).status == 401
        assert (await elsewhere.log_in("wang", code=f"{later[:3]} {later[3:]}")).where == "/"
        assert (await elsewhere.log_in("wang", code=codes[0])).where == "/"


async def test_a_second_factor_is_taken_off_by_who_knows_the_password(gate: Gate) -> None:
    async with await visitor(gate, "viewer", "zh", name="wang") as person, Visitor(gate) as elsewhere:
        await secured(person, gate)
        form = (await person.open(HERE)).form("/account/totp/remove")
        page = await person.send("/account/totp/remove", {**form, "password": "not the password"})
        assert (page.status, "密码错误" in page.text) == (401, True)
        assert (await elsewhere.log_in("wang")).status == 401
        page = await person.send("/account/totp/remove", {**form, "password": PASSWORD})
        assert (page.status, page.where, "双重验证已停用" in page.text) == (200, HERE, True)
        assert (await elsewhere.log_in("wang")).where == "/"


async def test_a_form_that_is_over_shows_how_things_stand(gate: Gate) -> None:
    async with await visitor(gate, "viewer", name="wang") as person:
        begin = (await person.open(HERE)).form("/account/totp")
        page = await person.send("/account/totp/confirm", {**begin, "code": "000000", "key": "<x>"})
        assert (page.status, "Somebody changed it meanwhile" in page.text) == (409, True)
        await secured(person, gate)
        page = await person.send("/account/totp", begin)
        assert (page.status, "On since" in page.text) == (409, True)


async def test_a_key_that_is_none_is_not_shown(gate: Gate) -> None:
    async with await visitor(gate, "viewer", name="wang") as person:
        page = await person.send("/account/totp", (await person.open(HERE)).form("/account/totp"))
        form = page.form("/account/totp/confirm")
        page = await person.send("/account/totp/confirm", {**form, "code": "0", "key": "javascript:alert(1)"})
        assert page.status == 422
        assert "javascript" not in page.source
        assert page.form("/account/totp"), "it may be begun anew"


async def test_sessions_are_seen_and_ended(gate: Gate) -> None:
    await user(gate, "li")
    async with (
        await visitor(gate, "viewer", name="wang") as here,
        Visitor(gate) as phone,
        Visitor(gate) as li,
    ):
        await phone.send(
            "/login", {"name": "wang", "password": PASSWORD}, headers={"User-Agent": "<b>Lamp 3"}
        )
        await li.log_in("li")
        page = await here.open(HERE)
        assert "<b>Lamp 3" in page.text
        assert "192.0.2.8" in page.text
        (there,) = [where for where, _ in page.forms if where.startswith("/account/sessions/")]
        refused = await li.send(there, (await li.open(HERE)).form("/account/language"))
        assert refused.status == 404, "another's session is none of theirs"
        page = await here.send(there, page.form(there))
        assert (page.where, "Logged out there" in page.text) == (HERE, True)
        assert (await phone.open("/")).where == "/login"
        gone = await here.send(there, page.form("/account/language"))
        assert (gone.status, "There is no such thing" in gone.text) == (404, True)
        assert (await here.open(HERE)).status == 200


async def test_the_language_of_the_person_goes_with_them(gate: Gate) -> None:
    async with await visitor(gate, "viewer", "en", name="wang") as person, Visitor(gate, "en") as elsewhere:
        page = await person.send("/language", {**(await person.open(HERE)).form("/language"), "lang": "en"})
        page = await person.send("/account/language", {**page.form("/account/language"), "language": "zh"})
        assert (page.where, "语言设置已保存" in page.text) == (HERE, True), (
            "this browser's own choice gives way"
        )
        assert "总览" in (await elsewhere.log_in("wang")).text
        form = page.form("/account/language")
        assert (await person.send("/account/language", {**form, "language": "xx"})).status == 422
        page = await person.send("/account/language", {**form, "language": ""})
        assert "The language is saved" in page.text, "the browser asks for English"


async def test_who_comes_by_a_provider_has_neither_password_nor_second_factor_here(gate: Gate) -> None:
    people = gate.services.people
    person = await people.users.of_subject("subject-1", "wang", Role.VIEWER, None)
    async with Visitor(gate) as visit:
        visit.cookies.set("citygate", await people.sessions.begin(person, "192.0.2.8", "test", "oidc"))
        page = await visit.open(HERE)
        assert "the city's account" in page.text
        assert [where for where, _ in page.forms if where.startswith(HERE)] == ["/account/language"]
        token = page.form("/account/language")
        page = await visit.send("/account/password", {**token, "old": "", "new": NEW, "again": NEW})
        assert page.status == 409


async def test_nothing_of_it_is_done_for_another_sites_page(gate: Gate) -> None:
    async with await visitor(gate, "viewer", name="wang") as person:
        page = await person.open(HERE)
        token = page.form("/account/language")
        number = gate.services.people.sessions.of("wang")[0].id
        paths = ("password", "totp", "totp/confirm", "totp/remove", f"sessions/{number}", "language")
        for path in paths:
            for fields in ({}, {"csrf": "0" * 64}):
                assert (await person.send(f"/account/{path}", fields)).status == 403, path
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
                assert (await person.send(f"/account/{path}", token, headers=headers)).status == 403, path
        assert (await person.open(HERE)).status == 200, "and nobody was logged out"


async def test_an_answer_that_shows_a_secret_is_not_kept_for_its_key(gate: Gate) -> None:
    async with await visitor(gate, "viewer", name="wang") as person:
        form, key = (await person.open(HERE)).form("/account/totp"), {"Idempotency-Key": "once"}
        page = await person.send("/account/totp", form, headers=key)
        (uri,) = [link for link in page.links if link.startswith("otpauth:")]
        again = await person.send("/account/totp", form, headers=key)
        assert (again.status, uri in again.source) == (409, False)
        given = {**page.form("/account/totp/confirm"), "code": shown(uri, gate)}
        assert (await person.send("/account/totp/confirm", given)).status == 200, "the first key still counts"
