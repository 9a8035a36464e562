"""Backtests as jobs through the API: what they answer, how many there may be, and how one is taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from drivers.telemetry import HOUR, MINUTE
from tests.scenarios.city import City, city, moment

WINDY = "dust-wind"


async def finished(town: City, number: int) -> dict[str, Any]:
    while True:
        found = (await town.remote.get(f"/backtests/{number}")).json()
        if found["state"] not in {"waiting", "running"}:
            return dict(found)
        await town.clock.sleep(0.02)


async def asked(town: City, path: str, **wish: Any) -> int:
    answer = await town.remote.post(path, json={"since": moment("00:00"), **wish})
    assert answer.status_code == 202, answer.text
    return int(answer.json()["id"])


async def blow(town: City) -> None:
    """Three stations in strong wind for half an hour, one of them more than the others."""
    for device, area in (("DU-1", "xuhui/tianping"), ("DU-2", "xuhui/kangjian"), ("DU-3", "pudong/lujiazui")):
        await town.device(device, "generic-dust", area=area)
    for step in range(16):
        await town.run_to(moment("06:00") + step * HOUR // 20)
        strong = step in range(3, 11)
        speeds = (12.5, 16.0, 2.0) if strong else (3.0, 3.0, 2.0)
        readings = [
            {"device": f"DU-{n}", "ts": town.clock.now() // 1000, "v": {"wind_speed": speed}}
            for n, speed in enumerate(speeds, 1)
        ]
        assert (await town.remote.post("/telemetry", json=readings)).is_success


async def an_area_alone_is_looked_at(town: City) -> None:
    number = await asked(town, f"/rules/{WINDY}/backtest", area="xuhui/kangjian", set={"limit": 11})
    job = await finished(town, number)
    assert job["state"] == "done", job["error"]
    assert (job["report"]["old"]["alarms"], job["report"]["new"]["alarms"]) == (1, 1)


async def too_few_verdicts_give_no_value_and_say_so(town: City) -> None:
    job = await finished(town, await asked(town, f"/rules/{WINDY}/suggest"))
    assert job["state"] == "done", job["error"]
    found = job["suggestion"]
    assert found["value"] is None
    assert "Too little data" in found["en"]
    assert "数据不足" in found["zh"]
    alarms = {each["value"]: each["alarms"] for each in found["tried"]}
    assert alarms[10.8] == 2
    assert min(alarms.values()) < 2


NEW: dict[str, Any] = {
    "id": "dust-breeze",
    "family": "dust",
    "when": "wind_speed > limit",
    "limit": {"value": 14, "unit": "m/s", "min": 1, "max": 50},
    "severity": "minor",
    "alarm": "windTooStrong",
    "source": "a try",
    "en": "Breeze",
    "zh": "微风",
}


async def judged(town: City, rule: str, **wish: Any) -> tuple[int, tuple[int, int]]:
    """The job's number; alarms of the old line and of the new one."""
    number = await asked(town, f"/rules/{rule}/backtest", **wish)
    job = await finished(town, number)
    assert job["state"] == "done", job["error"]
    return number, (job["report"]["old"]["alarms"], job["report"]["new"]["alarms"])


async def a_rule_that_was_never_in_force_is_judged_beside_nothing(town: City) -> int:
    assert (await judged(town, NEW["id"], document=NEW))[1] == (0, 1)
    wish = {"document": NEW, "reason": "a try", "draft": True}
    draft = await town.remote.post(f"/rules/{NEW['id']}/versions", json=wish)
    assert draft.status_code == 201, draft.text
    nothing = await town.remote.post(f"/rules/{NEW['id']}/backtest", json={"since": moment("00:00")})
    assert nothing.status_code == 404
    assert "give the version or the document" in nothing.json()["detail"]
    number, alarms = await judged(town, NEW["id"], version=1, against="current", set={"limit": 11})
    assert alarms == (0, 2)
    return number


async def a_rule_that_was_withdrawn_said_what_it_said(town: City) -> None:
    (await town.remote.post(f"/rules/{WINDY}/withdraw", json={"reason": "a try"})).raise_for_status()
    assert (await judged(town, WINDY, version=1, set={"limit": "14 m/s"}))[1] == (2, 1)


async def what_the_author_was_shown_stays_with_the_change(town: City, number: int) -> None:
    set_ = f"/rules/{WINDY}/parameters/limit"
    change = {"value": "14 m/s", "reason": "gusts are no wind", "backtest": number}
    (await town.remote.put(set_, json=change)).raise_for_status()
    (newest,) = (await town.remote.get(f"{set_}/versions")).json()["items"]
    kept = newest["backtest"]
    assert (kept["number"], kept["old"]["alarms"], kept["new"]["alarms"], kept["removed"]) == (
        number,
        2,
        1,
        1,
    )
    other = await town.remote.put("/rules/dust-pm10-high/parameters/limit", json={**change, "value": 120})
    unknown = await town.remote.put(set_, json={**change, "backtest": 70})
    assert [each.status_code for each in (other, unknown)] == [422, 404]
    (await town.remote.post(f"{set_}/reset", json={"reason": "as it was"})).raise_for_status()


async def a_draft_keeps_what_was_shown_to_whoever_publishes_it(town: City, number: int) -> None:
    path = f"/rules/{NEW['id']}"
    wish = {"version": 1, "reason": "it is quiet", "backtest": number}
    (await town.remote.post(f"{path}/publish", json=wish)).raise_for_status()
    wish = {"document": NEW, "reason": "again", "backtest": number}
    (await town.remote.post(f"{path}/versions", json=wish)).raise_for_status()
    wish = {"document": NEW, "reason": "without"}
    (await town.remote.post(f"{path}/versions", json=wish)).raise_for_status()
    kept = [one["backtest"] for one in (await town.remote.get(f"{path}/versions")).json()["items"]]
    assert kept[0] is None
    assert [(one["number"], one["new"]["alarms"]) for one in kept[1:]] == [(number, 2)] * 2


