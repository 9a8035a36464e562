"""Fume: a kitchen's exhaust duct, its fan and purifier. The order of points and alarms is stored: append only."""

from __future__ import annotations

from drivers.families import every
from drivers.telemetry import MINUTE, Alarm, Command, Family, Point

FAMILY = Family(
    name="fume",
    en="kitchen-fume monitor",
    zh="餐饮油烟监测仪",
    interval=MINUTE,
    points=(
        Point("fume", "mg/m3", 0, 100, 0.01, en="cooking fume", zh="油烟浓度"),
        Point("particulate", "mg/m3", 0, 500, 0.01, en="particulate matter", zh="颗粒物浓度"),
        Point("nmhc", "mg/m3", 0, 1_000, 0.01, en="non-methane hydrocarbons", zh="非甲烷总烃"),
        Point("temperature", "degC", -50, 400, 0.1, en="exhaust temperature", zh="排烟温度"),
        Point("humidity", "%", 0, 100, 0.1, en="exhaust humidity", zh="排烟湿度"),
        Point("flow", "m3/s", 0, 100, 0.01, en="exhaust flow", zh="排风量"),
        Point.enum("fan", "off", "on", en="fan", zh="风机状态"),
        Point("fan_current", "A", 0, 200, 0.01, en="fan current", zh="风机电流"),
        Point.enum("purifier", "off", "on", en="purifier", zh="净化器状态"),
        Point("purifier_current", "A", 0, 100, 0.01, en="purifier current", zh="净化器电流"),
        every.rssi(),
    ),
    alarms=(  # none in TALQ: ours, in its style
        Alarm("fumeTooHigh", "fume concentration is too high", "油烟超标"),
        Alarm("particulateTooHigh", "particulate concentration is too high", "颗粒物超标"),
        Alarm("nmhcTooHigh", "non-methane hydrocarbons are too high", "非甲烷总烃超标"),
        Alarm("purifierNotRunning", "fan runs without the purifier", "净化器未开启"),
        Alarm("purifierFailure", "purifier is on and draws too little current", "净化器故障"),
        Alarm("fanFailure", "fan is on and draws too little current", "风机故障"),
        Alarm("cleaningDue", "purifier needs cleaning", "净化器待清洗"),
        Alarm("highTemperature", "exhaust is too hot", "排烟温度过高"),
        Alarm("sensorFault", "sensor reports a fault", "传感器故障"),
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
        Command("calibrate", en="run a zero calibration", zh="零点校准"),
        every.report_interval(10, 3_600),
        every.RESTART,
    ),
)
