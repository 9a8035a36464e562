"""Timelines of what reaches beyond a device's newest row: changes, counts, its past, other devices, sun and calendar."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND, Batch
from rules.control import Calendar, DeviceRow, Devices, Rules
from rules.engine import Engine
from rules.transition import Transition
from tests.rules.streams import FAMILIES, METER, PROBE, Row, batch_of, plain, rule
from tests.rules.timeline import MIDNIGHT, Timeline, clock, shown


def test_a_change_is_what_the_newest_row_brought() -> None:
    city = Timeline(PROBE, rule("turned", "changed(door)"))
    for minute, door in enumerate(("open", "open", "closed")):
        city.at(f"10:0{minute}").says(door=door)
    city.at("10:03").says(tilt=1)  # says nothing of the door
    assert city.story == ["raised turned 10:02:00", "cleared turned 10:03:00"]


def test_a_change_over_a_window_lasts_as_long_as_the_window() -> None:
    city = Timeline(PROBE, rule("turned", "changed(door, 60s)", valid=0))
    for second, door in ((1, "closed"), (9, "open"), (13, "open")):
        city.at(f"10:00:{second:02}").says(door=door)
    assert city.story == ["raised turned 10:00:12"]
    for second in range(17, 60, 4):
        city.at(f"10:00:{second:02}").says(door="open")
    for second in range(1, 20, 4):
        city.at(f"10:01:{second:02}").says(door="open")
    assert city.story[1:] == ["cleared turned 10:01:12"]


def test_cycling_counts_how_often_a_condition_becomes_true() -> None:
    city = Timeline(PROBE, rule("cycling", "cycles(open, 60s) >= 2", valid=0))
    for second, door in enumerate(("open", "closed", "open", "open", "closed", "open", "open")):
        city.at(f"10:00:{second * 4 + 1:02}").says(door=door)
    assert city.story == ["raised cycling 10:00:24"]
    assert city.said[0].evidence["windows"] == {"cycles((door == 1.0), 1m)": {"value": 2.0, "valid": 0.333}}


def test_events_are_counted_without_any_share_of_valid_data() -> None:
    city = Timeline(PROBE, rule("knocked", 'count(event == "bumped", 15m) >= 2'))
    city.at("10:00:10").says(event="bumped")
    city.at("10:05:10").says(event="bumped")
    city.at("10:06:00").says(tilt=1)
    assert city.story == ["raised knocked 10:06:00"]
    city.at("10:30:00").sweep()
    assert city.story[1:] == ["cleared knocked 10:16:00"]  # the bucket of 10:00 has left


def test_a_rate_is_the_change_an_hour_between_first_and_last_value() -> None:
    city = Timeline(PROBE, rule("rising", "rate(level, 15m) > 2.2 m/h", valid=0))
    for minute, level in ((0, 1.0), (3, 1.1), (6, 1.25)):
        city.at(f"10:0{minute}:30").says(level=level)
    city.at("10:07:30").says(level=1.25)
    assert city.story == ["raised rising 10:07:00"]
    evidence = city.said[0].evidence["windows"]["rate(level, 15m)"]
    assert evidence["value"] == pytest.approx(2.5)


def test_a_last_value_is_unknown_when_it_is_too_old() -> None:
    city = Timeline(PROBE, rule("late", "last(power, max 2m) > 10 W and tilt > 1 deg", clear="tilt < 1 deg"))
    city.at("10:00").says(power=20)
    city.at("10:03").says(tilt=5)
    assert city.story == []
    city.at("10:04").says(power=20)
    city.at("10:06").says(tilt=5)
    assert city.story == ["raised late 10:04:00"]


def test_the_first_known_limit_counts() -> None:
    devices = [DeviceRow(0, "D-0", "p"), DeviceRow(1, "D-1", "p", attributes={"rated_power": 50.0})]
    city = Timeline(PROBE, rule("over", "power > known(attr.rated_power, 30 W)"), devices=devices)
    city.at("10:00").says(0, power=40)
    city.at("10:00").says(1, power=40)
    assert city.story == ["raised over 10:00:00"]
    assert city.said[0].evidence["attributes"] == {"rated_power": None}


# -- one's own past


def days(engine: Engine, first: int, values: list[float], hour: int = 10) -> None:
    """One row an hour: `values` by day, at this hour UTC; else 1 W."""
    for number, value in enumerate(values):
        for each in range(24):
            at = first + number * DAY + each * HOUR + MINUTE
            power = value if each == hour else 1.0
            engine.tick([], [batch_of([Row(PROBE, 0, at, at, plain({"power": power}))])])


def test_what_is_usual_is_the_median_of_the_same_hour_of_recent_days() -> None:
    engine = Engine(FAMILIES)
    engine.control(Devices("probe", [DeviceRow(0, "D-0", "p")]))
    engine.control(Rules([rule("odd", "power > 1.5 * usual(power, 4d)", valid=0.75)]))
    first = 20_600 * DAY
    days(engine, first, [100.0, 120.0])
    noon = first + 2 * DAY + 10 * HOUR + 5 * MINUTE
    assert (
        engine.evaluate(batch_of([Row(PROBE, 0, noon, noon, plain({"power": 500.0}))])) == []
    )  # two days of four
    days(engine, first + 3 * DAY, [110.0, 900.0])
    noon = first + 5 * DAY + 10 * HOUR + 5 * MINUTE
    # the hours of the four days before: 120, 500 (that row), 110, 900
    assert engine.evaluate(batch_of([Row(PROBE, 0, noon, noon, plain({"power": 464.0}))])) == []
    later = noon + MINUTE
    (raised,) = engine.evaluate(batch_of([Row(PROBE, 0, later, later, plain({"power": 466.0}))]))
    assert raised.evidence["values"] == {"power": 466.0, "usual(power, 4d)": 310.0}


# -- other devices


class Town:
    """meter-0 above probe-0 and probe-1; probe-2 below probe-1; all in one area."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.engine = Engine(FAMILIES)
        rows = [
            DeviceRow(index, f"probe-{index}", "p", "lake", parent=parent)
            for index, parent in enumerate(("meter-0", "meter-0", "probe-1"))
        ]
        self.engine.control(Devices("probe", rows))
        self.engine.control(Devices("meter", [DeviceRow(0, "meter-0", "m", "lake")]))
        self.engine.control(Rules(list(rules)))
        self.said: list[Transition] = []

    def say(self, *rows: tuple[str, int, dict[str, float]]) -> None:
        """(time, device, values), -1 is the meter; all in one tick, probes first."""
        probes = [Row(PROBE, i, clock(at), clock(at), plain(v)) for at, i, v in rows if i >= 0]
        meters = [Row(METER, 0, clock(at), clock(at), plain(v)) for at, i, v in rows if i < 0]
        batches = [batch_of(each) for each in (probes, meters) if each]
        self.said += self.engine.tick(batches, batches)

    @property
    def story(self) -> list[str]:
        return [
            f"{'raised' if each.raised else 'cleared'} {each.rule} {shown(each.time)} {each.device}"
            for each in self.said
        ]


