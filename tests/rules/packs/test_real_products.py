"""Rules judge what real products send, which is less than a family has points: no rain gauge, no count of a stay's time."""

from __future__ import annotations

from typing import Final

import pytest

from drivers.families import FAMILIES
from drivers.products import catalog
from drivers.telemetry import MINUTE, SECOND, Quality
from rules.control import DeviceRow
from rules.packs import load
from tests.rules.packs.proof import Proof, steps, story
from tests.rules.packs.test_proofs import DOCUMENTS
from tests.rules.timeline import Timeline, clock, shown

PERMIT: Final = {"noise_limit_day": 60.0, "noise_limit_night": 50.0}
LOUD: Final = {
    "dust-noise-day": "10:00-10:40/1m noise=75",
    "dust-noise-night": "22:00-22:40/1m noise=60",
    "dust-noise-peak": "22:00-22:40/1m noise=75",
    "dust-noise-site-day": "10:00-10:40/1m noise=65",
    "dust-noise-site-night": "22:00-22:40/1m noise=52",
}
each_noise = pytest.mark.parametrize("rule", LOUD)
EVENING: Final = "21:00-21:59/1m noise={loud}; 22:00-22:{last}/1m noise={then}"


def told(rule: str, script: str) -> str:
    """What one rule says of a device whose site has limits of its own."""
    return story(DOCUMENTS[rule], str(DOCUMENTS[rule]["family"]), Proof("", "", "", "", "", PERMIT), script)


def overstays(script: str, **attributes: float) -> list[str]:
    """What all parking rules together say of how long a car stands: raised or cleared, rule, time."""
    rules = [rule for rule in load() if rule.get("family") == "parking"]
    bay = DeviceRow(0, "B-0", "p", "north/lake", 31.2, 121.5, attributes=attributes)
    day = Timeline(FAMILIES["parking"], *rules, devices=[bay])
    for step in steps(script):
        day.at(step.time)
        if step.values:
            day.says(**step.values)
        else:
            day.sweep()
    alarms = {rule["id"]: rule["alarm"] for rule in rules}
    return [line for line in day.story if alarms[line.split()[1]] in {"overstayDetected", "occupancyStuck"}]


def share_of_data(interval: int, *qualities: Quality) -> list[str]:
    """What is said over three hours of a station that reports each interval (µs); the qualities of PM10 come in turn."""
    station = DeviceRow(0, "S-0", "hj212-dust", "north/lake", 31.2, 121.5, interval=interval)
    day = Timeline(FAMILIES["dust"], DOCUMENTS["dust-data-share"], devices=[station])
    for turn, time in enumerate(range(clock("10:00"), clock("13:00"), interval)):
        day.at(shown(time)).says(pm10=50, quality=qualities[turn % len(qualities)])
    return [line.split()[0] for line in day.story]


def test_a_station_over_hj212_has_no_rain_gauge() -> None:
    mapping = catalog()["hj212-dust"].hj212
    assert mapping is not None
    assert "rain" not in {factor.point for factor in mapping.factors}


def test_a_bay_of_the_telecom_platform_counts_no_time() -> None:
    mapping = catalog()["chinatelecom-geomagnetic"].telemetry
    assert mapping is not None
    assert "duration" not in {each.point for each in mapping.points}


def test_a_spray_that_rests_in_dust_is_told_of_a_station_without_rain() -> None:
    assert told("dust-spray-failure", "10:00-10:30/1m pm10=300 spray=off temperature=15").startswith("raised")
    assert told("dust-spray-failure", "10:00-10:30/1m pm10=300 spray=off").startswith("raised")


def test_what_the_station_does_measure_still_keeps_the_spray_off() -> None:
    dusty = "10:00-10:30/1m pm10=300 spray=off"
    assert told("dust-spray-failure", f"{dusty} temperature=3") == ""
    assert told("dust-spray-failure", f"{dusty} temperature=3.1").startswith("raised")
    assert told("dust-spray-failure", f"{dusty} rain=0.1") == ""
    assert told("dust-spray-failure", f"{dusty} rain=0").startswith("raised")


@each_noise
def test_noise_is_judged_where_neither_rain_nor_wind_is_measured(rule: str) -> None:
    assert told(rule, LOUD[rule]).startswith("raised")


@each_noise
def test_noise_counts_without_rain_and_in_wind_below_5_m_s_only(rule: str) -> None:
    assert told(rule, f"{LOUD[rule]} rain=0 wind_speed=4.9").startswith("raised")
    assert told(rule, f"{LOUD[rule]} rain=0 wind_speed=5") == ""
    assert told(rule, f"{LOUD[rule]} rain=0.1 wind_speed=4.9") == ""


