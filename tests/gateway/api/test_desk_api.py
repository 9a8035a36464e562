"""Alarms and cases through the API, and who looks on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from gateway.api.stream import QUEUE, Hub, Wanted
from gateway.cases.record import Change
from tests.gateway.api.gate import Gate


async def raised(gate: Gate, device: str = "M1") -> dict[str, Any]:
    """An open cover: its alarm."""
    await gate.device(device, area="xuhui/tianping", name="井 1")
    now = gate.services.clock.now() // 1000
    await gate.push({"device": device, "ts": now - 1000, "v": {"tilt": 40}})
    alarms = (await gate.ok("viewer", "GET", f"/alarms?device={device}"))["items"]
    assert len(alarms) == 1
    alarm: dict[str, Any] = alarms[0]
    return alarm


async def test_a_reading_becomes_an_alarm_and_a_case(gate: Gate) -> None:
    alarm = await raised(gate)
    assert (alarm["name"], alarm["state"], alarm["device_name"], alarm["standing"]) == (
        "coverOpened",
        "active",
        "井 1",
        True,
    )
    page = await gate.ok("viewer", "GET", "/cases?family=manhole&area=xuhui")
    assert [case["id"] for case in page["items"]] == [alarm["case"]]
    file = await gate.ok("viewer", "GET", f"/cases/{alarm['case']}")
    assert [one["id"] for one in file["alarms"]] == [alarm["id"]]
    assert file["timeline"][0]["event"] == "file"
    assert file["standard"]["limit"] == {"amount": 2.0, "unit": "urgent_hour"}
    assert file["standard"]["filing"]["zh"] == "井盖缺失、移位、断裂，危及行人和车辆安全"
    assert file["standard"]["closing"]["en"] == "Restored"
    assert file["standard"]["source"].startswith("0101-0118 井盖")
    counts = await gate.ok("viewer", "GET", "/counts")
    assert counts["devices"] == {"manhole": 1}
    assert counts["alarms"] == {"manhole": {"active": 1}}


async def test_people_acknowledge_shelve_and_unshelve(gate: Gate) -> None:
    alarm = await raised(gate)
    path = f"/alarms/{alarm['id']}"
    seen = await gate.ok(
        "operator", "POST", f"{path}/acknowledge", json={"note": "on it", "revision": alarm["revision"]}
    )
    assert (seen["alarm"]["state"], seen["timeline"][-1]["actor"]) == ("acknowledged", "token:the-operator")
    stale = {"note": "me too", "revision": alarm["revision"]}
    assert await gate.refused("operator", "POST", f"{path}/acknowledge", json=stale) == (409, "conflict")
    until = gate.services.clock.now() + 3_600_000_000
    shelved = await gate.ok("operator", "POST", f"{path}/shelve", json={"until": until, "note": "road works"})
    assert (shelved["alarm"]["state"], shelved["alarm"]["shelved_until"]) == ("shelved", until)
    back = await gate.ok("operator", "POST", f"{path}/unshelve", json={})
    assert back["alarm"]["state"] == "active"
    assert await gate.refused("operator", "POST", f"{path}/unshelve", json={}) == (409, "conflict")
    assert await gate.refused("operator", "POST", f"{path}/shelve", json={"until": 1, "note": "x"}) == (
        422,
        "invalid",
    )
    assert await gate.refused("viewer", "GET", "/alarms/none") == (404, "not-found")
    assert (await gate.ok("viewer", "GET", "/alarms?state=cleared&state=shelved"))["items"] == []


async def test_a_case_is_worked_by_crews_and_decided_by_operators(gate: Gate) -> None:
    path = f"/cases/{(await raised(gate))['case']}/events"
    file = await gate.ok("viewer", "GET", path.removesuffix("/events"))
    assert (file["case"]["state"], file["case"]["crew"]) == ("dispatched", "drainage")
    file = await gate.ok("crew", "POST", path, json={"event": "return", "note": "not ours"})
    assert file["case"]["state"] == "filed"
    north = {"event": "dispatch", "crew": "north"}
    assert await gate.refused("crew", "POST", path, json=north) == (403, "forbidden")
    await gate.ok("operator", "POST", path, json=north)
    file = await gate.ok("crew", "POST", path, json={"event": "start"})
    assert file["case"]["state"] == "in_repair"
    assert await gate.refused("crew", "POST", path, json={"event": "accept"}) == (409, "conflict")
    assert await gate.refused("crew", "POST", path, json={"event": "void", "note": "no"}) == (
        403,
        "forbidden",
    )
    assert await gate.refused("operator", "POST", path, json={"event": "void", "note": "no"}) == (
        403,
        "forbidden",
    )
    assert await gate.refused("supervisor", "POST", path, json={"event": "void"}) == (422, "invalid")
    assert await gate.refused("operator", "POST", path, json={"event": "explode"}) == (422, "invalid")
    assert await gate.refused("viewer", "GET", "/cases/99") == (404, "not-found")


async def test_the_stream_tells_of_changes_and_readings(gate: Gate) -> None:
    await gate.device("M1")
    events: list[tuple[str, Any]] = []

    async def watch() -> None:
        transport = httpx.ASGITransport(gate.app)
        headers = {"Authorization": f"Bearer {gate.words['viewer']}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://gate", headers=headers) as client:
            answer = await client.get("/api/v1/stream?device=M1&kind=alarm")
        lines = answer.text.split("\n\n")
        for block in lines:
            if block.startswith("event: "):
                name, data = block.split("\n")
                events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))

    watching = asyncio.ensure_future(watch())
    for _ in range(100):  # meanwhile the stream begins
        await gate.ok("viewer", "GET", "/counts")
        if len(gate.services.hub):
            break
    now = gate.services.clock.now() // 1000
    await gate.push({"device": "M1", "ts": now - 1000, "v": {"tilt": 40}, "q": {"tilt": "uncertain"}})
    gate.services.hub.close()
    await watching
    assert [name for name, _ in events] == ["alarm", "reading"]
    assert (events[0][1]["event"], events[0][1]["device"]) == ("raise", "M1")
    assert (events[1][1]["values"], events[1][1]["quality"]) == ({"tilt": 40.0}, {"tilt": "uncertain"})
    assert await gate.refused("viewer", "GET", "/stream") == (503, "unavailable")


async def test_a_stream_for_nobody_is_not_opened(gate: Gate) -> None:
    assert await gate.refused("viewer", "GET", "/stream?device=M9") == (404, "not-found")
    assert await gate.refused("viewer", "GET", "/stream?kind=cake") == (422, "invalid")


async def test_a_slow_subscriber_is_dropped_and_told() -> None:
    change = Change(
        "alarm", "1", "raise", "active", "coverOpened", "critical", "manhole", "M1", "xuhui/a", 1, 1
    )
    hub = Hub()
    slow = hub.join(Wanted(frozenset({"alarm"})))
    others = [
        hub.join(Wanted(frozenset({"alarm"}), area="xuhui", family="manhole")),
        hub.join(Wanted(frozenset({"alarm"}), area="xu")),
        hub.join(Wanted(frozenset({"case"}))),
    ]
    for _ in range(QUEUE):
        hub.publish([change], [])
    while not others[0].events.empty():
        others[0].events.get_nowait()
    hub.publish([change], [])
    assert (slow.lost, len(hub)) == (True, 3)
    assert [one.events.qsize() for one in others] == [1, 0, 0]
    last = None
    while not slow.events.empty():
        last = slow.events.get_nowait()
    assert last is None
