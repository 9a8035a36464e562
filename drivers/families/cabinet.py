"""Cabinet: the three-phase supply of a lighting segment. The order of points and alarms is stored: append only."""

from __future__ import annotations

from drivers.families import every
from drivers.telemetry import MINUTE, Alarm, Command, Family, Point

FAMILY = Family(
    name="cabinet",
    en="lighting cabinet",
    zh="路灯控制柜",
    interval=MINUTE,
    points=(
        Point("voltage_a", "V", 0, 500, 0.1, en="phase A voltage", zh="A相电压"),
        Point("voltage_b", "V", 0, 500, 0.1, en="phase B voltage", zh="B相电压"),
        Point("voltage_c", "V", 0, 500, 0.1, en="phase C voltage", zh="C相电压"),
        Point("current_a", "A", 0, 2_000, 0.01, en="phase A current", zh="A相电流"),
        Point("current_b", "A", 0, 2_000, 0.01, en="phase B current", zh="B相电流"),
        Point("current_c", "A", 0, 2_000, 0.01, en="phase C current", zh="C相电流"),
        Point("power", "W", 0, 1e6, 1, en="total active power", zh="总有功功率"),
        Point("power_factor", "", 0, 1, 0.01, en="total power factor", zh="总功率因数"),
        Point("energy", "kWh", 0, 1e9, 0.01, en="active energy", zh="有功电能"),
        Point("leakage", "mA", 0, 30_000, 1, en="leakage current", zh="漏电流"),
        Point.enum("contactor", "off", "on", en="contactor command", zh="接触器指令"),
        Point.enum("contactor_feedback", "open", "closed", en="contactor feedback", zh="接触器反馈"),
        Point.enum("door", "closed", "open", en="door", zh="柜门"),
        Point("temperature", "degC", -50, 150, 0.1, en="cabinet temperature", zh="柜内温度"),
        Point("lux", "lux", 0, 200_000, 0.1, en="ambient light", zh="环境照度"),
        every.rssi(),
    ),
    alarms=(  # TALQ 2.7.1 CabinetMonitor, SegmentMonitor, ElectricalMeter; phaseLoss, contactorWelded, cableCut ours
        Alarm("cabinetDoorOpen", "cabinet door is open", "柜门打开"),
        Alarm("leakageDetected", "current leaks to earth", "漏电"),
        Alarm("phaseLoss", "a phase is lost", "缺相"),
        Alarm("supplyLoss", "supply is lost", "供电中断"),
        Alarm("supplyVoltageTooHigh", "supply voltage is too high", "供电过压"),
        Alarm("supplyVoltageTooLow", "supply voltage is too low", "供电欠压"),
        Alarm("currentTooHigh", "current is too high", "过流"),
        Alarm("powerFactorTooLow", "power factor is too low", "功率因数过低"),
        Alarm("switchingErrorOn", "contactor does not close as told", "合闸失败"),
        Alarm("switchingErrorOff", "contactor does not open as told", "分闸失败"),
        Alarm("contactorWelded", "current flows although the contactor is told to be open", "接触器粘连"),
        Alarm("circuitBreakerTripped", "circuit breaker has tripped", "断路器跳闸"),
        Alarm("cableCut", "load has dropped although the contactor is closed", "电缆疑似被盗割"),
        Alarm("localOverride", "cabinet is switched by hand", "就地手动"),
        Alarm("highTemperature", "cabinet is too hot", "柜内过热"),
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
            "contactor",
            (Point.enum("state", "off", "on", en="state", zh="状态"),),
            en="switch the segment",
            zh="回路合分闸",
        ),
        every.report_interval(10, 86_400),
        every.RESTART,
    ),
)
