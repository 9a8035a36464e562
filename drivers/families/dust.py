"""Dust: a construction-site station. The order of points and alarms is stored in history: append only."""

from __future__ import annotations

from drivers.families import every
from drivers.telemetry import MINUTE, Alarm, Command, Family, Point

FAMILY = Family(
    name="dust",
    en="construction-site dust monitor",
    zh="工地扬尘监测站",
    interval=MINUTE,
    points=(
        Point("pm10", "ug/m3", 0, 10_000, 0.1, en="PM10", zh="可吸入颗粒物PM10"),
        Point("pm25", "ug/m3", 0, 10_000, 0.1, en="PM2.5", zh="细颗粒物PM2.5"),
        Point("tsp", "ug/m3", 0, 30_000, 0.1, en="total suspended particulates", zh="总悬浮颗粒物"),
        Point("noise", "dB", 0, 150, 0.1, en="A-weighted noise", zh="噪声(A声级)"),
        Point("temperature", "degC", -50, 80, 0.1, en="air temperature", zh="气温"),
        Point("humidity", "%", 0, 100, 0.1, en="relative humidity", zh="相对湿度"),
        Point("pressure", "kPa", 50, 110, 0.01, en="air pressure", zh="气压"),
        Point("wind_speed", "m/s", 0, 75, 0.1, en="wind speed", zh="风速"),
        Point("wind_direction", "deg", 0, 360, 1, en="wind direction, where it comes from", zh="风向"),
        Point("rain", "mm", 0, 500, 0.1, en="rain of the last hour", zh="小时降水量"),
        Point.enum("spray", "off", "on", en="spray", zh="喷淋状态"),
        every.rssi(),
    ),
    alarms=(  # TALQ 2.7.1 Particulate matter, Noise; tsp…, stationFault ours
        Alarm("pm10TooHigh", "PM10 is too high", "PM10超标"),
        Alarm("pm2-5TooHigh", "PM2.5 is too high", "PM2.5超标"),
        Alarm("tspTooHigh", "total suspended particulates are too high", "TSP超标"),
        Alarm("noiseTooHigh", "noise is too high", "噪声超标"),
        Alarm("abnormalNoiseDetected", "noise peak at night", "夜间突发噪声"),
        Alarm("sprayFailure", "spray does not run although it should", "喷淋未启动"),
        Alarm("stationFault", "station gives too little valid data", "监测数据有效率不足"),
        Alarm("windTooStrong", "wind is too strong for dusty work", "大风停工"),
        every.SILENT,
        every.LOST,
        every.RESET,
        every.NORMAL,
        every.CLONED,
        every.FLAT,
        every.JUMP,
        every.CLOCK,
        every.RESTORED,
    ),
    commands=(
        Command(
            "spray",
            (
                Point.enum("state", "off", "on", en="state", zh="状态"),
                Point("duration", "s", 10, 7_200, 1, en="duration", zh="时长"),
            ),
            en="run or stop the spray",
            zh="启停喷淋",
        ),
        every.report_interval(10, 3_600),
        every.RESTART,
    ),
)
