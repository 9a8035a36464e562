"""A case from the alarm to its end, as a city lives it: on holidays, over 调休, with relapses, returns and false alarms."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from drivers.products import catalog
from drivers.telemetry import SECOND
from gateway.backup.restore import Wish, restore
from gateway.cli.backup import take
from gateway.clock import CityClock
from gateway.history.settings import HistorySettings
from tests.scenarios.city import ROUNDS, ZONE, City, city, moment

NATIONAL_DAY = 9  # days after the timelines' first: 1 October 2026, the first of seven free days


def shown(time: int | None) -> str:
    """As a wall in Shanghai shows it."""
    assert time is not None
    return datetime.fromtimestamp(time / SECOND, ZONE).strftime("%m-%d %H:%M")


async def told(town: City, case: dict[str, Any]) -> list[str]:
    """What happened to the case, but its alarms' coming and going."""
    timeline = (await town.remote.get(f"/cases/{case['id']}")).json()["timeline"]
    return [line["event"] for line in timeline if not line["event"].startswith("alarm")]


async def acts(town: City, case: dict[str, Any], event: str, note: str = "", **more: Any) -> dict[str, Any]:
    answer = await town.remote.post(
        f"/cases/{case['id']}/events", json={"event": event, "note": note, **more}
    )
    assert answer.is_success, answer.text
    after: dict[str, Any] = answer.json()["case"]
    return after


async def crew(town: City, name: str, department: str, lat: float, *shifts: tuple[str, str, str]) -> None:
    form = {
        "department": department,
        "lat": lat,
        "lon": 121.4,
        "shifts": [{"days": days, "begins": begins, "ends": ends} for days, begins, ends in shifts],
    }
    assert (await town.remote.put(f"/crews/{name}", json=form)).is_success


async def responsible(town: City, *rows: dict[str, str]) -> None:
    assert (await town.remote.put("/responsibility", json={"items": list(rows)})).is_success


async def test_a_cover_tilts_by_night_on_a_holiday(tmp_path: Path) -> None:
    async with city(tmp_path, f"+{NATIONAL_DAY} 02:00") as town:
        await crew(town, "day crew", "drainage", 31.2, ("workdays", "08:00", "18:00"))
        await crew(town, "night crew", "drainage", 31.21, ("daily", "20:00", "08:00"))
        await crew(town, "far crew", "drainage", 31.4, ("daily", "20:00", "08:00"))
        await responsible(town, {"area": "xuhui", "cause": "cover-danger", "department": "drainage"})
        await town.device(
            "MH-0042", "generic-manhole", area="xuhui/tianping", grid="310104004005012", lat=31.2, lon=121.4
        )
        await town.says("MH-0042", tilt=2, cover="closed")
        await town.at(f"+{NATIONAL_DAY} 02:10")
        await town.says("MH-0042", tilt=31)
        await town.at(f"+{NATIONAL_DAY} 02:11")
        case = await town.case("cover-danger", "MH-0042", "dispatched")
        assert (case["crew"], case["department"], case["grid"]) == (
            "night crew",
            "drainage",
            "310104004005012",
        )
        assert shown(case["deadline"]) == "10-01 04:11", "two urgent hours do not wait for the 8th"
        await town.crew(case, "accept", "start")
        await town.at(f"+{NATIONAL_DAY} 03:00")
        await town.says("MH-0042", tilt=1)
        picture = b"\xff\xd8" + b"\xff\xe1\x00\x0eExif\0\0here!!" + b"\xff\xda\x00\x02\x01\xff\xd9"
        sent = await town.remote.post(f"/cases/{case['id']}/photos", content=picture)
        assert sent.is_success, sent.text
        await acts(town, case, "repaired", "井盖复位", verdict="real")
        await town.at(f"+{NATIONAL_DAY} 04:01")
        closed = await town.case("cover-danger", "MH-0042", "closed")
        assert (closed["verdict"], closed["verification"], closed["overdue"]) == ("real", "telemetry", None)
        assert await told(town, case) == [
            *("file", "dispatch", "accept", "start", "photo", "repaired", "verify", "close")
        ]


async def test_one_lamp_out_is_due_after_two_working_days_over_a_worked_saturday(tmp_path: Path) -> None:
    async with city(tmp_path, "+16 19:50") as town:  # Thursday 8 October, the first day after the holidays
        await town.device("LP-1", "generic-streetlight", lat=31.2, lon=121.4)
        await town.says("LP-1", lamp_failure="no")
        await town.at("+16 20:00")
        await town.says("LP-1", lamp_failure="yes")
        await town.at("+16 20:02")
        case = await town.case("lamp-out", "LP-1", "dispatched")
        assert shown(case["deadline"]) == "10-10 18:00", (
            "Friday, and the Saturday that is worked for the holidays"
        )
        assert case["provisional"] is False
        await town.at("+17 09:00")
        await town.says("LP-1", lamp_failure="no")
        await acts(town, case, "repaired", "a new driver")
        proved = (await town.remote.get(f"/cases/{case['id']}")).json()["case"]["proof"]
        assert shown(proved) == "10-10 05:53", "lit through one full night, to sunrise"