FED = rule("unfed", "meter.power < 1 kW and tilt > 3 deg")


def test_the_state_of_the_device_above_is_that_of_the_last_closed_minute() -> None:
    town = Town(FED)
    town.say(("10:00:10", -1, {"power": 0.5}))
    town.say(("10:01:59", 0, {"tilt": 5}))  # the minute of 10:00 closes at 10:02:00
    assert town.story == []
    town.say(("10:02:00", 0, {"tilt": 5}))
    assert town.story == ["raised unfed 10:02:00 probe-0"]
    assert town.said[0].evidence["values"] == {"meter.power": 0.5, "tilt": 5.0}


def test_it_is_found_through_the_devices_between() -> None:
    town = Town(FED, rule("leaning", "parent.tilt > 3 deg and power > 1 W"))
    town.say(("10:00:10", -1, {"power": 0.5}), ("10:00:10", 1, {"tilt": 4}))
    town.say(("10:02:00", 2, {"tilt": 5, "power": 2}), ("10:02:00", 0, {"power": 2}))
    assert sorted(town.story) == ["raised leaning 10:02:00 probe-2", "raised unfed 10:02:00 probe-2"]


def test_it_is_not_known_any_more_after_three_intervals() -> None:
    town = Town(FED)
    town.say(("10:00:10", -1, {"power": 0.5}))  # a meter reports each minute
    town.say(("10:04:59", 0, {"tilt": 5}))
    assert town.story == ["raised unfed 10:04:59 probe-0"]
    town.say(("10:05:00", 1, {"tilt": 5}))
    assert len(town.story) == 1


