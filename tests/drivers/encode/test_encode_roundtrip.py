"""What is encoded decodes to the same columns, over the whole catalogue (style 5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.decode import Decoder
from drivers.encode import encode
from drivers.families import FAMILIES
from drivers.products import catalog
from drivers.products.product import Product
from drivers.shape import IMPLIED, QUALITIES
from drivers.telemetry import Point
from tests.drivers.decode.vectors import told

PRODUCTS = list(catalog().values())
LAST = 253_402_300_799_999


def quantity(product: Product, point: Point) -> st.SearchStrategy[float]:
    if product.telemetry is not None:
        rule = next(one for one in product.telemetry.points if one.point == point.name)
        if rule.words:
            meanings = [one for one in rule.words.values() if isinstance(one, str)]
            return st.sampled_from([float(point.labels.index(one)) for one in meanings])
    if point.labels:
        return st.integers(0, len(point.labels) - 1).map(float)
    return st.floats(point.low, point.high)


READABLE = [one for one in PRODUCTS if one.codec is None]  # those of bytes: tests/drivers/lorawan


def names(product: Product) -> list[str]:
    if product.telemetry is not None:
        return [one.point for one in product.telemetry.points]
    return [point.name for point in FAMILIES[product.family].points if point.name not in IMPLIED]


@st.composite
def readings(draw: st.DrawFn) -> tuple[Product, dict[str, Any]]:
    product = draw(st.sampled_from(READABLE))
    family = FAMILIES[product.family]
    chosen = draw(st.lists(st.sampled_from(names(product)), min_size=1, unique=True))
    values = {name: draw(quantity(product, family.points[family.index[name]])) for name in chosen}
    reading: dict[str, Any] = {"time": draw(st.none() | st.integers(0, LAST)), "values": values}
    if product.telemetry is None:
        reading["quality"] = draw(
            st.dictionaries(st.sampled_from(chosen), st.sampled_from(sorted(QUALITIES)))
        )
        reading["historical"] = draw(st.booleans())
    elif product.telemetry.event is not None:
        reading["event"] = draw(
            st.none() | st.sampled_from(sorted(set(product.telemetry.event.words.values())))
        )
    return product, reading


@settings(max_examples=200, deadline=None)
@given(readings())
def test_telemetry_comes_back_as_it_was(pair: tuple[Product, dict[str, Any]]) -> None:
    product, reading = pair
    time = None if reading["time"] is None else reading["time"] * 1000
    payload = encode(
        product,
        "telemetry",
        time,
        reading["values"],
        reading.get("quality", {}),
        reading.get("event"),
        historical=reading.get("historical", False),
    )
    decoded = Decoder(product, "telemetry").decode([payload], [0], [0])
    assert decoded.refusals == []
    row = told(decoded)[0]
    assert row["time"] == time
    assert row["values"] == pytest.approx(reading["values"], rel=1e-12, abs=1e-12)
    assert row.get("event") == reading.get("event")
    grades = {name: word for name, word in reading.get("quality", {}).items() if word != "good"}
    assert row.get("quality", {}) == grades
    assert row.get("historical", False) is reading.get("historical", False)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.id)
def test_status_comes_back_for_every_product(product: Product) -> None:
    for state in (0.0, 1.0):
        payload = encode(product, "status", 5_000, {"online": state})
        assert told(Decoder(product, "status").decode([payload], [0], [0])) == [
            {"time": 5_000, "values": {"online": state}}
        ]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_event_of_a_family_comes_back(family: str) -> None:
    product = catalog()[f"generic-{family}"]
    for alarm in FAMILIES[family].alarms:
        payload = encode(product, "event", None, {}, event=alarm.name)
        assert told(Decoder(product, "event").decode([payload], [0], [0]))[0]["event"] == alarm.name


@pytest.mark.parametrize(
    ("values", "quality", "event", "words"),
    [
        ({"h2s": 1.0}, {}, None, "no point h2s"),
        ({"tilt": 1.0}, {}, "overfull", "no word means overfull"),
        ({"tilt": 1.0}, {"tilt": "fault"}, None, "no quality"),
    ],
)
def test_what_a_mapping_cannot_say_is_a_fault_of_the_caller(
    values: dict[str, float], quality: dict[str, str], event: str | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        encode(catalog()["article-manhole-tilt"], "telemetry", None, values, quality, event)
