"""Timelines of what the engine must say, in the words of the design (section 6)."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.telemetry import SECOND, Batch, Quality
from rules.control import DeviceRow, Devices, GatewayUp, Parameter, Rules, WatermarkRestart
from rules.document import RulesError
from rules.engine import Engine
from rules.state import MOST_SWEPT
from tests.rules.streams import FAMILIES, PROBE, parameter, rule
from tests.rules.timeline import Timeline, clock

HELD = rule("held", "tilt > 10 deg", hold="60s")
SILENT = rule("quiet", "silent(10m)")
LIMIT = parameter(10, "deg", 0, 90)


def test_a_condition_raises_at_its_sample_and_clears_when_it_is_false() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"))
    city.at("10:00").says(tilt=12)
    city.at("10:01").says(tilt=12)
    city.at("10:02").says(tilt=10)
    assert city.story == ["raised tilted 10:00:00", "cleared tilted 10:02:00"]


def test_its_own_clear_condition_decides_alone() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg", clear="tilt < 5 deg"))
    for minute, tilt in enumerate((12, 8, 4)):
        city.at(f"10:0{minute}").says(tilt=tilt)
    assert city.story == ["raised tilted 10:00:00", "cleared tilted 10:02:00"]


@pytest.mark.parametrize("quality", [Quality.FAULT, Quality.CALIBRATING, Quality.NO_COMMS])
def test_unknown_neither_raises_nor_clears(quality: Quality) -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"))
    city.at("10:00").says(tilt=12)
    city.at("10:01").says(tilt=0, quality=quality)
    assert city.story == ["raised tilted 10:00:00"]
    city.at("10:02").says(power=1)  # does not carry it: still unknown
    city.at("10:03").says(tilt=0)
    assert city.story[1:] == ["cleared tilted 10:03:00"]


def test_a_row_without_the_point_leaves_its_last_value() -> None:
    city = Timeline(PROBE, rule("both", "tilt > 10 deg and power > 5 W"))
    city.at("10:00").says(tilt=12)
    city.at("10:01").says(power=6)
    assert city.story == ["raised both 10:01:00"]


def test_a_hold_ends_between_samples_and_stands_at_its_deadline() -> None:
    city = Timeline(PROBE, HELD)
    city.at("10:00:00").says(tilt=12)
    city.at("10:00:50").says(tilt=12)
    city.at("10:01:10").says(tilt=1)  # it was held for a minute before this was known
    assert city.story == ["raised held 10:01:00", "cleared held 10:01:10"]


def test_a_contradiction_or_doubt_before_the_deadline_voids_the_hold() -> None:
    for doubt in (1.0, float("nan")):
        city = Timeline(PROBE, HELD)
        city.at("10:00:00").says(tilt=12)
        city.at("10:00:30").says(tilt=doubt)
        city.at("10:00:40").says(tilt=12)
        city.at("10:01:39").says(tilt=12)
        assert city.story == []
        city.at("10:01:40").says(tilt=12)
        assert city.story == ["raised held 10:01:40"]


def test_a_sample_at_the_deadline_itself_must_be_true() -> None:
    city = Timeline(PROBE, HELD)
    city.at("10:00").says(tilt=12, received="10:00:02")
    city.at("10:01").says(tilt=1)
    assert city.story == []


def test_a_sweep_ends_a_hold_by_receive_time() -> None:
    city = Timeline(PROBE, HELD)
    city.at("10:00:00").says(tilt=12, received="10:00:20")
    city.at("10:01:19").sweep()
    assert city.story == []
    city.at("10:01:20").sweep()
    assert city.story == ["raised held 10:01:00"]
    assert city.said[0].received == clock("10:01:20")


def test_a_clear_is_never_before_its_raise() -> None:
    city = Timeline(PROBE, HELD)
    city.at("10:00:00").says(tilt=12)
    city.at("10:01:00").sweep()
    city.at("10:00:30").says(tilt=1, received="10:01:05")  # delayed by its link
    assert city.story == ["raised held 10:01:00", "cleared held 10:01:00+1"]


def test_several_samples_of_a_device_in_one_batch_lose_nothing() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"))
    batch = Batch.empty(PROBE, 5)
    batch.device[:] = 0
    batch.time[:] = clock("10:00") + np.arange(5) * SECOND
    batch.received[:] = batch.time
    batch.values[0] = [1, 12, 1, 12, 1]
    batch.quality[0] = 0
    city.said += city.engine.evaluate(batch)
    assert city.story == [
        "raised tilted 10:00:01",
        "cleared tilted 10:00:02",
        "raised tilted 10:00:03",
        "cleared tilted 10:00:04",
    ]


def test_a_window_is_judged_when_its_buckets_close() -> None:
    city = Timeline(PROBE, rule("mean", "mean(tilt, 60s) > 10 deg", valid=0))
    city.at("10:00:01").says(tilt=30)
    assert city.story == []
    city.at("10:00:05").says(tilt=0)  # closes 10:00:00 to 10:00:04
    assert city.story == ["raised mean 10:00:04"]
    city.at("10:00:09").says(tilt=0)
    city.at("10:00:13").says(tilt=0)  # (30 + 0 + 0) / 3 is no longer above 10
    assert city.story[1:] == ["cleared mean 10:00:12"]


def test_too_little_valid_data_is_unknown() -> None:
    city = Timeline(
        PROBE, rule("mean", "mean(tilt, 60s) > 10 deg", valid=0.5)
    )  # every 10 s: 6 buckets expected
    for second in (1, 11, 21, 31):
        city.at(f"10:00:{second:02}").says(tilt=30)
    assert city.story == ["raised mean 10:00:24"]


def test_a_bucket_closes_a_grace_after_its_end_by_receive_time() -> None:
    city = Timeline(PROBE, rule("mean", "mean(tilt, 60s) > 10 deg", valid=0))
    city.at("10:00:01").says(tilt=30)
    city.at("10:01:03.9").sweep()
    assert city.story == []
    city.at("10:01:04").sweep()
    assert city.story == ["raised mean 10:00:04"]
    city.at("10:00:02").says(tilt=0, received="10:01:05")  # its bucket is closed
    city.at("10:03").sweep()
    assert [each.raised for each in city.said] == [True]


def test_an_emptied_window_rests_and_starts_anew() -> None:
    city = Timeline(PROBE, rule("few", "count(tilt, 60s) < 1", clear="count(tilt, 60s) > 0", valid=0))
    city.at("10:00:01").says(tilt=30)
    city.at("12:00:00").sweep()
    assert city.story == ["raised few 10:01:04"]
    city.at("12:00:01").says(tilt=30)
    city.at("12:00:05").says(tilt=30)
    assert city.story[1:] == ["cleared few 12:00:04"]


def test_silence_is_raised_at_its_deadline_and_cleared_by_the_next_row() -> None:
    city = Timeline(PROBE, SILENT)
    city.at("10:00").says(tilt=1)
    city.at("10:10").sweep()
    city.at("10:25").says(tilt=1)
    city.at("10:40").says(online="offline")  # the broker speaks, not the device
    city.at("10:41").sweep()
    assert city.story == ["raised quiet 10:10:00", "cleared quiet 10:25:00", "raised quiet 10:35:00"]


def test_a_replay_without_sweeps_tells_the_same_silence() -> None:
    city = Timeline(PROBE, SILENT)
    city.at("10:00").says(tilt=1)
    city.at("10:25").says(tilt=1)
    assert city.story == ["raised quiet 10:10:00", "cleared quiet 10:25:00"]


def test_a_device_never_heard_is_silent_since_its_registration() -> None:
    city = Timeline(PROBE, SILENT)
    city.at("10:00").sweep()
    city.at("10:10").sweep()
    assert city.story == ["raised quiet 10:10:00"]


def test_silence_timers_stand_still_while_the_gateway_is_down() -> None:
    city = Timeline(PROBE, SILENT)
    city.at("10:00").says(tilt=1)
    city.control(GatewayUp(clock("10:05"), clock("11:00")))
    city.at("11:04:59").sweep()
    assert city.story == []
    city.at("11:05").sweep()
    assert city.story == ["raised quiet 11:05:00"]


def test_what_ran_out_before_the_gateway_went_down_is_still_said() -> None:
    city = Timeline(PROBE, SILENT)
    city.at("10:00").says(tilt=1)
    city.control(GatewayUp(clock("10:30"), clock("11:00")))
    city.at("11:00").sweep()
    assert city.story == ["raised quiet 10:10:00"]


def test_night_falls_and_time_of_day_passes() -> None:
    city = Timeline(
        PROBE, rule("night", "night and tilt > 0"), rule("late", "between 22:00 and 06:00 and tilt > 0")
    )
    for hour in (12, 17, 19, 22, 24 + 5, 24 + 6, 24 + 7):
        city.at(f"{hour}:00").says(tilt=1)
    assert city.story == [
        "raised night 19:00:00",
        "raised late 22:00:00",
        "cleared late 30:00:00",
        "cleared night 31:00:00",
    ]


def test_the_most_specific_threshold_wins_and_evidence_names_its_scope() -> None:
    devices = [
        DeviceRow(0, "D-0", "p-one", "north/lake"),
        DeviceRow(1, "D-1", "p-two", "north/lake"),
        DeviceRow(2, "D-2", "p-two", "northern"),
        DeviceRow(3, "D-3", "p-three", "north"),
    ]
    city = Timeline(PROBE, rule("tilted", "tilt > limit", limit=LIMIT), devices=devices)
    tunes = {"": 20, "area:north": 30, "area:north/lake": 40, "product:p-two": 50, "device:D-0": 60}
    for scope, value in tunes.items():
        city.control(Parameter("tilted", "limit", scope, value))
    for index in range(4):
        city.at("10:00").says(index, tilt=70)
    found = [each.evidence["parameters"]["limit"] for each in city.said]
    assert [(each["value"], each["scope"]) for each in found] == [
        (60, "device:D-0"),
        (50, "product:p-two"),
        (50, "product:p-two"),
        (30, "area:north"),
    ]
    city.control(Parameter("tilted", "limit", "device:D-0", None))
    city.at("10:01").says(0, tilt=35)
    assert city.story[-1] == "cleared tilted 10:01:00"


def test_a_device_that_moves_takes_the_thresholds_of_its_new_area() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > limit", limit=LIMIT))
    city.control(Parameter("tilted", "limit", "area:south", 50))
    city.at("10:00").says(tilt=40)
    city.control(Devices("probe", [DeviceRow(0, "D-0", "p-one", "south/hill")]))
    city.at("10:01").says(tilt=40)
    assert city.story == ["raised tilted 10:00:00", "cleared tilted 10:01:00"]


def test_a_withdrawn_rule_clears_what_it_raised_at_the_newest_sample() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"), SILENT)
    city.at("10:00").says(tilt=12)
    city.at("10:01").says(tilt=13)
    city.control(Rules([SILENT]))
    city.at("10:05").sweep()
    assert city.story == ["raised tilted 10:00:00", "cleared tilted 10:01:00"]
    assert city.said[1].evidence == {"reason": "rule withdrawn"}


def test_a_changed_rule_keeps_what_it_raised_and_judges_it_by_its_new_words() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"))
    city.at("10:00").says(tilt=12)
    city.control(Rules([rule("tilted", "tilt > 20 deg", version=2)]))
    city.at("10:01").sweep()
    assert city.story == ["raised tilted 10:00:00"]
    city.at("10:02").says(tilt=12)
    assert city.story[1:] == ["cleared tilted 10:02:00"]
    assert city.said[1].version == 2


def test_an_unchanged_rule_keeps_its_running_hold() -> None:
    city = Timeline(PROBE, HELD)
    city.at("10:00:00").says(tilt=12)
    city.control(Rules([{**HELD, "version": 2, "en": "leans"}, rule("other", "tilt > 1 deg")]))
    city.at("10:01:00").says(tilt=12)
    assert sorted(city.story) == ["raised held 10:01:00", "raised other 10:01:00"]


def test_rules_that_cannot_be_used_change_nothing() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"))
    with pytest.raises(RulesError, match="expected deg"):
        city.control(Rules([rule("tilted", "tilt > 10 W")]))
    city.at("10:00").says(tilt=12)
    assert city.story == ["raised tilted 10:00:00"]


def test_a_retired_device_clears_and_is_judged_no_more() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"), SILENT)
    city.at("10:00").says(tilt=12)
    city.control(Devices("probe", [DeviceRow(0, "D-0", "p-one", retired=True)]))
    city.at("10:05").says(tilt=12)
    city.at("11:00").sweep()
    assert city.story == ["raised tilted 10:00:00", "cleared tilted 10:00:00+1"]


def test_rows_of_unknown_devices_are_passed_over() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"))
    city.at("10:00").says(7, tilt=12)
    city.at("10:00").says(0, tilt=12)
    assert city.story == ["raised tilted 10:00:00"]


def test_a_clock_that_stepped_back_voids_holds_and_windows() -> None:
    city = Timeline(PROBE, HELD, rule("mean", "mean(tilt, 60s) > 10 deg", valid=0))
    city.at("10:00:00").says(tilt=12)
    city.control(WatermarkRestart("probe", 0, clock("09:59:30")))
    city.at("09:59:30").says(tilt=14, received="10:00:10")
    city.at("09:59:34").says(tilt=14, received="10:00:14")
    assert city.story == ["raised mean 09:59:32"]
    assert city.said[0].evidence["windows"]["mean(tilt, 1m)"]["value"] == 14
    city.at("10:01:00").sweep()  # the hold of 10:00:00 is void; the one of 09:59:30 began at 10:00:10
    city.at("10:01:10").sweep()
    assert city.story[1:] == ["raised held 10:00:30"]


def test_evidence_has_values_windows_thresholds_and_hold() -> None:
    document = rule(
        "lean",
        'mean(tilt, 60s) > limit and door == "open" and power > 0.5 * rated_power',
        hold="4s",
        valid=0.1,
        limit=LIMIT,
        version=3,
    )
    city = Timeline(PROBE, document, devices=[DeviceRow(0, "D-0", "p-one", attributes={"rated_power": 10.0})])
    for second in (1, 5, 9):
        city.at(f"10:00:{second:02}").says(tilt=30, power=8, door="open")
    raised = city.said[0]
    assert (raised.version, raised.alarm, raised.severity, raised.device) == (3, "alean", "major", "D-0")
    assert raised.evidence == {
        "values": {"door": "open", "power": 8.0},
        "attributes": {"rated_power": 10.0},
        "windows": {"mean(tilt, 1m)": {"value": 30.0, "valid": 0.167}},  # in 8 s, one of six is due
        "parameters": {"limit": {"value": 10.0, "unit": "deg", "scope": "default"}},
        "hold": 4.0,
    }


def test_what_stands_and_why_can_be_asked() -> None:
    city = Timeline(PROBE, rule("tilted", "tilt > 10 deg"), SILENT)
    city.at("10:00").says(tilt=12)
    (standing,) = city.engine.standing("probe", 0)
    assert (standing.rule, standing.since) == ("tilted", clock("10:00"))
    raised = {"state": "raised", "since": clock("10:00"), "version": 1}
    assert city.engine.explain("tilted", "probe", 0) == {"values": {"tilt": 12.0}, **raised}
    idle = {"state": "idle", "since": None, "version": 1}
    assert city.engine.explain("quiet", "probe", 0) == {"heard": clock("10:00"), "timeout": 600.0, **idle}
    assert city.engine.explain("nothing", "probe", 0) is None
    assert city.engine.standing("probe", 99) == []


def test_a_sweep_of_very_many_buckets_is_finished_by_the_next_ones() -> None:
    many = MOST_SWEPT + 500
    engine = Engine(FAMILIES)
    engine.control(Devices("probe", [DeviceRow(index, f"D-{index}", "p") for index in range(many)]))
    engine.control(Rules([rule("mean", "mean(tilt, 60s) > 10 deg", valid=0)]))
    batch = Batch.empty(PROBE, many)
    batch.device[:] = np.arange(many)
    batch.time[:] = batch.received[:] = clock("10:00:01")
    batch.values[0], batch.quality[0] = 20, 0
    assert engine.evaluate(batch) == []
    first, second, third = (engine.sweep(clock("10:02")) for _ in range(3))
    assert (len(first), len(second), len(third)) == (MOST_SWEPT, 500, 0)
    assert {each.time for each in first + second} == {clock("10:00:04")}


def test_a_snapshot_of_another_format_is_refused() -> None:
    engine = Engine(FAMILIES)
    with pytest.raises(ValueError, match="format 99"):
        engine.restore({**engine.snapshot(), "format": 99})


def test_a_storm_of_silence_comes_in_bounded_sweeps_and_whole_before_an_outage() -> None:
    many = MOST_SWEPT + 3
    told = []
    for down in (False, True):
        engine = Engine(FAMILIES)
        engine.control(Devices("probe", [DeviceRow(index, f"D-{index}", "p") for index in range(many)]))
        engine.control(Rules([SILENT]))
        engine.sweep(clock("10:00"))
        if down:
            engine.control(GatewayUp(clock("10:30"), clock("11:00")))
        told.append([len(engine.sweep(clock("11:00"))) for _ in range(3)])
    assert told == [[MOST_SWEPT, 3, 0], [many, 0, 0]]


def test_a_hold_over_windows_waits_for_every_bucket_that_may_contradict_it() -> None:
    many = MOST_SWEPT + 1
    engine = Engine(FAMILIES)
    engine.control(Devices("probe", [DeviceRow(index, f"D-{index}", "p") for index in range(many)]))
    engine.control(Rules([rule("mean", "max(tilt, 15s) > 10 deg", hold="30s", valid=0)]))
    batch = Batch.empty(PROBE, many)
    batch.device[:] = np.arange(many)
    batch.values[0], batch.quality[0] = 20, 0
    batch.time[:] = batch.received[:] = clock("10:00:01")
    engine.evaluate(batch)
    assert [engine.sweep(clock("10:05")) for _ in range(3)] == [
        [],
        [],
        [],
    ]  # after 15 s the window is empty: unknown
