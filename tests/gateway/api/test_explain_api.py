"""Why an alarm was raised and why a rule does or does not fire, and what operators bear, through the API."""

from __future__ import annotations

from typing import Any

from gateway.cases.explanations import AT_ONCE
from gateway.cases.record import Message
from tests.gateway.api.gate import Gate
from tests.gateway.api.test_desk_api import raised


async def test_an_alarm_says_why_in_both_languages(gate: Gate) -> None:
    alarm = await raised(gate)
    path = f"/alarms/{alarm['id']}/explanation"
    english = await gate.ok("viewer", "GET", path)
    assert english["text"].startswith("Tilt from rest was 40°, above ")
    assert english["text"].endswith(" by version 1.")
    assert english["evidence"] == alarm["evidence"]
    chinese = await gate.ok("viewer", "GET", f"{path}?lang=zh")
    assert chinese["text"].startswith("倾角为40°，高于")
    assert alarm["text"].startswith("Tilt from rest was 40°, above ")
    assert "version" not in alarm["text"]
    (listed,) = (await gate.ok("viewer", "GET", "/alarms?lang=zh"))["items"]
    assert listed["text"].startswith("倾角为40°，高于")


async def test_an_alarm_of_an_older_version_is_explained_by_it(gate: Gate) -> None:
    alarm = await raised(gate)
    rulebook = gate.services.rulebook
    (first,) = await rulebook.versions(alarm["rule"])
    await rulebook.write({**first.document, "when": "tilt > 2 * limit"}, "token:li", "colder")
    fresh = type(gate.services.explanations)(
        gate.services.families, "Asia/Shanghai", lambda: gate.pipeline.parts.derived.engine, rulebook
    )
    kept = (await gate.ok("viewer", "GET", f"/alarms/{alarm['id']}/explanation"))["text"]
    assert await fresh.of([_Alarm(alarm)], "en") == [kept]
    assert await fresh.of([_Alarm(alarm | {"version": 9})], "en") == [""]
    assert await fresh.of([_Alarm(alarm | {"rule": "nobody"})], "en") == [""]


class _Alarm:
    def __init__(self, alarm: dict[str, Any]) -> None:
        self.rule: str = alarm["rule"]
        self.version: int = alarm["version"]
        self.family: str = alarm["family"]
        self.evidence: dict[str, Any] = alarm["evidence"]


async def test_why_a_rule_is_quiet_is_told_condition_by_condition(gate: Gate) -> None:
    alarm = await raised(gate)
    now = gate.services.clock.now() // 1000
    await gate.push({"device": "M1", "ts": now, "v": {"tilt": 2}})
    quiet = await gate.ok("viewer", "GET", f"/rules/{alarm['rule']}/why?device=M1")
    assert (quiet["state"], quiet["since"], quiet["truth"]) == ("idle", None, False)
    assert quiet["parts"][0]["said"].startswith("Tilt from rest was 2°, not above ")
    assert await gate.refused("viewer", "GET", f"/rules/{alarm['rule']}/why?device=nobody") == (
        404,
        "not-found",
    )
    assert await gate.refused("viewer", "GET", "/rules/nothing/why?device=M1") == (404, "not-found")
    await gate.device("D1", product="generic-dust")
    assert await gate.refused("viewer", "GET", f"/rules/{alarm['rule']}/why?device=D1") == (404, "not-found")


async def test_messages_of_new_alarms_carry_their_reason_the_first_hundred(gate: Gate) -> None:
    alarm = await raised(gate)
    several = [_message(alarm, "alarm.raise") for _ in range(AT_ONCE + 1)]
    told = gate.services.explanations.told([_message(alarm, "alarm.clear"), *several])
    assert "explanation" not in told[0].payload
    assert told[1].payload["explanation"]["en"].startswith("Tilt from rest was 40°")
    assert told[1].payload["explanation"]["zh"].startswith("倾角为40°")
    assert "explanation" not in told[-1].payload


def _message(alarm: dict[str, Any], event: str) -> Message:
    return Message("key", "alarm:1", event, "major", "manhole", "xuhui", {"event": event, "alarm": alarm})


async def test_what_operators_bear_is_told_by_the_standards(gate: Gate) -> None:
    alarm = await raised(gate)
    found = await gate.ok("viewer", "GET", "/alarms/performance?by=area&operators=2")
    one = found["items"]["xuhui"]
    assert (one["alarms"], one["peak"], one["floods"], one["load"]) == (1, 1, [], "acceptable")
    assert one["rules"] == [{"rule": alarm["rule"], "device": "", "times": 1, "share": 1.0}]
    assert (found["standing"], found["stale"], found["targets"]["flood"]) == (1, 0, 10)
    wrong = "/alarms/performance?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"
    assert await gate.refused("viewer", "GET", wrong) == (422, "invalid")


async def test_the_log_is_told_of_a_wrong_clock_and_the_engine_knows_it(gate: Gate) -> None:
    await gate.device("D1", product="generic-dust")
    now = gate.services.clock.now() // 1000
    for minute in range(5):
        await gate.push({"device": "D1", "ts": now - 7_200_000 + 60_000 * minute, "v": {"pm10": 40}})
    await gate.push({"device": "D1", "ts": now - 6_000_000, "v": {"pm10": 40}})
    (offset, *_) = gate.pipeline.parts.derived.engine.clock_offsets("dust")
    assert 6_900 < offset < 7_300
