"""What another alarm explains is part of that one's case, whichever came first, and is an alarm again when that is over."""

from __future__ import annotations

import itertools

import pytest

from gateway.cases.record import Alarm
from gateway.errors import Conflict
from rules import correlate
from tests.gateway.cases.city import show
from tests.gateway.cases.street import LAMPS, Street

pytestmark = pytest.mark.usefixtures("every_kind")

DARK = [("lamp", lamp, True) for lamp in LAMPS]
OUT = ("supply", "CB-1", True)
ALL = sorted(["CB-1", *LAMPS])


@pytest.mark.parametrize("order", ["cabinet first", "lamps first", "cabinet between"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_cabinet_without_power_is_one_case_with_its_lamps(order: str, at_once: bool) -> None:
    said = {
        "cabinet first": [OUT, *DARK],
        "lamps first": [*DARK, OUT],
        "cabinet between": [*DARK[:2], OUT, *DARK[2:]],
    }
    with Street() as street:
        street.at("Mon 20:00")
        if at_once:
            street.together(*said[order])
        else:
            for one in said[order]:
                street.together(one).at(show(street.now + 30_000_000))
        assert street.open() == {"cabinet-outage": ALL}
        case = street.case("cabinet-outage")
        assert (case.alarms, case.standing, case.state) == (7, 7, "dispatched")
        for lamp in LAMPS:
            alarm = street.one(lamp, "lamp")
            assert (alarm.state, alarm.case, alarm.suppression) == (
                "suppressed",
                case.id,
                "cabinet-without-power",
            )
            assert alarm.suppressed_by == f"alarm:{street.one('CB-1', 'supply').id}"
        assert {one.state for one in street.cases("lamp-out")} <= {"void"}


def test_in_one_transaction_the_lamps_never_have_a_case_of_their_own() -> None:
    with Street() as street:
        street.together(*DARK, OUT)
        assert [case.template for case in street.cases()] == ["cabinet-outage"]
        assert street.heard() == [
            "case.file cabinet-outage",
            "case.dispatch cabinet-outage",
            "alarm.raise supplyLoss",
        ]


def test_a_case_that_a_crew_works_on_stays_theirs() -> None:
    with Street() as street:
        street.at("Mon 20:00").raises("lamp", "SL-A0")
        own = street.case("lamp-out")
        street.act(own, "accept")
        street.act(own, "start")
        street.at("Mon 20:10").together(OUT)
        alarm = street.one("SL-A0", "lamp")
        assert (alarm.state, alarm.case) == ("suppressed", own.id), "explained, and in the case it was in"
        assert street.case_of(own).state == "in_repair"


def test_what_failed_long_before_has_another_cause() -> None:
    with Street() as street:
        street.at("Mon 18:00").raises("lamp", "SL-A0")
        street.at("Mon 20:00").together(OUT)
        assert street.open() == {"lamp-out": ["SL-A0"], "cabinet-outage": ["CB-1"]}


def test_other_alarms_of_the_lamps_and_other_cabinets_explain_nothing() -> None:
    with Street() as street:
        street.together(OUT, ("leak", "SL-A0", True))
        assert street.one("SL-A0", "leak").state == "active", "a live pole is no part of an outage"
        street.together(("supply", "CB-2", True))
        assert street.one("CB-2", "supply").state == "active"


def test_power_comes_back_and_everything_clears_in_the_one_case() -> None:
    with Street() as street:
        street.at("Mon 20:00").together(OUT, *DARK)
        street.at("Mon 21:00").together(("supply", "CB-1", False))
        street.at("Mon 21:10").together(*(("lamp", lamp, False) for lamp in LAMPS))
        street.at("Mon 23:00")
        assert {alarm.state for alarm in street.alarms()} == {"cleared"}
        assert all(alarm.suppressed_by for alarm in street.alarms() if alarm.rule == "lamp"), (
            "it stays visible"
        )
        assert street.case("cabinet-outage").standing == 0
        assert street.cases("lamp-out") == []


def test_a_lamp_that_does_not_come_back_is_work_of_its_own() -> None:
    with Street() as street:
        street.at("Mon 20:00").together(OUT, *DARK)
        street.at("Mon 21:00").together(("supply", "CB-1", False))
        street.at("Mon 21:05").together(*(("lamp", lamp, False) for lamp in LAMPS if lamp != "SL-B1"))
        street.at("Mon 21:44")
        assert street.one("SL-B1", "lamp").state == "suppressed", "it still has its time"
        street.restart()
        street.at("Mon 21:46")
        assert street.one("SL-B1", "lamp").state == "active"
        assert street.open()["lamp-out"] == ["SL-B1"]
        assert street.case("cabinet-outage").standing == 0
        assert "alarm.unsuppress lampFailure" in street.heard()


def test_a_silence_that_is_noticed_after_the_power_is_back_is_still_explained() -> None:
    with Street() as street:
        street.at("Mon 20:00").together(OUT)
        street.at("Mon 20:20").together(("supply", "CB-1", False))
        street.at("Mon 20:30").restart()
        street.together(("silent", "SL-A0", True))
        assert street.one("SL-A0", "silent").state == "suppressed"
        street.at("Mon 21:06")
        assert street.open()["device-health"] == ["SL-A0"], "45 minutes after the power came back"


def test_a_second_outage_takes_over_what_the_first_explained() -> None:
    with Street() as street:
        street.at("Mon 20:00").together(OUT, *DARK)
        street.at("Mon 22:00").together(("supply", "CB-1", False))
        street.at("Mon 22:10").together(OUT)
        street.at("Mon 23:30")
        assert street.open() == {"cabinet-outage": ALL}
        second = street.one("CB-1", "supply").id
        assert {street.one(lamp, "lamp").suppressed_by for lamp in LAMPS} == {f"alarm:{second}"}


def test_a_loop_explained_by_its_cabinet_hands_its_lamps_to_the_same_case() -> None:
    for order in itertools.permutations([OUT, ("supply", "LP-A", True), ("lamp", "SL-A0", True)]):
        with Street() as street:
            for one in order:
                street.together(one).at(show(street.now + 60_000_000))
            assert street.open() == {"cabinet-outage": ["CB-1", "LP-A", "SL-A0"]}, order


def test_a_shelved_cause_still_explains_and_hands_over_when_it_is_back() -> None:
    with Street() as street:
        street.at("Mon 20:00").raises("supply", "CB-1")
        with street.transaction() as conn:
            key = street.one("CB-1", "supply").id
            street.desk.shelve(
                conn, key, "token:wu", street.now, street.now + 3_600_000_000, "known to the grid"
            )
        street.raises("lamp", "SL-A0")
        assert street.one("SL-A0", "lamp").state == "suppressed"
        street.at("Mon 21:30")
        assert street.open() == {"cabinet-outage": ["CB-1", "SL-A0"]}


def test_an_inhibited_alarm_is_quiet_and_no_case() -> None:
    with Street() as street:
        street.at("Mon 20:00").raises("lamp", "SL-A0")
        street.raises("weak", "SL-A0")
        alarm = street.one("SL-A0", "weak")
        assert (alarm.state, alarm.case, alarm.suppression) == ("suppressed", None, "dark-lamp")
        street.raises("weak", "SL-A1")
        assert street.one("SL-A1", "weak").state == "active", "another lamp"
        street.at("Mon 21:00").clears("lamp", "SL-A0").at("Mon 21:16")
        assert street.one("SL-A0", "weak").state == "active"


def test_a_person_may_say_that_nothing_explains_it() -> None:
    with Street() as street:
        street.together(OUT, ("lamp", "SL-A0", True))
        alarm = street.one("SL-A0", "lamp")
        _unsuppress(street, alarm)
        assert street.open() == {"cabinet-outage": ["CB-1"], "lamp-out": ["SL-A0"]}
        with pytest.raises(Conflict, match="'unsuppress' is not possible"):
            _unsuppress(street, alarm)


def test_what_was_applied_is_not_folded_again() -> None:
    with Street() as street:
        said = [
            street.transition(rule, name, raised, street.now, street.now)
            for rule, name, raised in [*DARK, OUT]
        ]
        street.hear(*said)
        before = street.alarms(), street.cases()
        street.restart()
        assert street.hear(*said) == []
        assert (street.alarms(), street.cases()) == before


def test_without_tables_nothing_explains_anything() -> None:
    with Street(correlation=correlate.Correlation()) as street:
        street.together(OUT, *DARK)
        assert {alarm.state for alarm in street.alarms()} == {"active"}
        assert sorted(street.open()) == ["cabinet-outage", "lamp-out"]


def _unsuppress(street: Street, alarm: Alarm) -> None:
    with street.transaction() as conn:
        street.desk.unsuppress(conn, alarm.id, "token:wu", street.now)
