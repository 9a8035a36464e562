"""Devices as Home Assistant finds them (MQTT discovery, one document a device), and how each of them stands.

Its points are read where the device itself speaks at that broker in our own format; its alarms are ours to tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, select

from drivers.families import FAMILIES
from drivers.mqtt.topics import ROOT, telemetry_topic
from drivers.telemetry import Point
from gateway.cases.lifecycle import AlarmState
from gateway.cases.record import Message, rank
from gateway.store.schema.cases import alarm

CONFIG: Final = "home"
STATE: Final = "homestate"
KINDS: Final = (CONFIG, STATE)
SILENT: Final = frozenset(("communicationFailure", "deviceLost"))
STANDING: Final = (str(AlarmState.ACTIVE), str(AlarmState.ACKNOWLEDGED))
NATIVE: Final = "generic-"  # products that speak our own format
UNITS: Final = {"deg": "°", "degC": "°C", "ug/m3": "µg/m³", "mg/m3": "mg/m³", "m3": "m³"}
CLASSES: Final = {"temperature": "temperature", "battery": "battery", "humidity": "humidity"}
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_-]")


def topic(kind: str, device: str) -> str:
    """Where a document of this kind about a device stands, retained."""
    return f"{ROOT}/{STATE}s/{device}" if kind == STATE else f"homeassistant/device/{_slug(device)}/config"


def config(row: Mapping[Any, Any], link: str, era: int) -> Message:
    """How a device of the registry is found by whoever looks at that link's broker."""
    device = str(row["id"])
    mark = f"citygate_{_slug(device)}"
    document = {
        "dev": {
            "ids": [mark],
            "name": row["name"] or device,
            "mdl": row["product"],
            "sa": row["area"],
        },
        "o": {"name": "citygate"},
        "state_topic": topic(STATE, device),
        "qos": 1,
        "cmps": {**_own(mark), **(_points(row, mark) if _speaks_there(row, link) else {})},
    }
    payload = {"event": "home.changed", "time": row["updated"], CONFIG: {"id": device, "config": document}}
    key = f"{CONFIG}:{device}:{row['updated']}:{era}"
    return Message(key, f"{CONFIG}:{device}", "home.changed", "info", row["family"], row["area"], payload)


def states(conn: Connection, devices: Mapping[str, str]) -> list[Message]:
    """How these devices stand now. devices: what brought the change, by device; it makes the message's key."""
    standing: dict[str, list[tuple[str, str]]] = {device: [] for device in devices}
    c = alarm.c
    query = select(c.device, c.name, c.severity).where(c.device.in_(list(devices)), c.state.in_(STANDING))
    for device, name, severity in conn.execute(query.order_by(c.raised, c.id)):
        standing[device].append((name, severity))
    return [_state(device, found, devices[device]) for device, found in standing.items()]


def changed(messages: Sequence[Message]) -> dict[str, str]:
    """Devices whose alarms these messages tell of, each with the newest message's key."""
    return {
        str(one.payload["alarm"]["device"]): one.key
        for one in messages
        if "device" in one.payload.get("alarm", {})
    }


def _state(device: str, found: Sequence[tuple[str, str]], cause: str) -> Message:
    worst = max((severity for _, severity in found), key=rank, default="")
    state = {
        "id": device,
        "problem": "ON" if found else "OFF",
        "online": "OFF" if any(name in SILENT for name, _ in found) else "ON",
        "severity": worst or "none",
        "alarms": [name for name, _ in found],
    }
    event = f"{STATE}.changed"
    return Message(
        f"{STATE}:{device}:{cause}"[:96],
        f"{STATE}:{device}",
        event,
        "info",
        "",
        "",
        {"event": event, STATE: state},
    )


def _own(mark: str) -> dict[str, Any]:
    """What the gateway itself tells of every device."""
    said = f"value_json.{STATE}"
    return {
        "problem": {
            "p": "binary_sensor",
            "unique_id": f"{mark}_problem",
            "name": "Alarm 告警",
            "device_class": "problem",
            "value_template": f"{{{{ {said}.problem }}}}",
        },
        "severity": {
            "p": "sensor",
            "unique_id": f"{mark}_severity",
            "name": "Severity 级别",
            "value_template": f"{{{{ {said}.severity }}}}",
        },
        "online": {
            "p": "binary_sensor",
            "unique_id": f"{mark}_online",
            "name": "Online 在线",
            "device_class": "connectivity",
            "value_template": f"{{{{ {said}.online }}}}",
        },
    }


def _points(row: Mapping[Any, Any], mark: str) -> dict[str, Any]:
    """The points of its family, as the device itself publishes them; unavailable while it is silent."""
    family = FAMILIES[str(row["family"])]
    there = [
        {
            "topic": topic(STATE, str(row["id"])),
            "value_template": f"{{{{ 'online' if value_json.{STATE}.online == 'ON' else 'offline' }}}}",
        }
    ]
    where = telemetry_topic(family.name, str(row["id"]))
    return {
        point.name: {
            "unique_id": f"{mark}_{point.name}",
            "name": f"{point.en} {point.zh}".strip() or point.name,
            "state_topic": where,
            "availability": there,
            **_reading(point),
        }
        for point in family.points
        if point.name not in {"event", "online"}
    }


def _reading(point: Point) -> dict[str, Any]:
    said, kept = f"value_json.v.{point.name}", "{{ this.state }}"
    given = f"value_json.v is defined and {said} is defined"
    if len(point.labels) == 2:
        on = f"{{{{ 'ON' if {said} in ['{point.labels[1]}', 1] else 'OFF' }}}}"
        kept = "{{ 'ON' if this.state == 'on' else 'OFF' }}"
        return {
            "p": "binary_sensor",
            "value_template": f"{{% if {given} %}}{on}{{% else %}}{kept}{{% endif %}}",
        }
    shown: dict[str, Any] = {
        "p": "sensor",
        "value_template": f"{{% if {given} %}}{{{{ {said} }}}}{{% else %}}{kept}{{% endif %}}",
    }
    if point.unit:
        shown["unit_of_measurement"] = UNITS.get(point.unit, point.unit)
    if point.name in CLASSES:
        shown["device_class"] = CLASSES[point.name]
    return shown


def _speaks_there(row: Mapping[Any, Any], link: str) -> bool:
    return row["link"] == link and str(row["product"]).startswith(NATIVE)


def _slug(device: str) -> str:
    """Of the letters that discovery takes; two devices never share one."""
    plain = _STRANGE.sub("_", device)
    return plain if plain == device else f"{plain}_{sha256(device.encode()).hexdigest()[:8]}"
