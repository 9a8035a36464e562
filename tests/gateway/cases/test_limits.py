"""What a limit's end does before, at and after it; and what makes its clock stand still, go longer or be reckoned anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from typing import Any

import pytest

from drivers.telemetry import DAY, HOUR, MINUTE
from gateway.cases.calendar import MondayToFriday
from gateway.cases.deadline import HOURS, WorkClock
from gateway.cases.settings import DeskSettings, Escalation
from gateway.cases.template import parse, shipped
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
    assert asked(city)[2:] == [
        ("case.overdue", "dispatcher"),
        ("case.escalated", "supervisor"),
        ("case.escalated", "director"),
    ]
    assert city.case("kitchen-fume").alert is None


def asked(city: City) -> list[tuple[str, str]]:
    """What was said of the first case, and whose attention it asked for."""
    return [(message.event, message.to) for message in city.told if message.subject == "case:1"]


def test_a_case_that_nobody_dispatches_is_pointed_out_and_escalated(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.act(case, "return", "not our cover")
    assert city.at("Mon 12:00").timeline(case)[-3:] == [
        "Mon 09:15 undispatched by gateway",
        "Mon 09:22:30 escalated by gateway",
        "Mon 09:30 escalated by gateway",
    ]
    assert asked(city)[-3:] == [
        ("case.undispatched", "dispatcher"),
        ("case.escalated", "supervisor"),
        ("case.escalated", "director"),
    ]
    assert city.told[-1].payload["to"] == "director"


def test_several_are_told_at_the_same_share() -> None:
    two = (Escalation(at=1, to="dispatcher"), Escalation(at=1, to="district"))
    with City(DeskSettings(escalation=two, warnings=())) as city:
        city.at("Mon 09:00").raises("tilt", "MH-0042").at("Mon 23:00")
        assert asked(city)[2:] == [("case.overdue", "dispatcher"), ("case.overdue", "district")]


def test_a_step_that_no_calendar_reaches_is_never_said() -> None:
    never = DeskSettings(escalation=(Escalation(at=100, to="mayor"),), hours=((time(9), time(9, 10)),))
    with City(never) as city:
        city.at("Mon 09:00").raises("dust", "DU-1").at("Mon+3 09:00")
        assert city.case("site-dust").overdue is not None
        city.raises("lamp", "LP-3")
        case = city.case("lamp-out")
        city.now = case.deadline or 0
        with city.transaction() as conn:
            city.desk.tick(conn, city.now)
        assert (city.case("lamp-out").reminded, city.case("lamp-out").alert) == (1, None)


LATER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [  # device, [desk], its template
    ("LP-3", {"free": (date(2025, 3, 4),)}, {}),
    ("LP-3", {"warnings": (0.75,)}, {}),
    ("LP-3", {"warnings": (), "escalation": ()}, {}),
    ("LP-3", {"warnings": (0.1, 0.5, 0.9), "escalation": ({"at": 3, "to": "mayor"},)}, {}),
    ("LP-3", {"hours": ((time(9), time(10)),)}, {}),
    ("LP-3", {"zone": "Europe/Berlin"}, {}),
    ("MH-0042", {}, {"id": "cover-danger", "limit": {"amount": 4, "unit": "work_hour"}}),
    (
        "MH-0042",
        {"dispatch_within": 0},
        {"id": "cover-danger", "limit": {"amount": 1, "unit": "natural_day"}},
    ),
]


@pytest.mark.parametrize("reckoned", [True, False], ids=["reloaded", "in between"])
@pytest.mark.parametrize(("device", "desk", "template"), LATER)
def test_settings_change_while_a_case_is_open(
    device: str, desk: dict[str, Any], template: dict[str, Any], reckoned: bool
) -> None:
    with City() as city:
        city.at("Mon 09:00").raises("lamp" if device == "LP-3" else "tilt", device)
        due = city.at("Mon 09:30").cases()[0].alert
        templates = parse([template], shipped()) if template else None
        city.reset(DeskSettings.model_validate(desk), templates)
        if reckoned:
            city.reckon()
        city.now = due or 0
        with city.transaction() as conn:  # what was due by the old settings
            city.desk.tick(conn, city.now)
        (case,) = city.cases()
        assert case.alert is not None
        assert case.alert > city.now
        city.reckon()
        assert city.reckon() == [], "all is as it should be"
        (case,) = city.at("Mon+3 18:00").cases()
        assert city.events("case").count("case.overdue") == 1
        assert case.overdue == case.deadline


def test_a_day_that_turns_out_to_be_free_moves_the_deadline_and_what_is_ahead_again_is_said_again() -> None:
    with City() as city:
        case = city.at("Mon 09:00").raises("lamp", "LP-3").at("Tue 09:00").case("lamp-out")
        assert (show(case.deadline), case.reminded) == ("Wed 09:00", 0.5)
        city.reset(DeskSettings(free=(date(2025, 3, 3),)))
        assert [change.event for change in city.reckon()] == ["reckoned"]
        case = city.case("lamp-out")
        assert (show(case.deadline), case.reminded, show(case.alert)) == ("Wed 18:00", 0, "Tue 18:00")
        city.at("Wed 18:00")
        assert [line.split(" by")[0] for line in city.timeline(case) if "due_soon" in line] == [
            "Tue 09:00 due_soon",
            "Tue 18:00 due_soon",
            "Wed 14:48 due_soon",
        ]


def test_a_case_keeps_the_limit_it_was_dispatched_with(city: City) -> None:
    case = city.at("Mon 23:00").raises("tilt", "MH-0042").case("cover-danger")
    city.reset(
        DeskSettings(),
        parse([{"id": "cover-danger", "limit": {"amount": 4, "unit": "work_hour"}}], shipped()),
    )
    assert city.reckon() == []
    city.at("Mon 23:30").act(case, "suspend", "the street is flooded")
    city.at("Tue 00:00").act(case, "resume")
    assert show(city.case("cover-danger").deadline) == "Tue 01:30"
    city.act(case, "return", "not our cover")
    city.act(case, "dispatch", crew="telecom")
    assert show(city.case("cover-danger").deadline) == "Tue 12:00"


def test_a_limit_that_has_run_out_stays_so_when_its_clock_starts_again(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.at("Mon 15:30").act(case, "suspend", "waits for a new fan")
    suspended = city.case("kitchen-fume")
    assert (show(suspended.deadline), suspended.time_left) == ("Mon 15:00", -30 * MINUTE)
    city.at("Thu 08:00").act(case, "resume")
    resumed = city.case("kitchen-fume")
    assert (show(resumed.deadline), show(resumed.overdue)) == ("Mon 15:00", "Mon 15:00")
    city.at("Fri 18:00")
    assert [line for line in city.timeline(case) if "escalated" in line] == [
        "Thu 09:30 escalated by gateway",  # two hours beyond the limit, half an hour of them on Monday
        "Thu 11:30 escalated by gateway",
    ]
    assert city.events("case").count("case.overdue") == 1


def test_an_overdue_case_that_stands_still_is_not_escalated_for_it(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")  # two hours, day and night
    city.at("Mon 11:30").act(case, "suspend", "the street is flooded")
    city.at("Thu 09:00").act(case, "resume")
    city.at("Thu 10:00").act(case, "suspend", "again")
    city.at("Fri 09:00").act(case, "resume")
    city.at("Sat 00:00")
    assert [line for line in city.timeline(case) if "escalated" in line] == [
        "Thu 09:30 escalated by gateway",
        "Fri 09:30 escalated by gateway",
    ]


def test_a_repair_reported_late_is_late_even_where_nobody_had_said_so(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.now = moment("Mon 16:30")  # the gateway was away
    with pytest.raises(Conflict, match="overdue case cannot be extended"):
        city.act(case, "extend", "the part comes at noon", extra=2)
    city.act(case, "repaired")
    assert show(city.case("kitchen-fume").overdue) == "Mon 15:00"


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
            assert [change.event for change in city.desk.reckon(conn, city.now)] == ["reckoned"]
        case = city.case("lamp-out")
        assert (case.provisional, case.deadline) == (False, moment("Mon 17:00") + 44 * 7 * DAY)


def test_what_an_extension_puts_ahead_again_is_said_again(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.at("Mon 14:30").act(case, "extend", "the part comes tomorrow", extra=6)  # 3.5 of 10 hours have run
    city.at("Tue 18:00")
    assert [line.split(" by")[0] for line in city.timeline(case) if "due_soon" in line] == [
        "Mon 11:00 due_soon",
        "Mon 14:12 due_soon",
        "Mon 16:00 due_soon",
        "Tue 09:00 due_soon",
    ]
