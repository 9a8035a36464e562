"""Streetlight entity of FIWARE's smart data models in its key-values form, as an NGSI platform publishes it."""

from __future__ import annotations

from drivers.json_map import JsonMap, PointMap, TimeMap, WordMap
from drivers.products.product import Product

PRODUCTS = (
    Product(
        id="fiware-streetlight",
        maker="FIWARE",
        model="Streetlight (key-values)",
        family="streetlight",
        source="smart-data-models/dataModel.Streetlighting, Streetlight/schema.json and examples/example.json",
        telemetry=JsonMap(
            device="id",
            time=TimeMap("observationDateTime", "iso8601"),
            points=(
                PointMap(
                    "switch", "powerState", words={"off": "off", "on": "on", "low": "on", "bootingUp": "on"}
                ),
                PointMap("dimming", "illuminanceLevel", scale=100),
                PointMap("power", "powerConsumption"),
                PointMap("voltage", "voltage"),
                PointMap("current", "current"),
                PointMap("power_factor", "powerFactor"),
            ),
            event=WordMap(
                {
                    "ok": "normal",
                    "defectiveLamp": "lampFailure",
                    "columnIssue": "columnDamaged",
                    "brokenLantern": "lanternBroken",
                },
                "status",
            ),
        ),
    ),
)
