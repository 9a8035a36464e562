from __future__ import annotations

import pytest

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from rules.attributes import ATTRIBUTES
from rules.units import PLAIN, duration, parse_unit, spell


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ug/m3", "mg/m3"),
        ("V", "kV"),
        ("h", "s"),
        ("kWh", "Wh"),
        ("cm", "km"),
        ("µg/m³", "ug/m3"),
        ("°", "deg"),
    ],
)
def test_units_of_one_quantity_match(one: str, other: str) -> None:
    assert parse_unit(one).matches(parse_unit(other))


@pytest.mark.parametrize(
    ("one", "other"), [("deg", "degC"), ("%", ""), ("dB", "dBm"), ("W", "V"), ("m", "min")]
)
def test_units_of_different_quantities_do_not(one: str, other: str) -> None:
    assert not parse_unit(one).matches(parse_unit(other))


def test_products_and_quotients_keep_account() -> None:
    volt, ampere, watt, hour = (parse_unit(text) for text in ("V", "A", "W", "h"))
    assert volt.times(ampere).matches(watt)
    assert watt.over(volt).matches(ampere)
    assert watt.times(hour).matches(parse_unit("kWh"))
    assert watt.over(watt) == PLAIN
    assert parse_unit("kWh").factor == 3.6e6


def test_a_unit_of_a_family_that_the_table_lacks_stands_for_itself() -> None:
    assert parse_unit("%LEL", frozenset({"%LEL"})).matches(parse_unit("%LEL", frozenset({"%LEL"})))
    with pytest.raises(ValueError, match="unknown unit '%LEL'"):
        parse_unit("%LEL")


def test_every_unit_of_the_families_and_attributes_can_be_written() -> None:
    for family in FAMILIES.values():
        for point in family.points:
            parse_unit(point.unit, frozenset({point.unit}))
    for attribute in ATTRIBUTES.values():
        parse_unit(attribute.unit)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", 90 * SECOND),
        ("15m", 15 * MINUTE),
        ("15 min", 15 * MINUTE),
        ("26h", 26 * HOUR),
        ("2d", 2 * DAY),
        ("1.5h", 90 * MINUTE),
    ],
)
def test_durations(text: str, span: int) -> None:
    assert duration(text) == span
    assert duration(spell(span)) == span


@pytest.mark.parametrize("text", ["", "5", "m", "5 metres", "-5m", "400d", "5m5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        duration(text)
