"""Devices through the API: what is created can speak, what is wrong is said, secrets are shown once."""

from __future__ import annotations

import pytest

from rules.control import Devices as DevicesControl
from tests.gateway.api.gate import Gate


async def test_a_device_is_created_read_changed_and_retired(gate: Gate) -> None:
    made = await gate.ok(
        "admin",
        "POST",
        "/devices",
        json={
            "id": "M1",
            "product": "generic-manhole",
            "area": "xuhui",
            "lat": 31.2,
            "lon": 121.4,
            "interval": "5m",
        },
    )
    assert (made["device"]["family"], made["device"]["index"], made["device"]["interval"]) == (
        "manhole",
        0,
        300_000_000,
    )
    assert gate.services.directory.authenticate("M1", made["secret"].encode())
    assert await gate.ok("viewer", "GET", "/devices/M1") == made["device"] | {"clock": None}
    changed = await gate.ok("admin", "PATCH", "/devices/M1", json={"name": "井 1", "lat": None, "lon": None})
    assert (changed["name"], changed["lat"], changed["area"]) == ("井 1", None, "xuhui")
    rotated = await gate.ok("admin", "POST", "/devices/M1/secret")
    assert rotated["secret"] != made["secret"]
    assert (await gate.ok("admin", "DELETE", "/devices/M1"))["retired"]
    assert await gate.ok("viewer", "GET", "/devices?retired=false") == {"items": [], "after": ""}


async def test_history_knows_a_device_before_the_answer(gate: Gate) -> None:
    await gate.device("M1")
    assert gate.services.directory.device("M1") is not None
    logged = [control for _, _, controls in gate.pipeline.parts.history.replay(0) for control in controls]
    assert [one.rows[0].id for one in logged if isinstance(one, DevicesControl)] == ["M1"]


async def test_devices_are_listed_by_pages(gate: Gate) -> None:
    for number in range(5):
        await gate.device(f"M{number}", area="xuhui" if number % 2 else "huangpu")
    first = await gate.ok("viewer", "GET", "/devices?limit=2")
    assert [one["id"] for one in first["items"]] == ["M0", "M1"]
    second = await gate.ok("viewer", "GET", f"/devices?limit=3&after={first['after']}")
    assert ([one["id"] for one in second["items"]], second["after"]) == (["M2", "M3", "M4"], "")
    narrowed = await gate.ok("viewer", "GET", "/devices?area=xuhui&family=manhole&text=M")
    assert [one["id"] for one in narrowed["items"]] == ["M1", "M3"]


async def test_what_is_wrong_with_a_device_is_said(gate: Gate) -> None:
    await gate.device("M1")
    new = {"id": "M1", "product": "generic-manhole"}
    assert await gate.refused("admin", "POST", "/devices", json=new) == (409, "conflict")
    answer = await gate.call("admin", "POST", "/api/v1/devices", json={**new, "id": "a/b", "grid": "12"})
    assert [(fault["at"], bool(fault["remedy"])) for fault in answer.json()["errors"]] == [
        ("grid", True),
        ("id", True),
    ]
    assert await gate.refused("admin", "PATCH", "/devices/M1", json={"name": None}) == (422, "invalid")
    assert await gate.refused("admin", "PATCH", "/devices/M1", json={"index": 7}) == (422, "invalid")
    assert await gate.refused("viewer", "GET", "/devices/M2") == (404, "not-found")
    assert await gate.refused("admin", "DELETE", "/devices/M2") == (404, "not-found")


