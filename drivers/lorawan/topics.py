"""Topics of network servers: ChirpStack's application/… and The Things Stack's v3/…; which device, which event."""

from __future__ import annotations

from typing import Final, NamedTuple

from drivers.refusal import Reason, Refused

UP: Final = "up"
UPLINKS: Final = ("application/+/device/+/event/up", "v3/+/devices/+/up")

_BY_EUI: Final = "eui-"  # The Things Stack's own names of devices


class Address(NamedTuple):
    """names: ids by which a registry may know the device, the surest first. down: where its downlinks are queued."""

    names: tuple[str, ...]
    event: str
    down: str


def foreign(topic: str) -> bool:
    """Whether it looks like a network server's."""
    return topic.startswith(("application/", "v3/"))


def parse(topic: str) -> Address:
    """Raises Refused (unknown_topic) for what is no topic of a device, and for events that carry no reading."""
    parts = topic.split("/")
    if len(parts) == 6 and parts[::2] == ["application", "device", "event"] and parts[3]:
        address = Address(spellings(parts[3]), parts[5], "/".join([*parts[:4], "command", "down"]))
    elif len(parts) >= 5 and parts[0] == "v3" and parts[2] == "devices" and parts[3]:
        address = Address(spellings(parts[3]), "/".join(parts[4:]), "/".join([*parts[:4], "down", "push"]))
    else:
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic[:200]!r} is no device topic of a network server")
    if address.event != UP:
        raise Refused(
            Reason.UNKNOWN_TOPIC, f"{topic[:200]!r} carries no reading; only {' and '.join(UPLINKS)} do"
        )
    return address


def spellings(name: str) -> tuple[str, ...]:
    """An id as a registry may have it: as it is, and an EUI in either case, without the server's prefix."""
    eui = name.removeprefix(_BY_EUI)
    return tuple(dict.fromkeys((name, eui.lower(), eui.upper())))
