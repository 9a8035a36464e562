"""Joining over the API: what is unknown is listed with what would decode it, and comes in by a window and an adoption."""

from __future__ import annotations

import json
from typing import Any

from drivers.lorawan.envelopes import Uplink, write
from tests.gateway.api.gate import Gate

EUI = "70b3d5b020073208"
ITEM = {"device": "MH-9", "v": {"ch4": 3}}


async def unknown(gate: Gate, **query: Any) -> list[dict[str, Any]]:
    await gate.services.joining.look()
    found = await gate.ok("viewer", "GET", "/unknown-devices", params=query)
    items: list[dict[str, Any]] = found["items"]
    return items


async def test_what_a_platform_pushes_for_nobody_is_remembered(gate: Gate) -> None:
    new = {"name": "lns", "filters": ["city/#"], "area": ""}
    secret = (await gate.ok("admin", "POST", "/sources", json=new))["secret"]
    frame = write(Uplink("chirpstack", EUI, "bay-1", 1, 1, b"\x01"))
    answer = await gate.call(None, "POST", "/api/v1/push/lns", secret=secret, content=frame)
    assert answer.json()["refused"][0]["reason"] == "unknown_device"
    await gate.push(ITEM)
    newest, before = await unknown(gate)
    assert (newest["id"], newest["transport"], newest["products"]) == ("MH-9", "http", ["generic-manhole"])
    assert json.loads(newest["samples"][0]["payload"]) == ITEM
    assert (before["id"], before["address"], before["area"]) == (EUI, "lns@127.0.0.1", "")
    assert "bosch-tps110" in before["products"]
    sample = (await gate.ok("viewer", "GET", "/quarantine", params={"device": EUI}))["items"][0]
    assert sample["reason"] == "unknown_device"

    made = await gate.ok(
        "admin",
        "POST",
        "/unknown-devices/adopt",
        json={"id": EUI, "product": "bosch-tps110", "area": "xuhui"},
    )
    assert made["device"]["id"] == EUI
    again = write(Uplink("chirpstack", EUI, "bay-1", 1, 2, b"\x01"))
    answer = await gate.call(None, "POST", "/api/v1/push/lns", secret=secret, content=again)
    assert answer.json()["refused"] == []
    assert [one["id"] for one in await unknown(gate)] == ["MH-9"]


async def test_an_operator_opens_a_window_and_only_a_registrar_adopts(gate: Gate) -> None:
    form = {"area": "xuhui", "minutes": 5, "product": "generic-manhole", "secret": True}
    assert await gate.refused("viewer", "POST", "/join-windows", json=form) == (403, "forbidden")
    opened = await gate.ok("operator", "POST", "/join-windows", json=form)
    window = opened["window"]
    assert (window["area"], window["secret"], window["closes"] - window["opened"]) == (
        "xuhui",
        True,
        300_000_000,
    )
    assert (await gate.ok("viewer", "GET", "/join-windows"))["items"] == [window]

    for secret, status in (("guess", 401), (opened["secret"], 200)):
        answer = await gate.call(None, "POST", "/api/v1/telemetry", secret=secret, json=ITEM)
        assert answer.status_code == status
    (one,) = await unknown(gate, id="MH-9")
    assert one["area"] == "xuhui"
    assert await gate.refused("operator", "POST", "/unknown-devices/adopt", json={"id": "MH-9"}) == (
        403,
        "forbidden",
    )
    made = await gate.ok("admin", "POST", "/unknown-devices/adopt", json={"id": "MH-9", "name": "和平路 42"})
    assert (made["device"]["product"], made["device"]["area"]) == ("generic-manhole", "xuhui")
    answer = await gate.call(None, "POST", "/api/v1/telemetry", secret=made["secret"], json=ITEM)
    assert answer.json() == {"received": 1, "refused": []}

    await gate.ok("operator", "DELETE", f"/join-windows/{window['id']}")
    assert await gate.refused("operator", "DELETE", f"/join-windows/{window['id']}") == (404, "not-found")
    assert await gate.refused("operator", "POST", "/join-windows", json={"area": "//"}) == (422, "invalid")


async def test_the_list_comes_by_pages_and_can_be_shortened(gate: Gate) -> None:
    for number in range(5):
        await gate.push({"device": f"X{number}", "v": {"tilt": 3}})
    first = await gate.ok("viewer", "GET", "/unknown-devices", params={"limit": 3})
    rest = await gate.ok("viewer", "GET", "/unknown-devices", params={"limit": 3, "after": first["after"]})
    assert [one["id"] for one in (*first["items"], *rest["items"])] == [
        f"X{number}" for number in range(4, -1, -1)
    ]
    assert rest["after"] == ""
    await gate.ok("operator", "POST", "/unknown-devices/forget", json={"id": "X3"})
    assert "X3" not in {one["id"] for one in await unknown(gate)}
    assert await gate.refused("operator", "POST", "/unknown-devices/forget", json={"id": "X3"}) == (
        404,
        "not-found",
    )
    assert await gate.refused("admin", "POST", "/unknown-devices/adopt", json={"id": "X3"}) == (
        404,
        "not-found",
    )
    assert (await gate.refused("admin", "POST", "/unknown-devices/adopt", json={"id": "X1", "area": "//"}))[
        0
    ] == 422


async def test_clocks_are_listed_worst_first(gate: Gate) -> None:
    now = gate.services.clock.now() // 1000
    for name, behind in (("M1", 5_000), ("M2", 3_600_000), ("M3", -30_000)):
        await gate.device(name)
        await gate.push({"device": name, "ts": now - behind, "v": {"tilt": 3}})
    found = await gate.ok("viewer", "GET", "/clocks", params={"family": "manhole", "limit": 2})
    assert [(one["device"], round(one["offset"] / 1e6, -1), one["wrong"]) for one in found["items"]] == [
        ("M2", 3600, True),
        ("M3", -30, False),
    ]
    assert await gate.refused("viewer", "GET", "/clocks", params={"family": "x"}) == (404, "not-found")
    await gate.ok("admin", "DELETE", "/devices/M2")
    found = await gate.ok("viewer", "GET", "/clocks")
    assert [one["device"] for one in found["items"]] == ["M3", "M1"]
