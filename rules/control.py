"""The control log: everything but telemetry that the engine consumes, so that history alone can rebuild it (design 2).

A control row stands in the same log as readings, under the tick that took effect with it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct, field

NOWHERE: Final = float("nan")  # lat, lon of a device without a place: this object, which JSON leaves out


class DeviceRow(Struct, frozen=True, gc=False, omit_defaults=True):
    """What rules need to know of one device. lat, lon: WGS-84 degrees. interval, lateness: µs; 0 = the family's own."""

    index: int
    id: str
    product: str
    area: str = ""  # path, most general first: "xuhui/tianping/…"
    lat: float = NOWHERE
    lon: float = NOWHERE
    interval: int = 0
    lateness: int = 0
    parent: str = ""
    attributes: dict[str, float] = field(default_factory=dict)  # rated_power [W] …
    retired: bool = False  # its rules stop; its index is never used again
    link: str = ""  # the broker link that it is heard through


class Devices(Struct, frozen=True, tag="devices"):
    """Devices that are new or changed, all of one family."""

    family: str
    rows: list[DeviceRow]


class Rules(Struct, frozen=True, tag="rules"):
    """The whole set of rules in force from now on: rule documents as read from TOML, each with its `version`.

    An id may come more than once: with `areas`, in force there instead of the one without; with `shadow`, telling nobody.
    """

    rules: list[dict[str, Any]]

    def told(self) -> list[dict[str, Any]]:
        """One document for each rule that tells somebody: the one without areas, where there is one."""
        found: dict[str, dict[str, Any]] = {}
        for document in self.rules:
            if not document.get("shadow") and (document["id"] not in found or not document.get("areas")):
                found[document["id"]] = document
        return list(found.values())


class Parameter(Struct, frozen=True, tag="parameter"):
    """An override of a rule's parameter. scope: "" (city), "area:<path>", "product:<id>", "device:<id>"; or "preset".

    value None takes the override away.
    """

    rule: str
    name: str
    scope: str
    value: float | None


class Calendar(Struct, frozen=True, tag="calendar"):
    """The working calendar in force from now on. Dates are "2026-10-01" in the city's zone; other years are unknown.

    holidays: public holidays. workdays: days of the weekend that are worked instead.
    """

    years: list[int]
    holidays: list[str] = field(default_factory=list)
    workdays: list[str] = field(default_factory=list)


class Clock(Struct, frozen=True, tag="clock"):
    """How far off the clocks of these devices are found to be from now on (s; above 0 they are behind).

    Said when a clock turns out wrong, and when it is right again.
    """

    family: str
    devices: list[int]
    offsets: list[float]


class Moment(Struct, frozen=True, tag="moment"):
    """What had run out by `time` (µs UTC, receive clock) did so under what was in force until then: it is said before the

    changes that follow. Live, a sweep would have said it; a replay has no sweeps.
    """

    time: int


class GatewayUp(Struct, frozen=True, tag="gateway_up"):
    """The gateway was not listening between `down` and `up` (µs UTC): silence timers stand still over it."""

    down: int
    up: int


class ClockStep(Struct, frozen=True, tag="clock_step"):
    """City time went from `before` to `after` (µs UTC) in no time: timers, running holds and windows are carried over it."""

    before: int
    after: int


class LinkDown(Struct, frozen=True, tag="link_down"):
    """From `time` (µs UTC) on, devices behind this link cannot be heard: their silence timers stand still until it is up."""

    link: str
    time: int


class LinkUp(Struct, frozen=True, tag="link_up"):
    """From `time` (µs UTC) on, devices behind this link are heard."""

    link: str
    time: int


class WatermarkRestart(Struct, frozen=True, tag="watermark_restart"):
    """The clock of this device stepped back: its watermark restarts before `time`."""

    family: str
    device: int
    time: int


Control = (
    Devices
    | Rules
    | Parameter
    | Calendar
    | Clock
    | Moment
    | GatewayUp
    | ClockStep
    | LinkDown
    | LinkUp
    | WatermarkRestart
)

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Control).decode
