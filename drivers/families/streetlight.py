"""Streetlight: one lamp controller. The order of points and alarms is stored in history: append only."""

from __future__ import annotations

from drivers.families import every
from drivers.telemetry import MINUTE, Alarm, Command, Family, Point

FAMILY = Family(
    name="streetlight",
    en="streetlight",
    zh="路灯",
    interval=5 * MINUTE,
    points=(
        Point.enum("switch", "off", "on", en="lamp switch", zh="开关状态"),
        Point("dimming", "%", 0, 100, 1, en="dimming level", zh="调光亮度"),
        Point("power", "W", 0, 2_000, 0.1, en="active power", zh="有功功率"),
        Point("voltage", "V", 0, 500, 0.1, en="supply voltage", zh="供电电压"),
        Point("current", "A", 0, 20, 0.001, en="supply current", zh="供电电流"),
        Point("power_factor", "", 0, 1, 0.01, en="power factor", zh="功率因数"),
        Point("energy", "kWh", 0, 1e7, 0.001, en="active energy", zh="有功电能"),
        Point("operating_hours", "h", 0, 1e6, 0.1, en="lamp operating hours", zh="累计亮灯时长"),
        Point("temperature", "degC", -50, 150, 0.1, en="driver temperature", zh="驱动器温度"),
        Point("lux", "lux", 0, 200_000, 0.1, en="ambient light", zh="环境照度"),
        Point("leakage", "mA", 0, 5_000, 0.1, en="leakage current", zh="漏电流"),
        Point("tilt", "deg", 0, 180, 0.1, en="pole tilt", zh="灯杆倾角"),
        Point.enum("lamp_failure", "no", "yes", en="lamp failure seen by the driver", zh="光源故障标志"),
        Point.enum("gear_failure", "no", "yes", en="control gear failure", zh="驱动器故障标志"),
        every.rssi(),
    ),
    alarms=(  # TALQ 2.7.1 LampMonitor, Orientation, DALI; columnDamaged, lanternBroken ours
        Alarm("lampFailure", "lamp does not burn although switched on", "灯具不亮"),
        Alarm("lampUnexpectedOn", "lamp burns by day", "白天亮灯"),
        Alarm("controlGearFailure", "control gear has failed", "驱动器故障"),
        Alarm("relayFailure", "relay has failed", "继电器故障"),
        Alarm("cyclingFailure", "lamp switches on and off again and again", "灯具反复亮灭"),
        Alarm("dimmingFailure", "lamp does not dim as told", "调光失败"),
        Alarm("lampPowerTooHigh", "lamp power is too high", "灯具功率过高"),
        Alarm("lampPowerTooLow", "lamp power is too low", "灯具功率过低"),
        Alarm("powerFactorTooLow", "power factor is too low", "功率因数过低"),
        Alarm("supplyVoltageTooHigh", "supply voltage is too high", "供电过压"),
        Alarm("supplyVoltageTooLow", "supply voltage is too low", "供电欠压"),
        Alarm("currentTooHigh", "supply current is too high", "供电过流"),
        Alarm("supplyLoss", "supply is lost", "供电中断"),
        Alarm("leakageDetected", "current leaks to earth", "漏电"),
        Alarm("highTemperature", "driver is too hot", "驱动器过热"),
        Alarm("orientationChanged", "pole leans", "灯杆倾斜"),
        Alarm("columnDamaged", "column is damaged", "灯杆损坏"),
        Alarm("lanternBroken", "lantern is broken", "灯具外壳破损"),
        every.SILENT,
        every.LOST,
        every.RESET,
        every.NORMAL,
        every.CLONED,
        every.FLAT,
        every.CLOCK,
        every.JUMP,
        Alarm("controlGearCommFailure", "controller cannot reach its control gear", "驱动器通信中断"),
        every.RESTORED,
    ),
    commands=(
        Command(
            "switch", (Point.enum("state", "off", "on", en="state", zh="状态"),), "switch the lamp", "开关灯"
        ),
        Command("dim", (Point("level", "%", 0, 100, 1, en="level", zh="亮度"),), "dim the lamp", "调光"),
        every.report_interval(10, 86_400),
        every.RESTART,
    ),
)
