"""Kitchen-fume monitor over HJ 212. The standard has no system type of its own for it: 31 is met in the field, 51 in lists."""

from __future__ import annotations

from drivers.hj212.profile import Factor, StationMap
from drivers.products.product import Product
from drivers.telemetry import MINUTE

PRODUCTS = (
    Product(
        id="hj212-fume",
        maker="any",
        model="kitchen-fume monitor, HJ 212-2017",
        family="fume",
        transport="hj212",
        interval=MINUTE,
        source="HJ 212-2017 Annex B; fume frames in public code, where a34041 is fume; that SB7 is the purifier and"
        " SB8 the fan is assumed: the order is not documented",
        hj212=StationMap(
            factors=(
                Factor("fume", ("a34041",), plausible=(0.001, 50)),
                Factor("particulate", ("a34000", "a34013"), plausible=(0.001, 200)),
                Factor("nmhc", ("a24088",), plausible=(0.001, 500)),
                Factor("temperature", ("a01012", "a01001")),
                Factor("humidity", ("a01014", "a01002")),
                Factor("flow", ("a00000", "B02")),
                Factor("purifier", ("SB7-RS",), state=True),
                Factor("fan", ("SB8-RS",), state=True),
            ),
            unused=frozenset(("a01011", "a01013", "a24087", "ele01", "ele02")),
            doubt="sensorFault",
            commands=frozenset(("reportInterval", "calibrate")),
            subject="a34041",
        ),
    ),
)