async def test_a_csv_is_imported_whole_or_not_at_all(gate: Gate) -> None:
    good = "id,product,attr.depth\nM1,generic-manhole,2.5\nM2,generic-manhole,\n"
    bad = good + "M3,nothing,1\n"
    answer = await gate.call("admin", "POST", "/api/v1/devices/import", content=bad)
    assert answer.status_code == 422
    assert [(fault["line"], fault["column"]) for fault in answer.json()["faults"]] == [(4, "product")]
    done = await gate.ok("admin", "POST", "/devices/import?partial=true", content=bad)
    assert ([one["id"] for one in done["created"]], done["lines"], len(done["faults"])) == (
        ["M1", "M2"],
        3,
        1,
    )
    assert gate.services.directory.authenticate("M2", done["created"][1]["secret"].encode())
    answer = await gate.call("admin", "POST", "/api/v1/devices/import", content=good)
    assert [fault["line"] for fault in answer.json()["faults"]] == [2, 3]


async def test_commands_are_queued_and_listed(gate: Gate) -> None:
    await gate.device("L1", "generic-streetlight")
    for level in (10, 20):
        issued = await gate.ok(
            "operator",
            "POST",
            "/devices/L1/commands",
            json={"name": "dim", "args": {"level": level}, "lifetime": 60},
        )
    assert (issued["state"], issued["expires"] - issued["created"]) == ("approved", 60_000_000)
    assert gate.door.took == [("streetlight", "L1")], "one a minute: the second waits its turn"
    page = await gate.ok("viewer", "GET", "/devices/L1/commands?limit=1")
    assert [one["args"] for one in page["items"]] == [{"level": 20.0}]
    page = await gate.ok("viewer", "GET", f"/devices/L1/commands?after={page['after']}")
    assert [one["args"] for one in page["items"]] == [{"level": 10.0}]
    bad = {"name": "dim", "args": {"level": 300}}
    assert await gate.refused("operator", "POST", "/devices/L1/commands", json=bad) == (422, "invalid")


async def test_sources_and_tokens_are_made_and_taken_away(gate: Gate) -> None:
    made = await gate.ok("admin", "POST", "/sources", json={"name": "lns", "filters": ["city/#"], "area": ""})
    assert gate.services.directory.authenticate("lns", made["secret"].encode())
    assert await gate.ok("viewer", "GET", "/sources") == {"items": [made["source"]]}
    await gate.ok("admin", "POST", "/sources/lns/secret")
    await gate.ok("admin", "DELETE", "/sources/lns")
    assert gate.services.directory.voice(made["secret"].encode()) is None

    token = await gate.ok("admin", "POST", "/tokens", json={"name": "ann", "role": "viewer"})
    assert (await gate.call(None, "GET", "/api/v1/devices", secret=token["secret"])).status_code == 200
    await gate.ok("admin", "DELETE", f"/tokens/{token['token']['id']}")
    assert (await gate.call(None, "GET", "/api/v1/devices", secret=token["secret"])).status_code == 401
    listed = (await gate.ok("admin", "GET", "/tokens"))["items"]
    assert [one["name"] for one in listed if one["revoked"]] == ["ann"]
    assert not any("secret" in one or "digest" in one for one in listed)


@pytest.mark.parametrize("role", ["owner", "", None])
async def test_roles_are_closed(gate: Gate, role: str | None) -> None:
    assert await gate.refused("admin", "POST", "/tokens", json={"name": "x", "role": role}) == (
        422,
        "invalid",
    )


async def test_rules_are_read_with_versions_and_parameters(gate: Gate) -> None:
    listed = (await gate.ok("viewer", "GET", "/rules"))["items"]
    assert [(one["rule"], one["version"], one["shipped"]) for one in listed] == [("manhole-open", 1, True)]
    assert listed[0]["document"]["when"] == "tilt > limit"
    await gate.services.rulebook.override("manhole-open", "limit", "area:xuhui", 20, "token:ann", "kids")
    found = (await gate.ok("viewer", "GET", "/rules/manhole-open/parameters"))["items"]
    assert [(one["scope"], one["value"], one["reason"]) for one in found] == [("area:xuhui", 20.0, "kids")]
    assert len((await gate.ok("viewer", "GET", "/rules/manhole-open/versions"))["items"]) == 1
    assert await gate.refused("viewer", "GET", "/rules/none/parameters") == (404, "not-found")