async def test_a_kitchen_is_fixed_relapses_and_is_opened_again_with_its_history(tmp_path: Path) -> None:
    async with city(tmp_path, "09:00") as town:
        await town.device("FU-1", "generic-fume", lat=31.2, lon=121.4)

        async def cooks(since: int, until: int, fume: float) -> None:
            for minute in range(since, until):
                await town.at(f"{minute // 60:02}:{minute % 60:02}:30")
                await town.says("FU-1", fume=fume)

        await cooks(540, 562, 4.2)
        case = await town.case("kitchen-fume", "FU-1", "dispatched")
        await cooks(562, 586, 0.4)
        await acts(town, case, "repaired", "purifier cleaned")
        await cooks(586, 715, 0.4)
        await town.case("kitchen-fume", "FU-1", "closed")
        await cooks(780, 802, 4.4)
        again = await town.case("kitchen-fume", "FU-1", "dispatched")
        assert (again["id"], again["reopened"], again["alarms"]) == (case["id"], 1, 2)
        assert await told(town, case) == [
            *("file", "dispatch", "repaired", "verify", "close", "reopen", "dispatch")
        ]


async def test_a_crew_says_false_alarm_and_it_is_counted(tmp_path: Path) -> None:
    async with city(tmp_path, "09:00") as town:
        await town.device("MH-1", "generic-manhole", lat=31.2, lon=121.4)
        await town.says("MH-1", tilt=31)
        await town.at("09:01")
        case = await town.case("cover-danger", "MH-1", "dispatched")
        back = await acts(town, case, "return", "seated; the sensor hangs loose", verdict="false_alarm")
        assert (back["state"], back["verdict"]) == ("filed", "false_alarm")
        void = await acts(town, case, "void", "as the crew says")
        assert (void["state"], void["verdict"]) == ("void", "false_alarm")
        params = {"since": moment("00:00"), "until": moment("23:00")}
        (counted,) = (await town.remote.get("/evaluation", params=params)).json()["items"].values()
        assert (counted["false_alarms"], counted["real"], counted["void"]) == (1, 0, 1)


async def test_what_a_department_returns_goes_to_another(tmp_path: Path) -> None:
    async with city(tmp_path, "09:00") as town:
        await crew(town, "pumps", "drainage", 31.2)
        await crew(town, "wires", "telecom", 31.3)
        await responsible(town, {"cause": "cover-danger", "department": "drainage"})
        await town.device("MH-1", "generic-manhole", lat=31.2, lon=121.4)
        await town.says("MH-1", tilt=31)
        await town.at("09:01")
        case = await town.case("cover-danger", "MH-1", "dispatched")
        back = await acts(town, case, "return", "a telephone cover")
        assert (back["state"], back["returned"], back["deadline"]) == ("filed", "drainage", None)
        same = await town.remote.post(
            f"/cases/{case['id']}/events", json={"event": "dispatch", "department": "drainage"}
        )
        assert (same.status_code, same.json()["returned"]) == (409, "drainage")
        await town.at("09:10")
        sent = await acts(town, case, "dispatch", department="telecom")
        assert (sent["crew"], shown(sent["deadline"])) == ("wires", "09-22 11:10")


async def test_what_is_overdue_is_escalated_twice(tmp_path: Path) -> None:
    async with city(tmp_path, "09:00") as town:
        await town.device("MH-1", "generic-manhole", lat=31.2, lon=121.4)
        await town.says("MH-1", tilt=31)
        await town.at("09:01")
        case = await town.case("cover-danger", "MH-1", "dispatched")
        known = ["file", "dispatch"]
        for at, word in (("11:02", "overdue"), ("12:02", "escalated"), ("13:02", "escalated")):
            await town.at(at)
            known.append(word)
            for _ in range(ROUNDS):
                if await told(town, case) == known:
                    break
                await town.clock.sleep(0.01)
        assert await told(town, case) == known
        timeline = (await town.remote.get(f"/cases/{case['id']}")).json()["timeline"]
        assert [line["note"] for line in timeline][-3:] == ["dispatcher", "supervisor", "director"]


async def test_a_citizen_calls_before_the_sensor_speaks(tmp_path: Path) -> None:
    async with city(tmp_path, "09:00") as town:
        await town.device("MH-1", "generic-manhole", lat=31.2, lon=121.4)
        await town.says("MH-1", tilt=1)
        call = {"category": "cover-danger", "text": "井盖翘起来了", "lat": 31.2001, "lon": 121.4}
        said = (await town.remote.post("/reports", json=call | {"contact": {"phone": "12345"}})).json()
        assert said["match"] == "created"
        await town.at("09:05")
        await town.says("MH-1", tilt=31)
        await town.at("09:06")
        case = await town.case("cover-danger", "MH-1", "dispatched")
        assert (case["id"], case["origin"], case["alarms"]) == (said["case"], "citizen", 1)
        second = (await town.remote.post("/reports", json=call)).json()
        assert (second["match"], second["case"]) == ("joined", said["case"])
        timeline = (await town.remote.get(f"/cases/{case['id']}")).json()["timeline"]
        assert [line["event"] for line in timeline] == [
            *("file", "reported", "alarm_joined", "dispatch", "reported")
        ]
        assert "12345" not in str(timeline)


async def test_photos_are_in_the_backup(tmp_path: Path) -> None:
    picture = b"\xff\xd8\xff\xda\x00\x02\x01\xff\xd9"
    async with city(tmp_path / "city", "09:00") as town:
        call = {"category": "cover-danger", "text": "翘起来了", "address": "和平路 42"}
        case = (await town.remote.post("/reports", json=call)).json()["case"]
        path = f"/cases/{case}/photos"
        (photo,) = (await town.remote.post(path, content=picture)).json()["items"]
        assert await take(town.remote, tmp_path / "copy") == []
    wish = Wish(tmp_path / "copy", tmp_path / "risen", check=True)
    await restore(wish, catalog(), HistorySettings(), CityClock(moment("12:00")))
    async with city(tmp_path / "risen", "13:00") as town:
        assert (await town.remote.get(f"{path}/{photo['sha256']}")).content == picture
