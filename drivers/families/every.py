"""What every family shares: the alarms of silence, battery, restart and sensor health, and the commands of upkeep."""

from __future__ import annotations

from typing import Final

from drivers.telemetry import Alarm, Command, Point

SILENT: Final = Alarm("communicationFailure", "device is silent", "设备失联")
LOST: Final = Alarm("deviceLost", "device has been silent for days", "设备长期失联")
RESET: Final = Alarm("deviceReset", "device has restarted", "设备重启")
NORMAL: Final = Alarm(
    "normal", "last event of the device is over", "设备恢复正常"
)  # TALQ's end flag, as an event
CLONED: Final = Alarm("identityCloned", "two clients use one identity", "设备身份被冒用")
RESTORED: Final = Alarm("identityRestored", "one client alone uses the identity again", "设备身份恢复独用")
FLAT: Final = Alarm("flatLine", "value that always moves stands still", "监测值长期恒定")
JUMP: Final = Alarm("implausibleJump", "value leaps as nothing in the world does", "监测值异常突变")
CLOCK: Final = Alarm("clockWrong", "clock of the device is wrong", "设备时钟错误")
BATTERY: Final = Alarm("batteryLevelTooLow", "battery is low", "电池电量低")

RESTART: Final = Command("restart", en="restart the device", zh="重启设备")


def report_interval(low: float, high: float) -> Command:
    """Sets how often the device reports. low, high: the limits of the family, in seconds."""
    interval = Point("interval", "s", low, high, 1, en="interval", zh="间隔")
    return Command("reportInterval", (interval,), en="set the reporting interval", zh="设置上报间隔")


def rssi() -> Point:
    return Point("rssi", "dBm", -150, 0, 1, en="signal strength", zh="信号强度")


def battery() -> Point:
    return Point("battery", "%", 0, 100, 1, en="battery level", zh="电池电量")


def battery_voltage() -> Point:
    return Point("battery_voltage", "V", 0, 20, 0.001, en="battery voltage", zh="电池电压")
