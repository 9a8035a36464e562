"""A week's work, and what the indicators of it say: each number can be counted in the timeline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from drivers.telemetry import HOUR, MINUTE
from gateway.cases.evaluation import By, Indicators, evaluate
from gateway.store.schema.cases import case_event
from tests.gateway.cases.city import City, moment, show

pytestmark = pytest.mark.usefixtures("every_kind")


@pytest.fixture
def city(every_kind: str) -> Iterator[City]:  # noqa: ARG001 - it chooses the engine
    with City() as city:
        yield city


def week(
    city: City, by: By = By.ALL, since: str = "Mon 00:00", until: str = "Sun 23:59"
) -> dict[str, Indicators]:
    with city.engine.connect() as conn:
        return evaluate(conn, moment(since), moment(until), by)


def a_week(city: City) -> City:
    """Four covers' and kitchens' cases: in time, late and reworked, left open, false."""
    city.at("Mon 09:00").raises("tilt", "MH-0042")  # two hours, day and night
    in_time = city.case("cover-danger")
    city.at("Mon 10:00").clears("tilt", "MH-0042").act(in_time, "repaired")
    city.at("Tue 09:00").raises("fume", "FU-1")  # four working hours
    late = city.case("kitchen-fume")
    city.at("Tue 10:00").clears("fume", "FU-1").act(late, "repaired")
    city.at("Tue 10:30").raises("fume", "FU-1")
    city.at("Wed 10:00").clears("fume", "FU-1").act(late, "repaired")
    city.at("Wed 12:00").raises("dust", "DU-1")
    city.act(city.case("site-dust"), "void", "false alarm")
    city.at("Thu 09:00").raises("tilt", "MH-0043")
    return city


def test_a_week_is_counted(city: City) -> None:
    a_week(city).at("Sun 23:00")
    (total,) = week(city).values()
    assert (total.filed, total.void, total.due, total.handled) == (4, 1, 3, 2)
    assert (total.handled_on_time, total.closed, total.closed_on_time) == (1, 2, 1)
    assert (total.reworked, total.overdue_open, total.extended) == (1, 1, 0)
    assert total.handled_rate == pytest.approx(2 / 3)
    assert total.handled_on_time_rate == pytest.approx(1 / 3)
    assert total.mean_handling == pytest.approx((1 * HOUR + 25 * HOUR) / 2)


def test_what_is_open_is_carried_over_and_due_again(city: City) -> None:
    a_week(city).at("Sun 23:00")
    (rest,) = week(city, since="Fri 00:00").values()
    assert (rest.filed, rest.due, rest.handled, rest.overdue_open) == (0, 1, 0, 1)


def test_a_limit_that_ends_later_is_not_due_yet(city: City) -> None:
    a_week(city)
    city.now += 30 * MINUTE
    (total,) = week(city, since="Thu 00:00", until="Thu 10:00").values()
    assert (total.filed, total.due, total.handled_rate) == (1, 0, None)


def test_what_was_void_or_done_before_is_not_looked_at_again(city: City) -> None:
    city.at("Mon 09:00").raises("dust", "DU-1")
    city.at("Mon 12:00").raises("tilt", "MH-0042")
    city.at("Mon 12:30").clears("tilt", "MH-0042").act(city.case("cover-danger"), "repaired")
    city.at("Thu 09:00").act(city.case("site-dust"), "void", "false alarm")
    city.at("Thu 10:00").raises("fume", "FU-1")
    city.at("Sun 23:00")
    (before,) = week(city, until="Thu 00:00").values()
    assert (before.filed, before.void, before.closed) == (2, 0, 1), "as of Thursday"
    assert {name: one.filed for name, one in week(city, By.CREW, "Tue 00:00").items()} == {"environment": 1}


def test_suspended_cases_count_apart(city: City) -> None:
    city.at("Mon 09:00").raises("fume", "FU-1")
    city.act(city.case("kitchen-fume"), "suspend", "waits for a new fan")
    (total,) = week(city.at("Sat 00:00")).values()
    assert (total.suspended, total.due) == (1, 0)


def test_crews_families_areas_and_templates_are_told_apart(city: City) -> None:
    a_week(city).at("Sun 23:00")
    crews = {name: one.due for name, one in week(city, By.CREW).items()}
    assert crews == {"construction": 0, "drainage": 2, "environment": 1}
    assert week(city, By.FAMILY)["manhole"].handled_rate == pytest.approx(0.5)
    assert {name: one.filed for name, one in week(city, By.AREA).items()} == {"xuhui": 4}
    assert week(city, By.TEMPLATE)["kitchen-fume"].rework_rate == 1


def counts(one: Indicators) -> tuple[int, int, int, int, int]:
    return one.due, one.handled, one.handled_on_time, one.closed, one.overdue_open


def test_who_lets_a_limit_run_out_and_hands_it_back_was_late_whoever_repairs_it(city: City) -> None:
    city.at("Mon 09:00").raises("fume", "FU-1")  # until 15:00
    case = city.case("kitchen-fume")
    city.at("Mon 17:00").act(case, "return", "not our kitchen")
    assert counts(week(city, until="Mon 18:00")[""]) == (1, 0, 0, 0, 1)
    city.act(case, "dispatch", crew="hygiene")
    city.at("Tue 09:00").clears("fume", "FU-1").act(case, "repaired")
    crews = week(city.at("Wed 00:00"), By.CREW)
    assert counts(crews["environment"]) == (1, 0, 0, 0, 0)
    assert counts(crews["hygiene"]) == (1, 1, 1, 1, 0)
    assert (crews["hygiene"].filed, crews["environment"].filed) == (1, 0)


def test_who_hands_back_in_time_what_is_not_theirs_had_nothing_due(city: City) -> None:
    city.at("Mon 09:00").raises("fume", "FU-1")
    city.at("Mon 10:00").act(city.case("kitchen-fume"), "return", "not our kitchen")
    assert counts(week(city.at("Mon 18:00"), until="Mon 18:00")[""]) == (0, 0, 0, 0, 0)


def test_what_happens_later_does_not_change_the_report_of_a_week(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.at("Mon 16:00").clears("fume", "FU-1").act(case, "repaired")
    city.at("Wed 00:00")
    reports = {"Mon 12:00": (0, 0, 0, 0, 0), "Mon 15:30": (1, 0, 0, 0, 1), "Tue 12:00": (1, 1, 0, 1, 0)}
    for happens in ("relapses", "is extended", "is handed back", "is void"):
        for until, expected in reports.items():
            assert counts(week(city, until=until)[""]) == expected, f"after it {happens}"
        if happens == "relapses":
            city.at("Wed 09:00").raises("fume", "FU-1")
            assert city.case_of(case).reopened == 1
        elif happens == "is extended":
            city.at("Wed 10:00").act(case, "extend", "the part comes", extra=20)
        elif happens == "is handed back":
            city.at("Wed 11:00").act(case, "return", "not our kitchen")
            city.at("Wed 12:00").act(case, "dispatch", crew="hygiene")


def test_a_week_that_ended_before_a_rework_says_what_was_so(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.at("Mon 14:50").clears("fume", "FU-1").act(case, "repaired")
    city.at("Mon 15:30").raises("fume", "FU-1")  # ten minutes were left
    assert show(city.case_of(case).deadline) == "Mon 15:40"
    city.at("Tue 09:00")
    assert counts(week(city, until="Mon 15:20")[""]) == (1, 1, 1, 0, 0)
    assert counts(week(city, until="Mon 15:35")[""]) == (0, 0, 0, 0, 0)
    assert counts(week(city, until="Tue 09:00")[""]) == (1, 0, 0, 0, 1)


def test_a_repair_that_beats_the_look_at_its_limit_is_late_all_the_same(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.now = moment("Mon 16:30")  # the gateway was away
    city.clears("fume", "FU-1").act(case, "repaired")
    assert counts(week(city.at("Tue 00:00"))[""]) == (1, 1, 0, 1, 0)


def test_a_case_that_is_suspended_later_was_not_so_before(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.at("Tue 09:00").act(case, "suspend", "waits for a new fan")
    before, after = (week(city, until=until)[""] for until in ("Tue 00:00", "Wed 00:00"))
    assert ((before.suspended, before.due), (after.suspended, after.due)) == ((0, 1), (1, 0))


def test_timelines_of_an_older_release_lack_the_deadline_and_the_row_has_it(city: City) -> None:
    a_week(city).at("Sun 23:00")
    with city.engine.begin() as conn:
        before = evaluate(conn, moment("Mon 00:00"), moment("Sun 23:59"), By.CREW)
        conn.execute(update(case_event).values(detail=None))
        assert evaluate(conn, moment("Mon 00:00"), moment("Sun 23:59"), By.CREW) == before