def test_a_tick_of_many_minutes_is_judged_minute_by_minute() -> None:
    rows = [
        ("10:00:10", -1, {"power": 0.5}),
        ("10:01:30", -1, {"power": 3.0}),
        ("10:01:59", 0, {"tilt": 5.0}),
        ("10:02:30", 0, {"tilt": 5.0}),
        ("10:03:00", 0, {"tilt": 6.0}),
    ]
    whole, single = Town(FED), Town(FED)
    whole.say(*rows)
    for row in rows:
        single.say(row)
    assert whole.said == single.said
    assert whole.story == ["raised unfed 10:02:30 probe-0", "cleared unfed 10:03:00 probe-0"]


def test_what_ran_out_by_receive_time_saw_the_minute_of_its_own() -> None:
    mean = rule("mean", "mean(tilt, 60s) > 1 deg and meter.power < 1 kW", valid=0)
    quiet, swept = Town(mean), Town(mean)
    for town in (quiet, swept):
        town.say(("10:00:10", -1, {"power": 0.5}), ("10:02:01", 0, {"tilt": 5}))
        town.say(("10:01:30", -1, {"power": 3.0}))
        if town is swept:
            town.said += town.engine.sweep(clock("10:03:04") - 1)
        town.say(("10:30:00", -1, {"power": 3.0}))
        town.said += town.engine.sweep(clock("10:40:00"))
    assert quiet.said == swept.said


def test_a_restart_keeps_open_minutes_and_what_was_seen() -> None:
    town = Town(FED)
    town.say(("10:00:10", -1, {"power": 0.5}), ("10:01:10", -1, {"power": 2.0}))
    saved = copy.deepcopy(town.engine.snapshot())
    town.engine = Engine(FAMILIES)
    town.engine.restore(saved)
    town.say(("10:02:10", 0, {"tilt": 5}))
    town.say(("10:03:10", 0, {"tilt": 5}))
    assert town.story == ["raised unfed 10:02:10 probe-0", "cleared unfed 10:03:10 probe-0"]


def test_peers_are_the_others_of_the_group_and_enough_of_them() -> None:
    lonely = rule("odd", "tilt > peers(median, tilt, by area, min 2) + 10 deg")
    town = Town(lonely)
    town.say(("10:00:10", 0, {"tilt": 90}), ("10:00:10", 1, {"tilt": 5}))
    town.say(("10:02:10", 0, {"tilt": 90}))
    assert town.story == []  # one other is too few
    town.say(("10:02:20", 1, {"tilt": 5}), ("10:02:20", 2, {"tilt": 9}))
    town.say(("10:04:10", 0, {"tilt": 90}), ("10:04:10", 1, {"tilt": 5}))
    assert town.story == ["raised odd 10:04:10 probe-0"]
    assert town.said[0].evidence["values"]["peers(median, tilt, by area, min 2)"] == 7.0


def test_a_retired_device_is_no_peer_and_no_parent() -> None:
    town = Town(FED, rule("odd", "tilt > peers(max, tilt, min 1)"))
    town.say(("10:00:10", -1, {"power": 0.5}), ("10:00:10", 1, {"tilt": 5}))
    town.engine.control(Devices("meter", [DeviceRow(0, "meter-0", "m", "lake", retired=True)]))
    town.engine.control(Devices("probe", [DeviceRow(1, "probe-1", "p", "lake", retired=True)]))
    town.say(("10:02:10", 0, {"tilt": 50}))
    assert town.story == []


def test_the_site_is_the_median_of_the_area() -> None:
    town = Town(rule("windy", "site.tilt > 6 deg", families=["meter"]))
    town.say(*(("10:00:10", index, {"tilt": tilt}) for index, tilt in enumerate((1.0, 7.0, 90.0))))
    town.say(("10:02:00", -1, {"power": 1.0}))
    assert town.story == ["raised windy 10:02:00 meter-0"]


