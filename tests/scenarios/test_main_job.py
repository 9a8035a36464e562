"""The main job as timelines: devices push, rules raise, cases open, crews repair, telemetry proves."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.scenarios.city import city, moment


async def test_a_tilted_cover_becomes_an_urgent_case_that_telemetry_closes(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        await town.device(
            "MH-0042", "generic-manhole", name="和平路 42", area="xuhui/tianping", lat=31.2, lon=121.4
        )
        await town.says("MH-0042", tilt=2, cover="closed")
        await town.at("02:10")
        await town.says("MH-0042", tilt=31)
        await town.at("02:10:20")
        assert await town.alarms("MH-0042") == [], "not yet held for 30 s"
        await town.at("02:10:40")
        case = await town.case("cover-danger", "MH-0042", "dispatched")
        (alarm,) = await town.alarms("MH-0042")
        assert (alarm["name"], alarm["raised"]) == ("orientationChanged", moment("02:10:30"))
        assert (alarm["device_name"], alarm["area"], case["zh"] != "") == (
            "和平路 42",
            "xuhui/tianping",
            True,
        )
        assert case["deadline"] == case["dispatched"] + 2 * 3600 * 1_000_000, (
            "2 urgent hours, nights included"
        )
        await town.crew(case, "accept", "start")
        await town.at("03:00")
        await town.says("MH-0042", tilt=1)
        await town.crew(case, "repaired", note="井盖复位")
        await town.case("cover-danger", "MH-0042", "repaired")
        await town.at("+1 03:00")
        closed = await town.case("cover-danger", "MH-0042", "closed")
        assert closed["verified"] is not None
        timeline = (await town.remote.get(f"/cases/{case['id']}")).json()["timeline"]
        told = [line["event"] for line in timeline if not line["event"].startswith("alarm")]
        assert told == ["file", "dispatch", "accept", "start", "repaired", "verify", "close"]


async def test_dust_over_the_limit_needs_its_share_of_data(tmp_path: Path) -> None:
    async with city(tmp_path, "10:00") as town:
        await town.device("DU-0001", "generic-dust")
        await town.device("DU-0002", "generic-dust")
        for minute in range(20):
            await town.at(f"10:{minute:02}:10")
            await town.says("DU-0001", pm10=260)
            if minute % 4 == 0:
                await town.says("DU-0002", pm10=260)
        await town.at("10:25")
        (alarm,) = [one for one in await town.alarms("DU-0001") if one["name"] == "pm10TooHigh"]
        assert alarm["raised"] <= moment("10:17")
        assert [one for one in await town.alarms("DU-0002") if one["name"] == "pm10TooHigh"] == []
        await town.case("site-dust", "DU-0001", "dispatched")


async def test_refusals_are_counted_and_kept_and_harm_nobody(tmp_path: Path) -> None:
    async with city(tmp_path, "08:00") as town:
        await town.device("PK-0001", "generic-parking")
        said = await town.remote.post(
            "/telemetry",
            json=[
                {"device": "PK-0001", "v": {"occupied": "occupied"}},
                {"device": "PK-9999", "v": {"occupied": "occupied"}},
                {"device": "PK-0001", "v": {"battery": 9000}},
                {"device": "PK-0001", "v": {"colour": 7}},
            ],
        )
        refused = {(one["item"], one["reason"], one["stored"]) for one in said.json()["refused"]}
        assert {
            (1, "unknown_device", "none"),
            (2, "out_of_range", "none"),
            (3, "unknown_point", "none"),
        } <= refused
        counts = (await town.remote.get("/quarantine/counts")).json()["counts"]
        assert counts == {"out_of_range": 1, "unknown_device": 1, "unknown_point": 1}
        samples = (await town.remote.get("/quarantine", params={"reason": "unknown_point"})).json()["items"]
        assert "colour" in samples[0]["payload"]
        latest = (await town.remote.get("/devices/PK-0001/latest")).json()["values"]
        assert list(latest) == ["occupied"]


async def test_the_latest_value_never_goes_back_in_time(tmp_path: Path) -> None:
    async with city(tmp_path, "08:00") as town:
        await town.device("DU-0001", "generic-dust")
        await town.at("08:10")
        await town.says("DU-0001", pm10=50)
        now = town.clock.now() // 1000
        await town.remote.post(
            "/telemetry", json={"device": "DU-0001", "ts": now - 60_000, "v": {"pm10": 10, "noise": 40}}
        )
        latest = (await town.remote.get("/devices/DU-0001/latest")).json()["values"]
        assert (latest["pm10"]["value"], latest["noise"]["value"]) == (50, 40)


async def test_the_same_reading_twice_is_one_and_a_changed_one_is_a_conflict(tmp_path: Path) -> None:
    async with city(tmp_path, "08:00") as town:
        await town.device("DU-0001", "generic-dust")
        reading = {"device": "DU-0001", "ts": town.clock.now() // 1000, "v": {"pm10": 50}}
        assert (await town.remote.post("/telemetry", json=reading)).json()["refused"] == []
        assert (await town.remote.post("/telemetry", json=reading)).json()["refused"] == []
        reading["v"] = {"pm10": 51, "noise": 60}
        (conflict,) = (await town.remote.post("/telemetry", json=reading)).json()["refused"]
        assert (conflict["reason"], conflict["stored"]) == ("conflict", "part")
        rows = (await town.remote.get("/devices/DU-0001/readings")).json()["items"]
        assert [row["values"] for row in rows] == [{"pm10": 50, "noise": 60}]


async def test_a_restart_forgets_nothing_and_raises_nothing_twice(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        await town.device("MH-0001", "generic-manhole")
        await town.says("MH-0001", tilt=31)
        await town.at("02:01")
        await town.case("cover-danger", "MH-0001", "dispatched")
    async with city(tmp_path, "04:00") as town:
        (alarm,) = await town.alarms("MH-0001")
        assert alarm["standing"]
        await town.says("MH-0001", tilt=1)
        (alarm,) = await town.alarms("MH-0001")
        assert alarm["cleared"] == moment("04:00")


async def test_a_silence_that_only_a_sweep_saw_still_clears_after_a_kill(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        await town.device("DU-0001", "generic-dust")
        await town.says("DU-0001", pm10=20)
        await town.at("02:30")
        assert [one["name"] for one in await town.alarms("DU-0001") if one["standing"]] == [
            "communicationFailure"
        ]
    shutil.rmtree(tmp_path / "snapshots")  # as a kill leaves it: nothing was saved since
    async with city(tmp_path, "02:40") as town:
        await town.says("DU-0001", pm10=20)
        assert [one["name"] for one in await town.alarms("DU-0001") if one["standing"]] == []
