"""Maintenance windows: what is raised inside one is stored and told to nobody, unless it stands when the window ends."""

from __future__ import annotations

import pytest

from drivers.telemetry import HOUR
from gateway.cases import windows
from gateway.cases.windows import Window
from gateway.errors import Conflict, Invalid, NotFound
from tests.gateway.cases.street import Street

pytestmark = pytest.mark.usefixtures("every_kind")


@pytest.mark.parametrize(
    "where",
    [
        {"area": "xuhui"},
        {"area": "xuhui/tianping/"},
        {"device": "SL-A0"},
        {"device": "LP-A"},
        {"device": "CB-1"},
        {"family": "streetlight"},
        {"rule": "lamp"},
        {"alarm": "lampFailure"},
        {"device": "CB-1", "alarm": "lampFailure"},
    ],
)
def test_inside_a_window_nobody_hears_of_it(where: dict[str, str]) -> None:
    with Street() as street:
        window = street.at("Mon 09:00").window("Mon 12:00", **where)
        street.at("Mon 10:00").raises("lamp", "SL-A0")
        alarm = street.one("SL-A0", "lamp")
        assert (alarm.state, alarm.suppressed_by, alarm.case) == ("suppressed", window.key, None)
        assert street.heard() == []
        street.at("Mon 11:00").clears("lamp", "SL-A0").at("Mon 13:00")
        assert street.one("SL-A0", "lamp").state == "cleared"
        assert (street.cases(), street.heard()) == ([], [])


@pytest.mark.parametrize(
    "where", [{"area": "xuhui/tian"}, {"device": "LP-B"}, {"rule": "silent"}, {"family": "cabinet"}]
)
def test_outside_of_it_they_do(where: dict[str, str]) -> None:
    with Street() as street:
        street.at("Mon 09:00").window("Mon 12:00", **where)
        street.at("Mon 10:00").raises("lamp", "SL-A0")
        assert street.one("SL-A0", "lamp").state == "active"


def test_what_stands_when_it_ends_is_told_then() -> None:
    with Street() as street:
        street.at("Mon 09:00").window("Mon 12:00", area="xuhui")
        street.at("Mon 10:00").raises("lamp", "SL-A0")
        street.restart()
        street.at("Mon 11:59")
        assert street.heard() == []
        street.at("Mon 12:01")
        assert street.one("SL-A0", "lamp").state == "active"
        assert street.open() == {"lamp-out": ["SL-A0"]}
        assert "alarm.unsuppress lampFailure" in street.heard()


def test_an_alarm_belongs_to_the_window_it_was_raised_in_by_event_time() -> None:
    with Street() as street:
        street.at("Mon 09:00").window("Mon 12:00", area="xuhui")
        early = street.transition("lamp", "SL-A0", True, street.now - HOUR, street.now)
        street.hear(early)
        assert street.one("SL-A0", "lamp").state == "active", "raised before it began"


def test_two_windows_hold_as_long_as_the_longer_one() -> None:
    with Street() as street:
        street.at("Mon 09:00").window("Mon 11:00", device="SL-A0")
        street.window("Mon 12:00", area="xuhui")
        street.at("Mon 10:00").raises("lamp", "SL-A0").at("Mon 11:30")
        assert street.one("SL-A0", "lamp").state == "suppressed"
        street.at("Mon 12:01")
        assert street.one("SL-A0", "lamp").state == "active"


def test_a_window_that_is_ended_early_lets_go_at_once() -> None:
    with Street() as street:
        window = street.at("Mon 09:00").window("Mon 12:00", area="xuhui")
        street.at("Mon 10:00").raises("lamp", "SL-A0")
        with street.transaction() as conn:
            ended, changes = street.desk.end_window(conn, window.id, "token:wu", street.now)
        assert (ended.ends, ended.ended_by) == (street.now, "token:wu")
        assert [change.event for change in changes if change.kind == "alarm"] == ["unsuppress"]
        assert street.one("SL-A0", "lamp").state == "active"
        with street.transaction() as conn, pytest.raises(Conflict, match="has ended already"):
            street.desk.end_window(conn, window.id, "token:wu", street.now)


def test_a_cabinet_under_maintenance_still_explains_its_lamps() -> None:
    with Street() as street:
        street.at("Mon 09:00").window("Mon 12:00", rule="supply")
        street.at("Mon 10:00").together(("supply", "CB-1", True), ("lamp", "SL-A0", True))
        assert street.one("SL-A0", "lamp").suppression == "cabinet-without-power"
        assert street.cases() == []
        street.at("Mon 12:01")
        assert street.open() == {"cabinet-outage": ["CB-1", "SL-A0"]}


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ({"ends": 0}, "ends"),
        ({"ends": 400 * 24 * HOUR}, "ends"),
        ({"reason": " "}, "reason"),
        ({"area": ""}, "area"),
    ],
)
def test_a_window_says_what_until_when_and_why(new: dict[str, object], field: str) -> None:
    with Street() as street, street.transaction() as conn:
        good = {"begins": street.now, "ends": HOUR, "reason": "works", "area": "xuhui"} | new
        good["ends"] = street.now + int(str(good["ends"]))
        with pytest.raises(Invalid) as refused:
            windows.add(conn, Window(**good), "token:wu", street.now, 30 * 24 * HOUR)  # type: ignore[arg-type]
        assert refused.value.members["field"] == field


def test_a_window_nobody_opened_cannot_be_ended() -> None:
    with Street() as street, street.transaction() as conn, pytest.raises(NotFound):
        street.desk.end_window(conn, 7, "token:wu", street.now)
