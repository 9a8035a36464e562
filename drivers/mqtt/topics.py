"""Topic names and filters (5.0 §4.7), and citygate's own: city/<family>/<device>/<channel>."""

from __future__ import annotations

from typing import Final, NamedTuple

from drivers.refusal import Reason, Refused

ROOT: Final = "city"
UP: Final = ("telemetry", "event", "status", "reply")
COMMAND: Final = "command"
CHANNELS: Final = frozenset((*UP, COMMAND))


class Topic(NamedTuple):
    family: str
    device: str
    channel: str  # telemetry | event | status | reply | command


def parse(topic: str) -> Topic:
    """The parts of one of citygate's topics. Refused (unknown_topic) where it is none."""
    parts = topic.split("/")
    if len(parts) != 4 or parts[0] != ROOT or parts[3] not in CHANNELS or not (parts[1] and parts[2]):
        raise Refused(Reason.UNKNOWN_TOPIC, f"{topic[:200]!r} is not city/<family>/<device>/<channel>")
    return Topic(parts[1], parts[2], parts[3])


def build(family: str, device: str, channel: str) -> str:
    """The inverse of parse. ValueError where a part cannot stand in a topic."""
    topic = f"{ROOT}/{family}/{device}/{channel}"
    if topic.count("/") != 3 or not (family and device) or channel not in CHANNELS or name_fault(topic):
        raise ValueError(f"{topic!r} is not city/<family>/<device>/<channel>")
    return topic


def telemetry_topic(family: str, device: str) -> str:
    return build(family, device, "telemetry")


def event_topic(family: str, device: str) -> str:
    return build(family, device, "event")


def status_topic(family: str, device: str) -> str:
    return build(family, device, "status")


def reply_topic(family: str, device: str) -> str:
    return build(family, device, "reply")


def command_topic(family: str, device: str) -> str:
    return build(family, device, COMMAND)


def name_fault(topic: str) -> str:
    """What keeps `topic` from being a topic name, or ""."""
    if not topic:
        return "a topic name is empty"
    if "+" in topic or "#" in topic:
        return "a topic name holds a wildcard"
    if "\0" in topic:
        return "a topic name holds U+0000"
    return ""


def filter_fault(pattern: str) -> str:
    """What keeps `pattern` from being a topic filter, or ""."""
    if not pattern:
        return "a topic filter is empty"
    if "\0" in pattern:
        return "a topic filter holds U+0000"
    levels = pattern.split("/")
    if any("+" in level and level != "+" for level in levels):
        return "+ stands for a whole level"
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        return "# stands alone as the last level"
    if levels[0] == "$share":
        return _share_fault(levels)
    return ""


def _share_fault(levels: list[str]) -> str:
    """$share/<name>/<filter> (5.0 §4.8.2): the name is plain, the filter is not empty."""
    if len(levels) < 3 or not levels[1] or levels[1] in {"+", "#"} or (len(levels) == 3 and not levels[2]):
        return "a shared subscription is $share/<name>/<filter>"
    return ""


def matches(pattern: str, topic: str) -> bool:
    """Whether a valid filter matches a topic name; a leading wildcard never matches $… (§4.7.2)."""
    if pattern == topic:
        return True
    wanted, levels = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    if wanted[-1] == "#":
        del wanted[-1]
        if len(levels) < len(wanted):
            return False
        del levels[len(wanted) :]
    return len(wanted) == len(levels) and all(
        want in {"+", level} for want, level in zip(wanted, levels, strict=True)
    )
