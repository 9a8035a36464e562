"""Every published frame says what its makers' tests say of it, or is refused with the stated reason."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.city_json import Faults
from drivers.decode import Decoder, Limits
from drivers.lorawan.envelopes import SERVERS, Server
from drivers.products.product import Product
from drivers.refusal import Refused
from tests.drivers.decode.vectors import told
from tests.drivers.lorawan.frames import BINARY, LORAWAN, TIME, payload, published

PUBLISHED = published()
CASES = [
    pytest.param(product, vector, server, id=f"{product.id}/{name}/{server}")
    for product, name, vector in PUBLISHED
    for server in (SERVERS if product in LORAWAN else SERVERS[:1])
]


@pytest.mark.parametrize(("product", "vector", "server"), CASES)
def test_a_published_frame_says_what_stands_beside_it(
    product: Product, vector: dict[str, Any], server: Server
) -> None:
    decoded = Decoder(product, "telemetry").decode([payload(product, vector, server)], [7], [1])
    rows = told(decoded)
    expected = dict(vector["values"])
    if product in LORAWAN and (expected or "event" in vector):
        expected["rssi"] = -57
    if rows:
        assert rows[0]["values"] == pytest.approx(expected)
        assert rows[0].get("event") == vector.get("event")
        assert rows[0]["time"] == (TIME if product in LORAWAN else None)
    else:
        assert expected.keys() <= {"rssi"}
    assert [(one.reason, one.whole) for one in decoded.refusals] == [
        tuple(one[:2]) for one in vector["refusals"]
    ]
    for refusal, (_, _, words) in zip(decoded.refusals, vector["refusals"], strict=True):
        assert words in refusal.detail


@pytest.mark.parametrize(
    ("product", "vector"),
    [pytest.param(one, vector, id=f"{one.id}/{name}") for one, name, vector in PUBLISHED],
)
def test_what_is_no_point_is_told_besides(product: Product, vector: dict[str, Any]) -> None:
    assert product.codec is not None
    try:
        reading = product.codec.readings(payload(product, vector), Limits(), Faults())[0]
    except Refused:
        assert vector["refusals"]
    else:
        found = {name: reading.facts.get(name) for name in vector["facts"]}
        for name, value in vector["facts"].items():
            expected = pytest.approx(value) if isinstance(value, int | float) else value
            assert found[name] == expected or str(value) == found[name], name


@pytest.mark.parametrize("product", BINARY, ids=lambda one: one.id)
def test_every_product_has_a_published_frame_and_no_refusal_in_one(product: Product) -> None:
    mine = [vector for one, _, vector in PUBLISHED if one is product]
    assert any(not vector["refusals"] and "made up" not in vector["origin"] for vector in mine)
