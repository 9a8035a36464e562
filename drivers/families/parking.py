"""Parking: the sensor of one bay. The order of points and alarms is stored in history: append only."""

from __future__ import annotations

from drivers.families import every
from drivers.telemetry import HOUR, Alarm, Command, Family, Point

FAMILY = Family(
    name="parking",
    en="parking sensor",
    zh="停车地磁",
    interval=HOUR,
    points=(
        Point.enum("occupied", "vacant", "occupied", en="bay", zh="车位状态"),
        Point("duration", "s", 0, 31_622_400, 1, en="time in the present state", zh="当前状态持续时长"),
        Point.enum("forbidden", "no", "yes", en="vehicle stands where it may not", zh="违停标志"),
        Point("parkings", "", 0, 1e9, 1, en="parkings counted", zh="累计停车次数"),
        Point("magnetic", "uT", 0, 5_000, 0.1, en="magnetic deviation from the empty bay", zh="磁场偏差"),
        Point("temperature", "degC", -50, 100, 0.1, en="temperature", zh="温度"),
        every.battery(),
        every.battery_voltage(),
        every.rssi(),
    ),
    alarms=(  # TALQ 2.7.1 Parking, Battery; occupancyStuck, sensorFault ours
        Alarm("overstayDetected", "vehicle stays too long", "超时停车"),
        Alarm("forbiddenParkingDetected", "vehicle stands where it may not", "违章停车"),
        Alarm("occupancyStuck", "state has not changed for too long", "车位状态长期不变"),
        Alarm("sensorFault", "sensor reports a fault", "传感器故障"),
        Alarm("highTemperature", "sensor is too hot", "传感器过热"),
        every.BATTERY,
        every.SILENT,
        every.LOST,
        every.RESET,
        every.NORMAL,
        every.CLONED,
        every.JUMP,
        every.CLOCK,
        every.FLAT,
        every.RESTORED,
    ),
    commands=(
        Command("calibrate", en="learn the empty bay anew", zh="空位重新标定"),
        every.report_interval(60, 86_400),
        every.RESTART,
    ),
)
