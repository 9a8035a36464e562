"""What `rules backtest` and `rules suggest` say to people."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec
import pytest
import typer

from drivers.telemetry import DAY, MINUTE, SECOND
from gateway.backtest.occurrences import Occurrence
from gateway.backtest.report import Told, report
from gateway.backtest.work import Handling
from gateway.cases.deadline import WorkClock
from gateway.cases.template import shipped
from gateway.cli import backtest
from rules.control import DeviceRow
from rules.suggest import Now, Tried, suggest

T = 1_790_035_200 * SECOND


def test_a_report_reads_as_a_table() -> None:
    members = {("dust", 1): DeviceRow(1, "DU-1", "generic-dust", "xuhui/tianping")}
    alarms = [
        Occurrence("a", "dust", 1, "DU-1", "major", T, T + 9 * MINUTE),
        Occurrence("b", "dust", 1, "DU-1", "major", T + 2 * DAY, None),
    ]
    told = Told(alarms, alarms[:1], [], shipped()["site-dust"], Handling(2.0, 0), members, WorkClock())
    found = report("dust-pm10-high", (T, T + 3 * DAY), "", 4000, told)
    text = backtest.shown(msgspec.to_builtins(found))
    lines = text.splitlines()
    assert lines[0] == "dust-pm10-high: 4,000 readings judged"
    assert lines[2].split() == ["alarms", "2", "1"]
    assert "crew hours                   4.0       2.0" in lines
    assert "added 0, removed 1, shifted 0, same 1" in lines
    assert lines[-1].split() == ["2026-09-24", "1", "0"]
    assert "the limit itself" in text


def test_a_suggestion_says_why_in_both_languages_and_what_was_tried() -> None:
    found = suggest(
        Now("limit", "ug/m3", 120.0, 40, 30, 30.0), [Tried(120.0, 70, 40, 30), Tried(135.0, 50, 40, 8)]
    )
    lines = backtest.proposed(msgspec.to_builtins(found)).splitlines()
    assert lines[0].startswith("Set limit to 135 ug/m3")
    assert lines[1].startswith("建议将limit")
    assert lines[4].split() == ["135", "50", "40", "8"]


def test_values_and_times_as_people_write_them() -> None:
    assert backtest._values(["limit = 0.12 mg/m3", "hold=5"]) == {"limit": "0.12 mg/m3", "hold": "5"}
    shanghai = ZoneInfo("Asia/Shanghai")
    assert (
        backtest._moment("2026-09-22T08:00", shanghai)
        == backtest._moment("2026-09-22T00:00+00:00", shanghai)
        == T
    )
    for wrong in ("limit", "tomorrow"):
        with pytest.raises(typer.BadParameter):
            backtest._values([wrong]) if wrong == "limit" else backtest._moment(wrong, shanghai)
