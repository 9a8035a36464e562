"""Construction-site dust station over HJ 212 (ST=39, some 22). Its concentrations are in µg/m3, whatever Annex B prints."""

from __future__ import annotations

from drivers.hj212.profile import Factor, StationMap
from drivers.products.product import Product
from drivers.telemetry import MINUTE

PRODUCTS = (
    Product(
        id="hj212-dust",
        maker="any",
        model="dust station, HJ 212-2017, 2005 and 2025",
        family="dust",
        transport="hj212",
        interval=MINUTE,
        source="HJ 212-2017 Annex B; frames of ST=39 stations in public code; unit: most stations send ug/m3;"
        " that SB1 is the spray is assumed",
        hj212=StationMap(
            factors=(
                Factor("pm10", ("a34002",), plausible=(2, 3_000)),
                Factor("pm25", ("a34004",), plausible=(1, 2_000)),
                Factor("tsp", ("a34001",), plausible=(3, 5_000)),
                Factor("noise", ("LA", "Leq", "B03", "a50001"), plausible=(20, 130)),
                Factor("temperature", ("a01001",)),
                Factor("humidity", ("a01002",)),
                Factor("pressure", ("a01006",)),
                Factor("wind_speed", ("a01007",)),
                Factor("wind_direction", ("a01008",)),
                Factor("spray", ("SB1-RS",), state=True),
            ),
            unused=frozenset(
                (
                    "a34005",
                    "a34011",
                    "l01001",
                    "l01002",
                    "L5",
                    "L10",
                    "L50",
                    "L90",
                    "L95",
                    "LMx",
                    "LMn",
                    "Ld",
                    "Ln",
                )
            ),
            doubt="stationFault",
            commands=frozenset(("reportInterval",)),
        ),
    ),
)