@pytest.mark.parametrize(
    ("rule", "loud", "first"),
    [("dust-noise-night", 68, "20"), ("dust-noise-peak", 78, "05"), ("dust-noise-site-night", 68, "20")],
)
def test_the_night_begins_with_a_window_that_holds_nothing_of_the_day(
    rule: str, loud: int, first: str
) -> None:
    assert told(rule, EVENING.format(loud=loud, then=40, last=50)) == ""
    assert told(rule, EVENING.format(loud=40, then=loud, last=50)) == f"raised 22:{first}:00"


@pytest.mark.parametrize("rule", ["dust-noise-day", "dust-noise-site-day"])
def test_so_does_the_day(rule: str) -> None:
    assert told(rule, "29:00-29:59/1m noise=85; 30:00-30:40/1m noise=45") == ""
    assert told(rule, "29:00-29:59/1m noise=45; 30:00-30:40/1m noise=85") == "raised 30:20:00"


def test_a_stay_is_one_alarm_where_the_bay_counts_no_time() -> None:
    stay = "10:00 occupied=occupied; 10:30-34:30/6h rssi=-90; 35:00 occupied=vacant"
    assert overstays(stay) == [
        "raised parking-overstay-state 34:00:00",
        "cleared parking-overstay-state 35:00:00",
    ]


def test_a_stay_is_one_alarm_where_it_does() -> None:
    stay = "10:00 occupied=occupied duration=0; 34:00 duration=86400; 35:00 duration=90000; 36:00 occupied=vacant duration=0"
    assert overstays(stay) == ["raised parking-overstay 35:00:00", "cleared parking-overstay 36:00:00"]


def test_a_bay_that_begins_to_count_hands_its_alarm_over() -> None:
    stay = "10:00 occupied=occupied; 34:30; 35:00 duration=90000; 36:00 occupied=vacant duration=0"
    said = overstays(stay)
    assert sorted(said[1:3]) == [
        "cleared parking-overstay-state 35:00:00",
        "raised parking-overstay 35:00:00",
    ]
    assert (said[0], said[3]) == (
        "raised parking-overstay-state 34:00:00",
        "cleared parking-overstay 36:00:00",
    )


def test_the_limit_of_a_bay_that_counts_no_time_can_be_its_own() -> None:
    rule = DOCUMENTS["parking-overstay-state"]
    brief = rule | {"limit": rule["limit"] | {"value": 2}}
    proof = Proof("", "", "", "", "")
    assert story(brief, "parking", proof, "10:00 occupied=occupied; 11:59:59; 11:59:59 occupied=vacant") == ""
    assert story(brief, "parking", proof, "10:00 occupied=occupied; 12:00") == "raised 12:00:00"


def test_a_bay_that_never_changes_is_stuck_one_way_or_the_other() -> None:
    for state in ("occupied", "vacant"):
        quiet = f"10:00-370:00/24h occupied={state}"
        stuck = [line for line in overstays(quiet) if "stuck" in line]
        assert stuck == [f"raised parking-stuck-{state} 370:00:00"]


def test_fume_that_moves_behind_a_running_fan_is_no_flat_line() -> None:
    assert told("fume-flat-line", "12:00-12:30/1m fan=on fume=0.31; 12:31-14:15/1m fan=on fume=0.32") == ""


def test_a_clean_kitchen_shows_nothing_at_all_for_hours_and_is_not_stuck() -> None:
    assert told("fume-flat-line", "12:00-16:00/1m fan=on fume=0") == ""


def test_the_evening_of_a_site_that_rests_by_night_is_quiet() -> None:
    rules = [rule for rule in load() if rule.get("family") == "dust"]
    site = DeviceRow(0, "S-0", "p", "north/lake", 31.2, 121.5, attributes=PERMIT | {"noise_limit_day": 70.0})
    day = Timeline(FAMILIES["dust"], *rules, devices=[site])
    for step in sorted(
        steps("21:00-21:59/1m noise=67|68; 22:00-23:00/1m noise=40|41"), key=lambda one: clock(one.time)
    ):
        day.at(step.time).says(**step.values)
    assert day.story == []


@pytest.mark.parametrize("interval", [30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE])
def test_a_healthy_station_gives_all_that_its_interval_promises(interval: int) -> None:
    assert share_of_data(interval, Quality.GOOD) == []


def test_a_quarter_of_the_data_may_be_bad_and_no_more() -> None:
    good, bad = [Quality.GOOD] * 3, [Quality.FAULT]
    for interval in (30 * SECOND, MINUTE, 5 * MINUTE):
        assert share_of_data(interval, *good, *bad) == []
        assert share_of_data(interval, *good[:2], *bad) == ["raised"]


def test_a_quick_station_is_not_excused_by_the_readings_that_are_left() -> None:
    assert share_of_data(30 * SECOND, *[Quality.GOOD] * 2, *[Quality.FAULT] * 3) == ["raised"]
