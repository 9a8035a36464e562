"""A maker's own factor codes from the configuration: they decode as shipped ones do, or every fault is told."""

from __future__ import annotations

import tomllib
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.hj212.crc import Crc
from drivers.hj212.readings import StationDecoder
from drivers.products.product import DeclarationError, Product
from drivers.telemetry import Quality

SOUND = """
id = "our-station"
maker = "Acme"
model = "dust station"
family = "dust"
[hj212]
crc = "either"
minutes = 5
unused = ["a34005"]
commands = ["reportInterval"]
doubt = "stationFault"
[hj212.factors]
pm10 = "x001"
tsp = { code = "a34001", scale = 1000, plausible = [3, 5000] }
noise = { codes = ["LA", "Leq"] }
spray = { code = "SB1-RS", state = true }
"""


def declared(text: str = SOUND) -> Product:
    return Product.from_table(tomllib.loads(text))


def read(product: Product, items: str) -> tuple[dict[str, tuple[float, int]], list[str]]:
    payload = f"QN=20260922120000000;ST=39;CN=2011;PW=1;MN=M;Flag=5;CP=&&DataTime=20260922120000;{items}&&"
    decoded = StationDecoder(product, ZoneInfo("Asia/Shanghai")).decode([payload.encode()], [0], [0])
    batch = decoded.batch
    values = {
        name: (float(batch.values[place, 0]), int(batch.quality[place, 0]))
        for name, place in batch.family.index.items()
        if len(batch) and batch.quality[place, 0] != Quality.ABSENT
    }
    return values, [refusal.detail for refusal in decoded.refusals]


def test_a_maker_s_own_codes_become_points() -> None:
    product = declared()
    assert (product.transport, product.hj212 and product.hj212.crc) == ("hj212", Crc.EITHER)
    values, refused = read(
        product, "x001-Rtd=71.5,x001-Flag=N;a34001-Rtd=0.2,a34001-Flag=M;Leq-Rtd=58;SB1-RS=1;a34005-Rtd=3"
    )
    assert refused == []
    assert values == {
        "pm10": (71.5, Quality.GOOD),
        "tsp": (200.0, Quality.MAINTENANCE),
        "noise": (58.0, Quality.GOOD),
        "spray": (1.0, Quality.GOOD),
    }


def test_what_lies_beyond_plausible_is_uncertain_and_an_undeclared_code_is_told() -> None:
    values, refused = read(declared(), "a34001-Rtd=9;a34002-Rtd=70")
    assert values == {"tsp": (9_000.0, Quality.UNCERTAIN)}
    assert refused == ["factor a34002 has no point in this product"]


def test_every_fault_is_told_with_its_key() -> None:
    with pytest.raises(DeclarationError) as caught:
        declared(
            """
            id = "our-station"
            maker = "Acme"
            model = "dust station"
            family = "dust"
            [hj212]
            crc = "crc32"
            minutes = 7
            unused = ["LA", 3]
            commands = ["calibrate", "restart"]
            doubt = "broken"
            colour = "red"
            [hj212.factors]
            smell = "a1"
            pm10 = { code = "a34002-Rtd", scale = 0, plausible = [9, 2] }
            pm25 = {}
            noise = "LA"
            tsp = { code = "a1", codes = ["a2"] }
            """
        )
    for key in (
        "hj212.factors.smell is no point",
        "hj212.factors.pm10.code is 'a34002-Rtd'",
        "hj212.factors.pm10.scale is 0",
        "hj212.factors.pm10.plausible is no pair",
        "hj212.factors.pm25.code is missing",
        "hj212.factors.tsp.code and codes",
        "hj212.factors read LA twice",
        "hj212.unused holds",
        "hj212.crc is 'crc32'",
        "hj212.minutes is 7",
        "hj212.commands name restart",
        "hj212.doubt is 'broken'",
        "hj212.colour is unknown",
    ):
        assert any(line.startswith(key) for line in caught.value.faults), (key, caught.value.faults)


def shape(**more: Any) -> str:
    return SOUND + "".join(f"\n[{name}]\n{text}" for name, text in more.items())


def test_a_product_has_one_transport() -> None:
    with pytest.raises(DeclarationError, match="two transports"):
        declared(shape(modbus="[modbus.points]\nnoise = 1\n"))
