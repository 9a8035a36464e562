"""Commands over the API: who may ask, agree and stop; once a key; seen live."""

from __future__ import annotations

import pytest

from gateway.api.stream import Wanted
from tests.gateway.api.gate import Gate

DIM = {"name": "dim", "args": {"level": 40}}


async def lamps(gate: Gate, n: int) -> list[str]:
    ids = [f"L{number:02}" for number in range(n)]
    for one in ids:
        await gate.device(one, "generic-streetlight", area="xuhui/tianping")
    return ids


async def test_two_people_are_needed_and_named(gate: Gate) -> None:
    ids = await lamps(gate, 4)
    asked = await gate.ok("operator", "POST", "/commands", json={**DIM, "area": "xuhui"})
    assert (asked["state"], asked["devices"], asked["counts"]) == ("requested", 4, {"requested": 4})
    assert asked["second"].startswith("4 of the 4 devices of xuhui/tianping")
    path = f"/commands/{asked['id']}"
    assert await gate.refused("operator", "POST", f"{path}/approve") == (403, "forbidden")
    assert gate.door.took == []
    agreed = await gate.ok("admin", "POST", f"{path}/approve", json={"reason": "fine"})
    assert (agreed["state"], agreed["approver"], agreed["stage"]) == ("running", "token:the-admin", 0)
    assert gate.door.took == [("streetlight", ids[0])]
    listed = await gate.ok("viewer", "GET", "/commands?state=running")
    assert [one["id"] for one in listed["items"]] == [asked["id"]]
    told = await gate.ok("viewer", "GET", f"{path}/devices")
    assert [(one["device"], one["stage"], one["state"]) for one in told["items"]] == [
        ("L00", 0, "sent"),
        *((one, 1, "approved") for one in ids[1:]),
    ]
    events = await gate.ok("viewer", "GET", f"{path}/events")
    whole = [(one["event"], one["actor"]) for one in events["items"] if one["command"] is None]
    assert whole == [("request", "token:the-operator"), ("approve", "token:the-admin"), ("stage", "gateway")]


async def test_what_waits_is_taken_back_with_a_reason(gate: Gate) -> None:
    await lamps(gate, 3)
    asked = await gate.ok("operator", "POST", "/commands", json={**DIM, "road": "tianping"})
    path = f"/commands/{asked['id']}/refuse"
    assert await gate.refused("operator", "POST", path, json={"reason": " "}) == (422, "invalid")
    assert (await gate.ok("operator", "POST", path, json={"reason": "wrong road"}))["state"] == "refused"
    assert await gate.refused("admin", "POST", f"/commands/{asked['id']}/approve") == (409, "conflict")


async def test_a_key_makes_asking_twice_asking_once(gate: Gate) -> None:
    await lamps(gate, 2)
    headers = {"Idempotency-Key": "evening-7"}
    first = await gate.ok("operator", "POST", "/devices/L00/commands", json=DIM, headers=headers)
    again = await gate.ok("operator", "POST", "/devices/L00/commands", json=DIM, headers=headers)
    by_body = await gate.ok(
        "operator", "POST", "/commands", json={**DIM, "devices": ["L00"], "key": "evening-7"}
    )
    assert (again["id"], by_body["id"]) == (first["id"], first["instruction"])
    other = await gate.refused("operator", "POST", "/devices/L01/commands", json=DIM, headers=headers)
    assert other == (409, "conflict")
    assert len(gate.door.took) == 1


async def test_anyone_who_commands_may_stop_all_and_nothing_leaves_then(gate: Gate) -> None:
    await lamps(gate, 1)
    assert (await gate.ok("viewer", "GET", "/downlink"))["stopped"] is None
    assert await gate.refused("operator", "POST", "/downlink/stop", json={}) == (422, "invalid")
    stopped = await gate.ok("operator", "POST", "/downlink/stop", json={"reason": "smoke"})
    assert (stopped["actor"], stopped["reason"], gate.door.taking) == ("token:the-operator", "smoke", False)
    assert await gate.refused("admin", "POST", "/devices/L00/commands", json=DIM) == (409, "conflict")
    opened = await gate.ok("admin", "POST", "/downlink/resume", json={"reason": "out"})
    assert (opened["stopped"], gate.door.taking) == (None, True)
    assert (await gate.ok("operator", "POST", "/devices/L00/commands", json=DIM))["state"] == "sent"


async def test_the_stream_shows_a_command_on_its_way(gate: Gate) -> None:
    await lamps(gate, 1)
    watcher = gate.services.hub.join(Wanted(frozenset({"command"}), area="xuhui"))
    await gate.ok("operator", "POST", "/devices/L00/commands", json=DIM)
    told = [watcher.events.get_nowait() for _ in range(watcher.events.qsize())]
    assert [event[1].split(b'"event":"')[1].split(b'"')[0] for event in told if event] == [
        b"request",
        b"approve",
        b"send",
    ]
    gate.services.hub.leave(watcher)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**DIM}, 422),
        ({**DIM, "area": "xuhui", "cabinet": "C1"}, 422),
        ({**DIM, "area": "nowhere"}, 404),
        ({**DIM, "devices": ["L00", "L77"]}, 404),
        ({"name": "dance", "devices": ["L00"]}, 422),
        ({**DIM, "devices": ["L00"], "lifetime": 0.5}, 422),
        ({**DIM, "devices": ["L00"], "family": "manhole"}, 422),
    ],
)
async def test_what_cannot_be_meant_is_refused(gate: Gate, body: dict[str, object], status: int) -> None:
    await lamps(gate, 1)
    assert (await gate.call("operator", "POST", "/api/v1/commands", json=body)).status_code == status
    assert await gate.refused("crew", "POST", "/commands", json=DIM) == (403, "forbidden")
