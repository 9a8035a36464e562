"""Maintenance windows, what suppresses what, and storms, through the API."""

from __future__ import annotations

from typing import Any

from tests.gateway.api.gate import Gate

HOUR = 3_600_000_000


async def tilted(gate: Gate, device: str) -> dict[str, Any]:
    """An open cover in a street: its alarm."""
    await gate.device(device, area="xuhui/tianping")
    now = gate.services.clock.now() // 1000
    await gate.push({"device": device, "ts": now, "v": {"tilt": 40}})
    (alarm,) = (await gate.ok("viewer", "GET", f"/alarms?device={device}"))["items"]
    found: dict[str, Any] = alarm
    return found


async def test_what_is_raised_inside_a_window_is_shown_and_is_no_case_until_it_is_ended(gate: Gate) -> None:
    new = {"length": "4h", "reason": "the street is dug up", "area": "xuhui"}
    window = await gate.ok("operator", "POST", "/windows", json=new)
    assert (window["state"], window["ends"] - window["begins"], window["author"]) == (
        "active",
        4 * HOUR,
        "token:the-operator",
    )
    alarm = await tilted(gate, "M1")
    by = f"window:{window['id']}"
    assert (alarm["state"], alarm["suppressed_by"], alarm["suppression"], alarm["case"]) == (
        "suppressed",
        by,
        "window",
        None,
    )
    held = await gate.ok("viewer", "GET", f"/alarms?suppressed_by={by}")
    assert [one["id"] for one in held["items"]] == [alarm["id"]]
    assert (await gate.ok("viewer", "GET", "/cases"))["items"] == []
    ended = await gate.ok("operator", "POST", f"/windows/{window['id']}/end")
    assert (ended["state"], ended["ended_by"]) == ("expired", "token:the-operator")
    file = await gate.ok("viewer", "GET", f"/alarms/{alarm['id']}")
    assert (file["alarm"]["state"], file["alarm"]["case"]) == ("active", 1)
    assert [line["event"] for line in file["timeline"]] == ["raise", "suppress", "unsuppress"]


async def test_windows_are_listed_by_state(gate: Gate) -> None:
    now = gate.services.clock.now()
    later = {"begins": now + HOUR, "ends": now + 2 * HOUR, "reason": "works", "device": "M1"}
    pending = await gate.ok("operator", "POST", "/windows", json=later)
    active = await gate.ok("operator", "POST", "/windows", json={"length": "1h", "reason": "x", "rule": "r"})
    listed = (await gate.ok("viewer", "GET", "/windows"))["items"]
    assert [one["id"] for one in listed] == [active["id"], pending["id"]]
    listed = (await gate.ok("viewer", "GET", "/windows?state=pending"))["items"]
    assert [one["id"] for one in listed] == [pending["id"]]


async def test_windows_that_say_too_little_are_refused(gate: Gate) -> None:
    for bad in (
        {"reason": "works", "area": "xuhui"},
        {"length": "long", "reason": "works", "area": "xuhui"},
        {"length": "1h", "reason": " ", "area": "xuhui"},
        {"length": "1h", "reason": "works"},
        {"length": "9999d", "reason": "works", "area": "xuhui"},
    ):
        assert await gate.refused("operator", "POST", "/windows", json=bad) == (422, "invalid"), bad
    assert await gate.refused("operator", "POST", "/windows/9/end") == (404, "not-found")
    good = {"length": "1h", "reason": "works", "area": "xuhui"}
    assert (await gate.refused("viewer", "POST", "/windows", json=good))[0] == 403


async def test_a_person_releases_what_is_suppressed(gate: Gate) -> None:
    await gate.ok("operator", "POST", "/windows", json={"length": "1h", "reason": "works", "area": "xuhui"})
    alarm = await tilted(gate, "M1")
    path = f"/alarms/{alarm['id']}/unsuppress"
    said = await gate.ok("operator", "POST", path, json={"note": "a child nearly fell in"})
    assert (said["alarm"]["state"], said["alarm"]["suppressed_by"]) == ("active", None)
    assert said["timeline"][-1]["note"] == "a child nearly fell in"
    assert await gate.refused("operator", "POST", path, json={}) == (409, "conflict")


async def test_what_explains_what_is_told_in_both_languages(gate: Gate) -> None:
    links = {one["id"]: one for one in (await gate.ok("viewer", "GET", "/correlation"))["items"]}
    cabinet = links["cabinet-without-power"]
    assert (cabinet["kind"], cabinet["below"], "supplyLoss" in cabinet["source"]["alarm"]) == (
        "fold",
        True,
        True,
    )
    assert cabinet["zh"] == "上级配电箱停电。"
    assert links["dark-lamp"]["equal"] == ["device"]


async def test_the_cases_of_a_storm_are_listed(gate: Gate) -> None:
    most = gate.services.desk.settings.storm_causes
    for number in range(most + 1):
        await tilted(gate, f"M{number}")
    (storm,) = [
        one for one in (await gate.ok("viewer", "GET", "/cases"))["items"] if one["template"] == "storm"
    ]
    assert (storm["area"], storm["alarms"]) == ("xuhui", most + 1)
    listed = (await gate.ok("viewer", "GET", f"/cases?storm={storm['id']}"))["items"]
    assert sorted(one["device"] for one in listed) == sorted(f"M{number}" for number in range(most + 1))
