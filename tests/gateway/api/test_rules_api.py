"""Tuning through the API: values by scope, versions, canaries and shadows; who may, and what is refused."""

from __future__ import annotations

from typing import Any

from tests.gateway.api.gate import RULE, Gate

RULE_PATH = "/rules/manhole-open"
WHY = {"reason": "a soft road"}


async def tilt(gate: Gate, device: str, value: float) -> list[dict[str, Any]]:
    """The device says it; its alarms then."""
    now = gate.services.clock.now() // 1000
    await gate.push({"device": device, "ts": now - 1000, "v": {"tilt": value}})
    items: list[dict[str, Any]] = (await gate.ok("viewer", "GET", f"/alarms?device={device}"))["items"]
    return items


async def draft(gate: Gate, **changes: Any) -> int:
    wish = {"document": {**RULE, **changes}, "draft": True, **WHY}
    version: int = (await gate.ok("operator", "POST", f"{RULE_PATH}/versions", json=wish))["version"]
    return version


async def test_a_value_is_set_shown_reset_and_brought_back(gate: Gate) -> None:
    path = f"{RULE_PATH}/parameters/limit"
    wish = {"scope": "area:xuhui", "value": "20 deg", **WHY}
    assert (await gate.ok("operator", "PUT", path, json=wish))["value"] == 20
    (one,) = (await gate.ok("viewer", "GET", f"{RULE_PATH}/parameters"))["items"]
    assert (one["scope"], one["value"], one["reason"]) == ("area:xuhui", 20, "a soft road")
    await gate.ok("operator", "POST", f"{path}/reset", json={"scope": "area:xuhui", **WHY})
    back = await gate.ok(
        "operator", "POST", f"{path}/rollback", json={"scope": "area:xuhui", "version": 1, **WHY}
    )
    assert (back["version"], back["value"], back["restores"]) == (3, 20, 1)
    found = await gate.ok("viewer", "GET", f"{path}/versions", params={"scope": "area:xuhui"})
    assert [one["value"] for one in found["items"]] == [20, None, 20]


async def test_what_cannot_be_is_refused_with_the_reason(gate: Gate) -> None:
    path = f"{RULE_PATH}/parameters/limit"
    for wish in (
        {"value": 61, **WHY},
        {"value": "20 kg", **WHY},
        {"value": 20, "reason": " "},
        {"value": 20, "scope": "moon", **WHY},
    ):
        assert await gate.refused("operator", "PUT", path, json=wish) == (422, "invalid")
    assert await gate.refused("viewer", "PUT", path, json={"value": 20, **WHY}) == (403, "forbidden")
    assert await gate.refused("operator", "POST", f"{RULE_PATH}/promote", json=WHY) == (409, "conflict")
    assert await gate.refused("viewer", "GET", "/rules/nothing/standing") == (404, "not-found")
    other = {"document": {**RULE, "id": "other"}, **WHY}
    assert await gate.refused("operator", "POST", f"{RULE_PATH}/versions", json=other) == (422, "invalid")
    assert (await gate.ok("viewer", "GET", f"{RULE_PATH}/parameters"))["items"] == []


async def test_a_parameter_that_is_not_there_is_neither_set_nor_reset(gate: Gate) -> None:
    path = f"{RULE_PATH}/parameters/angle"
    said = []
    for method, where, wish in (("PUT", path, {"value": 20, **WHY}), ("POST", f"{path}/reset", WHY)):
        answer = await gate.call("operator", method, f"/api/v1{where}", json=wish)
        body = answer.json()
        said.append((answer.status_code, body["type"], body["field"], body["detail"]))
    told = "rule manhole-open has no parameter 'angle'; it has: limit"
    assert said == [(422, "urn:citygate:invalid", "name", told)] * 2
    unknown = "/rules/nothing/parameters/limit/reset"
    assert await gate.refused("operator", "POST", unknown, json=WHY) == (404, "not-found")
    assert (await gate.ok("viewer", "GET", f"{path}/versions"))["items"] == []


async def test_a_version_is_drafted_compared_published_and_rolled_back(gate: Gate) -> None:
    version = await draft(gate, hold="5m", zh="井盖移位")
    found = (await gate.ok("viewer", "GET", f"{RULE_PATH}/diff", params={"before": 1, "after": version}))[
        "items"
    ]
    assert [(one["en"], one["before"], one["after"]) for one in found] == [
        ("must last", "", "5m"),
        ("text in Chinese", "井盖打开", "井盖移位"),
    ]
    stands = await gate.ok("operator", "POST", f"{RULE_PATH}/publish", json={"version": version, **WHY})
    assert stands["live"] == version
    back = await gate.ok("operator", "POST", f"{RULE_PATH}/rollback", json={"version": 1, **WHY})
    assert (back["version"], back["restores"], back["document"]["zh"]) == (3, 1, "井盖打开")


async def test_a_canary_raises_in_its_area_alone_and_a_shadow_tells_nobody(gate: Gate) -> None:
    await gate.device("M1", area="xuhui/tianping")
    await gate.device("M2", area="jingan")
    version = await draft(gate, when="tilt > 8 deg", clear="tilt < limit")
    trial = {"version": version, "areas": ["xuhui"], **WHY}
    await gate.ok("operator", "POST", f"{RULE_PATH}/canary", json=trial)
    await gate.ok("operator", "POST", f"{RULE_PATH}/shadow", json={"version": version, **WHY})
    (alarm,) = await tilt(gate, "M1", 10)
    assert (alarm["version"], await tilt(gate, "M2", 10)) == (version, [])
    shadow = await gate.ok("viewer", "GET", f"{RULE_PATH}/shadow")
    assert [(one["area"], one["raised"]) for one in shadow["counts"]] == [
        ("jingan", 1),
        ("xuhui/tianping", 1),
    ]
    assert {one["device"] for one in shadow["newest"]} == {"M1", "M2"}
    stands = await gate.ok("viewer", "GET", f"{RULE_PATH}/standing")
    assert (stands["live"], stands["canary"], stands["areas"], stands["shadow"]) == (
        1,
        version,
        ["xuhui"],
        version,
    )


async def test_a_withdrawn_rule_clears_what_stands(gate: Gate) -> None:
    await gate.device("M1", area="xuhui")
    (alarm,) = await tilt(gate, "M1", 40)
    assert alarm["standing"]
    stands = await gate.ok("operator", "POST", f"{RULE_PATH}/withdraw", json=WHY)
    assert stands["withdrawn"] == "person"
    (alarm,) = await tilt(gate, "M1", 41)
    assert not alarm["standing"]
    assert (await gate.ok("viewer", "GET", "/rules"))["items"] == []
    await gate.ok("operator", "POST", f"{RULE_PATH}/enable", json=WHY)
    assert [one["live"] for one in (await gate.ok("viewer", "GET", "/rules/standing"))["items"]] == [1]


async def test_presets_are_listed_with_their_sources(gate: Gate) -> None:
    found = {one["name"]: one for one in (await gate.ok("viewer", "GET", "/rules/presets"))["items"]}
    assert [name for name, one in found.items() if one["chosen"]] == ["default"]
    assert {one["source"] for one in found["beijing"]["value"]} >= {"DB11/1488-2018, cooking fume 1.0 mg/m3"}
