"""Frames of a LoRaWAN product: a layout for each port, under any network server's envelope.

Time is the network server's, never the device's: one clock for all frames of a device, as an order needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from drivers.codec import Downlink, Mark, Reading
from drivers.lorawan import downlinks, envelopes, layout
from drivers.lorawan.bits import Said, Wish
from drivers.lorawan.downlinks import Queued
from drivers.lorawan.envelopes import Uplink
from drivers.lorawan.topics import spellings
from drivers.refusal import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.city_json import Faults
    from drivers.dialogue import Order
    from drivers.jsonscan import Limits
    from drivers.lorawan.layout import Layout

LONGEST: Final = 255  # bytes: the length field of a LoRa packet is one byte
NOBODY: Final = "0" * 16  # the EUI of frames that are encoded without a device
RSSI: Final = "rssi"


def names_of(uplink: Uplink) -> tuple[str, ...]:
    """By which ids a registry may know the device: its EUI, then what its server calls it."""
    return tuple(dict.fromkeys(name for one in (uplink.eui, uplink.name) if one for name in spellings(one)))


@dataclass(frozen=True)
class Frames:
    """ports: layout by fPort. any_port: the device's port is configurable; the first layout stands for all.

    downlinks: port and layout of each command that the product can be told.
    """

    ports: Mapping[int, Layout]
    any_port: bool = False
    downlinks: Mapping[str, tuple[int, Layout]] = field(default_factory=dict)

    def names(self, payload: bytes, limits: Limits) -> tuple[str, ...]:
        uplink = envelopes.read(payload, limits)
        return tuple(
            dict.fromkeys(name for one in (uplink.eui, uplink.name) if one for name in spellings(one))
        )

    def readings(self, payload: bytes, limits: Limits, faults: Faults) -> Sequence[Reading]:
        uplink = envelopes.read(payload, limits)
        said = self.decode(uplink.port, uplink.payload, faults)
        via = [one.id for one in uplink.gateways]
        facts = {**said.facts, "eui": uplink.eui, "port": uplink.port, "counter": uplink.counter, "via": via}
        if uplink.rssi is not None and (said.values or said.event):
            said.values.setdefault(RSSI, uplink.rssi)
        mark = Mark(uplink.counter, bytes((uplink.port,)) + uplink.payload)
        return [Reading(said.values, said.event, uplink.time, facts, mark)]

    def decode(self, port: int, frame: bytes, faults: Faults) -> Said:
        """What a frame says; raises Refused where nothing of it can be used."""
        if not frame:
            raise Refused(Reason.EMPTY, f"a frame of no bytes on port {port}; port 0 is the network's own")
        if len(frame) > LONGEST:
            raise Refused(Reason.OVERSIZE, f"a frame of {len(frame)} bytes; LoRa carries {LONGEST} at most")
        found = self.ports.get(port) or (next(iter(self.ports.values())) if self.any_port else None)
        if found is None:
            known = ", ".join(map(str, self.ports))
            raise Refused(Reason.BAD_FRAME, f"port {port} is none of this product's: {known}")
        said, cursor = Said(faults=faults), layout.Cursor(frame)
        layout.read(found, cursor, said)
        if cursor.at < cursor.end:
            faults.note(
                Reason.BAD_FRAME, f"byte {cursor.at}: {cursor.end - cursor.at} more than the frame has"
            )
        return said

    def frame(self, values: Mapping[str, float], event: str | None = None) -> tuple[int, bytes]:
        """Port and bytes that say so; raises ValueError where no one frame does."""
        missing: set[str] = set()
        for port, items in self.ports.items():
            wish, out = Wish(values, event), bytearray()
            if wish.count(layout.names(items)) < len(wish.missing()):
                missing = wish.missing() - set(layout.names(items))
                continue
            layout.write(items, out, wish)
            missing = wish.missing()
            if not missing:
                return port, bytes(out)
        raise ValueError(f"no frame of this product says {', '.join(sorted(missing))} with the rest")

    def encode(self, time: int | None, values: Mapping[str, float], event: str | None) -> bytes:
        """ChirpStack's envelope of a frame of no device; `envelopes.write` makes those of real ones."""
        own = {name: value for name, value in values.items() if name != RSSI or RSSI in self.own_points()}
        port, frame = self.frame(own, event)
        heard = (envelopes.Gateway("", values[RSSI]),) if len(own) < len(values) else ()
        return envelopes.write(Uplink("chirpstack", NOBODY, "", port, 0, frame, time, heard))

    def downlink(self, command: str, args: Mapping[str, float]) -> Downlink:
        """A command as bytes; raises ValueError where the product has no such command or value."""
        if command not in self.downlinks:
            known = ", ".join(self.downlinks) or "none"
            raise ValueError(f"this product has no command {command}; it has {known}")
        port, items = self.downlinks[command]
        wish, out = Wish(args), bytearray()
        layout.write(items, out, wish)
        if wish.missing():
            raise ValueError(f"{command} has no argument {', '.join(sorted(wish.missing()))}")
        return Downlink(port, bytes(out))

    def told(self, port: int, frame: bytes) -> tuple[str, dict[str, float]]:
        """The device's side of `downlink`: command and arguments, the first that reads so. Raises Refused."""
        for command, (own, items) in self.downlinks.items():
            said, cursor = Said(), layout.Cursor(frame)
            try:
                layout.read(items, cursor, said)
            except Refused:
                continue
            if own == port and cursor.at == cursor.end:
                return command, said.values
        raise Refused(Reason.BAD_FRAME, f"port {port}: {frame.hex()} is no command of this product")

    def queued(self, up: str, order: Order, expires: int) -> tuple[str, bytes]:
        """Topic and payload that make the server of an uplink topic send a command; raises ValueError as `downlink`.

        expires: µs UTC. Confirmed, so that its delivery is known.
        """
        port, frame = self.downlink(order.name, order.args)
        return downlinks.push(up, Queued(order.id, port, frame, expires))

    def own_points(self) -> frozenset[str]:
        return frozenset(name for items in self.ports.values() for name in layout.names(items))

    def points(self) -> frozenset[str]:
        return self.own_points() | {RSSI}
