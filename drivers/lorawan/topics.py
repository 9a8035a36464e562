"""Topics of network servers: ChirpStack's application/… and The Things Stack's v3/…; which device, which event."""

from __future__ import annotations

from typing import Final, NamedTuple

from drivers.refusal import Reason, Refused

UP: Final = "up"
UPLINKS: Final = ("application/+/device/+/event/up", "v3/+/devices/+/up")
DOWNLINKS: Final = (
    "application/+/device/+/command/down",
    "application/+/device/+/command/+",
    "v3/+/devices/+/down/push",
)
FATES: Final = ("ack", "txack", "down/queued", "down/sent", "down/ack", "down/nack", "down/failed")

_BY_EUI: Final = "eui-"  # The Things Stack's own names of devices


class Address(NamedTuple):
    """names: ids by which a registry may know the device, the surest first. up: of its uplinks. down: to queue downlinks."""

    names: tuple[str, ...]
    event: str
    up: str
    down: str


def foreign(topic: str) -> bool:
    """Whether it looks like a network server's."""
    return topic.startswith(("application/", "v3/"))


def parse(topic: str) -> Address:
    """Raises Refused (unknown_topic) for what is no topic of a device, and for events that carry no reading."""
    address = _address(topic)
    if address is None:
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic[:200]!r} is no device topic of a network server")
    if address.event != UP:
        raise Refused(
            Reason.UNKNOWN_TOPIC, f"{topic[:200]!r} carries no reading; only {' and '.join(UPLINKS)} do"
        )
    return address


def fate(topic: str) -> Address | None:
    """Whose downlink a topic tells the fate of; None where it tells none."""
    address = _address(topic) if foreign(topic) else None
    return address if address is not None and address.event in FATES else None


def queues(pattern: str) -> bool:
    """Whether a subscription asks for downlinks to queue: that of a network server, to some or all devices."""
    levels = pattern.split("/")
    return any(
        len(levels) == len(other)
        and all(one in {"+", level} for level, one in zip(levels, other, strict=True))
        for other in (each.split("/") for each in DOWNLINKS)
    )


def _address(topic: str) -> Address | None:
    parts = topic.split("/")
    device = "/".join(parts[:4])
    if len(parts) == 6 and parts[::2] == ["application", "device", "event"] and parts[3]:
        return Address(spellings(parts[3]), parts[5], f"{device}/event/{UP}", f"{device}/command/down")
    if len(parts) >= 5 and parts[0] == "v3" and parts[2] == "devices" and parts[3]:
        return Address(spellings(parts[3]), "/".join(parts[4:]), f"{device}/{UP}", f"{device}/down/push")
    return None


def spellings(name: str) -> tuple[str, ...]:
    """An id as a registry may have it: as it is, and an EUI in either case, without the server's prefix."""
    eui = name.removeprefix(_BY_EUI)
    return tuple(dict.fromkeys((name, eui.lower(), eui.upper())))
