"""A week's work, and what the indicators of it say: each number can be counted in the timeline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.telemetry import HOUR, MINUTE
from gateway.cases.evaluation import By, Indicators, evaluate
from tests.gateway.cases.city import City, moment

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
