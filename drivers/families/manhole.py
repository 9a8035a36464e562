"""Manhole: a cover with a tilt sensor, often with level and gas. The order of points and alarms is stored: append only."""

from __future__ import annotations

from drivers.families import every
from drivers.telemetry import HOUR, Alarm, Command, Family, Point

FAMILY = Family(
    name="manhole",
    en="manhole cover",
    zh="井盖",
    interval=6 * HOUR,
    points=(
        Point("tilt", "deg", 0, 180, 0.1, en="tilt from rest", zh="倾角"),
        Point.enum("cover", "closed", "open", en="cover", zh="井盖状态"),
        Point.enum("moved", "no", "yes", en="cover was moved", zh="井盖位移标志"),
        Point("water_level", "m", 0, 20, 0.001, en="water level above the bottom", zh="水位"),
        Point.enum("flooded", "no", "yes", en="water at the sensor", zh="满溢标志"),
        Point("ch4", "%LEL", 0, 100, 0.1, en="methane", zh="甲烷"),
        Point("h2s", "ppm", 0, 500, 0.1, en="hydrogen sulphide", zh="硫化氢"),
        Point("temperature", "degC", -50, 100, 0.1, en="temperature", zh="温度"),
        every.battery(),
        every.battery_voltage(),
        every.rssi(),
        Point(
            "distance",
            "m",
            0,
            20,
            0.001,
            en="distance from the sensor down to the water",
            zh="探头至水面距离",
        ),
        Point("o2", "%", 0, 30, 0.1, en="oxygen", zh="氧气"),
    ),
    alarms=(  # TALQ 2.7.1 Orientation, Accelerometer, FluidLevel, Gas, Battery; cover…, oxygenTooLow ours
        Alarm("orientationChanged", "cover is tilted", "井盖倾斜"),
        Alarm("coverOpened", "cover is open or missing", "井盖打开"),
        Alarm("coverMoved", "cover has moved", "井盖位移"),
        Alarm("coverAbnormal", "device calls its cover abnormal without saying how", "井盖异常"),
        Alarm("impactDetected", "cover was hit", "井盖受到撞击"),
        Alarm("fluidLevelTooHigh", "water level is too high", "井内水位过高"),
        Alarm("overfull", "shaft is flooded", "井内满溢"),
        Alarm("gasConcentrationTooHigh", "gas concentration is too high", "有害气体超标"),
        every.BATTERY,
        every.SILENT,
        every.LOST,
        every.RESET,
        every.NORMAL,
        every.CLONED,
        Alarm("coverSettled", "cover has settled", "井盖沉降"),
        every.FLAT,
        every.JUMP,
        every.CLOCK,
        Alarm("oxygenTooLow", "too little oxygen", "氧气不足"),
        every.RESTORED,
    ),
    commands=(
        Command(
            "tiltThreshold",
            (Point("tilt", "deg", 5, 90, 1, en="tilt", zh="倾角"),),
            en="set the tilt at which the device reports at once",
            zh="设置倾角报警阈值",
        ),
        every.report_interval(60, 604_800),
        every.RESTART,
    ),
)
