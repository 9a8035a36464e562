"""How two versions differ, what they would have cost, and what the crews' verdicts say of them."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import msgspec
import pytest

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.backtest import plot
from gateway.backtest.occurrences import Occurrence, occurrences, pairs
from gateway.backtest.report import Change, Report, Told, as_csv, report
from gateway.backtest.work import Handling, Judged, cases_of
from gateway.cases.deadline import WorkClock
from gateway.cases.template import Template, shipped
from rules.backtest import Said
from rules.control import DeviceRow
from rules.suggest import Now, Tried, suggest

T = 1_790_035_200 * SECOND  # 2026-09-22 08:00 in Shanghai, a Tuesday
MEMBERS = {
    ("dust", n): DeviceRow(n, f"DU-{n}", "generic-dust", ("xuhui/a", "pudong/b")[n % 2]) for n in range(6)
}


def alarm(device: int, raised: int, cleared: int | None, name: str = "") -> Occurrence:
    """Minutes after T."""
    end = None if cleared is None else T + cleared * MINUTE
    return Occurrence(name, "dust", device, f"DU-{device}", "major", T + raised * MINUTE, end)


def said(line: str, device: int, minute: int, *, raised: bool) -> Said:
    at = T + minute * MINUTE
    return Said(line, f"{line}{device}{minute}", "dust", device, f"DU-{device}", "major", raised, at, at)


def compared(old: list[Occurrence], new: list[Occurrence], judged: list[Judged] | None = None) -> Report:
    template = shipped()["site-dust"]
    told = Told(old, new, judged or [], template, Handling(1.5, 4), MEMBERS, WorkClock())
    return report("dust-pm10-high", (T, T + DAY), "", 1000, told)


def test_raises_and_clears_become_alarms_of_their_line_in_the_span() -> None:
    told = [
        said("recorded", 1, -20, raised=True),
        said("recorded", 1, 5, raised=False),
        said("recorded", 1, 10, raised=True),
        said("new", 1, 12, raised=True),
        said("recorded", 1, 30, raised=False),
        said("recorded", 2, 40, raised=True),
        said("recorded", 2, 5000, raised=False),
    ]
    found = occurrences(told, "recorded", T, T + DAY)
    assert [(each.index, each.raised, each.cleared) for each in found] == [
        (1, T + 10 * MINUTE, T + 30 * MINUTE),
        (2, T + 40 * MINUTE, None),
    ]


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (alarm(1, 0, 10), alarm(1, 0, 10), ["same"]),
        (alarm(1, 0, 10), alarm(1, 2, 10), ["shifted"]),
        (alarm(1, 0, None), alarm(1, 0, 30), ["shifted"]),
        (alarm(1, 0, 10), alarm(1, 11, 20), ["removed", "added"]),
        (alarm(1, 0, 10), alarm(2, 0, 10), ["removed", "added"]),
    ],
)
def test_alarms_that_overlap_are_one_event(old: Occurrence, new: Occurrence, change: list[str]) -> None:
    assert [each.change for each in pairs([old], [new])] == change


def test_one_long_alarm_is_met_by_one_of_several_short_ones() -> None:
    found = pairs([alarm(1, 0, 100)], [alarm(1, 0, 10), alarm(1, 20, 30), alarm(1, 50, 100)])
    assert [each.change for each in found] == ["shifted", "added", "added"]


def test_a_relapse_joins_its_case_and_a_late_one_is_a_new_case() -> None:
    template = shipped()["site-dust"]  # proved after 2 h, a relapse within a day is the same case
    day = 24 * 60
    alarms = [alarm(1, 0, 10), alarm(1, 60, 70), alarm(1, 400, 410), alarm(1, 3 * day, 3 * day + 5)]
    found = cases_of(alarms, template, MEMBERS, WorkClock())
    assert [(each.alarms, each.reopened) for each in found] == [(3, 1), (1, 0)]
    assert found[0].deadline == T + 2 * HOUR  # two working hours from 08:00


def test_an_alarm_without_a_template_costs_no_case() -> None:
    assert cases_of([alarm(1, 0, 10)], None, MEMBERS, WorkClock()) == []


def test_devices_of_one_parent_are_one_case_where_the_template_groups_them() -> None:
    template = Template.model_validate({**shipped()["site-dust"].model_dump(), "group": "area"})
    assert (
        len(cases_of([alarm(0, 0, 10), alarm(2, 1, 9), alarm(1, 2, 8)], template, MEMBERS, WorkClock())) == 2
    )


def test_verdicts_follow_the_alarm_and_give_the_precision_before_and_after() -> None:
    old = [alarm(1, 0, 30, "a"), alarm(2, 0, 30, "b"), alarm(3, 0, 30, "c"), alarm(4, 0, 30, "d")]
    judged = [
        Judged(one.id, "dust", one.index, one.raised, one.cleared, verdict)
        for one, verdict in zip(old, ("real", "false_alarm", "duplicate", "real"), strict=True)
    ]
    new = [alarm(1, 5, 25, "e"), alarm(3, 0, 30, "c"), alarm(5, 0, 10, "f")]
    found = compared(old, new, judged)
    assert (found.old.precision, found.new.precision) == (2 / 3, 1.0)
    assert (found.new.verdicts.real, found.new.verdicts.duplicate, found.new.verdicts.unjudged) == (1, 1, 1)
    assert (found.lost_real, found.spared_false) == (1, 1)
    assert (found.same, found.shifted, found.removed, found.added) == (1, 1, 2, 1)


def test_counts_by_day_and_area_hours_and_limits() -> None:
    found = compared([alarm(1, 0, 10), alarm(2, 0, 10)], [alarm(1, 0, 10)])
    assert [(row.day, row.area, row.old_alarms, row.new_alarms, row.old_cases) for row in found.by_day] == [
        ("2026-09-22", "pudong", 1, 1, 1),
        ("2026-09-22", "xuhui", 1, 0, 1),
    ]
    assert (found.old.hours, found.new.hours) == (3.0, 1.5)
    assert found.old.deadlines == {"2026-09-22": 2}
    assert found.old.busiest == 2


def test_a_device_name_is_no_formula_of_a_spreadsheet() -> None:
    row = Change("added", "=cmd()", "", None, None, T, None, "")
    assert as_csv([row], Change).splitlines()[1] == f"added,'=cmd(),,,,{T},,"


def test_plots_are_whole_documents_that_escape_names() -> None:
    found = compared([alarm(1, 0, 10)], [alarm(1, 0, 10), alarm(2, 0, 10)])
    drawn = ET.fromstring(plot.of_report(msgspec.structs.replace(found, rule="a<b")))
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}rect")) > 4
    now = Now("limit", "ug/m3", 2.0, 0, 0, 1.0)
    assert ET.fromstring(plot.of_suggestion("x", suggest(now, [Tried(2.0, 0, 0, 0)]))) is not None


def test_a_report_is_plain_json() -> None:
    found = json.loads(msgspec.json.encode(compared([alarm(1, 0, 10)], [])))
    assert found["removed"] == 1
    assert found["changes"][0]["change"] == "removed"
