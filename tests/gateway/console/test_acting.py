"""What people send from the pages: it goes through the API's own rules, and what is refused is said where it was typed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

from drivers.telemetry import SECOND
from gateway.api.auth import Permission, may
from gateway.api.cases import permission
from gateway.cases.lifecycle import BY_PEOPLE, CASE_TRANSITIONS, CaseEvent, CaseState
from gateway.registry.roles import PEOPLE, Principal
from tests.gateway.api.gate import Gate
from tests.gateway.api.test_dispatch_api import PNG
from tests.gateway.console.visitor import open_cover, visitor

SENSELESS = {CaseEvent.SPLIT}  # of a case with one alarm
WAY = ("return", "dispatch", "accept", "suspend", "resume", "start", "repaired", "verify", "close", "reopen")


async def case_of(gate: Gate, number: int) -> dict[str, Any]:
    found: dict[str, Any] = (await gate.ok("viewer", "GET", f"/cases/{number}"))["case"]
    return found


async def test_people_are_offered_what_table_and_role_allow(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    async with AsyncExitStack() as stack:
        people = {role: await stack.enter_async_context(await visitor(gate, role)) for role in PEOPLE}
        for step in ("", *WAY):
            if step:
                more: dict[str, dict[str, Any]] = {"dispatch": {"crew": "north"}, "verify": {"force": True}}
                said = {"event": step, "note": "why", **more.get(step, {})}
                worker = "crew" if step == "repaired" else "supervisor"
                await gate.ok(worker, "POST", f"{path}/events", json=said)
            state = CaseState((await case_of(gate, number))["state"])
            able = {event for event in CASE_TRANSITIONS[state] if event in BY_PEOPLE} - SENSELESS
            for role, person in people.items():
                page, caller = await person.open(path), Principal("user:x", "x", role)
                mine = {event for event in able if may(caller, permission(event))}
                if not may(caller, Permission.SUPERVISE):
                    mine -= {CaseEvent.VERIFY}  # its alarm stands, and telemetry verifies
                assert sorted(page.events) == sorted(mine), role
                assert ("Nothing for you to do" in page.text) == (not page.events)


async def test_a_case_goes_its_way_by_forms_alone(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    async with await visitor(gate, "crew", "zh") as crew, await visitor(gate, "supervisor") as desk:
        page = await crew.act(path, "return", note="不是我们的")
        assert (page.status, page.where) == (200, path)
        assert "已完成：退回" in page.text
        page = await desk.act(path, "dispatch", crew="north")
        assert "Done: Dispatch" in page.text
        await crew.act(path, "accept")
        page = await desk.act(path, "extend", extra="1.5", note="rain")
        assert "3 h" in page.text
        page = await desk.act(path, "suspend", note="no parts")
        assert "the clock stands still" in page.text
        await desk.act(path, "resume")
        page = await crew.act(path, "repaired", verdict="real")
        assert "告警仍未解除" in page.text
        page = await desk.act(path, "verify", note="seated, the sensor is broken")
        assert page.status == 409
        assert "telemetry verifies this repair" in page.text
        await desk.act(path, "verify", force="true", note="seated, the sensor is broken")
        page = await desk.act(path, "close")
        assert "closed" in page.text
    case = await case_of(gate, number)
    assert (case["state"], case["verdict"], case["crew"]) == ("closed", "real", "north")


async def test_who_repaired_it_is_not_offered_to_verify_it(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    async with await visitor(gate, "supervisor") as person:
        page = await person.act(path, "repaired")
        assert "verify" not in page.events
        page = await person.send(path, {**page.form(path, "rework"), "event": "verify"})
        assert page.status == 403
        assert "someone else must verify it" in page.text


async def test_an_old_form_is_told_so_and_loses_nothing(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    async with await visitor(gate, "supervisor") as person:
        form = (await person.open(path)).form(path, "suspend")
        await gate.ok("crew", "POST", f"{path}/events", json={"event": "accept"})
        page = await person.send(path, {**form, "note": "no parts in store"})
        assert page.status == 409
        assert "Somebody changed it meanwhile" in page.text
        assert "no parts in store" in page.source
        assert (await case_of(gate, number))["state"] == "accepted"
        again = await person.send(path, {**page.form(path, "suspend"), "note": "no parts in store"})
        assert again.status == 200
    assert (await case_of(gate, number))["state"] == "suspended"


REFUSED: list[tuple[str, dict[str, str], int, str]] = [
    ("return", {"note": "  "}, 422, "须填写原因"),
    ("void", {"note": ""}, 422, "须填写原因"),
    ("merge", {"into": "x"}, 422, "请填写继续办理的案件编号"),
    ("merge", {"into": "99"}, 404, "未找到"),
    ("extend", {"note": "雨", "extra": "-1"}, 422, "请填写延长多少"),
    ("repaired", {"verdict": "maybe"}, 422, "提交内容无效"),
    ("verify", {}, 409, "当前状态（已派遣）下不能执行此操作"),
    ("file", {}, 422, "提交内容无效"),
    ("explode", {}, 422, "提交内容无效"),
]


async def test_what_cannot_be_done_is_said_in_words(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    async with await visitor(gate, "supervisor", "zh") as person:
        form = (await person.open(path)).form(path, "accept")
        for event, said, status, told in REFUSED:
            page = await person.send(path, {**form, "event": event, **said})
            assert (event, page.status, told in page.text) == (event, status, True), page.text
    assert (await case_of(gate, number))["state"] == "dispatched"


async def test_a_crew_that_handed_it_back_gets_it_again_only_on_purpose(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    async with await visitor(gate, "supervisor") as person:
        await person.act(path, "return", note="not ours")
        page = await person.act(path, "dispatch", crew="drainage")
        assert page.status == 409
        assert "drainage handed it back" in page.text
        page = await person.act(path, "dispatch", crew="drainage", force="true", note="it is theirs")
        assert page.status == 200
    assert (await case_of(gate, number))["crew"] == "drainage"


async def test_some_alarms_of_a_case_leave_it(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    other = await open_cover(gate, "M2", lat=31.3)
    await gate.ok("supervisor", "POST", f"/cases/{other}/events", json={"event": "merge", "into": number})
    alarms = (await gate.ok("viewer", "GET", path))["alarms"]
    async with await visitor(gate, "operator") as person:
        page = await person.open(path)
        assert "split" in page.events
        page = await person.act(path, "split", alarms=[alarms[0]["id"]])
        assert page.status == 200, page.text
        assert "split" not in page.events
    assert len((await gate.ok("viewer", "GET", path))["alarms"]) == 1


async def test_a_photo_is_sent_and_seen(gate: Gate) -> None:
    number = await open_cover(gate)
    path = f"/cases/{number}"
    async with await visitor(gate, "crew") as person:
        form = (await person.open(path)).form(f"{path}/photos")
        page = await person.send(f"{path}/photos", form, files={"photo": ("../x.png", PNG, "text/html")})
        assert "Photo added" in page.text
        (picture,) = [
            given["src"] for tag, given in page.tags if tag == "img" and "photos" in str(given["src"])
        ]
        assert (await person.open(str(picture))).headers["content-type"] == "image/png"
        for wrong in (b"", b"<svg/>"):
            page = await person.send(f"{path}/photos", form, files={"photo": ("x.png", wrong)})
            assert (page.status, "That did not work" in page.text) == (422, True)
        page = await person.send(f"{path}/photos", form, files={"photo": ("x.png", bytes(9 * 2**20))})
        assert page.status == 413
        page = await person.send(f"{path}/photos", {}, files={"photo": ("x.png", PNG)})
        assert page.status == 403


async def test_an_alarm_is_seen_shelved_and_back(gate: Gate) -> None:
    await open_cover(gate)
    (alarm,) = (await gate.ok("viewer", "GET", "/alarms"))["items"]
    path = f"/alarms/{alarm['id']}"
    zone = gate.services.desk.casework.clock.zone
    ahead = datetime.fromtimestamp(gate.services.clock.now() / SECOND, zone).replace(second=0, microsecond=0)
    ahead += timedelta(hours=3)
    async with await visitor(gate, "operator") as person:
        page = await person.act(path, "acknowledge", note="on it")
        assert page.events == ["shelve"]
        assert "on it" in page.text
        for until, note, told in (
            ("", "x", "Choose a time ahead"),
            ("2020-01-01T00:00", "x", "Choose a time ahead"),
        ):
            page = await person.act(path, "shelve", until=until, note=note)
            assert (page.status, told in page.text) == (422, True)
        page = await person.act(path, "shelve", note="")
        assert "A reason is needed" in page.text
        page = await person.act(path, "shelve", until=f"{ahead:%Y-%m-%dT%H:%M}", note="road works")
        assert page.events == ["unshelve", "shelve"]
        held = (await gate.ok("viewer", "GET", path))["alarm"]
        assert held["shelved_until"] == int(ahead.timestamp()) * SECOND
        stale = {**page.form(path, "unshelve"), "revision": "1"}
        assert (await person.send(path, stale)).status == 409
        page = await person.act(path, "unshelve")
        assert sorted(page.events) == ["acknowledge", "shelve"]
        assert (await person.send(path, {**page.form(path, "shelve"), "event": "clear"})).status == 422
    async with await visitor(gate, "viewer") as reader:
        page = await reader.open(path)
        assert (page.status, page.events) == (200, [])


async def test_a_crew_sees_its_work_and_makes_one_way_of_it(gate: Gate) -> None:
    first = await open_cover(gate)
    second = await open_cover(gate, "M2", name="井 2")
    async with await visitor(gate, "crew", name="zhao") as person:
        assert "You are in no crew" in (await person.open("/mine")).text
        form = {"department": "water", "members": ["user:zhao"]}
        await gate.ok("supervisor", "PUT", "/crews/drainage", json=form)
        page = await person.open("/mine")
        assert {f"/cases/{first}", f"/cases/{second}"} <= set(page.links)
        plan = page.form("/visits")
        assert (await person.send("/visits", {**plan, "cases": ["x"]})).status == 422
        page = await person.send("/visits", {**plan, "cases": [str(first), str(second)]})
        assert (page.where, "Planned" in page.text) == ("/mine", True)
        (visit,) = [where for where, _ in page.forms if where.startswith("/visits/")]
        page = await person.act("/mine", "start")
        assert "On the way" in page.text
        page = await person.act("/mine", "finish", note="both closed")
        assert visit not in [where for where, _ in page.forms]
    assert {(await case_of(gate, number))["state"] for number in (first, second)} == {"repaired"}
