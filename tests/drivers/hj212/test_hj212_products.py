"""Laws of every product that speaks HJ 212: its factors, commands and alarm are the family's, and no code stands twice."""

from __future__ import annotations

import pytest

from drivers.families import FAMILIES
from drivers.products import catalog
from drivers.products.product import Product
from drivers.shape import IMPLIED

STATIONS = [product for product in catalog().values() if product.hj212 is not None]


def test_dust_and_fume_are_there() -> None:
    assert {"hj212-dust", "hj212-fume"} <= {product.id for product in STATIONS}


@pytest.mark.parametrize("product", STATIONS, ids=lambda product: product.id)
def test_a_station_speaks_of_what_its_family_has(product: Product) -> None:
    profile, family = product.hj212, FAMILIES[product.family]
    assert profile is not None
    assert product.transport == "hj212"
    points = [factor.point for factor in profile.factors]
    assert set(points) <= {point.name for point in family.points} - set(IMPLIED)
    assert len(points) == len(set(points))
    codes = [code for factor in profile.factors for code in factor.codes]
    assert len(codes) == len(set(codes))
    assert not set(codes) & profile.unused
    assert profile.commands <= {command.name for command in family.commands}
    assert profile.doubt in {alarm.name for alarm in family.alarms}
    for factor in profile.factors:
        assert factor.state is bool(family.points[family.index[factor.point]].labels)
