"""What a limit's end does before, at and after it; and what makes its clock stand still, go longer or be reckoned anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from drivers.telemetry import DAY, HOUR
from gateway.cases.calendar import MondayToFriday
from gateway.cases.deadline import HOURS, WorkClock
from gateway.errors import Conflict, Invalid
from tests.gateway.cases.city import City, moment, show


@pytest.fixture
def city() -> Iterator[City]:
    with City() as city:
        yield city


def test_a_limit_is_warned_of_and_its_end_escalates_twice(city: City) -> None:
    city.at("Mon 09:00").raises("fume", "FU-1").at("Tue 18:00")  # 4 working hours
    case = city.case("kitchen-fume")
    assert [line for line in city.timeline(case) if "gateway" in line] == [
        "Mon 09:00 dispatch by gateway",
        "Mon 11:00 due_soon by gateway",
        "Mon 14:12 due_soon by gateway",
        "Mon 15:00 overdue by gateway",
        "Mon 17:00 escalated by gateway",
        "Tue 09:00 escalated by gateway",
    ]
    notes = {message.event: message.payload["note"] for message in city.told if message.subject == "case:1"}
    assert (notes["case.overdue"], notes["case.escalated"]) == ("dispatcher", "director")


def test_what_was_not_said_in_time_is_said_once(city: City) -> None:
    city.at("Mon 09:00").raises("fume", "FU-1")
    city.now = moment("Wed 09:00")  # the gateway was away
    with city.transaction() as conn:
        city.desk.tick(conn, city.now)
    told = [message.event for message in city.told if message.subject == "case:1"]
    assert told[-2:] == ["case.overdue", "case.escalated"]
    assert told.count("case.due_soon") == 0
    assert city.case("kitchen-fume").alert is None


def test_a_case_that_nobody_dispatches_is_pointed_out(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.act(case, "return", "not our cover")
    assert city.at("Mon 12:00").timeline(case)[-1] == "Mon 09:15 undispatched by gateway"
    assert city.events("case").count("case.undispatched") == 1


def test_the_clock_of_a_suspended_case_stands_still(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    with pytest.raises(Invalid, match="needs a reason"):
        city.act(case, "suspend")
    city.at("Mon 10:00").act(case, "suspend", "waits for a new fan")
    suspended = city.case("kitchen-fume")
    assert (suspended.state, suspended.deadline, suspended.time_left) == ("suspended", None, 3 * HOUR)
    city.at("Thu 08:00").act(case, "resume")
    assert show(city.case("kitchen-fume").deadline) == "Thu 11:00"
    assert "overdue" not in " ".join(city.timeline(case))


def test_a_limit_is_extended_before_it_runs_out_and_not_after(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.at("Mon 10:00").act(case, "extend", "the part comes at noon", extra=2)
    extended = city.case("kitchen-fume")
    assert (show(extended.deadline), extended.extended, extended.allowed) == ("Mon 17:00", 1, 6 * HOUR)
    city.at("Mon 17:00")
    with pytest.raises(Conflict, match="overdue case cannot be extended"):
        city.act(case, "extend", "more", extra=2)


def test_a_deadline_in_a_year_nobody_knows_is_provisional_and_reckoned_later() -> None:
    class Announced(MondayToFriday):
        years = frozenset({2025})

        def works(self, day: date) -> bool:
            return super().works(day) and not (self.knows(2026) and day == date(2026, 1, 1))

        def knows(self, year: int) -> bool:
            return year in self.years

    with City() as city:
        announced = Announced()
        city.desk.casework.clock = WorkClock("Asia/Shanghai", HOURS, announced)
        eve = moment("Wed 17:00") + 43 * 7 * DAY  # 2025-12-31
        city.now = eve
        city.raises("lamp", "LP-3")
        city.act(city.case("lamp-out"), "accept")
        case = city.case("lamp-out")
        assert (case.provisional, case.deadline) == (True, moment("Fri 17:00") + 43 * 7 * DAY)
        with city.transaction() as conn:
            assert city.desk.reckon(conn, city.now) == []
        announced.years = frozenset({2025, 2026})  # as a later release knows them
        city.desk.casework.clock = WorkClock("Asia/Shanghai", HOURS, announced)
        with city.transaction() as conn:
            assert [change.event for change in city.desk.reckon(conn, city.now)] == ["deadline_reckoned"]
        case = city.case("lamp-out")
        assert (case.provisional, case.deadline) == (False, moment("Mon 17:00") + 44 * 7 * DAY)