# -- sun, days, calendar


def test_night_with_offsets_begins_later_and_ends_earlier() -> None:
    city = Timeline(
        PROBE, rule("night", "night and tilt > 0"), rule("deep", "night(+30m, -20m) and tilt > 0")
    )
    for minute in range(17 * 60, 31 * 60):
        city.at(f"{minute // 60}:{minute % 60:02}").says(tilt=1)
    found = {tuple(line.split()[:2]): line.split()[2] for line in city.story}

    def apart(first: str, second: str) -> int:
        return (clock(second) - clock(first)) // MINUTE

    assert apart(found["raised", "night"], found["raised", "deep"]) == 30
    assert apart(found["cleared", "deep"], found["cleared", "night"]) == 20


def test_civil_twilight_is_a_height_of_the_sun() -> None:
    city = Timeline(PROBE, rule("dusk", "sun < -0.833 deg"), rule("dark", "sun < -6 deg"))
    for minute in range(17 * 60, 20 * 60):
        city.at(f"{minute // 60}:{minute % 60:02}").says(tilt=1)
    times = {line.split()[1]: line.split()[2] for line in city.story}
    assert 22 <= (clock(times["dark"]) - clock(times["dusk"])) // MINUTE <= 26  # 31 degrees north, March
    assert city.said[0].evidence["values"]["sun"] == pytest.approx(-0.9, abs=0.3)


def test_days_are_those_of_the_city() -> None:
    city = Timeline(PROBE, rule("tuesdays", "tuesday"), rule("weekends", "weekend"))
    for hour in (-1, 1, 23, 25, 4 * 24 + 1, 6 * 24 + 1):
        city.at(f"{hour}:00").says(tilt=1)  # 2026-03-10 is a Tuesday
    assert [line.rsplit(":", 2)[0] for line in city.story] == [
        "raised tuesdays 01",
        "cleared tuesdays 25",
        "raised weekends 97",
        "cleared weekends 145",
    ]


def test_working_days_are_told_and_other_years_are_unknown() -> None:
    city = Timeline(PROBE, rule("work", "workday"), rule("feast", "holiday", clear="not holiday"))
    city.at("10:00").says(tilt=1)
    assert city.story == []
    city.control(Calendar([2026], ["2026-03-11"], ["2026-03-14"]))
    for day in range(5):
        city.at(f"{day * 24 + 12}:00").says(tilt=1)
    assert city.story == [
        "raised work 12:00:00",
        "raised feast 36:00:00",
        "cleared work 36:00:00",
        "cleared feast 60:00:00",
        "raised work 60:00:00",
    ]  # and on through the Saturday that is worked
    saved = city.engine.snapshot()
    again = Engine({"probe": PROBE})
    again.restore(saved)
    assert again.calendar == Calendar([2026], ["2026-03-11"], ["2026-03-14"])


@pytest.mark.parametrize(
    "calendar", [Calendar([1900]), Calendar([2026], ["2027-01-01"]), Calendar([2026], ["soon"])]
)
def test_a_calendar_that_makes_no_sense_is_refused_and_changes_nothing(calendar: Calendar) -> None:
    engine = Engine(FAMILIES)
    with pytest.raises(ValueError, match=r"years|isoformat"):
        engine.control(calendar)
    assert engine.calendar == Calendar([])


def test_rows_of_a_minute_that_closed_count_in_the_next() -> None:
    town = Town(FED)
    town.say(("10:00:10", 2, {"tilt": 0}))
    batch: Batch = batch_of([Row(METER, 0, clock("09:30:00"), clock("10:00:20"), plain({"power": 0.5}))])
    town.engine.control(Devices("meter", [DeviceRow(0, "meter-0", "m", "lake", interval=3600 * SECOND)]))
    town.said += town.engine.tick([batch], [batch])
    town.say(("10:00:59", 0, {"tilt": 5}))
    assert town.story == []
    town.say(("10:01:00", 0, {"tilt": 5}))
    assert town.story == ["raised unfed 10:01:00 probe-0"]
    assert np.all(batch.time < MIDNIGHT + 10 * HOUR)
