from __future__ import annotations

import numpy as np
import pytest

from drivers.dialogue import Order
from drivers.telemetry import HOUR, MINUTE
from simulators.faults import Faults
from simulators.orders import ALONE, HOLDS, Orders
from simulators.scene import Scene
from tests.simulators.evening import START, city

CITY = city()
SOON = (START + MINUTE) // 1_000


def spoken(orders: Orders, family: str, when: int) -> dict[str, float]:
    scene = Scene(CITY, Faults(CITY), orders)
    columns, _ = scene.columns(family, np.array([3], np.int32), np.array([when]))
    return {point: float(column[0]) for point, column in columns.items()}


def test_a_lamp_dims_and_says_so() -> None:
    orders = Orders(CITY)
    assert spoken(orders, "streetlight", START)["power"] < 1
    reply = orders.obey("streetlight", 3, Order("c1", "dim", {"level": 40}, SOON), START)
    assert (reply.id, reply.result, reply.v) == ("c1", "applied", {"switch": 1.0, "dimming": 40})
    found = spoken(orders, "streetlight", START + 1)
    rated = CITY.cohorts["streetlight"].attributes["rated_power"][3]
    assert (found["switch"], found["dimming"]) == (1, 40)
    assert found["power"] == pytest.approx(rated * (0.06 + 0.94 * 0.4), rel=0.02)
    assert spoken(orders, "streetlight", START + HOLDS + HOUR) == spoken(
        Orders(CITY), "streetlight", START + HOLDS + HOUR
    )


def test_a_lamp_is_switched_off_and_on() -> None:
    orders = Orders(CITY)
    orders.obey(
        "streetlight", 3, Order("c1", "switch", {"state": 0}, (START + 9 * HOUR) // 1_000), START + 4 * HOUR
    )
    assert spoken(orders, "streetlight", START + 5 * HOUR)["power"] < 1
    orders.obey(
        "streetlight", 3, Order("c2", "switch", {"state": 1}, (START + 9 * HOUR) // 1_000), START + 5 * HOUR
    )
    assert spoken(orders, "streetlight", START + 5 * HOUR)["dimming"] == 100


def test_a_spray_runs_as_long_as_it_was_told() -> None:
    orders = Orders(CITY)
    orders.obey("dust", 3, Order("c1", "spray", {"state": 1, "duration": 600}, SOON), START)
    assert spoken(orders, "dust", START + 9 * MINUTE)["spray"] == 1
    assert spoken(orders, "dust", START + 3 * HOUR)["spray"] == 0


def test_a_contactor_opens_and_its_lamps_current_stops() -> None:
    orders, night = Orders(CITY), START + 4 * HOUR
    orders.obey("cabinet", 3, Order("c1", "contactor", {"state": 0}, night // 1_000 + 1), night)
    found = spoken(orders, "cabinet", night)
    assert (found["contactor"], found["contactor_feedback"]) == (0, 0)
    assert found["current_a"] < 1
    assert found["current_b"] == found["current_c"] == 0
    assert found["power"] < 100


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (Order("c", "dim", {"level": 40}, START // 1_000), "expired"),
        (Order("c", "dance", {}, SOON), "a streetlight has no command dance"),
        (Order("c", "dim", {"level": 140}, SOON), "level is 140, not 0 to 100"),
        (Order("c", "dim", {}, SOON), "level is None, not 0 to 100"),
    ],
)
def test_what_cannot_be_done_is_answered_with_why(order: Order, error: str) -> None:
    orders = Orders(CITY)
    reply = orders.obey("streetlight", 3, order, START)
    assert (reply.result, reply.error) == ("failed", error)
    assert spoken(orders, "streetlight", START) == spoken(Orders(CITY), "streetlight", START)


def test_what_changes_nothing_is_applied_all_the_same() -> None:
    reply = Orders(CITY).obey("manhole", 1, Order("c", "restart", {}, SOON), START)
    assert (reply.result, reply.v) == ("applied", {})


def test_a_lamp_cut_off_from_the_gateway_goes_on_at_dusk_by_itself() -> None:
    orders, night = Orders(CITY), START + 4 * HOUR
    off = Order("c1", "switch", {"state": 0}, (START + MINUTE) // 1_000)
    orders.obey("streetlight", 3, off, START)
    assert spoken(orders, "streetlight", night)["switch"] == 0, "it obeys as long as it hears the gateway"
    orders.cut_off("streetlight", 3, START + HOUR)
    assert spoken(orders, "streetlight", START + HOUR + MINUTE)["switch"] == 0
    found = spoken(orders, "streetlight", night)
    assert (found["switch"], found["dimming"]) == (1, 100)
    assert found["power"] > 0.8 * CITY.cohorts["streetlight"].attributes["rated_power"][3]


def test_a_short_break_changes_nothing_and_a_long_one_ends_what_a_lamp_was_told() -> None:
    orders, night = Orders(CITY), START + 4 * HOUR
    orders.obey("streetlight", 3, Order("c1", "switch", {"state": 0}, SOON), START)
    orders.cut_off("streetlight", 3, START + HOUR)
    orders.rejoined("streetlight", 3, START + HOUR + ALONE - 1)
    assert spoken(orders, "streetlight", night)["switch"] == 0
    orders.cut_off("streetlight", 3, START + 2 * HOUR)
    orders.rejoined("streetlight", 3, START + 2 * HOUR + ALONE)
    assert spoken(orders, "streetlight", night)["switch"] == 1


def test_the_same_command_twice_is_done_once() -> None:
    orders = Orders(CITY)
    order = Order("c1", "spray", {"state": 1, "duration": 600}, SOON)
    first = orders.obey("dust", 3, order, START)
    assert orders.obey("dust", 3, order, START + 30_000_000) == first
    assert spoken(orders, "dust", START + 10 * MINUTE)["spray"] == 0, "its ten minutes ran from the first"