async def a_version_is_of_the_rule_and_there_is_one(town: City) -> None:
    wish = {"since": moment("00:00")}
    both = await town.remote.post(f"/rules/{WINDY}/backtest", json={**wish, "version": 1, "document": NEW})
    other = await town.remote.post(f"/rules/{WINDY}/backtest", json={**wish, "document": NEW})
    gone = await town.remote.post(f"/rules/{WINDY}/backtest", json={**wish, "version": 70})
    assert [each.status_code for each in (both, other, gone)] == [422, 422, 404]


async def what_is_no_rule_or_no_value_is_refused_at_once(town: City) -> None:
    wish = {"since": moment("00:00")}
    unknown = await town.remote.post("/rules/no-such-rule/backtest", json=wish)
    outside = await town.remote.post(f"/rules/{WINDY}/backtest", json={**wish, "set": {"limit": "900"}})
    backwards = await town.remote.post(
        f"/rules/{WINDY}/backtest", json={"since": moment("05:00"), "until": moment("04:00")}
    )
    gone = await town.remote.get("/backtests/70")
    assert [each.status_code for each in (unknown, outside, backwards, gone)] == [404, 422, 422, 404]


async def test_a_backtest_says_what_a_change_would_have_done(tmp_path: Path) -> None:
    async with city(tmp_path, "06:00") as town:
        await blow(town)
        number = await asked(town, f"/rules/{WINDY}/backtest", set={"limit": "14 m/s"})
        job = await finished(town, number)
        plot = await town.remote.get(f"/backtests/{number}/plot.svg")
        days = await town.remote.get(f"/backtests/{number}/days.csv")
        changes = await town.remote.get(f"/backtests/{number}/changes.csv")
        await an_area_alone_is_looked_at(town)
        await too_few_verdicts_give_no_value_and_say_so(town)
        await what_is_no_rule_or_no_value_is_refused_at_once(town)
        await what_the_author_was_shown_stays_with_the_change(town, number)
        await a_version_is_of_the_rule_and_there_is_one(town)
        tried = await a_rule_that_was_never_in_force_is_judged_beside_nothing(town)
        await a_draft_keeps_what_was_shown_to_whoever_publishes_it(town, tried)
        await a_rule_that_was_withdrawn_said_what_it_said(town)
    assert job["state"] == "done", job["error"]
    report = job["report"]
    assert (report["old"]["alarms"], report["new"]["alarms"]) == (2, 1)
    assert (report["removed"], report["added"], report["same"] + report["shifted"]) == (1, 0, 1)
    assert report["rows"] == 48
    assert [(row["area"], row["old_alarms"], row["new_alarms"]) for row in report["by_day"]] == [
        ("xuhui", 2, 1)
    ]
    assert ET.fromstring(plot.text).tag.endswith("svg")
    assert plot.headers["content-type"] == "image/svg+xml"
    assert days.text.splitlines()[0].startswith("day,area,old_alarms")
    assert "removed,DU-1,xuhui/tianping" in changes.text


async def test_what_crews_found_gives_the_precision_before_and_after(tmp_path: Path) -> None:
    """A cover that leans a little is no danger, they say; one that lies beside its hole is."""
    async with city(tmp_path, "06:00") as town:
        for device, tilt, verdict in (("MH-1", 20.0, "false_alarm"), ("MH-2", 60.0, "real")):
            await town.device(device, "generic-manhole", area="xuhui/kangjian")
            await town.says(device, tilt=tilt)
            await town.run_to(town.clock.now() + MINUTE)
            case = await town.case("cover-danger", device, "dispatched")
            event = "void" if verdict == "false_alarm" else "repaired"
            said = {"event": event, "note": "seen", "verdict": verdict}
            answer = await town.remote.post(f"/cases/{case['id']}/events", json=said)
            assert answer.is_success, answer.text
        number = await asked(town, "/rules/cover-tilted/backtest", set={"limit": "45 deg"})
        job = await finished(town, number)
    assert job["state"] == "done", job["error"]
    report = job["report"]
    assert (report["old"]["precision"], report["new"]["precision"]) == (0.5, 1.0)
    assert (report["lost_real"], report["spared_false"]) == (0, 1)
    assert (report["old"]["cases"], report["new"]["cases"]) == (2, 1)
    assert [(each["device"], each["verdict"]) for each in report["changes"]] == [("MH-1", "false_alarm")]


async def test_so_many_wait_and_no_more_and_one_can_be_taken_back(tmp_path: Path) -> None:
    async with city(tmp_path, "06:00", backtest={"waiting": 2, "keep": 1}) as town:
        await town.device("DU-1", "generic-dust")
        path, wish = f"/rules/{WINDY}/backtest", {"since": moment("00:00")}
        answers = [await town.remote.post(path, json=wish) for _ in range(6)]
        assert {each.status_code for each in answers} == {202, 429}
        taken = [each.json()["id"] for each in answers if each.is_success]
        for number in taken[:-1]:
            assert (await town.remote.delete(f"/backtests/{number}")).status_code == 204
        last = await finished(town, taken[-1])
        states = [each["state"] for each in (await town.remote.get("/backtests")).json()["items"]]
    assert last["state"] == "done", last["error"]
    assert states[0] == "done"
    assert "running" not in states
    assert not list((tmp_path / "backtest").glob("*"))
