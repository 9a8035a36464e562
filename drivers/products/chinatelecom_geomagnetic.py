"""Geomagnetic parking sensor (maker WXHS, model P_MD) as the China Telecom AEP platform forwards it."""

from __future__ import annotations

from drivers.json_map import JsonMap, PointMap, TimeMap
from drivers.products.product import Product

PRODUCTS = (
    Product(
        id="chinatelecom-geomagnetic",
        maker="WXHS",
        model="P_MD",
        family="parking",
        transport="http",
        source="AEP dataReport envelope recorded in unisoftcn/user-api, forms/mag_notify.go",
        telemetry=JsonMap(
            device="deviceId",
            time=TimeMap("payload.ptime", "ms"),
            points=(
                PointMap("occupied", "payload.parking_state", words={"0": "vacant", "1": "occupied"}),
                PointMap("parkings", "payload.Park_cnt"),
                PointMap("battery_voltage", "payload.battery_voltage"),
                PointMap("rssi", "payload.Signal_Power"),
            ),
        ),
    ),
)
