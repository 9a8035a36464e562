"""Manhole cover sensor whose JSON is printed in product articles; low authority, so a pattern to copy more than a product."""

from __future__ import annotations

from drivers.json_map import JsonMap, PointMap, TimeMap, WordMap
from drivers.products.product import Product

PRODUCTS = (
    Product(
        id="article-manhole-tilt",
        maker="unnamed",
        model="tilt sensor of product articles",
        family="manhole",
        source="domain C.2: product articles; that ts is in ms and that the other status is normal is assumed",
        telemetry=JsonMap(
            device="device_id",
            time=TimeMap("ts", "ms"),
            points=(PointMap("tilt", "tilt"), PointMap("battery", "battery")),
            event=WordMap({"abnormal": "coverAbnormal", "normal": "normal"}, "status"),
        ),
    ),
)
